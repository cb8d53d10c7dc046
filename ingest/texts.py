"""Text from outside, made safe to show on one line. Pure functions.

GitHub's messages and a visitor's input may hold line breaks, terminal escapes,
characters that change the direction of text, and lone surrogates, which UTF-8 cannot
encode.
"""

import re
import unicodedata

MAX_LENGTH = 200
# Control and format characters (among them bidirectional ones), lone surrogates, and
# the separators of lines and paragraphs.
UNSAFE_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")


def one_line(text: str, length: int = MAX_LENGTH) -> str:
    """A text on one line, with single spaces, of at most `length` characters."""
    # Several times the length: blanks are removed afterwards.
    start = text[: 4 * length]
    safe = "".join(" " if _is_unsafe(c) else c for c in start)
    return re.sub(r"\s+", " ", safe).strip()[:length]


def escaped(text: str) -> str:
    """A text with backslash escapes for characters that break or disguise a line."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if _is_unsafe(c) else c for c in text)


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in UNSAFE_CATEGORIES


def _escape(character: str) -> str:
    return ascii(character)[1:-1]
