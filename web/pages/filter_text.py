"""The wall's filters in words, for the page without JavaScript.

`filter_text.js` of the wall has the same words, and `matching.js` the same parts.
"""

import re
from collections.abc import Iterable
from typing import Any

from ci_observer.web.filters import Filters
from ci_observer.web.vocabulary import label_of

Tile = dict[str, Any]

_MOST_CHARACTERS = 60
# Control characters, and characters that change the direction of the text around them.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_PART = re.compile(r"([1-9][0-9]?)of([1-9][0-9]?)")


def filter_words(filters: Filters, hide: Iterable[str], screen: str) -> list[str]:
    """Each value of each filter in words: "acme/api", "part 1 of 2", "only failing"."""
    return [
        *map(_clean, filters.repo),
        *map(_clean, filters.workflow),
        *(f"branch {_clean(name)}" for name in filters.branch),
        *(f"event {_clean(name)}" for name in filters.event),
        *(f"by {_clean(name)}" for name in filters.actor),
        *(f"team {_clean(name)}" for name in filters.team),
        *(f"“{_clean(text)}”" for text in filters.q),
        *([f"part {screen.replace('of', ' of ')}"] if screen else []),
        *(
            f"{'or' if index else 'only'} {label_of(state)}"
            for index, state in enumerate(filters.state)
        ),
        *(f"without {label_of(state)}" for state in dict.fromkeys(hide)),
    ]


def _clean(text: str) -> str:
    seen = _UNSEEN.sub("", text)
    return seen[:_MOST_CHARACTERS] + ("…" if len(seen) > _MOST_CHARACTERS else "")


def screen_of(values: Iterable[str]) -> str:
    """The last valid value of `screen`, such as "1of2"; "" without one."""
    valid = [value for value in values if _numbers_of(value)]
    return valid[-1] if valid else ""


def _numbers_of(screen: str) -> tuple[int, int] | None:
    match = _PART.fullmatch(screen)
    if not match:
        return None
    number, total = map(int, match.groups())
    return (number, total) if number <= total else None


def tiles_on_screen(tiles: list[Tile], screen: str) -> list[Tile]:
    """The part of the tiles, by their names, on the screen `screen`."""
    numbers = _numbers_of(screen)
    if numbers is None:
        return tiles
    number, total = numbers
    names = sorted(map(_name_of, tiles), key=_javascript_order)
    size = -(-len(names) // total)
    part = set(names[(number - 1) * size : number * size])
    return [tile for tile in tiles if _name_of(tile) in part]


def _name_of(tile: Tile) -> str:
    branch = "null" if tile["branch"] is None else tile["branch"]
    return f"{tile['repo']} {tile['workflow']} {branch}"


def _javascript_order(text: str) -> bytes:
    """JavaScript sorts by the 16-bit units of UTF-16."""
    return text.encode("utf-16-be", "surrogatepass")
