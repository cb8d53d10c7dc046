"""The addresses of one API: no request leaves its origin, where the token would go.

Pure functions of text. They parse a URL with httpx, which also sends the request.
"""

import re
from functools import lru_cache

import httpx

from ci_observer.ingest.errors import InvalidResponse
from ci_observer.ingest.github.names import REPO_NAME
from ci_observer.ingest.github.pagination import is_path
from ci_observer.ingest.texts import one_line

MAX_ORIGIN_LENGTH = 100
# Most requests of a pass have the same URLs as those of the pass before.
CACHED_URLS = 2000


class ApiAddresses:
    """The addresses below the base of an API, such as https://HOST/api/v3."""

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url
        self.url_of = lru_cache(CACHED_URLS)(self._url_of)

    def _url_of(self, address: str) -> str:
        """The URL of a path below the base, or of a link; raises like `resolve`."""
        url = f"{self._api_url}{address}" if is_path(address) else address
        return self.resolve(url, self._api_url)

    def resolve(self, link: str, page_url: str) -> str:
        """The URL of a link or redirect.

        Raises `InvalidResponse` if it leaves the origin: a request there would have the
        token.
        """
        ours = httpx.URL(self._api_url)
        try:
            target = httpx.URL(page_url).join(link)
        except (httpx.InvalidURL, ValueError):
            raise InvalidResponse(
                "GitHub points to an invalid address. Check GITHUB_API_URL and any "
                "proxy between this machine and GitHub."
            ) from None
        if _origin(ours) != _origin(target):
            there, here = (
                one_line("://".join(_origin(url)), MAX_ORIGIN_LENGTH)
                for url in (target, ours)
            )
            raise InvalidResponse(
                f"GitHub points to another address ({there}), so no request is sent "
                f"there: the token is for {here}. If your API is at that address, set "
                "GITHUB_API_URL to it."
            )
        return str(target)

    def shorten(self, link: str, page_url: str) -> str:
        """The path of a link below the base, so that it stays valid when that moves.

        A link to anywhere else stays as it is, and `url_of` decides about it.
        """
        try:
            target = httpx.URL(page_url).join(link)
        except (httpx.InvalidURL, ValueError):
            return link
        ours = httpx.URL(self._api_url)
        base, path = (
            url.raw_path.decode("ascii").rstrip("/") for url in (ours, target)
        )
        is_below = path.startswith(f"{base}/") and not path.startswith(f"{base}//")
        if _origin(ours) == _origin(target) and is_below:
            return path.removeprefix(base)
        return str(target)

    def find_rename(self, url: str, target: str) -> tuple[str, int] | None:
        """The repository that a redirect renames, in lower case, and its id."""
        base = re.escape(httpx.URL(self._api_url).path.rstrip("/"))
        old = re.match(rf"{base}/repos/({REPO_NAME})(?=/|$)", httpx.URL(url).path)
        new = re.search(r"/repositories/([0-9]{1,18})(?=[/?]|$)", target)
        return (old[1].lower(), int(new[1])) if old and new else None


def _origin(url: httpx.URL) -> tuple[str, str]:
    return url.scheme, url.netloc.decode("ascii")
