"""The pages of one workflow: its state and history, and its jobs."""

from functools import partial
from urllib.parse import unquote

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.pages.jobs_page import fetch_jobs_page
from ci_observer.web.pages.page import Page
from ci_observer.web.pages.workflow_page import fetch_workflow

WORKFLOW = r"^/workflows/(?P<owner>[^/]+)/(?P<name>[^/]+)/(?P<file>{})"


async def workflow(datasette: Datasette, request: Request) -> Response:
    """`/workflows/OWNER/REPO/FILE`"""
    repo, file = _feed_of(request)
    fetch = partial(fetch_workflow, repo=repo, workflow=file)
    page = Page("workflow.html", f"{file} \u00b7 {repo}", fetch, key=(repo, file))
    return await page.respond(datasette, request)


async def jobs(datasette: Datasette, request: Request) -> Response:
    """`/workflows/OWNER/REPO/FILE/jobs`"""
    repo, file = _feed_of(request)
    fetch = partial(fetch_jobs_page, repo=repo, workflow=file)
    title = f"Jobs \u00b7 {file} \u00b7 {repo}"
    page = Page("jobs.html", title, fetch, key=(repo, file))
    return await page.respond(datasette, request)


def _feed_of(request: Request) -> tuple[str, str]:
    owner, name, file = (
        unquote(request.url_vars[part]) for part in ("owner", "name", "file")
    )
    return f"{owner}/{name}", file


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    # The first one that matches is used, and a file of the other may have a slash.
    return [
        (WORKFLOW.format("[^/]+") + "/jobs$", jobs),
        (WORKFLOW.format(".+") + "$", workflow),
    ]
