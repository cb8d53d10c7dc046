"""Everything that looks random: seeded generators and stable ids out of names.

Nothing here depends on the process or the hour, so one seed gives one world.
"""

from __future__ import annotations

import random
from hashlib import blake2b


def generator(*seed: object) -> random.Random:
    """A generator of its own for each tuple of seeds (`generator(7, "ci.yml")`)."""
    # Simulated data: it has to repeat, and protects nothing.
    return random.Random("|".join(map(str, seed)))  # noqa: S311


def stable_int(text: str, low: int, high: int) -> int:
    """A number in [low, high) which is always the same for the same text."""
    digest = blake2b(text.encode(), digest_size=8).digest()
    return low + int.from_bytes(digest, "big") % (high - low)


def stable_sha(text: str) -> str:
    """Forty hex digits that look like a commit and depend on the text only."""
    return blake2b(text.encode(), digest_size=20).hexdigest()
