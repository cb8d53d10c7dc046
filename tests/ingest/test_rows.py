"""Rows from GitHub's run objects: pure functions, whole rows compared."""

import pytest
from factories import run_payload
from hypothesis import given
from hypothesis import strategies as st

from ci_observer.ingest.errors import InvalidResponse
from ci_observer.ingest.github.rows import (
    ATTEMPT_COLUMNS,
    NO_TIME,
    attempt_row,
    duration_seconds,
    is_older_run,
    merge_attempt,
    run_row,
)


def row(**changes):
    return run_row(run_payload(**changes), repo="acme/api", workflow="ci.yml")


def test_a_run_object_becomes_a_row():
    assert row(run_id=7, pull_requests=[{"number": 12}]) == {
        "run_id": 7,
        "repo": "acme/api",
        "workflow": "ci.yml",
        "workflow_name": "CI",
        "run_number": 7,
        "run_attempt": 1,
        "event": "push",
        "display_title": "Change 7",
        "status": "completed",
        "conclusion": "success",
        "head_branch": "main",
        "head_sha": f"{7:040x}",
        "head_repo": "acme/api",
        "actor": "ada",
        "triggering_actor": "ada",
        "pr_number": 12,
        "created_at": "2026-03-01T12:00:00Z",
        "started_at": "2026-03-01T12:00:00Z",
        "updated_at": "2026-03-01T12:05:00Z",
        "duration_seconds": 300,
        "html_url": "https://github.com/acme/api/actions/runs/7",
    }


def test_a_run_in_progress_has_no_duration_and_no_conclusion():
    """Even if GitHub still sends the former conclusion."""
    running = row(status="in_progress", conclusion="failure")

    assert (running["conclusion"], running["duration_seconds"]) == (None, None)


def test_unknown_words_are_kept_as_they_come():
    unknown = row(status="completed", conclusion="imploded", event="moon_landing")

    assert (unknown["conclusion"], unknown["event"]) == ("imploded", "moon_landing")


def test_an_old_server_s_run_lacks_attempt_start_and_actors():
    """GitHub Enterprise Server once sent such runs: first attempts without a queue."""
    old = run_payload()
    for key in ("run_attempt", "run_started_at", "actor", "triggering_actor", "name"):
        del old[key]

    got = run_row(old, repo="acme/api", workflow="ci.yml")

    assert got == row() | {
        "actor": None,
        "triggering_actor": None,
        "workflow_name": None,
    }


def test_a_deleted_fork_has_no_head_repo():
    assert row(head_repository=None)["head_repo"] is None


def test_a_fork_keeps_its_own_name():
    fork = {"id": 2, "full_name": "mallory/api"}

    assert row(head_repository=fork)["head_repo"] == "mallory/api"


def test_a_renamed_repository_s_own_runs_stay_its_own():
    """The object has the new name, the settings still have the old one."""
    renamed = {"id": 1, "full_name": "acme/new-name"}

    assert row(repository=renamed, head_repository=renamed)["head_repo"] == "acme/api"


@pytest.mark.parametrize("bad", [None, "7", 7.0, True, 2**63])
def test_a_run_without_an_integer_id_is_refused(bad):
    with pytest.raises(InvalidResponse, match="no id"):
        row(run_id=1, id=bad)


def test_a_run_without_any_time_sorts_as_the_oldest():
    timeless = row(created_at=None, run_started_at=None, updated_at=None)

    assert timeless["started_at"] == timeless["created_at"] == NO_TIME


def test_without_its_end_a_run_has_no_duration():
    """0 would be kept as the shortest duration."""
    assert row(updated_at=None)["duration_seconds"] is None


def test_a_lone_surrogate_can_be_stored():
    row(display_title="\ud83d broken")["display_title"].encode()


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:01:40Z", 100),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", 0),
        # The clock went backwards.
        ("2026-03-01T12:00:00Z", "2026-03-01T11:59:59Z", 0),
        # 35 days, the maximum duration of a run, and a second more.
        ("2026-03-01T12:00:00Z", "2026-04-05T12:00:00Z", 35 * 86400),
        ("2026-03-01T12:00:00Z", "2026-04-05T12:00:01Z", None),
        # `updated_at` moved when the checks were archived, 401 days later.
        ("2022-12-24T07:30:36Z", "2024-01-29T23:29:45Z", None),
        # Other servers write another offset, or none.
        ("2026-03-01T12:00:00+01:00", "2026-03-01T12:00:00", 3600),
        ("yesterday", "2026-03-01T12:00:00Z", None),
    ],
)
def test_duration(start, end, seconds):
    assert duration_seconds(start, end) == seconds


