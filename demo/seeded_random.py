"""Seeded random generators, and stable ids derived from names.

Nothing here depends on the process or the time, so one seed gives one world.
"""

from __future__ import annotations

import random
from hashlib import blake2b


def seeded_random(*seed: object) -> random.Random:
    """A separate generator for each tuple of seeds (`seeded_random(7, "ci.yml")`)."""
    # Not for security: simulated data has to be repeatable.
    return random.Random("|".join(map(str, seed)))  # noqa: S311


def stable_int(text: str, low: int, high: int) -> int:
    """A number in [low, high) that depends on the text only."""
    digest = blake2b(text.encode(), digest_size=8).digest()
    return low + int.from_bytes(digest, "big") % (high - low)


def stable_sha(text: str) -> str:
    """Forty hex digits, like a commit id, that depend on the text only."""
    return blake2b(text.encode(), digest_size=20).hexdigest()
