"""Passes over responses of any kind: no feed hides another, and all recover."""

import re
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import stamina
from hypothesis import given, settings
from hypothesis import strategies as st
from polling import FILE, REPO, Ingest, add_runs, run_ids, the_backfill, the_feed
from truth import assert_is_truth, assert_sound

from ci_observer.demo.server.effects import Effects
from ci_observer.demo.server.fault_bodies import on_json, per_run
from ci_observer.demo.server.faults import Fault
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.ingest.db import schema
from ci_observer.ingest.store import feeds
from ci_observer.ingest.times import utc

OTHER = "acme/web"


@pytest.fixture(autouse=True)
def _one_try_each():
    with stamina.set_testing(True, attempts=1):
        yield


@pytest.fixture
def two(world: World, github: GitHubServer, ingest: Ingest) -> Ingest:
    """Two polled repositories; the first one gets the hostile responses later."""
    for repo in (REPO, OTHER):
        add_runs(world, 5, repo=repo)
    ingest.restart(repos=(REPO, OTHER))
    ingest.poll()
    github.advance(60)
    for repo in (REPO, OTHER):
        world.add_run(repo, FILE, duration=0)
    return ingest


def kinds(db):
    return {feed.repo: feed.error_kind for feed in feeds.watched(db)}


def older_pages(github: GitHubServer) -> list[str]:
    """The numbers of the requested pages of a backfill."""
    return [
        entry.query.get("page", "1")
        for entry in github.log
        if entry.path.endswith("/runs") and entry.query.get("per_page") == "100"
    ]


@pytest.mark.parametrize(
    ("fault", "options", "kind"),
    [
        ("odd_etag", {}, None),
        ("odd_etag", {"value": '"' + "x" * 5000 + '"'}, None),
        ("odd_rate_limit", {}, None),
        ("odd_rate_limit", {"limit": -1, "remaining": "many"}, None),
        ("odd_rate_limit", {"limit": "9" * 5000, "reset": -5}, None),
        ("token_expiration", {}, None),
        ("token_expiration", {"value": "0001-01-01 00:00:00 +1400"}, None),
        ("token_expiration", {"value": "9999-12-31 23:59:59 -1200"}, None),
        ("endless", {}, "too_large"),
        ("huge", {}, "too_large"),
        ("gzip_bomb", {"megabytes": 100}, "too_large"),
        ("gzip_bomb", {"layers": 2}, "invalid_response"),
        ("broken_gzip", {}, "unavailable"),
        ("deep_json", {}, "invalid_response"),
        ("invalid_utf8", {}, "invalid_response"),
        ("huge_number", {}, "invalid_response"),
        ("huge_number", {"name": "run_number"}, None),
        ("huge_number", {"name": "run_attempt"}, None),
        ("replaced", {"name": "run_attempt", "value": 10**9}, "invalid_response"),
        ("login_page", {}, "invalid_response"),
        ("accepted", {}, "invalid_response"),
        ("no_content", {}, "invalid_response"),
        ("conflict", {}, "forbidden"),
        ("saml", {}, "forbidden"),
        ("ip_allow_list", {}, "forbidden"),
        ("suspended", {}, "forbidden"),
        ("access_blocked", {}, "forbidden"),
        ("status", {"status": 400}, "forbidden"),
        ("status", {"status": 408}, "unavailable"),
        ("status", {"status": 418}, "forbidden"),
        ("moved_elsewhere", {"origin": "http://127.0.0.1:9"}, "invalid_response"),
        ("header", {"name": "link", "value": '<http://[x>; rel="next"'}, None),
        ("header", {"name": "link", "value": '<//evil.test/>; rel="next"'}, None),
    ],
)
def test_a_hostile_feed_has_its_error_and_the_other_its_data(
    world, github, two, db, fault, options, kind
):
    github.faults.add(fault, path=f"{REPO}/actions/workflows/", count=None, **options)

    two.poll()
    if kind == "forbidden":
        # The next pass confirms that it is final.
        github.advance(60)
        two.poll()

    assert kinds(db) == {REPO: kind, OTHER: None}
    assert_sound(db)

    github.faults.clear()
    github.advance(timedelta(days=1).total_seconds())
    two.poll()
    github.advance(60)
    two.poll()

    assert kinds(db) == {REPO: None, OTHER: None}
    assert_is_truth(db, world)


