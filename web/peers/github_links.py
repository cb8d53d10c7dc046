"""Which links of a peer lead to GitHub: those to the host of this instance's GitHub."""

from collections.abc import Callable
from functools import cache
from urllib.parse import urlsplit

API = "api."
# Hosts of GitHub itself; those of an Enterprise Server have no own name for the API.
GITHUB_HOSTS = ("api.github.com", ".ghe.com")


@cache
def github_link_check(api_url: str) -> Callable[[str], bool]:
    """A function that says whether an address is on GitHub's web site, with https.

    `api_url` is the setting `GITHUB_API_URL`.
    """
    host = urlsplit(api_url).hostname or ""
    if host.endswith(GITHUB_HOSTS):
        host = host.removeprefix(API)
    start = f"https://{host}/"

    def is_link(url: str) -> bool:
        return url.startswith(start)

    return is_link
