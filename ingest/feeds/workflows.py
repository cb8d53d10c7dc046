"""The workflow files of a repository: taken from GitHub's list, and told apart."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.errors import NotFound
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.names import (
    DYNAMIC,
    WORKFLOW_FOLDER,
    is_dynamic,
    workflow_file,
)
from ci_observer.ingest.store import responses, workflows
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.responses import CachedResponse
from ci_observer.ingest.store.workflows import ACTIVE, Workflow
from ci_observer.ingest.times import utc


def key_of(db: Database, feed: Feed) -> str:
    """What GitHub knows a feed's workflow by: its own ones have a number only."""
    if not is_dynamic(feed.workflow):
        return feed.workflow
    known = workflows.known(db, feed.repo)
    numbers = [w.workflow_id for w in known if w.workflow == feed.workflow]
    return str(next(iter(numbers), None) or feed.workflow)


def runs_by_file(
    db: Database, repo: str, runs: Iterable[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """A repository's runs by workflow file.

    A ruleset's workflow comes from another repository and has another number, while its
    path may be the same: its runs are not those of this repository's workflow.
    https://github.com/cli/cli/issues/9228
    """
    ids = {w.workflow: w.workflow_id for w in workflows.known(db, repo)}
    by_file: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        number, known = run.get("workflow_id"), ids.get(workflow_file(run))
        if known is None or number is None or number == known:
            by_file[workflow_file(run)].append(run)
    return by_file


def workflow_rows(items: Sequence[dict[str, Any]]) -> list[Workflow]:
    """The workflows of a list answer; GitHub's own ones keep their whole path."""
    return [
        Workflow(
            workflow=_text(workflow_file(item)) or "",
            workflow_id=_number(item.get("id")),
            workflow_name=_text(item.get("name")),
            workflow_state=_text(item.get("state")),
            created_at=_utc_text(item.get("created_at")),
        )
        for item in items
        if str(item.get("path")).startswith((WORKFLOW_FOLDER, DYNAMIC))
    ]


async def find_replaced(
    db: Database, github: GitHub, repo: str, listed: Sequence[Workflow] | None
) -> list[Workflow]:
    """A repository's workflows, with those marked that have another file name now.

    GitHub may list a workflow as active long after its file has gone. It is taken for
    replaced when one of the same name came after its last run, on any branch. `listed`
    is None when GitHub lists what it did.
    """
    known = workflows.known(db, repo) if listed is None else listed
    found = []
    for old in known:
        newer = next((new for new in known if _may_replace(new, old)), None)
        is_over = newer is not None and await _has_ended(db, github, repo, old, newer)
        name = newer.workflow if newer is not None and is_over else None
        found.append(replace(old, replaced_by=name))
    return found


def _may_replace(new: Workflow, old: Workflow) -> bool:
    return bool(
        new.workflow_name
        and new.workflow_name == old.workflow_name
        and new.workflow_state == old.workflow_state == ACTIVE
        and (new.created_at or "") > (old.created_at or "")
    )


async def _has_ended(
    db: Database, github: GitHub, repo: str, old: Workflow, newer: Workflow
) -> bool:
    """Whether a workflow has no run since the newer one came."""
    key = f"{repo} newest run of {old.workflow}"
    known = responses.get_cached(db, key)
    try:
        page = await github.fetch_runs(
            repo, old.workflow, per_page=1, etag=known.etag if known else None
        )
    except NotFound:
        return True
    if known and page.is_not_modified:
        newest = known.newest_at
    else:
        newest = next((_utc_text(run.get("created_at")) for run in page.runs), None)
        responses.save(db, CachedResponse(key, page.etag or "", newest_at=newest))
    return (newest or "") < (newer.created_at or "")


def _number(value: Any) -> int | None:
    # SQLite's integers have 64 bits.
    return value if isinstance(value, int) and abs(value) < 2**63 else None


def _text(value: Any) -> str | None:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _utc_text(value: Any) -> str | None:
    """A time in UTC; GitHub gives those of workflows with an offset."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return utc(at if at.tzinfo else at.replace(tzinfo=UTC))
