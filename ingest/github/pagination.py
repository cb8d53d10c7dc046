"""The next page of a list where GitHub's response has no `Link` header.

GitHub sends the header with every page but the last. A proxy in front of Enterprise
Server may drop it, and then only the counts show that more pages exist.
"""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ci_observer.ingest.errors import InvalidResponse

# GitHub's default.
PAGE_SIZE = 30
# The filters of our requests. Filtered lists may lag behind their own count.
FILTERS = ("created", "status")


def next_page_url(url: str, *, items: int, total: int | None) -> str | None:
    """The URL of the page after a page with `items` items, None after the last one.

    `total` is GitHub's count for the whole list. Without it, a full page has a next
    page. Raises `InvalidResponse` if the first page of a counted list is empty.
    """
    query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
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


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    is_number = text.isascii() and text.isdecimal() and len(text) < len(str(2**31))
    return max(1, int(text)) if is_number else default
