"""Cells of tables and queries: what people read, and what programs get."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from archive import save_runs, watch
from datasette.plugins import pm
from factories import run_payload
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape
from sqlite_utils import Database
from waiting import other_request
from web_client import serving

from ci_observer.web.tables.cells import Cell, format_of

GITHUB = "https://github.com/acme/api"
RUN_URL = f"{GITHUB}/actions/runs/7"
SPACE = "\N{NO-BREAK SPACE}"
HOSTILE = '"><img src=x onerror=alert(1)>'


def cell(
    column: str, value: object, table: str | None = None, **row: Any
) -> Markup | None:
    """A cell's HTML; None if Datasette shows the value itself."""
    row = {column: value} | row
    show = format_of(column)
    zone = ZoneInfo("Europe/Berlin")
    shown = show and show(Cell(value, column, row, table, lambda path: path, zone))
    assert shown is None or isinstance(shown, Markup)
    return shown


def text(column: str, value: object, **row: Any) -> str | None:
    shown = cell(column, value, **row)
    return None if shown is None else shown.striptags()


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("duration_seconds", 240, f"4{SPACE}min"),
        ("p50_seconds_before", 5220, f"1{SPACE}h 27{SPACE}min"),
        ("age_seconds", 518400, f"6{SPACE}d"),
        ("red_hours", 1.5, f"1{SPACE}h 30{SPACE}min"),
        ("success_rate", 0.95, f"95{SPACE}%"),
        ("success_rate", 0.999, f"99{SPACE}%"),
        ("success_rate", 0, f"0{SPACE}%"),
        ("failure_rate_percent", 8.4, f"8.4{SPACE}%"),
        ("flaky_percent", 0.02, f"< 0.1{SPACE}%"),
        ("p50_change_percent", 50.0, f"+50{SPACE}%"),
        ("p50_change_percent", -12.0, f"-12{SPACE}%"),
        ("p50_change_percent", 250.0, f"+250{SPACE}%"),
        ("started_at", "2026-03-01T18:00:00Z", "2026-03-01 19:00"),
        ("started_at", "2026-07-01T18:00:00Z", "2026-07-01 20:00"),
        ("fetched_to", "2026-03-01T18:00:00Z", "2026-03-01 19:00"),
        ("conclusion", "timed_out", "timed out"),
        ("conclusion", "a_new_word", "a new word"),
        ("last_result_conclusion", "success", "success"),
        ("status", "in_progress", "running"),
        ("tile_state", "no_access", "no access"),
        ("is_flaky", 1, "yes"),
        ("is_watched", 0, "no"),
        ("head_sha", "abcdef1234" * 4, "abcdef1"),
    ],
)
def test_a_value_is_shown_as_people_write_it(column, value, shown):
    html = cell(column, value)

    assert html is not None
    assert f">{escape(shown)}<" in str(html).replace("</svg> ", "</svg>")
    assert f'title="{value}' in html or shown == value


@pytest.mark.parametrize(
    ("column", "value"),
    [
        # Seconds since 1970, and times that run backwards.
        ("updated_seconds", 1_790_000_000),
        ("duration_seconds", -5),
        ("duration_seconds", "240"),
        ("error_rate", 17),
        ("started_at", "yesterday"),
        ("started_at", "2026-13-01T00:00:00Z, or so"),
        ("conclusion", "Not a word of GitHub"),
        ("conclusion", None),
        ("status", "completed"),
        ("tile_state", 7),
        ("is_flaky", "maybe"),
        ("run_id", "7"),
        ("run_id", -7),
        ("repo", "../../logout"),
        ("repo", "acme/.."),
        ("workflow", "ci.yml"),
        ("head_sha", "main"),
        ("pr_number", 12),
        ("html_url", "javascript:alert(1)"),
        ("html_url", "https://"),
        ("html_url", "http://[::1"),
        ("runs_path", "//evil.example/x"),
        ("strip", "{}"),
        ("strip", '[{"result": {}}, 3]'),
        ("display_title", "2026-03-01T18:00:00Z"),
    ],
)
def test_a_value_that_does_not_fit_its_name_is_left_as_it_is(column, value):
    assert cell(column, value) is None


