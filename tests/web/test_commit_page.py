"""The page of a commit as the server renders it: is it good everywhere?"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import NOW, save_cause, save_runs, set_clock, watch
from datasette.app import Datasette
from factories import run_payload, times
from page_reader import Element, get_page, harms, local_addresses
from sqlite_utils import Database
from tiles import FORK, RUNNING
from web_client import counting, serving

from ci_observer.ingest.store import feeds, repos
from ci_observer.ingest.store.database import transaction

SHA = "abcdef0" + 33 * "1"
PAGE = f"/commits/acme/api/{SHA}"
WORKFLOWS = ("build.yml", "ci.yml", "lint.yml")
HOSTILE = "<img src=x onerror=alert(1)>"

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, *(("acme/api", workflow) for workflow in WORKFLOWS))
    async with serving(db_path) as datasette:
        yield datasette


def save(db: Database, run_id: int, workflow: str = "ci.yml", **changes: Any) -> None:
    """Store a run of the commit, that started at 10:00 plus `run_id` minutes."""
    start = changes.pop("at", f"10:{run_id:02}")
    changes = times(start) | {"head_sha": SHA} | changes
    payload = run_payload(run_id, path=f".github/workflows/{workflow}", **changes)
    save_runs(db, payload, workflow=workflow)


def sentence(page: Element) -> str:
    return page.one("p", class_="verdict__sentence").text


def verdict(page: Element) -> tuple[str, str]:
    box = page.one("section", class_="verdict")
    return box.attributes["data-state"], sentence(page)


def results(page: Element) -> dict[str, str]:
    """The text of the result by workflow file."""
    rows = page.one("table", class_="commit").one("tbody").all("tr")
    return {
        row.attributes["data-key"]: row.one("td", class_="commit__result").text
        for row in rows
    }


async def test_every_workflow_of_the_wall_is_named(
    db: Database, datasette: Datasette
) -> None:
    save(db, 1)
    save(db, 2, "lint.yml", conclusion="failure")
    page = await get_page(datasette, PAGE)

    assert verdict(page) == (
        "failing",
        "Passed in 1 of 3 workflows, 1 failing, 1 not run yet.",
    )
    assert results(page) == {
        "lint.yml": "failure",
        "ci.yml": "success",
        "build.yml": "not run yet",
    }
    title = page.one("head").one("title").text
    assert title.startswith("failing · abcdef0 · acme/api")


async def test_a_commit_is_good_only_if_all_workflows_passed(
    db: Database, datasette: Datasette
) -> None:
    for run_id, workflow in enumerate(WORKFLOWS, 1):
        save(db, run_id, workflow)
    assert verdict(await get_page(datasette, PAGE)) == (
        "passing",
        "Passed in all 3 workflows.",
    )
    # A newer run on the same commit takes its proof away.
    save(db, 9, conclusion="cancelled")
    page = await get_page(datasette, PAGE)
    assert verdict(page) == ("untested", "Passed in 2 of 3 workflows, 1 untested.")
    assert results(page)["ci.yml"] == "untested passed before, newest run cancelled"


ENDINGS: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"conclusion": "cancelled"}, "1 cancelled", "cancelled"),
    ({"conclusion": "skipped"}, "1 skipped", "skipped"),
    ({"conclusion": "neutral"}, "1 neutral", "neutral"),
    ({"conclusion": "stale"}, "1 stale", "stale"),
    ({"conclusion": "new_word"}, "1 without a known result", "new word"),
    ({"conclusion": None}, "1 without a known result", "no conclusion"),
    ({"conclusion": "action_required"}, "1 held for approval", "needs approval"),
    (RUNNING, "1 running", "running"),
    ({"status": "queued", "conclusion": None}, "1 queued", "queued"),
    ({"status": "waiting", "conclusion": None}, "1 waiting", "waiting"),
    ({"status": "new", "conclusion": None}, "1 unfinished", "new"),
    ({"conclusion": "timed_out"}, "1 failing", "timed out"),
    ({"conclusion": "startup_failure"}, "1 failing", "could not start"),
)


async def test_each_ending_has_its_own_words(
    db: Database, datasette: Datasette
) -> None:
    for number, (changes, words, shown) in enumerate(ENDINGS, 1):
        sha = f"{number:07}{SHA[7:]}"
        save(db, number, head_sha=sha, **changes)
        page = await get_page(datasette, f"/commits/acme/api/{sha}")

        assert sentence(page) == f"Passed in 0 of 3 workflows, {words}, 2 not run yet."
        assert results(page)["ci.yml"] == shown


async def test_an_unfinished_run_that_github_has_given_up_has_no_result(
    db: Database, datasette: Datasette
) -> None:
    old = dict.fromkeys(("created_at", "run_started_at", "updated_at"))
    save(db, 1, **RUNNING, **dict.fromkeys(old, "2026-01-01T10:00:00Z"))
    page = await get_page(datasette, PAGE)

    assert "1 without a known result" in sentence(page)
    assert results(page)["ci.yml"] == "without a known result"


async def test_a_run_keeps_its_result_while_it_runs_again(
    db: Database, datasette: Datasette
) -> None:
    save(db, 1)
    save(db, 1, run_attempt=2, **RUNNING, at="11:00")
    page = await get_page(datasette, PAGE)

    assert sentence(page) == (
        "Passed in 1 of 3 workflows, 2 not run yet;"
        " 1 with a newer run that is not finished."
    )
    assert results(page)["ci.yml"] == "success now running"


async def test_a_flaky_commit_shows_its_earlier_results(
    db: Database, datasette: Datasette
) -> None:
    save(db, 1, conclusion="failure")
    save(db, 2, run_attempt=1, conclusion="failure")
    save(db, 2, run_attempt=2, at="11:00")
    page = await get_page(datasette, PAGE)
    [row] = [r for r in page.all("tr") if r.attributes.get("data-key") == "ci.yml"]

    assert results(page)["ci.yml"] == "success flaky"
    assert row.one("td", class_="commit__attempts").text.startswith("3")
    [other] = row.one("ol", class_="others").all("a")
    assert other.attributes["aria-label"].startswith("#1 failure, main, push, ")
    assert row.one("td", class_="commit__run").text == "#2 attempt 2"


async def test_the_worst_branch_decides(db: Database, datasette: Datasette) -> None:
    save(db, 1, conclusion="failure")
    save(db, 2, head_branch="release")
    page = await get_page(datasette, PAGE)
    [row] = [r for r in page.all("tr") if r.attributes.get("data-key") == "ci.yml"]

    # Not flaky: that is said of a branch.
    assert results(page)["ci.yml"] == "failure"
    assert row.one("td", class_="commit__branch").text == "main"
    facts = page.one("p", class_="facts").text
    assert "branches release, main" in facts


async def test_a_pull_request_does_not_hide_the_result_of_the_branch(
    db: Database, datasette: Datasette
) -> None:
    save(db, 1, conclusion="failure", head_branch="fix")
    save(db, 2, event="pull_request", head_branch="fix")
    page = await get_page(datasette, PAGE)
    assert results(page)["ci.yml"] == "failure flaky"

    save(db, 3, "lint.yml", event="pull_request", head_repository=FORK)
    page = await get_page(datasette, PAGE)
    assert results(page)["lint.yml"] == "success"
    assert "someone/api:main" in page.one("table", class_="commit").text


async def test_a_run_of_another_workflow_is_left_out_and_said_so(
    db: Database, datasette: Datasette
) -> None:
    save(db, 1)
    save(db, 2, "lint.yml", event="workflow_run", conclusion="failure")
    page = await get_page(datasette, PAGE)

    assert sentence(page) == (
        "Passed in 1 of 3 workflows, 1 not tied to commits, 1 not run yet."
    )
    assert "1 run started by another workflow" in page.one(id="live").text


async def test_phantoms_and_deleted_runs_do_not_count(
    db: Database, datasette: Datasette
) -> None:
    # A run of another event took time, so one that fails in no time is a phantom.
    save(db, 1, event="schedule", head_sha="e" * 40)
    save(db, 2, conclusion="failure", **(times("12:00", 0)))
    save(db, 3, "lint.yml")
    with transaction(db):
        db.execute("update runs set gone_at = '2026-03-01T13:00:00Z' where run_id = 3")
    page = await get_page(datasette, PAGE)

    assert results(page) == {
        "ci.yml": "failed in 0 s without jobs",
        "lint.yml": "deleted on GitHub",
        "build.yml": "not run yet",
    }
    assert verdict(page)[0] == "untested"


async def test_a_run_cancelled_for_a_newer_commit_proves_nothing(
    db: Database, datasette: Datasette
) -> None:
    save(db, 1, conclusion="cancelled")
    save(db, 2, head_sha="e" * 40, at="10:02")
    save_cause(db, 1, "superseded")
    page = await get_page(datasette, PAGE)

    assert "1 cancelled for a newer run" in sentence(page)


async def test_green_needs_a_fresh_fetch(db: Database, datasette: Datasette) -> None:
    for run_id, workflow in enumerate(WORKFLOWS, 1):
        save(db, run_id, workflow)
    set_clock(db, NOW.replace(hour=20))
    page = await get_page(datasette, PAGE)

    state, words = verdict_lines(page)
    assert state == "stale"
    assert words == [
        "Passed in all 3 workflows.",
        "GitHub has not been reached lately for 3 of them: a newer result may be"
        " missing.",
    ]


def verdict_lines(page: Element) -> tuple[str, list[str]]:
    box = page.one("section", class_="verdict")
    lines = box.all("p", class_="verdict__sentence")
    return box.attributes["data-state"], [line.text for line in lines]


async def test_a_short_number_finds_the_commit_and_letter_case_does_not_matter(
    db: Database, datasette: Datasette
) -> None:
    save(db, 1)
    page = await get_page(datasette, "/commits/ACME/Api/ABCDEF0")
    assert page.one("h1").text == "Change 1 abcdef0 · acme/api"

    other = "abcdef0" + 33 * "2"
    save(db, 2, head_sha=other)
    page = await get_page(datasette, "/commits/acme/api/abcdef0")
    addresses = [a.href for a in page.one("ul", class_="choices").all("a")]
    assert addresses == [f"/commits/acme/api/{other}", PAGE]
    page = await get_page(datasette, "/commits/acme/api/abcdef01")
    assert "Change 1" in page.one("h1").text


async def test_a_renamed_repository_is_found_by_each_of_its_names(
    db: Database, datasette: Datasette
) -> None:
    save(db, 1)
    with transaction(db):
        db.execute(
            "insert or replace into repos (repo, full_name, is_archived)"
            " values ('acme/api', 'acme/new-name', 0)"
        )
        db.execute(
            "insert into repos (repo, alias_of, is_archived)"
            " values ('acme/other', 'acme/api', 0)"
        )
    for name in ("acme/new-name", "acme/other", "Acme/New-Name"):
        page = await get_page(datasette, f"/commits/{name}/abcdef0")
        assert page.one("h1").text == "Change 1 abcdef0 · acme/api"


async def test_an_unwatched_workflow_keeps_its_result(
    db: Database, datasette: Datasette
) -> None:
    save(db, 1)
    feeds.save_watched(db, [("acme/api", "lint.yml")])
    page = await get_page(datasette, PAGE)

    assert sentence(page) == "Passed in 1 of 2 workflows, 1 not run yet."
    assert "no longer watched" in page.one("table", class_="commit").text
    assert repos.get(db, "acme/none") is None


NOT_HEX = "is not a commit"
WRONG = (
    ("/commits/acme/api/abcdef", 400, "7 or more of its hexadecimal digits"),
    ("/commits/acme/api/main-branch", 400, NOT_HEX),
    ("/commits/acme/api/%E2%80%AEabcdef01", 400, NOT_HEX),
    (f"/commits/acme/api/{'a' * 65}", 400, NOT_HEX),
    ("/commits/acme/api/%00abcdef0", 400, NOT_HEX),
    ("/commits/acme/api/%D9%A1%D9%A2%D9%A3%D9%A4%D9%A5%D9%A6%D9%A7", 400, NOT_HEX),
    (f"{PAGE}?days=3", 400, "Unknown argument 'days'"),
    ("/commits/acme/api/1234567", 404, "No run of the commit 1234567 of acme/api"),
    (f"/commits/acme/none/{SHA}", 404, "no run of the repository acme/none"),
    (f"/commits/%2e%2e/x/{SHA}", 404, "no run of the repository ../x"),
)


async def test_other_addresses_say_what_is_wrong(
    db: Database, datasette: Datasette
) -> None:
    save(db, 1)
    for path, status, words in WRONG:
        page = await get_page(datasette, path, status=status)
        assert words in page.one("div", class_="error__text").text, path


async def test_an_unknown_commit_names_the_stored_ones(
    db: Database, datasette: Datasette
) -> None:
    save(db, 1)
    page = await get_page(datasette, "/commits/acme/api/1234567", status=404)
    links = [a.href for a in page.one(id="error").all("a")]
    assert PAGE in links
    assert "/commits/acme/api" in links

    page = await get_page(datasette, f"/commits/acme/none/{SHA}", status=404)
    assert "/commits/acme/api" in [a.href for a in page.one(id="error").all("a")]


async def test_texts_from_github_are_shown_as_text(
    db: Database, datasette: Datasette
) -> None:
    save(
        db,
        1,
        display_title=f"\u202e{HOSTILE}",
        head_branch=HOSTILE,
        event=HOSTILE,
        actor={"login": HOSTILE},
        name=HOSTILE,
        html_url="javascript:alert(1)",
    )
    page = await get_page(datasette, PAGE)

    assert harms(page) == []
    assert HOSTILE in page.one("h1").text


async def test_links_lead_somewhere(db: Database, datasette: Datasette) -> None:
    save(db, 1)
    page = await get_page(datasette, PAGE + "?theme=light")
    for address in local_addresses(page):
        response = await datasette.client.get(address)
        assert response.status_code < 400, address


async def test_the_etag_changes_with_the_content_only(
    db: Database, datasette: Datasette
) -> None:
    save(db, 1)
    first = await datasette.client.get(PAGE)
    etag = {"If-None-Match": first.headers["etag"]}
    save(db, 2, head_sha="e" * 40)
    again = await datasette.client.get(PAGE, headers=etag)
    assert again.status_code == 304

    save(db, 3, "lint.yml")
    changed = await datasette.client.get(PAGE, headers=etag)
    assert changed.status_code == 200


async def test_a_page_reads_the_runs_of_its_commit_only(
    db: Database, datasette: Datasette, monkeypatch: Any
) -> None:
    save(db, 1)
    statements = counting(datasette, monkeypatch)
    await get_page(datasette, PAGE)
    plans = [
        row[3]
        for sql in statements()
        if "from runs" in sql or "commit_runs" in sql
        for row in db.execute(f"explain query plan {sql}")
    ]

    assert any("USING INDEX runs_commit" in plan for plan in plans)
    scanned = {plan for plan in plans if plan.startswith("SCAN")}
    tables = {plan.split()[1] for plan in scanned}
    assert not tables & {"runs", "r", "a", "d", "run_attempts", "decisions", "jobs"}
