"""The dashboard's pages: filters, period, links, and the plugin that serves them."""

import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import datasette_dashboards
import pytest
import pytest_asyncio
from dashboards import CHARTS, JOBS, PAGE, chart_rows, fill
from datasette.app import Datasette
from page_reader import read_page
from web_client import serving_example

ROOT = Path(__file__).parents[2]

in_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def datasette(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Datasette]:
    """Datasette as `serve` runs it, on the example; no test writes to it."""
    folder = tmp_path_factory.mktemp("example")
    async with serving_example(folder, fill) as datasette:
        yield datasette


async def page_of(datasette: Datasette, query: str) -> str:
    response = await datasette.client.get(f"{PAGE}?{query}")
    assert response.status_code == 200
    html: str = response.text
    return html


def fields_of(html: str) -> dict[str, Any]:
    """The value of each field of the form; of a select (value, label, selected)."""
    form = read_page(html).one("form")
    fields: dict[str, Any] = {
        field.attributes["name"]: field.attributes["value"]
        for field in form.all("input")
    }
    for select in form.all("select"):
        fields[select.attributes["name"]] = [
            (o.attributes["value"], o.text, "selected" in o.attributes)
            for o in select.all("option")
        ]
    return fields


def data_of(html: str) -> dict[str, Any]:
    [text] = re.findall(
        r'<script type="application/json" id="dashboard">(.*)</sc', html
    )
    data: dict[str, Any] = json.loads(text)
    return data


@in_loop
async def test_the_filters_offer_the_stored_values_and_all_of_them(datasette):
    fields = fields_of(await page_of(datasette, "repo=ACME/api&days=7"))

    assert fields == {
        "repo": [("", "All repositories", False), ("acme/api", "acme/api", True)],
        "workflow": [("", "All workflows", True), ("ci.yml", "CI (ci.yml)", False)],
        "branch": [("", "All branches", True), ("main", "main", False)],
        "days": "7",
        "until": "",
    }


@in_loop
async def test_a_value_that_is_not_stored_stays_selected_and_says_so(datasette):
    html = await page_of(datasette, "repo=acme/none&branch=<b>&workflow=CI.yml")

    selected = [
        [label for _, label, is_selected in fields_of(html)[name] if is_selected]
        for name in ("repo", "workflow", "branch")
    ]
    assert selected == [
        ["acme/none (not in the list)"],
        ["CI.yml (not in the list)"],
        ["<b> (not in the list)"],
    ]


@in_loop
@pytest.mark.parametrize(
    ("query", "period", "problem"),
    [
        ("", "31 Jan 2026 to 1 Mar 2026", ""),
        ("days=1", "1 Mar 2026", ""),
        ("days=007&until=2026-02-28", "22 Feb 2026 to 28 Feb 2026", ""),
        ("days=abc", "31 Jan 2026 to 1 Mar 2026", "days=abc is not a number from 1"),
        ("days=0", "31 Jan 2026 to 1 Mar 2026", "days=0 is not a number from 1"),
        ("days=367", "31 Jan 2026 to 1 Mar 2026", "days=367 is not a number from 1"),
        ("days=2&until=2026-02-30", "28 Feb 2026 to 1 Mar 2026", "is not a day"),
        ("days=2&until=20260228", "28 Feb 2026 to 1 Mar 2026", "is not a day"),
        ("days=2&until=1999-01-01", "28 Feb 2026 to 1 Mar 2026", "outside of the"),
    ],
)
async def test_the_page_names_its_period_and_what_it_cannot_show(
    datasette, query, period, problem
):
    html = await page_of(datasette, query)

    assert f">{period} (Europe/Zurich)</p>" in html
    assert re.findall(r'<p class="banner" data-level="calm">', html) == (
        ['<p class="banner" data-level="calm">'] if problem else []
    )
    assert problem in html
    # The charts get what the page says, not what cannot be shown.
    data = data_of(html)
    first, last = data["period"]["first_day"], data["period"]["last_day"]
    [row] = await chart_rows(datasette, "runs", **data["args"])
    days = await chart_rows(datasette, "runs-by-day", **data["args"])
    assert (days[0]["day"], days[-1]["day"]) == (first, last)
    assert row["runs"] == sum(day["runs"] - day["unfinished"] for day in days)


