"""Links from the numbers on a workflow's page to the rows they count."""

from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from ci_observer.web.api.run_queries import TAGS
from ci_observer.web.pages.workflow_queries import GRID_RUNS
from ci_observer.web.urls import repository_address, table_path, with_query
from ci_observer.web.vocabulary import DECISIVE, FAILURES, FLAKY_FAILURES


class Links:
    """Datasette's tables and views, narrowed to one feed and one branch."""

    def __init__(
        self,
        feed: dict[str, Any],
        branch: str | None,
        *,
        has_pull_requests: bool = False,
    ) -> None:
        self._feed = {"repo": feed["repo"], "workflow": feed["workflow"]}
        self._branch = self._feed | {"tile_branch": branch}
        self._table_of_days = "tile_run_days"
        if has_pull_requests:
            self._table_of_days = "run_days"
            self._branch |= {"head_repo": feed["repo"]}
        self._first_day = feed["first_day"]
        # Some filters know single tags only, so there all branches are selected.
        name = None if branch == TAGS else branch
        self._head_branch = self._feed | {"head_branch": name}
        self._api = self._feed | {"branch": name}

    def feed_runs(self) -> str:
        return self._table("runs", self._feed, _sort_desc="started_at")

    def branch_runs(self) -> str:
        return self._table("runs", self._branch, _sort_desc="started_at")

    def api(self, path: str) -> str:
        """The branch's runs in the API, at `/api/runs`, `/api/runs.csv` and so on."""
        return with_query(path, self._api)

    def runs(self, **filters: str) -> str:
        """The branch's runs on our page, narrowed by more filters."""
        return with_query("/runs", self._api | filters)

    def newest(self) -> str:
        """The newest runs of the feed on all branches."""
        return with_query("/api/runs", self._feed | {"limit": GRID_RUNS})

    def streak(self, result: str, streak_at: str | None) -> str:
        """The decisive runs in a row, from the one created at `streak_at` on."""
        return self._table(
            "decisive_runs", self._branch, result=result, created_at__gte=streak_at
        )

    def states(self) -> str:
        """The states of the feed over time."""
        return self._table("state_timeline", self._feed, _sort_desc="from_at")

    def breaks(self, since: str) -> str:
        """The red times of the feed that began at `since` or later."""
        return self._table("breaks", self._feed, broken_at__gte=since)

    def timed(self) -> str:
        """The runs whose durations count."""
        return self._recent(conclusion="success", run_attempt=1, duration_seconds__gt=0)

    def queued(self) -> str:
        """The runs whose queue times count."""
        return self._recent(
            run_attempt=1, queue_seconds__notnull=1, waited_for__isnull=1
        )

    def decided(self, first: str, last: str) -> str:
        return self._days(first, last, DECISIVE)

    def failed(self, first: str, last: str) -> str:
        return self._days(first, last, FAILURES)

    def reruns(self) -> str:
        return self._recent(run_attempt__gt=1)

    def flaky(self) -> str:
        branch = {name: self._branch[name] for name in (*self._feed, "tile_branch")}
        return self._table("flaky_runs", branch, last_started_at__gte=self._first_day)

    def commit_failures(self, head_sha: str) -> str:
        return self._commit(head_sha, FLAKY_FAILURES)

    def commit_successes(self, head_sha: str) -> str:
        return self._commit(head_sha, ("success",))

    def _commit(self, head_sha: str, conclusions: tuple[str, ...]) -> str:
        """The attempts for a commit that had one of these conclusions."""
        return self._table(
            "run_history",
            self._head_branch,
            head_sha=head_sha,
            event__not="workflow_run",
            status="completed",
            effective_conclusion__in=",".join(conclusions),
        )

    def github(self, runs: list[dict[str, Any]]) -> str | None:
        """The workflow's page on GitHub; None when no run has a web address."""
        addresses = (repository_address(run["html_url"]) for run in runs)
        repository = next(filter(None, addresses), None)
        if repository is None:
            return None
        file, branch = quote(self._feed["workflow"], safe=""), self._api["branch"]
        path = f"{repository}/actions/workflows/{file}"
        return with_query(path, {"query": branch and f"branch:{branch}"})

    def _days(self, first: str, last: str, conclusions: tuple[str, ...]) -> str:
        return self._recent(
            day__gte=first,
            day__lte=last,
            effective_conclusion__in=",".join(conclusions),
        )

    def _recent(self, **more: str | int) -> str:
        more = {"day__gte": self._first_day} | more
        # Lets SQLite use the index by time, as in the page's own selects.
        day_before = date.fromisoformat(str(more["day__gte"])) - timedelta(days=1)
        more |= {"started_at__gte": day_before.isoformat(), "_sort_desc": "started_at"}
        return self._table(self._table_of_days, self._branch, **more)

    def tiles_with_error(self, error_id: int) -> str:
        """The tiles whose last result failed with an error."""
        return self._table("wall", {"error_id": error_id})

    def jobs_with_error(self, error_id: int) -> str:
        """The jobs that failed with an error, the newest first."""
        return self._table("job_errors", {"error_id": error_id}, _sort_desc="failed_at")

    @staticmethod
    def _table(table: str, filters: dict[str, Any], **more: str | int | None) -> str:
        return table_path(table, filters | more)
