"""Reads the runs of a branch, as far as its states from some time on depend on them."""
# ruff: noqa: S608 (own names, and no value)

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlite_utils import Database

from ci_observer.ingest.db.vocabulary import SQL_VALUES

# A run that ended later than this after its creation is one of `late_runs`.
LATE_AFTER = "-21600 seconds"
# Conditions for the runs of a branch, in a view with results and in the table `runs`.
BRANCH = "repo = :repo and workflow = :workflow and branch = :branch"
BRANCH_RUNS = BRANCH.replace("branch = ", "tile_branch = ")


class Attempt(NamedTuple):
    """An attempt of a run: a row of the view `state_attempts`. Times are UTC."""

    number: int
    started_at: str
    ended_at: str | None
    result: str | None
    is_invalid_file: int
    is_instant_failure: int
    is_undecided: int
    is_superseded: int
    is_skipped: int
    queue_seconds: int | None
    waited_for: str | None


@dataclass(slots=True, eq=False)
class Run:
    """A run with its attempts, in order. From `removed_at` on it does not count."""

    created_at: str
    run_id: int
    event: str
    removed_at: str | None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, int]:
        """Sorts the runs by their creation."""
        return (self.created_at, self.run_id)


_COLUMNS = ", ".join(
    ("created_at", "run_id", "event", "removed_at", "run_attempt", *Attempt._fields[1:])
)


