"""No CSV of ours has a cell that a spreadsheet would run; JSON stays exact."""

import csv
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from archive import save_runs, watch
from click.testing import CliRunner
from datasette.app import Datasette
from factories import run_payload, times
from hypothesis import example, given
from hypothesis import strategies as st
from sqlite_utils import Database
from web_client import serving

from ci_observer.csv_formulas import neutralised
from ci_observer.ingest.cli import main
from ci_observer.web.settings import WebSettings

FORMULAS = (
    *("=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", "-cmd", "+", "-", "="),
    *("\tx", "\rx", "\nx"),
    *(" =1+1", "\u00a0=1+1", "\u3000=1+1", "\u200b=1+1", "\ufeff=1+1", "\0=1+1"),
    *('"=1+1', ' "=1+1"', '""=1+1'),
    *("\uff1d1+1", "\uff0b1+1", "\uff0d1+1", "\uff20SUM(A1)", "\ufe661+1", "\ufe631+1"),
    *(
        "-5-5",
        "+1 555",
        "-5x",
        "--5",
        "=5",
        "+-5",
        "-5%",
        "\u22125".replace("\u2212", "-e"),
    ),
)
HARMLESS = (
    *(
        "",
        " ",
        "a",
        "a=1+1",
        "a+b",
        "a@b.example",
        "1-2",
        "5",
        "x\n",
        "'=1+1",
        "#1",
        "\u2212x",
    ),
    *("-5", "+5", "-5.25", "+.5", "-1e3", "-1.5E-7", "2026-03-01T12:00:00Z"),
    *(
        "a;b",
        "a\tb",
        "a\nb",
        "a; b=c",
        "feat: a, -b",
        "a; --",
        "a; - ",
        '{"a": "=1+1"}',
    ),
)
INNER = {
    "\t=1+1": "'\t'=1+1",
    "\r=1+1": "'\r'=1+1",
    "\n=1+1": "'\n'=1+1",
    "a;=1+1": "a;'=1+1",
    "a; =1+1": "a;' =1+1",
    'a;"=1+1"': 'a;\'"=1+1"',
    "a\t@x": "a\t'@x",
    "a\n-x": "a\n'-x",
    "a\r\n=x": "a\r\n'=x",
    "a;-5": "a;'-5",
    "a; - b": "a;' - b",
    "a;--(1)": "a;'--(1)",
    "a;\uff1d1": "a;'\uff1d1",
    ";=1;=2": ";'=1;'=2",
    "=1;=2": "'=1;'=2",
}
EVIL = '=HYPERLINK("http://evil.example")'
INSIDE = "Fix a;=1+1"


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text(text: str) -> None:
    assert neutralised(text) == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_stays(text: str) -> None:
    assert neutralised(text) == text


@pytest.mark.parametrize("value", [-5, -0.5, 0, None, True, b"=1+1"])
def test_what_is_not_text_stays(value: object) -> None:
    assert neutralised(value) is value


@pytest.mark.parametrize("text", INNER)
def test_a_formula_after_another_separator_becomes_text(text: str) -> None:
    assert neutralised(text) == INNER[text]


@given(st.text(alphabet="=+-@;\t\r\n \"'a1.\uff1d\u200b", max_size=12))
@example("\n" * 200_000)
@example("; " * 200_000)
@example(" " * 200_000)
@example(";" + "- " * 100_000)
@example(";-" * 200_000)
def test_no_reader_of_csv_finds_a_formula(text: str) -> None:
    """Also if it takes semicolons or tabs for separators, or ignores quotes."""
    safe = neutralised(text)

    assert neutralised(safe) == safe
    for cell in re.split(r"[;\t\r\n]", safe)[1:]:
        assert not re.match(r'["\s\u200b]*([=\uff1d]|[+@-]["\s\u200b]*[\w\'])', cell)
    start = safe.lstrip('" \u200b')
    is_number = re.fullmatch(r"[+-][\d.]+", start)
    assert is_number or not start.startswith(tuple("=+-@\uff1d"))
    assert not safe.startswith(tuple("\t\r\n"))
    assert len(text) <= len(safe)


@pytest.fixture
def archive(db: Database) -> Database:
    watch(db, ("acme/api", "ci.yml"))
    save_runs(
        db,
        run_payload(1, display_title=EVIL, **times("10:00")),
        run_payload(2, display_title=INSIDE, **times("11:00")),
        run_payload(3, display_title="-5", **times("12:00")),
    )
    return db


def titles(text: str) -> list[str]:
    """The titles in CSV, newest run first."""
    rows = list(csv.DictReader(text.splitlines()))
    return [row["display_title"] for row in rows]


