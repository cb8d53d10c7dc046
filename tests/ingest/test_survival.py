"""Single faults that ingest survives: each is reported, and no run is lost."""

import asyncio
import errno
import os
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import timedelta
from pathlib import Path

import pytest
import stamina
from archive import set_clock
from polling import FILE, REPO, Ingest, add_runs, run_ids, the_feed
from sqlite_utils import Database
from truth import assert_is_truth, assert_sound

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.model import MISSING
from ci_observer.demo.server.world import World
from ci_observer.ingest.db import schema
from ci_observer.ingest.errors import DatabaseError
from ci_observer.ingest.lock import only_ingest
from ci_observer.ingest.polling.run_pages import RunPages
from ci_observer.ingest.store import feeds
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.times import utc

OTHER = "acme/web"
REFRESH = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _one_try_each() -> Iterator[None]:
    with stamina.set_testing(True, attempts=1):
        yield


@pytest.fixture
def two(world: World, github: GitHubServer, ingest: Ingest) -> Ingest:
    """Two polled repositories, each with more new runs than fit on a page."""
    for repo in (REPO, OTHER):
        add_runs(world, 5, repo=repo)
    ingest.restart(repos=(REPO, OTHER))
    ingest.poll()
    github.advance(3600)
    for repo in (REPO, OTHER):
        for _ in range(40):
            world.add_run(repo, FILE, duration=0)
    return ingest


def states(db: Database) -> dict[str, tuple[str | None, str | None]]:
    """The kind of error and the time of the last check, by feed."""
    return {feed.repo: (feed.error_kind, feed.checked_at) for feed in feeds.watched(db)}


def last_poll(db: Database) -> tuple[int, str | None]:
    [row] = db.execute(
        "select feeds_failed, error_kind from polls order by poll_id desc limit 1"
    )
    return row


@pytest.mark.parametrize(
    ("fault", "options", "kind"),
    [
        pytest.param("drop", {}, "unavailable", id="dropped connection"),
        pytest.param("html_error", {}, "unavailable", id="5xx with an HTML body"),
        pytest.param("truncate", {}, "unavailable", id="truncated body"),
        pytest.param("delay", {"seconds": 3600}, "unavailable", id="timeout"),
        pytest.param("invalid_json", {}, "invalid_response", id="invalid JSON"),
        pytest.param("missing_field", {}, "invalid_response", id="no list of runs"),
        pytest.param(
            "missing_field", {"name": "id"}, "invalid_response", id="a run without id"
        ),
        pytest.param("wrong_type", {}, "invalid_response", id="a list for an object"),
        pytest.param(
            "replaced",
            {"name": "id", "value": "many"},
            "invalid_response",
            id="a text for a number",
        ),
    ],
)
def test_a_fault_of_one_feed_is_reported_and_loses_nothing(
    world, github, two, db, fault, options, kind
):
    before = states(db)
    path = f"{REPO}/actions/workflows/"
    github.faults.add(fault, path=path, count=None, **options)

    with two.timeout(path, seconds=0.1) if fault == "delay" else nullcontext():
        two.poll()

    assert states(db)[REPO] == (kind, before[REPO][1])
    assert last_poll(db)[1] is None
    assert last_poll(db)[0] >= 1
    assert_sound(db)

    github.faults.clear()
    github.advance(60)
    two.poll()

    assert states(db) == {repo: (None, utc(github.clock())) for repo in before}
    assert last_poll(db) == (0, None)
    assert_is_truth(db, world)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("created_at", MISSING),
        ("run_attempt", MISSING),
        ("updated_at", MISSING),
        ("status", MISSING),
        ("created_at", 17),
        ("run_attempt", []),
        ("updated_at", {}),
        ("conclusion", 1),
        ("actor", "ada"),
        ("pull_requests", None),
        ("head_branch", ["main"]),
    ],
)
def test_a_missing_or_wrong_field_is_corrected_by_later_responses(
    world, github, two, db, name, value
):
    """Within a day, by the rescan of older pages. Only the id is required."""
    options = {"name": name} | ({} if value is MISSING else {"value": value})
    kind = "missing_field" if value is MISSING else "replaced"
    github.faults.add(kind, path="/runs", count=None, **options)

    two.poll()

    assert last_poll(db) == (0, None)
    assert len(run_ids(db)) == len(world.runs)
    assert db.execute("pragma integrity_check").fetchall() == [("ok",)]

    github.faults.clear()
    for _ in range(2):
        github.advance(timedelta(days=1).total_seconds())
        two.poll()

    assert_is_truth(db, world)


