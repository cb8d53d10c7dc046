"""Contrast of every text on the wall, computed from the stylesheets."""

import math
import re
from collections.abc import Sequence
from itertools import combinations

import pytest
from contrasts import CSS, GRAPHIC, NAME, STATIC, TEXT, contrast, linear, themes, times

TILES = (STATIC / "wall/tile.css").read_text()

# (text, background) outside the tiles, by the names of the custom properties.
TEXTS = [
    ("ink", "page"),
    ("ink", "panel"),
    ("quiet", "page"),
    ("quiet", "panel"),
    ("on-held", "held"),
    ("on-activity", "activity"),
    # "fixed by sofia" on a tile.
    ("bar-good", "passing"),
]
GRAPHICS = [
    ("untested-frame", "untested"),
    ("untested-frame", "untested-stripe"),
    ("activity", "untested"),
    ("held", "untested"),
    ("focus-tile", "untested"),
    ("alarm", "stale"),
    ("alarm", "alarm-stripe"),
    ("activity", "passing"),
    ("activity", "failing"),
    ("held", "passing"),
    ("focus", "page"),
    ("focus-tile", "passing"),
    ("focus-tile", "failing"),
    ("on-alarm", "alarm"),
]
# The states whose tiles differ in their background. Stale tiles have a yellow frame,
# untested ones a green frame.
GROUNDS = ("passing", "failing", "alarm", "unknown", "untested")
# Linear light as seen without one kind of cone: Machado, Oliveira and Fernandes,
# "A physiologically-based model for simulation of color vision deficiency", 2009.
BLINDNESS = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
# A distance that is obvious at a glance, in hundredths of OKLab: black to white is 100.
APART = 10


def oklab(light: Sequence[float]) -> list[float]:
    """https://bottosson.github.io/posts/oklab/"""
    cones = times(
        [
            (0.4122214708, 0.5363325363, 0.0514459929),
            (0.2119034982, 0.6806995451, 0.1073969566),
            (0.0883024619, 0.2817188376, 0.6299787005),
        ],
        light,
    )
    return times(
        [
            (0.2104542553, 0.7936177850, -0.0040720468),
            (1.9779984951, -2.4285922050, 0.4505937099),
            (0.0259040371, 0.7827717662, -0.8086757660),
        ],
        [cone ** (1 / 3) for cone in cones],
    )


def shaded(colour: str, black: float) -> str:
    """A colour below black of this opacity."""
    channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(value * (1 - black)):02x}" for value in channels)


def black_of(name: str) -> float:
    """The opacity of a custom property that is translucent black."""
    return float(re.findall(rf"--{name}: rgba\(0, 0, 0, ([0-9.]+)\)", CSS)[0])


def tile_grounds() -> list[tuple[str, str]]:
    """(text, background) for each colour in the background of a state's tile."""
    state = r"^([^@{}]*data-(?:state|loud)[^{}]*)\{([^}]*)\}"
    found = []
    for selector, rule in re.findall(state, TILES, re.M):
        grounds = re.findall(r"background:[^;]*;", rule)
        if not grounds or "__" in selector or "bar" in selector:
            continue
        text = re.findall(r"(?<!-)color: var\(--([\w-]+)\)", rule) or ["on-colour"]
        names = re.findall(r"var\(--([\w-]+)\)", grounds[0])
        # The edge of an alarm has no text.
        found += [(text[0], name) for name in names if name != "alarm-stripe"]
    return found


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_texts_can_be_read(theme: str, text: str, ground: str) -> None:
    palette = themes()[theme]
    assert contrast(palette[text], palette[ground]) >= TEXT


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize(("shape", "ground"), GRAPHICS)
def test_shapes_can_be_seen(theme: str, shape: str, ground: str) -> None:
    palette = themes()[theme]
    assert contrast(palette[shape], palette[ground]) >= GRAPHIC


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize(("text", "ground"), tile_grounds())
def test_names_can_be_read_on_every_tile(theme: str, text: str, ground: str) -> None:
    palette = themes()[theme]
    assert contrast(palette[text], palette[ground]) >= NAME


@pytest.mark.parametrize("bar", ["bar-good", "bar-bad", "bar-other"])
@pytest.mark.parametrize(
    "ground", ["passing", "failing", "failing-stripe", "stale", "untested"]
)
def test_bars_can_be_seen_in_their_strip(bar: str, ground: str) -> None:
    palette = themes()["dark"]
    well = shaded(palette[ground], black_of("well"))
    assert contrast(palette[bar], well) >= GRAPHIC


@pytest.mark.parametrize(
    "ground", ["passing", "failing", "failing-stripe", "unknown", "untested"]
)
def test_the_bar_of_a_run_can_be_seen_on_its_track(ground: str) -> None:
    palette = themes()["dark"]
    track = shaded(palette[ground], black_of("track"))
    assert contrast(palette["activity"], track) >= GRAPHIC


@pytest.mark.parametrize("ground", ["passing", "failing"])
def test_the_track_of_a_run_differs_from_its_tile(ground: str) -> None:
    tile = themes()["dark"][ground]
    track = shaded(tile, black_of("track"))
    assert math.dist(oklab(linear(tile)), oklab(linear(track))) * 100 >= APART


def test_the_background_of_every_state_is_checked() -> None:
    grounds = {ground for _, ground in tile_grounds()}
    assert grounds == {
        "passing", "failing", "failing-stripe", "unknown", "unknown-dot",
        "alarm", "stale", "stale-dot", "untested", "untested-stripe",
    }  # fmt: skip


@pytest.mark.parametrize("blindness", [None, *BLINDNESS])
@pytest.mark.parametrize(("one", "other"), [*combinations(GROUNDS, 2)])
def test_states_differ_for_colour_blind_people(
    blindness: str | None, one: str, other: str
) -> None:
    palette = themes()["dark"]
    seen = []
    for name in (one, other):
        light = linear(palette[name])
        if blindness:
            light = times(BLINDNESS[blindness], light)
        seen.append(oklab([min(1, max(0, value)) for value in light]))
    assert math.dist(*seen) * 100 >= APART


def test_contrast_is_computed_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
