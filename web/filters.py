"""The filters of a URL: which are allowed, parsed, and written back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

from ci_observer.web.errors import BadRequest
from ci_observer.web.parameters import PARAMETERS

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
        return cls(
            **{name: PARAMETERS[name].parse(values) for name, values in given.items()}
        )

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
