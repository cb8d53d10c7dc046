"""`ci-observer backfill`: alone, with a running ingest, and after interruptions."""

import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from click.testing import CliRunner, Result
from forked_command import start_command
from polling import FILE, REPO, add_runs
from sqlite_utils import Database
from waiting import HANG_SECONDS, eventually

from ci_observer.demo.scenario import synthetic_world
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.pagination import Caps
from ci_observer.demo.server.run_objects import run_object
from ci_observer.demo.server.world import World
from ci_observer.demo.times import utc_now
from ci_observer.ingest.cli import main
from ci_observer.ingest.commands import backfill
from ci_observer.ingest.commands.explained_errors import EXIT_FAILED
from ci_observer.ingest.db import schema
from ci_observer.ingest.github import windows
from ci_observer.ingest.github.windows import MAX_INCOMPLETE
from ci_observer.ingest.lock import only_ingest
from ci_observer.ingest.store import backfills, feeds, older_runs
from ci_observer.ingest.store.responses import CachedResponse, ResponseKey
from ci_observer.ingest.times import utc

OTHER = "acme/web"
KILLS = 20
# The number of responses that the longest of the killed processes receives.
MOST_RESPONSES = 14
# The number of runs that GitHub's search lists in these tests.
SEARCHED = 60

pytestmark = pytest.mark.usefixtures("only_own_settings")


@pytest.fixture
def world() -> World:
    """400 runs an hour apart: 17 days, in 4 pages of 100."""
    world = World(utc_now())
    add_runs(world, 400)
    return world


@pytest.fixture
def github(world: World) -> Iterator[GitHubServer]:
    with GitHubServer(world, clock=utc_now) as server:
        yield server


@pytest.fixture
def environ(github: GitHubServer, db_path: Path) -> dict[str, str]:
    """Settings that poll `acme/api`, with one day of history at the first start."""
    return {
        "GITHUB_TOKEN": github.token,
        "GITHUB_API_URL": github.url,
        "GH_REPOS": REPO,
        "GH_WORKFLOWS": FILE,
        "CI_OBSERVER_DB": str(db_path),
        "HISTORY_DAYS": "1",
        # Else each of the 400 runs costs a request.
        "FETCH_JOBS": "failed",
    }


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environ)


def days_ago(days: int) -> str:
    return f"{utc_now() - timedelta(days=days):%Y-%m-%d}"


