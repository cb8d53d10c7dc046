"""History below the end of GitHub's run list, fetched by time windows."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from archive import watch
from factories import run_payload
from hypothesis import given
from hypothesis import strategies as st
from polling import FILE, REPO, Ingest, add_runs, run_ids, the_backfill, the_feed

from ci_observer.demo.server.faults import Faults
from ci_observer.demo.server.github import LogEntry
from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.pagination import Caps
from ci_observer.demo.server.world import World
from ci_observer.ingest.github import windows
from ci_observer.ingest.github.windows import (
    Window,
    WindowPage,
    is_surely_last,
    next_step,
)
from ci_observer.ingest.polling import backfill
from ci_observer.ingest.store import backfills, feeds, older_runs
from ci_observer.ingest.store.responses import CachedResponse, ResponseKey
from ci_observer.ingest.times import utc

PAGE, CAP, LISTED = 12, 40, 60


@pytest.fixture(autouse=True)
def _small(monkeypatch, github: GitHubServer) -> None:
    """GitHub's limits in miniature: pages of 12, 60 runs listed, 40 in a search."""
    monkeypatch.setattr(backfill, "PAGE_SIZE", PAGE)
    monkeypatch.setattr(windows, "MAX_LISTED", CAP)
    github.settings.caps = Caps(listed=LISTED, counted=LISTED, searched=CAP)


@pytest.fixture(autouse=True)
def _far_back(ingest: Ingest, _small) -> None:
    ingest.restart(history_days=3000)


def window_requests(github: GitHubServer) -> list[LogEntry]:
    """The requests for time windows."""
    return [entry for entry in github.log if "created" in entry.query]


def all_runs(world: World) -> list[int]:
    return sorted(world.runs)


@pytest.mark.parametrize("list_end", ["422", "no link"])
@pytest.mark.parametrize("counted", [LISTED, 1_000_000])
def test_runs_below_the_end_of_the_list_are_fetched(
    world, github, ingest, db, list_end, counted
):
    github.settings.caps = Caps(LISTED, counted, CAP, list_end)
    add_runs(world, 300)

    result = ingest.poll()

    assert (result.error, result.feeds_failed) == (None, 0)
    assert run_ids(db) == all_runs(world)
    assert the_backfill(db).completed_at is not None
    assert the_backfill(db).windows_given_up == 0


def test_runs_in_the_list_are_not_requested_by_time(world, github, ingest, db):
    add_runs(world, 300)

    ingest.poll()

    end = sorted((run.created_at for run in world.runs.values()), reverse=True)[LISTED]
    newest = max(
        entry.query["created"].partition("..")[2] for entry in window_requests(github)
    )
    assert newest <= utc(end + timedelta(hours=windows.OVERLAP_RUNS + 1))


def test_history_ends_at_the_date_also_below_the_list(world, github, ingest, db):
    ingest.restart(history_days=5)
    add_runs(world, 300)

    ingest.poll()

    assert run_ids(db) == all_runs(world)[-121:]


def test_windows_need_few_pages(world, github, ingest):
    """The overlap of ten runs is a quarter of a window here, at GitHub a hundredth."""
    add_runs(world, LISTED + 400)

    ingest.poll()

    assert len(window_requests(github)) <= 3 * 400 / PAGE


@pytest.mark.parametrize("count", [35, 41, 49])
def test_below_a_list_that_really_ends_nothing_is_requested(
    world, github, ingest, count
):
    add_runs(world, count)

    ingest.poll()

    assert window_requests(github) == []


