"""A part of `check`: blocked repositories, pages of runs, and equal names."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from ci_observer.ingest.errors import GitHubError
from ci_observer.ingest.feeds.workflows import same_names
from ci_observer.ingest.github.client import GitHub, RunPage
from ci_observer.ingest.github.names import has_workflow_path, is_blocked_run
from ci_observer.ingest.store.workflows import Workflow

BLOCKED = (
    "blocked: the newest run belongs to no workflow ({path}), so GitHub runs nothing "
    "here. Look at the account's billing and at its policies"
)
SAME_PAGE = (
    "the second page of runs is the first one again, so older runs would be missing. "
    "Look at the proxy in front of GITHUB_API_URL"
)
EMPTY_PAGE = (
    "GitHub counts {total} runs, but the second page has none, so older runs would be "
    "missing. Look at the proxy in front of GITHUB_API_URL"
)


async def find_faults(
    github: GitHub, repo: str, workflows: Sequence[Workflow]
) -> AsyncIterator[str]:
    """The faults of the list of a repository's runs, a text for each."""
    path = github.repo_runs_path(repo, per_page=1)
    try:
        first = await github.fetch_page(path)
        if _is_blocked(first, [w.workflow_id for w in workflows]):
            yield BLOCKED.format(path=first.runs[0].get("path"))
        if fault := await _find_paging_fault(github, path, first):
            yield fault
    except GitHubError as error:
        yield f"the newest runs: {error}"


async def same_name_texts(
    github: GitHub, repo: str, workflows: Sequence[Workflow]
) -> AsyncIterator[str]:
    """The decisions about active workflows with the same display name, as texts."""
    for name, files in same_names(workflows).items():
        dated = [f"{file} ({await _last_run(github, repo, file)})" for file in files]
        yield (
            f"{', '.join(dated)}: all called {name!r}, with a tile each. A name proves "
            "no rename; to leave one out, list the others in GH_WORKFLOWS"
        )


def _is_blocked(page: RunPage, known: Collection[int | None]) -> bool:
    return any(
        run.get("workflow_id") not in known
        and not has_workflow_path(run)
        and is_blocked_run(run)
        for run in page.runs
    )


async def _find_paging_fault(github: GitHub, path: str, first: RunPage) -> str | None:
    if first.next_url is None:
        return None
    second = await github.fetch_page(first.next_url)
    if not second.runs:
        return EMPTY_PAGE.format(total=first.total_count)
    if _ids(second) != _ids(first):
        return None
    # A new run moves the others by one.
    again = await github.fetch_page(path)
    return SAME_PAGE if _ids(again) == _ids(first) else None


async def _last_run(github: GitHub, repo: str, file: str) -> str:
    try:
        page = await github.fetch_page(github.runs_path(repo, file, per_page=1))
    except GitHubError as error:
        return str(error)
    created = [str(run.get("created_at") or "")[:10] for run in page.runs]
    return f"last run {created[0]}" if created else "no run"


def _ids(page: RunPage) -> list[Any]:
    return [run.get("id") for run in page.runs]
