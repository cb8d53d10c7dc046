"""The numbers of a summary, as `/api/summary` returns them: plain values only."""

from dataclasses import dataclass
from sqlite3 import Connection
from zoneinfo import ZoneInfo

from ci_observer.web.pages.dashboard import STORED_JOBS
from ci_observer.web.pages.state_timeline import Timeline, timeline
from ci_observer.web.summary.breaks import breaks_of
from ci_observer.web.summary.counts import (
    Numbers,
)
from ci_observer.web.summary.links import Links
from ci_observer.web.summary.lists import (
    busiest,
    days_of,
    labels_of,
    queues_of,
    triggers_of,
    waste_of,
)
from ci_observer.web.summary.local_hours import LocalHours
from ci_observer.web.summary.notes import warnings_of
from ci_observer.web.summary.present import alarms, is_muted, present
from ci_observer.web.summary.reader import Reader
from ci_observer.web.summary.rows import Rows, workflow_name
from ci_observer.web.summary.span import Request, Span, Spans, read_spans
from ci_observer.web.summary.span_counts import Feed
from ci_observer.web.summary.states import States

# Workflows that have a link to two of their branches.
PAIRS = 5


@dataclass(frozen=True)
class Report:
    """A summary: its JSON, and the other facts that its page needs."""

    data: Numbers
    request: Request
    spans: Spans
    expires_at: str | None
    is_rounded: bool
    # Sentences about numbers that are too low, and about jobs that are not stored.
    warnings: list[str]
    stored_jobs: str
    # The names to choose from, by filter.
    pairs: list[Numbers]
    repos: list[str]
    files: list[str]
    teams: list[str]
    states: States
    feeds: list[Feed]
    all_feeds: list[Feed]
    hours: LocalHours

    @property
    def links(self) -> Links:
        """The links of its numbers."""
        return Links(self.request, self.spans, self.feeds, self.all_feeds)

    @property
    def queue_labels(self) -> list[Numbers]:
        """The queue times by labels; with those before only if they can be compared."""
        total = self.data["total"]
        can_compare = total["jobs_complete"] and total["before"]["jobs_complete"]
        nothing = {} if can_compare else {"before": None}
        return [row | nothing for row in self.data["queue_labels"]]

    @property
    def choices(self) -> list[tuple[str, str, list[str]]]:
        """The filters of the form: their names, labels and values."""
        return [
            ("repo", "Repository", self.repos),
            ("workflow", "Workflow", self.files),
            *([("team", "Team", self.teams)] if self.teams else []),
        ]

    def bar(self, row: Numbers, zone: ZoneInfo) -> Timeline:
        """The states of a repository or a workflow in the span, up to now."""
        feeds = [
            (repo, file)
            for repo, file in self.states.pieces
            if repo == row["repo"] and row.get("workflow", file) == file
        ]
        span = self.spans.span
        return timeline(
            self.states.rows(feeds, span),
            since=span.since,
            until=min(span.until, self.spans.now),
            zone=zone,
        )

    @property
    def revision(self) -> int:
        return int(self.data["revision"])


def read_report(conn: Connection, request: Request) -> Report:
    """The summary of a request; raises `BadRequest` for impossible days."""
    spans = read_spans(conn, request)
    reader = Reader(conn, request, spans)
    now, before = reader.read(spans.span), reader.read(spans.before)
    tiles = reader.tiles()
    of_main = [tile for tile in tiles if tile["is_default_branch"]]
    states = States(conn, reader.feeds, spans)
    warnings = warnings_of(conn, reader, spans, states, (now, before))
    stored_jobs = STORED_JOBS.get(reader.state["fetch_jobs"], "")
    rows = Rows(reader, ((spans.span, now), (spans.before, before)), states, of_main)
    muted = {(tile["repo"], tile["workflow"]) for tile in of_main if is_muted(tile)}
    data = {
        "ok": True,
        "revision": int(reader.state["revision"]),
        "now": spans.now,
        "timezone": spans.timezone,
        "span": _span(spans.span) | {"is_over": spans.is_over},
        "before": _span(spans.before),
        "filters": {
            "repo": request.repos,
            "workflow": request.workflows,
            "team": request.teams,
        },
        "incomplete": [*warnings, *filter(None, [stored_jobs])],
        "main": present(of_main, states.since),
        "alarms": alarms(tile for tile in tiles if tile["is_on_wall"]),
        **breaks_of(states, spans, muted),
        "total": rows.total(),
        "repositories": rows.repositories(),
        "workflows": rows.workflows(),
        "days": days_of(spans, now, before),
        **triggers_of(now, before),
        "queue_labels": [
            row | {"labels": labels_of(row["labels"])}
            for row in queues_of(now.labels, before.labels, "labels")
        ],
        "queue_hours": sorted(
            queues_of(now.hours, before.hours, "hour"), key=lambda row: row["hour"]
        ),
        "waste": waste_of(now, before),
    }
    expiries = [tile["expires_at"] for tile in tiles if tile["expires_at"]]
    if not spans.is_over:
        expiries.append(spans.next_minute)
    return Report(
        data,
        request,
        spans,
        expires_at=min(expiries, default=None),
        is_rounded=now.is_rounded,
        warnings=warnings,
        stored_jobs=stored_jobs,
        pairs=[
            row | {"workflow_name": workflow_name(row, row["workflow"])}
            for row in reader.pairs(busiest(now, PAIRS), spans.span.until)
        ],
        repos=sorted({repo for repo, _ in reader.all_feeds}, key=str.casefold),
        files=sorted({file for _, file in reader.all_feeds}),
        teams=sorted({row["team"] for row in reader.all_feeds.values() if row["team"]}),
        states=states,
        feeds=list(reader.feeds),
        all_feeds=list(reader.all_feeds),
        hours=reader.hours,
    )


def _span(span: Span) -> Numbers:
    return {
        "first_day": span.first_day,
        "last_day": span.last_day,
        "days": span.days,
        "since": span.since,
        "until": span.until,
    }
