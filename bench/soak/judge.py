"""The measurements of a soak, and the faults in them. Pure functions."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.soak.processes import LASTING

# Memory and file handles are compared with those of this minute, counted from 1.
BASELINE_MINUTE = 3
MAX_MEMORY_GROWTH = 1.10
# Of a single process, that much is chance: a cache of one more thread, or memory that
# the allocator keeps.
MAX_NOISE_BYTES = 10_000_000
# A few more open files and connections are chance.
MAX_MORE_FILES = 10
# A checkpoint is due at 1,000 pages of 8 kB; a long read delays it.
MAX_WAL_BYTES = 24_000_000
SERVER_ERRORS = 500


@dataclass(frozen=True)
class Sample:
    """The processes at one time: bytes of memory (PSS) and file handles by name."""

    seconds: float
    memory: Mapping[str, int]
    files: Mapping[str, int]
    wal_bytes: int
    runs: int


@dataclass
class Responses:
    """The responses of one minute by status; status 0 is a request without one."""

    statuses: Counter[int] = field(default_factory=Counter)
    # Status 0 or 5xx, with the path.
    bad: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    def add(self, path: str, status: int, seconds: float, reason: str = "") -> None:
        """Count a response."""
        self.statuses[status] += 1
        self.milliseconds.append(seconds * 1000)
        if status == 0 or status >= SERVER_ERRORS:
            self.bad.append(f"{path}: {status or 'no response'} {reason}".strip())


@dataclass(frozen=True)
class Minute:
    """One minute: the least memory and files that were in use, and the responses.

    The least, because a large statement takes its memory for seconds only; what leaks
    is there all the time.
    """

    number: int
    memory: dict[str, int]
    total_memory: int
    files: int
    wal_bytes: int
    runs: int
    responses: Responses


def minutes_of(
    samples: Sequence[Sample], responses: Mapping[int, Responses]
) -> list[Minute]:
    """The samples by minute. The rest of an incomplete minute belongs to the last."""
    whole = max(1, int(samples[-1].seconds // 60))
    by_minute: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_minute[min(int(sample.seconds // 60) + 1, whole)].append(sample)
    return [
        Minute(
            number,
            _least(found),
            min(sum(sample.memory.values()) for sample in found),
            min(sum(sample.files.values()) for sample in found),
            max(sample.wal_bytes for sample in found),
            found[-1].runs,
            responses.get(number, Responses()),
        )
        for number, found in sorted(by_minute.items())
    ]


def _least(samples: Sequence[Sample]) -> dict[str, int]:
    names = dict.fromkeys(name for sample in samples for name in sample.memory)
    return {
        name: min(sample.memory.get(name, 0) for sample in samples) for name in names
    }


def faults_of(minutes: Sequence[Minute]) -> Iterator[str]:
    """Growth after the third minute, and responses that must not be."""
    base = next((m for m in minutes if m.number == BASELINE_MINUTE), None)
    last = minutes[-1]
    if base is not None and last.number > base.number:
        yield from _growth(base, last)
    if last.wal_bytes > MAX_WAL_BYTES:
        yield f"the WAL has {last.wal_bytes / 1e6:.0f} MB in the last minute"
    bad = Counter(text for minute in minutes for text in minute.responses.bad)
    yield from (f"{text} ({count} times)" for text, count in bad.most_common(10))


def _growth(base: Minute, last: Minute) -> Iterator[str]:
    before, after = base.total_memory, last.total_memory
    if after > before * MAX_MEMORY_GROWTH:
        yield f"memory grew {_from_to(base, last, before, after)}"
    for name, memory in last.memory.items():
        before = base.memory.get(name, memory)
        limit = max(before * MAX_MEMORY_GROWTH, before + MAX_NOISE_BYTES)
        # Workers start when they are needed; all together are judged above.
        if name in LASTING and memory > limit:
            yield f"{name} grew {_from_to(base, last, before, memory)}"
    if last.files > base.files + MAX_MORE_FILES:
        yield f"file handles grew from {base.files:.0f} to {last.files:.0f}"


def _from_to(base: Minute, last: Minute, before: int, after: int) -> str:
    return (
        f"from {before / 1e6:.1f} MB in minute {base.number} "
        f"to {after / 1e6:.1f} MB in minute {last.number}"
    )


@dataclass(frozen=True)
class RunState:
    """A run as GitHub or the archive has it."""

    run_attempt: int
    is_completed: bool


def lost_runs(
    of_github: Mapping[int, RunState], archived: Mapping[int, RunState]
) -> Iterator[str]:
    """Runs that the archive lacks, or has in an older state."""
    for run_id, state in of_github.items():
        found = archived.get(run_id)
        if found is None:
            yield f"run {run_id} is not in the archive"
        elif found.run_attempt < state.run_attempt:
            yield f"attempt {state.run_attempt} of run {run_id} is not in the archive"
        elif (
            found.run_attempt == state.run_attempt
            and state.is_completed
            and not found.is_completed
        ):
            yield f"run {run_id} is completed, and not in the archive"


def ended_processes(first: Mapping[str, int], last: Mapping[str, int]) -> Iterator[str]:
    """Long-lived processes that were replaced or are gone, by their ids."""
    for name, pid in first.items():
        if last.get(name) != pid:
            yield f"the process {name} has ended"