@pytest.mark.parametrize("error", [ZeroDivisionError("odd"), OverflowError("large")])
def test_an_unexpected_exception_of_one_feed_is_its_error_and_loses_nothing(
    world, github, two, db, monkeypatch, error, caplog
):
    before = states(db)
    fetch = RunPages.fetch_feed

    async def fail(self: RunPages, feed: Feed) -> None:
        if feed.repo == REPO:
            raise error
        await fetch(self, feed)

    with monkeypatch.context() as patched:
        patched.setattr(RunPages, "fetch_feed", fail)
        two.poll()
        two.poll()

    assert states(db)[REPO] == ("unexpected", before[REPO][1])
    assert last_poll(db) == (1, None)
    assert sum(bool(record.exc_info) for record in caplog.records) == 1

    two.poll()

    assert last_poll(db) == (0, None)
    assert_is_truth(db, world)


def test_an_unexpected_exception_between_the_items_ends_only_its_pass(
    world, github, ingest, db, monkeypatch, caplog
):
    add_runs(world, 3)
    patch = monkeypatch.context()
    patched = patch.__enter__()
    patched.setattr(RunPages, "choose_lists", lambda *_: 1 / 0)

    poll_times(ingest, github, lambda: patch.__exit__(None, None, None))

    assert "ended with an unexpected error" in caplog.text
    assert_is_truth(db, world)


def refused_url() -> str:
    """The URL of a port on which no process listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def fail_to_resolve(*_: object, **__: object) -> None:
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.mark.parametrize("fault", ["DNS failure", "refused connection"])
def test_a_missing_connection_is_no_feed_s_error_and_loses_nothing(
    world, github, two, db, monkeypatch, fault
):
    before = states(db)
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", fail_to_resolve)
        is_dns = fault == "DNS failure"
        two.restart(api_url="http://github.test" if is_dns else refused_url())
        two.poll()

    assert states(db) == before
    assert last_poll(db) == (0, "unreachable")
    assert_sound(db)

    two.restart(api_url=github.url)
    two.poll()

    assert last_poll(db) == (0, None)
    assert_is_truth(db, world)


def test_a_token_revoked_during_a_pass_stops_polling_until_there_is_a_new_one(
    world, github, ingest, db, tmp_path
):
    """Of twelve repositories, only a few are requested after the refused one."""
    repos = tuple(f"acme/service-{n:02}" for n in range(12))
    for repo in repos:
        add_runs(world, 2, repo=repo)
    path = tmp_path / "token"
    path.write_text(github.token)
    ingest.restart(repos=repos, token_file=path)
    ingest.poll()
    for repo in repos:
        world.add_run(repo, FILE)
    github.advance(60)
    github.log.clear()
    revoked = github.faults.add("unauthorized", nth=4, count=None)

    ingest.poll()

    requests = len(github.log)
    assert requests <= 7
    assert last_poll(db) == (0, "unauthorized")
    assert {kind for kind, _ in states(db).values()} == {None}
    assert 24 < len(run_ids(db)) < 36
    set_clock(db, github.clock())
    [[state, reason]] = db.execute("select state, reason from polling")
    assert (state, "refuses the token (401)" in reason) == ("unauthorized", True)
    assert_sound(db)
    for _ in range(5):
        github.advance(60)
        ingest.poll()
    assert len(github.log) == requests

    github.faults.armed.remove(revoked)
    github.settings.tokens["another"] = github.settings.tokens.pop(github.token)
    path.write_text("another")
    ingest.poll()

    assert last_poll(db) == (0, None)
    assert_is_truth(db, world)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder of two megabytes, mounted if the system permits that."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
    is_mounted = os.geteuid() == 0 and not subprocess.call(mount)  # noqa: S603
    yield folder
    if is_mounted:
        subprocess.check_call(["umount", str(folder)])  # noqa: S603, S607


def fill(folder: Path) -> Path:
    """Use all the remaining space."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        chunks = iter(lambda: file.write(b"x" * 512), 0)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            list(chunks)
    return filler


