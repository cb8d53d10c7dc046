"""The options of the command `lake`, without the packages that it needs."""

import re
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec

from ci_observer.ingest.errors import ConfigError, LakeError

MISSING = (
    "The lake needs the package deltalake, which is not installed here. Install it with"
    " pip install 'ci-observer[lake]'."
)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MIN_EVERY, MIN_RETENTION = "1m", "7d"


def ensure_installed() -> None:
    """Raise `LakeError` if deltalake is not installed."""
    if find_spec("deltalake") is None:
        raise LakeError(MISSING)


@dataclass(frozen=True)
class Options:
    """How often to merge, None for once; how long to keep replaced files."""

    every: timedelta | None
    retention: timedelta
    is_optimized: bool

    @classmethod
    def of(cls, *, every: str | None, retention: str, is_optimized: bool) -> "Options":
        """Parse the options. Raises `ConfigError`."""
        return cls(
            None if every is None else _duration("--every", every, MIN_EVERY),
            _duration("--retention", retention, MIN_RETENTION),
            is_optimized,
        )


def _duration(name: str, text: str, shortest: str) -> timedelta:
    """A duration such as 10m, of at least `shortest`."""
    match = re.fullmatch(r"(\d{1,5})([smhd])", text.strip())
    if match is None:
        raise ConfigError(
            f"{name} {text!r} is no duration. Write a number and s, m, h or d, such as"
            " 10m or 2h."
        )
    found = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if text != shortest and found < _duration(name, shortest, shortest):
        raise ConfigError(f"{name} {text} is too short: it is at least {shortest}.")
    return found
