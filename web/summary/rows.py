"""The numbers of a summary in total, of each repository and of each workflow."""

from collections.abc import Collection, Mapping
from itertools import groupby
from typing import Any

from ci_observer.web.pages.missing_jobs import FAILED_ONLY
from ci_observer.web.summary.counts import Numbers, total
from ci_observer.web.summary.present import Tile, present
from ci_observer.web.summary.reader import Reader
from ci_observer.web.summary.span import Span
from ci_observer.web.summary.span_counts import Feed, SpanCounts
from ci_observer.web.summary.states import States
from ci_observer.web.texts import display_name


class Rows:
    """The numbers of some feeds together, in the span and in the one before."""

    def __init__(
        self,
        reader: Reader,
        spans: tuple[tuple[Span, SpanCounts], tuple[Span, SpanCounts]],
        states: States,
        tiles: list[Tile],
    ) -> None:
        self._reader, self._spans, self._states = reader, spans, states
        self._has_share = reader.state["fetch_jobs"] not in FAILED_ONLY
        self._tiles: dict[str, list[Tile]] = {}
        for tile in tiles:
            self._tiles.setdefault(tile["repo"], []).append(tile)
        (_, now), (_, before) = spans
        self.feeds = sorted(
            {*now.workflows, *before.workflows, *states.pieces},
            key=lambda feed: (feed[0].casefold(), feed[1]),
        )

    def of(self, feeds: Collection[Feed]) -> Numbers:
        """The numbers of these feeds, with those of the span before."""
        now, before = (self._numbers(feeds, *span) for span in self._spans)
        return now | {"before": before}

    def _numbers(
        self, feeds: Collection[Feed], span: Span, counts: SpanCounts
    ) -> Numbers:
        found = total(counts.workflows[x] for x in feeds if x in counts.workflows)
        numbers = self._states.times(feeds, span).numbers() | found.numbers()
        numbers["runs_complete"] = self._reader.history.has_all_of(span)
        numbers["jobs_complete"] = not counts.is_fetching_jobs
        if counts.is_fetching_jobs or not self._has_share:
            # Nearly all stored jobs are those of failed runs.
            numbers["wasted_percent"] = None
        return numbers

    def total(self) -> Numbers:
        return self._present() | self.of(self.feeds)

    def repositories(self) -> list[Numbers]:
        repos = groupby(self.feeds, key=lambda feed: feed[0])
        return [
            {"repo": repo} | self._present(repo) | self.of(list(feeds))
            for repo, feeds in repos
        ]

    def workflows(self) -> list[Numbers]:
        return [
            {
                "repo": feed[0],
                "workflow": feed[1],
                "workflow_name": workflow_name(self._reader.feeds.get(feed), feed[1]),
            }
            | self._present(*feed)
            | self.of([feed])
            for feed in self.feeds
        ]

    def _present(self, repo: str | None = None, workflow: str | None = None) -> Numbers:
        """The state now of all, of a repository or of a workflow, and since when."""
        repos = self._tiles if repo is None else (repo,)
        tiles = [
            tile
            for name in repos
            for tile in self._tiles.get(name, ())
            if workflow in (None, tile["workflow"])
        ]
        found = present(tiles, self._states.since)
        state = found["state"] if found["workflows"] else None
        return {
            "state": state,
            "since_at": found["since_at"],
            "muted_workflows": found["muted_workflows"],
        }


def workflow_name(feed: Mapping[str, Any] | None, file: str) -> str:
    """The name of a workflow for display; its file if it has none."""
    name = display_name((feed or {}).get("workflow_name") or file, file)
    # GitHub gives a workflow without a name its path as the name.
    return str(name).removeprefix(".github/workflows/")
