"""How long main was red, and what broke it: by hand, and as the views for SQL say."""
# ruff: noqa: S311 (no secrets)

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from archive import NOW, save_runs, set_clock, watch
from datasette.app import Datasette
from factories import run_payload, times
from job_objects import job_object, save_jobs
from page_reader import get_page
from sqlite_utils import Database
from web_client import get_json, serving

from ci_observer.ingest.times import utc
from ci_observer.web.summary.report import read_report
from ci_observer.web.summary.span import Request
from ci_observer.web.summary.states import merged

Numbers = dict[str, Any]
FEEDS = (
    *(("acme/api", "ci.yml"), ("acme/api", "lint.yml")),
    *(("acme/web", "ci.yml"), ("acme/docs", "ci.yml")),
)
HOUR = 3600


def summary(db: Database, **arguments: str) -> Numbers:
    [path] = [row[2] for row in db.execute("pragma database_list") if row[1] == "main"]
    with closing(sqlite3.connect(path)) as conn:
        conn.row_factory = sqlite3.Row
        return read_report(conn, Request.from_pairs(arguments.items())).data


def save_day(db: Database) -> None:
    """Green from 8:05, red from 9:05 to 10:10, green, and red from 12:05 on."""
    save_runs(
        db,
        run_payload(1, **times("08:00")),
        run_payload(2, conclusion="failure", head_sha="b" * 40, **times("09:00")),
        run_payload(3, **times("10:00", 10)),
        run_payload(4, conclusion="failure", event="schedule", **times("12:00")),
    )


def test_a_day_by_hand(db: Database) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save_day(db)
    data = summary(db, days="1")
    total = data["total"]

    red = 65 * 60 + 5 * HOUR + 55 * 60
    assert total["red_seconds"] == red
    assert total["green_seconds"] == HOUR + 115 * 60
    assert total["recorded_seconds"] == 18 * HOUR - 8 * HOUR - 5 * 60
    assert total["red_percent"] == round(100 * red / total["recorded_seconds"], 2)
    assert (total["breaks"], total["fixes"]) == (2, 1)
    assert total["fix_median_seconds"] == total["fix_longest_seconds"] == 65 * 60
    assert total["before"]["recorded_seconds"] == 0
    assert total["before"]["red_percent"] is None
    assert data["main"]["state"] == "red"
    assert data["main"]["since_at"] == "2026-03-01T12:05:00Z"
    assert [row["broken_at"][11:16] for row in data["breaks"]] == ["12:05", "09:05"]
    assert data["breaks"][1]["fixed_at"] == "2026-03-01T10:10:00Z"
    assert data["breaks"][1]["actor"] == "ada"
    # Whoever last changed the schedule has not broken main.
    assert data["first_break"]["run_id"] == 4
    assert data["first_break"]["actor"] is None


def test_a_break_belongs_to_the_span_in_which_it_began(db: Database) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save_day(db)
    set_clock(db, NOW + timedelta(days=1))
    yesterday = summary(db, days="1", until="2026-03-01")
    today = summary(db, days="1")

    assert yesterday["total"]["breaks"] == 2
    assert yesterday["total"]["red_seconds"] == 65 * 60 + 12 * HOUR - 5 * 60
    assert (today["total"]["breaks"], today["total"]["fixes"]) == (0, 0)
    assert today["total"]["red_seconds"] == 18 * HOUR
    assert [row["run_id"] for row in today["breaks"]] == [4]
    assert today["total"]["before"]["breaks"] == 2


def test_a_break_that_ends_in_the_span_is_a_fix_of_it(db: Database) -> None:
    watch(db, ("acme/api", "ci.yml"))
    at = {
        "created_at": "2026-02-27T10:00:00Z",
        "run_started_at": "2026-02-27T10:00:00Z",
    }
    failed = run_payload(
        1, conclusion="failure", **at, updated_at="2026-02-27T10:05:00Z"
    )
    save_runs(db, failed, run_payload(2, **times("10:00", 5)))
    data = summary(db, days="1")

    assert (data["total"]["breaks"], data["total"]["fixes"]) == (0, 1)
    assert data["total"]["fix_longest_seconds"] == 48 * HOUR
    assert data["total"]["red_seconds"] == 10 * HOUR + 5 * 60


