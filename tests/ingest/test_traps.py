"""The known traps of GitHub's data, by number, each from simulated GitHub to tile.

Two are missing: 21, the rate limit, is in `test_poller.py`; 28, several schedules of
one workflow on one tile, is a trap that CI Observer does not avoid.
"""

from datetime import timedelta
from typing import Any

import pytest
from archive import set_clock
from polling import FILE, REPO, add_runs, run_ids
from sqlite_utils import Database

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.ingest.times import utc

pytestmark = pytest.mark.usefixtures("no_waiting")


class Scene:
    """A feed at the simulated GitHub, polled at the simulator's time, and its tile."""

    def __init__(self, world: World, github: GitHubServer, ingest: Any, db: Database):
        self.world, self.github, self.ingest, self.db = world, github, ingest, db

    def run(self, conclusion: str | None = None, **fields: Any) -> Any:
        """A run that ends now, a minute after the last event."""
        self.github.advance(120)
        return self.world.add_run(REPO, FILE, conclusion=conclusion, **fields)

    def change(self, run: Any, **fields: Any) -> None:
        self.github.advance(60)
        self.world.update_run(run, **fields)

    def tile(self, *columns: str) -> tuple[Any, ...]:
        """Poll, and return the tile at that instant."""
        self.ingest.poll()
        set_clock(self.db, self.github.clock())
        [row] = self.db.query("select * from wall")
        return tuple(row[column] for column in columns)

    def stored(self, run: Any, *columns: str) -> tuple[Any, ...]:
        row = self.db["runs"].get(run.id)
        return tuple(row[column] for column in columns)


@pytest.fixture
def scene(world, github, ingest, db) -> Scene:
    return Scene(world, github, ingest, db)


STATE = ("tile_state", "last_result", "activity", "alarm")


def test_trap_01_a_conclusion_counts_only_once_a_run_is_completed(scene):
    scene.run("success")
    run = scene.run(status="in_progress", conclusion="failure")

    assert scene.tile(*STATE) == ("passing", "passing", "running", None)
    assert scene.stored(run, "conclusion", "duration_seconds") == (None, None)
    scene.change(run, conclusion="failure")
    assert scene.tile(*STATE) == ("failing", "failing", None, None)
    scene.change(run, status="in_progress")
    scene.world.update_run(run, run_attempt=2)
    assert scene.tile("last_result", "activity", "conclusion") == (
        "failing",
        "running",
        None,
    )


@pytest.mark.parametrize(
    ("words", "activity"),
    [
        ({"status": "dreaming"}, "unfinished"),
        ({"conclusion": "overheated"}, None),
        ({"conclusion": "success", "event": "telepathy"}, None),
    ],
    ids=str,
)
def test_trap_02_unknown_words_are_kept_and_break_nothing(scene, words, activity):
    scene.run("success")
    run = scene.run(**words)

    is_proved = words.get("conclusion") != "overheated"
    tile_state = "passing" if is_proved else "untested"
    assert scene.tile(*STATE) == (tile_state, "passing", activity, None)
    assert scene.stored(run, *words) == tuple(words.values())


def test_trap_03_a_rerun_keeps_its_run_s_id_and_has_times_of_its_own(scene):
    run = scene.run("failure", duration=60)
    scene.ingest.poll()
    scene.github.advance(3 * 86_400)
    scene.world.rerun(run)
    scene.change(run, conclusion="success")

    assert scene.tile("last_result", "last_result_run_attempt", "is_flaky") == (
        "passing",
        2,
        1,
    )
    assert scene.db.execute(
        "select run_attempt, conclusion, duration_seconds from run_attempts"
    ).fetchall() == [(1, "failure", 60), (2, "success", 60)]
    # The duration of a partial re-run is not that of the whole workflow.
    assert scene.tile("median_duration_seconds") == (None,)


def test_trap_04_a_run_s_end_does_not_move_with_updated_at(scene):
    run = scene.run("success", duration=60)
    scene.ingest.poll()
    scene.github.advance(86_400)
    scene.change(run, display_title="Seen again")

    assert scene.tile("last_result_display_title") == ("Seen again",)
    assert scene.stored(run, "duration_seconds") == (60,)


def test_trap_05_unfinished_runs_are_never_forgotten(scene):
    scene.run("success")
    run = scene.run(status="in_progress")
    scene.ingest.poll()
    for number in range(31):
        scene.run("success", head_branch=f"b{number}")
    assert scene.tile("last_result", "activity") == ("passing", "running")

    scene.change(run, conclusion="failure")

    assert scene.tile(*STATE) == ("failing", "failing", None, None)


def test_trap_06_every_page_is_fetched_of_runs_and_of_jobs(scene):
    add_runs(scene.world, 350)
    run = scene.run("failure")
    jobs = [
        {"id": n, "name": f"job {n}", "status": "completed", "conclusion": "success"}
        for n in range(1, 66)
    ]
    scene.world.set_jobs(run, [*jobs, jobs[0] | {"id": 66, "conclusion": "failure"}])

    assert scene.tile("failed_job", "failed_jobs") == ("job 1", 1)
    assert len(run_ids(scene.db)) == 351
    assert scene.db["jobs"].count == 66


