"""The pages /commits/OWNER/REPO (a grid of the newest) and /commits/OWNER/REPO/SHA."""

from functools import partial
from urllib.parse import unquote

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.pages.commit_grid import fetch_commits
from ci_observer.web.pages.commit_page import fetch_commit
from ci_observer.web.pages.page import Page


async def commits(datasette: Datasette, request: Request) -> Response:
    repo = _repo(request)
    page = Page(
        "commits.html",
        f"Commits \u00b7 {repo}",
        partial(fetch_commits, repo=repo),
        key=(repo,),
    )
    return await page.respond(datasette, request)


async def commit(datasette: Datasette, request: Request) -> Response:
    repo, sha = _repo(request), unquote(request.url_vars["sha"])
    page = Page(
        "commit.html",
        f"{sha[:7]} \u00b7 {repo}",
        partial(fetch_commit, repo=repo, sha=sha),
        key=(repo, sha),
    )
    return await page.respond(datasette, request)


def _repo(request: Request) -> str:
    owner, name = (unquote(request.url_vars[part]) for part in ("owner", "name"))
    return f"{owner}/{name}"


@hookimpl
def register_routes() -> list[tuple[str, object]]:
    repo = r"(?P<owner>[^/]+)/(?P<name>[^/]+)"
    return [
        (rf"^/commits/{repo}/?$", commits),
        (rf"^/commits/{repo}/(?P<sha>[^/]+)$", commit),
    ]
