"""Why runs were cancelled: annotations of their jobs, or else durations."""

from datetime import timedelta

import pytest
from annotated_runs import annotation_paths, hide_annotations, job, tile
from polling import FILE, REPO, revision

from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.times import iso

pytestmark = pytest.mark.usefixtures("no_waiting")

TIMEOUT = "The job has exceeded the maximum execution time of 30m0s"
HUNG_SECONDS = 1812


@pytest.fixture(autouse=True)
def green_base(world):
    """A green run, two days ago."""
    world.add_run(REPO, FILE, created_at=world.now - timedelta(days=2))


def cancelled(world, *, hours=1, seconds=HUNG_SECONDS, cause=None, **fields):
    """A cancelled run that was created `hours` ago, with one cancelled job."""
    created_at = world.now - timedelta(hours=hours)
    fields |= {"created_at": created_at, "duration": seconds}
    fields |= {"cancel_cause": cause} if cause else {}
    run = world.add_run(REPO, FILE, conclusion="cancelled", **fields)
    world.set_jobs(run, [job(run, seconds)])
    return run


def hung_three_times(world, **fields):
    return [cancelled(world, hours=hours, **fields) for hours in (24, 12, 1)]


def causes(db):
    """The cause and the login of each cancelled run; all tables agree."""
    found = db.execute(
        "select run_id, cancel_cause, cancelled_by from runs"
        " where conclusion = 'cancelled' order by run_id"
    ).fetchall()
    assert (
        found
        == db.execute(
            "select run_id, cancel_cause, cancelled_by from run_attempts"
            " where conclusion = 'cancelled' order by run_id"
        ).fetchall()
    )
    return [(cause, login) for _, cause, login in found]


def test_a_run_that_hit_its_time_limit_is_red(world, ingest, db):
    run = cancelled(world, cause="timeout")

    ingest.poll()

    assert causes(db) == [("timeout", None)]
    assert tile(
        db,
        "tile_state",
        "last_result_run_id",
        "last_result_conclusion",
        "last_result_cancel_cause",
        "timed_out_seconds",
        "streak",
    ) == ("failing", run.id, "cancelled", "timeout", HUNG_SECONDS, 1)


def test_a_run_that_a_person_cancelled_proves_nothing(world, ingest, db):
    cancelled(world, cause="person", cancelled_by="grace")

    ingest.poll()

    assert causes(db) == [("person", "grace")]
    assert tile(db, "tile_state", "untested_reason", "cancelled_by") == (
        "untested",
        "cancelled",
        "grace",
    )


def test_a_superseded_run_is_ignored_once_the_newer_run_has_a_result(world, ingest, db):
    cancelled(world, hours=2, seconds=3600, cause="superseded")
    newer = world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=1.5))

    ingest.poll()

    assert causes(db) == [(None, None)]
    assert tile(db, "tile_state", "last_result_run_id") == ("passing", newer.id)


def test_a_newest_run_that_was_superseded_proves_nothing(world, ingest, db):
    cancelled(world, cause="superseded")

    ingest.poll()

    assert causes(db) == [("superseded", None)]
    assert tile(db, "tile_state", "untested_runs") == ("untested", 1)


def test_annotations_are_requested_once(world, github, ingest, db):
    run = cancelled(world, cause="person")
    ingest.poll()
    assert annotation_paths(github) == [
        f"/repos/{REPO}/check-runs/{run.jobs[0]['id']}/annotations"
    ]
    number = revision(db)

    for _ in range(3):
        ingest.poll()
    ingest.restart()
    ingest.poll()

    assert annotation_paths(github) == []
    assert revision(db) == number


def test_annotations_of_all_pages_count(world, ingest, db):
    run = cancelled(world)
    world.set_annotations(run, [f"warning {n}" for n in range(150)] + [TIMEOUT])

    ingest.poll()

    assert causes(db) == [("timeout", None)]


def test_runs_before_the_last_success_are_not_asked_about(world, github, ingest, db):
    cancelled(world, hours=30, cause="person")
    world.add_run(REPO, FILE)

    ingest.poll()

    assert annotation_paths(github) == []
    assert causes(db) == [(None, None)]


def test_a_timeout_before_another_failure_counts_for_the_streak(world, ingest, db):
    ago = {hours: world.now - timedelta(hours=hours) for hours in (4, 3, 1)}
    world.add_run(REPO, FILE, created_at=ago[4], duration=60)
    world.add_run(REPO, FILE, conclusion="failure", created_at=ago[3], duration=60)
    cancelled(world, hours=2, cause="timeout")
    world.add_run(REPO, FILE, conclusion="failure", created_at=ago[1], duration=60)

    ingest.poll()

    assert db.execute("select last_result, streak from tiles").fetchall() == [
        ("failing", 3)
    ]


