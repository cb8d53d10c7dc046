"""Whether the archive knows a repository, or a workflow of it.

For one that it does not know, an empty list would look like one where all is well.
"""

from datasette.app import Datasette

from ci_observer.web.database import fetch_row
from ci_observer.web.errors import NotFound

# Also runs of feeds that are no longer watched.
_KNOWN_SQL = """
select
  exists (select 1 from feeds where repo = :repo and :workflow in ('', workflow))
  or exists (select 1 from runs where repo = :repo and :workflow in ('', workflow))
"""
LIST = "execute_sql can list those that are: select repo, workflow from feeds."


async def ensure_known(datasette: Datasette, repo: str, workflow: str = "") -> None:
    """Raise `NotFound` if neither a feed nor a run has these names."""
    row = await fetch_row(datasette, _KNOWN_SQL, {"repo": repo, "workflow": workflow})
    if not row[0]:
        name = f"{workflow} of {repo}" if workflow else repo
        raise NotFound(f"{name} is not in the archive. {LIST}")
