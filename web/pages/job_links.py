"""Links of the page of a workflow's jobs: to itself, and to the rows it counts."""

from typing import Any
from urllib.parse import urlencode

from ci_observer.web.pages.job_statistics import Statistics
from ci_observer.web.pages.workflow_selection import DEFAULT_DAYS, Selection
from ci_observer.web.urls import jobs_path, table_path
from ci_observer.web.vocabulary import DECISIVE, FAILURES

# More runs would make an address too long.
MAX_LISTED_RUNS = 50
PULL_REQUESTS = "pull_request%"


class _RowLinks:
    """Paths to the rows behind a row of statistics, in one of the views."""

    # The column with the result that counts.
    result = "conclusion"

    def __init__(self, path: str) -> None:
        self._rows = path

    def ended(self, row: Statistics) -> str | None:
        """The executions that have ended and were not skipped."""
        return self._of(row, conclusion__not="skipped")

    def succeeded(self, row: Statistics) -> str | None:
        return self._of(row, conclusion="success", _sort_desc="duration_seconds")

    def failed(self, row: Statistics) -> str | None:
        words = FAILURES if row.failed else DECISIVE
        return self._of(row, **{f"{self.result}__in": ",".join(words)})

    def flaky(self, row: Statistics) -> str | None:
        """All results for the commits with both."""
        if not 0 < len(row.flaky_run_ids) <= MAX_LISTED_RUNS:
            return None
        return self._of(row, run_id__in=",".join(map(str, row.flaky_run_ids)))

    def _of(self, row: Statistics, **filters: str | int) -> str | None:
        names = self._named(row)
        if names is None:
            return None
        # A table has thousands of links: their common part is encoded once.
        return f"{self._rows}&{urlencode(names | filters)}"

    def _named(self, row: Statistics) -> dict[str, Any] | None:
        """The filter that finds only the row's executions; None if there is none."""
        return {"name": row.name} if row.name else {"name__isnull": 1}


class StepLinks(_RowLinks):
    """Paths to the steps of a job; `from_at` and `until_at` bound the counted runs."""

    def __init__(
        self, selection: Selection, job: str | None, from_at: str, until_at: str
    ) -> None:
        of_job = {"job_name": job} if job else {"job_name__isnull": 1}
        rows = _rows_of(selection, from_at, until_at)
        super().__init__(table_path("step_history", rows | of_job))


class JobLinks(_RowLinks):
    """Paths for one selection; `from_at` and `until_at` bound the counted runs."""

    result = "effective_conclusion"

    def __init__(
        self, selection: Selection, names: set[str], from_at: str, until_at: str
    ) -> None:
        rows = _rows_of(selection, from_at, until_at)
        super().__init__(table_path("job_history", rows))
        feed, branch = selection.feed, selection.branch
        self._feed = (feed["repo"], feed["workflow"])
        self._names = names
        self._arguments: dict[str, str | int | None] = {
            "branch": None if branch == feed["default_branch"] else branch,
            "days": None if selection.days == DEFAULT_DAYS else selection.days,
            **selection.others,
        }

    def page(self, **changes: str | int | None) -> str:
        """This page with other arguments."""
        repo, workflow = self._feed
        return jobs_path(repo, workflow, **(self._arguments | changes))

    def all_jobs(self) -> str:
        return self._rows

    def queued(self, row: Statistics) -> str | None:
        return self._of(
            row,
            queue_seconds__notnull=1,
            waited_for__isnull=1,
            conclusion__not="skipped",
            _sort_desc="queue_seconds",
        )

    def _named(self, row: Statistics) -> dict[str, Any] | None:
        if not row.members:
            return super()._named(row)
        prefix = f"{row.name} ("
        found = {name for name in self._names if name.startswith(prefix)}
        is_exact = found == {member.name for member in row.members}
        return {"name__startswith": prefix} if is_exact else None


def _rows_of(
    selection: Selection, from_at: str, until_at: str
) -> dict[str, str | int | None]:
    """The filters of the runs that count."""
    feed, branch = selection.feed, selection.branch
    is_default = branch == feed["default_branch"]
    return {
        "repo": feed["repo"],
        "workflow": feed["workflow"],
        "tile_branch": branch,
        "head_repo": feed["repo"],
        "event__notlike": PULL_REQUESTS if is_default else None,
        "run_created_at__gte": from_at,
        "run_created_at__lt": until_at,
    }
