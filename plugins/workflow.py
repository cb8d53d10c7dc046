"""The page /workflows/OWNER/REPO/FILE: one workflow's state and history."""

from functools import partial
from urllib.parse import unquote

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.pages.page import Page
from ci_observer.web.pages.workflow_page import fetch_workflow


async def workflow(datasette: Datasette, request: Request) -> Response:
    owner, name, file = (
        unquote(request.url_vars[part]) for part in ("owner", "name", "file")
    )
    repo = f"{owner}/{name}"
    page = Page(
        "workflow.html",
        f"{file} \u00b7 {repo}",
        partial(fetch_workflow, repo=repo, workflow=file),
        key=(repo, file),
    )
    return await page.respond(datasette, request)


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    return [(r"^/workflows/(?P<owner>[^/]+)/(?P<name>[^/]+)/(?P<file>.+)$", workflow)]
