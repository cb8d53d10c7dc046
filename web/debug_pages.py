"""Datasette's pages about itself: paths, threads, plugins and their settings."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from datasette.app import Datasette
from datasette.utils.asgi import Forbidden, Request

from ci_observer.web.permissions import is_allowed

View = Callable[..., Awaitable[Any]]

PAGES = (
    *("allow-debug", "databases", "messages", "metadata", "patterns", "permissions"),
    # The configuration of plugins may hold a token.
    *("plugins", "settings", "threads", "versions"),
)
_PAGE = re.compile(rf"\^?/-/({'|'.join(PAGES)})(?![a-z-])")


def for_debugging(path: str, view: View, datasette: Datasette) -> View:
    """The view of a route; of these pages, only with the permission `debug-menu`."""
    # Datasette 1.0 has compiled patterns.
    if not _PAGE.match(getattr(path, "pattern", path)):
        return view

    async def checked(request: Request, send: Any) -> Any:
        if not await is_allowed(datasette, request.actor, "debug-menu", default=False):
            raise Forbidden("This page needs the permission debug-menu.")
        return await view(request, send)

    # What tells the methods of the view; see `web/guard.py`.
    checked.__module__ = view.__module__
    checked.__dict__.update(view.__dict__)
    return checked
