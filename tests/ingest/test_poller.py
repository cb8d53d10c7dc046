"""Poll passes against the simulated GitHub over real HTTP, into a real SQLite file."""

import asyncio
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from archive import set_clock
from polling import (
    FILE,
    REPO,
    Ingest,
    add_runs,
    revision,
    run_ids,
    the_backfill,
    the_feed,
)
from sqlite_utils import Database

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.times import utc_now
from ci_observer.ingest.config import Config
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.connection import Connection
from ci_observer.ingest.github.transport import open_http
from ci_observer.ingest.polling.concurrency import RequestPool
from ci_observer.ingest.polling.poller import Poller
from ci_observer.ingest.store import feeds
from ci_observer.ingest.times import utc

pytestmark = pytest.mark.usefixtures("no_waiting")


def snapshot(db: Database) -> list[Any]:
    """All data that a reader of runs or wall can see."""
    return [
        db.execute(f"select * from {table}").fetchall()  # noqa: S608 (own names)
        for table in ("runs", "run_attempts", "run_payloads", "tiles")
    ] + [revision(db)]


def test_a_poller_writes_nothing_until_it_is_started(db):
    config = Config(repos=(REPO,), workflows=(FILE,))
    http = open_http("test")
    pool = RequestPool()
    connection = Connection(
        http, api_url=config.api_url, token=None, clock=utc_now, slot=pool.slot
    )
    before = db.conn.total_changes

    poller = Poller(config, db, GitHub(connection), pool, utc_now)

    assert db.conn.total_changes == before
    poller.start()
    assert feeds.watched(db) != []
    asyncio.run(http.aclose())


def test_the_first_pass_stores_the_runs_and_the_metadata(world, github, ingest, db):
    world.add_repo(REPO, default_branch="trunk")
    add_runs(world, 3)

    result = ingest.poll()

    assert (result.feeds, result.feeds_failed, result.runs_written) == (1, 0, 3)
    assert len(run_ids(db)) == 3
    assert the_feed(db).default_branch == "trunk"
    assert the_feed(db).workflow_state == "active"


def test_the_same_poll_again_is_all_304_costs_nothing_and_changes_nothing(
    world, github, ingest, db
):
    add_runs(world, 40)
    first = ingest.poll()
    before = snapshot(db)
    github.log.clear()

    second = ingest.poll()

    assert [entry.status for entry in github.log] == [304]
    assert not any(entry.charged for entry in github.log)
    assert second.rate_limit_remaining == first.rate_limit_remaining
    assert (second.requests, second.not_modified) == (1, 1)
    assert second.runs_written == 0
    assert snapshot(db) == before


def test_a_quiet_poll_costs_nothing_after_a_restart_either(world, github, ingest, db):
    add_runs(world, 40)
    for _ in range(2):
        ingest.poll()
        github.advance(600)
    github.log.clear()

    ingest.restart()
    ingest.poll()

    assert {entry.status for entry in github.log} == {304}


def test_nothing_is_ever_written_to_github(world, github, ingest):
    add_runs(world, 40)
    ingest.poll()

    assert {entry.method for entry in github.log} == {"GET"}


def test_history_is_fetched_back_to_the_horizon_and_no_further(
    world, github, ingest, db
):
    """250 runs, an hour apart: 121 of them in 5 days, 200 on two pages of 100."""
    add_runs(world, 250)
    ingest.restart(history_days=5)

    ingest.poll()

    assert len(run_ids(db)) == 200
    assert the_backfill(db).fetch_until is None
    assert the_backfill(db).completed_at is not None


def test_the_newest_runs_of_every_feed_come_before_any_history(
    world, github, ingest, db
):
    for repo in ("acme/api", "acme/web"):
        add_runs(world, 120, repo=repo)
    ingest.restart(repos=("acme/api", "acme/web"))

    ingest.poll()

    sizes = [
        entry.query["per_page"]
        for entry in github.log
        if entry.path.endswith("/runs") and "status" not in entry.query
    ]
    # The pages of 10 show whether a repository is blocked.
    assert sizes == ["30", "30", "10", "10", "100", "100", "100", "100"]


def test_an_interrupted_backfill_continues_where_it_was(world, github, ingest, db):
    add_runs(world, 350)
    github.faults.add("unauthorized", path="[?&]page=3")
    ingest.poll()
    assert len(run_ids(db)) == 200
    github.log.clear()

    ingest.restart()
    ingest.poll()

    assert len(run_ids(db)) == 350
    pages = [e.query["page"] for e in github.log if "page" in e.query]
    assert pages == ["3", "4"]


