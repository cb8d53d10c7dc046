"""The merge of lists of runs: pages of several instances become one page.

Every instance sorts runs by the same key, `(started_at, run_id)`. The position in the
list of an instance is therefore the key of the last run that was read of all of them.
An instance that was away keeps an earlier position. When it is back, its runs come
first; the others are read again from there, to find runs that were shown without it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

Key = tuple[str, int]
# The host of GitHub and the number of the run there.
Identity = tuple[str, int]

# Before the newest run and after the oldest one.
START: Key = ("~", 0)
END: Key = ("", 0)
# Older attempts that another instance may still have; each takes 45 bytes of a cursor.
MAX_RERUNS = 50


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run as an instance has it. Of two copies, the higher `version` is newer."""

    key: Key
    identity: Identity
    version: tuple[int, str]
    created_at: str
    values: dict[str, Any] = field(compare=False)

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> "ListedRun":
        """The run with these columns, which have been checked."""
        host = (values["html_url"] or "").partition("://")[2].partition("/")[0]
        return cls(
            (values["started_at"], values["run_id"]),
            (host, values["run_id"]),
            (values["run_attempt"], values["updated_at"]),
            values["created_at"],
            values,
        )


@dataclass(frozen=True)
class RunPage:
    """The runs of an instance after a position, newest first.

    With `has_more` there is at least one run here, and older ones on later pages.
    """

    runs: Sequence[ListedRun]
    has_more: bool


@dataclass(frozen=True)
class Progress:
    """How far a merged list has been read: the position in the list of each instance.

    `reruns` are shown runs with several attempts, with their `created_at`: another
    instance may have an earlier attempt, which starts later in the list.
    """

    positions: Mapping[str, Key]
    reruns: Mapping[Identity, str] = field(default_factory=dict)

    @property
    def is_at_end(self) -> bool:
        return all(position == END for position in self.positions.values())

    @property
    def unfinished(self) -> list[str]:
        """The instances that may have more runs."""
        return [name for name, position in self.positions.items() if position != END]


def start_of(instances: Iterable[str]) -> Progress:
    """The progress before the first page."""
    return Progress(dict.fromkeys(instances, START))


def replay_position(progress: Progress, pages: Mapping[str, RunPage]) -> Key | None:
    """The position from which to read again the instances that are ahead.

    That is just before the newest run of `pages`, which an instance has that was away.
    None if no instance has passed that run.
    """
    newest = max(
        (page.runs[0].key for page in pages.values() if page.runs), default=END
    )
    before = (newest[0], newest[1] + 1)
    return before if newest != END and instances_past(progress, before) else None


def instances_past(progress: Progress, position: Key) -> list[str]:
    """The instances that have been read further than this position."""
    return [name for name, other in progress.positions.items() if other < position]


def merge(
    progress: Progress, pages: Mapping[str, RunPage], limit: int
) -> tuple[list[tuple[str, ListedRun]], Progress]:
    """The next page as (instance, run), and the progress after it.

    `pages` are those of the instances that responded, in the order of preference for
    equal copies. The positions of the others stay. The page has at most `limit` runs,
    unless two GitHub hosts have runs of the same number and second.
    """
    # Where the first of the pages ends; later runs may have others between them.
    last = max(
        (page.runs[-1].key for page in pages.values() if page.has_more), default=END
    )
    merged: list[tuple[str, ListedRun]] = []
    shown = {*progress.reruns}
    read = START
    for key, copies in _by_key(pages):
        if key < last:
            break
        new, repeated = [], set()
        for identity, same in _by_identity(copies):
            was_read = any(progress.positions[name] <= key for name, _ in same)
            if was_read or identity in shown:
                repeated.add(identity)
            else:
                new.append(max(same, key=lambda copy: copy[1].version))
        if new and len(merged) >= limit:
            break
        read = key
        merged += new
        shown |= repeated | {run.identity for _, run in new}
    else:
        read = last
    return merged, _progress_after(progress, pages, read, merged)


def _by_key(
    pages: Mapping[str, RunPage],
) -> Iterator[tuple[Key, Iterator[tuple[str, ListedRun]]]]:
    """The runs of all pages, newest first, grouped by their key."""
    runs = [(name, run) for name, page in pages.items() for run in page.runs]
    runs.sort(key=lambda item: item[1].key, reverse=True)
    return groupby(runs, key=lambda item: item[1].key)


def _by_identity(
    copies: Iterable[tuple[str, ListedRun]],
) -> Iterable[tuple[Identity, list[tuple[str, ListedRun]]]]:
    groups = defaultdict(list)
    for copy in copies:
        groups[copy[1].identity].append(copy)
    return groups.items()


def _progress_after(
    progress: Progress,
    pages: Mapping[str, RunPage],
    read: Key,
    merged: Sequence[tuple[str, ListedRun]],
) -> Progress:
    positions = {
        name: min(position, read) if name in pages else position
        for name, position in progress.positions.items()
    }
    reruns = {**progress.reruns} | {
        run.identity: run.created_at for _, run in merged if run.version[0] > 1
    }
    # The first attempt starts when the run is created, so no copy comes after that.
    earliest = max(started_at for started_at, _ in positions.values())
    possible = [item for item in reruns.items() if item[1] <= earliest]
    return Progress(positions, dict(possible[-MAX_RERUNS:]))
