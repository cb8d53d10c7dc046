"""GitHub's words and ours that the SQL of several views and the store depend on.

`SQL_VALUES` puts them into the files of `sql/`, as literals: a partial index is only
used by a query that has the same literals. `web/vocabulary.py` says the same for pages.
"""

from ci_observer.ingest.github.rows import LONGEST_RUN
from ci_observer.ingest.times import CLOCK_TOLERANCE

# GitHub's longest default retention of runs.
RETENTION_DAYS = 90
# How many ended red spans give the usual time of a fix.
RED_SPANS = 10
# The conclusions of a failed run, and those that give a run a result.
FAILURES = ("failure", "timed_out", "startup_failure")
DECISIVE = ("success", *FAILURES)
# The conclusions of a job that failed, or of a run whose jobs did: the code was tested.
TEST_FAILURES = ("failure", "timed_out")
# The conclusions of a run that failed before any job, as with an invalid file.
EARLY_FAILURES = ("failure", "startup_failure")
# The conclusions of a run that was not meant to test anything.
SKIPPED = ("skipped", "neutral")
HELD = "action_required"
# The conclusions that are understood: a run with any other has no known result.
# A cancelled run is among those others.
UNDERSTOOD = (*DECISIVE, *SKIPPED, HELD)
# The results of a decisive run.
RESULTS = ("passing", "failing")
# The statuses of a run that waits for a person or for another run. It cannot be stuck.
WAITING_STATUSES = ("waiting", "pending")


def sql_list(words: tuple[str, ...]) -> str:
    """The words as a list for SQL's `in`."""
    return "('" + "', '".join(words) + "')"


SQL_VALUES = {
    "failures": sql_list(FAILURES),
    "decisive": sql_list(DECISIVE),
    "test_failures": sql_list(TEST_FAILURES),
    "tested": sql_list(("success", *TEST_FAILURES)),
    "early_failures": sql_list(EARLY_FAILURES),
    "results": sql_list(RESULTS),
    "skipped": sql_list(SKIPPED),
    "understood": sql_list(UNDERSTOOD),
    "waiting_statuses": sql_list(WAITING_STATUSES),
    # A time of 20 characters, then the id with as many digits as any.
    "run_key": "printf('%s%020d', created_at, run_id)",
    "red_spans": str(RED_SPANS),
    "retention_days": str(RETENTION_DAYS),
    "longest_run_days": str(LONGEST_RUN.days),
    "clock_tolerance_seconds": str(CLOCK_TOLERANCE.seconds),
    # The condition of the index `runs_late`: six hours are GitHub's limit for a job.
    "is_late": (
        "run_attempt > 1 or status is not 'completed' or gone_at is not null"
        " or duration_seconds is null"
        " or unixepoch(started_at) + duration_seconds > unixepoch(created_at) + 21600"
    ),
    # The condition of the index `runs_undecided`, to be repeated word by word.
    "is_undecided": (
        "status = 'completed' and coalesce(conclusion, '') not in "
        + sql_list(UNDERSTOOD)
    ),
}
