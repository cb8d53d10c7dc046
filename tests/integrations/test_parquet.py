"""Parquet of the command `export` and of /api/runs.parquet, read by pyarrow."""

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytest_asyncio
from archive import save_runs, watch
from click.testing import CliRunner
from datasette.app import Datasette
from factories import run_payload
from sqlite_utils import Database
from varied_archive import fill_varied
from web_client import get_error, serving_example

from ci_observer import column_kinds, parquet, parquet_extra
from ci_observer.ingest.cli import main
from ci_observer.web.columns import RUN_COLUMNS
from ci_observer.web.database import DATABASE

in_loop = pytest.mark.asyncio(loop_scope="module")

RUNS = 80
# A text with a lone surrogate, and formulas, which Parquet leaves as they are.
TITLES = ("=HYPERLINK(1)", "\ud800 alone", 'a "quoted"\ntitle', "naïve 🚀", "NUL \0 in")


def fill(db: Database) -> None:
    fill_varied(db, RUNS)
    watch(db, ("acme/api", "ci.yml"))
    payloads = [
        run_payload(1000 + number, display_title=title)
        for number, title in enumerate(TITLES)
    ]
    save_runs(db, *payloads)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def datasette(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Datasette]:
    """No test writes to its database."""
    async with serving_example(tmp_path_factory.mktemp("parquet"), fill) as datasette:
        yield datasette


@pytest.fixture
def archive(datasette: Datasette) -> Path:
    """The path of the same database."""
    return Path(datasette.get_database(DATABASE).path)


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several row groups, and several pages of the API."""
    monkeypatch.setattr(parquet, "ROWS_PER_GROUP", 30)
    monkeypatch.setattr("ci_observer.web.api.exports.PAGE_SIZE", 20)
    monkeypatch.setattr("ci_observer.ingest.commands.export_parquet.CHUNK", 20)


def export(archive: Path, file: Path, *options: str) -> Any:
    environ = {"CI_OBSERVER_DB": str(archive)}
    return CliRunner().invoke(main, ["export", *options, str(file)], env=environ)


def cells(table: pa.Table) -> list[dict[str, str]]:
    """The rows of a table as the cells of a CSV."""
    return [{k: cell(v) for k, v in row.items()} for row in table.to_pylist()]


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        assert value.tzinfo is not None
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def rows_of(text: str) -> list[dict[str, Any]]:
    return [*csv.DictReader(io.StringIO(text, newline=""))]


def assert_typed(schema: pa.Schema) -> None:
    for field in schema:
        kind = column_kinds.kind_of(field.name)
        expected = parquet._TYPES[kind]
        assert (field.name, field.type) == (field.name, expected)
        described = decoded(field.metadata)
        assert described["description"], field.name
        assert described.get("unit") == column_kinds.unit_of(field.name)


def decoded(metadata: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): text.decode() for name, text in metadata.items()}


@in_loop
@pytest.mark.usefixtures("small_groups")
async def test_the_command_writes_the_rows_of_the_csv(
    archive: Path, tmp_path: Path
) -> None:
    file, text = tmp_path / "runs.parquet", tmp_path / "runs.csv"

    written = export(archive, file)
    assert written.exit_code == 0, written.output
    assert export(archive, text, "--formulas", "keep").exit_code == 0

    # "\r\n" ends a row, "\n" may be within a cell.
    expected = rows_of(text.read_bytes().decode().replace("True", "1"))
    found = [
        row | {"is_latest_attempt": str(int(row["is_latest_attempt"] == "True"))}
        for row in cells(pq.read_table(file))
    ]
    assert found == [row | {"html_url": row["html_url"]} for row in expected]
    assert len(found) > RUNS
    assert pq.ParquetFile(file).num_row_groups > 2
    assert_typed(pq.read_schema(file))


@in_loop
@pytest.mark.usefixtures("small_groups")
async def test_the_route_sends_the_rows_of_the_csv(datasette: Datasette) -> None:
    for query in ("", "repo=acme/api&conclusion=success", "repo=none/none"):
        response = await datasette.client.get(f"/api/runs.parquet?{query}")
        text = await datasette.client.get(f"/api/runs.csv?formulas=keep&{query}")

        file = pq.ParquetFile(io.BytesIO(response.content))
        table = file.read()
        assert cells(table) == rows_of(text.text)
        assert tuple(table.column_names) == RUN_COLUMNS
        assert_typed(table.schema)
        assert bool(file.num_row_groups > 2) is (query == "")


@in_loop
async def test_the_route_has_the_headers_of_an_export(datasette: Datasette) -> None:
    response = await datasette.client.get("/api/runs.parquet?limit=&repo=none/none")
    head = await datasette.client.head("/api/runs.parquet")
    got = await datasette.client.get("/api/runs.parquet")

    assert response.status_code == 400
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(got.headers)
    assert got.headers["content-type"] == "application/vnd.apache.parquet"
    assert got.headers["content-disposition"] == 'attachment; filename="runs.parquet"'
    assert "etag" not in got.headers


@in_loop
async def test_github_s_objects_are_json_texts(
    datasette: Datasette, archive: Path, tmp_path: Path
) -> None:
    query = "raw=1&q=HYPERLINK"
    response = await datasette.client.get(f"/api/runs.parquet?{query}")
    file = tmp_path / "runs.parquet"
    assert export(archive, file, "--raw", "--since", "2026-03-01").exit_code == 0

    [row] = pq.read_table(io.BytesIO(response.content)).to_pylist()
    exported = {r["run_id"]: r["raw_json"] for r in pq.read_table(file).to_pylist()}
    assert json.loads(row["raw_json"])["display_title"] == "=HYPERLINK(1)"
    assert json.loads(exported[1000]) == json.loads(row["raw_json"])


@in_loop
async def test_without_pyarrow_the_route_and_the_command_say_what_to_install(
    datasette: Datasette,
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet_extra, "find_spec", lambda _: None)
    status, error = await get_error(datasette, "/api/runs.parquet")
    page = await datasette.client.get("/api", headers={"accept": "text/html"})
    result = export(archive, tmp_path / "runs.parquet")

    assert status == 501
    assert "not installed on this server" in page.text
    assert "pip install 'ci-observer[parquet]'" in error
    assert result.exit_code == 1
    assert error in " ".join(result.output.split())
    assert [*tmp_path.iterdir()] == []


def test_a_text_that_is_no_time_is_null() -> None:
    column = parquet.array_of(["2026-03-01T12:00:00Z", "soon", None], parquet._UTC)

    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert column.to_pylist() == [moment, None, None]
    days = parquet.array_of(["2026-03-01", None], pa.date32())
    assert days.to_pylist() == [date(2026, 3, 1), None]
