"""Our pages of HTML: how the URL wants them to look, rendered once, kept while true."""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.api.queries import fetch_config
from ci_observer.web.cache import Answer, reuse
from ci_observer.web.errors import BadRequest, WebError
from ci_observer.web.filters import MAX_ARGUMENTS
from ci_observer.web.responses import refuse_method, with_etag
from ci_observer.web.times import duration, local_time, zone_of
from ci_observer.web.urls import web_address, with_query, workflow_path
from ci_observer.web.vocabulary import result_of, state_word

HTML = "text/html; charset=utf-8"
THEMES = ("dark", "light", "auto")
LOOKS = ("theme", "tz")
TEMPORARY = 503
# What a page says of itself while the database cannot be read; it keeps asking.
NO_CONFIG: dict[str, Any] = {
    "title": "CI Observer",
    "refresh_seconds": 60,
    "timezone": "UTC",
    "version": None,
    "polling": {"state": "no_database", "last_success_at": None, "next_poll_at": None},
    "server_time": None,
}

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Asked:
    """A page's URL: what to select, and how it shall look.

    What the looks do not know is left out: a bookmark never breaks by its theme.
    """

    pairs: Pairs
    theme: str | None = None
    tz: str | None = None

    @classmethod
    def from_query(cls, query: str) -> "Asked":
        try:
            pairs = parse_qsl(query, max_num_fields=MAX_ARGUMENTS)
        except ValueError:
            raise BadRequest(
                f"Too many arguments: a URL may have {MAX_ARGUMENTS}."
            ) from None
        looks = {name: value for name, value in pairs if name in LOOKS}
        theme, tz = looks.get("theme"), looks.get("tz")
        return cls(
            pairs=tuple(pair for pair in pairs if pair[0] not in LOOKS),
            theme=theme if theme in THEMES else None,
            tz=tz if zone_of(tz) else None,
        )

    @property
    def looks(self) -> Pairs:
        """What a link to another page of ours hands on."""
        pairs = (("theme", self.theme), ("tz", self.tz))
        return tuple((name, value) for name, value in pairs if value)


@dataclass(frozen=True)
class Content:
    """What a template shows, and what it holds good for, as an `Answer` does."""

    context: dict[str, Any]
    revision: int
    expires_at: str | None = None
    title: str | None = None


@dataclass(frozen=True)
class Page:
    """One kind of page: its template, its title, and what fills it."""

    template: str
    title: str
    fetch: Callable[[Datasette, Asked], Awaitable[Content]]
    key: tuple[Hashable, ...] = field(default=())

    async def respond(self, datasette: Datasette, request: Request) -> Response:
        """The page with its ETag, or a page that says what is wrong."""
        refused = refuse_method(request)
        if refused is not None:
            return refused
        asked, config = Asked(()), NO_CONFIG
        try:
            config = await fetch_config(datasette)
            asked = Asked.from_query(request.query_string)
            key = (self.template, self.key, asked, repr(_shown(config)))
            compute = partial(self._compute, datasette, request, asked, config)
            answer = await reuse(datasette, key, compute)
        except WebError as error:
            return await self._refuse(datasette, request, asked, config, error)
        return with_etag(request, answer, HTML)

    async def _compute(
        self, datasette: Datasette, request: Request, asked: Asked, config: Any
    ) -> Answer:
        content = await self.fetch(datasette, asked)
        frame = self._frame(datasette, asked, config, content.title)
        context = frame | content.context
        text = await datasette.render_template(self.template, context, request=request)
        return Answer(
            text.encode(), revision=content.revision, expires_at=content.expires_at
        )

    async def _refuse(
        self,
        datasette: Datasette,
        request: Request,
        asked: Asked,
        config: Any,
        error: WebError,
    ) -> Response:
        if config is NO_CONFIG:
            polling = NO_CONFIG["polling"] | {"reason": str(error)}
            config = NO_CONFIG | {"polling": polling}
        context = self._frame(datasette, asked, config)
        context |= {"error": str(error), "is_temporary": error.status == TEMPORARY}
        context |= error.facts
        html = await datasette.render_template("refusal.html", context, request=request)
        headers = {"Cache-Control": "no-store"}
        return Response.html(html, status=error.status, headers=headers)

    def _frame(
        self, datasette: Datasette, asked: Asked, config: Any, title: str | None = None
    ) -> dict[str, Any]:
        """What the layout and every page of ours need."""
        zone = zone_of(asked.tz) or zone_of(config["timezone"]) or ZoneInfo("UTC")
        return {
            "title": f"{title or self.title} \N{EN DASH} {config['title']}",
            "config": _shown(config),
            "theme": asked.theme,
            "looks": asked.looks,
            "zone": zone.key,
            "local_time": partial(local_time, zone=zone),
            "duration": duration,
            "result_of": result_of,
            "state_word": state_word,
            "web_address": web_address,
            "link": _linker(datasette, asked.looks),
            "with_query": with_query,
            "workflow_path": workflow_path,
        }


def _shown(config: dict[str, Any]) -> dict[str, Any]:
    """What of the configuration a page holds: nothing that changes with every poll."""
    names = ("title", "refresh_seconds", "timezone", "version")
    polling = {name: config["polling"].get(name) for name in ("state", "reason")}
    return {name: config[name] for name in names} | {"polling": polling}


def _linker(datasette: Datasette, looks: Pairs) -> Callable[..., str]:
    def link(path: str) -> str:
        """A page of ours, which shall look as this one does."""
        path, _, query = path.partition("?")
        pairs = [*parse_qsl(query), *looks]
        address: str = datasette.urls.path(with_query(path, pairs))
        return address

    return link