@pytest.mark.parametrize(
    ("column", "row", "address", "words"),
    [
        ("html_url", {"html_url": RUN_URL, "run_number": 87}, RUN_URL, "#87"),
        (
            "last_result_html_url",
            {"last_result_html_url": RUN_URL, "last_result_run_number": 5},
            RUN_URL,
            "#5",
        ),
        ("html_url", {"html_url": RUN_URL}, RUN_URL, "view run"),
        (
            "html_url",
            {"html_url": f"{RUN_URL}/job/1"},
            f"{RUN_URL}/job/1",
            "view job",
        ),
        (
            "docs_url",
            {"docs_url": "https://example.org/a"},
            "https://example.org/a",
            "example.org",
        ),
        ("run_id", {"run_id": 7}, "/ci_observer/runs/7", "7"),
        ("stuck_run_id", {"stuck_run_id": 7}, "/ci_observer/runs/7", "7"),
        ("job_id", {"job_id": 9}, "/ci_observer/jobs/9", "9"),
        (
            "workflow",
            {"repo": "acme/api", "workflow": "a b.yml"},
            "/workflows/acme/api/a%20b.yml",
            "a b.yml",
        ),
        ("repo", {"repo": "acme/api"}, "/runs?repo=acme%2Fapi", "acme/api"),
        (
            "head_sha",
            {"repo": "acme/api", "head_sha": "a" * 40, "html_url": RUN_URL},
            f"/commits/acme/api/{'a' * 40}",
            "aaaaaaa",
        ),
        (
            "head_sha",
            {"head_sha": "a" * 40, "html_url": RUN_URL},
            f"{GITHUB}/commit/{'a' * 40}",
            "aaaaaaa",
        ),
        (
            "pr_number",
            {"pr_number": 12, "last_html_url": RUN_URL},
            f"{GITHUB}/pull/12",
            "#12",
        ),
    ],
)
def test_a_cell_is_a_link_in_words(column, row, address, words):
    html = cell(column, row[column], **row)

    assert html is not None
    assert f'href="{address}"' in html
    assert html.striptags() == words


def test_a_run_that_github_has_no_more_is_not_linked():
    html = cell("html_url", RUN_URL, run_number=3, gone_at="2026-03-01T18:00:00Z")

    assert html is not None
    assert "href" not in html
    assert html.striptags() == "#3 no longer on GitHub"


def test_githubs_list_of_workflows_does_not_link_pages_that_may_not_exist():
    assert cell("workflow", "ci.yml", table="workflows", repo="acme/api") is None
    assert cell("workflow", "ci.yml", table="feeds", repo="acme/api") is not None


def test_a_result_has_colour_symbol_and_word_and_a_time_out_is_red():
    html = cell(
        "conclusion", "cancelled", cancel_cause="timeout", duration_seconds=21600
    )

    assert html is not None
    assert 'data-look="bad"' in html
    assert "#symbol-overdue" in html
    assert 'title="cancelled"' in html
    assert html.striptags() == "timed out after 6 h"


def test_the_last_result_of_a_tile_is_a_time_out_as_on_the_wall():
    html = cell(
        "last_result_conclusion", "cancelled", last_result_cancel_cause="timeout"
    )

    assert html is not None
    assert 'data-look="bad"' in html
    assert html.striptags().startswith("timed out")


def test_an_unfinished_run_shows_its_status_as_result():
    html = cell("conclusion", None, status="in_progress")

    assert html is not None
    assert html.striptags() == "running"
    assert cell("conclusion", None, status="completed") is None


