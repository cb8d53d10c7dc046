"""HTML pages: the parameters in the URL, rendering, caching, and the error page."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.access import ensure_visible
from ci_observer.web.cache import CachedResponse, get_or_compute
from ci_observer.web.errors import BadRequest, WebError
from ci_observer.web.filters import MAX_ARGUMENTS
from ci_observer.web.pages.error_page import error_page, respond_to_method_of_page
from ci_observer.web.pages.frame import (
    FOUND,
    NO_CONFIG,
    THEMES,
    stable_config,
    unreadable,
    visitor_frame,
)
from ci_observer.web.pages.times import (
    duration,
    exact_time,
    local_time,
    percent,
    zone_of,
)
from ci_observer.web.peers.merged import fetch_config
from ci_observer.web.responses import with_etag
from ci_observer.web.texts import cut
from ci_observer.web.urls import (
    commit_path,
    is_sha,
    jobs_path,
    run_path,
    web_address,
    with_query,
    workflow_path,
)
from ci_observer.web.vocabulary import label_of, result_of, state_of

HTML = "text/html; charset=utf-8"
DISPLAY_OPTIONS = ("theme", "tz")

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PageParams:
    """A page's query string: the selection in `pairs`, and the display options.

    An invalid display option is None, so that it never breaks a bookmark.
    """

    pairs: Pairs
    theme: str | None = None
    tz: str | None = None

    @classmethod
    def from_query(cls, query: str) -> "PageParams":
        """Parse a query string; raises `BadRequest` if it has too many arguments."""
        try:
            pairs = parse_qsl(query, max_num_fields=MAX_ARGUMENTS)
        except ValueError:
            raise BadRequest(
                f"Too many arguments: a URL may have {MAX_ARGUMENTS}."
            ) from None
        options = {name: value for name, value in pairs if name in DISPLAY_OPTIONS}
        theme, tz = options.get("theme"), options.get("tz")
        return cls(
            pairs=tuple(pair for pair in pairs if pair[0] not in DISPLAY_OPTIONS),
            theme=theme if theme in THEMES else None,
            tz=tz if zone_of(tz) else None,
        )

    @property
    def display_options(self) -> Pairs:
        """The arguments that links to our other pages carry on."""
        pairs = (("theme", self.theme), ("tz", self.tz))
        return tuple((name, value) for name, value in pairs if value)


@dataclass(frozen=True)
class Content:
    """A template's context, and how long it is valid as in `CachedResponse`."""

    context: dict[str, Any]
    revision: int
    expires_at: str | None = None
    title: str | None = None


@dataclass(frozen=True)
class Page:
    """A page: its template, its title, and the function that fetches its content.

    `key` tells pages of the same template apart in the cache.
    """

    template: str
    title: str
    fetch: Callable[[Datasette, PageParams], Awaitable[Content]]
    key: tuple[Hashable, ...] = field(default=())

    async def respond(self, datasette: Datasette, request: Request) -> Response:
        """The page with its ETag, or the error page; raises `Forbidden`."""
        method_response = await respond_to_method_of_page(datasette, request)
        if method_response is not None:
            return method_response
        params, config = PageParams(()), NO_CONFIG
        frame = await visitor_frame(datasette, request)
        try:
            await ensure_visible(datasette, request.actor)
            config = await fetch_config(datasette)
            params = PageParams.from_query(request.query_string)
            request.scope[FOUND] = frame.with_config(config, params.tz)
            stable = repr(stable_config(config))
            key = (self.template, self.key, params, stable, frame.visitor)
            compute = partial(self._compute, datasette, request, params, config)
            cached = await get_or_compute(datasette, key, compute)
        except WebError as error:
            if config is NO_CONFIG:
                config = unreadable(error)
            request.scope[FOUND] = frame.with_config(config, params.tz)
            return await self._error_page(datasette, request, params, config, error)
        return await with_etag(request, cached, HTML)

    async def _compute(
        self, datasette: Datasette, request: Request, params: PageParams, config: Any
    ) -> CachedResponse:
        content = await self.fetch(datasette, params)
        context = self._layout_context(datasette, params, config, content.title)
        context |= content.context
        text = await datasette.render_template(self.template, context, request=request)
        return CachedResponse(
            text.encode(), revision=content.revision, expires_at=content.expires_at
        )

    async def _error_page(
        self,
        datasette: Datasette,
        request: Request,
        params: PageParams,
        config: Any,
        error: WebError,
    ) -> Response:
        context = self._layout_context(datasette, params, config)
        return await error_page(
            datasette, request, error.status, str(error), **context, **error.facts
        )

    def _layout_context(
        self,
        datasette: Datasette,
        params: PageParams,
        config: Any,
        title: str | None = None,
    ) -> dict[str, Any]:
        """The variables and functions that the layout and the macros use."""
        zone = _zone(params, config)
        return {
            "title": f"{title or self.title} \N{EN DASH} {config['title']}",
            "display_options": params.display_options,
            "zone": zone.key,
            "local_time": partial(local_time, zone=zone),
            "exact_time": partial(exact_time, zone=zone),
            "cut": cut,
            "duration": duration,
            "percent": percent,
            "result_of": result_of,
            "state_of": state_of,
            "label_of": label_of,
            "web_address": web_address,
            "link": _linker(datasette, params.display_options),
            "with_query": with_query,
            "workflow_path": workflow_path,
            "commit_path": commit_path,
            "run_path": run_path,
            "jobs_path": jobs_path,
            "is_sha": is_sha,
        }


def _zone(params: PageParams, config: dict[str, Any]) -> ZoneInfo:
    return zone_of(params.tz) or zone_of(config["timezone"]) or ZoneInfo("UTC")


def _linker(datasette: Datasette, display_options: Pairs) -> Callable[..., str]:
    # A grid has many links to few pages.
    @cache
    def link(path: str) -> str:
        """The address of another of our pages, with this page's display options."""
        path, _, query = path.partition("?")
        pairs = [*parse_qsl(query), *display_options]
        address: str = datasette.urls.path(with_query(path, pairs))
        return address

    return link
