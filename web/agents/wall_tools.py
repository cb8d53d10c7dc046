"""The red tiles, and the runs that broke them: from the tiles of the wall."""

from typing import Any

from datasette.app import Datasette

from ci_observer.web.agents.replies import Reply, chosen, limited, untrusted
from ci_observer.web.api.queries import fetch_config, fetch_tiles
from ci_observer.web.errors import NotFound
from ci_observer.web.filters import Filters
from ci_observer.web.urls import (
    Link,
    commit_path,
    is_sha,
    run_path,
    workflow_path,
)
from ci_observer.web.vocabulary import ALARMS, FAILING_ALARM, state_of

Tile = dict[str, Any]

RED = ("failing", FAILING_ALARM)
NAMES = ("repo", "workflow", "branch")
# Whether the data are fresh.
POLLING = ("state", "reason", "last_success_at")
FACTS = (
    *("last_result", "since_at", "streak", "activity", "muted_until", "success_rate"),
    "is_flaky",
)
NO_TILE = (
    "The wall has no tile of this repository or team, so nothing is known about it."
    " Without repo and team, red_now counts all tiles; execute_sql can read"
    " `wall_branches`."
)


async def red_now(datasette: Datasette, link: Link, filters: Filters) -> Reply:
    """The tiles that are red or have an alarm, most urgent first.

    `polling` says whether the data are fresh. Raises `NotFound` if the filters select
    no tile: an empty list would look like a repository where all is well.
    """
    tiles = await fetch_tiles(datasette, filters)
    if not tiles and filters.names():
        raise NotFound(NO_TILE)
    config = await fetch_config(datasette)
    loud = [tile for tile in tiles if state_of(tile) in (*RED, *ALARMS)]
    states = [state_of(tile) for tile in tiles]
    reply = {
        "counts": {state: states.count(state) for state in dict.fromkeys(states)},
        "polling": chosen(config["polling"], POLLING),
        "tiles": [_summary(tile, link) for tile in loud],
        "wall": link(f"/?{filters.to_query()}"),
    }
    return limited(reply, "tiles")


async def what_broke(
    datasette: Datasette, link: Link, repo: str, workflow: str, branch: str | None
) -> Reply:
    """Who and what broke a workflow's branch, and why it fails.

    Raises `NotFound` if the wall has no such tile.
    """
    filters = Filters(repo=(repo,), workflow=(workflow,), branch=_tuple(branch))
    tiles = await fetch_tiles(datasette, filters)
    if not tiles:
        raise NotFound(
            f"The wall has no tile of {workflow} in {repo}"
            + (f" on {branch}." if branch else ".")
            + " red_now lists some; execute_sql can read `wall_branches`."
        )
    tile = tiles[0]
    reply = _summary(tile, link)
    if tile["broken_run_id"]:
        reply["first_failing_run"] = chosen(
            {
                "run_id": tile["broken_run_id"],
                "run_number": tile["broken_run_number"],
                "event": tile["broken_event"],
                "started_at": tile["broken_at"],
                "head_sha": tile["broken_head_sha"],
                "page": link(run_path(tile["broken_run_id"])),
                "commit_page": _commit(tile, link),
                "on_github": tile["broken_html_url"],
            },
            (
                *("run_id", "run_number", "event", "started_at", "head_sha", "page"),
                *("commit_page", "on_github"),
            ),
        )
        reply["usual_seconds_to_fix"] = tile["usual_fix_seconds"]
    reply["other_tiles_with_this_error"] = tile["error_other_tiles"]
    return reply


def _summary(tile: Tile, link: Link) -> Reply:
    page = workflow_path(
        tile["repo"],
        tile["workflow"],
        branch=None if tile["is_default_branch"] else tile["branch"],
    )
    texts = (
        *("workflow_name", "last_result_display_title", "last_result_actor", "error"),
        *("failed_job", "failed_step", "error_message", "broken_actor"),
        *("muted_reason", "unknown_reason"),
    )
    return {
        **chosen(tile, NAMES),
        "state": state_of(tile),
        **chosen(tile, FACTS),
        "page": link(page),
        "untrusted": untrusted(tile, texts),
    }


def _commit(tile: Tile, link: Link) -> str | None:
    sha = tile["broken_head_sha"]
    return link(commit_path(tile["repo"], sha)) if is_sha(sha) else None


def _tuple(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()
