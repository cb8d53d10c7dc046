"""Statistics of jobs, names of matrices, and the marks of the grid."""

import statistics as reference
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_observer.web.pages.job_grid import MAX_CELLS, MIN_RUNS, Grid, JobGrid
from ci_observer.web.pages.job_names import MAX_SINGLE, grouped, matrix_name
from ci_observer.web.pages.job_statistics import (
    MIN_COMPARED,
    Sample,
    Statistics,
    median,
    percentile_95,
    statistics,
)


def sample(
    conclusion: str | None = "success",
    seconds: float | None = 60,
    *,
    run: int = 1,
    tested: str = "",
    name: str = "build",
    queue: float | None = None,
) -> Sample:
    return Sample(name, run, tested or f"commit {run}", conclusion, seconds, queue)


def of(*samples: Sample) -> Statistics:
    return statistics("build", samples)


@given(st.lists(st.integers(0, 1000), min_size=1))
def test_percentiles_are_exact(values: list[int]) -> None:
    ordered = sorted(values)
    p95 = percentile_95(ordered)

    assert median(ordered) == reference.median(ordered)
    assert p95 in ordered
    assert 100 * sum(v <= p95 for v in ordered) >= 95 * len(ordered)
    assert 100 * sum(v < p95 for v in ordered) < 95 * len(ordered)


def test_only_successes_have_a_duration_and_skipped_jobs_do_not_count() -> None:
    found = of(
        sample(seconds=60),
        sample("failure", 5),
        sample("timed_out", 3600),
        sample("cancelled", 7),
        sample("skipped", 0),
        sample(None, None),
    )

    assert (found.runs, found.p50.value, found.p95.value) == (4, 60, 60)
    assert (found.failed, found.failures.value) == (2, pytest.approx(2 / 3))


def test_a_job_that_failed_and_passed_for_one_commit_is_flaky() -> None:
    found = of(
        sample("failure", run=1, tested="a"),
        sample("success", run=1, tested="a"),
        sample("failure", run=2, tested="b"),
        sample("success", run=3, tested="b"),
        sample("failure", run=4, tested="c"),
        sample("cancelled", run=4, tested="c"),
        # The jobs of a matrix may differ.
        sample("failure", run=5, tested="d", name="test (1)"),
        sample("success", run=5, tested="d", name="test (2)"),
    )

    assert (found.flaky_commits, found.flaky.count) == (2, 4)
    assert found.flaky_run_ids == (1, 2, 3)


def test_without_values_there_is_no_number() -> None:
    found = of(sample("cancelled", None))

    assert (found.p50.value, found.failures.value, found.queue_p50.value) == (None,) * 3
    assert found.compared(found).p50.change is None
    assert found.compared(None) == found


@pytest.mark.parametrize(
    ("count", "change"), [(MIN_COMPARED, 30), (MIN_COMPARED - 1, None)]
)
def test_few_values_are_not_compared(count: int, change: float | None) -> None:
    many = [sample(seconds=90, queue=5) for _ in range(MIN_COMPARED)]
    few = [sample(seconds=60, queue=9) for _ in range(count)]
    found = of(*many).compared(of(*few))

    assert found.p50.change == change
    assert found.queue_p95.change == (change and -4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("build", "build"),
        ("test (3.11, ubuntu-latest)", "test"),
        ("test (a (b), c)", "test"),
        ("test (a / b)", "test"),
        ("call (x) / test (y)", "call / test"),
        ("call (x) / test", "call / test"),
        ("(3.11)", "(3.11)"),
        ("f(x)", "f(x)"),
        ("test )", "test )"),
        ("test ((", "test (("),
        ("test ()", "test"),
        ("", ""),
    ],
)
def test_the_values_of_a_matrix_are_left_out(name: str, expected: str) -> None:
    assert matrix_name(name) == expected


@given(st.text(alphabet="a ()/", max_size=30))
def test_any_name_has_a_matrix_name(name: str) -> None:
    assert matrix_name(matrix_name(name)) or not name.strip()


def test_many_jobs_are_grouped_and_few_are_not() -> None:
    few = [f"test ({n})" for n in range(MAX_SINGLE)]
    many = [*few, "build", "lint (all)", "test (x)"]

    assert list(grouped(few)) == few
    assert {name: len(found) for name, found in grouped(many).items()} == {
        "test": MAX_SINGLE + 1,
        "build": 1,
        "lint (all)": 1,
    }


def run_row(run_id: int) -> dict[str, Any]:
    return {"run_id": run_id, "run_number": run_id, "run_attempt": 1}


def job_row(run_id: int, name: str, *conclusions: str | None) -> list[dict[str, Any]]:
    """A job of a run, with an attempt for each conclusion."""
    return [
        {
            "job_id": 10 * run_id + attempt,
            "run_id": run_id,
            "run_attempt": attempt,
            "last_attempt": attempt,
            "name": name,
            "status": "completed" if conclusion else "in_progress",
            "conclusion": conclusion,
            "is_timed_out": 0,
            "duration_seconds": 5,
            "failed_step": None,
        }
        for attempt, conclusion in enumerate(conclusions, 1)
    ]


def marks(grid: Grid) -> dict[str, list[list[str]]]:
    """The results of the marks in each cell, by the row's name."""
    return {
        row.name: [
            [mark.label.partition(": ")[2] for mark in cell.marks] for cell in row.cells
        ]
        for row in grid.rows
    }


def test_each_attempt_of_a_job_has_a_mark_and_a_matrix_its_worst_result() -> None:
    jobs = [
        *job_row(2, "build", "success"),
        *job_row(2, "test (1)", "failure", "success"),
        *job_row(2, "test (2)", "success"),
        *job_row(2, "test (3)", "failure", "timed_out"),
    ]
    grid = JobGrid([run_row(2), run_row(1)], jobs)
    groups = {"build": ["build"], "test": ["test (1)", "test (2)", "test (3)"]}
    found = grid.build(groups, opened="test")

    assert [run["has_jobs"] for run in found.runs] == [False, True]
    # Of the opened matrix the failing jobs come first.
    assert [row.name for row in found.rows if row.is_member] == [
        *("test (3)", "test (1)", "test (2)")
    ]
    assert marks(found) == {
        "build": [[], ["success"]],
        "test": [[], ["2 of 3 failure", "1 of 3 timed out, attempt 2"]],
        "test (1)": [[], ["failure", "success, attempt 2"]],
        "test (2)": [[], ["success"]],
        "test (3)": [[], ["failure", "timed out, attempt 2"]],
    }
    assert [cell.is_rerun for row in found.rows for cell in row.cells[1:]] == [
        *(False, True, True, True, False)
    ]


def test_a_grid_of_many_jobs_has_fewer_runs() -> None:
    names = [f"job {n}" for n in range(300)]
    runs = [run_row(n) for n in range(40, 0, -1)]
    jobs = [
        job
        for run in runs
        for name in names
        for job in job_row(run["run_id"], name, "success")
    ]
    grid = JobGrid(runs, jobs).build({name: [name] for name in names}, None)

    assert len(grid.runs) >= MIN_RUNS
    assert grid.runs[-1]["run_id"] == 40
    assert len(grid.runs) * len(grid.rows) <= MAX_CELLS
    assert len(grid.rows) + grid.left_out == 300