@dataclass(frozen=True)
class History:
    """The runs of one branch of a feed."""

    db: Database
    repo: str
    workflow: str
    branch: str | None

    def select(self, sql: str, **params: object) -> list[tuple[Any, ...]]:
        """Rows of a select that has the parameters of `BRANCH`, and others."""
        return self.db.execute(sql, self._params | params).fetchall()

    def relevant_until(self, at: str) -> list[Run]:
        """The runs created by `at` on which the states from then on can depend.

        They are the newest run that had surely decided the result by then, and of the
        later ones those that are not over or did not just pass by: in order.
        """
        if self.branch is None:
            return []
        base = self._base(at)
        since = base[0] if base else ""
        params = self._params | {"at": at, "since": since}
        created = f"{BRANCH_RUNS} and created_at >= :since and created_at <= :at"
        ids = self.db.execute(
            f"""
            select run_id from runs where {created}
                and created_at >= strftime('%Y-%m-%dT%H:%M:%SZ', :at, '{LATE_AFTER}')
            union select run_id from late_runs where {created}
            union select run_id from runs where {created}
                and {SQL_VALUES["is_undecided"]}
            union select run_id from runs where {created}
                and conclusion = 'action_required'
            union select run_id from decisions where {BRANCH}
                and result in {SQL_VALUES["results"]}
                and created_at >= :since and created_at <= :at
            """,
            params,
        ).fetchall()
        return self._select_ids([run_id for (run_id,) in ids])

    def after(self, key: tuple[str, int], limit: int) -> list[Run]:
        """The next runs created after a run, in order; none if there are no more.

        They have `limit` attempts, or fewer.
        """
        if self.branch is None:
            return []
        rows = self.db.execute(
            f"""
            select {_COLUMNS} from state_attempts
            where {BRANCH} and created_at >= :created_at
                and (created_at, run_id) > (:created_at, :run_id)
            order by created_at, run_id, run_attempt limit :limit
            """,
            self._params | {"created_at": key[0], "run_id": key[1], "limit": limit},
        ).fetchall()
        runs = _runs(rows)
        if len(rows) == limit and len(runs) > 1:
            # More attempts of the last one may follow.
            runs.pop()
        return runs

    def has_run(self, at: str) -> bool:
        """Whether a run that was not deleted since was created by `at`."""
        row = self.db.execute(
            f"select 1 from state_attempts where {BRANCH} and created_at <= :at"
            " and removed_at is null and is_instant_failure is not 1 limit 1",
            self._params | {"at": at},
        ).fetchone()
        return row is not None

    def first_created_at(self) -> str | None:
        """When the first run was created."""
        row = self.db.execute(
            f"select created_at from state_attempts where {BRANCH}"
            " order by created_at limit 1",
            self._params,
        ).fetchone()
        return row[0] if row else None

    def created_before(self, at: str, limit: int) -> list[str]:
        """When the last `limit` runs before a time were created, the newest first."""
        rows = self.db.execute(
            f"select created_at from runs where {BRANCH_RUNS} and created_at < :at"
            " order by created_at desc limit :limit",
            self._params | {"at": at, "limit": limit},
        )
        return [created_at for (created_at,) in rows]

    def proven_events(self) -> dict[str, str]:
        """The events that the workflow has on the branch, and since when it is known.

        A run proves it with an attempt that took time.
        """
        events = self.db.execute(
            f"select event from branch_events where {BRANCH}", self._params
        ).fetchall()
        proven = ((event, self._proven_at(event)) for (event,) in events)
        return {event: at for event, at in proven if at}

    def _proven_at(self, event: str) -> str | None:
        """No run that was created after the first proof ended before it."""
        select = f"""
            select min(ended_at) from state_attempts
            where {BRANCH} and event = :event and duration_seconds > 0
                and created_at <= :until
        """
        params = self._params | {"event": event}
        first = self.db.execute(
            f"select ended_at from state_attempts where {BRANCH} and event = :event"
            " and duration_seconds > 0 order by created_at limit 1",
            params,
        ).fetchone()
        if first is None:
            return None
        [[at]] = self.db.execute(select, params | {"until": first[0]})
        return str(at)

    @property
    def _params(self) -> dict[str, str | int | None]:
        return {"repo": self.repo, "workflow": self.workflow, "branch": self.branch}

    def _base(self, at: str) -> tuple[str, int] | None:
        """The newest run that had decided the result by `at` and always counts.

        Its key. The stored results are those of runs that GitHub has.
        """
        found: tuple[str, int] | None = None
        for result in ("passing", "failing"):
            rows = self.db.execute(
                "select created_at, run_id, zero_duration or ("
                "  select run_attempt > 1 from runs where runs.run_id = d.run_id"
                f") from decisions d where {BRANCH} and result = :result"
                " and created_at <= :at and decided_at <= :at"
                " order by created_at desc, run_id desc",
                self._params | {"at": at, "result": result},
            )
            for created_at, run_id, is_doubtful in rows:
                if found and (created_at, run_id) < found:
                    break
                if not is_doubtful or self._is_sure(run_id, at):
                    found = (created_at, run_id)
                    break
            rows.close()
        return found

    def _is_sure(self, run_id: int, at: str) -> bool:
        """Whether a run that was repeated, or failed at once, was surely no phantom."""
        [run] = self._select_ids([run_id])
        ended = [a for a in run.attempts if a.result and (a.ended_at or "~") <= at]
        if ended and not ended[-1].is_instant_failure:
            return True
        # Its event was proven, or no event of the branch ever is.
        proven = self.proven_events()
        return not proven or proven.get(run.event, "~") <= at

    def _select_ids(self, ids: Sequence[int]) -> list[Run]:
        marks = ", ".join("?" * len(ids))
        rows = self.db.execute(
            f"select {_COLUMNS} from state_attempts"
            f" where run_id in ({marks})"
            " order by created_at, run_id, run_attempt",
            ids,
        ).fetchall()
        return _runs(rows)


def _runs(rows: Iterable[Sequence[object]]) -> list[Run]:
    """Runs from rows of attempts, in order. An attempt ends when the next begins."""
    runs: list[Run] = []
    for created_at, run_id, event, removed_at, number, *values in rows:
        if not runs or runs[-1].run_id != run_id:
            runs.append(Run(created_at, run_id, event, removed_at))  # type: ignore[arg-type]
        attempts = runs[-1].attempts
        if number is None:
            continue
        attempt = Attempt(number, *values)  # type: ignore[arg-type]
        if attempts and (attempts[-1].ended_at or "~") > attempt.started_at:
            ended_at = attempts[-1].ended_at and attempt.started_at
            attempts[-1] = attempts[-1]._replace(ended_at=ended_at)
        attempts.append(attempt)
    return runs
