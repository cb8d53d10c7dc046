"""The bar of states over time, and its place on a workflow's page."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from archive import NOW, save_runs, set_clock, watch
from datasette.app import Datasette
from factories import run_payload, times
from page_reader import get_page
from sqlite_utils import Database
from web_client import serving

from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.times import utc
from ci_observer.web.pages.state_timeline import (
    MOST_SPANS,
    PARTS,
    midnight,
    sums,
    timeline,
)

PAGE = "/workflows/acme/api/ci.yml"
UTC_ZONE = ZoneInfo("UTC")
DAY = "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"


def row(state: str, start: str, end: str | None = None, **changes):
    columns = {"reason": None, "run_id": None, "run_attempt": None, "branch": "main"}
    times = {"from_at": at(start), "to_at": end and at(end)}
    return {"state": state} | columns | times | changes


def at(time: str) -> str:
    return f"2026-03-01T{time}:00Z"


def of_day(*rows, zone=UTC_ZONE):
    return timeline(rows, since=DAY[0], until=DAY[1], zone=zone)


def test_the_parts_of_the_bar_are_in_percent_and_end_at_its_edges():
    found = of_day(
        row("green", "06:00", "12:00", from_at="2026-02-27T12:00:00Z"),
        row("red", "12:00", "18:00"),
        row("unknown", "18:00", reason="untested"),
    )

    assert [(part.state, part.x, part.width) for part in found.parts] == [
        ("green", 0, 50),
        ("red", 50, 25),
        ("unknown", 75, 25),
    ]
    hours = 3600
    assert sums(found) == [
        ("green", 12 * hours, 0.5),
        ("red", 6 * hours, 0.25),
        ("unknown", 6 * hours, 0.25),
    ]
    assert [part.symbol for part in found.parts] == ["passing", "failing", "untested"]
    assert [span.label for span in found.listed] == ["untested", "red", "green"]


def test_time_of_which_nothing_is_known_is_empty_and_counts_for_nothing():
    found = of_day(row("green", "18:00"))

    assert [(part.x, part.width) for part in found.parts] == [(75, 25)]
    assert sums(found) == [("green", 6 * 3600, 1.0)]
    assert of_day().parts == ()
    assert of_day().share("green") is None


def test_each_part_leads_to_the_wall_at_its_beginning_and_to_its_run():
    [span] = of_day(row("red", "18:00", run_id=7, run_attempt=2)).spans

    assert span.wall_path == "/?at=2026-03-01T18%3A00%3A00Z"
    assert span.run_path == "/runs/7?attempt=2"


def test_of_many_spans_each_part_of_the_bar_shows_the_worst_state_in_it():
    """No minute of red is lost among a thousand of green."""
    minutes = [f"{n // 60:02}:{n % 60:02}" for n in range(24 * 60)]
    states = ["red" if n % 480 == 7 else "green" for n in range(len(minutes))]
    rows = [
        row(state, start, end)
        for state, start, end in zip(states, minutes, [*minutes[1:], None], strict=True)
    ]
    found = of_day(*rows)

    assert len(rows) > MOST_SPANS
    assert len(found.parts) <= PARTS
    assert [part.state for part in found.parts].count("red") == 3
    assert found.seconds("red") == 3 * 60
    edges = [round(part.x + part.width) for part in found.parts]
    assert edges[-1] == 100


@pytest.mark.parametrize(
    ("since", "until", "labels"),
    [
        ("01T00:00", "01T06:00", ["1 Mar", "01:00", "02:00"]),
        ("01T12:00", "03T12:00", ["12:00", "18:00", "2 Mar"]),
        ("01T00:00", "29T00:00", ["1 Mar", "8 Mar", "15 Mar"]),
    ],
)
def test_the_axis_has_few_round_times(since, until, labels):
    found = timeline(
        [], since=f"2026-03-{since}:00Z", until=f"2026-03-{until}:00Z", zone=UTC_ZONE
    )

    assert [label for _, label in found.ticks][:3] == labels
    assert len(found.ticks) <= 12


def test_a_day_of_23_hours_is_one_step_of_the_axis():
    zone = ZoneInfo("Europe/Berlin")
    since, until = midnight("2026-03-26", zone), midnight("2026-04-01", zone)
    found = timeline([], since=since, until=until, zone=zone)

    assert since == "2026-03-25T23:00:00Z"
    assert [label for _, label in found.ticks] == [
        *("26 Mar", "27 Mar", "28 Mar", "29 Mar", "30 Mar", "31 Mar", "1 Apr")
    ]


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    set_clock(db, NOW - timedelta(days=2))
    watch(db, ("acme/api", "ci.yml"), now=NOW)
    set_clock(db, NOW)
    save_runs(
        db,
        run_payload(1, **times("08:00")),
        run_payload(2, conclusion="failure", **times("10:00")),
        run_payload(3, **times("12:00")),
        run_payload(4, conclusion="failure", head_branch="fix", **times("13:00")),
    )
    async with serving(db_path) as datasette:
        yield datasette


@pytest.mark.asyncio
async def test_the_page_of_a_workflow_has_the_bar_and_each_state(datasette):
    page = await get_page(datasette, PAGE)
    section = page.one(id="timeline")

    text = section.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "green 7 h 55 min (80 %) · red 2 h (20 %) · turned red 1 time" in text
    links = [a.href for a in section.all("a")]
    assert "/?at=2026-03-01T10%3A05%3A00Z" in links
    assert "/runs/2" in links
    assert "Until" not in section.text
    assert "still being computed" not in section.text


@pytest.mark.asyncio
async def test_a_branch_that_is_not_the_tile_s_has_no_bar(datasette):
    page = await get_page(datasette, f"{PAGE}?branch=fix")

    assert "State over time" not in page.text


@pytest.mark.asyncio
async def test_the_page_says_which_states_are_not_known_yet(db, datasette):
    with transaction(db):
        db.execute("update feed_states set from_at = ?", [utc(NOW)])
        db.execute(
            "insert into state_builds values ('acme/api', 'ci.yml', '', ?, 0)",
            [at("09:00")],
        )
        db.execute("update instance set value = value + 1 where key = 'revision'")
    section = (await get_page(datasette, PAGE)).one(id="timeline")

    assert "Older states are still being computed" in section.text
    assert "they are complete from 2026-03-01 09:00 on" in section.text
    assert "Until 2026-03-01 18:00 only runs are known" in section.text
