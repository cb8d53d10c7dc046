"""Texts out of GitHub's data, cleaned and cut for pages and for `/api/wall`.

A text is cut between characters as a reader sees them (extended grapheme clusters,
https://www.unicode.org/reports/tr29/): no emoji, flag or accented letter breaks.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from unicodedata import category

MAX_CHARACTERS = 300
# Combining marks beyond this are dropped. No language needs as many.
MAX_CODE_POINTS = 32
NO_TITLE = "(no title)"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
# Columns whose values are in the addresses of our pages, or are addresses.
ADDRESS_PARTS = ("repo", "workflow", "head_repo", "head_sha", "html_url")

_ZWJ = "\N{ZERO WIDTH JOINER}"
# Marks that join two consonants, in the six scripts where a reader sees one character.
_LINKERS = {*"\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d"}
# Embeddings, overrides and isolates could reorder the text around this one.
_BIDI_CONTROLS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_LINE_ENDS = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
_CLEANED = dict.fromkeys(_BIDI_CONTROLS) | dict.fromkeys(_LINE_ENDS, " ")
# Blank, although Unicode counts them as letters, symbols or marks.
_BLANK = {
    *"\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0",
    *"\u180b\u180c\u180d\u180f",
}
_VISIBLE_FORMATS = {*"\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u08e2\U000110bd"}


def display_text(text: str | None) -> str | None:
    """The text on one line, cut to `MAX_CHARACTERS`; None if nothing is visible."""
    if text is None:
        return None
    if len(text) <= MAX_CHARACTERS and text.isascii() and text.isprintable():
        return text.strip() or None
    text = text.translate(_CLEANED).rstrip()
    start = next((i for i, char in enumerate(text) if _is_visible(char)), None)
    return None if start is None else cut(text[start:])


def display_title(text: str | None) -> str:
    """A run's title for display."""
    return display_text(text) or NO_TITLE


def display_name(name: str | None, file: str) -> str | None:
    """A workflow's name for display; its file if the name is blank.

    None if the name is missing and the file can be shown as it is.
    """
    shown = display_text(name) or display_text(file) or file
    return None if name is None and shown == file else shown


def display_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A run or a similar row for a page: the same keys, with its texts for display.

    The values that form addresses stay as they are; a long branch is cut all the same.
    A run that GitHub no longer has loses its address.
    """
    shown = dict(row)
    for name, value in row.items():
        if isinstance(value, str) and name not in ADDRESS_PARTS:
            shown[name] = cut(value) if "branch" in name else display_text(value)
    if "display_title" in row:
        shown["display_title"] = display_title(row["display_title"])
    if "workflow_name" in row:
        shown["workflow_name"] = display_name(
            row["workflow_name"] or row["workflow"], row["workflow"]
        )
    if row.get("gone_at"):
        shown["html_url"] = None
    return shown


def cut(text: str, most: int = MAX_CHARACTERS) -> str:
    """The first characters of a text; an ellipsis is the last if some are missing."""
    if len(text) <= most:
        return text
    found = [*islice(characters(text[: (most + 1) * MAX_CODE_POINTS]), most + 1)]
    if len(found) > most:
        found[most - 1 :] = [ELLIPSIS]
    return "".join(found)


def characters(text: str) -> Iterator[str]:
    """The text's characters, each at most `MAX_CODE_POINTS` long."""
    character = ""
    for char in text:
        if character and not _continues(character, char):
            yield character
            character = char
        elif len(character) < MAX_CODE_POINTS:
            character += char
    if character:
        yield character


def _continues(character: str, char: str) -> bool:
    """Whether a code point belongs to the character before it."""
    last = character[-1]
    if _is_control(last):
        return False
    if _is_extension(char) or last in _VISIBLE_FORMATS:
        return True
    if last == _ZWJ and _is_pictograph(char):
        return _is_pictograph(character[0])
    if _is_regional(char):
        return _is_regional(character)
    if category(char) == "Lo" and character.rstrip(_ZWJ)[-1:] in _LINKERS:
        return True
    return (_hangul(last), _hangul(char)) in _HANGUL_PAIRS


def _is_visible(char: str) -> bool:
    if char in _BLANK or "\ufe00" <= char <= "\ufe0f" or "\ufff0" <= char <= "\ufffb":
        return False
    if "\U000e0000" <= char <= "\U000e0fff":
        return False
    return category(char) not in ("Cc", "Cf", "Zs", "Zl", "Zp") or (
        char in _VISIBLE_FORMATS
    )


def _is_control(char: str) -> bool:
    is_format = category(char) in ("Cc", "Cf", "Zl", "Zp")
    return is_format and not _is_extension(char) and char not in _VISIBLE_FORMATS


def _is_extension(char: str) -> bool:
    """Marks, joiners, halfwidth voiced marks, skin tones, and the tags of flags."""
    return (
        category(char) in ("Mn", "Me", "Mc")
        or char in "\u200c\u200d\u0e33\u0eb3\uff9e\uff9f"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
    )


def _is_pictograph(char: str) -> bool:
    """Whether it can be a part of an emoji, also of one of a later Unicode version."""
    is_emoji = "\U0001f000" <= char <= "\U0001faff" and not _is_regional(char)
    is_symbol = category(char) in ("So", "Sm") or char in "\u203c\u2049\u2139\u3030"
    return is_emoji or is_symbol


def _is_regional(text: str) -> bool:
    """Whether it is half a flag: one regional indicator."""
    return len(text) == 1 and "\U0001f1e6" <= text <= "\U0001f1ff"


_HANGUL_PAIRS = {
    *(("L", "L"), ("L", "V"), ("L", "LV"), ("L", "LVT")),
    *(("LV", "V"), ("LV", "T"), ("V", "V"), ("V", "T"), ("LVT", "T"), ("T", "T")),
}


def _hangul(char: str) -> str | None:
    """The kind of a Korean syllable, or of a part of one."""
    if "\uac00" <= char <= "\ud7a3":
        return "LV" if (ord(char) - 0xAC00) % 28 == 0 else "LVT"
    if "\u1100" <= char <= "\u115f" or "\ua960" <= char <= "\ua97c":
        return "L"
    if "\u1160" <= char <= "\u11a7" or "\ud7b0" <= char <= "\ud7c6":
        return "V"
    is_final = "\u11a8" <= char <= "\u11ff" or "\ud7cb" <= char <= "\ud7fb"
    return "T" if is_final else None
