"""Reads objects and lists of GitHub through a connection, page by page.

It knows no endpoint: the caller gives a path, and the function that parses the JSON.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ci_observer.ingest.errors import InvalidResponse
from ci_observer.ingest.github.connection import Connection
from ci_observer.ingest.github.headers import parse_etag
from ci_observer.ingest.github.pages import Response
from ci_observer.ingest.github.pagination import Walk, next_page_url
from ci_observer.ingest.github.wire import parse_total_count

T = TypeVar("T")


class Reader:
    """GET requests whose JSON is parsed. With an `etag`, a value may be None."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(
        self, repo: str, url: str, parse: Callable[[Any], T], etag: str | None = None
    ) -> Response[T]:
        """An object, or a page with GitHub's own link to the next one."""
        response = await self._connection.get(url, repo=repo, etag=etag)
        if response.is_not_modified:
            return Response(None, etag)
        return Response(
            parse(self._connection.parse(response)),
            parse_etag(response.headers.get("etag")),
            self._connection.next_address(response),
            now=self._connection.time_of(response),
        )

    async def get_page(
        self,
        repo: str,
        url: str,
        parse: Callable[[Any], list[T]],
        etag: str | None = None,
    ) -> Response[list[T]]:
        """A page of a list, with the URL of the next one, also without its link."""
        page = await self.get(
            repo, url, lambda data: (parse(data), parse_total_count(data)), etag
        )
        if page.value is None:
            return Response(None, etag)
        items, total = page.value
        next_url = page.next_url or next_page_url(url, items=len(items), total=total)
        return Response(items, page.etag, next_url, total, page.now)

    async def get_rest(
        self,
        repo: str,
        url: str,
        page: Response[list[dict[str, Any]]],
        parse: Callable[[Any], list[dict[str, Any]]],
    ) -> tuple[list[dict[str, Any]], list[str | None]]:
        """The items of the first page, at `url`, and of all that follow, and the ETags.

        Raises `InvalidResponse` if GitHub counts more items than it lists.
        """
        items: list[dict[str, Any]] = []
        walk = Walk()
        etags = [page.etag]
        while new := [item for item in page.value or [] if item not in items]:
            items += new
            if (next_url := walk.next_url(url, page.next_url)) is None:
                break
            page, url = await self.get_page(repo, next_url, parse), next_url
            etags.append(page.etag)
        if len(items) < (page.total_count or 0):
            raise InvalidResponse(
                f"GitHub counts {page.total_count} items and lists {len(items)}."
            )
        return items, etags

    async def are_unchanged(
        self,
        repo: str,
        url: str,
        parse: Callable[[Any], list[T]],
        etags: Sequence[str],
    ) -> bool:
        """Whether each page of a list has the ETag of before."""
        for number, etag in enumerate(etags, 1):
            page_url = url if number == 1 else f"{url}&page={number}"
            page = await self.get_page(repo, page_url, parse, etag)
            if page.value is not None:
                return False
        return True
