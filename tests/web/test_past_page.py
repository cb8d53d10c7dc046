"""The page of the wall at a past time: its marks, its links and its errors."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest
import pytest_asyncio
from archive import NOW, save_runs, set_clock, watch
from datasette.app import Datasette
from factories import run_payload, times
from sqlite_utils import Database
from web_client import serving

from ci_observer.ingest.store import feeds

MORNING = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
FEED = ("acme/api", "ci.yml")
HTML = {"accept": "text/html"}


@pytest_asyncio.fixture
async def datasette(db_path: Path, db: Database) -> AsyncIterator[Datasette]:
    """A feed that has failed since 10:20, recorded since 8:00."""
    set_clock(db, MORNING)
    watch(db, FEED, now=MORNING)
    set_clock(db, NOW)
    save_runs(
        db,
        run_payload(1, **times("07:00")),
        run_payload(2, **times("10:00", 20), conclusion="failure"),
    )
    [feed] = feeds.watched(db)
    feeds.save_checked(db, feed, NOW)
    db.execute("update feed_states set is_stale = 0")
    async with serving(db_path) as datasette:
        yield datasette


async def page(datasette: Datasette, query: str, status: int = 200) -> str:
    response = await datasette.client.get(f"/?{query}", headers=HTML)
    assert response.status_code == status
    return response.text


def links(html: str) -> dict[str, str]:
    found = re.findall(r'<a href="([^"]+)" title="[^"]+" data-key="([^"0]+)"', html)
    return {unescape(key): unescape(href) for href, key in found}


def steps(html: str) -> dict[str, str]:
    """The links by an hour or a day."""
    return {key: href for key, href in links(html).items() if key not in "<>"}


@pytest.mark.asyncio
async def test_the_page_says_that_it_is_of_the_past(datasette: Datasette) -> None:
    html = await page(datasette, "at=2026-03-01T10:30Z")

    assert "<body data-past" in html
    title = re.search("<title>(.*)</title>", html)
    assert title
    assert title[1].startswith("Past, Sun 01 Mar 2026, 10:30 UTC")
    assert "favicon-unknown.svg" in html
    assert "7 h ago" in html.replace("\N{NO-BREAK SPACE}", " ")
    # The table for browsers without JavaScript.
    assert re.search(r">failing(:[^<]*)?<", html)
    # Nothing of now: no age of the data, no script that refreshes.
    assert "/static/joined/" not in html
    assert "wall/wall.js" not in html


@pytest.mark.asyncio
async def test_every_step_is_a_link_that_keeps_the_view(datasette: Datasette) -> None:
    html = await page(datasette, "at=2026-03-01T10:30Z&repo=acme/api&kiosk=1")

    kept = "/?repo=acme%2Fapi&kiosk=1"
    assert steps(html) == {
        "{": f"{kept}&at=2026-02-28T10:30:00Z",
        "[": f"{kept}&at=2026-03-01T09:30:00Z",
        "]": f"{kept}&at=2026-03-01T11:30:00Z",
    }
    assert f'href="{kept.replace("&", "&amp;")}" title="The wall of now' in html
    assert '<input type="hidden" name="kiosk" value="1">' in html
    assert "data-kiosk" in html


@pytest.mark.asyncio
async def test_no_step_leads_into_the_future(datasette: Datasette) -> None:
    found = steps(await page(datasette, "at=2026-03-01T17:30Z"))

    assert found.keys() == {"{", "["}


@pytest.mark.asyncio
async def test_changes_of_state_can_be_stepped_through(
    datasette: Datasette, db: Database
) -> None:
    db.execute("delete from state_spans")
    spans = (("07:05", "green"), ("10:20", "red"), ("19:00", "unknown"))
    for time, state in spans:
        db["state_spans"].insert(
            {
                "repo": "acme/api",
                "workflow": "ci.yml",
                "from_at": f"2026-03-01T{time}:00Z",
                "state": state,
            }
        )

    found = links(await page(datasette, "at=2026-03-01T09:00Z"))
    last = links(await page(datasette, "at=2026-03-01T10:20Z"))

    assert found["<"].endswith("at=2026-03-01T07:05:00Z")
    assert found[">"].endswith("at=2026-03-01T10:20:00Z")
    assert last["<"].endswith("at=2026-03-01T07:05:00Z")
    # The state of 19:00 lies in the future.
    assert ">" not in last


@pytest.mark.asyncio
async def test_the_page_says_what_is_not_known(datasette: Datasette) -> None:
    assert "past__note" not in await page(datasette, "at=2026-03-01T08:00Z")
    before = await page(datasette, "at=2026-03-01T07:30Z")
    assert "are recorded since 2026-03-01 08:00:00 UTC" in before
    empty = await page(datasette, "at=2026-02-01")
    assert "The archive begins 2026-03-01 07:00:00 UTC" in empty


@pytest.mark.asyncio
async def test_times_are_read_and_shown_in_the_zone_of_the_page(
    datasette: Datasette,
) -> None:
    html = await page(datasette, "at=2026-03-01T11:30&tz=Europe/Rome")

    assert 'data-at="2026-03-01T10:30:00Z"' in html
    assert "11:30</time></b>" in html
    assert 'value="2026-03-01T11:30"' in html


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-03-02", "lies in the future"),
        ("soon", "at=soon is not a time."),
        ("&at=soon", "at=soon is not a time."),
        ("%3Cb%3E", "at=&lt;b&gt; is not a time."),
    ],
)
async def test_a_wrong_time_is_an_error(
    datasette: Datasette, text: str, message: str
) -> None:
    assert message in await page(datasette, f"at={text}", 400)


@pytest.mark.asyncio
async def test_an_empty_time_is_now(datasette: Datasette) -> None:
    assert "<body data-past" not in await page(datasette, "at=")
