"""Why an attempt was cancelled, from the messages of its jobs' annotations."""

import pytest

from ci_observer.ingest.github.annotations import Cancellation, cancellation

CANCELED = "The operation was canceled."
TIMEOUT = "The job has exceeded the maximum execution time of 1h0m0s"
BY_OCTOCAT = "The run was canceled by @octocat."
HIGHER_PRIORITY = "Canceling since a higher priority waiting request for 'ci' exists"


@pytest.mark.parametrize(
    "message",
    [
        TIMEOUT,
        TIMEOUT.upper(),
        f"\n  {TIMEOUT}. Raise timeout-minutes.",
        f"Error: {TIMEOUT}",
        "The job was canceled because it exceeded the maximum execution time of 5m0s.",
        "The job running on runner Hosted Agent (2) has exceeded the maximum execution"
        " time of 360 minutes.",
        "The job running on runner the\nrunner has exceeded the maximum execution time",
        "The workflow run has exceeded the maximum execution time of 35 days.",
    ],
)
def test_a_job_that_hit_its_limit_timed_out(message):
    assert cancellation([CANCELED, message]) == Cancellation("timeout")


@pytest.mark.parametrize(
    ("message", "login"),
    [
        (BY_OCTOCAT, "octocat"),
        ("the run was CANCELLED by @Octo-Cat", "Octo-Cat"),
        ("The run was canceled by octocat.", "octocat"),
        ("The run was canceled by @octocat. See the audit log.", "octocat"),
        ("The run was canceled by @octocat_corp.", "octocat_corp"),
        ("The run was canceled by @github-actions[bot].", "github-actions[bot]"),
        ("The workflow run was canceled by renovate[bot]", "renovate[bot]"),
        ("The job was canceled by @octocat.", "octocat"),
        ("The run was canceled by @a.", "a"),
        ("This workflow run has been canceled by @a.", "a"),
        ("The operation was canceled by @a.", "a"),
        ("The run was canceled by a user.", None),
        ("The run was canceled by the owner", None),
    ],
)
def test_a_person_cancelled_the_run(message, login):
    assert cancellation([CANCELED, message]) == Cancellation("person", login)


@pytest.mark.parametrize(
    "message",
    [
        HIGHER_PRIORITY,
        "canceling since a higher priority waiting request exists",
        "Cancelling since a higher priority waiting request for ci-refs/heads/main"
        " exists.",
        "Canceling since a deadlock for concurrency group 'ci' was detected between"
        " 'top level workflow' and 'build'",
        "Canceling since a deadlock was detected for concurrency group: 'ci' between a"
        " top level workflow and 'build'",
    ],
)
def test_a_run_that_made_room_for_another_was_superseded(message):
    assert cancellation([message, CANCELED]) == Cancellation("superseded")


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [CANCELED],
        ['The job was canceled because "linux" failed.'],
        ["Process completed with exit code 1."],
        # The output of a step can be an annotation too.
        [f"expected: {TIMEOUT}", f"AssertionError: {BY_OCTOCAT}"],
        ["The job running on runner was canceled."],
    ],
)
def test_other_messages_tell_no_cause(messages):
    assert cancellation(messages) == Cancellation()


def test_a_timeout_counts_most_and_a_person_more_than_a_newer_run():
    everything = [HIGHER_PRIORITY, BY_OCTOCAT, TIMEOUT]

    assert cancellation(everything) == Cancellation("timeout")
    assert cancellation(everything[:2]) == Cancellation("person", "octocat")


def test_the_first_name_counts():
    messages = ["The run was canceled by a user.", BY_OCTOCAT, "canceled by @b"]

    assert cancellation(messages) == Cancellation("person", "octocat")