def test_only_the_newest_ten_runs_are_asked_about(world, github, ingest, db):
    for hours in range(14, 0, -1):
        cancelled(world, hours=hours, cause="person")

    ingest.poll()

    assert len(annotation_paths(github)) == 10
    assert causes(db) == [(None, None)] * 4 + [("person", "mona-lisa")] * 10


def test_other_branches_and_pull_requests_are_not_asked_about(
    world, github, ingest, db
):
    cancelled(world, cause="person", head_branch="topic")
    cancelled(world, cause="person", event="pull_request")

    ingest.poll()

    assert annotation_paths(github) == []


@pytest.mark.parametrize(("fetch_jobs", "asked"), [("none", 0), ("all", 1)])
def test_the_setting_decides_about_annotations_too(
    world, github, ingest, db, fetch_jobs, asked
):
    cancelled(world, cause="timeout", seconds=6 * 3600)
    ingest.restart(fetch_jobs=fetch_jobs)

    ingest.poll()

    assert len(annotation_paths(github)) == asked
    assert tile(db, "tile_state") == (("untested",) if not asked else ("failing",))


def test_an_unfinished_run_is_asked_about_once_it_is_cancelled(world, ingest, db):
    run = world.add_run(REPO, FILE, status="in_progress")
    ingest.poll()
    ingest.server.advance(HUNG_SECONDS)
    world.update_run(run, cancel_cause="timeout")

    ingest.poll()

    assert causes(db) == [("timeout", None)]


def test_a_cancelled_rerun_is_asked_about_again(world, github, ingest, db):
    run = world.add_run(REPO, FILE, cancel_cause="person", cancelled_by="ada")
    ingest.poll()
    github.advance(60)
    world.rerun(run)
    github.advance(HUNG_SECONDS)
    world.update_run(run, cancel_cause="timeout")

    ingest.poll()

    assert db.execute("select cancel_cause, cancelled_by from runs").fetchall()[-1] == (
        "timeout",
        None,
    )
    assert db.execute(
        "select cancel_cause, cancelled_by from run_attempts where run_id = ?"
        " order by run_attempt",
        [run.id],
    ).fetchall() == [("person", "ada"), ("timeout", None)]


def test_the_jobs_that_a_tile_waits_for_come_before_those_of_newer_runs(
    world, github, ingest, db
):
    ingest.restart(fetch_jobs="all")
    run = cancelled(world, cause="timeout")
    for _ in range(25):
        world.add_run(REPO, FILE, head_branch="feature")

    ingest.poll(backfill_deadline=github.clock() + timedelta(minutes=5))

    assert tile(db, "tile_state") == ("failing",)
    paths = [entry.path for entry in github.log if entry.path.endswith("/jobs")]
    assert paths[0].endswith(f"/{run.id}/jobs")
    assert len(paths) > 1


@pytest.mark.parametrize("was_seen_running", [False, True])
def test_a_timeout_that_was_re_run_between_two_polls_is_red(
    world, github, ingest, db, was_seen_running
):
    run = world.add_run(REPO, FILE, status="in_progress")
    if was_seen_running:
        ingest.poll()
    github.advance(HUNG_SECONDS)
    world.update_run(run, cancel_cause="timeout")
    github.advance(5)
    world.rerun(run)
    github.advance(5)

    ingest.poll()

    assert tile(db, "tile_state", "last_result_cancel_cause", "activity") == (
        "failing",
        "timeout",
        "queued",
    )
    [[job_attempt]] = db.execute("select run_attempt from jobs")
    assert job_attempt == 1
    # A person cancels the re-run: the timeout still decides.
    github.advance(60)
    world.update_run(run, cancelled_by="ada")
    ingest.poll()
    assert tile(db, "tile_state", "activity") == ("failing", None)


def test_a_default_branch_that_becomes_known_is_asked_about(world, github, ingest, db):
    cancelled(world, cause="timeout")
    github.faults.add("server_error", path=f"/repos/{REPO}$", count=None)
    ingest.poll()
    assert annotation_paths(github) == []
    github.faults.clear()
    github.advance(86_401)

    ingest.poll()

    assert causes(db) == [("timeout", None)]


def test_the_runs_of_tags_are_asked_about_when_they_decide_the_tile(world, ingest, db):
    world.remove_run(world.repo(REPO).runs[0])
    cancelled(world, cause="timeout", event="release", tag="v1")

    ingest.poll()

    assert causes(db) == [("timeout", None)]
    assert tile(db, "tile_state") == ("failing",)