def test_a_strip_is_counted():
    strip = '[{"result": "passing"}, {"result": "failing"}, {"result": null}]'

    assert text("strip", strip) == "1 passing, 1 failing, 1 other"


# A column of each format.
COLUMNS = (
    *("html_url", "docs_url", "repo", "workflow", "runs_path", "conclusion", "status"),
    *("head_sha", "started_at", "duration_seconds", "run_id", "tile_state", "strip"),
    *("success_rate", "flaky_percent", "is_flaky", "pr_number", "job_id"),
)


@given(
    column=st.sampled_from(COLUMNS),
    value=st.one_of(
        *(st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text()),
        st.binary(max_size=8),
        st.from_regex(r"[019]{4}-1[0-9]-[0-3]1T[0-9]{2}:59:59Z", fullmatch=True),
        st.from_regex(r"https?://[ -~]*", fullmatch=True),
        st.from_regex(r"[A-Za-z./@-]+", fullmatch=True),
        st.recursive(st.text(), st.lists).map(json.dumps),
        st.just("[" * 100_000),
    ),
    other=st.one_of(st.none(), st.integers(), st.text()),
)
def test_any_value_in_any_column_is_text_or_left_to_datasette(column, value, other):
    row = dict.fromkeys(("repo", "run_number", "status", "cancel_cause"), other)
    shown = cell(column, value, **row)

    if shown is not None:
        assert shown
        inner = re.sub(
            r'</?(a|bdi|code|span|svg|time|use)( [a-zA-Z-]+="[^"<>]*")*/?>', "", shown
        )
        assert not {"<", ">"} & {*inner}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "value", [HOSTILE, f"https://x.example/{HOSTILE}", "javascript:alert(1)"]
)
async def test_a_hostile_value_becomes_neither_a_link_nor_markup(
    db: Database, db_path: Path, value: str
) -> None:
    select = ", ".join(f"'{value}' as {column}" for column in COLUMNS)
    async with serving(db_path) as datasette:
        page = await datasette.client.get(
            f"/ci_observer?sql={quote('select ' + select)}"
        )

    assert page.status_code == 200
    assert "<img src=x" not in page.text
    assert 'href="javascript' not in page.text


@pytest.mark.asyncio
async def test_programs_get_the_exact_values_and_people_the_instances_time(
    db: Database, db_path: Path
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1))
    db["instance"].upsert({"key": "timezone", "value": "Asia/Tokyo"}, pk="key")
    select = "select started_at, duration_seconds, html_url from runs"
    async with serving(db_path, base_url="/ci/") as datasette:
        client = datasette.client
        page = await client.get("/ci_observer/runs")
        query = await client.get(f"/ci_observer?sql={quote(select)}")
        rows = await client.get(f"/ci_observer.json?sql={quote(select)}&_shape=array")
        table = await client.get("/ci_observer/runs.csv")
    [run] = db.query(select)

    local = run["started_at"].replace("T", " ")
    assert rows.json() == [run]
    [line] = csv.DictReader(io.StringIO(table.text))
    assert {name: line[name] for name in run} == {k: str(v) for k, v in run.items()}
    for html in (page.text, query.text):
        assert f'title="{run["started_at"]}"' in html
        assert f">{local[:16]}<" not in html
    assert 'href="/ci/workflows/acme/api/ci.yml"' in page.text


@pytest.mark.asyncio
async def test_a_large_page_lets_other_requests_in(
    db: Database, db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    select = (
        "with recursive n(run_id) as"
        " (select 1 union all select run_id + 1 from n limit 500)"
        " select run_id from n"
    )
    async with serving(db_path) as datasette:
        address = f"/ci_observer?sql={quote(select)}"
        await datasette.client.get(address)
        plugin = pm.get_plugin("cells.py")
        monkeypatch.setattr(plugin, "SLICE_SECONDS", -1)
        async with other_request() as turns:
            page = await datasette.client.get(address)

    assert page.text.count("/ci_observer/runs/") == 500
    assert turns() > 500
