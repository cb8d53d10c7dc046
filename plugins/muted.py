"""The page /muted: the tiles that the settings mute, why, and until when."""

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.pages.muted_page import fetch_muted
from ci_observer.web.pages.page import Page


async def muted(datasette: Datasette, request: Request) -> Response:
    page = Page("muted.html", "Muted tiles", fetch_muted)
    return await page.respond(datasette, request)


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    return [(r"^/muted$", muted)]
