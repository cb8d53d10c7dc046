"""Fetches the page of the tiles that the settings mute."""

from typing import Any

from datasette.app import Datasette

from ci_observer.web.api.queries import REVISION_SQL
from ci_observer.web.database import fetch_snapshot
from ci_observer.web.errors import BadRequest
from ci_observer.web.pages.page import Content, PageParams
from ci_observer.web.urls import workflow_path

# The mutes of now, the next to end first, each with its tiles. A mute without a branch
# concerns all tiles of its workflow.
MUTED_SQL = """
select
  m.repo, m.workflow, m.branch, display_text(m.reason) as reason, m.until_at,
  w.repo as tile_repo, w.workflow as tile_workflow, w.branch as tile_branch,
  display_name(w.workflow_name, w.workflow) as workflow_name, w.tile_state, w.alarm,
  w.activity, w.team, w.is_default_branch, w.expires_at
from muted_tiles m cross join clock c
left join wall_branches w
  on w.repo = m.repo and w.workflow = m.workflow collate nocase
  and iif(m.branch is null, w.is_on_wall, w.branch = m.branch)
where m.from_at <= c.now and m.until_at > c.now
order by m.until_at, m.repo, m.workflow, w.branch
"""


async def fetch_muted(datasette: Datasette, params: PageParams) -> Content:
    """The page's context. Raises `BadRequest` for an argument; it has none."""
    if params.pairs:
        raise BadRequest(f"Unknown argument {params.pairs[0][0]!r}: /muted has none.")
    selects = {"revision": REVISION_SQL, "muted": MUTED_SQL}
    rows = await fetch_snapshot(datasette, selects)
    muted = [_tile(dict(row)) for row in rows["muted"]]
    expiries = (m[name] for m in muted for name in ("until_at", "expires_at"))
    return Content(
        {"muted": muted},
        revision=int(rows["revision"][0]["revision"]),
        expires_at=min(filter(None, expiries), default=None),
    )


def _tile(row: dict[str, Any]) -> dict[str, Any]:
    """A mute with the path of its tile's page; None if there is no such tile."""
    if not row["tile_repo"]:
        return row | {"path": None}
    branch = None if row["is_default_branch"] else row["tile_branch"]
    return row | {
        "path": workflow_path(row["tile_repo"], row["tile_workflow"], branch=branch)
    }