def test_the_backfill_pauses_when_the_newest_runs_are_due(world, github, ingest, db):
    add_runs(world, 350)

    ingest.poll(backfill_deadline=github.clock())

    assert len(run_ids(db)) == 30
    ingest.poll()
    assert len(run_ids(db)) == 350


def test_progress_counts_complete_feeds(world, github, ingest):
    add_runs(world, 150)
    reported: list[tuple[int, int]] = []

    ingest.poll(on_progress=lambda *counts: reported.append(counts))

    assert reported == [(0, 1), (0, 1), (1, 1)]


def test_more_new_runs_than_a_page_between_two_polls_are_all_fetched(
    world, github, ingest, db
):
    add_runs(world, 5)
    ingest.poll()
    github.advance(3600)
    for _ in range(170):
        github.advance(1)
        world.add_run(REPO, FILE, duration=0)

    ingest.poll()

    assert len(run_ids(db)) == 175


def test_a_gap_is_closed_even_when_the_process_dies_before_the_second_page(
    world, github, ingest, db
):
    """The ETag of the first page must not hide the next pages."""
    add_runs(world, 5)
    ingest.poll()
    for _ in range(170):
        github.advance(1)
        world.add_run(REPO, FILE, duration=0)
    ingest.poll(backfill_deadline=github.clock())
    assert len(run_ids(db)) == 35

    ingest.restart()
    ingest.poll()

    assert len(run_ids(db)) == 175


def test_a_run_is_followed_to_its_end_and_through_its_rerun(world, github, ingest, db):
    run = world.add_run(REPO, FILE, status="in_progress")
    states = []
    for change in (
        None,
        lambda: world.update_run(run, status="completed", conclusion="failure"),
        lambda: world.rerun(run, triggering_actor="grace"),
        lambda: world.update_run(run, status="completed", conclusion="success"),
    ):
        github.advance(60)
        if change:
            change()
        ingest.poll()
        states += db.execute("select run_attempt, status, conclusion from runs")

    assert states == [
        (1, "in_progress", None),
        (1, "completed", "failure"),
        (2, "queued", None),
        (2, "completed", "success"),
    ]
    assert list(
        db.execute("select run_attempt, conclusion, triggering_actor from run_attempts")
    )[1] == (2, "success", "grace")


@pytest.mark.parametrize(
    ("fault", "options", "kind"),
    [
        ("server_error", {}, "unavailable"),
        ("html_error", {}, "unavailable"),
        ("drop", {}, "unavailable"),
        ("truncate", {}, "unavailable"),
        ("forbidden", {}, "forbidden"),
        ("not_found", {}, "not_found"),
        ("invalid_json", {}, "invalid_response"),
        ("missing_field", {}, "invalid_response"),
        ("wrong_type", {}, "invalid_response"),
        ("status", {"status": 410}, "not_found"),
        ("status", {"status": 422}, "invalid_response"),
        ("moved_elsewhere", {"origin": "http://127.0.0.2:9"}, "invalid_response"),
        ("replaced", {"name": "id", "value": None}, "invalid_response"),
    ],
)
def test_an_error_of_one_feed_is_recorded_and_stops_no_other(
    world, github, ingest, db, fault, options, kind
):
    for repo in ("acme/api", "acme/web"):
        add_runs(world, 2, repo=repo)
    ingest.restart(repos=("acme/api", "acme/web"))
    github.faults.add(
        fault, path="acme/api/actions/workflows/ci", count=None, **options
    )

    result = ingest.poll()

    assert (result.feeds, result.feeds_failed, result.error) == (2, 1, None)
    assert list(
        db.execute(
            "select repo, error_kind, checked_at is null, etag is null from feeds"
        )
    ) == [("acme/api", kind, 1, 1), ("acme/web", None, 0, 0)]

    github.faults.clear()
    github.advance(3600)
    assert ingest.poll().feeds_failed == 0
    assert len(run_ids(db)) == 4


def test_a_temporary_error_is_retried_within_the_pass(world, github, ingest, db):
    add_runs(world, 2)
    github.faults.add("server_error", path="/runs", count=2)

    assert ingest.poll().feeds_failed == 0
    assert len(run_ids(db)) == 2


