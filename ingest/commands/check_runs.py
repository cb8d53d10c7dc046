"""A part of `check`: blocked repositories, pages of runs, and equal names."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from ci_observer.ingest.commands.check_lists import FeedList, find_paging_fault
from ci_observer.ingest.errors import GitHubError
from ci_observer.ingest.feeds.workflows import same_names
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.names import has_workflow_path, is_blocked_run
from ci_observer.ingest.github.pages import RunPage
from ci_observer.ingest.store.workflows import Workflow

BLOCKED = (
    "blocked: the newest run belongs to no workflow ({path}), so GitHub runs nothing "
    "here. Look at the account's billing and at its policies"
)


async def find_faults(
    github: GitHub, repo: str, workflows: Sequence[Workflow]
) -> list[str]:
    """The faults of the list of a repository's runs, a text for each."""
    path = github.repo_runs_path(repo, per_page=1)
    faults = []
    try:
        first = await github.fetch_page(repo, path)
        if _is_blocked(first, [w.workflow_id for w in workflows]):
            faults.append(BLOCKED.format(path=first.runs[0].get("path")))
        if fault := await find_paging_fault(github, repo, path, first):
            faults.append(fault)
    except GitHubError as error:
        faults.append(f"the newest runs: {error}")
    return faults


def same_name_texts(
    workflows: Sequence[Workflow], lists: Mapping[str, FeedList]
) -> Iterator[str]:
    """The decisions about active workflows with the same display name, as texts."""
    for name, files in same_names(workflows).items():
        dated = [f"{file} ({lists[file].last_run_text})" for file in files]
        yield (
            f"{', '.join(dated)}: all called {name!r}, with a tile each. A name proves "
            "no rename; to leave one out, list the others in GH_WORKFLOWS"
            " or the settings file"
        )


def _is_blocked(page: RunPage, known: Collection[int | None]) -> bool:
    return any(
        run.get("workflow_id") not in known
        and not has_workflow_path(run)
        and is_blocked_run(run)
        for run in page.runs
    )