def test_of_hundreds_of_jobs_those_that_ended_alone_are_asked_about_first(
    world, github, ingest, db
):
    run = cancelled(world, cause="superseded")
    alike = [job(run, 900, name=f"leg {n}") for n in range(200)]
    alone = job(run, 300, name="short")
    world.set_jobs(run, [*alike, alone, job(run, 950, conclusion="success")])

    ingest.poll()

    asked = [int(path.split("/")[-2]) for path in annotation_paths(github)]
    assert len(asked) == 20
    assert {*asked[:2]} == {alike[0]["id"], alone["id"]}


def test_the_first_timeout_is_enough(world, github, ingest, db):
    run = cancelled(world, cause="timeout")
    world.set_jobs(run, [job(run, HUNG_SECONDS, name=f"leg {n}") for n in range(5)])

    ingest.poll()

    assert len(annotation_paths(github)) == 1


def test_a_job_that_a_rerun_kept_counts(world, ingest, db):
    run = world.add_run(
        REPO, FILE, conclusion="cancelled", run_attempt=2, cancel_cause="timeout"
    )
    world.set_jobs(
        run,
        [
            job(run, HUNG_SECONDS),
            job(run, 30, name="lint", conclusion="success") | {"run_attempt": 2},
        ],
    )

    ingest.poll()

    assert causes(db)[-1] == ("timeout", None)


@pytest.mark.parametrize("kind", ["fine-grained", "app"])
def test_without_annotations_three_runs_that_took_as_long_timed_out(
    world, github, ingest, db, kind
):
    hide_annotations(world, github, kind)
    first, _, third = hung_three_times(world)

    assert ingest.poll().feeds_failed == 0

    assert causes(db) == [("timeout", None)] * 3
    assert tile(db, "tile_state", "streak", "since_at", "last_result_run_id") == (
        "failing",
        3,
        iso(first.created_at),
        third.id,
    )


def test_without_annotations_a_fourth_run_timed_out_too(world, github, ingest, db):
    hide_annotations(world, github)
    hung_three_times(world)
    ingest.poll()
    github.advance(HUNG_SECONDS + 5)
    cancelled(world, hours=(HUNG_SECONDS + 5) / 3600, seconds=HUNG_SECONDS + 5)

    ingest.poll()

    assert tile(db, "tile_state", "streak") == ("failing", 4)


def test_without_annotations_two_runs_prove_nothing(world, github, ingest, db):
    hide_annotations(world, github)
    cancelled(world, hours=12)
    cancelled(world)

    ingest.poll()

    assert causes(db) == [(None, None)] * 2
    assert tile(db, "tile_state", "untested_runs") == ("untested", 2)


def test_without_annotations_six_hours_are_a_timeout(world, github, ingest, db):
    hide_annotations(world, github)
    cancelled(world, hours=8, seconds=6 * 3600 + 30)

    ingest.poll()

    assert tile(db, "tile_state", "timed_out_seconds") == ("failing", 6 * 3600 + 30)


def test_empty_annotations_let_durations_decide(world, github, ingest, db):
    hung_three_times(world)

    ingest.poll()

    assert len(annotation_paths(github)) == 3
    assert causes(db) == [("timeout", None)] * 3


def test_a_person_s_cancel_is_no_timeout_however_long_it_took(world, ingest, db):
    hung_three_times(world, cause="person")

    ingest.poll()

    assert causes(db) == [("person", "mona-lisa")] * 3
    assert tile(db, "tile_state") == ("untested",)


def test_a_refusal_is_remembered_for_a_day(world, github, ingest, db, caplog):
    hide_annotations(world, github)
    hung_three_times(world)
    ingest.poll()
    assert len(annotation_paths(github)) == 1
    assert "cannot read why runs were cancelled" in caplog.text
    number = revision(db)

    for _ in range(3):
        github.advance(60)
        ingest.poll()
    ingest.restart()
    ingest.poll()

    assert annotation_paths(github) == []
    assert revision(db) == number
    github.advance(86_400)
    ingest.poll()
    assert len(annotation_paths(github)) == 1


def test_a_refusal_of_one_repository_concerns_no_other(world, github, ingest, db):
    hide_annotations(world, github)
    ingest.restart(repos=(REPO, "acme/web"))
    cancelled(world)
    world.add_run("acme/web", FILE, cancel_cause="person")

    ingest.poll()

    assert len(annotation_paths(github)) == 2
    assert causes(db) == [(None, None), ("person", "mona-lisa")]