@pytest.mark.usefixtures("no_waiting")
def test_older_pages_get_smaller_where_only_they_fail(world, github, ingest, db):
    """In between, the newest page succeeds and clears the feed's error."""
    add_runs(world, 120)
    github.faults.add("server_error", path="per_page=100", count=None)

    failed = [ingest.poll().feeds_failed for _ in range(3)]

    assert failed == [1, 1, 0]
    assert len(run_ids(db)) == 120


def test_a_list_that_keeps_failing_is_requested_in_smaller_pages(
    world, github, ingest, db
):
    add_runs(world, 150)
    github.faults.add("server_error", path="per_page=(30|15|100|50)$", count=None)
    failed = [ingest.poll().feeds_failed for _ in range(5)]

    assert failed == [1, 1, 1, 0, 0]
    assert len(run_ids(db)) == 150
    sizes = [e.query["per_page"] for e in github.log if FILE in e.path]
    assert list(dict.fromkeys(sizes)) == ["30", "15", "7", "25"]


def test_the_etag_of_an_error_is_not_kept(world, github, ingest, db):
    """GitHub's 502 was recorded with an ETag of its own."""
    add_runs(world, 2)
    ingest.poll()
    etag = the_feed(db).etag
    world.add_run(REPO, FILE)
    github.faults.add("server_error", path="/runs", count=None)
    ingest.poll()

    assert the_feed(db).etag == etag


def test_a_missing_feed_is_requested_rarely(world, github, ingest, db):
    add_runs(world, 1)
    ingest.restart(workflows=("ci.yml", "nope.yml"))
    for _ in range(2):
        assert ingest.poll().feeds_failed == 1
    github.log.clear()
    for _ in range(59):
        github.advance(60)
        ingest.poll()

    assert [e.path for e in github.log if e.status == 404] == []
    for _ in range(2):
        github.advance(60)
        ingest.poll()
    assert [e.status for e in github.log if "nope" in e.path] == [404]


@pytest.mark.parametrize("fault", ["not_found", "forbidden"])
@pytest.mark.parametrize("path", ["/actions/workflows/ci", "acme/api$"])
def test_a_single_refusal_is_no_alarm_and_causes_no_rest(
    world, github, ingest, db, fault, path
):
    add_runs(world, 1)
    ingest.poll()
    github.advance(86_400)
    github.faults.add(fault, path=path)

    ingest.poll()

    set_clock(db, github.clock())
    assert db.execute("select alarm is 'no_access' from wall").fetchall() == [(0,)]
    assert the_feed(db).retry_at is None
    assert ingest.next_wait() == timedelta(seconds=30)
    world.add_run(REPO, FILE)
    github.advance(30)
    assert ingest.poll().runs_written == 1
    assert the_feed(db).error is None


@pytest.mark.parametrize("path", ["/actions/workflows/ci", "acme/api"])
def test_a_repeated_refusal_is_an_alarm_and_rests_for_an_hour(
    world, github, ingest, db, path
):
    add_runs(world, 1)
    ingest.poll()
    github.advance(86_400)
    github.faults.add("not_found", path=path, count=None)

    for alarm in ("stale", "no_access"):
        ingest.poll()
        set_clock(db, github.clock())
        assert db.execute("select alarm from wall").fetchall() == [(alarm,)]
        github.advance(30)

    github.log.clear()
    lists = []
    for seconds in (3500, 200, 3500, 200):
        github.advance(seconds)
        ingest.poll()
        refused = [e for e in github.log if e.status == 404 and "ci.yml" in e.path]
        lists.append(len(refused))
    # The error of the repository itself also stands for its feeds.
    assert lists == ([0, 1, 1, 2] if "ci" in path.split("/") else [0] * 4)


def test_a_restart_requests_a_missing_feed_immediately(world, github, ingest, db):
    """The name or the token may have been corrected."""
    ingest.poll()
    assert the_feed(db).error_kind == "not_found"
    add_runs(world, 1)

    ingest.restart()

    assert ingest.poll().feeds_failed == 0
    assert the_feed(db).error is None


