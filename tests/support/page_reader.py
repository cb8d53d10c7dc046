"""A parser of the HTML pages: elements, table rows, links and unsafe parts."""

from html.parser import HTMLParser
from typing import Any

from datasette.app import Datasette

VOID = {
    "meta",
    "link",
    "input",
    "br",
    "wbr",
    "img",
    "use",
    "path",
    "circle",
    "line",
    "rect",
}


class Element:
    """An HTML element with its attributes and its content."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: Any) -> None:
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.parts: list[Element | str] = []

    @property
    def text(self) -> str:
        texts = (p if isinstance(p, str) else p.text for p in self.parts)
        return " ".join("".join(texts).split())

    def all(self, tag: str = "", **attributes: str) -> list["Element"]:
        """The descendants with a tag and attributes; `class_` stands for `class`."""
        found = []
        for part in self.parts:
            if isinstance(part, Element):
                wanted = {name.strip("_"): v for name, v in attributes.items()}
                if part.tag == (tag or part.tag) and part._has(wanted):
                    found.append(part)
                found += part.all(tag, **attributes)
        return found

    def one(self, tag: str = "", **attributes: str) -> "Element":
        [found] = self.all(tag, **attributes)
        return found

    def _has(self, wanted: dict[str, str]) -> bool:
        return all(
            value in (self.attributes.get(name) or "").split()
            for name, value in wanted.items()
        )

    @property
    def href(self) -> str:
        return self.attributes["href"]


class _Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = self._open = Element("", {}, None)
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: v or "" for name, v in attrs}, self._open)
        self._open.parts.append(element)
        if tag not in VOID:
            self._open = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.parts.append(Element(tag, {n: v or "" for n, v in attrs}, None))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.tag == tag, f"</{tag}> closes <{self._open.tag}>"
            self._open = self._open.parent

    def handle_data(self, data: str) -> None:
        self._open.parts.append(data)


def read_page(html: str) -> Element:
    """Parse a page. Fails unless every element has its end tag."""
    reader = _Reader(html)
    assert reader._open is reader.root, f"<{reader._open.tag}> stays open"
    return reader.root


async def get_page(datasette: Datasette, path: str, status: int = 200) -> Element:
    response = await datasette.client.get(path)
    assert response.status_code == status, response.text
    return read_page(response.text)


def table_rows(page: Element, class_: str) -> list[list[str]]:
    """The texts of the cells in the body of a table."""
    [body] = page.one("table", class_=class_).all("tbody")
    return [
        [cell.text for cell in row.parts if isinstance(cell, Element)]
        for row in body.all("tr")
    ]


def harms(page: Element) -> list[str]:
    """Unsafe parts: inline styles and scripts, event handlers, `javascript:` links."""
    found = []
    for element in page.all():
        names = element.attributes
        found += [f"{element.tag} {n}" for n in names if n == "style" or n[:2] == "on"]
        for name in ("href", "src"):
            if "script:" in names.get(name, "").lower():
                found.append(f"{element.tag} {names[name]}")
        if element.tag == "style":
            found.append("style")
        if element.tag == "script" and not names.get("src"):
            found += [] if names["type"] == "application/json" else ["script"]
    return found


def local_addresses(page: Element) -> list[str]:
    """The URLs on this server in links, resources and forms."""
    addresses = [
        element.attributes.get(name, "")
        for element in page.all()
        for name in ("href", "src", "action")
    ]
    return [address for address in addresses if address.startswith("/")]
