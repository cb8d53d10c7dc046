"""Colours of the stylesheets and their contrast, as WCAG defines it."""

import re
from collections.abc import Sequence
from pathlib import Path

STATIC = Path(__file__).parents[2] / "static"


CSS = (STATIC / "shared/base.css").read_text()


# WCAG 2.2: 4.5 for text and 3 for graphics. 7 is its strictest level (AAA).
NAME, TEXT, GRAPHIC = 7.0, 4.5, 3.0


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def themes(*sheets: str) -> dict[str, dict[str, str]]:
    """The colours of base.css and of further style sheets, by theme."""
    dark: dict[str, str] = {}
    light: dict[str, str] = {}
    for css in (CSS, *((STATIC / name).read_text() for name in sheets)):
        [own] = re.findall(r"^:root \{(.*?)\}", css, re.M | re.S)
        [lit] = re.findall(r'^:root\[data-theme="light"\] \{(.*?)\}', css, re.M | re.S)
        [auto] = re.findall(r':root\[data-theme="auto"\] \{(.*?)\}', css, re.S)
        assert colours(lit) == colours(auto)
        dark |= colours(own)
        light |= colours(lit)
    return {"dark": dark, "light": dark | light}


def linear(colour: str) -> list[float]:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in channels
    ]


def times(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> list[float]:
    return [sum(w * v for w, v in zip(row, vector, strict=True)) for row in matrix]


def luminance(colour: str) -> float:
    [value] = times([(0.2126, 0.7152, 0.0722)], linear(colour))
    return value


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
