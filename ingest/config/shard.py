"""Shards: the part of the selected repositories that one instance watches."""

import hashlib
import re
from dataclasses import dataclass

from ci_observer.ingest.errors import ConfigError

MAX_SHARDS = 1000
# Of SHA-256: https://en.wikipedia.org/wiki/SHA-2
HASHED_BYTES = 8


@dataclass(frozen=True)
class Shard:
    """One of `count` shards; `number` is from 1 to `count`."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def name(self) -> str:
        """The shard in words, such as `shard 3 of 12`."""
        return f"shard {self.number} of {self.count}"

    def has(self, repo: str) -> bool:
        """Whether a repository belongs to this shard, by its name."""
        return number_of(repo, self.count) == self.number


def number_of(repo: str, count: int) -> int:
    """The number of the shard, from 1 to `count`, that a repository belongs to.

    The letter case of its name does not matter.
    """
    digest = hashlib.sha256(repo.lower().encode()).digest()
    return int.from_bytes(digest[:HASHED_BYTES]) % count + 1


def mismatch_text(stored: Shard | None, configured: Shard | None) -> str | None:
    """What is wrong if a database is that of another shard; None if it is not."""
    if stored is None or stored == configured:
        return None
    setting = f"SHARD is {configured}" if configured else "SHARD is not set"
    return (
        f"The database is that of {stored.name}, and {setting}: correct SHARD or "
        "CI_OBSERVER_DB, unless the number of shards has changed; then ci-observer "
        "reshard moves the histories."
    )


def parse_shard(text: str, name: str) -> Shard:
    """The text of a setting, such as `3/12`. Raises `ConfigError`."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if not match:
        unset = ""
        if "$" in text:
            unset = " It was not replaced: in Kubernetes, env defines it above SHARD."
        raise ConfigError(
            f"{name}: {text!r} is not a shard. Write NUMBER/SHARDS without spaces, for "
            f"example {name}=3/12 for the third of twelve instances.{unset}"
        )
    number, count = map(int, match.groups())
    if not 1 <= count <= MAX_SHARDS:
        raise ConfigError(
            f"{name}: {text!r} has {count} shards. Write a number of shards from 1 to "
            f"{MAX_SHARDS}, for example {name}=3/12."
        )
    if not 1 <= number <= count:
        raise ConfigError(
            f"{name}: {text!r} has the number {number}. Shards are numbered from 1 to "
            f"the number of shards: write {name}=1/{count} to {name}={count}/{count}."
        )
    return Shard(number, count)
