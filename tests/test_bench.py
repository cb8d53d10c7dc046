"""The benchmarks run; how long they take is nobody's claim here."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.page import CHROMIUM, measure

ROOT = Path(__file__).parents[1]
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
