"""Tiles that the address hides one by one: `mute=OWNER/REPO/FILE`, or `…@BRANCH`.

`static/wall/muted.js` does the same in the browser.
"""

from collections.abc import Iterable
from typing import Any

from ci_observer.web.vocabulary import STATES, label_of, state_of

Tile = dict[str, Any]


def split_muted(
    tiles: list[Tile], names: Iterable[str]
) -> tuple[list[Tile], list[Tile]]:
    """The tiles that are shown, and those that `names` (the values of `mute`) hide.

    Letter case does not matter.
    """
    muted = {name.lower() for name in names}
    hidden = [tile for tile in tiles if muted & names_of(tile)]
    return [tile for tile in tiles if not muted & names_of(tile)], hidden


def names_of(tile: Tile) -> set[str]:
    """The values of `mute` that hide a tile, in lower case."""
    name = f"{tile['repo']}/{tile['workflow']}".lower()
    return {name, f"{name}@{tile['branch']}".lower()}


def muted_text(muted: list[Tile]) -> str:
    """ "3 hidden, 1 failing, 1 untested" """
    words = [_word_of(tile) for tile in muted if not is_green(tile)]
    counts = [f"{words.count(s)} {label_of(s)}" for s in STATES if s in words]
    return ", ".join([f"{len(muted)} hidden", *counts])


def is_green(tile: Tile) -> bool:
    """Whether a tile passes without any reservation."""
    return state_of(tile) == "passing" and tile["activity"] != "held"


def _word_of(tile: Tile) -> str:
    # A green tile that is not counted as green waits for an approval.
    state = state_of(tile)
    return tile["activity"] if state == "passing" else state
