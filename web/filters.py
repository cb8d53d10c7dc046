"""The filters of a URL: which are allowed, parsed, and written back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ci_observer.web.errors import BadRequest
from ci_observer.web.parameters import PARAMETERS, day

MAX_ARGUMENTS = 100

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
WALL = (*COMMON, "state", "team")
PEERS = "peers"
WALL_AND_PEERS = (*WALL, PEERS)
# The wall of now, or that of a past time.
ANY_WALL = (*WALL_AND_PEERS, "at")
EXPORT = (*COMMON, "raw")
EXPORT_CSV = (*EXPORT, "formulas")
RUNS = (*EXPORT, "limit", "cursor", PEERS)
FEED = (*WALL, "limit")
BADGE = ("branch", "label")
ATTEMPTS = (*COMMON, "limit", "cursor")
ATTEMPTS_EXPORT = (*COMMON, "formulas")
JOBS_COMMON = (*COLUMNS, "job", "since", "until")
JOBS = (*JOBS_COMMON, "limit", "cursor")
STATS_COMMON = ("repo", "workflow", "since", "until", "default_branch")
STATS = (*STATS_COMMON, "limit", "cursor")
EVERY = (*RUNS, "state", "team", "at", "label")

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
    team: tuple[str, ...] = ()
    # A time of the past, as `parameters.past_time` reads it.
    at: str | None = None
    limit: int = 100
    cursor: str | None = None
    raw: bool = False
    # The name of a job.
    job: tuple[str, ...] = ()
    # Only the default branch of each repository.
    default_branch: bool = False
    # How to write CSV; None for the setting `CSV_FORMULAS`.
    formulas: str | None = None
    # "no" for the data of this instance only.
    peers: str | None = None
    # The text on the left of a badge.
    label: str | None = None

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
        return cls(**{name: cls._parse(name, values) for name, values in given.items()})

    @classmethod
    def _parse(cls, name: str, values: list[str]) -> Any:
        return PARAMETERS[name].parse(values)

    @classmethod
    @lru_cache(maxsize=500)
    def from_query(cls, query: str, allowed: tuple[str, ...] = EVERY) -> "Filters":
        """Parse a query string. Raises `BadRequest` as `from_args` does.

        Cached, because a page requests the same few URLs again and again.
        """
        return cls.from_args(pairs_of(query), allowed)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """The hash of all filters. A request looks its response up several times."""
        return hash(tuple(getattr(self, name) for name in _DEFAULTS))

    def names(self) -> list[str]:
        """The names of the filters that are set."""
        return [n for n, default in _DEFAULTS.items() if getattr(self, n) != default]

    def to_query(self) -> str:
        """The query string that `from_query` reads as these filters."""
        return urlencode(self.to_pairs())

    def to_pairs(self) -> list[tuple[str, str]]:
        """The (name, value) pairs of the filters that are set."""
        pairs: list[tuple[str, str]] = []
        for name in self.names():
            value = getattr(self, name)
            values = value if isinstance(value, tuple) else (value,)
            pairs += [(name, "1" if v is True else str(v)) for v in values]
        return pairs


_DEFAULTS = {field.name: field.default for field in fields(Filters)}


@dataclass(frozen=True, kw_only=True)
class DayFilters(Filters):
    """The same for days: `since` and `until` are days of the instance's time zone."""

    @classmethod
    def _parse(cls, name: str, values: list[str]) -> Any:
        if name in ("since", "until"):
            choose = min if name == "since" else max
            return choose(day(name, value) for value in values)
        return super()._parse(name, values)


@lru_cache(maxsize=500)
def pairs_of(query: str) -> tuple[tuple[str, str], ...]:
    """The (name, value) pairs of a query string. Raises `BadRequest` for too many."""
    try:
        return tuple(
            parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_ARGUMENTS)
        )
    except ValueError:
        raise BadRequest(
            f"Too many arguments: a URL may have {MAX_ARGUMENTS}."
        ) from None


def _pairs(args: Arguments) -> Iterable[tuple[str, str]]:
    if not isinstance(args, Mapping):
        return args
    return [(name, value) for name, values in args.items() for value in values]