@pytest.mark.parametrize("fault", ["empty_list", "partial"])
def test_trap_07_no_filtered_or_partial_list_deletes_anything(scene, fault):
    for conclusion in ("failure", "success", "success"):
        scene.run(conclusion)
    before = scene.tile(*STATE, "streak", "strip")
    scene.github.faults.add(fault, path="/runs", count=None)
    scene.github.log.clear()
    scene.github.advance(60)

    assert scene.tile(*STATE, "streak", "strip") == before
    filters = {"actor", "branch", "created", "event", "head_sha", "status"}
    assert [e for e in scene.github.log if filters & set(e.query)] == []


def test_trap_08_a_required_approval_is_neither_red_nor_running(scene):
    scene.run("success")
    run = scene.run("action_required", duration=0)
    assert scene.tile(*STATE) == ("passing", "passing", "held", None)

    scene.world.rerun(run)
    scene.change(run, conclusion="failure")

    assert scene.tile(*STATE) == ("failing", "failing", None, None)


@pytest.mark.parametrize("status", ["waiting", "pending"])
def test_trap_09_a_run_waiting_for_an_approval_or_a_run_is_never_stuck(scene, status):
    scene.run("success")
    run = scene.run(status=status)
    scene.github.advance(20 * 86_400)

    assert scene.tile(*STATE, "run_id") == (
        "passing",
        "passing",
        "waiting",
        None,
        run.id,
    )


@pytest.mark.parametrize("conclusion", ["failure", "startup_failure"])
def test_trap_10_a_broken_workflow_file_is_an_alarm_and_renames_nothing(
    scene, conclusion
):
    scene.world.add_workflow(REPO, FILE, name="CI")
    scene.run("success")
    scene.run(conclusion, duration=0, name=f".github/workflows/{FILE}")

    assert scene.tile("last_result", "alarm") == ("failing", "invalid_file")
    assert scene.tile("workflow_name") == ("CI",)


def test_trap_10_phantom_failures_are_shown_apart(scene):
    """Push runs of a workflow that only runs on a schedule."""
    scene.run("success", event="schedule")
    for _ in range(3):
        scene.run("failure", duration=0, name=f".github/workflows/{FILE}")

    assert scene.tile(*STATE, "phantom_failures") == (
        *("untested", "passing", None, None),
        3,
    )


@pytest.mark.parametrize("conclusion", ["skipped", "neutral"])
@pytest.mark.parametrize(
    ("before", "last_result"), [("success", "passing"), ("failure", "failing")]
)
def test_trap_11_skipped_runs_hide_nothing(scene, conclusion, before, last_result):
    scene.run(before)
    scene.run(conclusion)

    assert scene.tile(*STATE) == (last_result, last_result, None, None)


def test_trap_12a_a_superseded_run_is_harmless(scene):
    scene.run("success")
    old = scene.run("cancelled", cancel_cause="superseded")
    new = scene.run(status="in_progress")
    scene.change(new, created_at=old.created_at)

    assert scene.tile(*STATE, "lost_run_id") == (
        *("passing", "passing", "running", None),
        None,
    )


def test_trap_12b_a_cancelled_newest_run_is_visible(scene):
    scene.run("success")
    run = scene.run("cancelled")

    assert scene.tile(*STATE, "lost_run_id", "lost_at") == (
        *("untested", "passing", None, None),
        run.id,
        utc(scene.github.clock()),
    )


def test_trap_12c_a_failure_that_cancelled_the_rest_is_a_failure(scene):
    scene.run("success")
    run = scene.run("cancelled")
    scene.world.set_jobs(
        run,
        [
            {"id": 1, "conclusion": "failure", "name": "unit", "status": "completed"},
            {"id": 2, "conclusion": "cancelled", "name": "e2e", "status": "completed"},
        ],
    )

    assert scene.tile(*STATE, "last_result_run_id", "failed_job", "lost_run_id") == (
        *("failing", "failing", None, None),
        run.id,
        "unit",
        None,
    )


def test_trap_13_a_run_that_never_ends_is_stuck_until_a_newer_one_decides(scene):
    scene.run("success")
    scene.run(status="in_progress")
    scene.github.advance(7 * 3600)
    assert scene.tile(*STATE) == ("stuck", "passing", "running", "stuck")

    scene.run("failure")

    assert scene.tile(*STATE) == ("failing", "failing", None, None)


@pytest.mark.parametrize("head", ["someone/api", None], ids=["fork", "deleted fork"])
def test_trap_14_a_fork_s_main_is_not_ours(scene, head):
    scene.run("success")
    for event in ("push", "pull_request"):
        scene.run("failure", event=event, head_repository=head)

    assert scene.tile(*STATE, "streak") == ("passing", "passing", None, None, 1)


def test_trap_14_runs_without_a_branch_or_of_a_tag_are_not_the_branch_s(scene):
    scene.run("success")
    for branch in (None, "v1.0"):
        scene.run("failure", head_branch=branch)

    assert scene.tile(*STATE) == ("passing", "passing", None, None)


