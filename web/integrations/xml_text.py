"""XML documents out of texts that may hold any character."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

# https://www.w3.org/TR/xml/#charsets; ElementTree would write them all the same.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def xml_text(text: str) -> str:
    """The text with a replacement for each character that XML does not allow."""
    return _FORBIDDEN.sub(_REPLACEMENT, text)


def child(
    parent: ET.Element,
    name: str,
    text: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> ET.Element:
    """A new child of an element, with its text and attributes."""
    cleaned = {key: xml_text(value) for key, value in (attributes or {}).items()}
    element = ET.SubElement(parent, name, cleaned)
    element.text = None if text is None else xml_text(text)
    return element


def document(root: ET.Element) -> bytes:
    """The element as an XML document in UTF-8, a line for each of its children."""
    ET.indent(root, space="")
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"
