"""The `Link` header of a page of a list, as in RFC 8288: where the next page is."""

import re
from urllib.parse import urlencode

from datasette.app import Datasette
from datasette.utils.asgi import Request

from ci_observer.web.filters import pairs_of
from ci_observer.web.urls import origin_of

# A host that can stand in a URL as it is; any other one is left out.
_HOST = re.compile(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:.]+\](:\d+)?", re.ASCII)


def link_header(
    datasette: Datasette, request: Request, path: str, cursor: str | None
) -> str:
    """The links to the next page, if there is one, and from a later page to the first.

    They repeat the filters of the request. An empty text if there is none.
    """
    pairs = pairs_of(request.query_string)
    others = [pair for pair in pairs if pair[0] != "cursor"]
    filters = urlencode(others)
    links = []
    if cursor:
        following = urlencode({"cursor": cursor})
        links.append(("next", f"{filters}&{following}" if filters else following))
    if len(others) < len(pairs):
        links.append(("first", filters))
    origin = origin_of(request) if _HOST.fullmatch(request.host or "") else ""
    base = f"{origin}{datasette.urls.path(path)}"
    return ", ".join(
        f'<{base}{"?" if query else ""}{query}>; rel="{relation}"'
        for relation, query in links
    )
