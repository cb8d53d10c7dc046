"""Why runs failed: the errors of their jobs, and the tiles with the same error."""

from datetime import timedelta

import pytest
from annotated_runs import annotation_paths, hide_annotations, job, tile
from polling import FILE, REPO, revision

from ci_observer.demo.server.rate_limits import Token

pytestmark = pytest.mark.usefixtures("no_waiting")

OTHER = "acme/web"
PULL = "toomanyrequests: You have reached your pull rate limit."
EXIT = "Process completed with exit code 1."


def failed(world, *messages, repo=REPO, hours=1, jobs=1, **fields):
    """A run that failed `hours` ago, with one or more failed jobs."""
    fields |= {"created_at": world.now - timedelta(hours=hours), "duration": 600}
    run = world.add_run(repo, FILE, conclusion="failure", **fields)
    world.set_jobs(run, [job(run, 60 + n, name=f"leg {n}") for n in range(jobs)])
    if messages:
        world.set_annotations(run, list(messages))
    return run


def requests(github):
    """The jobs whose annotations were requested; clears the log."""
    return [int(path.split("/")[-2]) for path in annotation_paths(github)]


def both(ingest):
    ingest.restart(repos=(REPO, OTHER))


def test_a_failing_tile_says_why(world, github, ingest, db):
    run = failed(world, EXIT, PULL)

    ingest.poll()

    assert tile(db, "error_message", "error_other_tiles") == (PULL, 0)
    assert requests(github) == [run.jobs[0]["id"]]


def test_errors_are_requested_once(world, github, ingest, db):
    failed(world, PULL)
    ingest.poll()
    requests(github)
    number = revision(db)

    for _ in range(3):
        ingest.poll()
    ingest.restart()
    ingest.poll()

    assert requests(github) == []
    assert revision(db) == number


def test_a_job_without_an_error_is_requested_once_too(world, github, ingest, db):
    run = failed(world)
    warning = {"message": "old Node.js", "annotation_level": "warning"}
    world.set_annotations(run, [warning])
    ingest.poll()
    assert len(requests(github)) == 1

    ingest.restart()
    ingest.poll()

    assert requests(github) == []
    assert tile(db, "tile_state", "error_message") == ("failing", None)


def test_an_exit_code_is_shown_and_joins_no_tiles(world, ingest, db):
    both(ingest)
    failed(world, EXIT)
    failed(world, EXIT, repo=OTHER)

    ingest.poll()

    columns = ("error_message", "error_id", "error_other_tiles", "error_since_at")
    assert tile(db, *columns) == (EXIT, None, None, None)
    assert [*db["errors"].rows] == []


def test_tiles_with_the_same_error_know_each_other(world, github, ingest, db):
    both(ingest)
    earlier = failed(world, "pull 7 of acme/web failed", repo=OTHER, hours=3)
    failed(world, "pull 12 of acme/api failed")

    ingest.poll()

    first_at = earlier.jobs[0]["completed_at"]
    columns = ("error_message", "error_other_tiles", "error_since_at")
    assert tile(db, *columns) == ("pull 12 of acme/api failed", 1, first_at)
    assert tile(db, *columns, repo=OTHER) == ("pull 7 of acme/web failed", 1, first_at)
    [group] = db.query("select * from error_groups")
    assert group | {"error_id": 0} == {
        "error_id": 0,
        "message": "pull 12 of acme/api failed",
        "runs": 2,
        "workflows": 2,
        "first_seen_at": first_at,
        "last_seen_at": tile(db, "error_since_at")[0] and group["last_seen_at"],
        "text": "pull <number> of <repo> failed",
    }
    # The other one recovers: this tile's own row does not change.
    world.add_run(OTHER, FILE, created_at=world.now)
    github.advance(300)
    ingest.poll()
    assert tile(db, "error_other_tiles") == (0,)
    assert tile(db, *columns, repo=OTHER) == (None, None, None)


@pytest.mark.parametrize(
    "change",
    [
        "update feeds set workflow_state = 'disabled_manually'",
        "update feeds set error = 'not found', error_kind = 'not_found'",
        "update feeds set is_watched = 0",
        "update repos set blocked_run_id = 1",
    ],
)
def test_a_tile_that_shows_an_alarm_does_not_count(world, ingest, db, change):
    both(ingest)
    failed(world, PULL)
    failed(world, PULL, repo=OTHER)
    ingest.poll()
    assert tile(db, "error_other_tiles") == (1,)

    db.execute(f"{change} where repo = ?", [OTHER])

    assert tile(db, "error_other_tiles") == (0,)


