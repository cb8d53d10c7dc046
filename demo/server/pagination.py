"""Pages of a list: `page` and `per_page`, GitHub's limits and the `Link` header.

https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from ci_observer.demo.server.messages import (
    BadParameter,
    Request,
    Response,
    json_response,
)
from ci_observer.demo.server.model import Repo

DEFAULT_PER_PAGE, MAX_PER_PAGE = 30, 100

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Caps:
    """The most runs that GitHub lists and counts.

    Users report that a list without a filter ends after 40,000 runs, and that the next
    page is a 422. With a filter there are "up to 1,000 results for each search".
    `list_end` is "422" if the last page still links to the next one, else "no link".
    """

    listed: int = 40_000
    counted: int = 40_000
    searched: int = 1000
    list_end: str = "422"


@dataclass(frozen=True, slots=True)
class Page:
    """A requested page; the first one is number 1."""

    number: int
    size: int

    def last(self, items: int) -> int:
        """The number of the last page of a list of this length, at least 1."""
        return max(1, -(-items // self.size))

    def cut(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items on this page."""
        return items[(self.number - 1) * self.size : self.number * self.size]


def parse_page(query: Mapping[str, str]) -> Page:
    """The requested page; `per_page` is capped at 100, and 0 means the default."""
    size = whole_number(query, "per_page", DEFAULT_PER_PAGE)
    number = whole_number(query, "page", 1)
    return Page(max(number, 1), min(size or DEFAULT_PER_PAGE, MAX_PER_PAGE))


def whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()):
        raise BadParameter(f"{name} must be a whole number")
    return int(text)


def link_header(request: Request, path: str, page: int, last: int) -> str:
    """`next`, `last`, `prev` and `first`; empty if there is only one page.

    The URLs use the numeric `path`, which is percent-encoded, and keep the query.
    """
    targets = {}
    if page > 1:
        targets["prev"] = min(page - 1, last)
    if page < last:
        targets |= {"next": page + 1, "last": last}
    if page > 1:
        targets["first"] = 1
    return ", ".join(
        f'<{page_url(request, path, number)}>; rel="{rel}"'
        for rel, number in targets.items()
    )


def page_url(request: Request, path: str, page: int) -> str:
    pairs = parse_qsl(request.query_string, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if name != "page"]
    return f"{request.url(path)}?{urlencode([*kept, ('page', page)])}"


def counted_list(
    request: Request, repo: Repo, path: str, key: str, objects: Sequence[Any]
) -> Response:
    """A page of objects under `key`, with `total_count` and a Link header."""
    objects_of_page, headers = one_page(request, repo, path, objects)
    body = {"total_count": len(objects), key: objects_of_page}
    return json_response(body, headers=headers)


def plain_list(
    request: Request, repo: Repo, path: str, objects: Sequence[Any]
) -> Response:
    """A page of objects without `total_count`, with a Link header."""
    body, headers = one_page(request, repo, path, objects)
    return json_response(body, headers=headers)


def one_page(
    request: Request, repo: Repo, path: str, objects: Sequence[Any]
) -> tuple[Sequence[Any], dict[str, str]]:
    """The requested objects, and the Link header if there are other pages."""
    page = parse_page(request.query)
    numeric = f"/repositories/{repo.id}{path}"
    link = link_header(request, numeric, page.number, page.last(len(objects)))
    return page.cut(objects), {"link": link} if link else {}
