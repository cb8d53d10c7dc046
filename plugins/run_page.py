"""The page /runs/RUN_ID: one run, its attempts and its jobs."""

from functools import partial
from urllib.parse import unquote

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.pages.page import Page
from ci_observer.web.pages.run_page import fetch_run


async def run(datasette: Datasette, request: Request) -> Response:
    run_id = unquote(request.url_vars["run_id"])
    page = Page("run.html", "Run", partial(fetch_run, run_id=run_id), key=(run_id,))
    return await page.respond(datasette, request)


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    return [(r"^/runs/(?P<run_id>[^/]+)$", run)]
