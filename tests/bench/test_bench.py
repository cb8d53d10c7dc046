"""The benchmarks run and give figures; no test depends on how fast they are."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.__main__ import PARTS, main
from bench.databases.make_db import make_db
from bench.harness import http_load, servers
from bench.harness.browser import CHROMIUM
from bench.harness.http_load import Load
from bench.harness.servers import MINIMAL_PATH
from bench.measure import wall_page

ROOT = Path(__file__).parents[2]
SMALL = "--repos 2 --workflows 2 --runs 160 --changes 3 --latency-ms 0"
MEASURE_PAGE = wall_page.measure


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


@pytest.mark.long
def test_one_table_has_the_figures_of_all_parts(tmp_path):
    document = tmp_path / "performance.md"
    document.write_text("Before.\n<!-- measured --><!-- end of measured -->\nAfter.\n")
    parts = [f"--only={part}" for part in PARTS if part != "page"]
    options = [*quick_options(tmp_path), *parts, "--output", document]
    output = run_module("bench", *options)
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
    ):
        unit, ours, *_, met = figures[measured]
        assert float(ours.replace(",", "")) > 0, measured
        assert met in ("yes", "**no**"), measured
        assert unit
    assert figures["walls fetched after one change, per wall"][1] == "1.00"
    assert f"<!-- measured -->\n\n{output}\n<!--" in document.read_text()


@pytest.mark.browser
def test_the_page_benchmark_compares_the_wall_with_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One measurement gives the figures and their rows in the table."""
    if not any(map(shutil.which, CHROMIUM)):
        pytest.skip("no Chromium on the PATH: apt install chromium")
    measured: list[wall_page.Figures] = []

    def measure(times: int) -> wall_page.Figures:
        measured.append(MEASURE_PAGE(times))
        return measured[-1]

    monkeypatch.setattr(wall_page, "measure", measure)
    arguments = [*quick_options(tmp_path), "--only=page"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)

    assert result.exit_code == 0, result.output
    rows = table_rows(result.stdout, above=5)
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