def test_a_rerun_s_duration_starts_with_the_attempt_not_with_the_run():
    rerun = row(
        run_attempt=2,
        created_at="2026-05-24T15:20:04Z",
        run_started_at="2026-05-29T15:42:05Z",
        updated_at="2026-05-29T15:43:47Z",
    )

    assert rerun["duration_seconds"] == 102


def test_the_attempt_carries_its_columns_of_the_run():
    assert list(attempt_row(row())) == list(ATTEMPT_COLUMNS)


def attempt(**changes):
    return attempt_row(row(**changes))


def test_a_newer_attempt_row_wins_and_an_older_one_never():
    running = attempt(
        status="in_progress", conclusion=None, updated_at="2026-03-01T12:01:00Z"
    )
    done = attempt()

    assert merge_attempt(None, running) == running
    assert merge_attempt(running, done) == done
    assert merge_attempt(done, running) == done


def test_the_end_that_moved_does_not_stretch_the_duration():
    """`updated_at` moves after completion; the first one is the true end."""
    done, moved = attempt(), attempt(updated_at="2026-03-03T09:00:00Z")

    expected = moved | {"duration_seconds": 300}
    assert merge_attempt(done, moved) == expected
    assert merge_attempt(moved, done) == expected


def test_within_one_second_completed_is_the_newer_one():
    second = {"updated_at": "2026-03-01T12:05:00Z"}
    running = attempt(status="in_progress", conclusion=None, **second)
    done = attempt(**second)

    assert merge_attempt(done, running) == done
    assert merge_attempt(running, done) == done


def test_the_end_of_an_attempt_wins_over_later_progress():
    running = attempt(
        status="in_progress", conclusion=None, updated_at="2026-03-01T12:09:00Z"
    )
    done = attempt(updated_at="2026-03-01T12:05:00Z")

    assert merge_attempt(done, running) == done
    assert merge_attempt(running, done) == done
    assert is_older_run(running, done)
    assert not is_older_run(done, running)


def test_without_numbers_of_attempts_a_rerun_is_newer_than_the_end_before_it():
    """Old servers send no `run_attempt`, so that a re-run has the number 1 again."""
    done = attempt()
    rerun = attempt(
        status="in_progress",
        conclusion=None,
        run_started_at="2026-03-02T09:00:00Z",
        updated_at="2026-03-02T09:00:30Z",
    )

    assert merge_attempt(done, rerun) == rerun
    assert merge_attempt(rerun, done) == rerun


def test_a_higher_attempt_is_newer_whatever_its_times():
    first, second = row(), row(run_attempt=2, updated_at="2026-03-01T12:00:01Z")

    assert is_older_run(first, second)
    assert not is_older_run(second, first)


texts = st.none() | st.text() | st.integers() | st.booleans() | st.just({})
instants = st.none() | st.text() | st.datetimes().map(lambda d: f"{d:%FT%TZ}")
logins = texts | st.fixed_dictionaries({"login": texts})
names = texts | st.fixed_dictionaries({"id": texts, "full_name": texts})


@given(
    st.fixed_dictionaries(
        {"id": st.integers(1, 2**63 - 1)},
        optional={
            **{key: texts for key in run_payload() if key != "id"},
            **dict.fromkeys(("created_at", "run_started_at", "updated_at"), instants),
            "actor": logins,
            "triggering_actor": logins,
            "repository": names,
            "head_repository": names,
            "pull_requests": st.lists(texts | st.fixed_dictionaries({"number": texts})),
        },
    )
)
def test_any_mix_of_nulls_and_unknown_words_gives_a_row(payload):
    got = run_row(payload, repo="acme/api", workflow="ci.yml")

    assert list(got) == list(row())
    assert isinstance(got["run_attempt"], int)
    for column in ("created_at", "started_at", "updated_at"):
        assert isinstance(got[column], str)