def test_trap_15_a_workflow_that_was_deleted_keeps_its_tile_and_its_history(scene):
    scene.run("success")
    scene.ingest.poll()
    scene.world.workflow(REPO, FILE).state = "deleted"
    scene.github.advance(86_400)

    assert scene.tile(*STATE, "streak") == ("disabled", "passing", None, "disabled", 1)


def test_trap_16_a_workflow_is_known_by_its_file_not_by_its_name(scene):
    for name in ("CI", "Continuous integration", None):
        scene.run("failure", name=name, display_title=f"{name} for mona-lisa")

    assert scene.tile("workflow", "streak") == (FILE, 3)


def test_trap_17_a_schedule_that_died_is_overdue_or_disabled(scene):
    for _ in range(3):
        scene.run("success", event="schedule")
        scene.github.advance(86_400)
    assert scene.tile("tile_state") == ("passing",)
    scene.github.advance(2 * 86_400)
    assert scene.tile(*STATE) == ("overdue", "passing", None, "overdue")

    scene.world.workflow(REPO, FILE).state = "disabled_inactivity"
    scene.github.advance(86_400)

    assert scene.tile(*STATE) == ("disabled", "passing", None, "disabled")


def test_trap_18_the_tile_follows_the_default_branch(scene):
    scene.run("failure", head_branch="main")
    assert scene.tile("branch", "last_result") == ("main", "failing")
    scene.world.repo(REPO).default_branch = "trunk"
    scene.run("success", head_branch="trunk")
    scene.github.advance(86_400)

    assert scene.tile("branch", "last_result") == ("trunk", "passing")


def test_trap_19_the_merge_queue_s_branches_are_not_the_branch(scene):
    scene.run("success")
    scene.run(
        "failure", event="merge_group", head_branch="gh-readonly-queue/main/pr-7-abc"
    )

    assert scene.tile(*STATE) == ("passing", "passing", None, None)


def test_trap_20_runs_of_another_workflow_s_end_make_no_commit_flaky(scene):
    for conclusion in ("failure", "success"):
        scene.run(conclusion, event="workflow_run", head_sha="a" * 40)

    assert scene.tile("last_result", "is_flaky") == ("passing", 0)
    assert list(scene.db["flaky_runs"].rows) == []


def test_trap_22_a_clock_that_went_backwards_gives_no_negative_duration(scene):
    now = scene.world.now
    run = scene.run("success", updated_at=now - timedelta(days=22))

    assert scene.tile("last_result") == ("passing",)
    assert scene.stored(run, "duration_seconds") == (0,)


def test_trap_23_times_are_utc_and_days_are_the_instance_s(scene):
    run = scene.run("success", created_at="2026-03-01T23:30:00Z")
    scene.ingest.restart(timezone="Europe/Berlin")
    scene.ingest.poll()

    assert scene.stored(run, "started_at") == ("2026-03-01T23:30:00Z",)
    [[day]] = scene.db.execute("select day from run_stats_daily")
    assert day == "2026-03-02"


def test_trap_24_an_older_response_never_overwrites_a_newer_one(scene):
    run = scene.run(status="in_progress")
    scene.ingest.poll()
    scene.change(run, conclusion="failure")
    before = scene.tile(*STATE)
    scene.github.faults.add("stale", path="/runs", seconds=60, count=None)

    assert scene.tile(*STATE) == before == ("failing", "failing", None, None)


def test_trap_25_an_outage_is_never_green(scene):
    scene.run("success")
    assert scene.tile("tile_state") == ("passing",)
    scene.github.faults.add("server_error", count=None)
    scene.github.advance(180)
    assert scene.tile(*STATE) == ("stale", "passing", None, "stale")

    scene.github.faults.clear()

    assert scene.tile(*STATE) == ("passing", "passing", None, None)


def test_trap_26_not_found_keeps_the_tile_and_names_the_token(scene):
    scene.run("success")
    scene.ingest.poll()
    scene.github.faults.add("not_found", count=None)
    scene.github.advance(60)
    assert scene.tile("tile_state") == ("passing",)
    scene.github.advance(30)

    tile_state, base, error = scene.tile("tile_state", "last_result", "error")
    assert (tile_state, base) == ("no_access", "passing")
    assert "token" in error


def test_trap_27_a_success_with_failed_jobs_says_so(scene):
    scene.ingest.restart(fetch_jobs="all")
    run = scene.run("success")
    job = {"id": 1, "conclusion": "failure", "name": "lint", "status": "completed"}
    scene.world.set_jobs(run, [job, job | {"id": 2, "conclusion": "success"}])

    assert scene.tile(*STATE, "failed_jobs") == (
        *("passing", "passing", None, None),
        1,
    )


def test_trap_29_runs_that_github_deletes_are_kept(scene):
    runs = [scene.run(conclusion) for conclusion in ("failure", "success")]
    before = scene.tile(*STATE, "streak", "strip")
    for run in runs:
        scene.world.remove_run(run)
    scene.github.advance(86_400)

    assert scene.tile(*STATE, "streak", "strip") == before
    assert run_ids(scene.db) == [run.id for run in runs]
