"""Annotations, and why GitHub cancelled an attempt, from those of its cancelled jobs.

GitHub reports a job that ran into its time limit as `cancelled`. Only an annotation of
the job's check run tells it from a job that a person cancelled. Pure functions.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

TIMEOUT = "timeout"
PERSON = "person"
SUPERSEDED = "superseded"

# "The job has exceeded the maximum execution time of 30m0s":
# https://github.com/erigontech/erigon/pull/23203
# https://github.com/ZhuLinsen/daily_stock_analysis/issues/848
# Older: "The job running on runner … has exceeded the maximum execution time of 360
# minutes." A runner's name may be any text.
_TIMEOUT = re.compile(
    r"(?:error: *)?the (?:job|run|workflow run)\b.*?"
    r"\bexceeded the maximum execution time\b",
    re.IGNORECASE | re.DOTALL,
)
# "The run was canceled by @octocat." The name of an app may end in `[bot]`.
_PERSON = re.compile(
    r"(?:error: *)?(?:the|this) (?:job|run|operation|workflow|workflow run)"
    r" (?:was|has been) cancel{1,2}ed by"
    r" (?:(?:an?|the|another) |@?(?P<login>[a-z0-9][a-z0-9_-]{0,98}(?:\[bot\])?))",
    re.IGNORECASE,
)
# "Canceling since a higher priority waiting request for 'group' exists", and "Canceling
# since a deadlock for concurrency group 'group' was detected between …":
# https://docs.github.com/en/actions/how-tos/write-workflows/choose-when-workflows-run/control-workflow-concurrency
# https://github.com/rhysd/actionlint/issues/538
_SUPERSEDED = re.compile(
    r"(?:error: *)?cancel{1,2}ing since"
    r" a (?:higher priority waiting request|deadlock)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Annotation:
    """An annotation of a check run. `level` is `failure`, `warning` or `notice`."""

    message: str
    level: str | None = None
    title: str = ""


@dataclass(frozen=True)
class Cancellation:
    """Why an attempt was cancelled, by whom, and which job ran into its time limit.

    None where nothing says it.
    """

    cause: str | None = None
    cancelled_by: str | None = None
    timed_out_job_id: int | None = None


def cancellation(messages: Iterable[str]) -> Cancellation:
    """The cause that the annotations of an attempt's cancelled jobs tell.

    A timeout counts most: once one job has run into its limit, the attempt has failed,
    whoever cancelled the others. A message counts by its beginning, because the output
    of a step can be an annotation too.
    """
    texts = [message.strip() for message in messages]
    if any(map(_TIMEOUT.match, texts)):
        return Cancellation(TIMEOUT)
    people = [match for text in texts if (match := _PERSON.match(text))]
    if people:
        logins = [login for match in people if (login := match["login"])]
        return Cancellation(PERSON, next(iter(logins), None))
    if any(map(_SUPERSEDED.match, texts)):
        return Cancellation(SUPERSEDED)
    return Cancellation()
