"""Contrast of the wall of a past time, computed from the stylesheets."""

import re

import pytest
from contrasts import GRAPHIC, NAME, STATIC, TEXT, contrast, themes

SHEET = "past/past.css"
TEXTS = [
    ("on-past", "past"),
    ("on-past", "past-stripe"),
    ("on-past", "past-hover"),
    ("on-past", "past-note"),
    ("past-stripe", "on-past"),
    ("past-stripe", "now-hover"),
    ("ink", "page"),
    ("ink", "panel"),
    ("quiet", "page"),
    ("quiet", "panel"),
]
NAMES = ["past-passing", "unrecorded", "unrecorded-stripe"]
# The frames of the tiles, and the frame of the page.
GRAPHICS = [
    ("past-green", "past-passing"),
    ("past-green", "unrecorded"),
    ("past-green", "unrecorded-stripe"),
    ("unrecorded-frame", "unrecorded"),
    ("bar-good", "past-passing"),
    ("bar-bad", "past-passing"),
    ("bar-other", "past-passing"),
    ("activity", "past-passing"),
    ("focus-tile", "past-passing"),
    ("focus", "page"),
    ("on-past", "past"),
]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_past_wall_can_be_read(theme: str) -> None:
    palette = themes(SHEET)[theme]
    found = {pair: contrast(palette[pair[0]], palette[pair[1]]) for pair in TEXTS}
    names = {
        ground: contrast(palette["on-colour"], palette[ground]) for ground in NAMES
    }
    shapes = {pair: contrast(palette[pair[0]], palette[pair[1]]) for pair in GRAPHICS}

    assert {pair: value for pair, value in found.items() if value < TEXT} == {}
    assert {name: value for name, value in names.items() if value < NAME} == {}
    assert {pair: value for pair, value in shapes.items() if value < GRAPHIC} == {}


def test_every_colour_of_the_sheet_has_a_name_and_is_checked() -> None:
    css = (STATIC / SHEET).read_text()
    names = set(re.findall(r"--([\w-]+): #", css))
    checked = {name for pair in (*TEXTS, *GRAPHICS) for name in pair} | {*NAMES}

    rules = re.sub(r"--[\w-]+: #[0-9a-f]{6};", "", css)
    assert re.findall(r"#[0-9a-f]{3,8}\b", rules) == []
    # A line between two panels, and the red frame around a red tile, say nothing alone.
    assert names - checked == {"line", "past-red"}