def start(environ: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 (our own command)
        [sys.executable, "-m", "ci_observer", *arguments],
        env=os.environ | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(condition: Callable[[], bool], is_running: Callable[[], bool]) -> bool:
    """Wait for a condition; False if the process ends without it."""
    eventually(lambda: condition() or not is_running(), every=0.002)
    return condition()


def wait_for_page(
    github: GitHubServer, number: str, process: subprocess.Popen[str]
) -> None:
    """Wait until the process has requested a page of 100."""
    assert wait_for(
        lambda: number in [page for page, _ in pages(github)],
        lambda: process.poll() is None,
    )


def run_count(db_path: Path) -> int:
    return int(Database(db_path)["runs"].count)


def pages(github: GitHubServer) -> list[tuple[str, int]]:
    """The requested pages of 100, as (page, status)."""
    return [
        (entry.query.get("page", "1"), entry.status)
        for entry in github.log
        if entry.query.get("per_page") == "100" and entry.path.endswith("/runs")
    ]


def test_history_is_fetched_back_to_the_date_and_no_further(environ, db_path):
    run("ingest", "--once", **environ)
    assert run_count(db_path) == 100

    since = days_ago(10)
    result = run("backfill", "--since", since, **environ)

    assert result.exit_code == 0, result.output
    assert f"1 of 1 feeds complete back to {since}.\n" in result.output
    assert run_count(db_path) == 300


def test_cached_pages_cost_nothing(environ, github):
    run("ingest", "--once", **environ)
    github.log.clear()

    run("backfill", "--since", days_ago(15), **environ)

    assert pages(github) == [("1", 304), ("2", 200), ("3", 200), ("4", 200)]


def test_a_complete_history_is_not_fetched_again(environ, github):
    run("backfill", "--since", days_ago(10), **environ)
    github.log.clear()

    result = run("backfill", "--since", days_ago(10), **environ)

    assert result.exit_code == 0
    assert pages(github) == []


def test_the_whole_list_is_fetched_when_it_ends_above_the_date(environ, db_path):
    result = run("backfill", "--since", "2000-01-01", **environ)

    assert result.exit_code == 0
    assert "back to 2018-10-16" in result.output
    assert "did not list" not in result.output
    assert run_count(db_path) == 400


def test_a_first_start_fetches_as_much_history_as_ingest(environ, db_path):
    result = run("backfill", "--since", days_ago(0), **environ | {"HISTORY_DAYS": "10"})

    assert result.exit_code == 0
    assert run_count(db_path) == 300


def test_only_the_named_repository_is_fetched(environ, github, db_path):
    add_runs(github.world, 400, repo=OTHER)
    environ["GH_REPOS"] = f"{REPO},{OTHER}"
    run("ingest", "--once", **environ)

    result = run(
        "backfill", "--since", days_ago(10), "--repo", OTHER.upper(), **environ
    )

    assert "1 of 1 feeds complete" in result.output
    counts = Database(db_path).execute("select repo, count(*) from runs group by repo")
    assert dict(counts.fetchall()) == {REPO: 100, OTHER: 300}


def test_every_workflow_is_found_first(environ, github, db_path):
    add_runs(github.world, 150, file="nightly.yml")

    result = run("backfill", "--since", days_ago(10), **environ | {"GH_WORKFLOWS": "*"})

    assert "2 of 2 feeds complete" in result.output
    assert run_count(db_path) == 300 + 150


def test_a_repository_of_a_watched_owner_can_be_named(environ, github, db_path):
    add_runs(github.world, 50, repo="acme/web")

    result = run(
        *("backfill", "--since", days_ago(1), "--repo", "acme/web"),
        **environ | {"GH_REPOS": "acme/*"},
    )

    assert "1 of 1 feeds complete" in result.output
    assert result.exit_code == 0


def test_an_owner_that_is_not_found_counts_as_a_failed_feed(environ):
    result = run(
        *("backfill", "--since", days_ago(1)),
        **environ | {"GH_REPOS": f"{REPO},nobody/*"},
    )

    assert "nobody/*: No such owner: check GH_REPOS" in result.stderr
    assert "1 of 2 feeds complete" in result.output
    assert "1 failed." in result.output
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("last week", "'last week' is not a date. Write year-month-day, for example"),
        ("2026-02-30", "'2026-02-30' is not a date"),
        ("9999-12-31", "in the future"),
    ],
)
def test_a_bad_date_is_refused(environ, github, since, expected):
    result = run("backfill", "--since", since, **environ)

    assert result.exit_code == 2
    assert result.output.startswith("Error: --since: ")
    assert expected in result.output
    assert github.log == []


def test_a_repository_that_is_not_watched_is_refused(environ, github):
    result = run("backfill", "--since", days_ago(3), "--repo", OTHER, **environ)

    assert result.exit_code == 2
    assert f"{OTHER} is not watched. Write one of {REPO}, or add it" in result.output
    assert github.log == []


def test_without_watched_feeds_it_is_refused(environ):
    result = run("backfill", "--since", days_ago(3), **environ | {"GH_REPOS": ""})

    assert result.exit_code == 2
    assert "GH_REPOS is empty" in result.output


def test_a_feed_that_fails_stops_no_other(environ, github, db_path):
    environ["GH_WORKFLOWS"] = f"{FILE},nope.yml"

    result = run("backfill", "--since", days_ago(10), **environ)

    assert result.exit_code == 1
    assert f"{REPO} nope.yml: Not found (404)" in result.output
    assert "1 of 2 feeds complete" in result.output
    assert run_count(db_path) == 300


def test_a_refused_token_ends_it(environ, github):
    github.faults.add("unauthorized", path="[?&]page=3", count=None)

    result = run("backfill", "--since", days_ago(10), **environ)

    assert result.exit_code == 1
    assert result.output.splitlines()[-1].endswith(backfill.CONTINUES)


def test_it_waits_for_a_rate_limit(environ, github, db_path):
    github.faults.add("primary_limit", path="[?&]page=3", seconds=2)
    environ["REFRESH_SECONDS"] = "5"

    result = run("backfill", "--since", days_ago(10), **environ)

    assert result.exit_code == 0
    assert result.output.count("Waiting until ") == 1
    assert [status for page, status in pages(github) if page == "3"] == [403, 200]
    assert run_count(db_path) == 300


