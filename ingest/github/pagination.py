"""The pages of a list: the next one without a `Link` header, and none twice.

GitHub sends the header with every page but the last. A proxy in front of Enterprise
Server may drop it, and then only the counts show that more pages exist. A cache that
ignores the query may send the same page, with its link, again and again.
"""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ci_observer.ingest.errors import InvalidResponse, RepeatedPage

# GitHub's default.
PAGE_SIZE = 30
# The filters of our requests. Filtered lists may lag behind their own count.
FILTERS = ("created", "status")
# Limits of one walk: an owner with 20,000 repositories is within them, and so is
# GitHub's list of runs, which ends after about 40,000.
MAX_PAGES = 200
MAX_ITEMS = 100_000


def next_page_url(url: str, *, items: int, total: int | None) -> str | None:
    """The URL of the page after a page with `items` items, None after the last one.

    `total` is GitHub's count for the whole list. Without it, a full page has a next
    page. Raises `InvalidResponse` if the first page of a counted list is empty.
    """
    query = _query(url)
    size, page = _number(query, "per_page", PAGE_SIZE), _number(query, "page", 1)
    seen = (page - 1) * size + items
    if items == 0:
        if page == 1 and total and query.keys().isdisjoint(FILTERS):
            raise InvalidResponse(f"GitHub's list is empty, but counts {total} items.")
        return None
    if items < size if total is None else seen >= total:
        return None
    # A shorter page shows the size that the server allows.
    size = min(size, items)
    query |= {"per_page": str(size), "page": str(seen // size + 1)}
    return urlunsplit(urlsplit(url)._replace(query=urlencode(query)))


def is_path(address: str) -> bool:
    """Whether an address is below the base of the API; any other leads elsewhere."""
    return address.startswith("/") and not address.startswith("//")


class Walk:
    """The pages of one walk through a list, none of them twice."""

    def __init__(self, *, max_pages: int = MAX_PAGES) -> None:
        self._max_pages = max_pages
        self._fetched: set[str] = set()

    def next_url(self, url: str, link: str | None) -> str | None:
        """The URL to fetch after the page at `url`, None after the last page.

        `link` is that page's link. Raises `RepeatedPage` if it leads to an earlier
        page, or on and on.
        """
        self._fetched.add(url)
        if link is None:
            return None
        query, next_query = _query(url), _query(link)
        page, next_page = (_number(q, "page", 1) for q in (query, next_query))
        if link in self._fetched or ("page" in next_query and next_page <= page):
            raise _repeated(f"from page {page} back to page {next_page}")
        items = next_page * _number(next_query, "per_page", PAGE_SIZE)
        if items > MAX_ITEMS or len(self._fetched) >= self._max_pages:
            raise _repeated("on and on")
        return link


def _repeated(where: str) -> RepeatedPage:
    return RepeatedPage(
        f"GitHub's link to the next page leads {where}, so it is not followed. The "
        "next pass tries again. If the error stays, check any proxy between this "
        "machine and GitHub."
    )


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    is_number = text.isascii() and text.isdecimal() and len(text) < len(str(2**31))
    return max(1, int(text)) if is_number else default
