"""Which links of a peer's tiles may stand on a page of this instance."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from ci_observer.web.peers.github_links import github_link_check
from ci_observer.web.peers.peer import Peer

PUBLIC_API = "https://api.github.com"
MAX_LENGTH = 2000
# A browser reads a backslash as a slash, and leaves out white space.
_PLAIN = re.compile(r"[\x21-\x5b\x5d-\x7e]+")

# The link if it is allowed, else None.
LinkCheck = Callable[[str | None], str | None]


def link_check(peer: Peer, github_api_url: str) -> LinkCheck:
    """A check that allows pages of the peer, and https pages of GitHub.

    GitHub is github.com, and the server of the setting GITHUB_API_URL.
    """
    on_github = [github_link_check(url) for url in (PUBLIC_API, github_api_url)]
    base = urlsplit(f"{peer.address}/")

    def check(link: str | None) -> str | None:
        if not link or len(link) > MAX_LENGTH or not _PLAIN.fullmatch(link):
            return None
        try:
            url = urlsplit(link)
        except ValueError:
            return None
        is_below = (url.scheme, url.netloc) == (base.scheme, base.netloc) and (
            url.path.startswith(base.path) and ".." not in url.path
        )
        return link if is_below or any(is_link(link) for is_link in on_github) else None

    return check
