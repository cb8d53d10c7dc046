"""Flaky and slow workflows, and the summary of a week: over days."""

from typing import Any
from urllib.parse import urlencode

from datasette.app import Datasette

from ci_observer.web.access import Actor, may_view
from ci_observer.web.agents.known import ensure_known
from ci_observer.web.agents.replies import (
    Reply,
    chosen,
    limited,
    limited_text,
    untrusted,
)
from ci_observer.web.database import DATABASE, fetch_rows
from ci_observer.web.errors import NotPermitted
from ci_observer.web.summary.responses import fetch_markdown
from ci_observer.web.urls import Link, with_query


async def question(
    datasette: Datasette,
    actor: Actor | None,
    link: Link,
    name: str,
    *,
    days: int,
    repo: str | None,
) -> Reply:
    """The rows of one of the example queries, of the last days.

    Raises `NotPermitted` if the operator has closed the query to the actor, and
    `NotFound` for a repository that is not in the archive.
    """
    if not await may_view(datasette, actor, "view-query", name):
        raise NotPermitted(f"You do not have permission to see {name}.")
    query = await datasette.get_canned_query(DATABASE, name, None)
    rows = await fetch_rows(datasette, query["sql"], {"days": str(days)})
    found = [
        _item(dict(row), link)
        for row in rows
        if not repo or row["repo"].lower() == repo.lower()
    ]
    if repo and not found:
        await ensure_known(datasette, repo)
    page = link(with_query(f"/{DATABASE}/{name}", {"days": days}))
    return limited({"workflows": found, "page": page}, "workflows")


def _item(row: dict[str, Any], link: Link) -> Reply:
    texts = [name for name in row if name.endswith("title")]
    item = chosen(row, [n for n in row if n not in texts and not n.endswith("_path")])
    links = {
        name.replace("_path", "_page"): link(row[name])
        for name in row
        if name.endswith("_path")
    }
    return item | links | {"untrusted": untrusted(row, texts)}


async def summary(
    datasette: Datasette, origin: str, days: int, repo: str | None
) -> Reply:
    """The summary of some days as Markdown, cut at the end if it is long.

    Raises `NotFound` for a repository that is not in the archive.
    """
    if repo:
        await ensure_known(datasette, repo)
    pairs = {"days": str(days)} | ({"repo": repo} if repo else {})
    cached = await fetch_markdown(datasette, urlencode(pairs), origin)
    return limited_text(
        {"untrusted_markdown": cached.content.decode()}, "untrusted_markdown"
    )
