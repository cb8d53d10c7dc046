"""A workflow's page as the server renders it, without JavaScript."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from archive import NOW, save_owner_error, save_runs, set_clock, watch
from datasette.app import Datasette
from factories import run_payload, times
from page_reader import Element, get_page, harms, local_addresses, table_rows
from sqlite_utils import Database
from walls import save_failed_job, save_responses
from web_client import counting, get_json, serving

from ci_observer.ingest.store import feeds, instance, repo_pages
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.keys import Owner
from ci_observer.ingest.store.repo_pages import AssignedRuns
from ci_observer.ingest.store.tiles import update_tiles
from ci_observer.web.database import add_text_functions
from ci_observer.web.pages import workflow_rollups

HOSTILE = "<img src=x onerror=alert(1)>"
PAGE = "/workflows/acme/api/ci.yml"

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    async with serving(db_path) as datasette:
        yield datasette


def on(day: str, minutes: int = 5, hour: int = 12) -> dict[str, str]:
    """The times of a run that started on a day."""
    return {
        "created_at": f"{day}T{hour:02}:00:00Z",
        "run_started_at": f"{day}T{hour:02}:00:00Z",
        "updated_at": f"{day}T{hour:02}:{minutes:02}:00Z",
    }


def save_history(db: Database) -> None:
    """Every kind of run that a number on the page counts or must not count."""
    failed = {"conclusion": "failure"}
    save_runs(
        db,
        run_payload(1, **on("2026-02-10", 4)),
        run_payload(2, **on("2026-02-11", 6)),
        run_payload(3, **failed, **on("2026-02-11", 6, 14)),
        run_payload(4, **on("2026-02-12", 0)),
        run_payload(5, conclusion="cancelled", **on("2026-02-13")),
        run_payload(6, run_attempt=1, head_sha="f" * 40, **failed, **on("2026-02-20")),
        run_payload(7, conclusion="timed_out", **on("2026-02-27")),
        run_payload(8, conclusion="startup_failure", **on("2026-02-28")),
        # Of other branches, a fork, a pull request, and long ago.
        run_payload(20, head_branch="fix", **failed, **on("2026-02-21")),
        run_payload(21, head_repository=None, **failed, **on("2026-02-21")),
        run_payload(22, event="pull_request", **failed, **on("2026-02-21")),
        run_payload(23, **failed, **on("2025-06-01")),
    )
    save_runs(
        db, run_payload(6, run_attempt=2, head_sha="f" * 40, **on("2026-02-20", 9, 13))
    )
    save_runs(db, run_payload(30), repo="acme/web")


def numbers(page: Element) -> list[tuple[int, str]]:
    """Every count on the page, with the link to its rows."""
    found = [
        (int(a.text), a.href) for a in page.all("a") if "data-count" in a.attributes
    ]
    assert found
    return found


async def count_rows(datasette: Datasette, path: str) -> int:
    """The number of rows at a link, in Datasette or in the API."""
    name, _, query = path.partition("?")
    if name.startswith("/api/"):
        return len((await get_json(datasette, path))["runs"])
    table = await get_json(datasette, f"{name}.json?{query}")
    return int(table["filtered_table_rows_count"])


async def test_the_state_is_that_of_the_wall(
    db: Database, datasette: Datasette
) -> None:
    save_history(db)
    page = await get_page(datasette, PAGE)
    wall = await get_json(datasette, "/api/wall?repo=acme/api")

    assert json.loads(page.one(id="tile").text) == wall["tiles"][0]
    state = page.one(id="state")
    assert state.attributes["data-state"] == "failing"
    assert "since 2026-02-27 12:00" in state.text
    assert "2 in a row failing" in state.text
    assert "last result: #8 by ada" in state.text


async def test_the_title_has_the_state(db: Database, datasette: Datasette) -> None:
    save_history(db)
    page = await get_page(datasette, PAGE)

    title = page.one("head").one("title").text
    assert title == "failing · CI · acme/api \N{EN DASH} CI Observer"
    assert page.one(id="icon").href == "/static/shared/favicon-failing.svg"


@pytest.mark.parametrize(
    "query",
    ["", "?days=7", "?days=90", "?days=365", "?branch=fix", "?compare=fix&days=90"],
)
async def test_every_number_has_as_many_rows_behind_it(
    db: Database, datasette: Datasette, query: str
) -> None:
    save_history(db)
    page = await get_page(datasette, PAGE + query)

    for number, path in numbers(page):
        assert await count_rows(datasette, path) == number, path


async def test_the_numbers_of_the_last_days(db: Database, datasette: Datasette) -> None:
    save_history(db)
    sections = [s.text for s in (await get_page(datasette, PAGE)).all("section")]
    [_, _, grid, durations, failures, flaky, reruns] = sections

    assert "the newest 12 of 12 runs" in grid
    assert "5 min median" in durations
    assert "6 min p95 of 2 successful first attempts over 0 s" in durations
    assert "43 % failed: 3 of 7 runs with a result" in failures
    assert "1 commit both failed and succeeded since 2026-01-31" in flaky
    assert "1 run with more than one attempt" in reruns


async def test_two_branches_stand_side_by_side(
    db: Database, datasette: Datasette
) -> None:
    save_history(db)
    page = await get_page(datasette, f"{PAGE}?compare=fix")
    rows = {name: [main, fix] for name, main, fix in table_rows(page, "sides")}

    assert [a.text for a in page.one("table", class_="sides").all("thead")] == [
        "mainfix"
    ]
    assert rows["State"] == [
        "failing since 2026-02-27 12:00",
        "failing since 2026-02-21 12:00",
    ]
    assert rows["Failure rate"] == ["43 % 3 of 7 runs", "100 % 1 of 1 runs"]
    assert rows["Duration p50"] == ["5 min of 2 first attempts", "no success"]
    assert rows["Queue time p95"] == ["no jobs stored", "no jobs stored"]
    assert rows["Flaky commits"] == ["1", "0"]
    [chosen] = page.one("select", id="compare").all("option", value="fix")
    assert "selected" in chosen.attributes
    periods = page.all("nav")[-1]
    assert "compare=fix" in periods.all("a")[0].href


async def test_a_branch_is_not_compared_with_itself(
    db: Database, datasette: Datasette
) -> None:
    save_history(db)
    page = await get_page(datasette, f"{PAGE}?branch=fix&compare=fix")

    assert page.all("table", class_="sides") == []
    other = await get_page(datasette, f"{PAGE}?compare=never-seen")
    assert table_rows(other, "sides")[0][2] == "no run counts"


async def test_runs_of_pull_requests_count_on_the_other_branch(
    db: Database, datasette: Datasette
) -> None:
    pull = {"event": "pull_request", "head_branch": "fix"}
    save_runs(
        db,
        run_payload(1, **on("2026-02-20")),
        run_payload(2, conclusion="failure", **pull, **on("2026-02-21")),
        run_payload(3, **pull, **on("2026-02-22", 7)),
    )
    page = await get_page(datasette, f"{PAGE}?compare=fix")
    rows = {name: fix for name, _, fix in table_rows(page, "sides")}

    assert rows["Failure rate"] == "50 % 1 of 2 runs"
    assert rows["Duration p50"] == "7 min of 1 first attempts"
    assert rows["Last finished"].startswith("success #3 by ada")
    for number, path in numbers(page):
        assert await count_rows(datasette, path) == number, path


async def test_each_day_has_its_share_of_failures(
    db: Database, datasette: Datasette
) -> None:
    save_history(db)
    page = await get_page(datasette, PAGE)
    rows = table_rows(page, "rates")

    assert rows[:2] == [
        ["2026-02-28", "1", "1", "100 %"],
        ["2026-02-27", "1", "1", "100 %"],
    ]
    assert ["2026-02-11", "1", "2", "50 %"] in rows


async def test_more_days_are_shown_by_weeks_from_monday(
    db: Database, datasette: Datasette
) -> None:
    save_history(db)
    page = await get_page(datasette, f"{PAGE}?days=90")
    heads = [th.text for th in page.one("table", class_="rates").all("th", scope="row")]

    assert heads[0] == "2026-02-23 to 2026-03-01"
    assert heads[-1] == "2026-02-09 to 2026-02-15"


async def test_days_are_those_of_the_instances_time_zone(
    db: Database, datasette: Datasette
) -> None:
    with db.atomic():
        db.execute("delete from timezone_offsets")
        db.execute(
            "insert into timezone_offsets values ('0001-01-01T00:00:00Z', 32400)"
        )
    save_runs(db, run_payload(1, **on("2026-02-10", hour=20)))
    page = await get_page(datasette, PAGE)
    [head] = page.one("table", class_="rates").all("th", scope="row")

    assert head.text == "2026-02-11"
    for number, path in numbers(page):
        assert await count_rows(datasette, path) == number, path


def grid_rows(page: Element) -> list[tuple[str, list[str]]]:
    return [
        (
            row.one("p", class_="grid__branch").text,
            [cell.attributes["aria-label"] for cell in row.all("a", class_="cell")],
        )
        for row in page.all("li", class_="grid__row")
    ]


async def test_the_grid_has_a_row_per_branch_the_default_one_on_top(
    db: Database, datasette: Datasette
) -> None:
    save_runs(
        db,
        run_payload(1, **times("10:00")),
        run_payload(2, head_branch="old", **times("11:00")),
        run_payload(3, head_branch="new", event="pull_request", **times("12:00")),
        run_payload(
            4, head_repository={"id": 9, "full_name": "eve/api"}, **times("13:00")
        ),
        run_payload(5, conclusion="failure", run_attempt=2, **times("14:00")),
    )
    rows = grid_rows(await get_page(datasette, PAGE))

    assert [name for name, _ in rows] == ["main", "eve/api:main", "new", "old"]
    assert rows[0][1] == [
        "#1 success, Change 1, 2026-03-01 10:00, 5\N{NO-BREAK SPACE}min",
        "#5 failure, attempt 2, Change 5, 2026-03-01 14:00, 5\N{NO-BREAK SPACE}min",
    ]


async def test_the_chosen_branch_keeps_its_row_among_many_others(
    db: Database, datasette: Datasette
) -> None:
    save_runs(
        db,
        run_payload(1, **on("2026-01-01")),
        run_payload(2, head_branch="release", **on("2026-01-02")),
        *(
            run_payload(n, head_branch=f"b{n}", **times("12:00"))
            for n in range(10, 125)
        ),
    )
    rows = grid_rows(await get_page(datasette, f"{PAGE}?branch=release"))

    assert [name for name, _ in rows][:3] == ["main", "release", "b124"]
    assert len(rows) == 102
    assert len(rows[1][1]) == 1


async def test_results_differ_in_shape_as_well_as_in_colour(
    db: Database, datasette: Datasette
) -> None:
    words = [
        "success",
        "failure",
        "timed_out",
        "startup_failure",
        "cancelled",
        "skipped",
    ]
    words += ["neutral", "action_required", "a_new_word"]
    save_runs(
        db,
        *(
            run_payload(n, conclusion=w, **times(f"10:{n:02}"))
            for n, w in enumerate(words, 1)
        ),
    )
    page = await get_page(datasette, PAGE)
    shapes = [c.one("use").href for c in page.all("a", class_="cell")]

    assert len(set(shapes)) == len(words)
    for shape in shapes:
        assert page.one(id=shape.removeprefix("#"))


async def test_an_unfinished_run_has_no_result_yet(
    db: Database, datasette: Datasette
) -> None:
    running = {"status": "in_progress", "conclusion": "success"}
    save_runs(db, run_payload(1, **running, **times("17:50")))
    [cell] = (await get_page(datasette, PAGE)).all("a", class_="cell")

    assert cell.attributes["data-look"] == "active"
    assert cell.attributes["aria-label"].startswith("#1 running")


async def test_every_attempt_is_there_with_its_result_and_link(
    db: Database, datasette: Datasette
) -> None:
    save_history(db)
    page = await get_page(datasette, PAGE)
    attempts = page.one("ol", class_="reruns__attempts").all("li")

    assert [li.text for li in attempts] == [
        "failure attempt 1 2026-02-20 12:00 · 5 min",
        "success attempt 2 2026-02-20 13:00 · 9 min",
    ]
    assert [li.one("a").href for li in attempts] == [
        f"https://github.com/acme/api/actions/runs/6/attempts/{n}" for n in (1, 2)
    ]


async def test_a_bar_links_to_its_run_and_failures_have_a_mark(
    db: Database, datasette: Datasette
) -> None:
    save_history(db)
    chart = (await get_page(datasette, PAGE)).all("svg", class_="chart__bars")[0]
    bars = chart.all("a")

    assert [a.attributes["data-key"] for a in bars] == [
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "8",
    ]
    marked = [a for a in bars if a.all("rect", class_="chart__mark")]
    assert [a.attributes["data-key"] for a in marked] == ["3", "7", "8"]
    counted = [
        a.attributes["data-key"]
        for a in bars
        if a.one("rect", class_="chart__bar").attributes["data-counted"] == "true"
    ]
    assert counted == ["1", "2"]
    assert bars[2].href == "/runs/3"


async def test_the_page_links_to_github_and_to_its_runs(
    db: Database, datasette: Datasette
) -> None:
    save_history(db)
    page = await get_page(datasette, f"{PAGE}?branch=fix&theme=light")
    links = {a.text: a.href for a in page.all("a")}

    assert links["GitHub"] == (
        "https://github.com/acme/api/actions/workflows/ci.yml?query=branch%3Afix"
    )
    assert links["list"].endswith(
        "?repo=acme%2Fapi&workflow=ci.yml&branch=fix&theme=light"
    )
    assert await count_rows(datasette, links["Datasette"]) == 1
    assert len((await get_json(datasette, links["JSON"]))["runs"]) == 1
    csv = await datasette.client.get(links["CSV"])
    assert len(csv.text.splitlines()) == 2


async def test_a_branch_has_a_state_of_its_own(
    db: Database, datasette: Datasette
) -> None:
    save_runs(
        db,
        run_payload(1, **times("10:00")),
        run_payload(2, head_branch="release", conclusion="failure", **times("11:00")),
    )
    page = await get_page(datasette, f"{PAGE}?branch=release")

    assert page.one(id="state").attributes["data-state"] == "failing"
    [chosen] = [o for o in page.all("option") if "selected" in o.attributes]
    assert chosen.text == "release"
    branches = page.one("select", id="branch").all("option")
    assert [o.text for o in branches] == ["main", "release"]


async def test_a_branch_of_pull_requests_only_says_that_no_run_counts(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1, head_branch="fix", event="pull_request"))
    page = await get_page(datasette, f"{PAGE}?branch=fix")

    assert "The branch fix has no run that counts" in page.one(id="state").text
    assert ("fix", ["#1 success, Change 1, 2026-03-01 12:00, 5\xa0min"]) in grid_rows(
        page
    )


async def test_an_alarm_is_explained(db: Database, datasette: Datasette) -> None:
    [feed, _] = feeds.watched(db)
    feeds.save_error(
        db,
        feed,
        error="acme/api was not found",
        kind="not_found",
        now=NOW,
        retry_at=None,
    )
    state = (await get_page(datasette, PAGE)).one(id="state")

    assert state.attributes["data-state"] == "no_access"
    assert "was unknown" in state.text
    assert "acme/api was not found" in state.text


async def test_a_failure_has_its_error_and_who_else_has_it(
    db: Database, datasette: Datasette
) -> None:
    for number, repo in ((1, "acme/api"), (2, "acme/web"), (3, "acme/api")):
        failed = {"conclusion": "failure", "id": number}
        save_runs(db, run_payload(**failed, **on(f"2026-02-2{number}")), repo=repo)
        save_failed_job(db, number, f"{HOSTILE} is down, try {number}")
    save_responses(db)
    page = await get_page(datasette, PAGE)
    [same] = page.one(id="state").all("p", **{"class": "state__same"})

    assert page.one(id="state-error").text == f"{HOSTILE} is down, try 3"
    assert same.text.startswith("same error in 1 other workflow since ")
    assert "3 runs of 2 workflows with it since " in same.text
    tiles, jobs = (link.href for link in same.all("a"))
    assert await count_rows(datasette, tiles) == 2
    assert await count_rows(datasette, jobs) == 3
    # Without JavaScript, the wall says it too.
    wall = (await get_page(datasette, "/")).text
    assert f"failing: {HOSTILE} is down, try 3, same error in 1 other workflow" in wall


async def test_green_turns_stale_by_time_alone(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1))
    fresh = await datasette.client.get(PAGE)
    set_clock(db, NOW + timedelta(hours=1))
    later = await datasette.client.get(
        PAGE, headers={"If-None-Match": fresh.headers["etag"]}
    )

    assert 'data-state="passing"' in fresh.text
    assert later.status_code == 200
    assert 'data-state="stale"' in later.text


async def test_a_new_day_starts_by_time_alone(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1, **on("2026-02-10")))
    instance.save_next_poll(db, NOW + timedelta(days=2))
    first = await get_page(datasette, PAGE)
    set_clock(db, NOW + timedelta(hours=6, seconds=1))
    second = await get_page(datasette, PAGE)

    assert "since 2026-01-31" in first.one("main").text
    assert "since 2026-01-31" not in second.one("main").text


async def test_a_workflow_without_runs_says_so(datasette: Datasette) -> None:
    page = await get_page(datasette, PAGE)

    assert page.one(id="state").attributes["data-state"] == "unknown"
    assert "no run yet" in page.one(id="state").text
    assert grid_rows(page) == [("main", [])]
    assert "No run had a result" in page.one("main").text
    assert [n for n, _ in numbers(page)] == [0, 0]


async def test_a_feed_that_was_never_fetched_has_a_page(
    db: Database, datasette: Datasette
) -> None:
    feeds.save_watched(db, [("acme/new", "ci.yml")])
    page = await get_page(datasette, "/workflows/acme/new/ci.yml")

    assert page.one(id="state").attributes["data-state"] == "unknown"
    assert not page.all("option")


async def test_an_owner_that_cannot_be_listed_has_a_page(
    db: Database, datasette: Datasette
) -> None:
    save_owner_error(db, Owner("nobody"))
    page = await get_page(datasette, "/workflows/nobody/%2A/%2A")

    assert page.one(id="state").attributes["data-state"] == "no_access"
    assert "No such owner." in page.one(id="state").text


async def test_a_feed_that_is_no_longer_watched_keeps_its_history(
    db: Database, datasette: Datasette
) -> None:
    save_history(db)
    feeds.save_watched(db, [("acme/web", "ci.yml")])
    page = await get_page(datasette, PAGE)

    assert "no longer watched" in page.one(id="state").text
    assert "43 % failed" in page.one("main").text


async def test_the_runs_of_a_blocked_repository_are_explained(
    db: Database, datasette: Datasette
) -> None:
    run = run_payload(7, name="", path="BuildFailed", conclusion="startup_failure")
    repo_pages.save_blocked(db, "acme/api", AssignedRuns(blocked=[run]), now=NOW)
    page = await get_page(datasette, "/workflows/acme/api/BuildFailed")

    text = page.one(id="state").text
    assert "Every push makes such a run while" in text
    assert "no longer watched" not in text
    assert harms(page) == []


@pytest.mark.parametrize(
    "path",
    ["/workflows/acme/api/none.yml", "/workflows/a/b/c", "/workflows/acme/api/a/b"],
)
async def test_an_unknown_workflow_lists_the_known_ones(
    datasette: Datasette, path: str
) -> None:
    page = await get_page(datasette, path, status=404)

    assert "There is no workflow" in page.one("main").text
    links = [a.href for a in page.one("ul", class_="feeds").all("a")]
    assert links == [PAGE, "/workflows/acme/web/ci.yml"]


@pytest.mark.parametrize(
    ("query", "words"),
    [("days=8", "days=8 is not one of 7, 30"), ("colour=red", "Unknown argument")],
)
async def test_a_bad_query_string_says_what_to_do(
    datasette: Datasette, query: str, words: str
) -> None:
    page = await get_page(datasette, f"{PAGE}?{query}", status=400)

    assert words in page.one("main").text


async def test_the_repositorys_letter_case_does_not_matter(
    db: Database, datasette: Datasette
) -> None:
    save_history(db)
    page = await get_page(datasette, "/workflows/ACME/Api/ci.yml")

    assert page.one("h1").text == "CI acme/api · ci.yml"
    for number, path in numbers(page):
        assert await count_rows(datasette, path) == number, path


@pytest.mark.parametrize(
    "name",
    ["a", "x" * 100, "ä ö.yml", "a&b=c+d#e?f%20.yml", "~-.yml", "'\".yml", HOSTILE],
)
async def test_names_of_every_kind_have_a_page(
    db: Database, db_path: Path, name: str
) -> None:
    watch(db, ("acme/api", name))
    save_runs(
        db,
        run_payload(
            1,
            name=name,
            path=f".github/workflows/{name}",
            head_branch=name,
            display_title=name,
            conclusion="failure",
            html_url="javascript:alert(1)",
        ),
        run_payload(2, head_branch="main", path=f".github/workflows/{name}"),
        workflow=name,
    )
    async with serving(db_path) as datasette:
        runs = await get_page(datasette, "/runs")
        [path] = {a.href for a in runs.one("tbody").all("a") if "/workflows/" in a.href}
        page = await get_page(datasette, f"{path}?branch={quote(name)}")
        assert page.one("h1").all("bdi")[-1].text == name
        assert not page.all("img")
        assert harms(page) == []
        assert json.loads(page.one(id="tile").text)["last_result_display_title"] == name
        for number, rows in numbers(page):
            assert await count_rows(datasette, rows) == number, rows


async def test_every_link_has_the_base_url(db: Database, db_path: Path) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save_history_of_one(db)
    async with serving(db_path, base_url="/ci/") as datasette:
        page = await get_page(datasette, f"{PAGE}?days=90")
    local = local_addresses(page)

    assert len(local) > 20
    assert [address for address in local if not address.startswith("/ci/")] == []


def save_history_of_one(db: Database) -> None:
    save_runs(db, run_payload(1), run_payload(1, run_attempt=2, **times("13:00")))


async def test_an_unchanged_page_is_not_sent_again(
    db: Database, datasette: Datasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_history(db)
    statements = counting(datasette, monkeypatch)
    etag = (await datasette.client.get(PAGE)).headers["etag"]
    read_before = len(statements())
    again = await datasette.client.get(PAGE, headers={"If-None-Match": etag})
    late = [s for s in statements()[read_before:] if "tile_run_days" in s]

    assert (again.status_code, again.text, late) == (304, "", [])


async def test_other_methods_are_405(datasette: Datasette) -> None:
    assert (await datasette.client.post(PAGE)).status_code == 405
    assert (await datasette.client.head(PAGE)).text == ""


async def test_no_select_of_the_page_reads_all_runs(
    db: Database, datasette: Datasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_history(db)
    statements = counting(datasette, monkeypatch)
    await get_page(datasette, PAGE)
    selects = [s for s in statements() if s.lstrip()[:6] in ("select", "with s")]
    plans: list[str] = []
    add_text_functions(db.conn)
    for select in selects:
        plans += [row[3] for row in db.execute(f"explain query plan {select}")]

    assert len(selects) > 10
    tables = (
        "SCAN runs",
        "SCAN r ",
        "SCAN a ",
        "SCAN run_attempts",
        "SCAN t ",
        "SCAN tiles",
    )
    assert [plan for plan in plans if f"{plan} ".startswith(tables)] == []


def mark(db: Database, run_id: int, **columns: Any) -> None:
    """Store what ingest learns of a run by other responses than lists of runs."""
    with transaction(db):
        db["runs"].update(run_id, columns)
        update_tiles(db, [run_id])


async def test_a_workflow_that_runs_on_tags_shows_all_of_them(
    db: Database, datasette: Datasette
) -> None:
    release = {"event": "release", "conclusion": "failure"}
    save_runs(
        db,
        run_payload(1, head_branch="v1.0", **release | on("2026-02-20")),
        run_payload(2, head_branch="v1.1", **release | on("2026-02-27")),
    )
    page = await get_page(datasette, PAGE)

    assert page.one(id="state").attributes["data-state"] == "failing"
    assert "2 in a row failing" in page.one(id="state").text
    [chosen] = [o for o in page.all("option") if "selected" in o.attributes]
    assert chosen.text == "all tags"
    assert numbers(page)[0][0] == 2
    one_tag = await get_page(datasette, f"{PAGE}?branch=v1.0")
    assert one_tag.one(id="state").text == page.one(id="state").text


@pytest.mark.parametrize("path", [PAGE, "/runs"])
async def test_a_run_that_github_no_longer_has_is_not_linked(
    db: Database, datasette: Datasette, path: str
) -> None:
    save_runs(db, run_payload(1, **times("10:00")), run_payload(2, **times("11:00")))
    mark(db, 2, gone_at="2026-03-01T12:00:00Z")

    html = (await datasette.client.get(path)).text

    assert "no longer on GitHub" in html
    assert 'href="https://github.com/acme/api/actions/runs/1"' in html
    assert "https://github.com/acme/api/actions/runs/2" not in html


@pytest.mark.parametrize(
    ("conclusion", "text"),
    [
        ("cancelled", "newest run cancelled"),
        ("exploded", "newest result not understood: exploded"),
        (None, "newest result not understood: no conclusion"),
    ],
)
async def test_an_untested_state_says_why_without_a_script(
    db: Database, datasette: Datasette, conclusion: str | None, text: str
) -> None:
    save_runs(
        db,
        run_payload(1, **times("10:00")),
        run_payload(2, conclusion=conclusion, **times("11:00")),
    )

    state = (await get_page(datasette, PAGE)).one(id="state")
    wall = await get_page(datasette, "/")

    assert state.attributes["data-state"] == "untested"
    assert f"untested was passing {text}, newest commit not tested" in state.text
    assert state.one("a", href="https://github.com/acme/api/actions/runs/2")
    assert f"untested: {text}, newest commit not tested" in wall.text


def save_left_out(db: Database) -> None:
    """Runs that rollups count and tiles do not: gone ones, and phantoms."""
    save_runs(
        db,
        *(
            run_payload(n, event="schedule", **on(f"2026-02-{n - 30}"))
            for n in (41, 42)
        ),
        run_payload(43, conclusion="failure", **on("2026-02-14", 0)),
        run_payload(44, conclusion="failure", event="dynamic", **on("2026-02-14", 0)),
        run_payload(45, **on("2026-02-15", 50)),
        run_payload(46, conclusion="failure", run_attempt=2, **on("2026-02-16")),
    )
    with transaction(db):
        db.execute(
            "update runs set gone_at = '2026-02-20T00:00:00Z' where run_id in (45, 46)"
        )
        update_tiles(db, [45, 46])
        instance.bump_revision(db)


@pytest.mark.parametrize("query", ["", "?days=7", "?days=90", "?days=365"])
async def test_rollups_give_the_numbers_that_the_runs_give(
    db: Database, datasette: Datasette, query: str
) -> None:
    save_history(db)
    save_left_out(db)
    [[left_out]] = db.execute(
        "select sum(timed_runs + failure) from run_rollups where unit = 'month'"
        " and repo = 'acme/api' and is_default_branch"
    )
    by_rollups = await get_page(datasette, PAGE + query)
    for number, path in numbers(by_rollups):
        assert await count_rows(datasette, path) == number, path
    with transaction(db):
        db.execute("update rollup_progress set from_run_id = 3")
        # Nothing of them is read now.
        db.execute("delete from run_rollups")
        instance.bump_revision(db)
    by_runs = await get_page(datasette, PAGE + query)

    assert left_out == 10
    assert [s.text for s in by_rollups.all("section")] == [
        s.text for s in by_runs.all("section")
    ]


@pytest.mark.parametrize("query", ["?days=7", "?days=90", "?days=365"])
async def test_percentiles_of_many_runs_are_within_some_percent(
    db: Database,
    datasette: Datasette,
    monkeypatch: pytest.MonkeyPatch,
    query: str,
) -> None:
    monkeypatch.setattr(workflow_rollups, "MOST_EXACT", 20)
    days = ("2025-12-31", "2026-01-01", "2026-01-31", "2026-02-01", "2026-02-27")
    save_runs(
        db,
        *(
            run_payload(
                100 * place + n, **on(day, n) | {"updated_at": f"{day}T12:{n:02}:13Z"}
            )
            for place, day in enumerate(days)
            for n in range(1, 40)
        ),
        # Gone, so it is not counted.
        run_payload(900, **on("2026-02-26", 59)),
    )
    with transaction(db):
        db.execute("update runs set gone_at = started_at where run_id = 900")
        instance.bump_revision(db)

    [_, _, _, rounded, *_] = (await get_page(datasette, PAGE + query)).all("section")
    monkeypatch.setattr(workflow_rollups, "MOST_EXACT", 5_000)
    with transaction(db):
        instance.bump_revision(db)
    [_, _, _, exact, *_] = (await get_page(datasette, PAGE + query)).all("section")

    # 20 min 13 s, whose bucket is 5 % wide.
    assert "20 min median" in exact.text
    assert "38 min p95" in exact.text
    assert "both within 2.5 %" not in exact.text
    assert "both within 2.5 %." in rounded.text
    for name, minutes in (("median", 20), ("p95", 38)):
        text = rounded.one("b", **{"data-name": name}).text
        assert abs(int(text.split()[0]) - minutes) <= 1
    assert [text for text in ("39", "117", "195") if f"of {text} succ" in exact.text]
    assert numbers(rounded) == numbers(exact)


async def test_a_workflow_that_could_not_start_says_that_no_job_ran(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, run_payload(1, conclusion="startup_failure"))

    page = await get_page(datasette, PAGE)
    reason = page.one(id="state-detail").text
    assert reason == "could not start, no job ran; GitHub's page may say why"
