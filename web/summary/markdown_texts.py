"""Texts of GitHub as Markdown that shows them and does nothing else."""

import re

from ci_observer.web.texts import cut, display_text

MAX_CHARACTERS = 60

# An underscore between letters or digits has no meaning.
_SPECIAL = re.compile(r"([\\`*\[\]|~#$]|(?<![^\W_])_|_(?![^\W_]))")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# An invisible character in a mention, an address or the number of an issue, so that
# it sends no message and becomes no link.
_JOINER = "\N{WORD JOINER}"
_ACTIVE = re.compile(r"(@|://|www\.|#(?=\d)|GH-(?=\d))", re.IGNORECASE)


def plain(text: str | None) -> str:
    """A text of GitHub as Markdown that shows it and does nothing else."""
    return escaped(cut(display_text(text) or "not known", MAX_CHARACTERS))


def escaped(text: str) -> str:
    """A text as Markdown that shows it and does nothing else."""
    shown = "".join(_HTML.get(char, char) for char in text)
    shown = _ACTIVE.sub(lambda found: f"{found[0][0]}{_JOINER}{found[0][1:]}", shown)
    return _SPECIAL.sub(r"\\\1", shown)
