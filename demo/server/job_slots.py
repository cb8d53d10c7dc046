"""The jobs of an attempt: in which attempt each ran, when, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ci_observer.demo.seeded_random import stable_int
from ci_observer.demo.server.job_times import JobTimes, job_times, queue_seconds
from ci_observer.demo.server.model import JobSpec, Run, RunVersion

# A run with one of these conclusions has no job.
WITHOUT_JOBS = ("action_required", "startup_failure")
# The run's conclusion → the conclusion of the failed job.
BROKEN_JOB = {
    "failure": "failure",
    "timed_out": "timed_out",
    "cancelled": "cancelled",
    "stale": "cancelled",
}
# The statuses of a run that its concurrency group does not let start.
HELD_STATUSES = ("pending", "requested")

# When a job is created, started and completed.
Times = tuple[datetime, datetime, datetime]


@dataclass(frozen=True, slots=True)
class Slot:
    """One job of an attempt: its times, status and conclusion.

    `version` is the attempt in which it ran, which is an earlier one for a job that a
    re-run kept. GitHub sends a start also of jobs that no runner took.
    """

    version: RunVersion
    number: int
    spec: JobSpec
    status: str
    conclusion: str | None
    created_at: datetime
    started_at: datetime
    completed_at: datetime | None
    has_run: bool = True


def job_slots(run: Run, version: RunVersion, now: datetime) -> list[Slot]:
    """The jobs of an attempt; those that it kept are as in their own attempt."""
    if not has_jobs(run, version):
        return []
    kept = {slot.number: slot for slot in kept_slots(run, version, now)}
    jobs = run.workflow.jobs
    own = {n: jobs[n] for n in range(len(jobs)) if n not in kept}
    has_bad = any(slot.conclusion in BROKEN_JOB.values() for slot in kept.values())
    attempt = Attempt(run, version, own)
    if (final := attempt.final_version()) is None:
        slots = attempt.open_slots(now)
    else:
        slots = attempt.finished_slots(final, can_break=not has_bad)
        if version.status != "completed":
            slots = [_as_of(slot, now, version) for slot in slots]
    return sorted([*kept.values(), *slots], key=lambda slot: slot.number)


def has_jobs(run: Run, version: RunVersion) -> bool:
    """False for an invalid file, and for an attempt that its concurrency group held.

    The run of an invalid file is named like its path. A run that is cancelled while it
    is pending never gets a job.
    """
    name = run.workflow.name
    for source in (run.payload, version.overrides):
        name = (source or {}).get("name", name)
    if version.conclusion in WITHOUT_JOBS or name == run.workflow.path:
        return False
    statuses = {
        v.status
        for v in run.versions
        if v.run_attempt == version.run_attempt and v.at <= version.at
    }
    return not statuses <= {"completed", *HELD_STATUSES} or statuses == {"completed"}


def kept_slots(run: Run, version: RunVersion, now: datetime) -> Iterator[Slot]:
    """The jobs that did not run again in this attempt."""
    for number, attempt in enumerate(version.job_attempts):
        if attempt != version.run_attempt:
            before = [v for v in run.versions if v.run_attempt == attempt]
            yield job_slots(run, before[-1], now)[number]


class Attempt:
    """The jobs that run in an attempt, and the times between which they do."""

    def __init__(
        self, run: Run, version: RunVersion, specs: Mapping[int, JobSpec]
    ) -> None:
        self.run = run
        self.version = version
        self.numbers = {spec.name: number for number, spec in specs.items()}
        self.specs = tuple(specs.values())
        self.needs = dict(_needs(self.specs))
        self.versions = [
            v for v in run.versions if v.run_attempt == version.run_attempt
        ]

    def final_version(self) -> RunVersion | None:
        """The end of the attempt, also if that is in the future; None if unknown."""
        last = self.version if self.version.status == "completed" else self.versions[-1]
        return last if last.status == "completed" else None

    def open_slots(self, now: datetime) -> list[Slot]:
        """An attempt without a planned end: only its last job is not completed."""
        status, start = self.version.status, self.version.run_started_at
        if status not in ("in_progress", "waiting"):
            times = (start, start, None)
            return [
                self._slot(spec, status, None, times, has_run=False)
                for spec in self.specs
            ]
        *done, last = self._timed(self.specs, max(now, start))
        spec, (created, started, _) = last
        has_run = status == "in_progress"
        times = (created, started if has_run else created, None)
        return [
            *(self._slot(s, "completed", "success", ended) for s, ended in done),
            self._slot(spec, status, None, times, has_run=has_run),
        ]

    def finished_slots(self, final: RunVersion, *, can_break: bool) -> list[Slot]:
        """The jobs as they are after the end of the attempt."""
        if final.conclusion in ("skipped", "neutral"):
            return [self._skipped(spec, final.run_started_at) for spec in self.specs]
        if self._never_started(final):
            return list(self._cancelled_in_queue(final))
        bad = BROKEN_JOB.get(final.conclusion or "") if can_break else None
        broken = self._broken(final) if bad else None
        left_out = self._needing(broken) if broken else ()
        ran = [spec for spec in self.specs if spec.name not in left_out]
        ends = {}
        slots = []
        for spec, (created, started, completed) in self._timed(ran, final.updated_at):
            end = completed
            if spec.name == broken and bad == "cancelled":
                end = final.updated_at
            ends[spec.name] = end
            conclusion = bad if spec.name == broken else "success"
            slots.append(
                self._slot(spec, "completed", conclusion, (created, started, end))
            )
        if broken:
            skipped = [spec for spec in self.specs if spec.name in left_out]
            slots += [self._skipped(spec, ends[broken]) for spec in skipped]
        return slots

    def _timed(
        self, specs: Sequence[JobSpec], end: datetime
    ) -> list[tuple[JobSpec, Times]]:
        """When each job is created, started and completed; the last one ends at `end`.

        An approval parts the jobs: those that need it begin after it.
        """
        waits = [v.at for v in self.versions if v.status == "waiting"]
        gated = [spec.name for spec in specs if spec.environment] if waits else []
        late = {*gated, *(n for name in gated for n in self._needing(name))}
        early = [spec for spec in specs if spec.name not in late]
        created, begin = self._begin()
        early_end = min(waits[0], end) if late and waits else end
        times = self._between(early, created, begin, early_end)
        if late:
            after = [v.at for v in self.versions if v.at > waits[-1]]
            approved_at = min(after[0] if after else end, end)
            later = [spec for spec in specs if spec.name in late]
            waited_from = early_end if early else created
            times |= self._between(later, waited_from, approved_at, end)
        return [(spec, times[spec.name]) for spec in specs]

    def _between(
        self,
        specs: Sequence[JobSpec],
        created: datetime,
        begin: datetime,
        end: datetime,
    ) -> dict[str, tuple[datetime, datetime, datetime]]:
        """The times of jobs between `begin` and `end`; the first ones were created
        before."""
        names = {spec.name for spec in specs}
        queues = {
            spec.name: queue_seconds(spec, begin, self._key(spec)) for spec in specs
        }
        first = [n for n in names if not names.intersection(self.needs[n])]
        if created < begin:
            # The attempt began when the first of its jobs did.
            shortest = min((queues[name] for name in first), default=0.0)
            queues |= {name: queues[name] - shortest for name in first}
        seconds = max(0.0, (end - begin).total_seconds())
        found: dict[str, JobTimes] = job_times(specs, self.needs, queues, seconds)
        return {
            name: (
                created if name in first else begin + timedelta(seconds=each.created),
                begin + timedelta(seconds=each.started),
                begin + timedelta(seconds=each.completed),
            )
            for name, each in found.items()
        }

    def _begin(self) -> tuple[datetime, datetime]:
        """When the first jobs were created, and when the first one was started."""
        start = self.version.run_started_at
        left_group = [v.at for v in self.versions if v.status not in HELD_STATUSES]
        created = left_group[0] if self.versions[0].status in HELD_STATUSES else start
        running = [v.at for v in self.versions if v.status == "in_progress"]
        is_queued = any(v.status == "queued" for v in self.versions)
        begin = max(created, running[0]) if running and is_queued else created
        return created, begin

    def _never_started(self, final: RunVersion) -> bool:
        """Whether the attempt was cancelled before a runner took a job."""
        statuses = {v.status for v in self.versions if v.at <= final.at}
        return final.conclusion == "cancelled" and statuses == {"queued", "completed"}

    def _cancelled_in_queue(self, final: RunVersion) -> Iterator[Slot]:
        names = set(self.numbers)
        for spec in self.specs:
            if names.intersection(self.needs[spec.name]):
                yield self._skipped(spec, final.updated_at)
            else:
                start = final.run_started_at
                times = (start, start, final.updated_at)
                yield self._slot(spec, "completed", "cancelled", times, has_run=False)

    def _broken(self, final: RunVersion) -> str:
        """The failed job: the same one for all failures of a day.

        After an approval, it is one of those that needed it.
        """
        waited = any(v.status == "waiting" for v in self.versions)
        gated = [spec.name for spec in self.specs if spec.environment and waited]
        names = gated or [spec.name for spec in self.specs]
        day = f"{self.run.workflow.id} {self.run.created_at:%Y-%m-%d}"
        return names[stable_int(f"broken job {day}", 0, len(names))]

    def _needing(self, name: str) -> set[str]:
        """The jobs that need a job, directly or not."""
        found: set[str] = set()
        for spec in self.specs:
            if {name, *found}.intersection(self.needs[spec.name]):
                found.add(spec.name)
        return found

    def _skipped(self, spec: JobSpec, at: datetime) -> Slot:
        return self._slot(spec, "completed", "skipped", (at, at, at), has_run=False)

    def _slot(
        self,
        spec: JobSpec,
        status: str,
        conclusion: str | None,
        times: tuple[datetime, datetime, datetime | None],
        *,
        has_run: bool = True,
    ) -> Slot:
        number = self.numbers[spec.name]
        return Slot(
            self.version, number, spec, status, conclusion, *times, has_run=has_run
        )

    def _key(self, spec: JobSpec) -> str:
        return f"{self.run.id} {self.version.run_attempt} {spec.name}"


def _needs(specs: Sequence[JobSpec]) -> Iterator[tuple[str, tuple[str, ...]]]:
    before: tuple[str, ...] = ()
    for spec in specs:
        yield spec.name, before if spec.needs is None else spec.needs
        before = (spec.name,)


def _as_of(slot: Slot, now: datetime, version: RunVersion) -> Slot:
    """A job of an attempt that is planned to its end, as it is now."""
    if slot.completed_at is not None and slot.completed_at <= now:
        return slot
    if slot.has_run and slot.started_at <= now:
        return replace(slot, status="in_progress", conclusion=None, completed_at=None)
    is_waiting = version.status == "waiting" and slot.spec.environment
    queued_at = min(slot.created_at, now)
    return replace(
        slot,
        status="waiting" if is_waiting else "queued",
        conclusion=None,
        created_at=queued_at,
        started_at=queued_at,
        completed_at=None,
        has_run=False,
    )