KEPT = ["-5", INSIDE, EVIL]
NEUTRAL = ["-5", "Fix a;'=1+1", f"'{EVIL}"]


@pytest_asyncio.fixture
async def datasette(db_path: Path, archive: Database) -> AsyncIterator[Datasette]:
    async with serving(db_path) as datasette:
        yield datasette


@pytest_asyncio.fixture
async def keeping(db_path: Path, archive: Database) -> AsyncIterator[Datasette]:
    async with serving(db_path, web=WebSettings(csv_formulas="keep")) as datasette:
        yield datasette


async def text_of(datasette: Datasette, path: str) -> str:
    response = await datasette.client.get(path)
    assert response.status_code == 200, response.text
    text: str = response.text
    return text


@pytest.mark.asyncio
async def test_the_api_neutralises_csv_unless_told_otherwise(
    datasette: Datasette, keeping: Datasette
) -> None:
    path = "/api/runs.csv"

    assert titles(await text_of(datasette, path)) == NEUTRAL
    assert titles(await text_of(datasette, f"{path}?formulas=keep")) == KEPT
    assert titles(await text_of(keeping, path)) == KEPT
    assert titles(await text_of(keeping, f"{path}?formulas=neutralise")) == NEUTRAL


@pytest.mark.asyncio
async def test_json_is_exact(datasette: Datasette) -> None:
    runs = json.loads(await text_of(datasette, "/api/runs"))["runs"]
    lines = (await text_of(datasette, "/api/runs.ndjson")).splitlines()
    table = json.loads(
        await text_of(
            datasette, "/ci_observer/runs.json?_shape=array&_sort_desc=run_id"
        )
    )

    for rows in (runs, map(json.loads, lines), table):
        assert [row["display_title"] for row in rows] == KEPT


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/runs.csv?formulas=junk", 400),
        ("/api/runs.ndjson?formulas=keep", 400),
        ("/api/runs?formulas=keep", 400),
    ],
)
async def test_formulas_is_an_argument_of_csv_only(
    datasette: Datasette, path: str, status: int
) -> None:
    response = await datasette.client.get(path)

    assert response.status_code == status
    assert "formulas" in response.json()["error"]


QUERY = quote("select display_title from runs order by run_id desc")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "path",
    [
        "/ci_observer/runs.csv?_sort_desc=run_id",
        "/ci_observer/runs.csv?_sort_desc=run_id&_labels=on&_stream=1&_dl=1",
        "/ci_observer/runs.csv?_sort_desc=run_id&_size=max",
        f"/ci_observer.csv?sql={QUERY}",
        f"/ci_observer.csv?sql={QUERY}&_stream=on",
    ],
)
async def test_datasette_s_csv_follows_the_same_rule(
    datasette: Datasette, keeping: Datasette, path: str
) -> None:
    assert titles(await text_of(datasette, path)) == NEUTRAL
    assert titles(await text_of(datasette, f"{path}&_formulas=keep")) == KEPT
    assert titles(await text_of(keeping, path)) == KEPT
    assert titles(await text_of(keeping, f"{path}&_formulas=neutralise")) == NEUTRAL


@pytest.mark.asyncio
async def test_the_names_of_columns_are_neutralised_too(datasette: Datasette) -> None:
    sql = quote('select 1 as "=1+1", -5 as b')

    assert (
        await text_of(datasette, f"/ci_observer.csv?sql={sql}") == "'=1+1,b\r\n1,-5\r\n"
    )


@pytest.mark.asyncio
async def test_the_row_s_csv_follows_the_same_rule(datasette: Datasette) -> None:
    assert titles(await text_of(datasette, "/ci_observer/runs/1.csv")) == NEUTRAL[2:]


@pytest.fixture
def export(db_path: Path, archive: Database) -> Iterator[Any]:
    def run(*arguments: str, **settings: str) -> str:
        environ = {"CI_OBSERVER_DB": str(db_path), **settings}
        result = CliRunner().invoke(main, ["export", *arguments], env=environ)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_export_neutralises_csv_unless_told_otherwise(export: Any) -> None:
    assert titles(export())[::-1] == NEUTRAL
    assert titles(export("--formulas", "keep"))[::-1] == KEPT
    assert titles(export(CSV_FORMULAS="keep"))[::-1] == KEPT
    assert titles(export("--formulas", "neutralise", CSV_FORMULAS="keep"))[::-1] == (
        NEUTRAL
    )


def test_the_ndjson_of_an_export_is_exact(export: Any) -> None:
    lines = export("--format", "ndjson").splitlines()

    assert [json.loads(line)["display_title"] for line in lines][::-1] == KEPT
