"""The repository and the commit that an address names, as they are stored."""

import re
from typing import Any

from datasette.app import Datasette

from ci_observer.web.database import fetch_rows
from ci_observer.web.errors import BadRequest, NotFound
from ci_observer.web.pages.commit_queries import (
    HAS_RUNS_SQL,
    KNOWN_COMMITS_SQL,
    KNOWN_REPOS_SQL,
    REPO_SQL,
    SHORTEST_SHA,
)
from ci_observer.web.pages.page import PageParams

LONGEST_SHA = 64
_SHA = re.compile(r"[0-9a-f]+", re.ASCII)


def refuse_arguments(params: PageParams, allowed: tuple[str, ...]) -> dict[str, str]:
    """The arguments of a page by name; raises `BadRequest` for any other."""
    unknown = [name for name, _ in params.pairs if name not in allowed]
    if unknown:
        names = ", ".join(allowed) or "theme, tz"
        raise BadRequest(f"Unknown argument {unknown[0]!r}. Allowed: {names}.")
    return dict(params.pairs)


def parse_sha(text: str) -> str:
    """The commit's number in small letters; raises `BadRequest` if it is none."""
    sha = text.strip().lower()
    if not _SHA.fullmatch(sha) or not SHORTEST_SHA <= len(sha) <= LONGEST_SHA:
        raise BadRequest(
            f"{text!r} is not a commit: write 7 or more of its hexadecimal digits"
            " (0-9, a-f)."
        )
    return sha


async def find_repo(datasette: Datasette, repo: str) -> str:
    """The name under which a repository's runs are stored.

    Raises `NotFound` if there are none, with the repositories that have some.
    """
    [found] = await fetch_rows(datasette, REPO_SQL, {"repo": repo})
    name = found["repo"]
    if name is not None:
        [runs] = await fetch_rows(datasette, HAS_RUNS_SQL, {"repo": name})
        if runs["has_runs"]:
            return str(name)
    known = await fetch_rows(datasette, KNOWN_REPOS_SQL)
    reason = (
        "no run of it was fetched yet"
        if name is not None
        else "it was never watched, or has another name. GH_REPOS or the settings"
        " file names the watched repositories"
    )
    raise NotFound(
        f"There is no run of the repository {repo} here: {reason}.",
        repos=[row["repo"] for row in known],
    )


async def newest_commits(datasette: Datasette, repo: str) -> list[dict[str, Any]]:
    """A few newest commits of a repository, to choose from."""
    rows = await fetch_rows(datasette, KNOWN_COMMITS_SQL, {"repo": repo})
    return [dict(row) for row in rows]