def test_history_continues_below_the_end_of_github_s_list(environ, github, db_path):
    github.settings.caps = Caps(listed=200, counted=200)

    result = run("backfill", "--since", "2020-01-01", **environ)

    assert result.output.endswith("1 of 1 feeds complete back to 2020-01-01.\n")
    assert run_count(db_path) == 400


def test_runs_that_the_search_counts_but_does_not_list_are_reported(
    environ, github, db_path
):
    """The next call requests them again."""
    github.settings.caps = Caps(listed=200)
    github.faults.add(
        "partial",
        path="created=",
        keep=0.2,
        counts_all=True,
        count=MAX_INCOMPLETE,
    )

    first = run("backfill", "--since", days_ago(15), **environ)
    stored = run_count(db_path)
    second = run("backfill", "--since", days_ago(15), **environ)

    assert first.exit_code == second.exit_code == 0
    missing = "did not list all the runs that it counts in a window of time"
    assert f"{REPO} {FILE}: GitHub's search {missing}" in first.output
    assert stored < 361
    assert missing not in second.output
    assert run_count(db_path) >= 361


def test_a_list_that_ends_too_early_is_reported(environ, github, db_path):
    """The search lists nothing older either."""
    github.settings.caps = Caps(listed=100)
    github.faults.add("empty_list", path="created=", count=None)

    result = run("backfill", "--since", days_ago(10), **environ)

    assert result.exit_code == 0
    assert "did not list all the runs that it counts" in result.output
    assert run_count(db_path) == 100


def test_a_running_ingest_does_the_fetching(environ, github, db_path, monkeypatch):
    monkeypatch.setattr(backfill, "WATCH_SECONDS", 0.05)
    ingest = start(environ | {"REFRESH_SECONDS": "5"}, "ingest")
    wait_for_page(github, "1", ingest)
    github.log.clear()

    result = run("backfill", "--since", days_ago(10), **environ)
    unknown = run("backfill", "--since", days_ago(10), "--repo", OTHER, **environ)
    ingest.terminate()
    ingest.communicate()

    assert result.exit_code == 0
    assert "only watches" in result.output
    assert "0 of 1 feeds complete" in result.output
    # The ingest requests the newest page repeatedly.
    assert [page for page, _ in pages(github) if page != "1"] == ["2", "3"]
    assert run_count(db_path) == 300
    assert unknown.exit_code == 2


def test_the_end_of_the_running_ingest_is_reported(environ, db_path, monkeypatch):
    run("ingest", "--once", **environ)
    seconds, attempts = 0.0, 0
    with ExitStack() as lock:
        lock.enter_context(only_ingest(db_path))

        def try_to_lock(path: Path) -> AbstractContextManager[None]:
            nonlocal seconds, attempts
            attempts += 1
            if attempts == 3:
                lock.close()
                seconds += 1 + backfill.GONE_AFTER_SECONDS
            return only_ingest(path)

        monkeypatch.setattr(backfill, "WATCH_SECONDS", 0)
        monkeypatch.setattr(backfill, "only_ingest", try_to_lock)
        clock = SimpleNamespace(monotonic=lambda: seconds)
        monkeypatch.setattr(backfill, "time", clock)
        result = run("backfill", "--since", days_ago(10), **environ)

    assert attempts == 3
    assert result.exit_code == 1
    assert f"The ingest has ended. {backfill.CONTINUES}" in result.output
    assert run("ingest", "--once", **environ).exit_code == 0
    assert run_count(db_path) == 300


def test_it_does_not_wait_for_an_ingest_that_polls_nothing(environ, db_path):
    run("ingest", "--once", **environ | {"GH_REPOS": ""})
    with only_ingest(db_path):
        result = run("backfill", "--since", days_ago(10), **environ)

    assert result.exit_code == 2
    assert "GH_REPOS is empty" in result.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_backfill_continues_where_it_was(environ, github, db_path, number):
    github.faults.add("delay", path="[?&]page=3", seconds=HANG_SECONDS)
    process = start(environ, "backfill", "--since", days_ago(10))
    wait_for_page(github, "3", process)
    process.send_signal(number)
    output, _ = process.communicate(timeout=HANG_SECONDS)

    assert process.returncode == 0
    assert f"Not complete yet. {backfill.CONTINUES}" in output
    github.log.clear()
    result = run("backfill", "--since", days_ago(10), **environ)

    assert result.exit_code == 0
    assert [page for page, status in pages(github) if status == 200] == ["3"]
    assert run_count(db_path) == 300