def test_the_time_is_that_of_this_error_in_the_present_red_span(world, ingest, db):
    failed(world, PULL, hours=30)
    world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=20))
    failed(world, "another error", hours=9)
    first = failed(world, PULL, hours=5)
    failed(world, PULL, hours=1)

    ingest.poll()

    assert tile(db, "error_since_at") == (first.jobs[0]["completed_at"],)


def test_of_many_failed_jobs_the_first_three_are_requested(world, github, ingest, db):
    run = failed(world, jobs=200)
    slow = job(run, 500, name="slow")
    world.set_jobs(run, [slow, *run.jobs])
    world.set_annotations(run, [EXIT])
    world.set_annotations(run, [PULL], job="leg 0")

    ingest.poll()

    assert requests(github) == [job["id"] for job in run.jobs[1:4]]
    assert tile(db, "failed_job", "error_message") == ("leg 0", PULL)


def test_the_text_is_that_of_the_job_that_the_tile_names(world, ingest, db):
    run = failed(world, jobs=2)
    world.set_annotations(run, [EXIT], job="leg 0")
    world.set_annotations(run, [PULL], job="leg 1")

    ingest.poll()

    assert tile(db, "failed_job", "error_message") == ("leg 0", EXIT)
    assert [row["runs"] for row in db.query("select runs from error_groups")] == [1]


def test_no_more_pages_are_requested_than_up_to_the_error(world, github, ingest, db):
    run = failed(world)
    world.set_annotations(run, [EXIT] * 100 + [PULL] + ["later"] * 200)

    ingest.poll()

    assert tile(db, "error_message") == (PULL,)
    assert len(requests(github)) == 2


@pytest.mark.parametrize("kind", ["fine-grained", "app"])
def test_a_refusal_costs_a_request_a_day_and_changes_nothing_else(
    world, github, ingest, db, caplog, kind
):
    for hours in (3, 2, 1):
        failed(world, PULL, hours=hours)
    hide_annotations(world, github, kind)

    assert ingest.poll().feeds_failed == 0

    columns = ("tile_state", "failed_job", "streak", "error_message")
    assert tile(db, *columns) == ("failing", "leg 0", 3, None)
    assert len(requests(github)) == 1
    assert "cannot read the errors of failed jobs" in caplog.text
    for _ in range(3):
        github.advance(60)
        ingest.poll()
    ingest.restart()
    ingest.poll()
    assert requests(github) == []
    github.advance(86_400)
    ingest.restart()
    ingest.poll()
    assert len(requests(github)) == 1


def test_another_token_is_tried_at_once(world, github, ingest, db):
    failed(world, PULL)
    hide_annotations(world, github)
    ingest.poll()
    github.settings.tokens["classic"] = Token()

    ingest.restart(token="classic")  # noqa: S106 (made up)
    ingest.poll()

    assert tile(db, "error_message") == (PULL,)


def test_a_deleted_check_run_does_not_hide_the_errors_of_others(
    world, github, ingest, db
):
    failed(world, PULL, hours=3)
    ingest.poll()
    deleted = failed(world, PULL, hours=2)
    github.faults.add("not_found", path=f"/{deleted.jobs[0]['id']}/", count=None)
    ingest.poll()
    assert tile(db, "error_message") == (None,)
    failed(world, PULL, hours=1)

    ingest.poll()

    assert tile(db, "error_message") == (PULL,)


@pytest.mark.parametrize("fault", ["not_found", "login_page"])
def test_a_refusal_hides_no_time_limit(world, github, ingest, db, fault):
    """What is known of failed jobs must not decide which tiles are red."""
    world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=9))
    run = failed(world, PULL, hours=5)
    github.faults.add(fault, path=f"/{run.jobs[0]['id']}/annotations", count=None)
    ingest.poll()
    assert tile(db, "error_message") == (None,)
    cause = {"conclusion": "cancelled", "cancel_cause": "timeout"}
    created_at = world.now - timedelta(hours=1)
    world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=2))
    world.add_run(REPO, FILE, created_at=created_at, duration=1812, **cause)

    ingest.poll()

    assert tile(db, "tile_state", "last_result_cancel_cause") == ("failing", "timeout")


