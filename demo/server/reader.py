"""What one reader sees of the world: visible repositories, rows and attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ci_observer.demo.server.limits import Bucket, Token
from ci_observer.demo.server.queries import Caps, Row, row_filter
from ci_observer.demo.server.records import Repo, Run, RunVersion, Workflow
from ci_observer.demo.server.responses import Call


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, and what a fault lets him see.

    `as_of` is the instant of the replica that answers; `keep` the share of its rows
    a lagging search index still finds, 1.0 for all; `counts_all` whether it counts the
    others all the same.
    """

    token: Token | None
    bucket: Bucket
    as_of: datetime
    caps: Caps
    keep: float = 1.0
    counts_all: bool = False
    old_enterprise: bool = False

    def may_see(self, repo: Repo) -> bool:
        if not repo.private:
            return True
        return self.token is not None and self.token.sees(repo.full_name)


def find_workflow(repo: Repo, key: str) -> Workflow | None:
    """By numeric id, file name, or whole path (sent with `%2F`)."""
    for workflow in repo.workflows.values():
        if key in (str(workflow.id), workflow.file, workflow.path):
            return workflow
    return None


def attempts_of(run: Run, now: datetime) -> list[RunVersion]:
    """The last version of each attempt seen so far, newest attempt first."""
    last = {v.run_attempt: v for v in run.versions if v.at <= now}
    return [last[number] for number in sorted(last, reverse=True)]


def select_rows(
    call: Call, reader: Reader, runs: Sequence[Run]
) -> tuple[list[Row], int]:
    """Visible runs that pass the filters, newest first; and how many it counts."""
    test = row_filter(call.query)
    rows = [
        (run, version)
        for run in reversed(runs)
        if (version := run.version_at(reader.as_of)) is not None
    ]
    if test is None:
        return rows, len(rows)
    found = [row for row in rows if test(*row)]
    kept = found[len(found) - int(len(found) * reader.keep) :]
    return kept, len(found if reader.counts_all else kept)
