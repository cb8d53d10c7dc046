"""The benchmarks run; how long they take is nobody's claim here."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import load, servers
from bench.__main__ import PARTS
from bench.load import Load
from bench.make_db import make_db
from bench.page import CHROMIUM, measure

ROOT = Path(__file__).parents[2]
SMALL = "--repos 2 --workflows 2 --runs 160 --changes 3 --latency-ms 0"


def rows_of(output: str) -> dict[str, list[str]]:
    """The table's cells after the first, by the first."""
    rows = (line.strip("| ").split(" | ") for line in output.splitlines()[3:])
    return {name: cells for name, *cells in rows}


def test_the_bench_of_ingest_compares_ours_with_the_bare_one():
    result = subprocess.run(  # noqa: S603 (our own words)
        [sys.executable, "-m", "bench.ingest", *SMALL.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = rows_of(result.stdout)

    # Bare: 4 live pages and 4 older ones. Ours decides for itself what it asks.
    assert rows["first: requests"][1] == "8"
    assert rows["idle: requests"][1] == "4"
    assert rows["idle: requests"][0] == rows["idle: of them 304"][0]
    assert rows["idle: rate limit spent"][:2] == ["0", "0"]
    assert rows["changes: rate limit spent"][1] == "3"
    assert set(rows) >= {
        "first: seconds",
        "first: CPU seconds",
        "memory at most, MB",
        "disk, bytes per run",
    }


def figures_of(output: str) -> dict[str, list[str]]:
    """The cells after the figure's name, below two lines that tell of the machine."""
    rows = (line.strip("| ").split(" | ") for line in output.splitlines()[5:])
    return {name: cells for name, *cells in rows}


def quick_bench(folder: Path, *arguments: str | Path) -> str:
    """What the bench prints, when it measures no longer than needed to work at all."""
    sizes = ["--quick", "--runs", "600", "--small", "300", "--folder", folder]
    result = subprocess.run(  # noqa: S603 (our own words)
        [sys.executable, "-m", "bench", *sizes, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


def test_one_table_has_the_figures_of_all_parts(tmp_path):
    """With few runs, and just long enough to be measured at all."""
    document = tmp_path / "performance.md"
    document.write_text("Before.\n<!-- measured --><!-- end of measured -->\nAfter.\n")
    parts = [f"--only={part}" for part in PARTS if part != "page"]
    output = quick_bench(tmp_path, *parts, "--output", document)
    about, machine, _, head, *_ = output.splitlines()
    figures = figures_of(output)

    assert about.startswith("600 runs beside 300, measured in ")
    assert f"{os.cpu_count()} cores" in machine
    assert head == "| figure | unit | ours | baseline | ratio | goal | met |"
    assert all(len(cells) == 6 for cells in figures.values())
    for measured in (
        "/api/runs computed, 16 connections, beside FastAPI",
        "/api/runs unchanged (If-None-Match), beside FastAPI computed",
        "/api/runs computed, 1 connection: p50, beside FastAPI",
        "/api/wall computed after a change, beside a bare query for 100 rows",
        "/api/filters unchanged, many runs, beside a bare route",
        "/api/config after a change, few runs, beside a bare route",
        "walls fetched after one change, per wall",
        "/ci_observer/run_history.json, many runs beside few",
        "select event, count(*) from runs group by 1, many runs beside few",
        "serve to the first wall, beside Datasette as it comes",
        "ingest of 80 runs, beside a bare one",
    ):
        unit, ours, *_, met = figures[measured]
        assert float(ours.replace(",", "")) > 0, measured
        assert met in ("yes", "**no**"), measured
        assert unit
    assert figures["walls fetched after one change, per wall"][1] == "1.00"
    assert f"<!-- measured -->\n\n{output}\n<!--" in document.read_text()


@pytest.mark.browser
def test_the_table_has_the_figures_of_the_page(tmp_path):
    figures = figures_of(quick_bench(tmp_path, "--only=page"))

    assert len(figures) == 4
    assert all(float(cells[1].replace(",", "")) > 0 for cells in figures.values())


def test_an_error_under_load_fails_the_bench():
    """No figure is told of a server that answers anything but 200 and 304."""
    with servers.bare_route() as server:
        good = load.run(Load(port=server.port, paths=["/bare"], seconds=0.1))
        assert good.answered > 0
        with pytest.raises(subprocess.CalledProcessError):
            load.run(Load(port=server.port, paths=["/bare", "/nowhere"], seconds=0.1))


def test_the_baseline_gives_the_same_runs_as_the_api(tmp_path):
    path = tmp_path / "ci_observer.db"
    make_db(path, runs=400)
    queries = ["", "?branch=main&limit=7", "?conclusion=failure&conclusion=success"]
    with servers.ours(path) as ours, servers.fastapi(path) as fastapi:
        for query in queries:
            mine, theirs = (
                json.loads(server.fetch(f"{route}{query}").body)
                for server, route in ((ours, "/api/runs"), (fastapi, "/runs"))
            )
            assert theirs["runs"] == mine["runs"]
            assert theirs["next"]
            deep = f"?cursor={theirs['next']}&limit=5"
            assert (
                json.loads(fastapi.fetch(f"/runs{deep}").body)["runs"]
                == json.loads(ours.fetch(f"/api/runs{deep}").body)["runs"]
            )


def test_the_bench_of_memory_tells_what_ingest_takes():
    """At any size it stays below 150 MB."""
    result = subprocess.run(
        [sys.executable, "-m", "bench.memory", "--runs", "250", "--feeds", "8"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    _, _, *rows = result.stdout.splitlines()
    cells = [row.strip("| ").split(" | ") for row in rows]

    assert [what for what, *_ in cells] == ["250 runs of a feed", "8 feeds"]
    # A description of two, a newest page, three older ones. Then of two repositories
    # the descriptions, the newest pages of 8 feeds and of both, and twice of both.
    assert [int(requests) for _, requests, *_ in cells] == [2 + 1 + 3, 4 + 8 + 2 + 4]
    assert all(20 < int(most) < 150 for *_, most in cells)


@pytest.mark.browser
def test_the_bench_of_the_page_compares_the_wall_with_a_table():
    if not any(map(shutil.which, CHROMIUM)):
        pytest.skip("no Chromium on the PATH: apt install chromium")
    figures = measure(times=1)

    kinds = {name.split(":")[0] for name in figures}
    assert kinds == {
        "television",
        "phone",
        "table",
        "refresh with one change",
        "refresh with no change",
    }
    assert all(value > 0 for value in figures.values())
