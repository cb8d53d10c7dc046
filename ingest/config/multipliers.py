"""Reads `MINUTE_MULTIPLIERS`: by which factor the minutes of a runner are billed."""

import re
from collections.abc import Iterator

from ci_observer.ingest.errors import ConfigError

# Name → factor. A name is an operating system, or the label of a runner.
Multipliers = tuple[tuple[str, float], ...]

# https://docs.github.com/en/billing/concepts/product-billing/github-actions
# GitHub bills no minutes of self-hosted runners.
GITHUBS: dict[str, float] = {"linux": 1, "windows": 2, "macos": 10, "self-hosted": 0}
MAX_FACTOR = 1000
_FACTOR = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4})?")
# A word of letters is a misspelt operating system rather than a label.
_LABEL = re.compile(r"[\w.-]*[-_.0-9][\w.-]*", re.ASCII)


def parse_multipliers(text: str, name: str) -> Multipliers:
    """GitHub's factors, with those in the text instead; raises `ConfigError`."""
    found: dict[str, float] = {}
    for key, factor in _pairs(text, name):
        if key in found:
            raise ConfigError(f"{name}: {key} is there twice. Write it once.")
        found[key] = factor
    return tuple((GITHUBS | found).items())


def multipliers_text(multipliers: Multipliers) -> str:
    """The factors as the setting writes them: `linux=1,windows=2`."""
    return ",".join(f"{key}={factor:g}" for key, factor in multipliers)


def _pairs(text: str, name: str) -> Iterator[tuple[str, float]]:
    for item in filter(None, map(str.strip, text.split(","))):
        key, _, number = (part.strip() for part in item.partition("="))
        key = key.lower()
        if not _FACTOR.fullmatch(number) or float(number) > MAX_FACTOR:
            raise ConfigError(
                f"{name}: {item!r} is not a name with a factor from 0 to {MAX_FACTOR}."
                " Write for example linux=1,windows=2,macos=10"
            )
        if key not in GITHUBS and not _LABEL.fullmatch(key):
            raise ConfigError(
                f"{name}: {key!r} is not linux, windows, macos or self-hosted, and not"
                " the label of a larger runner, such as macos-latest-xlarge."
            )
        yield key, float(number)
