"""Who may read: Datasette's permissions, for the routes that Datasette does not check.

All our routes show runs, so each asks `view-database` of the one database, as
Datasette's own pages do, and `view-table` of the tables that the operator has given
rules of their own.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from datasette.app import Datasette
from datasette.plugins import pm
from datasette.utils import await_me_maybe
from datasette.utils.asgi import Forbidden, Request

from ci_observer.web.database import DATABASE
from ci_observer.web.metadata import metadata_of, tables_of
from ci_observer.web.permissions import Permission, ensure_permissions
from ci_observer.web.settings import settings_of

# The tables and views that every route of ours may show, and those behind `raw=1`.
TABLES = (
    *("commit_runs", "feeds", "jobs", "polling", "repos", "run_attempts", "run_values"),
    *("runs", "tiles", "wall", "wall_branches", "wall_sources", "feed_settings"),
    *("muted_tiles", "screens", "state_spans", "breaks"),
    # Those of /api/jobs, /api/runs/RUN_ID, /api/stats and the summary.
    *("run_history", "job_history", "job_errors", "job_steps", "steps"),
    *("run_rollups", "run_bucket_rollups", "job_rollups", "job_minutes"),
    # Of /metrics.
    "polls",
)
RAW_TABLES = ("payload_parts", "run_payloads", "runs_full")

DENIED = "You do not have permission to view this database."
# Hooks that restrict nothing by themselves: Datasette's own, which read `allow` from
# the metadata and a signed cookie, and those of the access token.
# Of Datasette 0.65 and of 1.0.
PERMISSION_HOOKS = ("permission_allowed", "permission_resources_sql")
_DATASETTES = "datasette."
_OURS = (
    "access_token.py",
    # Of execute-sql only, which none of our routes needs.
    "adhoc_sql.py",
)

Actor = dict[str, Any]

# In the scope of a request whose actor is known already.
FOUND = "ci_observer.actor"

# Of the tables in the cache, whose names may be those of a visitor's URLs.
MAX_TABLES = 1000

_RESTRICTED: WeakKeyDictionary[Datasette, bool] = WeakKeyDictionary()


class QuickDatasette(Datasette):  # type: ignore[misc]
    """Datasette that reads the rules of a table once.

    To check one table it copies the metadata of all: a page that lists the tables would
    take half a second of processor time for that.
    """

    def _table_permission_allows(self, database: str, table: str) -> list[Any]:
        """The `allow` blocks of a table; the actor must match each of them."""
        if not self._may_have_rules:
            return []
        key = (database, table)
        # A plugin may change the metadata that it supplies.
        if key not in self._table_rules or _foreign_plugins("get_metadata"):
            if len(self._table_rules) >= MAX_TABLES:
                self._table_rules.clear()
            self._table_rules[key] = super()._table_permission_allows(*key)
        return self._table_rules[key]

    @cached_property
    def _may_have_rules(self) -> bool:
        return _foreign_plugins("get_metadata") or _has_allow(metadata_of(self))

    @cached_property
    def _table_rules(self) -> dict[tuple[str, str], list[Any]]:
        return {}


def is_restricted(datasette: Datasette) -> bool:
    """Whether a visitor may be refused; otherwise no request needs a check.

    Decided once: plugins and metadata are read at the start. A plugin that supplies
    metadata may change it later, so it counts as a restriction.
    """
    found = _RESTRICTED.get(datasette)
    if found is None:
        found = _RESTRICTED[datasette] = (
            settings_of(datasette).access_token is not None
            or _has_allow(metadata_of(datasette))
            or any(
                _foreign_plugins(hook)
                for hook in (*PERMISSION_HOOKS, "actor_from_request", "get_metadata")
            )
        )
    return found


async def find_actor(datasette: Datasette, request: Request) -> Actor | None:
    """The actor of a request that has not passed through Datasette's router."""
    if FOUND in request.scope:
        found_before: Actor | None = request.scope[FOUND]
        return found_before
    # The plugins' hooks may need what they set up at the start.
    await datasette.invoke_startup()
    actor: Actor | None = None
    for hook in pm.hook.actor_from_request(datasette=datasette, request=request):
        # Await all of them: one that is not awaited leaves a warning in the log.
        found = await await_me_maybe(hook)
        actor = actor or found
    return actor or request.scope.get("actor")


async def ensure_visible(
    datasette: Datasette, actor: Actor | None, *, raw: bool = False
) -> None:
    """Raise `Forbidden` unless the actor may see the data of our routes.

    `raw` is true for a request that also reads GitHub's whole objects. The check comes
    before the response cache, which thus holds one body for all who may see it.
    """
    if not is_restricted(datasette):
        return
    database: list[Permission] = [("view-database", DATABASE), "view-instance"]
    tables = _tables_with_rules(datasette)
    asked = (*TABLES, *RAW_TABLES) if raw else TABLES
    permissions: list[list[Permission]] = [
        database,
        *(
            [("view-table", (DATABASE, name)), *database]
            for name in asked
            if name in tables
        ),
    ]
    try:
        for permission in permissions:
            await ensure_permissions(datasette, actor, permission)
    except Forbidden:
        raise Forbidden(DENIED) from None


async def may_view(
    datasette: Datasette, actor: Actor | None, action: str, name: str
) -> bool:
    """Whether an actor may see one table (`view-table`) or query (`view-query`)."""
    permissions: list[Permission] = [
        (action, (DATABASE, name)),
        ("view-database", DATABASE),
        "view-instance",
    ]
    try:
        await ensure_permissions(datasette, actor, permissions)
    except Forbidden:
        return False
    return True


def _tables_with_rules(datasette: Datasette) -> set[str]:
    """The tables whose permission may differ from that of the database."""
    if any(map(_foreign_plugins, PERMISSION_HOOKS)):
        return {*TABLES, *RAW_TABLES}
    tables = tables_of(datasette, DATABASE)
    # Names of tables have no letter case in SQLite.
    return {
        name.lower() for name, config in tables.items() if "allow" in (config or {})
    }


def _foreign_plugins(hook: str) -> bool:
    """Whether an installed plugin implements a hook, which may be of one version."""
    caller = getattr(pm.hook, hook, None)
    return caller is not None and any(
        implementation.plugin_name not in _OURS
        and not implementation.plugin_name.startswith(_DATASETTES)
        for implementation in caller.get_hookimpls()
    )


def _has_allow(metadata: Any) -> bool:
    """Whether there is an `allow` block at any level."""
    return any("allow" in node for node in _mappings(metadata))


def _mappings(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from _mappings(child)
