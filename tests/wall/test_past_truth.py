"""The wall at past times equals what the simulated GitHub had recorded then.

One history lasts an hour: its runs are queued, run, wait, are cancelled, deleted or run
again, a workflow is disabled, and the default branch is another one. The other history
lasts ten hours: runs are stuck and overdue, workflows are deleted and renamed.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from archive import set_clock
from polling import Ingest
from sqlite_utils import Database

from ci_observer.demo.server.model import Run, Workflow
from ci_observer.demo.server.world import World
from ci_observer.ingest.config.watching import RepoSettings
from ci_observer.ingest.times import utc
from ci_observer.web.past.wall import fill
from ci_observer.web.read_connection import ReadConnection

API, WEB = "acme/api", "acme/web"
FILE = "ci.yml"
COLUMNS = (
    *("tile_state", "activity", "last_result_run_id", "last_result_run_attempt"),
    *("run_id", "run_attempt", "status", "conclusion", "streak", "branch"),
)
SLOW_COLUMNS = ("workflow_name", "stuck_run_id")
ACTIVITIES = {"queued": "queued", "in_progress": "running", "waiting": "waiting"}
RESULTS = {"success": "passing", "failure": "failing", "timed_out": "failing"}
# Between two polls each; more often while much happens.
BUSY_UNTIL = 1900
CHECKED = {*range(10, BUSY_UNTIL, 30), *range(1930, 4320, 240), 4220, 4240}
Tile = dict[str, Any]


@dataclass
class Attempt:
    number: int
    status: str
    conclusion: str | None

    @property
    def result(self) -> str | None:
        return RESULTS.get(self.conclusion or "")


def attempts_of(run: Run, now: datetime) -> list[Attempt]:
    """The attempts of a run at a time, from its versions until then."""
    past = [version for version in run.versions if version.at <= now]
    last = {version.run_attempt: version for version in past}
    return [Attempt(v.run_attempt, v.status, v.conclusion) for v in last.values()]


def truth(
    workflow: Workflow, now: datetime, gone: set[int], state: str, branch: str
) -> Tile:
    """The tile of a workflow, from the record of GitHub now.

    Facts that GitHub does not date count from the pass that sees them: deleted runs
    (`gone`), the state of the workflow, the default branch.
    """
    runs = [
        (run, attempts_of(run, now))
        for run in workflow.runs
        if run.head_branch == branch and run.id not in gone
    ]
    runs.sort(key=lambda pair: (pair[0].created_at, pair[0].id))
    decided = [
        (run, [attempt for attempt in attempts if attempt.result][-1])
        for run, attempts in runs
        if any(attempt.result for attempt in attempts)
    ]
    tile: Tile = dict.fromkeys(COLUMNS) | {"branch": branch, "streak": 0}
    tile["tile_state"] = "unknown"
    later = runs
    shown = runs[-1:]
    if decided:
        base, attempt = decided[-1]
        later = runs[[run for run, _ in runs].index(base) :]
        shown = later[:1]
        results = [last.result for _, last in reversed(decided)]
        others = [n for n, result in enumerate(results) if result != attempt.result]
        tile |= {
            "tile_state": attempt.result,
            "last_result_run_id": base.id,
            "last_result_run_attempt": attempt.number,
            "streak": min(others, default=len(results)),
        }
        if attempt.result == "passing" and any(
            attempts[-1].conclusion == "cancelled" for _, attempts in later[1:]
        ):
            tile["tile_state"] = "untested"
    unfinished = [pair for pair in later if pair[1][-1].status != "completed"]
    if unfinished:
        shown = unfinished[-1:]
        tile["activity"] = ACTIVITIES[unfinished[-1][1][-1].status]
    for run, attempts in shown:
        newest = attempts[-1]
        tile |= {"run_id": run.id, "run_attempt": newest.number}
        tile |= {"status": newest.status, "conclusion": newest.conclusion}
    if state != "active":
        tile["tile_state"] = "disabled"
    return tile


class Life:
    """The life of the simulated GitHub: its events, and the truth at each time."""

    def __init__(self, world: World, ingest: Ingest, db: Database) -> None:
        self.world, self.ingest, self.db = world, ingest, db
        # The states and the default branches that polling knows, by repository.
        self.seen: dict[str, tuple[str, str]] = {}
        self.gone: set[int] = set()
        self.record: dict[str, dict[str, Tile]] = {}

    def poll(self) -> None:
        set_clock(self.db, self.world.now)
        self.ingest.poll()
        states = "select repo, workflow_state, default_branch from feeds"
        for repo, state, branch in self.db.execute(states).fetchall():
            self.seen[repo] = (state, branch)
        gone = "select run_id from runs where gone_at is not null"
        self.gone = {run_id for (run_id,) in self.db.execute(gone).fetchall()}

    def live(self, minutes: int, events: dict[int, Callable[[], object]]) -> None:
        """Let the time pass in steps of ten seconds; poll every minute or two."""
        for second in range(0, 60 * minutes, 10):
            self.ingest.server.advance(10)
            if act := events.get(second):
                act()
            if second % (60 if second < BUSY_UNTIL else 120) == 50:
                self.poll()
            elif self.seen and second in CHECKED:
                self.record[utc(self.world.now)] = {
                    repo: truth(
                        self.world.workflow(repo, FILE),
                        self.world.now,
                        self.gone,
                        *seen,
                    )
                    for repo, seen in self.seen.items()
                }


@pytest.fixture
def life(world: World, ingest: Ingest, db: Database) -> Life:
    for repo in (API, WEB):
        world.add_repo(repo)
        world.add_workflow(repo, FILE, name="CI")
    ingest.restart(repos=(API, WEB), fetch_jobs="default-branch")
    return Life(world, ingest, db)


def history(world: World) -> dict[int, Callable[[], object]]:
    """The events, by the second: between polls, and within a minute as well."""
    runs: dict[str, Run] = {}

    def add(name: str, repo: str = API, **fields: Any) -> Callable[[], object]:
        def act() -> None:
            runs[name] = world.add_run(repo, FILE, **({"status": "queued"} | fields))

        return act

    def update(name: str, **fields: Any) -> Callable[[], object]:
        return lambda: world.update_run(runs[name], **fields)

    return {
        60: add("green"),
        90: update("green", status="in_progress"),
        240: update("green", conclusion="success"),
        # Begins and ends between two polls.
        310: add("short"),
        320: update("short", status="in_progress"),
        330: update("short", conclusion="failure"),
        420: add("other", WEB),
        430: update("other", status="in_progress"),
        500: lambda: world.rerun(runs["short"]),
        540: update("short", status="in_progress"),
        700: update("short", conclusion="success"),
        730: add("cancelled"),
        760: update("cancelled", status="in_progress"),
        830: update("cancelled", cancel_cause="person", cancelled_by="ada"),
        840: lambda: world.set_workflow_state(WEB, FILE, "disabled_manually"),
        900: update("other", conclusion="failure"),
        960: add("red"),
        970: update("red", status="in_progress"),
        1090: update("red", conclusion="failure"),
        1130: lambda: world.rerun(runs["red"]),
        1160: update("red", status="in_progress"),
        1290: update("red", conclusion="success"),
        1320: lambda: world.remove_run(runs["green"]),
        1330: add("approved"),
        1360: update("approved", status="waiting"),
        1560: update("approved", status="in_progress"),
        1700: update("approved", conclusion="success"),
        1710: add("trunk", head_branch="trunk"),
        1730: update("trunk", status="in_progress"),
        1820: update("trunk", conclusion="success"),
        1830: lambda: world.update_repo(API, default_branch="trunk"),
        2300: lambda: world.set_workflow_state(WEB, FILE, "active"),
        3000: lambda: world.update_repo(API, default_branch="main"),
        4200: add("open"),
        4240: update("open", status="in_progress"),
        4250: update("open", conclusion="success"),
    }


def differences(
    found: dict[str, dict[str, Tile]], record: dict[str, dict[str, Tile]]
) -> list[Any]:
    return [
        (at, repo, name, found[at][repo][name], value)
        for at, tiles in record.items()
        for repo, tile in tiles.items()
        for name, value in tile.items()
        if found[at][repo][name] != value
    ]


def past_tiles(conn: sqlite3.Connection, at: str) -> dict[str, Tile]:
    fill(conn, at)
    names = (*COLUMNS, *SLOW_COLUMNS)
    rows = conn.execute(f"select repo, {', '.join(names)} from wall")  # noqa: S608
    return {repo: dict(zip(names, row, strict=True)) for repo, *row in rows}


def test_the_past_wall_is_what_github_had_recorded(
    life: Life, world: World, db_path: Path
) -> None:
    life.live(72, history(world))

    uri = f"file:{db_path}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, factory=ReadConnection)) as conn:
        found = {at: past_tiles(conn, at) for at in life.record}
    assert differences(found, life.record) == []
    every = [tile for tiles in life.record.values() for tile in tiles.values()]
    assert {(tile["tile_state"], tile["activity"]) for tile in every} >= {
        ("unknown", None),
        ("unknown", "queued"),
        ("passing", "running"),
        ("failing", "running"),
        ("passing", "waiting"),
        ("untested", None),
        ("disabled", None),
    }
    assert {tile["branch"] for tile in every} == {"main", "trunk"}


SLOW, NIGHTLY, OLD, NAMED = "acme/slow", "acme/nightly", "acme/old", "acme/named"
HOUR = timedelta(hours=1)


class SlowLife(Life):
    """Polls every quarter of an hour, and records the truth shortly afterwards."""

    def live_slowly(
        self, hours: int, events: dict[float, Callable[[], object]]
    ) -> None:
        workflows = {
            r: self.world.workflow(r, FILE) for r in (SLOW, NIGHTLY, OLD, NAMED)
        }
        for quarter in range(4 * hours):
            if act := events.get(quarter / 4):
                act()
                # The next pass confirms what this one sees.
                self.poll()
            self.ingest.server.advance(20)
            self.poll()
            self.ingest.server.advance(20)
            names = "select repo, workflow_name from feeds"
            seen_names = dict(self.db.execute(names).fetchall())
            self.record[utc(self.world.now)] = {
                repo: self.slow_truth(repo, workflow, seen_names[repo])
                for repo, workflow in workflows.items()
            }
            self.ingest.server.advance(860)

    def slow_truth(self, repo: str, workflow: Workflow, name: str) -> Tile:
        """With the alarms that depend on the time: after six hours, or two."""
        now = self.world.now
        tile = truth(workflow, now, self.gone, *self.seen[repo])
        tile |= {"workflow_name": name, "stuck_run_id": None}
        runs = workflow.runs
        for run in runs:
            is_open = attempts_of(run, now)[-1].status == "in_progress"
            if is_open and run.created_at + 6 * HOUR <= now:
                tile |= {"tile_state": "stuck", "stuck_run_id": run.id}
        scheduled = [run.created_at for run in runs if run.event == "schedule"]
        if repo == NIGHTLY and max(scheduled) + 2 * HOUR <= now:
            tile["tile_state"] = "overdue"
        return tile


def test_stuck_overdue_deleted_and_renamed_workflows_are_those_of_then(
    world: World, ingest: Ingest, db: Database, db_path: Path
) -> None:
    for repo in (SLOW, NIGHTLY, OLD, NAMED):
        world.add_repo(repo)
        world.add_workflow(repo, FILE, name="CI")
        event = "schedule" if repo == NIGHTLY else "push"
        world.add_run(repo, FILE, event=event, duration=300, conclusion="success")
    hourly = RepoSettings(repository=NIGHTLY, schedules=((FILE, 3600),))
    ingest.restart(
        repos=(SLOW, NIGHTLY, OLD, NAMED),
        repo_settings=(hourly,),
        fetch_jobs="default-branch",
    )
    life = SlowLife(world, ingest, db)
    old = world.workflow(OLD, FILE)
    runs: dict[str, Run] = {}

    def begin(name: str, repo: str, event: str = "push") -> Callable[[], object]:
        def act() -> None:
            runs[name] = world.add_run(repo, FILE, event=event, status="in_progress")

        return act

    def end(name: str, conclusion: str) -> Callable[[], object]:
        return lambda: world.update_run(runs[name], conclusion=conclusion)

    events = {
        0.5: begin("long", SLOW),
        1.0: begin("hourly", NIGHTLY, "schedule"),
        1.25: end("hourly", "failure"),
        2.0: lambda: world.remove_workflow(OLD, FILE),
        3.5: lambda: setattr(world.workflow(NAMED, FILE), "name", "Build"),
        4.0: begin("late", NIGHTLY, "schedule"),
        4.25: end("late", "success"),
        6.0: lambda: world.add_workflow(OLD, FILE, id=old.id, runs=old.runs),
        8.0: end("long", "failure"),
    }
    life.live_slowly(10, events)

    uri = f"file:{db_path}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, factory=ReadConnection)) as conn:
        found = {at: past_tiles(conn, at) for at in life.record}
    assert differences(found, life.record) == []
    every = [
        (repo, tile["tile_state"], tile["workflow_name"])
        for tiles in life.record.values()
        for repo, tile in tiles.items()
    ]
    assert {*every} >= {
        (SLOW, "passing", "CI"),
        (SLOW, "stuck", "CI"),
        (SLOW, "failing", "CI"),
        (NIGHTLY, "failing", "CI"),
        (NIGHTLY, "overdue", "CI"),
        (NIGHTLY, "passing", "CI"),
        (OLD, "disabled", "CI"),
        (NAMED, "passing", "CI"),
        (NAMED, "passing", "Build"),
    }
    # DEBUG
