"""Follows every URL that a server writes: into its pages, data, headers and styles."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

ATTRIBUTES = ("href", "src", "action", "formaction", "poster", "data-base")
STYLE_URL = re.compile(r"""url\(\s*["']?([^"')]+)""")
SCRIPT_URL = re.compile(r"""(?:from|import)\s*\(?\s*["']([^"']+\.js)["']""")
# Rows of data may hold paths: pages and charts make links of them.
# OpenAPI's servers have the base of its paths, without a slash at its end.
DATA = ("rows", "runs_path", "baseURL", "servers")
TABLE = re.compile(r"/ci_observer/\w+(\.\w+)?$")
RUN = re.compile(r"/runs/\d+$")
ROW = re.compile(r"/ci_observer/\w+/[^/]+?(\.\w+)?$")


class _LinkReader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ATTRIBUTES]
        values = dict(attrs)
        if values.get("http-equiv") == "refresh":
            self.links.append((values["content"] or "").partition("url=")[2])


def html_links(html: str) -> list[str]:
    """The URLs in the attributes of a page, as they are written."""
    return [link for link in _LinkReader(html).links if link]


def links_of(response: httpx.Response) -> list[str]:
    """Every URL in a response, as it is written."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    links = [link["url"] for link in response.links.values()]
    links += [response.headers[n] for n in ("location",) if n in response.headers]
    if kind == "text/html":
        links += html_links(response.text)
    elif kind == "text/css":
        links += STYLE_URL.findall(response.text)
    elif kind in ("text/javascript", "application/javascript"):
        links += SCRIPT_URL.findall(response.text)
    elif kind == "application/json":
        links += _json_links(response.json())
    return [link for link in links if not link.startswith(("#", "data:", "mailto:"))]


def _json_links(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for name, item in value.items():
                if name not in DATA:
                    yield from _json_links(item)
        case list():
            for item in value:
                yield from _json_links(item)
        # A URL with braces is a template.
        case str() if re.match(r"https?://|/(?!\*)[^\s{]*$", value):
            yield value


class Crawl:
    """Requests every link from a first page on, one page of each kind.

    `outside` are the links to this server that are not below the first page, with the
    page that has them; `failed` are those with a status from 400 on.
    """

    def __init__(self, client: httpx.Client, start: str) -> None:
        self._client = client
        self._start = start
        self._kinds: set[tuple[str, str]] = set()
        self._queue: list[tuple[str, str]] = []
        self.pages: dict[str, httpx.Response] = {}
        self.outside: list[tuple[str, str]] = []
        self.failed: list[tuple[str, str, int]] = []

    def run(self, *paths: str) -> "Crawl":
        """Crawl from the first page, and from paths that no page links to."""
        for path in ("", *paths):
            self._add(self._start, urljoin(self._start, path))
        while self._queue:
            self._visit(*self._queue.pop(0))
        return self

    def _visit(self, source: str, url: str) -> None:
        response = self._client.get(url)
        self.pages[url] = response
        if response.is_error:
            self.failed.append((source, url, response.status_code))
        for link in links_of(response):
            self._add(url, link)

    def _add(self, source: str, link: str) -> None:
        url = urljoin(source, link).partition("#")[0]
        if urlsplit(url).hostname != urlsplit(self._start).hostname:
            return
        if not url.startswith(self._start):
            self.outside.append((source, link))
        elif new := _kinds(url) - self._kinds:
            self._kinds |= new
            self._queue.append((source, url))


def _kinds(url: str) -> set[tuple[str, str]]:
    """The page of a URL, and each name in its query.

    All tables and queries are one page in each format, and so are all rows and runs.
    """
    parts = urlsplit(url)
    page = ROW.sub(r"/row\1", TABLE.sub(r"/table\1", RUN.sub("/run", parts.path)))
    return {(page, "")} | {(page, name) for name, _ in parse_qsl(parts.query)}
