"""The workflow files of a repository, from GitHub's list of its workflows."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.github.names import (
    DYNAMIC,
    WORKFLOW_FOLDER,
    WORKFLOW_SUFFIXES,
    has_workflow_path,
    is_blocked_run,
    is_dynamic,
    workflow_file,
)
from ci_observer.ingest.store import workflows
from ci_observer.ingest.store.feeds import Feed
from ci_observer.ingest.store.repo_pages import AssignedRuns, stored_workflow
from ci_observer.ingest.store.workflows import ACTIVE, Workflow
from ci_observer.ingest.times import parse_instant, utc


def api_id_of(db: Database, feed: Feed) -> str:
    """A feed's workflow in the API's paths."""
    known = workflows.known(db, feed.repo) if is_dynamic(feed.workflow) else []
    numbers = [w.workflow_id for w in known if w.workflow == feed.workflow]
    return api_id(feed.workflow, next(iter(numbers), None))


def api_id(workflow: str, workflow_id: int | None) -> str:
    """A workflow in the API's paths: its file name, or its id if it has none."""
    return str(workflow_id or workflow) if is_dynamic(workflow) else workflow


def assign_runs(
    db: Database, repo: str, runs: Iterable[dict[str, Any]]
) -> AssignedRuns:
    """Sort the runs on a page of a repository by the workflow they belong to.

    GitHub's number of the workflow decides, and the path where that is unknown. A run
    of a ruleset's workflow is a stranger: it may have the same path as one of the
    repository's own workflows, but has another number.
    https://github.com/cli/cli/issues/9228
    """
    known = workflows.known(db, repo)
    ids = {w.workflow: w.workflow_id for w in known}
    files = {w.workflow_id: w.workflow for w in known if w.workflow_id is not None}
    assigned = AssignedRuns()
    for run in runs:
        number, file = _integer(run.get("workflow_id")), workflow_file(run, ids)
        if number in files:
            assigned.add(files[number], run)
        elif stored := stored_workflow(db, repo, run):
            assigned.add(stored, run)
        elif not has_workflow_path(run):
            is_blocked = is_blocked_run(run)
            (assigned.blocked if is_blocked else assigned.strangers).append(run)
        elif number is None or ids.get(file) is None:
            assigned.add(file, run)
            assigned.new_files.update({file} - ids.keys())
        else:
            assigned.strangers.append(run)
    return assigned


def may_belong(run: dict[str, Any], file: str, number: int | None) -> bool:
    """Whether a run of an unknown workflow may be one of a file with this number."""
    if has_workflow_path(run):
        return workflow_file(run, [file]) == file
    return number is None or _integer(run.get("workflow_id")) in (None, number)


def workflow_rows(items: Sequence[dict[str, Any]]) -> list[Workflow]:
    """The workflows in GitHub's list. Its own ones keep their whole path."""
    return [
        Workflow(
            workflow=_text(_file_of(item)) or "",
            workflow_id=_integer(item.get("id")),
            workflow_name=_text(item.get("name")),
            workflow_state=_text(item.get("state")),
            created_at=_utc_text(item.get("created_at")),
        )
        for item in items
        if str(item.get("path")).startswith((WORKFLOW_FOLDER, DYNAMIC))
    ]


def _file_of(item: dict[str, Any]) -> str:
    """The file name of a workflow object. Its path has no ref if it ends as a file."""
    path = str(item.get("path")).removeprefix(WORKFLOW_FOLDER)
    return path if path.endswith(WORKFLOW_SUFFIXES) else workflow_file(item)


def same_names(listed: Iterable[Workflow]) -> dict[str, list[str]]:
    """The files of each display name that several active workflows have."""
    files: dict[str, list[str]] = defaultdict(list)
    for workflow in listed:
        if workflow.workflow_name and workflow.workflow_state == ACTIVE:
            files[workflow.workflow_name].append(workflow.workflow)
    return {name: found for name, found in files.items() if len(found) > 1}


def _integer(value: Any) -> int | None:
    # SQLite stores integers of at most 64 bits.
    return value if isinstance(value, int) and abs(value) < 2**63 else None


def _text(value: Any) -> str | None:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _utc_text(value: Any) -> str | None:
    # GitHub gives the times of workflows with a UTC offset.
    instant = parse_instant(str(value))
    return utc(instant) if instant else None
