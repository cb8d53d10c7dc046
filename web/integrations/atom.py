"""The changes of default branches as an Atom feed.

https://www.rfc-editor.org/rfc/rfc4287
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from sqlite3 import Connection
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from datasette.app import Datasette

from ci_observer.web.cache import CachedResponse, get_or_compute
from ci_observer.web.database import fetch
from ci_observer.web.filters import Filters
from ci_observer.web.integrations import changes
from ci_observer.web.integrations.changes import Change, read_changes, starter
from ci_observer.web.integrations.modified import modified_at
from ci_observer.web.integrations.xml_text import child, document
from ci_observer.web.pages.filter_text import filter_words
from ci_observer.web.pages.times import duration
from ci_observer.web.urls import linker, run_path, with_query, workflow_path
from ci_observer.web.vocabulary import label_of

NAMESPACE = "http://www.w3.org/2005/Atom"
MEDIA_TYPE = "application/atom+xml"
# Of a tag URI (RFC 4151), without the host, which may change or have several names.
TAG = "tag:ci-observer,2026:"
# Of a feed without entries.
NEVER = "1970-01-01T00:00:00Z"
TAGS = "refs/tags"
WORDS = {
    changes.BROKE: "broke",
    changes.FIXED: "fixed",
    changes.RECOVERED: "passes again",
    "no_access": "has no access",
}

STATE_SQL = """
select
  (select value from instance where key = 'revision') as revision,
  (select coalesce(title, 'CI Observer') from settings) as title,
  (select now from clock) as now
"""

Link = Callable[[str], str]


@dataclass(frozen=True)
class Source:
    """What was read for a feed, at one revision."""

    title: str
    now: str
    revision: int
    next_at: str | None
    changes: list[Change]


async def fetch_feed(
    datasette: Datasette, filters: Filters, origin: str
) -> CachedResponse:
    """The newest changes; raises `Unavailable`. `origin` is the server's, for links."""
    key = ("feed", filters, origin)

    async def compute() -> CachedResponse:
        source = await fetch(
            datasette, lambda conn: _read(conn, filters), key=changes.CHANGES_SQL
        )
        content = feed(source, filters, linker(datasette, origin))
        response = CachedResponse(content, source.revision, _expires_at(source))
        response.modified_at = modified_at(datasette, key, response.etag, source.now)
        return response

    return await get_or_compute(datasette, key, compute)


def _read(conn: Connection, filters: Filters) -> Source:
    state = conn.execute(STATE_SQL).fetchone()
    return Source(
        state["title"],
        state["now"],
        int(state["revision"]),
        conn.execute(changes.NEXT_SQL).fetchone()["at"],
        read_changes(conn, filters),
    )


def _expires_at(source: Source) -> str | None:
    """When time alone adds a change, or makes the oldest one too old."""
    times = [source.next_at] if source.next_at else []
    if source.changes:
        oldest = datetime.fromisoformat(source.changes[-1]["at"])
        gone_at = oldest + timedelta(days=changes.DAYS)
        text = gone_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        times += [text] if text > source.now else []
    return min(times, default=None)


def feed(source: Source, filters: Filters, link: Link) -> bytes:
    """The document with the newest change first."""
    pairs = filters.to_pairs()
    words = ", ".join(filter_words(filters, (), ""))
    title = f"{source.title}: changes" + (f" of {words}" if words else "")
    newest = source.changes[0]["at"] if source.changes else NEVER
    root = ET.Element("feed", {"xmlns": NAMESPACE})
    child(root, "id", TAG + with_query("feed", pairs))
    child(root, "title", title)
    child(root, "updated", newest)
    child(child(root, "author"), "name", source.title)
    child(root, "generator", "CI Observer")
    here = {"rel": "self", "type": MEDIA_TYPE}
    child(root, "link", None, here | {"href": link(with_query("/feed.atom", pairs))})
    wall = [pair for pair in pairs if pair[0] != "limit"]
    page = {"rel": "alternate", "type": "text/html"}
    child(root, "link", None, page | {"href": link(with_query("/", wall))})
    for change in source.changes:
        _add_entry(root, change, link)
    return document(root)


def _add_entry(root: ET.Element, change: Change, link: Link) -> None:
    entry = child(root, "entry")
    child(entry, "id", entry_id(change))
    child(entry, "title", title_of(change), {"type": "text"})
    child(entry, "updated", change["at"])
    child(entry, "published", change["at"])
    if name := starter(change):
        child(child(entry, "author"), "name", name)
    child(entry, "category", None, {"term": change["kind"]})
    page = {"rel": "alternate", "type": "text/html", "href": link(_path(change))}
    child(entry, "link", None, page)
    if change["html_url"]:
        child(entry, "link", None, {"rel": "related", "href": change["html_url"]})
    child(entry, "content", _text(change), {"type": "text"})


def entry_id(change: Change) -> str:
    """The id of a change: that of its run, or of its repository, and its time.

    Neither its texts, nor another name of the repository or the server, change it.
    """
    of_repo = change["repo_id"] or change["repo"].lower()
    of_run = f"runs/{change['run_id']}" if change["run_id"] else None
    subject = of_run or f"{of_repo}/{quote(change['workflow'], safe='/:')}"
    return f"{TAG}{subject}/{change['at']}/{change['kind']}"


def title_of(change: Change) -> str:
    """Such as "acme/api CI broke on main: #812 by ada, job lint"."""
    subject = f"{change['repo']} {change['workflow_name']}"
    kind = change["kind"]
    words = WORDS.get(kind) or f"is {label_of(kind)}"
    branch = change["branch"]
    place = f" on {'tags' if branch == TAGS else branch}" if branch else ""
    red, name = change["red_seconds"], starter(change)
    parts = (
        _run_text(change) + (f" by {name}" if name else ""),
        f"job {change['failed_job']}" if change["failed_job"] else None,
        f"was red {duration(red)}" if red else None,
    )
    details = ", ".join(filter(None, parts))
    return f"{subject} {words}{place}" + (f": {details}" if details else "")


def _run_text(change: Change) -> str:
    """Such as "#812", or "#812 attempt 2" of a re-run; empty without a run."""
    number, attempt = change["run_number"], change["run_attempt"]
    if not number:
        return ""
    return f"#{number}" + (f" attempt {attempt}" if attempt and attempt > 1 else "")


def _text(change: Change) -> str:
    """The run of a change in lines of text."""
    if not change["run_id"]:
        return title_of(change)
    sha = change["head_sha"]
    facts: tuple[Any, ...] = (
        f"Event: {label_of(change['event'])}" if change["event"] else None,
        f"Commit: {sha[:7]}" if sha else None,
        f"Job: {change['failed_job']}" if change["failed_job"] else None,
        f"Step: {change['failed_step']}" if change["failed_step"] else None,
    )
    return "\n".join((change["display_title"], *filter(None, facts)))


def _path(change: Change) -> str:
    """The page of the run, or of the workflow if no run made the change."""
    if not change["run_number"]:
        return workflow_path(change["repo"], change["workflow"])
    attempt = change["run_attempt"]
    return run_path(change["run_id"], attempt=attempt if attempt != 1 else None)
