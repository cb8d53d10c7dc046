"""Reads the counts of a span: by workflow, day, label, hour, event and account."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from sqlite3 import Connection, Row
from typing import Any

from ci_observer.web.database import Params
from ci_observer.web.pages.missing_jobs import FAILED_ONLY
from ci_observer.web.summary import queries
from ci_observer.web.summary.counts import Counts
from ci_observer.web.summary.local_hours import LocalHours
from ci_observer.web.summary.span import Request, Span, Spans
from ci_observer.web.summary.span_counts import Feed, History, SpanCounts, Triggers


class Reader:
    """Reads spans in the caller's transaction, for the workflows of a request."""

    def __init__(self, conn: Connection, request: Request, spans: Spans) -> None:
        self._conn = conn
        self.request = request
        self.state = self._rows(queries.STATE_SQL)[0]
        self.all_feeds = {
            (row["repo"], row["workflow"]): dict(row)
            for row in self._rows(queries.FEEDS_SQL)
        }
        self.feeds = {
            feed: row
            for feed, row in self.all_feeds.items()
            if request.selects(*feed, row["team"])
        }
        # The letter case of a repository may differ between tables.
        self._names = {
            (repo.casefold(), file): (repo, file) for repo, file in self.feeds
        }
        self._is_scoped = bool(request.filters)
        self._scope = json.dumps(list(self.feeds))
        self._factors = {
            row["labels"]: row["factor"] for row in self._rows(queries.FACTORS_SQL)
        }
        self.hours = LocalHours(
            [
                (row["from_at"], row["offset_seconds"])
                for row in self._rows(queries.OFFSETS_SQL)
            ]
        )
        params: Params = {"scope": self._scope, "since": spans.before.since}
        [stored] = self._rows(queries.HISTORY_SQL, params)
        first = stored["first_run"] and str(
            self.hours.local(stored["first_run"]).date()
        )
        self.history = History(first, bool(stored["is_fetching"]))

    def read(self, span: Span) -> SpanCounts:
        """The counts of a span."""
        params = self._params(span)
        workflows: dict[Feed, Counts] = defaultdict(Counts)
        self._add_runs(workflows, params)
        is_rounded = self._add_times(workflows, params)
        self._add_few(workflows, params)
        self._add_jobs(workflows, params)
        labels, hours = self._job_queues(params)
        return SpanCounts(
            workflows=dict(workflows),
            days=self._days(span, params),
            labels=labels,
            hours=hours,
            triggers=self._triggers(
                params, sum(counts.runs for counts in workflows.values())
            ),
            is_rounded=is_rounded,
            is_fetching_jobs=self._is_fetching_jobs(params),
        )

    def tiles(self) -> list[dict[str, Any]]:
        """The tiles of the wall and of main for the workflows of the request."""
        return [
            dict(row)
            for row in self._rows(queries.TILES_SQL)
            if self.request.selects(row["repo"], row["workflow"], row["team"])
        ]

    def pairs(self, workflows: Iterable[Feed], until: str) -> list[dict[str, Any]]:
        """Workflows with the newest other branch than the default one, if any."""
        found = []
        for repo, file in workflows:
            feed = self.feeds.get((repo, file), {})
            params: Params = {"repo": repo, "workflow": file, "until": until}
            params["default_branch"] = feed.get("default_branch")
            for row in self._rows(queries.OTHER_BRANCH_SQL, params):
                found.append(feed | {"branch": row["branch"]})
        return found

    def _params(self, span: Span) -> Params:
        return {
            "periods": json.dumps(span.periods),
            "scope": self._scope,
            "since": span.since,
            "until": span.until,
        }

    def _rows(self, sql: str, params: Params | None = None) -> list[Row]:
        return self._conn.execute(sql, params or {}).fetchall()

    def _add_runs(self, workflows: dict[Feed, Counts], params: Params) -> None:
        sql = queries.runs_sql(is_scoped=self._is_scoped)
        for row in self._rows(sql, params):
            counts = workflows[self._feed(row)]
            for name in ("runs", "finished", "decided", "failed", "tested"):
                setattr(counts, name, getattr(counts, name) + row[name])
            for name in ("reruns", "timed", "queued"):
                setattr(counts, name, getattr(counts, name) + row[name])
            if row["is_default_branch"]:
                counts.default_decided += row["decided"]
                counts.default_failed += row["failed"]

    def _add_times(self, workflows: dict[Feed, Counts], params: Params) -> bool:
        """Add durations and queue times; returns whether a percentile is rounded."""
        runs = sum(counts.runs for counts in workflows.values())
        few = self.state["is_complete"] and runs <= queries.MOST_RUNS
        exact = {
            name: few
            and sum(getattr(counts, number) for counts in workflows.values())
            <= queries.MOST_EXACT
            for name, number in (("duration", "timed"), ("queue", "queued"))
        }
        if any(exact.values()):
            scope = json.dumps([feed for feed, c in workflows.items() if c.runs])
            for row in self._rows(queries.TIMED_SQL, params | {"scope": scope}):
                counts = workflows[self._feed(row)]
                if exact["duration"] and row["duration_seconds"] is not None:
                    counts.durations[row["duration_seconds"]] += 1
                if exact["queue"] and row["queue_seconds"] is not None:
                    counts.queues[row["queue_seconds"]] += 1
        if not all(exact.values()):
            sql = queries.buckets_sql(is_scoped=self._is_scoped)
            for row in self._rows(sql, params):
                if not exact[row["measure"]]:
                    counts = workflows[self._feed(row)]
                    values = {"duration": counts.durations, "queue": counts.queues}
                    values[row["measure"]][row["seconds"]] += row["runs"]
        return not all(exact.values())

    def _add_few(self, workflows: dict[Feed, Counts], params: Params) -> None:
        for row in self._rows(queries.flaky_sql(is_scoped=self._is_scoped), params):
            workflows[self._feed(row)].flaky_commits += row["commits"]
        for row in self._of_request(queries.RERUNS_PASSED_SQL, params):
            workflows[self._feed(row)].reruns_passed += row["runs"]

    def _add_jobs(self, workflows: dict[Feed, Counts], params: Params) -> None:
        for row in self._rows(queries.jobs_sql(is_scoped=self._is_scoped), params):
            counts = workflows[self._feed(row)]
            counts.jobs += row["jobs"]
            counts.seconds += row["seconds"]
            factor = self._factors.get(row["labels"])
            if factor is not None:
                counts.billed += factor * row["minutes"]
            elif row["minutes"]:
                counts.unbilled_jobs += row["jobs"]
            if row["waste"]:
                counts.waste[row["waste"]] += row["seconds"]
                counts.waste_jobs[row["waste"]] += row["jobs"]

    def _days(self, span: Span, params: Params) -> dict[str, Counts]:
        days = [("day", day) for day in span.all_days]
        sql = queries.days_sql(is_scoped=self._is_scoped)
        return {
            row["day"]: Counts(
                runs=row["runs"], decided=row["decided"], failed=row["failed"]
            )
            for row in self._rows(sql, params | {"periods": json.dumps(days)})
        }

    def _job_queues(
        self, params: Params
    ) -> tuple[dict[str, Counter[float]], dict[int, Counter[float]]]:
        """The queue times of jobs, by labels and by local hour."""
        labels: dict[str, Counter[float]] = defaultdict(Counter)
        hours: dict[int, Counter[float]] = defaultdict(Counter)
        [[has_many]] = self._rows(queries.MANY_JOBS_SQL, params)
        if has_many:
            for row in self._rows(
                queries.label_buckets_sql(is_scoped=self._is_scoped), params
            ):
                labels[row["key"]][row["seconds"]] += row["jobs"]
            for row in self._rows(
                queries.hour_buckets_sql(is_scoped=self._is_scoped), params
            ):
                hours[row["key"]][row["seconds"]] += row["jobs"]
        else:
            for row in self._of_request(queries.JOB_QUEUES_SQL, params):
                labels[row["labels"]][row["seconds"]] += 1
                hours[self.hours.local(row["started_at"]).hour][row["seconds"]] += 1
        return dict(labels), dict(hours)

    def _is_fetching_jobs(self, params: Params) -> bool:
        if self.state["fetch_jobs"] in FAILED_ONLY:
            return False
        [[is_fetching]] = self._rows(queries.FETCHING_SQL, params)
        return bool(is_fetching)

    def _triggers(self, params: Params, runs: int) -> Triggers:
        """What triggered the `runs` of the span, or the newest ones among all."""
        source, cut = queries.Listed.ALL, []
        if self._is_scoped and runs <= queries.MOST_RUNS:
            source = queries.Listed.FEW
        else:
            source = queries.Listed.CHOSEN if self._is_scoped else source
            cut = self._rows(queries.LISTED_FROM_SQL, params)
        since = cut[0]["started_at"] if cut else str(params["since"])
        found = Triggers(since, is_cut=bool(cut))
        params = params | {"since": since}
        for row in self._rows(queries.triggers_sql(source), params):
            found.events[row["event"] or ""] += row["runs"]
            found.actors[row["actor"] or ""] += row["runs"]
        for row in self._rows(queries.quarters_sql(source), params):
            at = self.hours.local(f"{row['hour']}:{15 * row['quarter']:02}:00Z")
            found.hours[at.weekday(), at.hour] += row["runs"]
        return found

    def _of_request(self, sql: str, params: Params) -> Iterable[Row]:
        rows = self._rows(sql, params)
        if not self._is_scoped:
            return rows
        return [row for row in rows if self._feed(row) in self.feeds]

    def _feed(self, row: Row) -> Feed:
        feed = row["repo"], row["workflow"]
        return self._names.get((row["repo"].casefold(), row["workflow"]), feed)
