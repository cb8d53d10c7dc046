"""The addresses in an HTML page or a script."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

# Attributes whose value is fetched or opened.
ADDRESSES = ("href", "src", "action")
# import … from "./y.js", import "./y.js", export … from "./y.js", import("./y.js")
_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["'](\.[^"'\n]+)["']""")


@dataclass(frozen=True)
class Address:
    """The absolute URL of a link; `is_asset` if the page itself loads it."""

    url: str
    is_asset: bool


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_asset = tag in ("script", "link", "img")
        self.found += [
            (value, is_asset) for name, value in attrs if name in ADDRESSES and value
        ]


def addresses_in(html: str, page_url: str) -> list[Address]:
    """The addresses of a page that are HTTP, without fragments; each once."""
    parser = _Parser()
    parser.feed(html)
    found: dict[str, bool] = {}
    for value, is_asset in parser.found:
        url = urljoin(page_url, value.strip()).partition("#")[0]
        if urlsplit(url).scheme in ("http", "https"):
            found[url] = found.get(url, False) or is_asset
    return [Address(url, is_asset) for url, is_asset in found.items()]


def imports_of(script: str, script_url: str) -> list[str]:
    """The URLs of the modules that a script names by a relative path."""
    return [urljoin(script_url, path) for path in _IMPORT.findall(script)]
