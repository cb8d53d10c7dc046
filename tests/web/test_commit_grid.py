"""The grid of a branch's newest commits and the workflows, as the server renders it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import save_runs, watch
from datasette.app import Datasette
from factories import run_payload, times
from page_reader import Element, get_page, harms, local_addresses
from sqlite_utils import Database
from tiles import FORK, RUNNING
from web_client import counting, serving

PAGE = "/commits/acme/api"
FILES = ("build.yml", "ci.yml")

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, *(("acme/api", workflow) for workflow in FILES))
    async with serving(db_path) as datasette:
        yield datasette


def sha(number: int) -> str:
    return f"{number:07x}" + 33 * "a"


def push(run_id: int, commit: int, **changes: Any) -> dict[str, Any]:
    """A run of a commit, that started at 10:00 plus `run_id` minutes."""
    start = f"{10 + run_id // 60}:{run_id % 60:02}"
    changes = {"head_sha": sha(commit), **times(start)} | changes
    return run_payload(run_id, display_title=f"Commit {commit}", **changes)


def in_build(payload: dict[str, Any]) -> dict[str, Any]:
    return payload | {"path": ".github/workflows/build.yml", "name": "Build"}


def grid(page: Element) -> dict[str, list[str]]:
    """The tally and the cells of each commit, by its title."""
    rows = page.one("table", class_="matrix").one("tbody").all("tr")
    return {
        row.one("a", class_="matrix__title").text: [_cell(td) for td in row.all("td")]
        for row in rows
    }


def _cell(td: Element) -> str:
    links = [a for a in td.all("a") if "aria-label" in a.attributes]
    return links[0].attributes["aria-label"] if links else td.text


async def test_a_row_is_a_commit_and_a_column_a_workflow(
    db: Database, datasette: Datasette
) -> None:
    save_runs(
        db,
        push(1, 1),
        push(2, 2, conclusion="failure"),
        push(3, 2),
        push(4, 3, **RUNNING),
        # Of other branches, a fork and another workflow's runs.
        push(5, 4, head_branch="fix"),
        push(6, 5, head_repository=FORK),
        push(7, 6, event="workflow_run"),
        push(8, 1, head_branch="fix", conclusion="failure"),
    )
    save_runs(db, in_build(push(9, 1)), workflow="build.yml")
    page = await get_page(datasette, PAGE)
    heads = [th.text for th in page.one("thead").all("th")]

    assert heads == ["Commit", "Passed", "CI", "CI"]
    assert grid(page) == {
        "Commit 1": ["2of/2, good everywhere", "#9 success", "#1 success"],
        "Commit 3": ["0of/2, not finished", "·not run yet", "#4 running"],
        "Commit 2": [
            "1of/2, not proved everywhere",
            "·not run yet",
            "#3 success, flaky",
        ],
    }


async def test_pull_requests_of_a_branch_count_and_can_be_worse(
    db: Database, datasette: Datasette
) -> None:
    save_runs(
        db,
        push(1, 1, head_branch="fix"),
        push(2, 1, head_branch="fix", event="pull_request", conclusion="failure"),
        push(3, 2, head_branch="fix", event="pull_request"),
    )
    page = await get_page(datasette, f"{PAGE}?branch=fix")

    assert [cells[-1] for cells in grid(page).values()] == [
        "#3 success",
        "#2 failure, flaky",
    ]
    select = page.one("select", id="branch")
    assert [o.text for o in select.all("option")] == ["main", "fix"]


async def test_tags_are_one_branch(db: Database, datasette: Datasette) -> None:
    save_runs(db, push(1, 1, event="release", head_branch="v1.0"))
    for name in ("refs/tags", "v1.0"):
        page = await get_page(datasette, f"{PAGE}?branch={name}")
        assert [*grid(page)] == ["Commit 1"]
        [chosen] = [o for o in page.all("option") if "selected" in o.attributes]
        assert chosen.text == "all tags"


async def test_older_commits_are_on_further_pages_each_once(
    db: Database, datasette: Datasette
) -> None:
    # The oldest commit has the newest run, too: it is on the first page only.
    runs = [push(n, n) for n in range(1, 121)]
    save_runs(db, *runs, push(121, 1), push(122, 120, head_branch="fix"))
    path, found, pages = PAGE, [], 0
    while path:
        page = await get_page(datasette, path)
        found += [*grid(page)]
        pages += 1
        links = [a.href for a in page.all("a") if a.attributes.get("rel") == "next"]
        path = links[0] if links else ""

    first, others = found[:50], found[50:]
    assert first == [f"Commit {n}" for n in range(120, 71, -1)] + ["Commit 1"]
    assert others == [f"Commit {n}" for n in range(71, 1, -1)]
    assert pages == 3


async def test_a_commit_with_very_many_runs_ends_the_page_early(
    db: Database, datasette: Datasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_observer.web.pages.commit_grid.MAX_RUNS_READ", 5)
    save_runs(db, push(1, 1), *(push(n, 2) for n in range(2, 9)))
    page = await get_page(datasette, PAGE)
    assert [*grid(page)] == ["Commit 2"]

    [older] = [a.href for a in page.all("a") if a.attributes.get("rel") == "next"]
    assert [*grid(await get_page(datasette, older))] == ["Commit 1"]


async def test_other_addresses_say_what_is_wrong(
    db: Database, datasette: Datasette
) -> None:
    save_runs(db, push(1, 1))
    for query in ("before=x", "before=99", "before=-1", f"before={'9' * 30}", "x=1"):
        await get_page(datasette, f"{PAGE}?{query}", status=400)
    await get_page(datasette, "/commits/acme/none", status=404)
    page = await get_page(datasette, f"{PAGE}?branch=%3Cb%3E")
    assert "No run of a commit of the branch <b> is stored." in page.one(id="live").text
    assert harms(page) == []
    page = await get_page(datasette, f"{PAGE}?before=1")
    assert "There are no older commits." in page.one(id="live").text
    page = await get_page(datasette, PAGE + "/?theme=light&branch=")
    for address in local_addresses(page):
        assert (await datasette.client.get(address)).status_code < 400, address


async def test_a_page_reads_the_newest_runs_only(
    db: Database, datasette: Datasette, monkeypatch: Any
) -> None:
    save_runs(db, push(1, 1))
    statements = counting(datasette, monkeypatch)
    await get_page(datasette, PAGE)
    plans = [
        row[3]
        for sql in statements()
        if "runs" in sql
        for row in db.execute(f"explain query plan {sql}")
    ]

    used = " ".join(plans)
    assert "INDEX runs_branch" in used
    assert "INDEX runs_commit" in used
    scanned = {plan.split()[1] for plan in plans if plan.startswith("SCAN")}
    assert not scanned & {"runs", "r", "a", "d", "run_attempts", "decisions", "jobs"}
    walks = [plan for plan in plans if "runs_branch" in plan]
    assert not any("TEMP B-TREE" in plan for plan in walks)