def test_an_odd_etag_that_an_older_version_has_stored_is_no_obstacle(world, two, db):
    db.execute("update feeds set etag = ? where repo = ?", ['"é"\n', REPO])
    db.execute("update responses set etag = ?", ['"日本"'])

    two.restart()
    two.poll()

    assert kinds(db) == {REPO: None, OTHER: None}
    assert_is_truth(db, world)


@pytest.mark.parametrize("fault", ["far_reset", "odd_retry_after"])
def test_a_wait_until_the_year_9999_is_a_day(github, two, fault):
    github.faults.add(fault, count=None)

    two.poll()

    assert two.next_wait() == timedelta(days=1)


@pytest.mark.parametrize("page", [None, 1])
def test_a_backfill_reads_no_page_twice(world, github, ingest, db, page):
    """Neither the same page nor an earlier one; all that was read is kept."""
    add_runs(world, 350)
    options = {} if page is None else {"page": page}
    github.faults.add("link_loop", path="[?&]page=2", count=None, **options)
    github.log.clear()

    ingest.poll()

    assert older_pages(github) == ["1", "2"]
    assert "leads from page 2 back to page" in the_feed(db).error
    assert the_feed(db).error_kind == "invalid_response"
    assert len(run_ids(db)) == 200

    github.faults.clear()
    github.advance(60)
    ingest.poll()

    assert the_feed(db).error is None
    assert_is_truth(db, world)


def test_a_list_of_endless_pages_ends_with_the_first_empty_one(
    world, github, ingest, db
):
    add_runs(world, 150)
    github.faults.add("endless_pages", path="actions/workflows/.*runs", count=None)

    ingest.poll()

    assert len(github.log) < 15
    assert_is_truth(db, world)


@pytest.mark.parametrize("path", ["/actions/workflows", "/jobs"])
def test_a_loop_in_another_list_ends_at_once(world, github, ingest, db, path):
    world.add_run(REPO, FILE, conclusion="failure", duration=60)
    github.faults.add("link_loop", path=f"{path}[?]", count=None)

    ingest.poll()

    assert len([e for e in github.log if e.path.endswith(path)]) <= 2
    assert len(run_ids(db)) == 1
    assert_sound(db)


@pytest.mark.parametrize(
    "former", [{"base_path": "/api/v3"}, {"base_path": "/github/api/v3"}, {}]
)
def test_a_backfill_continues_when_the_api_has_moved(world, db, former):
    """The server is renamed, as from http to https, or has another base path."""
    add_runs(world, 350)
    with GitHubServer(world, **former) as server:
        server.faults.add("unauthorized", path="[?&]page=3")
        with closing(Ingest(db, server)) as ingest:
            ingest.poll()
    assert the_backfill(db).next_url.startswith("/repositories/")
    assert len(run_ids(db)) == 200

    with GitHubServer(world) as moved, closing(Ingest(db, moved)) as ingest:
        ingest.poll()
        assert older_pages(moved) == ["3", "4"]

    assert the_feed(db).error is None
    assert_is_truth(db, world)


def test_a_link_elsewhere_is_replaced_as_soon_as_github_sends_a_good_one(
    world, github, ingest, db
):
    add_runs(world, 350)
    wrong = '<https://old.example/api/v3/runs?page=2>; rel="next"'
    github.faults.add("header", path="runs.*per_page=100", name="link", value=wrong)

    ingest.poll()

    assert "another address (https://old.example)" in the_feed(db).error

    github.advance(60)
    ingest.poll()
    github.advance(60)
    ingest.poll()

    assert the_feed(db).error is None
    assert_is_truth(db, world)


