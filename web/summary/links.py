"""Links from the numbers of a summary to the rows that they count."""

import json
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from ci_observer.web.pages.dashboard import MAX_DAYS
from ci_observer.web.summary.span import Request, Spans
from ci_observer.web.urls import table_path, with_query, workflow_path
from ci_observer.web.vocabulary import DECISIVE, FAILURES, FLAKY_FAILURES

# Repositories and workflows in an address, which may have 100 arguments.
MAX_VALUES = 50
# The most days for which the page of a workflow has a period of the same length.
PERIODS = (7, 30, 90, 365)

Row = Mapping[str, Any]
Pairs = list[tuple[str, str]]
Feed = tuple[str, str]


class Links:
    """Paths for the numbers of one span.

    `row` is a row of the report: with a repository, with a workflow as well, or the
    total, which has neither. A path is None where no filters select exactly its rows,
    as for the workflows of some teams.
    """

    def __init__(
        self,
        request: Request,
        spans: Spans,
        feeds: Collection[Feed] = (),
        all_feeds: Collection[Feed] = (),
    ) -> None:
        self._request = request
        self._spans = spans
        self._span = spans.span
        self._feeds = feeds
        self._all_feeds = all_feeds

    # Our own pages.

    def runs(self, row: Row, **filters: Any) -> str | None:
        """The runs of a row in `/runs`; a filter may have several values."""
        return self._list(row, [*self._times(), *_pairs(filters)])

    def decided(self, row: Row) -> str | None:
        return self.runs(row, conclusion=DECISIVE)

    def failed(self, row: Row) -> str | None:
        return self.runs(row, conclusion=FAILURES)

    def between(self, since: str, until: str) -> str | None:
        """The runs between two instants, both included, in `/runs`."""
        return self._list({}, [("since", since), ("until", until)])

    def trigger(self, name: str, value: str | None, since: str) -> str | None:
        """The runs that an event or an account has triggered, from `since` on."""
        filters = [("since", since), ("until", self._span.last_second)]
        return self._list({}, [(name, value or "null"), *filters])

    def hour(self, weekday: int, hour: int, since: str | None) -> str | None:
        """The runs of an hour of the week, from `since` on."""
        times = {"started_at__gte": since} if since else {}
        return self._runs_table("run_days", {}, **times, weekday=weekday, hour=hour)

    def days(self, group: Row) -> str | None:
        """The runs with a result of some days."""
        return self._runs_table(
            "run_days",
            {},
            day__gte=group["first_day"],
            day__lte=group["last_day"],
            effective_conclusion__in=",".join(
                FAILURES if group["failed"] else DECISIVE
            ),
        )

    def workflow(self, row: Row) -> str:
        days = self._span.days
        period = days if self._spans.today == self._span.last_day else None
        known = period if period in PERIODS else None
        return workflow_path(row["repo"], row["workflow"], days=known)

    def wall(self, state: str) -> str:
        """The tiles of the wall in a state."""
        return with_query("/", [*self._request.filters, ("state", state)])

    def compared(self, row: Row) -> str:
        """The page of a workflow, with the default branch next to another."""
        path = self.workflow(row)
        name = "&" if "?" in path else "?"
        return f"{path}{name}{urlencode({'compare': row['branch']})}#comparison"

    def summary(self, **changes: Any) -> str:
        """This summary with other arguments; None removes one."""
        return with_query("/summary", self._arguments(changes))

    def same_days(self) -> str:
        """The page that will show the same days at any time."""
        days = {"since": self._span.first_day, "until": self._span.last_day}
        return with_query("/summary", [*_pairs(days), *self._request.filters])

    def text(self) -> str:
        return with_query("/summary.md", self._request.pairs)

    def json(self) -> str:
        return with_query("/api/summary", self._request.pairs)

    def dashboard(self, name: str, chart: str = "") -> str | None:
        """A dashboard, or one of its charts, for the same days and filters."""
        if self._request.teams or self._span.days > MAX_DAYS:
            return None
        one = {"repo": self._request.repos, "workflow": self._request.workflows}
        query = {key: values[0] for key, values in one.items() if len(values) == 1}
        query |= {"days": str(self._span.days), "until": self._span.last_day}
        path = f"/-/dashboards/{name}"
        return with_query(f"{path}/{chart}" if chart else path, query)

    # Tables and views.

    def breaks(self, row: Row) -> str | None:
        """The breaks that began in the span."""
        times = {
            "broken_at__gte": self._span.since,
            "broken_at__lt": self._span.until,
            "_sort_desc": "broken_at",
        }
        return self._table("breaks", row, times)

    def fixes(self, row: Row) -> str | None:
        """The breaks that ended in the span."""
        times = {
            "fixed_at__gte": self._span.since,
            "fixed_at__lt": self._span.until,
            "_sort_desc": "seconds",
        }
        return self._table("breaks", row, times)

    def red(self, row: Row) -> str | None:
        """The red times that began in the span."""
        times = {
            "state": "red",
            "from_at__gte": self._span.since,
            "from_at__lt": self._span.until,
            "_sort_desc": "from_at",
        }
        return self._table("state_timeline", row, times)

    def timed(self, row: Row) -> str | None:
        return self._runs_table(
            "run_days",
            row,
            conclusion="success",
            run_attempt=1,
            duration_seconds__gt=0,
            _sort_desc="duration_seconds",
        )

    def queued(self, row: Row) -> str | None:
        return self._runs_table(
            "run_days",
            row,
            run_attempt=1,
            queue_seconds__notnull=1,
            waited_for__isnull=1,
            _sort_desc="queue_seconds",
        )

    def tested(self, row: Row) -> str | None:
        return self.runs(row, conclusion=("success", *FLAKY_FAILURES))

    def flaky(self, row: Row) -> str | None:
        filters = {
            "last_started_at__gte": self._span.since,
            "last_started_at__lt": self._span.until,
            "_sort_desc": "last_started_at",
        }
        return self._table("flaky_runs", row, filters)

    def reruns(self, row: Row) -> str | None:
        return self._runs_table("run_days", row, status="completed", run_attempt__gt=1)

    def reruns_passed(self, row: Row) -> str | None:
        return self._runs_table(
            "run_days", row, conclusion="success", run_attempt__gt=1
        )

    def finished(self, row: Row) -> str | None:
        return self._runs_table("run_days", row, status="completed")

    def default_failed(self, row: Row) -> str | None:
        return self._default(row, FAILURES)

    def default_decided(self, row: Row) -> str | None:
        return self._default(row, DECISIVE)

    def _default(self, row: Row, conclusions: tuple[str, ...]) -> str | None:
        return self._runs_table(
            "default_branch_runs", row, effective_conclusion__in=",".join(conclusions)
        )

    def minutes(self, row: Row, **filters: Any) -> str | None:
        days = {
            "day__gte": self._span.first_day,
            "day__lte": self._span.last_day,
            "_sort_desc": "run_minutes",
        }
        return self._table("minutes_daily", row, days | filters)

    def job_queues(self, labels: list[str] | None) -> str | None:
        """The jobs with these labels whose queue times count."""
        filters = {
            "labels": None if labels is None else compact_json(labels),
            "labels__isnull": 1 if labels is None else None,
            "queue_seconds__notnull": 1,
            "waited_for__isnull": 1,
            "started_at__gte": self._span.since,
            "started_at__lt": self._span.until,
            "_sort_desc": "queue_seconds",
        }
        return self._table("job_history", {}, filters)

    def _runs_table(self, table: str, row: Row, **filters: Any) -> str | None:
        days = {"day__gte": self._span.first_day, "day__lte": self._span.last_day}
        days |= filters
        first, last = (date.fromisoformat(day) for day in list(days.values())[:2])
        # Lets SQLite use the index by time; a day more, for all time zones.
        times = {
            "started_at__gte": (first - timedelta(days=1)).isoformat(),
            "started_at__lt": (last + timedelta(days=2)).isoformat(),
        }
        order = {"_sort_desc": "started_at"}
        return self._table(table, row, times | order | days)

    def _table(self, table: str, row: Row, filters: dict[str, Any]) -> str | None:
        """A table in Datasette, for the workflows of a row."""
        values = self._values(row)
        if values is None:
            return None
        found: dict[str, Any] = {}
        for name, chosen in values.items():
            match chosen:
                case [value]:
                    found[name] = value
                case [_, *_]:
                    found[f"{name}__in"] = json.dumps(chosen)
        return table_path(table, found | filters)

    def _list(self, row: Row, filters: Pairs) -> str | None:
        """The list of runs, for the workflows of a row."""
        values = self._values(row)
        return (
            None if values is None else with_query("/runs", [*_pairs(values), *filters])
        )

    def _values(self, row: Row) -> dict[str, tuple[str, ...]] | None:
        """The filters that select the workflows of a row and no others, if any."""
        request = self._request
        if request.teams:
            return self._of_teams(row)
        chosen = {"repo": request.repos, "workflow": request.workflows}
        return {
            name: (row[name],) if name in row else values
            for name, values in chosen.items()
        }

    def _of_teams(self, row: Row) -> dict[str, tuple[str, ...]] | None:
        wanted = {
            feed
            for feed in self._feeds
            if row.get("repo", feed[0]) == feed[0]
            and row.get("workflow", feed[1]) == feed[1]
        }
        repos, files = ({feed[i] for feed in wanted} for i in (0, 1))
        found = {f for f in self._all_feeds if f[0] in repos and f[1] in files}
        if found != wanted or not 0 < len(repos) + len(files) <= MAX_VALUES:
            return None
        return {"repo": tuple(sorted(repos)), "workflow": tuple(sorted(files))}

    def _times(self) -> Pairs:
        return [("since", self._span.since), ("until", self._span.last_second)]

    def _arguments(self, changes: dict[str, Any]) -> Pairs:
        kept = [pair for pair in self._request.pairs if pair[0] not in changes]
        return [*kept, *_pairs(changes)]


def compact_json(values: list[str]) -> str:
    """A JSON array as ingest stores it."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _pairs(values: Mapping[str, Any]) -> Pairs:
    """The arguments of a URL; None is left out, several values are several pairs."""
    return [
        (name, str(one))
        for name, value in values.items()
        for one in (value if isinstance(value, list | tuple) else (value,))
        if one is not None
    ]
