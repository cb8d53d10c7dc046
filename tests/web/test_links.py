"""Links in the rows of queries: they stay on this server and open rows."""

from pathlib import Path
from urllib.parse import quote

import pytest
from archive import save_runs, watch
from factories import run_payload
from web_client import serving

HOSTILE = '/ci_observer/"><img src=x onerror=alert(1)>'


async def page_of(db_path: Path, select: str, **settings: str) -> str:
    async with serving(db_path, **settings) as datasette:
        answer = await datasette.client.get(f"/ci_observer?sql={quote(select)}")
        assert answer.status_code == 200
        return str(answer.text)


@pytest.mark.asyncio
async def test_a_number_leads_to_its_rows(db, db_path):
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))

    page = await page_of(db_path, "select runs_path from feed_links")
    path = "/ci_observer/runs?repo=acme/api&amp;workflow=ci.yml"

    assert f'<a href="{path}">rows</a>' in page
    async with serving(db_path) as datasette:
        rows = await datasette.client.get(
            "/ci_observer/runs.json?repo=acme/api&workflow=ci.yml&_shape=array"
        )
    assert [row["run_id"] for row in rows.json()] == [1]


@pytest.mark.asyncio
async def test_a_path_below_a_base_url_starts_with_it(db, db_path):
    watch(db, ("acme/api", "ci.yml"))

    page = await page_of(db_path, "select runs_path from feed_links", base_url="/ci/")

    assert 'href="/ci/ci_observer/runs?' in page


@pytest.mark.asyncio
@pytest.mark.parametrize("value", ["//evil.example/x", "javascript:alert(1)", HOSTILE])
async def test_a_hostile_value_becomes_neither_a_link_nor_markup(db, db_path, value):
    page = await page_of(db_path, f"select '{value}' as runs_path")

    assert "<img src=x" not in page
    assert 'href="//evil' not in page
    assert 'href="javascript' not in page