@in_loop
async def test_the_list_has_both_dashboards_and_keeps_the_filters(datasette):
    page = read_page(
        (await datasette.client.get("/-/dashboards?days=7&repo=a%2Fb")).text
    )

    links = [link.attributes["href"] for link in page.one("main").all("a")]
    assert links == [f"{PAGE}?days=7&repo=a%2Fb", f"{JOBS}?days=7&repo=a%2Fb"]


@in_loop
async def test_a_dashboard_links_to_the_other_with_the_filters_of_both(datasette):
    html = await page_of(datasette, "repo=acme%2Fapi&branch=main&days=7&theme=light")

    tabs = read_page(html).one("nav", class_="trends__tabs").all("a")
    query = "repo=acme%2Fapi&branch=main&days=7&theme=light"
    assert [tab.attributes["href"] for tab in tabs] == [
        f"{PAGE}?{query}",
        f"{JOBS}?{query}",
    ]


@in_loop
async def test_links_within_the_dashboard_keep_filters_and_theme(datasette):
    query = "repo=acme%2Fapi&days=7&theme=light"

    html = await page_of(datasette, query)
    chart = (await datasette.client.get(f"{PAGE}/runs-by-day?{query}")).text

    assert f'href="{PAGE}/runs-by-day?{query.replace("&", "&amp;")}"' in html
    assert '<input type="hidden" name="theme" value="light">' in html
    assert f'href="{PAGE}?{query.replace("&", "&amp;")}"' in chart


@in_loop
async def test_an_embedded_page_has_no_form(datasette):
    page = (await datasette.client.get(f"{PAGE}/embed?days=7")).text
    chart = (await datasette.client.get(f"{PAGE}/runs-by-day/embed")).text

    for html in (page, chart):
        assert 'class="datasette embedded"' in html
        assert '<base target="_top">' in html
        assert "<form" not in html


@in_loop
async def test_filters_of_one_request_do_not_affect_the_next(datasette):
    await datasette.client.get(f"{PAGE}?repo=acme/api")

    page = await datasette.client.get(f"{PAGE}?days=30")

    assert "and repo = :repo" not in page.text


@in_loop
@pytest.mark.parametrize("chart", CHARTS)
async def test_each_chart_has_a_page_of_its_own(datasette, chart):
    page = await datasette.client.get(f"{PAGE}/{chart}?days=30")

    assert page.status_code == 200


# The files of datasette-dashboards that ours depend on or replace, and their hashes.
PLUGIN_FILES = {
    "__init__.py": "5d8f9a3c62af4717",
    "templates/dashboard_chart.html": "51c69e4f53883ad0",
    "templates/dashboard_list.html": "379907be5b6e44ca",
    "templates/dashboard_view.html": "aa9542016ce33eb2",
}
CHANGED = """
datasette-dashboards has changed {names}. Compare with plugins/dashboards.py,
templates/*dashboard*.html and static/pages/dashboard*.js, which use its routes, the
variables of its templates and its copies of Vega; then note the new hashes above.
"""


def test_the_plugin_is_the_one_that_our_templates_are_written_for() -> None:
    folder = Path(datasette_dashboards.__file__).parent
    changed = [
        name
        for name, known in PLUGIN_FILES.items()
        if hashlib.sha256((folder / name).read_bytes()).hexdigest()[:16] != known
    ]

    assert changed == [], CHANGED.format(names=", ".join(changed))
    for name in ("vega", "vega-lite", "vega-embed"):
        assert (folder / f"static/{name}.min.js").is_file()
