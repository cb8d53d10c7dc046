"""Asks Datasette for permissions: the one place that knows how each version is asked.

https://docs.datasette.io/en/latest/authentication.html
"""

from collections.abc import Iterable
from typing import Any

from datasette.app import Datasette
from datasette.utils.asgi import Forbidden

# "view-instance", ("view-database", NAME) or ("view-table", (NAME, TABLE)).
Permission = str | tuple[str, Any]


async def is_allowed(
    datasette: Datasette,
    actor: dict[str, Any] | None,
    action: str,
    resource: str | tuple[str, str] | None = None,
    *,
    default: bool = True,
) -> bool:
    """Whether an actor may do something with a database or one of its tables.

    `default` is the answer where nobody has a rule; Datasette 1.0 has its own.
    """
    if hasattr(datasette, "permission_allowed"):
        return bool(
            await datasette.permission_allowed(
                actor, action, resource=resource, default=default
            )
        )
    return bool(
        await datasette.allowed(
            action=action, resource=_resource(action, resource), actor=actor
        )
    )


async def ensure_permissions(
    datasette: Datasette,
    actor: dict[str, Any] | None,
    permissions: Iterable[Permission],
) -> None:
    """Raise `Forbidden` unless the first permission that has a rule allows it.

    In Datasette 1.0 the rules of a table include those of its database.
    """
    if hasattr(datasette, "ensure_permissions"):
        await datasette.ensure_permissions(actor, list(permissions))
        return
    first = next(iter(permissions))
    action, resource = (first, None) if isinstance(first, str) else first
    if not await is_allowed(datasette, actor, action, resource):
        raise Forbidden(action)


def _resource(action: str, resource: str | tuple[str, str] | None) -> Any:
    """A resource as Datasette 1.0 wants it."""
    from datasette import resources  # noqa: PLC0415 (of 1.0)

    if isinstance(resource, tuple):
        kind = "QueryResource" if action == "view-query" else "TableResource"
        return getattr(resources, kind)(*resource)
    return resource and resources.DatabaseResource(resource)