def fill_randomly(db: Database, seed: int) -> None:
    """States of 20 days, with runs that do not exist."""
    watch(db, *FEEDS)
    random = Random(seed)
    for repo, workflow in FEEDS:
        db.execute(
            "delete from state_spans where repo = ? and workflow = ?", [repo, workflow]
        )
        at = NOW - timedelta(days=20, minutes=random.randrange(1000))
        former, rows = None, []
        while at < NOW:
            kinds = [("green", None), ("red", None), ("unknown", "untested")]
            kinds += [("unknown", "no_result"), ("unknown", "unwatched")]
            kind = random.choice([k for k in kinds if k != former])
            rows.append({"from_at": utc(at), "state": kind[0], "reason": kind[1]})
            former = kind
            at += timedelta(minutes=random.randrange(1, 3000))
        for row, after in zip(rows, [*rows[1:], {"from_at": None}], strict=True):
            key = {"repo": repo, "workflow": workflow, "branch": "main"}
            db["state_spans"].insert(key | row | {"to_at": after["from_at"]})


RED_SQL = """
select coalesce(sum(
  min(unixepoch(coalesce(to_at, :now)), unixepoch(min(:until, :now)))
    - max(unixepoch(from_at), unixepoch(:since))
), 0)
from {view}
where state = :state and from_at < :until and coalesce(to_at, '~') > :since
  and repo = :repo {more}
"""


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "days", [{"days": "7"}, {"days": "3", "until": "2026-02-26"}], ids=str
)
def test_the_times_are_those_of_the_views(
    db: Database, seed: int, days: dict[str, str]
) -> None:
    with db.atomic():
        fill_randomly(db, seed)
    data = summary(db, **days)
    span = {name: data["span"][name] for name in ("since", "until")}

    for repo in data["repositories"]:
        for state in ("red", "green", "unknown"):
            params = span | {"now": data["now"], "repo": repo["repo"], "state": state}
            sql = RED_SQL.format(view="repo_timeline", more="")
            [[seconds]] = db.execute(sql, params)
            assert repo[f"{state}_seconds"] == seconds, (repo["repo"], state)
    for row in data["workflows"]:
        params = span | {"now": data["now"], "repo": row["repo"], "state": "red"}
        sql = RED_SQL.format(
            view="state_timeline", more=f"and workflow = '{row['workflow']}'"
        )
        [[seconds]] = db.execute(sql, params)
        assert row["red_seconds"] == seconds
        [[breaks, fixes, longest]] = db.execute(
            "select count(*) filter (where broken_at >= :since and broken_at < :until),"
            " count(*) filter (where fixed_at >= :since and fixed_at < :until),"
            " max(seconds) filter (where fixed_at >= :since and fixed_at < :until)"
            " from breaks where repo = :repo and workflow = :workflow",
            span | {"repo": row["repo"], "workflow": row["workflow"]},
        )
        assert (row["breaks"], row["fixes"]) == (breaks, fixes)
        assert row["fix_longest_seconds"] == longest
    for name in ("breaks", "fixes"):
        assert data["total"][name] == sum(row[name] for row in data["workflows"])


@pytest.mark.parametrize("seed", range(20))
def test_the_worst_of_several_states_counts_in_each_second(seed: int) -> None:
    random = Random(seed)
    pieces = []
    for _ in range(random.randrange(8)):
        began = random.randrange(40)
        state = random.choice(("red", "unknown", "green"))
        pieces.append((began, began + random.randrange(1, 15), state))
    seconds: dict[int, str] = {}
    for second in range(5, 35):
        states = {state for began, ended, state in pieces if began <= second < ended}
        for state in ("green", "unknown", "red"):
            if state in states:
                seconds[second] = state

    found: dict[int, str] = {}
    for began, ended, state in merged(pieces, 5, 35):
        for second in range(began, ended):
            assert second not in found
            found[second] = state
    assert found == seconds


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path) as datasette:
        yield datasette