# Values of any type, and those at the limits of SQLite, JSON and Python's calendar.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(
        [0, -1, 10**9, 2**63 - 1, 2**63, -(2**63) - 1, 2**70, 10**400, 1.5, 1e300]
    ),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.sampled_from(
        [
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59-12:00",
            "2199-12-31T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "2026-03-02T09:00:00+02:00",
            "\x00",
            "\ud83d",
            "x" * 70_000,
        ]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
    st.just([[[[]]]]),
    st.lists(st.fixed_dictionaries({"number": st.sampled_from([True, 2**70, "1", 7])})),
)
FIELDS = (
    "id",
    "run_attempt",
    "run_number",
    "created_at",
    "updated_at",
    "run_started_at",
    "status",
    "conclusion",
    "name",
    "display_title",
    "path",
    "event",
    "head_branch",
    "head_sha",
    "head_repository",
    "head_commit",
    "actor",
    "triggering_actor",
    "pull_requests",
    "html_url",
    "workflow_id",
    "check_suite_id",
)


class OneRun(Fault):
    """A fault of one run: it has other values in every response."""

    def __init__(self, run_id: int, changes: dict[str, Any]) -> None:
        super().__init__("one_run", re.compile(""), 1, None, 1.0, {})
        self._run_id = run_id
        self._changes = changes

    def apply(self, effects: Effects, draw: float) -> None:
        effects.transforms.append(on_json(lambda body: per_run(body, self._change)))

    def _change(self, run: Any) -> Any:
        is_it = isinstance(run, dict) and run.get("id") == self._run_id
        return {**run, **self._changes} if is_it else run


def test_feeds_are_polled_with_their_repository_again_after_a_bad_run(
    world, github, ingest
):
    """A run of another workflow cannot be stored: the feeds' own lists decide."""
    files = (FILE, "deploy.yml")
    for file in files:
        add_runs(world, 3, file=file)
    ingest.restart(workflows=files)
    ingest.poll()
    ingest.poll()
    bad = world.add_run(REPO, "unwatched.yml", duration=0)
    github.faults.armed.append(OneRun(bad.id, {"run_attempt": 10**9}))
    github.log.clear()
    assert ingest.poll().feeds_failed == 0
    own = [e.path.split("/")[-2] for e in github.log if "/workflows/" in e.path]
    assert sorted(own) == sorted(files)

    github.faults.clear()
    ingest.poll()
    github.log.clear()
    ingest.poll()

    assert [e.path for e in github.log if "/workflows/" in e.path] == []


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=4))
def test_one_bad_run_never_hides_the_others(tmp_path_factory, migrated_file, changes):
    """It gets a row, or it is refused; the 8 others are stored."""
    path = tmp_path_factory.mktemp("bad") / "ci_observer.db"
    path.write_bytes(migrated_file)
    world = World("2026-03-02T09:00:00Z")
    add_runs(world, 6)
    add_runs(world, 3, file="deploy.yml")
    bad, *good = sorted(world.runs)
    with (
        GitHubServer(world) as github,
        closing(schema.connect(path)) as db,
        closing(Ingest(db, github)) as ingest,
    ):
        github.faults.armed.append(OneRun(bad, changes))
        # Two workflows are polled by the list of their repository, too.
        ingest.restart(workflows=(FILE, "deploy.yml"))
        ingest.poll()

        assert set(good) <= set(run_ids(db))
        ci, deploy = feeds.watched(db)
        assert (deploy.error, deploy.checked_at) == (None, utc(github.clock()))
        # With another id that can be stored, it is another run.
        if len(run_ids(db)) == len(world.runs):
            assert (ci.error, ci.checked_at) == (None, utc(github.clock()))
        else:
            # It may have been the newest run: without it, no tile is proved.
            assert "1 of 6 runs that cannot be stored" in str(ci.error)
            assert ci.checked_at is None
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        for view in ("runs_full", "run_history", "wall", "tile_facts"):
            db.execute(f"select * from {view}").fetchall()  # noqa: S608
