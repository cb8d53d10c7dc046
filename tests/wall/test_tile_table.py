"""Every combination of what GitHub may say of a run, against what its tile must say.

The rules stand here a second time, in Python and in tables, so that a slip in the views
cannot hide in the tests. Words that GitHub has not invented yet are among them.
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

REPO = "acme/api"
FORK = {"id": 9, "full_name": "someone/api"}
OWN = {"id": 1, "full_name": REPO}

# Of an unfinished run: status → activity. A former conclusion may still be there.
UNFINISHED = {
    "in_progress": "running",
    "queued": "queued",
    "requested": "queued",
    "waiting": "waiting",
    "pending": "waiting",
    "dreaming": "unfinished",
}
# Of a completed run: conclusion → result, activity.
COMPLETED = {
    "success": ("passing", None),
    "failure": ("failing", None),
    "timed_out": ("failing", None),
    "startup_failure": ("failing", None),
    "cancelled": (None, None),
    "skipped": (None, None),
    "neutral": (None, None),
    "stale": (None, None),
    "action_required": (None, "held"),
    "overheated": (None, None),
    None: (None, None),
}
WORDS = [("completed", conclusion) for conclusion in COMPLETED] + [
    (status, former) for status in UNFINISHED for former in (None, "success")
]
# Of these runs nobody expects a result.
SKIPPED = ("skipped", "neutral")
# Event → whether its runs are the branch's own.
EVENTS = {
    "push": True,
    "schedule": True,
    "workflow_dispatch": True,
    "workflow_run": True,
    "merge_group": True,
    "invented": True,
    "pull_request": False,
    "pull_request_target": False,
}
BRANCHES = {"main": True, "main-2": False, "gh-readonly-queue/main/pr-1": False}
HEADS = {"own": (OWN, True), "fork": (FORK, False), "deleted fork": (None, False)}
# The attempt before, and the run before: its conclusion, or None when there was none.
BEFORE = {None: None, "success": "passing", "failure": "failing"}


class Case(NamedTuple):
    """The newest run as GitHub sends it, and the run before it."""

    status: str
    conclusion: str | None
    attempt_before: str | None
    run_before: str | None
    event: str = "push"
    branch: str | None = "main"
    head: str = "own"


CASES = [
    Case(*words, attempt, None, event, branch, head)
    for words, attempt, event, branch, head in product(
        WORDS, BEFORE, EVENTS, (*BRANCHES, None), HEADS
    )
] + [
    Case(*words, attempt, run, branch=branch)
    for words, attempt, run, branch in product(
        WORDS, BEFORE, ("success", "failure"), ("main", "main-2")
    )
]


def expected(case: Case) -> dict[str, Any]:
    """The rules for a tile."""
    speaks = (
        EVENTS[case.event] and BRANCHES.get(case.branch or "") and HEADS[case.head][1]
    )
    result, activity = BEFORE[case.run_before], None
    is_lost, is_proved = False, True
    if speaks:
        own, activity = (
            COMPLETED[case.conclusion]
            if case.status == "completed"
            else (None, UNFINISHED[case.status])
        )
        own = own or BEFORE[case.attempt_before]
        result = own or result
        is_finished = case.status == "completed" and activity is None
        is_proved = not is_finished or bool(own) or case.conclusion in SKIPPED
        is_lost = not is_proved
    state = result or "unknown"
    return {
        "tile_state": state if is_proved or state != "passing" else "untested",
        "last_result": state,
        "activity": activity,
        "alarm": None,
        "is_lost": int(is_lost),
    }


def payloads(case: Case, run_id: int) -> Iterator[dict[str, Any]]:
    """GitHub's objects, in the order in which they were seen."""
    if case.run_before:
        yield run_payload(run_id, **times("09:00"), conclusion=case.run_before)
    newest = {
        "event": case.event,
        "head_branch": case.branch,
        "head_repository": HEADS[case.head][0],
    }
    if case.attempt_before:
        yield run_payload(
            run_id + 1, **times("16:00"), **newest, conclusion=case.attempt_before
        )
    yield run_payload(
        run_id + 1,
        **times("17:00") | {"created_at": times("16:00")["created_at"]},
        **newest,
        run_attempt=2 if case.attempt_before else 1,
        status=case.status,
        conclusion=case.conclusion,
    )


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Case, Any]]:
    """Each case is a workflow of its own, all of them in one database."""
    path: Path = tmp_path_factory.mktemp("table") / "ci_observer.db"
    db = schema.connect(path)
    schema.migrate(db)
    set_clock(db, NOW)
    fill(db)
    rows = db.query(
        "select workflow, tile_state, last_result, activity, alarm,"
        " lost_run_id is not null as is_lost from wall"
    )
    yield {CASES[int(row.pop("workflow").split(".")[0])]: row for row in rows}
    db.close()


def fill(db: Database) -> None:
    watch(db, (REPO, "0.yml"))
    feed = next(db["feeds"].rows)
    cases = {f"{number}.yml": case for number, case in enumerate(CASES)}
    drop_triggers(db)
    rows = [
        run_row(payload, repo=REPO, workflow=workflow)
        for number, (workflow, case) in enumerate(cases.items())
        for payload in payloads(case, 2 * number + 1)
    ]
    with db.atomic():
        db["feeds"].upsert_all(
            (feed | {"workflow": workflow} for workflow in cases),
            pk=("repo", "workflow"),
        )
        db["runs"].upsert_all(rows, pk="run_id")
        db["run_attempts"].insert_all(map(attempt_row, rows))
        for workflow in cases:
            derived.rebuild_branch(db, REPO, workflow, "main")


def drop_triggers(db: Database) -> None:
    """They keep daily counts and other tables that no tile reads, in half of the time.

    The tables of the tiles are rebuilt in any case.
    """
    names = db.execute("select name from sqlite_master where type = 'trigger'")
    for (name,) in names.fetchall():
        db.execute(f"drop trigger [{name}]")


@pytest.mark.long
@pytest.mark.parametrize(("status", "conclusion"), WORDS, ids=str)
def test_the_tile_says_what_the_rules_say(tiles, status, conclusion):
    cases = [case for case in CASES if case[:2] == (status, conclusion)]

    assert {case: tiles[case] for case in cases} == {
        case: expected(case) for case in cases
    }
