"""The filters of a URL: parsed, checked, and written back."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ci_observer.csv_formulas import CHOICES
from ci_observer.web.errors import BadRequest
from ci_observer.web.vocabulary import STATES

MAX_LIMIT = 1000
MAX_ARGUMENTS = 100
MAX_WORDS = 10
# SQLite refuses patterns of 50,000 bytes, and a title has fewer characters.
MAX_TEXT = 500

# Filter → column of `runs`; on the wall the branch is the tile's.
COLUMNS = {
    "repo": "repo",
    "workflow": "workflow",
    "branch": "head_branch",
    "status": "status",
    "conclusion": "conclusion",
    "event": "event",
    "actor": "actor",
}
COMMON = (*COLUMNS, "since", "until", "q")
WALL = (*COMMON, "state")
EXPORT = (*COMMON, "raw")
EXPORT_CSV = (*EXPORT, "formulas")
RUNS = (*EXPORT, "limit", "cursor")
EVERY = (*RUNS, "state")

Arguments = Mapping[str, Iterable[str]] | Iterable[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Filters:
    """A selection of runs or tiles.

    Several values of a filter mean "or", several filters "and". `since` and `until` are
    whole seconds in UTC, both inclusive.
    """

    repo: tuple[str, ...] = ()
    workflow: tuple[str, ...] = ()
    branch: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    conclusion: tuple[str, ...] = ()
    event: tuple[str, ...] = ()
    actor: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    q: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    limit: int = 100
    cursor: str | None = None
    raw: bool = False
    # How to write CSV; None for the setting `CSV_FORMULAS`.
    formulas: str | None = None

    @classmethod
    def from_args(cls, args: Arguments, allowed: Iterable[str] = EVERY) -> "Filters":
        """Parse a URL's arguments: a multi-dict, or (name, value) pairs.

        An empty value, as an HTML form sends it, is no filter. Raises `BadRequest` for
        a filter that is not `allowed` and for a bad value.
        """
        given: dict[str, list[str]] = {}
        for name, value in _pairs(args):
            if name not in allowed:
                raise BadRequest(
                    f"Unknown filter {name!r}. Allowed: {', '.join(allowed)}."
                )
            if value.strip():
                given.setdefault(name, []).append(value.strip())
        return cls(**{name: _PARSERS[name](values) for name, values in given.items()})

    @classmethod
    @lru_cache(maxsize=500)
    def from_query(cls, query: str, allowed: tuple[str, ...] = EVERY) -> "Filters":
        """Parse a query string. Raises `BadRequest` as `from_args` does.

        Cached, because a page requests the same few URLs again and again.
        """
        try:
            pairs = parse_qsl(
                query, keep_blank_values=True, max_num_fields=MAX_ARGUMENTS
            )
        except ValueError:
            raise BadRequest(
                f"Too many arguments: a URL may have {MAX_ARGUMENTS}."
            ) from None
        return cls.from_args(pairs, allowed)

    def to_query(self) -> str:
        """The query string that `from_query` reads as these filters."""
        return urlencode(self.to_pairs())

    def to_pairs(self) -> list[tuple[str, str]]:
        """The (name, value) pairs of the filters that are set."""
        pairs: list[tuple[str, str]] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value == field.default:
                continue
            values = value if isinstance(value, tuple) else (value,)
            pairs += [(field.name, "1" if v is True else str(v)) for v in values]
        return pairs


def _pairs(args: Arguments) -> Iterable[tuple[str, str]]:
    if not isinstance(args, Mapping):
        return args
    return [(name, value) for name, values in args.items() for value in values]


def _strings(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _texts(values: list[str]) -> tuple[str, ...]:
    # SQLite's like reads no further than a NUL.
    texts = _strings([" ".join(value.replace("\0", " ").split()) for value in values])
    texts = tuple(filter(None, texts))
    if any(len(text) > MAX_TEXT for text in texts):
        raise BadRequest(f"q takes at most {MAX_TEXT} characters, in a few words.")
    if any(len(text.split()) > MAX_WORDS for text in texts):
        raise BadRequest(f"q takes at most {MAX_WORDS} words, for example q=deploy.")
    return texts


def _states(values: list[str]) -> tuple[str, ...]:
    for value in values:
        if value not in STATES:
            raise BadRequest(f"Unknown state {value!r}. Allowed: {', '.join(STATES)}.")
    return _strings(values)


def _earliest(values: list[str]) -> str:
    return min(_instant("since", value, "00:00:00") for value in values)


def _latest(values: list[str]) -> str:
    return max(_instant("until", value, "23:59:59") for value in values)


def _instant(name: str, value: str, time_of_day: str) -> str:
    """A date, or a date and time, as the database writes times."""
    # In a URL the + of "+01:00" means a space.
    text = value.replace(" ", "+") if "T" in value else value
    try:
        if len(text) == len("2026-03-01"):
            text += f"T{time_of_day}"
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        plain = instant.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"{name}={value} is not a time. Write {name}=2026-03-01 or "
            f"{name}=2026-03-01T12:00:00Z."
        ) from None
    return f"{plain.isoformat()}Z"


def _limit(values: list[str]) -> int:
    value = values[-1]
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:5]) <= MAX_LIMIT):
        raise BadRequest(f"limit={value} is not a number from 1 to {MAX_LIMIT}.")
    return int(value)


def _cursor(values: list[str]) -> str:
    return values[-1]


def _raw(values: list[str]) -> bool:
    if values[-1] not in ("0", "1"):
        raise BadRequest(f"raw={values[-1]} is not 0 or 1. Write raw=1 for raw_json.")
    return values[-1] == "1"


def _formulas(values: list[str]) -> str:
    if values[-1] not in CHOICES:
        raise BadRequest(
            f"formulas={values[-1]} is not known. Write formulas=keep for cells as they"
            " are, or formulas=neutralise."
        )
    return values[-1]


_PARSERS: dict[str, Callable[[list[str]], Any]] = {
    **dict.fromkeys(COLUMNS, _strings),
    "since": _earliest,
    "until": _latest,
    "q": _texts,
    "state": _states,
    "limit": _limit,
    "cursor": _cursor,
    "raw": _raw,
    "formulas": _formulas,
}
