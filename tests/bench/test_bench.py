"""The benchmarks run and give figures; no test depends on how fast they are."""

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner

import bench.__main__ as bench_main
from bench.__main__ import PARTS, main
from bench.databases import make_db as make_db_module
from bench.databases.make_db import make_db
from bench.harness import feeds_server, http_load, servers
from bench.harness.browser import CHROMIUM
from bench.harness.http_load import Load
from bench.harness.servers import MINIMAL_PATH
from bench.harness.sizes import QUICK
from bench.measure import data_pages, ingest, wall_page
from ci_observer.ingest.db import indexes, schema

ROOT = Path(__file__).parents[2]
SMALL = "--repos 2 --workflows 2 --runs 160 --changes 3 --latency-ms 0"
MEASURE_PAGE = wall_page.measure


@pytest.fixture
def shared_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start each kind of server once for each database, not once for each part."""
    with ExitStack() as stack:
        for name in ("ci_observer", "stock_datasette", "minimal_datasette"):
            start = getattr(servers, name)
            enter = functools.cache(
                lambda *path, start=start: stack.enter_context(start(*path))
            )
            monkeypatch.setattr(
                servers, name, lambda *path, enter=enter: nullcontext(enter(*path))
            )
        yield


def run_module(module: str, *arguments: str | Path) -> str:
    """The output of `python -m MODULE`."""
    result = subprocess.run(  # noqa: S603 (fixed arguments)
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def table_rows(output: str, *, above: int) -> dict[str, list[str]]:
    """The cells of each row by its first cell; `above` lines are no rows."""
    rows = (line.strip("| ").split(" | ") for line in output.splitlines()[above:])
    return {name: cells for name, *cells in rows}


def test_the_ingest_benchmark_compares_with_the_minimal_ingest():
    rows = table_rows(run_module("bench.measure.ingest", *SMALL.split()), above=3)

    # The minimal ingest requests 4 live pages and 4 older pages.
    assert rows["first: requests"][1] == "8"
    assert rows["idle: requests"][1] == "4"
    assert rows["idle: requests"][0] == rows["idle: 304 responses"][0]
    assert rows["idle: charged requests"][:2] == ["0", "0"]
    assert rows["changes: charged requests"][1] == "3"
    assert set(rows) >= {
        "first: seconds",
        "first: CPU seconds",
        "peak memory, MB",
        "disk, bytes per run",
    }


def quick_options(folder: Path) -> list[str]:
    """The options for the smallest sizes, with databases in this folder."""
    return ["--quick", "--runs=600", "--small=300", f"--folder={folder}"]


def run_bench(folder: Path, *options: str | Path) -> str:
    """The table of `python -m bench` with the smallest sizes, in this process."""
    arguments = [*quick_options(folder), *map(str, options)]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.long
@pytest.mark.usefixtures("shared_servers")
def test_one_table_has_the_figures_of_all_parts(tmp_path, monkeypatch):
    # The ingest of as many runs was measured before.
    monkeypatch.setattr(ingest, "MORE_RUNS", 1)
    monkeypatch.setattr(ingest, "measure_one", functools.cache(ingest.measure_one))
    document = tmp_path / "performance.md"
    document.write_text("Before.\n<!-- measured --><!-- end of measured -->\nAfter.\n")
    # Those in a browser, and the one below.
    others = {"page", "dashboards", "data"}
    parts = [f"--only={part}" for part in PARTS if part not in others]
    output = run_bench(tmp_path, *parts, "--output", document)
    about, machine, _, head, *_ = output.splitlines()
    figures = table_rows(output, above=5)

    assert about.startswith("600 runs vs 300 runs, measured in ")
    assert f"{os.cpu_count()} cores" in machine
    assert head == "| figure | unit | ours | baseline | ratio | goal | met |"
    assert all(len(cells) == 6 for cells in figures.values())
    for measured in (
        "/api/runs computed, 16 connections, vs FastAPI",
        "/api/runs cached (If-None-Match), vs FastAPI computed",
        "/api/runs computed, 1 connection, vs FastAPI: p50",
        "/api/wall computed after a change, vs a minimal query for 100 rows",
        "/api/filters cached, many runs, vs a minimal route",
        "/api/config after a change, few runs, vs a minimal route",
        "walls fetched after one change, per wall",
        "/ci_observer/run_history.json, many vs few runs",
        "select event, count(*) from runs group by 1, many vs few runs",
        "start of serve until the first wall, vs stock Datasette",
        "ingest of 80 runs, vs a minimal ingest",
        "CPU time of a pass without changes, per repository, vs a minimal ingest",
    ):
        unit, ours, *_, met = figures[measured]
        assert float(ours.replace(",", "")) > 0, measured
        assert met in ("yes", "**no**"), measured
        assert unit
    assert figures["walls fetched after one change, per wall"][1] == "1.00"
    assert f"<!-- measured -->\n\n{output}\n<!--" in document.read_text()


def test_every_chart_query_and_table_is_measured():
    found = data_pages.metadata()
    database = found["databases"]["ci_observer"]
    cases = data_pages.described(found)
    charts = [
        name
        for dashboard in data_pages.dashboards(found).values()
        for name, chart in dashboard["charts"].items()
        if "query" in chart
    ]
    for name in (
        *(f"chart {name}, 365 days" for name in charts),
        *(f"query {name}" for name in database["queries"]),
        *(f"page of {name}" for name in database["tables"]),
    ):
        assert name in cases


@pytest.mark.long
@pytest.mark.usefixtures("shared_servers")
def test_pages_of_many_runs_are_compared_with_those_of_few(tmp_path, monkeypatch):
    path = tmp_path / "ci_observer.db"
    make_db(path, runs=100)
    cases = data_pages.described(data_pages.metadata())
    # One of each kind.
    first_of = {name.partition(" ")[0]: name for name in reversed([*cases])}
    chosen = {name: cases[name] for name in first_of.values()}
    monkeypatch.setattr(data_pages, "described", lambda _: chosen)
    of_run = data_pages.of_newest_run(path)
    rows = {row.title: row for row in data_pages.rows(path, path, QUICK)}

    assert set(rows) >= {
        f"{name}, many vs few runs: CPU time" for name in (*chosen, *of_run)
    }
    assert len(rows) == len(chosen) + len(of_run) + 1
    assert all(row.ours > 0 and row.baseline for row in rows.values())


def test_copied_runs_have_all_that_belongs_to_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(make_db_module, "MOST_WRITTEN", 200)
    monkeypatch.setattr(make_db_module, "WRITTEN_OF_MORE", 100)
    monkeypatch.setattr(indexes, "LARGE", 200)
    path = tmp_path / "ci_observer.db"
    make_db(path, runs=300)

    with closing(schema.connect(path)) as db:
        assert indexes.pending(db) == []
        assert db["runs"].count == db["run_payloads"].count == 300
        assert db["jobs"].count > db["job_steps"].count > 300
        for table in ("run_rollups", "job_rollups", "flaky_shas", "run_values"):
            kept, counted = (
                sorted(db.execute(f"select * from {name}").fetchall())  # noqa: S608
                for name in (
                    table,
                    "counted_values" if table == "run_values" else f"counted_{table}",
                )
            )
            assert kept == counted, table
        assert db.execute("pragma foreign_key_check").fetchall() == []
        [[tiles]] = db.execute(
            "select count(*) from (select * from tiles except select * from tile_facts)"
        )
        assert tiles == 0
        [[url]] = db.execute("select raw_json ->> 'html_url' from runs_full limit 1")
        assert url.endswith(
            str(db.execute("select min(run_id) from runs").fetchone()[0])
        )


@pytest.mark.browser
def test_the_page_benchmark_compares_the_wall_with_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One measurement gives the figures and their rows in the table."""
    if not any(map(shutil.which, CHROMIUM)):
        pytest.skip("no Chromium on the PATH: apt install chromium")
    measured: list[wall_page.Figures] = []

    def measure(times: int, *, slowdown: int) -> wall_page.Figures:
        measured.append(MEASURE_PAGE(times, slowdown=slowdown))
        return measured[-1]

    monkeypatch.setattr(wall_page, "measure", measure)
    monkeypatch.setattr(feeds_server, "RUNS", 2)
    # This part has its own database.
    monkeypatch.setattr(bench_main, "cached_database", lambda folder, _: folder)
    rows = table_rows(run_bench(tmp_path, "--only=page"), above=5)

    assert len(rows) == 4
    assert all(float(cells[1].replace(",", "")) > 0 for cells in rows.values())
    [figures] = measured
    kinds = {name.split(":")[0] for name in figures}
    assert kinds == {
        "television",
        "phone",
        "table",
        "refresh with one change",
        "refresh with no change",
    }
    assert all(value > 0 for value in figures.values())