@pytest.mark.parametrize("listed", [40_000, 100])
def test_a_terminal_shows_a_bar(environ, github, listed):
    """It never goes backwards, not even below the end of GitHub's list."""
    github.settings.caps = Caps(listed=listed)
    since = days_ago(10)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 (our own command)
        [sys.executable, "-m", "ci_observer", "backfill", "--since", since],
        env=os.environ | environ,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    output, _ = process.communicate(timeout=HANG_SECONDS)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)

    assert output == f"1 of 1 feeds complete back to {since}.\n"
    assert "days of history" in shown
    days = [int(position) for position in re.findall(r" (\d+)/\d+\b", shown)]
    assert days == sorted(days)
    # A day more if one has begun during the test.
    all_days = (utc_now() - datetime.fromisoformat(f"{since}T00:00Z")).days
    assert days[-1] in {10, all_days}
    assert f" {days[-1]}/{days[-1]}" in shown
    assert "1 of 1 feeds complete" in shown
    assert "INFO" not in shown


def test_the_jobs_of_the_history_are_fetched_too(environ, github, db_path):
    environ["FETCH_JOBS"] = "default-branch"
    started = run("backfill", "--since", days_ago(2), **environ)
    assert (started.exit_code, github.limits.per_user) == (0, 5000)
    assert "days of jobs" in started.stderr

    [[runs, with_jobs]] = Database(db_path).execute(
        "select count(distinct run_id), count(distinct run_id) filter (where has_jobs)"
        " from run_attempts where started_at > ?",
        [days_ago(2)],
    )
    assert 24 < runs == with_jobs


def test_an_older_date_does_not_restart_a_backfill(db):
    """Not even while another process fetches a page of the same feed."""
    now = utc_now()
    feeds.save_watched(db, [(REPO, FILE)])
    near, far = now - timedelta(days=5), now - timedelta(days=50)
    [feed] = feeds.watched(db)
    backfills.request(db, [feed.key], since=near, horizon=now)
    with db.atomic():
        backfills.update(db, feed.key, next_url="page-7")
    fetching = backfills.get(db, feed.key)

    backfills.request(db, [feed.key], since=far, horizon=now)
    backfills.request(db, [feed.key], since=near, horizon=now)
    page = CachedResponse(
        ResponseKey("runs", REPO, "page-7"), "", "page-8", utc(near - timedelta(days=1))
    )
    older_runs.save_page(db, feed, fetching, [], page=page, now=now)

    got = backfills.get(db, feed.key)
    assert (got.fetch_until, got.next_url) == (utc(far), "page-8")


class Killer:
    """Starts the command, and kills it after each number of responses in turn."""

    def __init__(
        self,
        github: GitHubServer,
        environ: dict[str, str],
        constants: dict[str, object] | None = None,
    ) -> None:
        self.github = github
        self.environ = environ
        self.constants = constants
        self.chance = random.Random(1)  # noqa: S311 (a repeatable test)
        numbers = range(1, MOST_RESPONSES + 1)
        self.responses = cycle(self.chance.sample(numbers, len(numbers)))
        self.kills = 0

    def life(self, *arguments: str) -> bool:
        """Run one process; return whether it ended before it was killed."""
        last_request = len(self.github.log) + next(self.responses)
        process = start_command(self.environ, *arguments, constants=self.constants)
        if wait_for(lambda: len(self.github.log) >= last_request, process.is_alive):
            # Sometimes just after a response, sometimes while it is being saved.
            time.sleep(self.chance.random() * 0.02)
        process.kill()
        process.join()
        assert process.exitcode in (0, EXIT_FAILED, -signal.SIGKILL)
        is_killed = process.exitcode == -signal.SIGKILL
        process.close()
        self.kills += is_killed
        return not is_killed


def change_world(world: World, chance: random.Random) -> None:
    """New runs move the pages, and old runs are re-run."""
    world.advance_to(utc_now())
    runs = list(world.runs.values())
    for run_ in chance.sample(runs, 2):
        world.rerun(run_)
        world.update_run(run_, conclusion=chance.choice(("success", "failure")))
    world.add_run(chance.choice(runs).repo.full_name, "workflow-0.yml", duration=0)