@pytest.mark.asyncio
async def test_the_first_lines_say_who_broke_main(
    db: Database, datasette: Datasette
) -> None:
    save_runs(
        db,
        run_payload(1, **times("08:00")),
        run_payload(2, conclusion="failure", head_sha="b" * 40, **times("09:00")),
    )
    save_jobs(db, 2, job_object(1, "test <b>", "failure"))
    page = await get_page(datasette, "/summary?days=1")
    text = (await datasette.client.get("/summary.md?days=1")).text
    lines = page.one("section", class_="headline").text

    assert "Main is red" in lines
    assert (
        "2026-03-01 09:05, CI of acme/api: #2 by ada, commit bbbbbbb, job test" in lines
    )
    assert "red 8 h 55 min (90 %), green 1 h (10 %); recorded 9 h 55 min" in lines
    assert "1 break" in lines
    assert "CI acme/api · 2026-03-01 09:05, still red" in page.one(id="breaks").text
    assert "by ada, commit bbbbbbb, job test &lt;b&gt;" in text
    assert "still red" in text


@pytest.mark.asyncio
async def test_each_repository_has_a_bar(db: Database, datasette: Datasette) -> None:
    save_day(db)
    page = await get_page(datasette, "/summary?days=1")
    [bar] = page.one(id="over-time").all("svg", class_="timeline")
    parts = [a.one("rect").attributes["data-state"] for a in bar.all("a")]
    addresses = [a.href for a in bar.all("a")]

    assert parts == ["green", "red", "green", "red"]
    assert addresses[1] == "/?at=2026-03-01T09%3A05%3A00Z"


@pytest.mark.asyncio
async def test_states_that_are_still_being_computed_are_said_to_be(
    db: Database, datasette: Datasette
) -> None:
    with db.atomic():
        db.execute(
            "insert into state_builds (repo, workflow, from_at, to_at, is_recheck)"
            " values ('acme/api', 'ci.yml', '', '2026-02-20T10:00:00Z', 0)"
        )
        db.execute("update instance set value = value + 1 where key = 'revision'")
    data = await get_json(datasette, "/api/summary")

    assert (
        "The states of main before 20 Feb 2026 are still being computed."
        in (data["incomplete"])
    )


async def summary_of_jobs(
    db: Database, datasette: Datasette, jobs_until: str, days: int
) -> dict[str, Any]:
    """The summary after the jobs of all runs since a time are fetched."""
    with db.atomic():
        db.execute("update feed_backfills set jobs_until = ?", [jobs_until])
        db.execute("update instance set value = value + 1 where key = 'revision'")
    return await get_json(datasette, f"/api/summary?days={days}")


@pytest.mark.asyncio
async def test_minutes_are_not_judged_while_jobs_are_being_fetched(
    db: Database, datasette: Datasette
) -> None:
    save_day(db)
    save_jobs(db, 2, job_object(1, "test", "failure"))
    with db.atomic():
        db.execute(
            "insert or ignore into feed_backfills (repo, workflow)"
            " select repo, workflow from feeds"
        )
    begun = await summary_of_jobs(db, datasette, "2026-03-01T12:00:00Z", 1)
    page = await get_page(datasette, "/summary?days=1")
    text = (await datasette.client.get("/summary.md?days=1")).text

    [sentence] = [line for line in begun["incomplete"] if "being fetched" in line]
    assert sentence.startswith("The jobs of these days are still being fetched")
    assert sentence in page.text
    assert begun["total"]["wasted_minutes"] > 0
    assert begun["total"]["wasted_percent"] is None
    assert "100 %" not in page.one(id="minutes").text
    assert "jobs are being fetched" in text


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("jobs_until", "days", "is_complete"),
    [
        ("", 1, True),
        ("2026-03-01T00:00:00Z", 1, True),
        ("2026-03-01T12:00:00Z", 1, False),
        # The walk has come past the span, and no run is before it.
        ("2026-02-28T12:00:00Z", 1, True),
    ],
)
async def test_jobs_are_complete_from_the_place_of_the_walk_on(
    db: Database, datasette: Datasette, jobs_until: str, days: int, is_complete: bool
) -> None:
    save_day(db)
    with db.atomic():
        db.execute(
            "insert or ignore into feed_backfills (repo, workflow)"
            " select repo, workflow from feeds"
        )
    data = await summary_of_jobs(db, datasette, jobs_until, days)

    assert data["total"]["jobs_complete"] is is_complete
    assert any("being fetched" in line for line in data["incomplete"]) != is_complete
