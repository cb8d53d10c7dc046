"""Every combination of a last result, a newer run and what follows, against its tile.

As in `test_tile_table`, the rules stand here a second time, in Python.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from archive import NOW, set_clock, watch
from factories import run_payload, times
from sqlite_utils import Database

from ci_observer.ingest.db import derived, schema
from ci_observer.ingest.github.rows import attempt_row, run_row
from ci_observer.ingest.times import utc

REPO = "acme/api"
# The last result before the newer run: the conclusion of a scheduled run.
BASES = {None: None, "success": "passing", "failure": "failing"}
QUICK = {"event": "push", "updated_at": times("12:00")["created_at"]}
# The newer run → changes of its object, and the reason why it decided nothing: None for
# one that decided, and False for one that was not meant to.
NEWER: dict[str, tuple[dict[str, Any], str | bool | None]] = {
    "success": ({"conclusion": "success"}, None),
    "failure": ({"conclusion": "failure"}, None),
    "timed_out": ({"conclusion": "timed_out"}, None),
    "cancelled": ({"conclusion": "cancelled"}, "cancelled"),
    "by a person": ({"conclusion": "cancelled"}, "cancelled"),
    "superseded": ({"conclusion": "cancelled"}, "cancelled"),
    "timeout": ({"conclusion": "cancelled"}, None),
    "failed job": ({"conclusion": "cancelled"}, None),
    "stale": ({"conclusion": "stale"}, "stale"),
    "no conclusion": ({"conclusion": None}, "unknown_conclusion"),
    "new word": ({"conclusion": "exploded"}, "unknown_conclusion"),
    "skipped": ({"conclusion": "skipped"}, False),
    "neutral": ({"conclusion": "neutral"}, False),
    "phantom": (QUICK | {"conclusion": "failure"}, "phantom"),
    "0 s with jobs": (QUICK | {"conclusion": "failure"}, None),
    "startup failure": (QUICK | {"conclusion": "startup_failure"}, None),
}
CAUSES = {"by a person": "person", "superseded": "superseded", "timeout": "timeout"}
JOBS = {"failed job": "failure", "0 s with jobs": "failure", "timeout": "cancelled"}
# What follows: changes of its object, and whether it came before the newer run's end.
FOLLOWERS: dict[str | None, tuple[dict[str, Any], bool]] = {
    None: ({}, False),
    "running before": ({"status": "in_progress", "conclusion": None}, True),
    "running after": ({"status": "in_progress", "conclusion": None}, False),
    "pending before": ({"status": "pending", "conclusion": None}, True),
    "held after": ({"conclusion": "action_required"}, False),
    "skipped before": ({"conclusion": "skipped"}, True),
    "skipped after": ({"conclusion": "skipped"}, False),
    "success before": ({"conclusion": "success"}, True),
    "failure after": ({"conclusion": "failure"}, False),
}
ACTIVITIES = {
    "running before": "running",
    "running after": "running",
    "pending before": "waiting",
    "held after": "held",
}
DECIDED = {"success": "passing", "failure": "failing"}


class Case(NamedTuple):
    """One workflow. `is_deleted`: GitHub no longer has the newer run."""

    base: str | None
    newer: str
    follower: str | None
    is_deleted: bool


CASES = [Case(*case) for case in product(BASES, NEWER, FOLLOWERS, (False, True))]


def expected(case: Case) -> dict[str, Any]:
    """The rules for a tile."""
    result = BASES[case.base]
    reason: str | None = None
    if not case.is_deleted:
        result, reason = after_newer(case, result)
    followed_by = DECIDED.get((case.follower or "").split(" ")[0])
    if followed_by:
        result, reason = followed_by, None
    is_untested = result == "passing" and reason is not None
    return {
        "tile_state": "untested" if is_untested else result or "unknown",
        "untested_reason": reason if is_untested else None,
        "untested_runs": 1 if is_untested else None,
        "activity": ACTIVITIES.get(case.follower or ""),
    }


def after_newer(case: Case, base: str | None) -> tuple[str | None, str | None]:
    """The last result after the newer run, and why that run decided nothing."""
    _, reason = NEWER[case.newer]
    follower, _ = FOLLOWERS[case.follower]
    has_history = case.base or follower.get("conclusion")
    if case.newer == "phantom" and not has_history:
        # No run of any event ever took time: the file is invalid.
        return "failing", None
    if reason is None:
        return ("passing" if case.newer == "success" else "failing"), None
    if reason is False or is_superseded(case):
        return base, None
    return base, str(reason)


def is_superseded(case: Case) -> bool:
    """Whether GitHub cancelled the newer run for one that came before its end."""
    _, came_before = FOLLOWERS[case.follower]
    tests_something = not (case.follower or "").startswith("skipped")
    return case.newer == "superseded" and came_before and tests_something


def payloads(case: Case, run_id: int) -> Iterator[dict[str, Any]]:
    """GitHub's objects. The newer run takes from 12:00 to 12:05."""
    if case.base:
        yield run_payload(
            run_id, **times("10:00"), event="schedule", conclusion=case.base
        )
    changes, _ = NEWER[case.newer]
    yield run_payload(run_id + 1, **times("12:00") | {"event": "schedule"} | changes)
    if case.follower:
        changes, came_before = FOLLOWERS[case.follower]
        start = times("12:05" if came_before else "17:00")
        yield run_payload(run_id + 2, **start | {"event": "schedule"} | changes)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Case, Any]]:
    """Each case is a workflow of its own, all of them in one database."""
    path: Path = tmp_path_factory.mktemp("table") / "ci_observer.db"
    db = schema.connect(path)
    schema.migrate(db)
    # Before a run of that day counts as stuck.
    set_clock(db, NOW.replace(hour=17, minute=30))
    fill(db)
    columns = "tile_state, untested_reason, untested_runs, activity"
    rows = db.query(f"select workflow, {columns} from wall")  # noqa: S608 (own names)
    yield {CASES[int(row.pop("workflow").split(".")[0])]: row for row in rows}
    db.close()