def test_an_error_of_github_is_tried_again_and_is_none_of_the_feed(
    world, github, ingest, db
):
    failed(world, PULL)
    github.faults.add("server_error", path="/annotations", count=None)

    assert ingest.poll().feeds_failed == 0
    assert tile(db, "tile_state", "error_message") == ("failing", None)
    github.faults.clear()
    ingest.poll()

    assert tile(db, "error_message") == (PULL,)


def test_annotations_that_are_no_json_are_taken_for_refused_for_an_hour(
    world, github, ingest, db
):
    github.faults.add("login_page", path="/annotations", count=None)
    failed(world, PULL)
    for _ in range(3):
        ingest.poll()
    assert len(requests(github)) == 1
    github.faults.clear()
    github.advance(3601)
    failed(world, PULL, hours=0.5)

    ingest.poll()

    assert tile(db, "error_message") == (PULL,)


def test_errors_wait_while_the_rate_limit_is_half_spent(world, github, ingest, db):
    failed(world, PULL)
    user = github.settings.tokens[github.token].user
    github.limits.spend(user, github.clock(), 2_500)

    ingest.poll()

    assert requests(github) == []
    assert tile(db, "tile_state", "error_message") == ("failing", None)
    github.advance(3_601)
    ingest.poll()
    assert tile(db, "error_message") == (PULL,)


def test_no_errors_are_requested_with_the_setting_none(world, github, ingest, db):
    failed(world, PULL)
    ingest.restart(fetch_jobs="none")

    ingest.poll()

    assert requests(github) == []


def test_an_old_database_gets_the_errors_of_its_last_results(world, github, ingest, db):
    for hours in (800, 600, 400, 200):
        failed(world, PULL, hours=hours)
    newest = failed(world, PULL, hours=190)
    ingest.poll()
    requests(github)
    # As an older version has left it.
    db.execute("delete from job_errors")
    db.execute("delete from errors")
    db.execute("update tiles set error_id = null, error_message = null")

    ingest.restart()
    ingest.poll()

    assert requests(github) == [newest.jobs[0]["id"]]
    assert tile(db, "error_message") == (PULL,)


def test_of_a_branch_that_fails_often_ten_runs_are_requested(world, github, ingest, db):
    for minutes in range(15):
        failed(world, PULL, hours=1 + minutes / 60)

    ingest.poll()

    assert len(requests(github)) == 10


def test_other_branches_and_pull_requests_are_not_requested(world, github, ingest, db):
    failed(world, PULL, head_branch="topic")
    failed(world, PULL, event="pull_request")
    ingest.restart(fetch_jobs="all")

    ingest.poll()

    assert requests(github) == []


def test_a_timeout_keeps_its_message_and_its_cause(world, github, ingest, db):
    created_at = world.now - timedelta(hours=1)
    cause = {"conclusion": "cancelled", "cancel_cause": "timeout"}
    world.add_run(REPO, FILE, created_at=created_at, duration=1812, **cause)

    ingest.poll()

    message = "The job has exceeded the maximum execution time of 30m0s"
    columns = ("tile_state", "last_result_cancel_cause", "error_message", "error_id")
    assert tile(db, *columns) == ("failing", "timeout", message, None)
    assert len(requests(github)) == 1


def test_the_annotations_of_a_failed_job_say_nothing_of_a_cancel(world, ingest, db):
    failed(world, "The run was canceled by @ada.")

    ingest.poll()

    assert tile(db, "tile_state", "error_message") == (
        "failing",
        "The run was canceled by @ada.",
    )
    assert db.execute("select cancel_cause, cancelled_by from runs").fetchall() == [
        (None, None)
    ]


def test_a_job_that_a_rerun_kept_is_not_requested_again(world, github, ingest, db):
    run = failed(world, PULL, run_attempt=2)
    ingest.poll()
    assert len(requests(github)) == 1

    db.execute("update run_attempts set run_attempt = 3 where run_id = ?", [run.id])
    db.execute("update runs set run_attempt = 3 where run_id = ?", [run.id])
    db.execute("update jobs set last_attempt = 3")
    ingest.restart()
    ingest.poll()

    assert requests(github) == []


def test_a_renamed_workflow_keeps_its_errors(world, ingest, db):
    run = failed(world, PULL)
    ingest.poll()

    db.execute("update runs set repo = 'acme/new' where run_id = ?", [run.id])

    assert [row["repo"] for row in db["job_errors"].rows] == ["acme/new"]