def test_an_error_under_load_fails_the_benchmark():
    """All responses must be 200 or 304."""
    with servers.minimal_datasette() as server:
        good = Load(port=server.port, paths=[MINIMAL_PATH], seconds=0.1)
        bad = Load(port=server.port, paths=[MINIMAL_PATH, "/nowhere"], seconds=0.1)
        assert http_load.run(good).responses > 0
        with pytest.raises(subprocess.CalledProcessError):
            http_load.run(bad)


def test_the_fastapi_baseline_returns_the_same_runs_as_the_api(tmp_path):
    path = tmp_path / "ci_observer.db"
    make_db(path, runs=400)
    queries = ["", "?branch=main&limit=7", "?conclusion=failure&conclusion=success"]
    with servers.ci_observer(path) as ours, servers.fastapi(path) as fastapi:
        for query in queries:
            expected, actual = (
                json.loads(server.get_ok(f"{route}{query}").body)
                for server, route in ((ours, "/api/runs"), (fastapi, "/runs"))
            )
            assert actual["runs"] == expected["runs"]
            assert actual["next"]
            deep = f"?cursor={actual['next']}&limit=5"
            assert (
                json.loads(fastapi.get_ok(f"/runs{deep}").body)["runs"]
                == json.loads(ours.get_ok(f"/api/runs{deep}").body)["runs"]
            )


def test_the_peak_memory_of_a_measured_process_is_its_own():
    ours = bytearray(150 << 20)
    ours[::4096] = b"1" * (len(ours) // 4096)
    code = "from bench.harness.pass_loop import peak_memory; print(peak_memory())"
    child = subprocess.run(  # noqa: S603 (fixed arguments)
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True
    )
    assert 5 < float(child.stdout) < 100


def test_the_memory_benchmark_shows_less_than_150_mb():
    output = run_module("bench.measure.ingest_memory", "--runs", "250", "--feeds", "8")
    _, _, *rows = output.splitlines()
    cells = [row.strip("| ").split(" | ") for row in rows]

    assert [case for case, *_ in cells] == ["250 runs of a feed", "8 feeds"]
    # One feed: 2 requests for metadata, a newest page, 3 older pages, the repository's
    # page, its runs in progress. Two repositories: 4 for metadata, the newest pages of
    # 8 feeds and of both, 2 passes over both, the runs in progress of both.
    counts = [2 + 1 + 3 + 1 + 1, 4 + 8 + 2 + 4 + 2]
    assert [int(requests) for _, requests, *_ in cells] == counts
    assert all(20 < int(peak) < 150 for *_, peak in cells)