def fill(db: Database) -> None:
    now = NOW.replace(hour=17, minute=30)
    watch(db, (REPO, "0.yml"), now=now)
    feed = next(db["feeds"].rows)
    cases = {f"{number}.yml": case for number, case in enumerate(CASES)}
    with db.atomic():
        db["feeds"].upsert_all(
            (feed | {"workflow": workflow} for workflow in cases),
            pk=("repo", "workflow"),
        )
        for number, (workflow, case) in enumerate(cases.items()):
            run_id = 3 * number + 1
            rows = [
                run_row(payload, repo=REPO, workflow=workflow)
                for payload in payloads(case, run_id)
            ]
            db["runs"].insert_all(rows)
            db["run_attempts"].insert_all(map(attempt_row, rows))
            save_facts(db, case, run_id + 1, utc(now))
            derived.rebuild_branch(db, REPO, workflow, "main")


def save_facts(db: Database, case: Case, run_id: int, now: str) -> None:
    """Store what other requests tell about the newer run."""
    cause = CAUSES.get(case.newer)
    db.execute(
        "update run_attempts set cancel_cause = ? where run_id = ?", [cause, run_id]
    )
    db.execute(
        "update runs set cancel_cause = ?, gone_at = ? where run_id = ?",
        [cause, now if case.is_deleted else None, run_id],
    )
    if conclusion := JOBS.get(case.newer):
        db["jobs"].insert(
            {"job_id": run_id, "run_id": run_id, "run_attempt": 1, "name": "test"}
            | {"conclusion": conclusion}
        )


@pytest.mark.parametrize("newer", NEWER)
def test_the_tile_says_what_the_rules_say(tiles, newer):
    cases = [case for case in CASES if case.newer == newer]

    assert {case: tiles[case] for case in cases} == {
        case: expected(case) for case in cases
    }
