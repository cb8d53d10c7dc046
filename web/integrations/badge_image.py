"""A badge as SVG: a label and a message side by side, in the style of shields.io.

Of the libraries, pybadges does not start on Python 3.13, genbadge needs Pillow, and
anybadge has no title for screen readers and other ids in each badge it makes.
"""

from unicodedata import combining, east_asian_width
from xml.etree import ElementTree as ET

from ci_observer.web.integrations.xml_text import child

HEIGHT = 20
PADDING = 6
FONT = "Verdana,Geneva,'DejaVu Sans',sans-serif"
FONT_SIZE = 11
LABEL_COLOUR = "#444444"
# In pixels, of DejaVu Sans. `textLength` fits other fonts into the same width.
_CHARACTERS = {
    3: "'IJijl",
    3.5: " ,./:;\\|",
    4: "-f",
    4.5: "!()[]rt",
    5: '"',
    5.5: "*_`s",
    6: "?Lcz",
    6.5: "FPTYakovxy",
    7: "$0123456789EKSbdeghnpqu{}",
    7.5: "ABCRVXZ",
    8: "NU",
    8.5: "&DGHOQ",
    9: "#+<=>^w~",
    9.5: "M",
    10.5: "%m",
    11: "@W",
}
_WIDTHS = {char: width for width, chars in _CHARACTERS.items() for char in chars}
_OTHER_WIDTH = 7.5


def badge_image(label: str, message: str, colour: str) -> bytes:
    """The SVG document. The colour is behind the message, whose text is white."""
    left, right = (_width(text) + 2 * PADDING for text in (label, message))
    title = f"{label}: {message}"
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": f"{left + right:g}",
            "height": str(HEIGHT),
            "role": "img",
        },
    )
    child(root, "title", title)
    # Badges in one page have the same id only if they have the same clip.
    clip_id = f"round-{left + right:g}"
    clip = child(root, "clipPath", attributes={"id": clip_id})
    child(clip, "rect", attributes=_box(0, left + right) | {"rx": "3"})
    shapes = child(root, "g", attributes={"clip-path": f"url(#{clip_id})"})
    child(shapes, "rect", attributes=_box(0, left) | {"fill": LABEL_COLOUR})
    child(shapes, "rect", attributes=_box(left, right) | {"fill": colour})
    texts = child(root, "g", attributes=_FONT | {"aria-hidden": "true"})
    _add_text(texts, label, PADDING)
    _add_text(texts, message, left + PADDING)
    content: bytes = ET.tostring(root, encoding="utf-8")
    return content


_FONT = {"fill": "#fff", "font-family": FONT, "font-size": str(FONT_SIZE)}


def _box(x: float, width: float) -> dict[str, str]:
    return {"x": f"{x:g}", "width": f"{width:g}", "height": str(HEIGHT)}


def _add_text(parent: ET.Element, text: str, x: float) -> None:
    attributes = {"x": f"{x:g}", "y": "14"}
    if text:
        attributes |= {
            "textLength": f"{_width(text):g}",
            "lengthAdjust": "spacingAndGlyphs",
        }
    child(parent, "text", text, attributes)


def _width(text: str) -> float:
    return sum(map(_character_width, text))


def _character_width(char: str) -> float:
    if char in _WIDTHS:
        return _WIDTHS[char]
    if combining(char):
        return 0
    return FONT_SIZE if east_asian_width(char) in "WF" else _OTHER_WIDTH
