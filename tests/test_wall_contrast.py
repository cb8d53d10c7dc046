"""Every text on the wall can be read: contrasts computed from the stylesheet itself."""

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[1] / "static" / "base.css").read_text()
# WCAG 2.2: 4.5 for text, 3 for what is seen rather than read.
TEXT, GRAPHIC = 4.5, 3.0

# What is written on what, by the names of the custom properties.
TEXTS = [
    ("ink", "page"),
    ("ink", "panel"),
    ("quiet", "page"),
    ("quiet", "panel"),
    ("on-colour", "passing"),
    ("on-colour", "failing"),
    ("on-colour", "failing-stripe"),
    ("on-colour", "unknown"),
    ("on-colour", "unknown-dot"),
    ("on-alarm", "alarm"),
    ("on-stale", "stale"),
    ("on-stale", "stale-dot"),
    ("on-held", "held"),
    ("on-activity", "activity"),
]
GRAPHICS = [
    ("bar-good", "passing"),
    ("bar-bad", "passing"),
    ("bar-bad", "failing"),
    ("alarm", "stale"),
    ("alarm", "alarm-stripe"),
    ("focus", "page"),
]


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def themes() -> dict[str, dict[str, str]]:
    dark = colours(CSS.split("}", 1)[0])
    [light] = re.findall(r'^:root\[data-theme="light"\] \{(.*?)\}', CSS, re.M | re.S)
    [auto] = re.findall(r':root\[data-theme="auto"\] \{(.*?)\}', CSS, re.S)
    assert colours(light) == colours(auto)
    return {"dark": dark, "light": dark | colours(light)}


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    ]
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


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


def test_results_differ_in_lightness_as_well_as_in_hue() -> None:
    """Who sees no red and green still sees two greys: the stripes are not alone."""
    palette = themes()["dark"]
    assert contrast(palette["alarm"], palette["failing"]) >= GRAPHIC
    assert contrast(palette["alarm"], palette["passing"]) >= GRAPHIC


def test_contrast_is_computed_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
