"""The page /runs: the newest runs of all workflows, filtered by the URL."""

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.pages.page import Page
from ci_observer.web.pages.run_list import fetch_run_list

PAGE = Page("runs.html", "Runs", fetch_run_list)


async def runs(datasette: Datasette, request: Request) -> Response:
    return await PAGE.respond(datasette, request)


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    return [(r"^/runs$", runs)]
