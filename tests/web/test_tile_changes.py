"""Who broke or fixed a workflow: on its page, and on the wall without JavaScript."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import NOW, save_runs, set_clock, watch
from datasette.app import Datasette
from factories import run_payload, times
from page_reader import Element, get_page, harms
from sqlite_utils import Database
from web_client import serving

from ci_observer.ingest.store.tiles import update_tiles

GITHUB = "https://github.com/acme/api"
PAGE = "/workflows/acme/api/ci.yml"
OF_MAIN = "/runs?repo=acme%2Fapi&workflow=ci.yml&branch=main"

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    set_clock(db, NOW)
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path) as datasette:
        yield datasette


def save(db: Database, *runs: tuple[str, str], **changes: Any) -> None:
    """Save runs that started at `HH:MM`, each with a conclusion; tomasz breaks."""
    for run_id, (at, conclusion) in enumerate(runs, 1):
        person = {"login": "tomasz" if conclusion == "failure" else "sofia"}
        people = {"actor": person, "triggering_actor": person}
        fields = {"conclusion": conclusion} | people | times(at)
        save_runs(db, run_payload(run_id, **fields | changes))


RED = (("09:00", "success"), ("10:00", "failure"), ("16:00", "failure"))
FIXED = (("09:00", "success"), ("15:40", "failure"), ("17:40", "success"))


async def change(datasette: Datasette, path: str = PAGE) -> Element:
    page = await get_page(datasette, path)
    assert harms(page) == []
    return page.one("p", class_="state__change")


def links(line: Element) -> list[tuple[str, str]]:
    return [(a.text, a.href) for a in line.all("a")]


async def cell(datasette: Datasette) -> tuple[str, list[str]]:
    """The text and the links of the cell on the wall without JavaScript."""
    page = await get_page(datasette, "/")
    [titles, row] = [tr.all("th") + tr.all("td") for tr in page.all("tr")]
    [found] = [
        of_row
        for title, of_row in zip(titles, row, strict=True)
        if title.text == "Broken or fixed"
    ]
    return found.text, [a.href for a in found.all("a")]


async def test_a_red_workflow_says_who_broke_it(
    db: Database, datasette: Datasette
) -> None:
    save(db, *RED)
    line = await change(datasette)

    assert line.text == ("Broken by #2, tomasz, 2026-03-01 10:00 · commit 0000000")
    assert links(line) == [
        ("#2", f"{GITHUB}/actions/runs/2"),
        ("tomasz", f"{OF_MAIN}&actor=tomasz"),
        ("2026-03-01 10:00", f"{OF_MAIN}&since=2026-03-01T10%3A00%3A00Z"),
        ("0000000", f"/commits/acme/api/{2:040x}"),
    ]
    assert await cell(datasette) == (
        "broken by #2, tomasz",
        [f"{GITHUB}/actions/runs/2"],
    )


async def test_a_red_workflow_says_how_long_a_fix_takes(
    db: Database, datasette: Datasette
) -> None:
    spans = [("08:00", "success")]
    for hour in (9, 10, 11):
        spans += [(f"{hour:02}:00", "failure"), (f"{hour:02}:35", "success")]
    save(db, *spans, ("16:00", "failure"))

    assert " · usually fixed in 40 min" in (await change(datasette)).text
    assert (await cell(datasette))[0] == "broken by #8, tomasz, usually fixed in 40 min"


async def test_a_fixed_workflow_says_who_fixed_it(
    db: Database, datasette: Datasette
) -> None:
    save(db, *FIXED)
    line = await change(datasette)

    assert line.text == ("Fixed by #3, sofia, 2026-03-01 17:45, was red 2 h 5 min")
    assert [text for text, _ in links(line)] == ["#3", "sofia", "2026-03-01 17:45"]
    assert await cell(datasette) == (
        "fixed by #3, sofia, was red 2 h 5 min",
        [f"{GITHUB}/actions/runs/3"],
    )


@pytest.mark.parametrize(("at", "is_shown"), [("17:25", True), ("17:24", False)])
async def test_the_wall_shows_a_recovery_for_30_minutes(
    db: Database, datasette: Datasette, at: str, is_shown: bool
) -> None:
    save(db, *FIXED[:2], (at, "success"))

    assert bool((await cell(datasette))[0]) == is_shown
    assert "Fixed by #3" in (await change(datasette)).text


@pytest.mark.parametrize("newest", ["cancelled", "stale"])
async def test_an_unproved_green_is_no_recovery(
    db: Database, datasette: Datasette, newest: str
) -> None:
    save(db, *FIXED, ("17:50", newest))
    page = await get_page(datasette, PAGE)

    assert page.all("p", class_="state__change") == []
    assert await cell(datasette) == ("", [])


async def test_a_workflow_that_was_never_red_says_nothing(
    db: Database, datasette: Datasette
) -> None:
    save(db, ("09:00", "success"))

    assert (await get_page(datasette, PAGE)).all("p", class_="state__change") == []


async def test_the_actor_of_a_schedule_did_not_break_it(
    db: Database, datasette: Datasette
) -> None:
    """It is whoever last changed the schedule."""
    save(db, *RED, event="schedule")

    assert (await change(datasette)).text.startswith("Broken by #2, 2026-03-01 10:00")
    assert (await cell(datasette))[0] == "broken by #2"


async def test_a_rerun_names_its_starter_and_its_attempt(
    db: Database, datasette: Datasette
) -> None:
    save(db, *RED[:2], event="schedule")
    again = times("17:40") | {"created_at": times("10:00")["created_at"]}
    starter = {"actor": {"login": "tomasz"}, "triggering_actor": {"login": "sofia"}}
    save_runs(db, run_payload(2, run_attempt=2, event="schedule", **again, **starter))

    line = (await change(datasette)).text
    assert line.startswith("Fixed by #2 on attempt 2, sofia, 2026-03-01 17:45")


@pytest.mark.parametrize(
    ("html_url", "expected"),
    [
        (
            "https://git.acme.example/acme/api/actions/runs/2",
            ["https://git.acme.example/acme/api/actions/runs/2"],
        ),
        ("javascript:alert(1)//actions/runs/2", []),
        (None, []),
    ],
)
async def test_links_lead_to_the_host_of_the_run(
    db: Database, datasette: Datasette, html_url: str | None, expected: list[str]
) -> None:
    save(db, *RED[:2], html_url=html_url)
    outward = [href for _, href in links(await change(datasette)) if ":" in href[:12]]

    assert outward == expected
    assert (await cell(datasette))[1] == expected


async def test_hostile_names_are_text(db: Database, datasette: Datasette) -> None:
    name = "<img src=x onerror=alert(1)>&actor=x"
    person = {"actor": {"login": name}, "triggering_actor": {"login": name}}
    save(db, *RED[:2], **person)
    line = await change(datasette)

    assert name in line.text
    assert links(line)[1][1].endswith("%26actor%3Dx")
    assert name in (await cell(datasette))[0]


async def test_the_commit_of_a_run_that_is_gone_has_a_link(
    db: Database, datasette: Datasette
) -> None:
    """GitHub no longer has the run, because it is old; it has the commit."""
    save(db, *RED)
    with db.atomic():
        db.execute("update runs set gone_at = '2026-07-01T00:00:00Z' where run_id = 2")
        update_tiles(db, [2])

    line = await change(datasette)
    assert line.text.startswith("Broken by #2, tomasz, 2026-03-01 10:00")
    assert [href for text, href in links(line) if text in ("#2", "0000000")] == [
        f"/commits/acme/api/{2:040x}"
    ]
