"""The verdict of a soak; no test depends on how fast or large anything is."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.soak.judge import (
    MAX_MORE_FILES,
    MAX_WAL_BYTES,
    Responses,
    RunState,
    Sample,
    ended_processes,
    faults_of,
    lost_runs,
    minutes_of,
)
from bench.soak.table import markdown

ROOT = Path(__file__).parents[2]
MB = 1_000_000


def sample(minute: float, **memory: float) -> Sample:
    sizes = {name: int(size * MB) for name, size in memory.items()}
    return Sample(minute * 60, sizes, {"web": 50}, wal_bytes=MB, runs=7)


def to_the_end(*samples: Sample) -> list[Sample]:
    """The samples, and one that completes the last minute."""
    return [*samples, replace(samples[-1], seconds=samples[-1].seconds + 60)]


def faults(*samples: Sample) -> list[str]:
    return list(faults_of(minutes_of(to_the_end(*samples), {})))


def test_growth_of_a_tenth_after_the_third_minute_is_no_fault() -> None:
    assert faults(sample(0, wall=10), sample(2.5, wall=100), sample(5, wall=110)) == []


def test_more_growth_after_the_third_minute_is_a_fault() -> None:
    found = faults(sample(2.5, wall=100), sample(5, wall=110.2))

    assert found == [
        "memory grew from 100.0 MB in minute 3 to 110.2 MB in minute 6",
        "wall grew from 100.0 MB in minute 3 to 110.2 MB in minute 6",
    ]


def test_the_growth_of_one_process_is_a_fault_though_the_others_are_large() -> None:
    [fault] = faults(sample(2.5, wall=20, ingest=500), sample(9, wall=31, ingest=495))

    assert fault.startswith("wall grew from 20.0 MB")


def test_the_growth_of_one_process_by_little_is_chance() -> None:
    assert (
        faults(sample(2.5, wall=20, ingest=500), sample(9, wall=29, ingest=500)) == []
    )


def test_a_short_peak_is_no_growth() -> None:
    """A worker that was killed in time."""
    last = [sample(5 + n / 10, web=100 if n == 1 else 900) for n in range(3)]

    assert faults(sample(2.5, web=100), *last) == []


def test_the_rest_of_a_minute_belongs_to_the_last() -> None:
    samples = [sample(0, web=1), sample(1.1, web=3), sample(2.2, web=2)]

    assert [minute.memory for minute in minutes_of(samples, {})] == [
        {"web": 1 * MB},
        {"web": 2 * MB},
    ]


def test_a_soak_of_three_minutes_has_no_baseline() -> None:
    assert faults(sample(0, web=10), sample(2.9, web=100)) == []


@pytest.mark.parametrize(("more", "count"), [(0, 0), (1, 1)])
def test_more_file_handles_are_a_fault(more: int, count: int) -> None:
    many = Sample(300, {"web": MB}, {"web": 50 + MAX_MORE_FILES + more}, 0, 7)

    assert len(faults(sample(2.5, web=1), many)) == count


@pytest.mark.parametrize(("more", "count"), [(0, 0), (1, 1)])
def test_a_large_wal_is_a_fault(more: int, count: int) -> None:
    large = Sample(300, {"web": MB}, {"web": 50}, MAX_WAL_BYTES + more, 7)

    assert len(faults(sample(2.5, web=1), large)) == count


def test_each_5xx_and_each_missing_response_is_a_fault() -> None:
    first, second = Responses(), Responses()
    for status in (200, 304, 400, 404):
        first.add("/", status, 0.1)
    first.add("/runs", 503, 0.1)
    second.add("/runs", 503, 0.1)
    second.add("/api", 0, 60, "ReadTimeout()")
    samples = to_the_end(sample(0), sample(1))
    minutes = minutes_of(samples, {1: first, 2: second})

    assert list(faults_of(minutes)) == [
        "/runs: 503 (2 times)",
        "/api: no response ReadTimeout() (1 times)",
    ]


def test_a_run_that_is_missing_or_older_in_the_archive_is_lost() -> None:
    of_github = {
        1: RunState(1, is_completed=True),
        2: RunState(2, is_completed=True),
        3: RunState(1, is_completed=True),
        4: RunState(1, is_completed=False),
        5: RunState(1, is_completed=True),
    }
    archived = {
        1: RunState(1, is_completed=True),
        2: RunState(1, is_completed=True),
        3: RunState(1, is_completed=False),
        4: RunState(1, is_completed=True),
        # A newer attempt than the list has.
        5: RunState(2, is_completed=False),
        6: RunState(1, is_completed=True),
    }

    assert list(lost_runs(of_github, archived)) == [
        "attempt 2 of run 2 is not in the archive",
        "run 3 is completed, and not in the archive",
    ]
    assert list(lost_runs({9: RunState(1, is_completed=False)}, archived)) == [
        "run 9 is not in the archive"
    ]


def test_a_process_that_was_replaced_is_a_fault() -> None:
    first = {"web": 1, "ingest": 2, "wall": 3}

    assert list(ended_processes(first, {"web": 1, "ingest": 9})) == [
        "the process ingest has ended",
        "the process wall has ended",
    ]


def test_the_table_has_a_line_for_each_minute() -> None:
    responses = Responses()
    for status in (200, 404, 500):
        responses.add("/", status, 0.2)
    samples = to_the_end(sample(0, web=10), sample(1, web=11, ingest=5))

    lines = markdown(minutes_of(samples, {1: responses}))

    head, _, first, second = (line.strip("| ").split(" | ") for line in lines)

    assert dict(zip(head, first, strict=True)) == {
        "minute": "1",
        "web, MB": "10.0",
        "ingest, MB": "0.0",
        "all, MB": "10.0",
        "files": "50",
        "WAL, MB": "1.0",
        "requests": "3",
        "p99, ms": "200",
        "4xx": "1",
        "5xx": "1",
        "no response": "0",
        "runs": "7",
    }
    assert second[:4] == ["2", "11.0", "5.0", "16.0"]


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs Linux's /proc")
def test_a_soak_of_seconds_prints_its_table_and_loses_no_run() -> None:
    command = ["--minutes", "0.05", "--walls", "3", "--browsers", "0", "--days", "2"]
    result = subprocess.run(  # noqa: S603 (fixed arguments)
        [sys.executable, "-m", "bench.soak", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    head, _, first, *rest = result.stdout.splitlines()
    assert rest[-1] == "ok: too short to judge growth, no 5xx, no run is lost"
    cells = dict(zip(head.split(" | "), first.split(" | "), strict=True))
    assert {"ingest, MB", "wall, MB", "datasette, MB"} <= set(cells)
    assert int(cells["requests"]) > 0
    assert re.fullmatch(r"[\d.]+", cells["all, MB"])
