"""Reads one page of the merged list: from whom, from where, and who is missing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ci_observer.web.peers.run_merge import (
    Key,
    ListedRun,
    Progress,
    RunPage,
    instances_past,
    merge,
    replay_position,
)


@dataclass(frozen=True)
class Missing:
    """An instance without a page: why, and the time of the first failure."""

    reason: str
    since: str


# The page of an instance after a position, with at most this number of runs.
Fetch = Callable[[str, Key, int], Awaitable[RunPage | Missing]]


@dataclass(frozen=True)
class MergedPage:
    """The runs of a page, each with its instance, and the progress after it.

    `missing` are the instances that gave no runs, although they may have some.
    """

    runs: list[tuple[str, ListedRun]]
    progress: Progress
    missing: dict[str, Missing]

    @property
    def is_stuck(self) -> bool:
        """Whether only missing instances can have another run."""
        return bool(
            self.missing
            and not self.runs
            and {*self.progress.unfinished} <= {*self.missing}
        )


async def read_merged_page(
    progress: Progress, fetch: Fetch, *, limit: int, replay_limit: int
) -> MergedPage:
    """Read the page after `progress`, of all instances at once.

    If an instance that was away has runs which others have passed, the others are read
    again from there, up to `replay_limit` runs each: they may have shown the same runs.
    """
    unfinished = {name: progress.positions[name] for name in progress.unfinished}
    pages, missing = await _fetch_all(fetch, unfinished, limit)
    position = replay_position(progress, pages)
    if position is not None:
        ahead = [n for n in instances_past(progress, position) if n not in missing]
        replayed, away = await _fetch_all(
            fetch, dict.fromkeys(ahead, position), replay_limit
        )
        pages |= replayed
        missing |= away
    in_order = [n for n in progress.positions if n in pages and n not in missing]
    runs, after = merge(progress, {n: pages[n] for n in in_order}, limit)
    return MergedPage(runs, after, missing)


async def _fetch_all(
    fetch: Fetch, positions: Mapping[str, Key], limit: int
) -> tuple[dict[str, RunPage], dict[str, Missing]]:
    results: list[Any] = await asyncio.gather(
        *(fetch(name, position, limit) for name, position in positions.items())
    )
    by_name = dict(zip(positions, results, strict=True))
    missing = {n: r for n, r in by_name.items() if isinstance(r, Missing)}
    return {n: r for n, r in by_name.items() if n not in missing}, missing
