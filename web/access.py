"""Who may read: Datasette's permissions, for the routes that Datasette does not check.

All our routes show runs, so each asks `view-database` of the one database, as
Datasette's own pages do, and `view-table` of the tables that the operator has given
rules of their own.
"""

from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from datasette.app import Datasette
from datasette.plugins import pm
from datasette.utils import await_me_maybe
from datasette.utils.asgi import Forbidden, Request

from ci_observer.web.database import DATABASE
from ci_observer.web.settings import settings_of

# The tables and views that every route of ours may show, and those behind `raw=1`.
TABLES = (
    *("feeds", "jobs", "polling", "run_attempts", "run_values", "runs", "tiles"),
    *("wall", "wall_branches", "wall_sources"),
)
RAW_TABLES = ("payload_parts", "run_payloads", "runs_full")

DENIED = "You do not have permission to view this database."
# Hooks that restrict nothing by themselves: Datasette's own, which read `allow` from
# the metadata and a signed cookie, and those of the access token.
_DEFAULT_PLUGINS = (
    "datasette.actor_auth_cookie",
    "datasette.default_permissions",
    "access_token.py",
    # Of execute-sql only, which none of our routes needs.
    "adhoc_sql.py",
)

Actor = dict[str, Any]

# In the scope of a request whose actor is known already.
FOUND = "ci_observer.actor"

_RESTRICTED: WeakKeyDictionary[Datasette, bool] = WeakKeyDictionary()


def is_restricted(datasette: Datasette) -> bool:
    """Whether a visitor may be refused; otherwise no request needs a check.

    Decided once: plugins and metadata are read at the start. A plugin that supplies
    metadata may change it later, so it counts as a restriction.
    """
    found = _RESTRICTED.get(datasette)
    if found is None:
        found = _RESTRICTED[datasette] = (
            settings_of(datasette).access_token is not None
            or _has_allow(datasette.metadata())
            or any(
                _foreign_plugins(hook)
                for hook in ("permission_allowed", "actor_from_request", "get_metadata")
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
        # Await all of them: a coroutine that nobody awaits leaves a warning in the log.
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
    database = [("view-database", DATABASE), "view-instance"]
    tables = _tables_with_rules(datasette)
    asked = (*TABLES, *RAW_TABLES) if raw else TABLES
    permissions = [
        database,
        *(
            [("view-table", (DATABASE, name)), *database]
            for name in asked
            if name in tables
        ),
    ]
    try:
        for permission in permissions:
            await datasette.ensure_permissions(actor, permission)
    except Forbidden:
        raise Forbidden(DENIED) from None


def _tables_with_rules(datasette: Datasette) -> set[str]:
    """The tables whose permission may differ from that of the database."""
    if _foreign_plugins("permission_allowed"):
        return {*TABLES, *RAW_TABLES}
    tables = datasette.metadata("tables", database=DATABASE) or {}
    # Names of tables have no letter case in SQLite.
    return {
        name.lower() for name, config in tables.items() if "allow" in (config or {})
    }


def _foreign_plugins(hook: str) -> bool:
    """Whether an installed plugin implements a hook."""
    return any(
        implementation.plugin_name not in _DEFAULT_PLUGINS
        for implementation in getattr(pm.hook, hook).get_hookimpls()
    )


def _has_allow(metadata: Any) -> bool:
    """Whether there is an `allow` block at any level."""
    return any("allow" in node for node in _mappings(metadata))


def _mappings(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from _mappings(child)