@pytest.mark.parametrize(
    ("fault", "options", "wait"),
    [
        ("primary_limit", {"seconds": 600}, 600),
        ("primary_limit", {"status": 429, "seconds": 600}, 600),
        ("secondary_limit", {"retry_after": 90}, 90),
        ("secondary_limit", {"status": 429, "retry_after": None}, 60),
    ],
)
def test_a_rate_limit_ends_the_pass_and_decides_the_wait(
    world, github, ingest, db, fault, options, wait
):
    for n in range(8):
        add_runs(world, 1, file=f"w{n}.yml")
    ingest.restart(workflows=tuple(f"w{n}.yml" for n in range(8)), refresh_seconds=5)
    github.faults.add(fault, path="/workflows/w", count=None, **options)

    result = ingest.poll()

    assert result.error_kind == "rate_limited"
    # Four requests were open when the first one was refused.
    assert len([e for e in github.log if e.status in (403, 429)]) <= 4
    assert ingest.next_wait() == timedelta(seconds=wait)
    # It is not the error of a feed.
    assert db.execute(
        "select count(*) from feeds where error is not null"
    ).fetchone() == (0,)


def test_a_repeated_secondary_limit_makes_waits_longer(world, github, ingest):
    add_runs(world, 1)
    github.faults.add("secondary_limit", path="", count=None, retry_after=None)
    waits = []
    for _ in range(4):
        ingest.poll()
        waits.append(ingest.next_wait())
        github.advance(waits[-1].total_seconds())

    assert waits == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]


@pytest.mark.parametrize(("used", "wait"), [(4400, 60), (4900, 60), (4990, 400)])
def test_passes_are_spread_when_the_rate_limit_is_scarce(
    world, github, ingest, used, wait
):
    """4,990 of 5,000 are used, an hour remains, a pass costs one request: 9 left."""
    add_runs(world, 1)
    ingest.poll()
    github.spend_rate_limit(used=used)
    world.add_run(REPO, FILE, duration=0)
    ingest.poll()

    assert ingest.next_wait() == timedelta(seconds=wait)


def test_a_refused_token_ends_the_pass_for_an_hour(world, github, ingest, db):
    add_runs(world, 1)
    github.faults.add("unauthorized", count=None)

    result = ingest.poll()

    assert result.error_kind == "unauthorized"
    assert result.requests == 1
    assert ingest.next_wait() == timedelta(hours=1)


def test_a_new_token_in_its_file_is_used_at_the_next_poll(
    world, github, ingest, db, tmp_path
):
    path = tmp_path / "token"
    path.write_text("revoked")
    add_runs(world, 1)
    ingest.restart(token="revoked", token_file=path)  # noqa: S106 (made up)
    assert ingest.poll().error_kind == "unauthorized"
    for _ in range(3):
        github.advance(ingest.next_wait().total_seconds())
        ingest.poll()
    assert [entry.status for entry in github.log] == [401]

    path.write_text(f"{github.token}\n")
    result = ingest.poll()

    assert (result.error_kind, result.runs_written) == (None, 1)


def test_the_expiration_of_the_token_is_saved(world, github, ingest, db):
    for expires_at in ("2026-03-12 09:00:00 UTC", "2026-03-12 11:00:00 +0200"):
        github.settings.tokens[github.token] = Token(expires_at=expires_at)
        ingest.poll()

        saved = db.execute("select token_expires_at from polling").fetchone()
        assert saved == ("2026-03-12T09:00:00Z",)


def test_a_refused_token_is_tried_again_after_an_hour(world, github, ingest, tmp_path):
    path = tmp_path / "token"
    path.write_text("revoked")
    ingest.restart(token="revoked", token_file=path)  # noqa: S106 (made up)
    for _ in range(2):
        ingest.poll()
        github.advance(3600)

    assert [entry.status for entry in github.log] == [401, 401]


def test_without_a_network_one_failure_ends_the_pass(world, db):
    """Not one timeout per feed."""
    add_runs(world, 1)
    with GitHubServer(world) as github:
        ingest = Ingest(db, github)
        ingest.poll()
        checked_at = the_feed(db).checked_at
        github.advance(60)

    with closing(ingest):
        result = ingest.poll()

    assert result.error_kind == "unreachable"
    assert the_feed(db).checked_at == checked_at
    assert the_feed(db).error is None


def test_a_renamed_repository_is_followed_within_the_origin(world, github, ingest, db):
    add_runs(world, 2)
    ingest.poll()
    world.rename_repo(REPO, "acme/platform-api")
    github.advance(60)
    world.add_run("acme/platform-api", FILE)

    assert ingest.poll().feeds_failed == 0
    assert db.execute("select repo, count(*) from runs group by 1").fetchall() == [
        (REPO, 3)
    ]
    assert db.execute(
        "select count(*) from runs where head_repo <> repo"
    ).fetchone() == (0,)