def poll_times(ingest, github, *between):
    """Run the loop, with one call in each wait, until after the last call."""
    steps = iter(between)

    async def wait(seconds: float) -> None:
        github.advance(seconds)
        try:
            next(steps)()
        except StopIteration:
            raise asyncio.CancelledError from None

    with pytest.raises(asyncio.CancelledError):
        ingest.run_forever(wait)


def test_a_full_disk_is_reported_and_loses_nothing(world, github, small_disk, caplog):
    """On a mounted disk if possible, otherwise with a limit on the file's pages."""
    path = small_disk / "ci_observer.db"
    add_runs(world, 5)
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
        ingest = Ingest(db, github)
        ingest.poll()
        if small_disk.is_mount():
            filler = fill(small_disk)
        else:
            [[pages]] = db.execute("pragma page_count")
            db.execute(f"pragma max_page_count = {pages}")
        github.advance(60)
        for _ in range(60):
            world.add_run(REPO, FILE, duration=0)

        def make_room() -> None:
            assert len(run_ids(db)) == 5
            if small_disk.is_mount():
                filler.unlink()
            db.execute("pragma max_page_count = 1000000")

        poll_times(ingest, github, make_room)
        ingest.close()

        assert "The database cannot be written" in caplog.text
        assert the_feed(db).checked_at == utc(github.clock() - REFRESH)
        assert_is_truth(db, world)


def test_a_locked_database_is_reported_and_loses_nothing(
    world, github, ingest, db, db_path, caplog
):
    add_runs(world, 5)
    db.execute("pragma busy_timeout = 0")
    other = sqlite3.connect(db_path, isolation_level=None)
    other.execute("begin immediate")

    poll_times(ingest, github, lambda: other.execute("rollback"))
    other.close()

    assert "database is locked" in caplog.text
    assert last_poll(db) == (0, None)
    assert_is_truth(db, world)


def test_a_clock_that_jumps_back_and_forth_loses_nothing(world, github, db):
    jump = timedelta(0)
    with closing(Ingest(db, github, clock=lambda: github.clock() + jump)) as ingest:
        for hours in (3, -2, 48, -48, 0):
            jump = timedelta(hours=hours)
            world.add_run(REPO, FILE, duration=0)
            ingest.poll()
            assert_sound(db)
            github.advance(60)

    assert last_poll(db) == (0, None)
    assert the_feed(db).checked_at == utc(github.clock() - REFRESH)
    assert_is_truth(db, world)


def test_a_clock_set_back_lengthens_no_wait(world, github, db):
    """Neither that of the loop nor those of feeds, repositories and lists."""
    add_runs(world, 300)
    jump, waits = timedelta(hours=10), []
    ingest = Ingest(db, github, clock=lambda: github.clock() + jump)
    ingest.restart(workflows=(FILE, "nope.yml"))
    ingest.poll()
    ingest.poll()
    github.log.clear()

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        github.advance(seconds)
        if len(waits) == 3:
            raise asyncio.CancelledError

    jump = timedelta(0)
    with closing(ingest), pytest.raises(asyncio.CancelledError):
        ingest.run_forever(wait)

    assert waits == [60, 60, 60]
    requested = [entry.path for entry in github.log if "nope" in entry.path]
    assert requested, "the missing workflow still rests for 11 hours"
    set_clock(db, github.clock())
    assert {feed.workflow: feed.retry_at for feed in feeds.watched(db)} == {
        FILE: None,
        "nope.yml": utc(github.clock() + timedelta(minutes=57)),
    }


def test_a_second_ingest_on_one_database_is_refused(world, github, ingest, db, db_path):
    add_runs(world, 5)
    with only_ingest(db_path):
        with (
            pytest.raises(DatabaseError, match="Another ingest is polling"),
            only_ingest(db_path),
        ):
            pass
        ingest.poll()

    with only_ingest(db_path):
        assert_is_truth(db, world)


def test_a_second_writer_that_is_not_refused_does_no_harm(world, github, db_path, db):
    """The lock only saves requests; the stored data is correct without it."""
    add_runs(world, 130)
    with (
        closing(schema.connect(db_path)) as other_db,
        closing(Ingest(db, github)) as one,
        closing(Ingest(other_db, github)) as other,
    ):
        for _ in range(3):
            one.poll(backfill_deadline=github.clock())
            other.poll(backfill_deadline=github.clock())
            github.advance(60)
            world.add_run(REPO, FILE)
        one.poll()
        other.poll()

    assert last_poll(db) == (0, None)
    assert_is_truth(db, world)
