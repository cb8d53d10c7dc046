"""The pages of datasette-dashboards: who may see them, and what our templates show."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, unquote

import datasette_dashboards
from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Forbidden, NotFound, Request, Response

from ci_observer.web.access import ensure_visible
from ci_observer.web.errors import WebError
from ci_observer.web.pages.chart_rows import fetch_chart_rows
from ci_observer.web.pages.dashboard import fetch_dashboard_page
from ci_observer.web.permissions import is_allowed
from ci_observer.web.responses import JSON, error_response, with_etag
from ci_observer.web.settings import settings_of
from ci_observer.web.sql.adhoc import OFF

View = Callable[..., Awaitable[Any]]

PLUGIN = "datasette-dashboards"
LIST = "/-/dashboards"
TEMPLATES = ("dashboard_view.html", "dashboard_chart.html")


# First, so that these take the place of the plugin's routes.
@hookimpl(tryfirst=True)
def register_routes() -> list[tuple[str, View]]:
    routes = dict(datasette_dashboards.register_routes())
    routes[f"^{LIST}$"] = _list(routes[f"^{LIST}$"])
    [view, *_] = routes.values()
    chart = f"^{LIST}/(?P<slug>[^/]+)/(?P<chart_slug>[^/]+)"
    own = {f"{chart}\\.json$": _like(_rows, view)}
    # The plugin's pages list the values of filters, and ask for `execute-sql` only.
    return [(path, _for_readers(view)) for path, view in (own | routes).items()]


@hookimpl
def extra_template_vars(
    template: str, request: Request | None, datasette: Datasette
) -> Callable[[], Awaitable[dict[str, Any]]] | None:
    """The page for the templates of this project that replace the plugin's."""
    if template not in TEMPLATES or request is None:
        return None
    slug = unquote(request.url_vars["slug"])
    dashboards = _dashboards(datasette)
    filters = dashboards[slug].get("filters") or {}

    async def fetch() -> dict[str, Any]:
        args = {name: request.args.get(name) or "" for name in filters}
        return {
            "page": await fetch_dashboard_page(datasette, slug, args),
            "chart_slug": unquote(request.url_vars.get("chart_slug", "")),
            "all_dashboards": {
                name: (dashboard["title"], dashboard.get("filters") or {})
                for name, dashboard in dashboards.items()
            },
            "may_edit_sql": settings_of(datasette).adhoc_sql != OFF,
        }

    return fetch


def _list(view: View) -> View:
    async def list_or_redirect(request: Request, datasette: Datasette) -> Response:
        """The list of dashboards, or the only one."""
        match [*_dashboards(datasette)]:
            case [slug]:
                query = f"?{request.query_string}" if request.query_string else ""
                path = datasette.urls.path(f"{LIST}/{quote(slug, safe='')}")
                return Response.redirect(path + query)
        response: Response = await view(request, datasette)
        return response

    return _like(list_or_redirect, view)


async def _rows(request: Request, datasette: Datasette) -> Response:
    """The rows of a chart as JSON; raises `NotFound` and `Forbidden`."""
    slug, name = (unquote(request.url_vars[key]) for key in ("slug", "chart_slug"))
    dashboard = _dashboards(datasette).get(slug) or {}
    chart = (dashboard.get("charts") or {}).get(name) or {}
    if "query" not in chart:
        raise NotFound(f"There is no chart {name} in a dashboard {slug}.")
    if not await is_allowed(datasette, request.actor, "execute-sql", chart["db"]):
        raise Forbidden("execute-sql denied")
    filters = dashboard.get("filters") or {}
    args = {key: request.args.get(key) or "" for key in filters}
    try:
        cached = await fetch_chart_rows(datasette, chart, args)
    except WebError as error:
        return error_response(request, str(error), error.status)
    return await with_etag(request, cached, JSON)


def _dashboards(datasette: Datasette) -> dict[str, Any]:
    return datasette.plugin_config(PLUGIN) or {}


def _for_readers(view: View) -> View:
    async def checked(datasette: Datasette, request: Request) -> Any:
        await ensure_visible(datasette, request.actor)
        response = await view(request, datasette)
        # A redirect sends the visitor's cookies back, without HttpOnly and Secure.
        response._set_cookie_headers.clear()
        return response

    return _like(checked, view)


def _like(checked: View, view: View) -> View:
    """A view that counts as one of the plugin's, whose methods `web/guard.py` knows."""
    checked.__module__ = view.__module__
    return checked
