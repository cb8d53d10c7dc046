"""Links in cells. Values come from GitHub or a visitor, so each is checked first."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from markupsafe import Markup

from ci_observer.web.database import DATABASE
from ci_observer.web.urls import (
    commit_path,
    is_sha,
    web_address,
    with_query,
    workflow_path,
)

Path = Callable[[str], str]

SHORT_SHA = 7
_REPO = re.compile(r"(?!\.+/)[\w.-]+/(?!\.+$)[\w.@-]+", re.ASCII)
_WORKFLOW = re.compile(r"[\w. @()+-]*\w[\w. @()+-]*")
# Part of an address on GitHub → the text of a link to it.
_WORDS = (
    (re.compile(r"/actions/runs/\d+/job/\d+"), "view job"),
    (re.compile(r"/actions/runs/\d+"), "view run"),
    (re.compile(r"/pull/\d+"), "view pull request"),
    (re.compile(r"/commit/[0-9a-f]+"), "view commit"),
)


def outward(url: str, text: str, title: str | None = None) -> Markup | None:
    """A link to another site with the address as title; None unless http or https."""
    if not _is_web_address(url):
        return None
    return Markup('<a href="{}" title="{}">{}</a>').format(url, title or url, text)


def words_for(url: str) -> str:
    """The text of a link whose row has no number for it."""
    for pattern, words in _WORDS:
        if pattern.search(url):
            return words
    return _host_of(url) or "view"


def repository_of(run_url: object) -> str | None:
    """The address of a repository, out of that of one of its runs or jobs."""
    if not isinstance(run_url, str) or not _is_web_address(run_url):
        return None
    repository, separator, _ = run_url.partition("/actions/runs/")
    return repository if separator else None


def commit(
    path: Path, sha: object, repo_name: object, repository: str | None
) -> Markup | None:
    """A commit's first seven characters, as a link to its page.

    In a row that does not name the repository, a link to GitHub if there is an address
    from there.
    """
    if not is_sha(sha):
        return None
    sha = str(sha)
    short = Markup('<code title="{}">{}</code>').format(sha, sha[:SHORT_SHA])
    if _is_repo(repo_name):
        address = path(commit_path(str(repo_name), sha))
        return Markup('<a href="{}">{}</a>').format(address, short)
    if repository is None:
        return short
    return Markup('<a href="{}/commit/{}">{}</a>').format(repository, sha, short)


def row_link(path: Path, table: str, row_id: object) -> Markup | None:
    """A link from a row's number to the row."""
    if not isinstance(row_id, int) or row_id <= 0:
        return None
    address = path(f"/{DATABASE}/{table}/{row_id}")
    return Markup('<a href="{}">{}</a>').format(address, row_id)


def workflow(path: Path, repo_name: object, file: object) -> Markup | None:
    """A link from a workflow's file to the workflow's page."""
    address = workflow_address(repo_name, file)
    return (
        Markup('<a href="{}">{}</a>').format(path(address), file) if address else None
    )


def workflow_address(repo_name: object, file: object) -> str | None:
    """The path of a workflow's page; None if the values name no workflow."""
    if not _is_repo(repo_name) or not isinstance(file, str):
        return None
    return workflow_path(str(repo_name), file) if _WORKFLOW.fullmatch(file) else None


def repo(path: Path, name: object) -> Markup | None:
    """A link from a repository's name to its newest runs."""
    if not _is_repo(name):
        return None
    address = path(with_query("/runs", {"repo": str(name)}))
    return Markup('<a href="{}">{}</a>').format(address, name)


def rows(path: Path, value: object) -> Markup | None:
    """A link to the rows that a number counts: a path of this database."""
    if not isinstance(value, str) or not value.startswith(f"/{DATABASE}/"):
        return None
    return Markup('<a href="{}">rows</a>').format(path(value))


def _is_repo(name: object) -> bool:
    return isinstance(name, str) and _REPO.fullmatch(name) is not None


def _is_web_address(url: str) -> bool:
    return web_address(url) is not None and _host_of(url) != ""


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