def test_metadata_are_refreshed_in_a_quarter_of_an_hour(world, github, ingest, db):
    add_runs(world, 1)
    ingest.poll()
    github.log.clear()
    github.advance(360)
    ingest.poll()
    assert [e.path for e in github.log if not e.path.endswith("/runs")] == []

    github.advance(480)
    ingest.poll()

    assert [e.path for e in github.log if not e.path.endswith("/runs")] == [
        f"/repos/{REPO}",
        f"/repos/{REPO}/actions/workflows",
    ]


@pytest.mark.parametrize("state", ["disabled_manually", "disabled_inactivity"])
def test_a_workflow_that_becomes_disabled_is_an_alarm_within_a_day(
    world, github, ingest, db, state
):
    add_runs(world, 1)
    ingest.poll()
    world.workflow(REPO, FILE).state = state
    github.advance(86_400)
    ingest.poll()
    set_clock(db, github.clock())

    assert db.execute("select tile_state from wall").fetchall() == [("disabled",)]
    world.workflow(REPO, FILE).state = "active"
    github.advance(86_400)
    ingest.poll()
    set_clock(db, github.clock())
    assert db.execute("select tile_state from wall").fetchall() == [("passing",)]


def test_feeds_are_polled_when_their_metadata_fails(world, github, ingest, db):
    add_runs(world, 1)
    github.faults.add("server_error", path=r"acme/api$", count=None)

    assert ingest.poll().runs_written == 1
    assert the_feed(db).default_branch is None


def test_a_star_watches_every_workflow_that_is_not_deleted(world, github, ingest, db):
    for name, state in (
        ("ci.yml", "active"),
        ("deploy.yml", "active"),
        ("gone.yml", "deleted"),
        ("old.yml", "disabled_manually"),
    ):
        world.add_workflow(REPO, name, state=state)
    ingest.restart(workflows=("*",))

    ingest.poll()

    watched = [feed.workflow for feed in feeds.watched(db)]
    assert watched == ["ci.yml", "deploy.yml", "old.yml"]


def test_a_star_keeps_a_workflow_that_becomes_disabled_on_the_wall(
    world, github, ingest, db
):
    world.add_workflow(REPO, "ci.yml")
    ingest.restart(workflows=("*",))
    ingest.poll()
    world.workflow(REPO, "ci.yml").state = "disabled_inactivity"
    github.advance(86400)

    ingest.poll()

    assert the_feed(db).workflow_state == "disabled_inactivity"


def test_a_star_shows_a_missing_repository(world, github, ingest, db):
    ingest.restart(repos=("acme/gone",), workflows=("*",))
    ingest.poll()

    watched = "select workflow, error_kind from wall_sources where is_watched"
    assert db.execute(watched).fetchall() == [("*", "not_found")]
    ingest.restart()
    assert db.execute(watched).fetchall() == [("*", "not_found")]

    add_runs(world, 1, repo="acme/gone")
    github.advance(3600)
    ingest.poll()

    assert (the_feed(db).workflow, the_feed(db).error) == ("ci.yml", None)


def test_enterprise_server_needs_no_rate_limit_headers_and_has_a_base_path(world, db):
    add_runs(world, 2)
    with (
        GitHubServer(world, enterprise=True, base_path="/api/v3") as github,
        closing(Ingest(db, github)) as ingest,
    ):
        result = ingest.poll()

    assert (result.feeds_failed, result.runs_written) == (0, 2)
    assert result.rate_limit is None


def test_the_loop_polls_saves_the_next_time_and_waits(world, github, ingest, db):
    add_runs(world, 1)
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        github.advance(seconds)
        if len(waits) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        ingest.run_forever(wait)

    assert waits == [60, 60, 60]
    assert db["polls"].count == 3
    [[next_poll_at]] = db.execute(
        "select value from instance where key = 'next_poll_at'"
    )
    assert next_poll_at == utc(github.clock())


def test_without_a_token_304s_count_when_the_rate_limit_is_scarce(
    world, github, ingest
):
    """58 of 60 requests are used: two are left for half an hour."""
    add_runs(world, 1)
    ingest.restart(token=None)
    ingest.poll()
    github.advance(1800)
    for _ in range(52):
        ingest.poll()

    assert ingest.next_wait() == timedelta(minutes=30) / 2
