"""Sentences about numbers of a summary that lack something, or have nothing to show."""

from collections.abc import Iterable
from sqlite3 import Connection

from ci_observer.web.pages.counted_runs import PROGRESS, day_text, progress_text
from ci_observer.web.summary.reader import Reader
from ci_observer.web.summary.span import FILTERS, NO_TEAM, Request, Spans
from ci_observer.web.summary.span_counts import SpanCounts
from ci_observer.web.summary.states import States
from ci_observer.web.texts import cut, display_text

MAX_CHARACTERS = 60
SUBJECTS = {
    "repo": "No repository here is named",
    "workflow": "No workflow here has the file",
    "team": "No repository here is in the team",
}


def warnings_of(
    conn: Connection,
    reader: Reader,
    spans: Spans,
    states: States,
    counts: tuple[SpanCounts, SpanCounts],
) -> list[str]:
    """The sentences, in the caller's transaction; `counts` of the span and before."""
    found = (
        *_unmatched(reader),
        progress_text(map(dict, conn.execute(PROGRESS).fetchall())),
        _history(reader, spans),
        _building(states),
        _fetching(*counts),
    )
    return [sentence for sentence in found if sentence]


def _unmatched(reader: Reader) -> Iterable[str]:
    """A sentence for each filter value of no feed, and for filters that fit none."""
    request = reader.request
    for name, values in zip(
        FILTERS, (request.repos, request.workflows, request.teams), strict=True
    ):
        for value in values:
            if value != NO_TEAM and not _matches(reader, name, value):
                shown = cut(display_text(value) or "", MAX_CHARACTERS)
                yield f"{SUBJECTS[name]} {shown}."
    if request.filters and not reader.feeds:
        yield "No workflow matches the filters: all numbers are 0."


def _matches(reader: Reader, name: str, value: str) -> bool:
    alone = Request.from_pairs([(name, value)])
    return any(
        alone.selects(*feed, row["team"]) for feed, row in reader.all_feeds.items()
    )


def _history(reader: Reader, spans: Spans) -> str:
    """A sentence about days whose runs are not stored, or not yet."""
    if reader.history.is_fetching:
        return (
            "Runs of these days or of those before are still being fetched: their "
            "numbers are too low."
        )
    first = reader.history.first_day
    if first is None or first <= spans.before.first_day:
        return ""
    none = f"No run before {day_text(first)} is stored"
    if first > spans.span.last_day:
        return f"{none}."
    if first >= spans.span.first_day:
        return f"{none}: there is nothing to compare with."
    return f"{none}: sums are not compared."


def _building(states: States) -> str:
    """A sentence about states that are still being computed, or an empty one."""
    if not states.unfinished:
        return ""
    if states.complete_from is None:
        return "The states of main are still being computed: red times are too short."
    day = day_text(states.complete_from[:10])
    return f"The states of main before {day} are still being computed."


def _fetching(now: SpanCounts, before: SpanCounts) -> str:
    """A sentence about jobs that are still being fetched, or an empty one."""
    if now.is_fetching_jobs:
        return (
            "The jobs of these days are still being fetched, those of failed runs "
            "first: minutes and queue times are of few runs, and the share of wasted "
            "minutes is left out."
        )
    if before.is_fetching_jobs:
        return (
            "The jobs of the days before are still being fetched: minutes and queue "
            "times are not compared yet."
        )
    return ""