@pytest.mark.parametrize("count", [48, LISTED])
def test_below_a_list_with_a_full_last_page_is_one_request(
    world, github, ingest, count
):
    add_runs(world, count)

    ingest.poll()

    assert len(window_requests(github)) <= -(-windows.OVERLAP_RUNS // PAGE) + 1


def test_a_rescan_with_the_same_last_page_requests_nothing_below(world, github, ingest):
    """The cached response behind the 304 had the count."""
    add_runs(world, 45)
    ingest.poll()
    github.advance(24 * 3600)
    github.log.clear()

    ingest.poll()

    statuses = [e.status for e in github.log if e.query.get("per_page") == str(PAGE)]
    assert statuses == [304] * 4
    assert window_requests(github) == []


def test_many_runs_of_one_second_are_fetched(world, github, ingest, db, monkeypatch):
    """Full seconds, next to each other and at the end of the list."""
    for seconds in (90, 70, 31, 30, 30, 10):
        for _ in range(CAP - 5):
            born = world.now - timedelta(seconds=seconds)
            world.add_run(REPO, FILE, created_at=born, duration=0)
    github.settings.caps = Caps(LISTED, searched=CAP * 2)
    monkeypatch.setattr(windows, "MAX_LISTED", CAP * 2)

    ingest.poll()

    assert run_ids(db) == all_runs(world)


def test_a_second_with_more_runs_than_are_listed_is_reported_and_skipped(
    world, github, ingest, db, caplog
):
    add_runs(world, 100)
    born = world.now - timedelta(hours=75)
    for _ in range(CAP + 20):
        world.add_run(REPO, FILE, created_at=born, duration=0)

    ingest.poll()

    assert len(run_ids(db)) == 160 - 21
    assert the_backfill(db).windows_given_up == 1
    assert "has not listed all that it counts" in caplog.text


@pytest.mark.parametrize("counts_all", [True, False])
@pytest.mark.parametrize("times", [1, 2])
def test_a_partial_response_is_requested_again(
    world, github, ingest, db, counts_all, times
):
    add_runs(world, 85)
    github.faults.add(
        "partial", path="created=", keep=0.6, counts_all=counts_all, count=times
    )

    ingest.poll()

    assert run_ids(db) == all_runs(world)
    assert the_backfill(db).windows_given_up == 0


@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize(
    "fault", [("empty_list", {}), ("status", {"status": 422}), ("partial", {"keep": 0})]
)
def test_an_empty_response_proves_nothing(world, github, ingest, db, nth, fault):
    kind, options = fault
    add_runs(world, 200)
    github.faults.add(kind, path="created=", nth=nth, **options)

    result = ingest.poll()

    assert result.feeds_failed == 0
    assert run_ids(db) == all_runs(world)
    assert the_backfill(db).windows_given_up == 0


def test_a_search_that_always_lists_nothing_is_given_up(
    world, github, ingest, db, caplog
):
    add_runs(world, 200)
    github.faults.add("empty_list", path="created=", count=None)

    result = ingest.poll()

    assert result.feeds_failed == 0
    assert len(window_requests(github)) == windows.MAX_INCOMPLETE
    assert len(run_ids(db)) == LISTED
    assert the_backfill(db).windows_given_up == 1
    assert "has not listed all that it counts" in caplog.text


def test_a_window_that_was_given_up_is_requested_by_the_next_backfill(
    world, github, ingest, db
):
    add_runs(world, 200)
    fault = github.faults.add("empty_list", path="created=", count=None)
    ingest.poll()
    fault.count = 0
    far = world.now - timedelta(days=5)

    backfills.request(db, [the_feed(db).key], since=far, horizon=far)
    ingest.poll()

    assert run_ids(db)[0] <= all_runs(world)[-121]
    assert the_backfill(db).windows_given_up == 0


def test_a_window_that_was_given_up_does_not_affect_older_ones(
    world, github, ingest, db
):
    """It misses more runs than a search lists, and they are newer than all others."""
    add_runs(world, 200)
    github.faults.add(
        "empty_list", path="created=", nth=2, count=windows.MAX_INCOMPLETE
    )

    ingest.poll()

    assert len(window_requests(github)) < 30
    assert the_backfill(db).fetch_until is None
    assert the_backfill(db).windows_given_up == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_search_that_often_fails_gets_a_bounded_number_of_requests(
    world, github, ingest, db, seed
):
    """After the search has recovered, the next backfill finds every run."""
    chance = random.Random(seed)  # noqa: S311 (a repeatable test)
    for _ in range(300):
        age = timedelta(seconds=int(10 ** chance.uniform(2, 7)))
        world.add_run(REPO, FILE, created_at=world.now - age, duration=0)
    github.github.faults = Faults(seed)
    for kind, options in (
        ("empty_list", {}),
        ("partial", {"keep": 0.3, "counts_all": True}),
        ("status", {"status": 422}),
    ):
        github.faults.add(kind, path="created=", count=None, probability=0.3, **options)

    ingest.poll()
    requests = len(window_requests(github))
    github.faults.clear()
    far = world.now - timedelta(days=3001)
    backfills.request(db, [the_feed(db).key], since=far, horizon=far)
    ingest.poll()

    assert requests < 400
    assert run_ids(db) == all_runs(world)
    assert the_backfill(db).windows_given_up == 0


def test_known_runs_that_were_deleted_leave_no_window_incomplete(
    world, github, ingest, db
):
    add_runs(world, 200)
    ingest.poll()
    for run_id in all_runs(world)[::4]:
        world.remove_run(run_id)
    far = world.now - timedelta(days=3001)

    backfills.request(db, [the_feed(db).key], since=far, horizon=far)
    ingest.poll()

    assert the_backfill(db).fetched_to == utc(far)
    assert the_backfill(db).windows_given_up == 0


@pytest.mark.usefixtures("no_waiting")
def test_a_failing_window_is_requested_in_smaller_pages(world, github, ingest, db):
    add_runs(world, 200)
    github.faults.add(
        "server_error", path="per_page=12&created=", count=None, status=502
    )

    failed = [ingest.poll().feeds_failed for _ in range(3)]

    assert failed == [1, 1, 0]
    assert {entry.query["per_page"] for entry in window_requests(github)} == {"12", "6"}
    assert run_ids(db) == all_runs(world)


@pytest.mark.usefixtures("no_waiting")
def test_a_window_continues_after_an_interrupted_pass(world, github, ingest, db):
    add_runs(world, 200)
    github.faults.add("server_error", path="created=.*page=3", count=3)
    ingest.poll()
    left = the_backfill(db)
    github.log.clear()

    ingest.restart()
    ingest.poll()

    first = window_requests(github)[0]
    assert left.window is not None
    assert first.query["created"] == left.window.created
    assert first.query["page"] == "3"
    assert run_ids(db) == all_runs(world)


def test_polls_of_the_newest_runs_never_request_by_time(world, github, ingest):
    add_runs(world, 200)
    ingest.poll()
    github.log.clear()
    github.advance(60)
    add_runs(world, 1)

    ingest.poll()

    assert window_requests(github) == []


def test_a_gap_during_a_window_restarts_the_backfill(world, github, ingest, db):
    add_runs(world, 200)
    fault = github.faults.add("unauthorized", path="created=", nth=4, count=None)
    ingest.poll()
    assert the_backfill(db).window is not None
    fault.count = 0
    for _ in range(70):
        github.advance(60)
        world.add_run(REPO, FILE, duration=0)

    ingest.restart()
    ingest.poll()

    assert run_ids(db) == all_runs(world)


@pytest.mark.parametrize("value", ["no time", None, 7, "0000-00-00", "9999-99-99"])
def test_an_invalid_creation_time_stops_nothing(world, github, ingest, db, value):
    add_runs(world, 200)
    github.faults.add("replaced", name="created_at", value=value, count=None)

    result = ingest.poll()

    assert result.error is None
    assert len(run_ids(db)) >= 30


@pytest.mark.parametrize(
    ("page", "runs", "total", "has_next", "expected"),
    [
        (1, 0, 0, False, True),
        (1, 7, 7, False, True),
        (3, 7, 27, False, True),
        (3, 7, 26, False, True),  # A run was deleted in between.
        (3, 7, 28, False, False),
        (3, 7, 27, True, False),
        (3, 10, 30, False, False),
        (3, 0, 20, False, False),
        (2, 7, None, False, False),
    ],
)
def test_a_last_page_differs_from_a_page_where_the_list_is_cut(
    page, runs, total, has_next, expected
):
    url = f"https://api/runs?per_page=10&page={page}"

    got = is_surely_last(url, runs=runs, total=total, has_next=has_next)

    assert got is expected


def test_a_round_count_may_be_cut_off():
    url = "https://api/runs?per_page=12&page=9"

    assert not is_surely_last(url, runs=4, total=100, has_next=False)


@pytest.mark.parametrize(
    "url", ["https://api/runs", "https://api/runs?per_page=x&page=-", "nothing"]
)
def test_an_address_without_numbers_proves_no_end(url):
    assert not is_surely_last(url, runs=7, total=7, has_next=False)


BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def search(
    seconds: list[int], window: Window, known: set[int]
) -> tuple[WindowPage, set[int]]:
    """The single page of a complete search, and the known runs after it."""
    at = [utc(BEGAN + timedelta(seconds=second)) for second in seconds]
    inside = [i for i, t in enumerate(at) if window.start <= t <= window.end]
    listed = sorted(inside, key=lambda i: at[i], reverse=True)[:CAP]
    stored = known | set(listed)
    return WindowPage(
        total=len(inside),
        stored=len(stored & set(inside)),
        is_first=True,
        misses_known_runs=False,
        sees_no_known_runs=False,
        overflows=False,
        next_url=None,
    ), stored


@given(
    seconds=st.lists(st.integers(0, 400), max_size=300),
    scale=st.sampled_from([1, 7, 3600, 40_000]),
)
def test_windows_find_every_run_that_can_be_listed(seconds, scale):
    """At any density. Only runs of a second with too many runs may be missing."""
    seconds = [second * scale for second in seconds]
    until, top = utc(BEGAN), utc(BEGAN + timedelta(seconds=401 * scale))
    window: Window | None = Window(until, top, top)
    known: set[int] = set()
    requests = 0
    while window:
        requests += 1
        page, known = search(seconds, window, known)
        step = next_step(window, page)
        window = step.window
        if step.is_done:
            below = window.next_below(until)
            window = Window(below[0], below[1], below[1]) if below else None

    crowded = {s for s in seconds if seconds.count(s) > CAP}
    missing = [s for i, s in enumerate(seconds) if i not in known]
    assert set(missing) <= crowded
    assert requests <= 40 * (1 + len(seconds) // CAP) * (1 + len(crowded))


def test_a_window_is_never_empty_nor_beyond_the_date():
    window = Window("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-02")

    assert window.next_below("2026-01-01T00:00:00Z") is None
    assert window.next_below("2025-12-31T23:59:59Z") == (
        "2025-12-31T23:59:59Z",
        "2025-12-31T23:59:59Z",
    )


def test_a_window_does_not_overlap_with_too_many_runs_of_one_second(db):
    """The search would list nothing else."""
    watch(db, (REPO, FILE))
    [feed] = feeds.watched(db)
    crowd = [run_payload(n, created_at="2026-02-01T00:00:01Z") for n in range(1, 150)]
    page = CachedResponse(
        ResponseKey("runs", REPO, "page-2"), "", None, "2026-02-01T00:00:00Z"
    )
    since = datetime(2026, 1, 1, tzinfo=UTC)
    backfills.request(db, [feed.key], since=since, horizon=since)

    older_runs.save_page(
        db, feed, the_backfill(db), crowd, page=page, now=datetime.now(UTC)
    )

    window = the_backfill(db).window
    assert window is not None
    assert window.end == window.missing_until == "2026-02-01T00:00:00Z"
