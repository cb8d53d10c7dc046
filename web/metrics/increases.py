"""Counters, from numbers in the database that may also fall.

A re-run moves a run from one conclusion to another. To Prometheus, a counter that
falls has been reset, and its whole value counts as new. So a counter here adds up the
increases between readings, from 0 when the process starts.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

# (repo, workflow)
Feed = tuple[str, str]
# (period, repo, workflow, …)
Key = tuple[Any, ...]


class Increases:
    """The sums of the increases of numbers, by their keys without the period."""

    def __init__(self) -> None:
        self.totals: defaultdict[Key, float] = defaultdict(int)
        self._last: Mapping[Key, float] | None = None
        self._feeds: frozenset[Feed] = frozenset()

    def add(self, numbers: Mapping[Key, float], feeds: frozenset[Feed]) -> None:
        """Add what grew since the last numbers; `feeds` are those on the wall.

        All numbers of a feed that was not on the wall before are no increase: it was
        renamed, or has just been added with its history.
        """
        if self._last is not None:
            # A clock that is set back brings days again that were left out.
            first_period = min((key[0] for key in self._last), default="")
            known = feeds & self._feeds
            for key, number in numbers.items():
                if key[1:3] in known and key[0] >= first_period:
                    increase = number - self._last.get(key, 0)
                    if increase > 0:
                        self.totals[key[1:]] += increase
        for key in [key for key in self.totals if key[:2] not in feeds]:
            del self.totals[key]
        self._last, self._feeds = numbers, feeds

    def forget(self) -> None:
        """Take the next numbers as they are, without an increase."""
        self._last = None
