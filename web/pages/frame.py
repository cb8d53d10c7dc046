"""The facts that the frame of every page shows, for templates/_header.html.

Pages of Datasette and of other plugins get it by `plugins/frame.py`, so it needs
nothing that their views give, and no readable database.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from datasette.app import Datasette
from datasette.plugins import pm
from datasette.utils import await_me_maybe, display_actor
from datasette.utils.asgi import Forbidden, Request

from ci_observer.web.access import ensure_visible
from ci_observer.web.access_token import ACTOR, can_log_out
from ci_observer.web.database import DATABASE
from ci_observer.web.errors import WebError
from ci_observer.web.pages.times import zone_of
from ci_observer.web.peers.merged import fetch_config
from ci_observer.web.urls import route_of, with_query

THEMES = ("dark", "light", "auto")
TITLE = "CI Observer"
# The configuration on a page while the database cannot be read; the page keeps polling.
NO_CONFIG: dict[str, Any] = {
    "title": TITLE,
    "refresh_seconds": 60,
    "stale_seconds": 180,
    "timezone": "UTC",
    "version": None,
    "polling": {"state": "no_database", "last_success_at": None, "next_poll_at": None},
    "screens": [],
    "shard": None,
    "server_time": None,
    "warnings": [],
    "read_only": False,
}
# The navigation, and below which routes the pages of an entry are, if not at its own.
NAVIGATION = {
    "/": "Wall",
    "/runs": "Runs",
    "/summary": "Summary",
    "/-/dashboards": "Dashboards",
    f"/{DATABASE}": "Data",
    "/api": "API",
}
BELOW = {"/-/dashboards": "/-/dashboards/", f"/{DATABASE}": f"/{DATABASE}/"}
# These keep the display options of the address.
OUR_PAGES = ("/", "/runs", "/summary")
# In the scope of a request whose frame is known already.
FOUND = "ci_observer.frame"

Links = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Frame:
    """The header's facts.

    `config` is None for a visitor who may not see the data, and `title` then names the
    product only. `nav` has the entries of the navigation as (label, address, value of
    aria-current). `links` are those of plugins, as (address, label). `logout` is the
    address of a page that ends the login; None if there is none to end.
    """

    title: str = TITLE
    config: dict[str, Any] | None = None
    version: str | None = None
    theme: str | None = None
    nav: tuple[tuple[str, str, str], ...] = ()
    links: Links = ()
    actor: str | None = None
    logout: str | None = None

    @property
    def visitor(self) -> tuple[Links, str | None, str | None]:
        """The facts that differ between visitors of the same page."""
        return self.links, self.actor, self.logout

    def with_config(self, config: dict[str, Any], zone: str | None = None) -> "Frame":
        """The same with this configuration, and times in `zone`."""
        found = zone_of(zone) or zone_of(config["timezone"]) or ZoneInfo("UTC")
        shown = stable_config(config) | {"zone": found.key}
        return replace(
            self, title=config["title"], version=config["version"], config=shown
        )


async def frame_of(datasette: Datasette, request: Request | None) -> Frame:
    """The frame for a request; the one that its view has set, if there is one."""
    if request is None:
        return Frame(nav=_nav(datasette, "", {}))
    if FOUND in request.scope:
        found: Frame = request.scope[FOUND]
        return found
    frame = await visitor_frame(datasette, request)
    config = await visible_config(datasette, request)
    return frame if config is None else frame.with_config(config)


async def visitor_frame(datasette: Datasette, request: Request) -> Frame:
    """The frame without what comes from the database."""
    actor = request.actor
    theme, tz = request.args.get("theme"), request.args.get("tz")
    theme = theme if theme in THEMES else None
    options = {"theme": theme, "tz": tz if zone_of(tz) else None}
    return Frame(
        theme=theme,
        nav=_nav(datasette, route_of(datasette, request.scope), options),
        links=tuple([link async for link in _links_of_plugins(datasette, request)]),
        actor=str(display_actor(actor)) if actor and actor != ACTOR else None,
        logout=_logout_of(datasette, request),
    )


async def visible_config(
    datasette: Datasette, request: Request
) -> dict[str, Any] | None:
    """The configuration; None if the visitor may not see the data."""
    try:
        await ensure_visible(datasette, request.actor)
        return await fetch_config(datasette)
    except Forbidden:
        return None
    except WebError as error:
        return unreadable(error)


def unreadable(error: WebError) -> dict[str, Any]:
    """The configuration of a page while the database cannot be read."""
    return NO_CONFIG | {"polling": NO_CONFIG["polling"] | {"reason": str(error)}}


def stable_config(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without the keys that change with every poll."""
    names = (
        *("title", "refresh_seconds", "stale_seconds", "timezone", "version"),
        "read_only",
    )
    polling = {name: config["polling"].get(name) for name in ("state", "reason")}
    return {name: config[name] for name in names} | {"polling": polling}


def _nav(
    datasette: Datasette, route: str, options: dict[str, str | None]
) -> tuple[tuple[str, str, str], ...]:
    entries = []
    for path, label in NAVIGATION.items():
        kept = options if path in OUR_PAGES else {}
        is_below = path in BELOW and route.startswith(BELOW[path])
        current = "page" if route == path else "true" if is_below else ""
        address = str(datasette.urls.path(with_query(path, kept)))
        entries.append((label, address, current))
    return tuple(entries)


async def _links_of_plugins(
    datasette: Datasette, request: Request
) -> AsyncIterator[tuple[str, str]]:
    known = {str(datasette.urls.path(section)) for section in NAVIGATION}
    for hook in pm.hook.menu_links(
        datasette=datasette, actor=request.actor, request=request
    ):
        for link in await await_me_maybe(hook) or ():
            if link["href"] not in known:
                yield link["href"], link["label"]


def _logout_of(datasette: Datasette, request: Request) -> str | None:
    if can_log_out(datasette, request):
        return str(datasette.urls.path("/logout"))
    if request.actor and "ds_actor" in request.cookies:
        return str(datasette.urls.logout())
    return None
