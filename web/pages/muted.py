"""Tiles that are hidden one by one: by the settings for a while, or by the address.

The address has `mute=OWNER/REPO/FILE`, or `…@BRANCH`.

`static/wall/muted.js` does the same in the browser.
"""

from collections.abc import Iterable
from typing import Any

from ci_observer.web.vocabulary import STATES, label_of, state_of

Tile = dict[str, Any]


def split_muted(
    tiles: list[Tile], names: Iterable[str]
) -> tuple[list[Tile], list[Tile]]:
    """The tiles that are shown, and the hidden ones.

    The settings hide those with `muted_until`, `names` (the values of `mute`) others.
    Letter case does not matter.
    """
    muted = {name.lower() for name in names}
    hidden = [t for t in tiles if t["muted_until"] or muted & names_of(t)]
    return [tile for tile in tiles if tile not in hidden], hidden


def names_of(tile: Tile) -> set[str]:
    """The values of `mute` that hide a tile, in lower case."""
    name = f"{tile['repo']}/{tile['workflow']}".lower()
    return {name, f"{name}@{tile['branch']}".lower()}


def muted_text(muted: list[Tile]) -> str:
    """ "3 hidden, 1 failing"; "3 muted" if the settings hide all of them."""
    words = [word_of(tile) for tile in muted if not is_green(tile)]
    counts = [f"{words.count(s)} {label_of(s)}" for s in STATES if s in words]
    word = "muted" if all(tile["muted_until"] for tile in muted) else "hidden"
    return ", ".join([f"{len(muted)} {word}", *counts])


def is_green(tile: Tile) -> bool:
    """Whether a tile passes without any reservation."""
    return state_of(tile) == "passing" and tile["activity"] != "held"


def is_accepted(tile: Tile) -> bool:
    """Whether a hidden tile is no news: it passes, or the settings mute it."""
    return is_green(tile) or bool(tile["muted_until"])


def word_of(tile: Tile) -> str:
    """The tile's state; of one that passes and waits for an approval, `held`."""
    state = state_of(tile)
    return state if state != "passing" or is_green(tile) else str(tile["activity"])
