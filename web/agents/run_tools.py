"""The newest runs of a workflow, and all runs of a commit."""

import json
from typing import Any

from datasette.app import Datasette

from ci_observer.web.agents.known import ensure_known
from ci_observer.web.agents.replies import Reply, chosen, limited, untrusted
from ci_observer.web.api.listings import RUNS
from ci_observer.web.database import Params, fetch_rows
from ci_observer.web.errors import BadRequest
from ci_observer.web.filters import Filters
from ci_observer.web.pages.commit_queries import SHORTEST_SHA
from ci_observer.web.urls import Link, commit_path, is_sha, run_path, workflow_path

MAX_RUNS = 50
FACTS = (
    *("run_id", "workflow", "run_number", "run_attempt", "event", "status"),
    *("conclusion", "started_at", "duration_seconds", "head_sha", "html_url"),
)
TEXTS = ("display_title", "head_branch", "actor")

_COMMIT_SQL = """
select run_id, workflow, run_number, run_attempt, event, status, conclusion, started_at,
  duration_seconds, head_sha, html_url, display_title, head_branch, actor
from runs
where substr(head_sha, 1, 7) = substr(:sha, 1, 7)
  and substr(head_sha, 1, length(:sha)) = :sha and +repo = :repo collate nocase
order by created_at desc limit :limit
"""


async def workflow_history(
    datasette: Datasette,
    link: Link,
    feed: tuple[str, str],
    *,
    branch: str | None,
    limit: int,
) -> Reply:
    """The newest runs of a workflow, on one branch or on all.

    Raises `NotFound` for a workflow that is not in the archive.
    """
    repo, workflow = feed
    filters = Filters(
        repo=(repo,),
        workflow=(workflow,),
        branch=(branch,) if branch else (),
        limit=min(max(limit, 1), MAX_RUNS),
    )
    runs = json.loads((await RUNS.fetch(datasette, filters)).content)["runs"]
    if not runs:
        await ensure_known(datasette, repo, workflow)
    reply = {
        "runs": [_run(run, link) for run in runs],
        "page": link(workflow_path(repo, workflow, branch=branch)),
    }
    return limited(reply, "runs")


async def commit_history(
    datasette: Datasette, link: Link, repo: str, sha: str
) -> Reply:
    """The runs of a commit over all workflows, the newest first.

    Raises `BadRequest` if `sha` is no commit, and `NotFound` for a repository that is
    not in the archive.
    """
    sha = sha.lower()
    if not is_sha(sha):
        raise BadRequest(
            f"A commit has {SHORTEST_SHA} to 64 hexadecimal digits, such as 3f2a91c."
        )
    params: Params = {"repo": repo, "sha": sha, "limit": MAX_RUNS}
    rows = await fetch_rows(datasette, _COMMIT_SQL, params)
    if not rows:
        await ensure_known(datasette, repo)
    reply = {
        "runs": [_run(dict(row), link) for row in rows],
        "page": link(commit_path(repo, sha)),
    }
    return limited(reply, "runs")


def _run(run: dict[str, Any], link: Link) -> Reply:
    return {
        **chosen(run, FACTS),
        "page": link(run_path(run["run_id"])),
        "untrusted": untrusted(run, TEXTS),
    }