def test_another_token_is_tried_at_once(world, github, ingest, db):
    hide_annotations(world, github)
    hung_three_times(world, cause="person")
    ingest.poll()
    assert causes(db) == [("timeout", None)] * 3
    github.settings.tokens["classic"] = Token()

    ingest.restart(token="classic")  # noqa: S106 (made up)
    ingest.poll()

    assert causes(db) == [("person", "mona-lisa")] * 3
    assert tile(db, "tile_state") == ("untested",)


def test_a_404_is_a_refusal_too(world, github, ingest, db):
    github.faults.add("not_found", path="/annotations", count=None)
    hung_three_times(world)

    for _ in range(3):
        ingest.poll()

    assert len(annotation_paths(github)) == 1
    assert tile(db, "tile_state") == ("failing",)


def test_a_deleted_run_does_not_hide_the_annotations_of_others(
    world, github, ingest, db
):
    known = cancelled(world, hours=3, cause="person")
    ingest.poll()
    deleted = cancelled(world, hours=2)
    github.faults.add("not_found", path=f"/{deleted.jobs[0]['id']}/", count=None)
    ingest.poll()
    cancelled(world, hours=1, cause="timeout")

    ingest.poll()

    assert known.jobs
    assert causes(db) == [("person", "mona-lisa"), (None, None), ("timeout", None)]


def test_an_error_is_tried_again_and_is_no_error_of_the_feed(world, github, ingest, db):
    cancelled(world, cause="timeout")
    github.faults.add("server_error", path="/annotations", count=None)

    assert ingest.poll().feeds_failed == 0
    assert tile(db, "tile_state") == ("untested",)
    github.faults.clear()
    ingest.poll()

    assert tile(db, "tile_state") == ("failing",)


def test_durations_decide_only_about_runs_that_were_asked_about(world, ingest, db):
    """The first of three runs says nothing, the others are known only later."""
    _, *others = hung_three_times(world)
    for run in others:
        world.set_annotations(run, ["The run was canceled by @ada."])

    ingest.poll()

    assert causes(db) == [(None, None), ("person", "ada"), ("person", "ada")]


def test_annotations_that_are_no_json_are_taken_for_refused_for_an_hour(
    world, github, ingest, db
):
    github.faults.add("login_page", path="/annotations", count=None)
    hung_three_times(world)
    for _ in range(3):
        ingest.poll()
    assert len(annotation_paths(github)) == 1
    assert tile(db, "tile_state") == ("failing",)
    github.faults.clear()

    github.advance(3540)
    ingest.poll()
    assert annotation_paths(github) == []
    github.advance(60)
    ingest.poll()

    assert len(annotation_paths(github)) == 3


def test_a_run_that_was_cancelled_at_once_is_asked_about_too(world, ingest, db):
    cancelled(world, seconds=0, cause="person", cancelled_by="grace")

    ingest.poll()

    assert causes(db) == [("person", "grace")]


def test_a_refusal_of_the_future_is_forgotten(world, github, ingest, db):
    hide_annotations(world, github)
    hung_three_times(world)
    ingest.poll()
    annotation_paths(github)
    db["repos"].update(REPO, {"annotations_refused_at": "2036-01-01T00:00:00Z"})

    ingest.poll()

    assert len(annotation_paths(github)) == 1


def test_jobs_that_were_stored_while_they_ran_are_fetched_again(world, ingest, db):
    run = cancelled(world, cause="timeout")
    ingest.restart(fetch_jobs="none")
    ingest.poll()
    db["jobs"].insert(
        {"job_id": run.jobs[0]["id"], "run_id": run.id, "run_attempt": 1}
        | {"name": "test", "status": "in_progress"}
    )
    ingest.restart(fetch_jobs="failed")

    ingest.poll()

    assert causes(db) == [("timeout", None)]


def test_the_tile_names_the_job_that_timed_out_not_the_longest(
    world, github, ingest, db
):
    run = cancelled(world, seconds=2700)
    world.set_jobs(
        run,
        [job(run, 2700, name="lint"), job(run, HUNG_SECONDS), job(run, 5, name="docs")],
    )
    hung = run.jobs[1]["id"]
    world.set_annotations(run, [TIMEOUT])
    github.faults.add("empty_list", path=f"/check-runs/(?!{hung}/)", count=None)

    ingest.poll()

    assert tile(db, "failed_job", "timed_out_seconds") == ("test", HUNG_SECONDS)


def test_no_annotations_are_requested_once_the_setting_is_none(
    world, github, ingest, db
):
    cancelled(world, cause="timeout")
    github.faults.add("server_error", path="/annotations", count=None)
    ingest.poll()
    github.faults.clear()
    annotation_paths(github)

    ingest.restart(fetch_jobs="none")
    ingest.poll()

    assert annotation_paths(github) == []
    assert tile(db, "tile_state") == ("untested",)
