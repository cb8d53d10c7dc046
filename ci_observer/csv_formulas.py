"""CSV cells that a spreadsheet would run as a formula, made plain text.

Here, because `ingest` and `web` both write CSV and do not import each other. The rule
is that of OWASP, https://owasp.org/www-community/attacks/CSV_Injection, and more: a
spreadsheet may ignore blanks at the start of a cell, may read full-width signs as the
ordinary ones, and opens a file with commas as one with semicolons in many countries.
"""

import re
from collections.abc import Iterable
from typing import Any

NEUTRALISE, KEEP = "neutralise", "keep"
CHOICES = (NEUTRALISE, KEEP)

# A spreadsheet shows the cell as text, in some programs with this character.
MARK = "'"
# The ordinary signs, the full-width ones, and the small ones.
_EQUALS = r"=\uff1d\ufe66"
_SIGNS = rf"{_EQUALS}+\-@\uff0b\uff0d\uff20\ufe62\ufe63\ufe6b"
# Where another program may begin a cell or a row, although it is in quotes.
_BREAKS = r";\t\r\n"
# Blanks but the breaks, quotes, and invisible characters.
_IGNORED = rf"(?:[^\S{_BREAKS}]|[\"\0\u00ad\u200b-\u200f\u2060\ufeff])*"
# Within a text, dashes alone are no formula, as in "a; --".
_INNER = rf"{_IGNORED}(?:[{_EQUALS}]|(?:[{_SIGNS}]{_IGNORED})+[\w(\[{{'])"

_START = re.compile(rf"[\t\r\n]|{_IGNORED}[{_SIGNS}]")
# Most cells: one fast match instead of two.
_PLAIN = re.compile(rf"(?:\w[^{_BREAKS}]*)?")
_INNER_START = re.compile(rf"([{_BREAKS}])(?={_INNER})")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def neutralised(value: Any) -> Any:
    """A cell that no spreadsheet runs. Values that are not text stay as they are.

    A text that is a number, such as -5, stays as it is.
    """
    if not isinstance(value, str) or _PLAIN.fullmatch(value):
        return value
    text = _INNER_START.sub(rf"\1{MARK}", value)
    if _START.match(text) and not _NUMBER.fullmatch(text):
        return MARK + text
    return text


def neutralised_row(values: Iterable[Any]) -> list[Any]:
    """The cells of a row, each neutralised."""
    return [neutralised(value) for value in values]
