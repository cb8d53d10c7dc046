"""The page /summary, and /summary.md: the same as text to paste."""

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.accept import prefers_html
from ci_observer.web.access import ensure_visible
from ci_observer.web.errors import WebError
from ci_observer.web.pages.error_page import error_page, respond_to_method_of_page
from ci_observer.web.pages.page import Page
from ci_observer.web.responses import with_etag
from ci_observer.web.summary.page import fetch_summary
from ci_observer.web.summary.responses import fetch_markdown
from ci_observer.web.urls import origin_of

PAGE = Page("summary.html", "Summary", fetch_summary)
MARKDOWN = "text/markdown; charset=utf-8"


async def summary(datasette: Datasette, request: Request) -> Response:
    return await PAGE.respond(datasette, request)


async def markdown(datasette: Datasette, request: Request) -> Response:
    """The summary as Markdown, or an error as a page for browsers, else as text."""
    response = await respond_to_method_of_page(datasette, request)
    if response is not None:
        return response
    await ensure_visible(datasette, request.actor)
    origin = origin_of(request)
    try:
        cached = await fetch_markdown(datasette, request.query_string, origin)
    except WebError as error:
        if prefers_html(request):
            return await error_page(datasette, request, error.status, str(error))
        return Response.text(f"{error}\n", status=error.status)
    return await with_etag(request, cached, MARKDOWN)


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    return [(r"^/summary$", summary), (r"^/summary\.md$", markdown)]
