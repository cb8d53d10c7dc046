"""The critical path, derived from the times of jobs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_observer.web.pages.critical_path import JobTimes, critical_path

Times = tuple[int | None, int, int | None]


def path_of(jobs: list[Times], start: int | None = 0) -> Any:
    """The path through jobs of these times; their numbers are the ids, from 1."""
    return critical_path(
        [JobTimes({"job_id": n}, *times) for n, times in enumerate(jobs, 1)], start
    )


def parts(jobs: list[Times], start: int | None = 0) -> list[tuple[int, int, int]]:
    """Of each part: the job, the seconds it waited, the seconds it ran."""
    return [
        (part.job.row["job_id"], part.waited_seconds, part.seconds)
        for part in path_of(jobs, start).parts
    ]


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        # One job; two that started together; a job that needs the first one.
        ([(0, 5, 20)], [(1, 5, 15)]),
        ([(0, 5, 20), (0, 5, 30)], [(2, 5, 25)]),
        ([(0, 5, 20), (0, 5, 30), (20, 25, 60)], [(1, 5, 15), (3, 5, 35)]),
        # The needed job that ended last, which is not the first of the list.
        ([(0, 1, 30), (0, 1, 40), (41, 43, 60)], [(2, 1, 39), (3, 3, 17)]),
        # GitHub creates the next job a second before the end of the needed one.
        ([(0, 1, 30), (29, 31, 60)], [(1, 1, 29), (2, 1, 29)]),
        # A job that ended in time is preferred to one that ended a second too late.
        ([(0, 1, 30), (0, 1, 31), (30, 32, 60)], [(1, 1, 29), (3, 2, 28)]),
        # Two that ended together: the one with the greater id.
        ([(0, 1, 30), (0, 1, 30), (30, 32, 60)], [(2, 1, 29), (3, 2, 28)]),
        # An unfinished job is on no path yet.
        ([(0, 1, 30), (30, 32, None)], [(1, 1, 29)]),
        # Clocks: started before it was created, ended before it was started.
        ([(3, 2, 10)], [(1, 2, 8)]),
        ([(0, 9, 4)], [(1, 9, 0)]),
        # Everything within one second.
        ([(5, 5, 5), (5, 5, 5), (5, 5, 5)], [(3, 5, 0)]),
        # A needed job of an older version: the path begins after it.
        ([(None, 1, 30), (30, 32, 60)], [(2, 32, 28)]),
    ],
)
def test_the_path_is_derived_from_the_times(
    jobs: list[Times], expected: list[tuple[int, int, int]]
) -> None:
    assert parts(jobs) == expected


@pytest.mark.parametrize("jobs", [[], [(0, 5, None)], [(None, 5, 20)]])
def test_without_an_ended_job_of_known_creation_there_is_no_path(
    jobs: list[Times],
) -> None:
    assert path_of(jobs) is None


def test_the_wait_of_the_first_job_begins_with_the_attempt() -> None:
    assert parts([(10, 12, 20)], start=4) == [(1, 8, 8)]
    assert parts([(10, 12, 20)], start=None) == [(1, 2, 8)]


_SECONDS = st.integers(0, 50)
_JOB = st.tuples(st.none() | _SECONDS, _SECONDS, st.none() | _SECONDS)


@given(st.lists(_JOB, max_size=12))
def test_any_times_give_a_path_without_repetition(jobs: list[Times]) -> None:
    path = path_of(jobs)
    if path is None:
        return
    ids = [part.job.row["job_id"] for part in path.parts]
    assert len(set(ids)) == len(ids)
    assert path.seconds == sum(p.waited_seconds + p.seconds for p in path.parts)
    assert all(p.waited_seconds >= 0 and p.seconds >= 0 for p in path.parts)
    assert path.parts[-1].job.ended == max(e for *_, e in jobs if e is not None)
