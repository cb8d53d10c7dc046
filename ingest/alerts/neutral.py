"""Texts of GitHub in messages: no mention, no link, no markup. Pure functions.

Whoever opens an issue or a pull request may choose the title of a run. Each service has
its own signs, and each of them is replaced in a way that is still readable.
"""

import re

from ci_observer.ingest.texts import one_line

MAX_TEXT = 100
# `@here`, `<!channel>`, `<@U1>`, `<at>`, HTML, code, styles and spoilers.
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("@\uff20\ufe6b", "(at)"),
        **dict.fromkeys("<\uff1c\ufe64", "\u2039"),
        **dict.fromkeys(">\uff1e\ufe65", "\u203a"),
        "`": "'",
        "*": "\u2217",
        "|": "\u00a6",
        "~": "\u223c",
    }
)
# A text with an address behind it, an address that becomes a link, and an entity.
_LINK, _ADDRESS, _ENTITY = (
    re.compile(r"\]\s*\("),
    re.compile(r"://"),
    re.compile(r"&(?=#|\w+;)"),
)
_WEB = re.compile(r"\bwww\.", re.I)
_URL = re.compile(r"https?://[\w.:\[\]-]+/[\w./%~+-]*")


def neutral(text: str | None, length: int = MAX_TEXT) -> str:
    """A text on one line that means nothing to a service, of limited length."""
    safe = one_line(text or "", length).translate(_SIGNS)
    safe = _LINK.sub("] (", safe)
    safe = _ADDRESS.sub(": //", safe)
    safe = _WEB.sub("www .", safe)
    safe = _ENTITY.sub("& ", safe)
    return safe if len(safe) <= length else f"{safe[: length - 1]}\u2026"


def link(url: str | None) -> str:
    """A run's address; empty unless it is plainly one."""
    return url if url and len(url) <= 300 and _URL.fullmatch(url) else ""  # noqa: PLR2004
