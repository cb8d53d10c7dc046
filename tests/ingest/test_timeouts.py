"""Which cancelled runs ran into a time limit, by the durations of their jobs."""

import pytest

from ci_observer.ingest.github.timeouts import FinishedRun, timed_out_run_ids

HOUR = 3600
SUCCESS = FinishedRun(90, is_success=True)


def cancelled(*jobs, cause=None):
    """Runs 1, 2, … each with one job `test` of a duration, or with the jobs given."""
    return [
        FinishedRun(
            run_id,
            cancel_cause=cause,
            cancelled_jobs=job if isinstance(job, dict) else {"test": [job]},
        )
        for run_id, job in enumerate(jobs, 1)
    ]


@pytest.mark.parametrize(
    "seconds",
    [
        (1824, 1824, 1824),
        (1800, 1815, 1807),
        (1845, 1830, 1840),
        (60, 61, 75),
    ],
)
def test_three_runs_whose_job_took_as_long_timed_out(seconds):
    assert timed_out_run_ids(cancelled(*seconds)) == {1, 2, 3}


@pytest.mark.parametrize(
    "seconds",
    [
        (1800, 1816, 1807),
        (1846, 1846, 1846),
        (1799, 1800, 1801),
        (30, 30, 30),
        (1805, 1805),
        (1805,),
        (1805, 600, 1805, 1805),
        (1805, 2405, 3005),
    ],
)
def test_other_durations_are_no_timeout(seconds):
    assert timed_out_run_ids(cancelled(*seconds)) == set()


def test_every_further_run_timed_out_too():
    runs = cancelled(1800, 1805, 1810, 1815, 1820, 900)

    assert timed_out_run_ids(runs) == {1, 2, 3, 4, 5}


def test_a_success_between_ends_the_row():
    one, two, three = cancelled(1805, 1805, 1805)

    assert timed_out_run_ids([one, two, SUCCESS, three]) == set()
    assert timed_out_run_ids([SUCCESS, one, two, three, SUCCESS]) == {1, 2, 3}


def test_the_job_must_have_the_same_name():
    one, two = {"linux": [1805]}, {"windows": [1805]}

    assert timed_out_run_ids(cancelled(one, two, one)) == set()
    assert timed_out_run_ids(cancelled(one, one | two, one)) == {1, 2, 3}


def test_another_job_of_another_duration_does_not_matter():
    jobs = [{"lint": [7], "test": [1803]}, {"test": [1805]}, {"test": [40, 1807]}]

    assert timed_out_run_ids(cancelled(*jobs)) == {1, 2, 3}


def test_jobs_of_one_name_agree_only_across_the_runs():
    assert timed_out_run_ids(cancelled({"test": [600, 605, 610]}, 1805, 1805)) == set()


@pytest.mark.parametrize("seconds", [6 * HOUR, 6 * HOUR + 48, 6 * HOUR + 120])
def test_one_job_of_six_hours_is_enough(seconds):
    assert timed_out_run_ids(cancelled({"lint": [5], "test": [seconds]})) == {1}


@pytest.mark.parametrize("seconds", [6 * HOUR - 1, 6 * HOUR + 121, 5 * HOUR])
def test_one_job_of_another_duration_is_not_enough(seconds):
    assert timed_out_run_ids(cancelled(seconds)) == set()


def test_a_run_that_a_person_cancelled_never_timed_out():
    runs = cancelled(1805, 1805, 6 * HOUR, cause="person")

    assert timed_out_run_ids(runs) == set()


def test_a_person_between_ends_the_row():
    one, two, three = cancelled(1805, 1805, 1805)
    person = FinishedRun(9, cancel_cause="person", cancelled_jobs={"test": [300]})

    assert timed_out_run_ids([one, two, person, three]) == set()


@pytest.mark.parametrize(
    "replaced",
    [
        FinishedRun(9, cancelled_jobs={}),
        FinishedRun(9, cancelled_jobs={"test": [0]}),
        FinishedRun(9, cancel_cause="superseded", cancelled_jobs={"test": [300]}),
    ],
)
def test_a_run_that_made_room_for_another_is_not_in_the_row(replaced):
    one, two, three = cancelled(1805, 1805, 1805)

    assert timed_out_run_ids([one, replaced, two, three]) == {1, 2, 3}


def test_a_run_whose_cause_may_still_become_known_ends_the_row():
    one, two, three = cancelled(1805, 1805, 1805)

    assert timed_out_run_ids([one, FinishedRun(9), two, three]) == set()


def test_a_known_timeout_is_one_of_the_row():
    [known] = cancelled(1805, cause="timeout")
    _, two, three = cancelled(1, 1805, 1805)

    assert timed_out_run_ids([known, two, three]) == {1, 2, 3}