def truth(world: World) -> dict[int, tuple[int, dict[str, Any]]]:
    """Every run's latest attempt and whole object on GitHub."""
    versions = [(run_, run_.version_at(world.now)) for run_ in world.runs.values()]
    return {
        run_.id: (version.run_attempt, run_object(run_, version, world.sites))
        for run_, version in versions
    }


@pytest.mark.long
def test_kills_lose_nothing(db_path):
    """Killed at random moments, while older and older history is fetched."""
    world = synthetic_world.build(repos=2, workflows=2, runs=250, now=utc_now())
    with GitHubServer(world, clock=utc_now, latency=0.005) as github:
        environ = synthetic_environ(github, db_path)
        killer = Killer(github, environ)
        days = 0
        while killer.kills < KILLS:
            change_world(world, killer.chance)
            days += killer.life("backfill", "--since", days_ago(days))
        world.advance_to(utc_now())
        github.settings.latency = 0
        # The first call completes the backfill, the second finds the changes above it.
        codes = [
            run("backfill", "--since", "2020-01-01", **environ).exit_code
            for _ in range(2)
        ]
        github.log.clear()
        codes.append(run("backfill", "--since", "2020-01-01", **environ).exit_code)
        statuses = {e.status for e in github.log if e.query.get("per_page") != "1"}
        expected = truth(world)

    assert codes == [0, 0, 0]
    assert statuses == {304}
    assert_archived(schema.connect(db_path), expected)


@pytest.mark.long
def test_kills_below_the_end_of_the_list_lose_nothing(db_path, monkeypatch):
    """Killed during requests to a search that lists few runs, lags and misses some."""
    world = synthetic_world.build(repos=1, workflows=2, runs=250, now=utc_now())
    caps = Caps(listed=100, counted=100, searched=SEARCHED)
    with GitHubServer(world, clock=utc_now, latency=0.005, caps=caps) as github:
        github.faults.add("partial", path="created=", count=None, probability=0.1)
        environ = synthetic_environ(github, db_path)
        constants = {f"{windows.__name__}.MAX_LISTED": SEARCHED}
        killer = Killer(github, environ, constants)
        in_windows = lives = 0
        while killer.kills < KILLS:
            change_world(world, killer.chance)
            # Each date is older: a date that was reached needs no requests.
            lives += 1
            killer.life("backfill", "--since", days_ago(1000 + lives))
            in_windows += "created" in github.log[-1].query
        world.advance_to(utc_now())
        github.faults.clear()
        github.settings.latency = 0
        monkeypatch.setattr(windows, "MAX_LISTED", SEARCHED)
        # The backfill may have reached the first date before the last changes.
        codes = [
            run("backfill", "--since", f"{year}-01-01", **environ).exit_code
            for year in (2020, 2019)
        ]
        expected = truth(world)

    assert in_windows > KILLS / 4
    assert codes == [0, 0]
    assert_archived(schema.connect(db_path), expected)


def synthetic_environ(github: GitHubServer, db_path: Path) -> dict[str, str]:
    """Settings that poll all repositories and workflows of a synthetic world."""
    certificate = db_path.with_name("certificate.pem")
    trustme.CA().cert_pem.write_to_path(certificate)
    repos = github.world.repos.values()
    files = {file for repo in repos for file in repo.workflows}
    return {
        "GITHUB_TOKEN": github.token,
        "GITHUB_API_URL": github.url,
        "GH_REPOS": ",".join(repo.full_name for repo in repos),
        "GH_WORKFLOWS": ",".join(sorted(files)),
        "CI_OBSERVER_DB": str(db_path),
        "HISTORY_DAYS": "1",
        "FETCH_JOBS": "none",
        # One certificate: to load the usual ones takes 25 ms per process.
        "SSL_CERT_FILE": str(certificate),
    }


def assert_archived(
    db: Database, expected: dict[int, tuple[int, dict[str, Any]]]
) -> None:
    """Every run is stored once, as on GitHub, with all of its attempts."""
    assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert db.execute("pragma foreign_key_check").fetchall() == []
    runs = db.execute("select run_id, run_attempt, raw_json from runs_full").fetchall()
    assert len(runs) == len(expected)
    assert {r: (a, json.loads(raw)) for r, a, raw in runs} == expected
    attempts = db.execute("select run_id, run_attempt from run_attempts").fetchall()
    assert sorted(attempts) == sorted(
        (run_id, attempt)
        for run_id, (latest, _) in expected.items()
        for attempt in range(1, latest + 1)
    )
