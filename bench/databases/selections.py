"""The measured selections of `/api/runs`: each filter alone, and combinations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import combinations
from sqlite3 import Connection

from ci_observer.ingest.times import utc
from ci_observer.web.api.cursors import encode_cursor
from ci_observer.web.filters import COLUMNS, Filters

Values = Mapping[str, Sequence[str]]
Selections = dict[str, Filters]

UNKNOWN = "no-such-value"


@dataclass(frozen=True)
class Span:
    """The time from the first run of a database to its last."""

    first: datetime
    last: datetime

    @classmethod
    def of(cls, db: Connection) -> "Span":
        [row] = db.execute("select min(started_at), max(started_at) from runs")
        return cls(*map(datetime.fromisoformat, row))

    def at(self, share: float, seconds: int = 0) -> str:
        """The time at this share (0 to 1) of the span, minus some seconds."""
        time = self.first + (self.last - self.first) * share
        return utc(time - timedelta(seconds=seconds))

    def cursor(self, share: float, seconds: int = 0) -> str:
        """The cursor of a page that starts at `at(share, seconds)`."""
        return encode_cursor(f'["{self.at(share, seconds)}", 0]')


def common_values(db: Connection) -> Values:
    """The two most common values of each filter, and a common word of titles."""
    [[title]] = db.execute("select display_title from runs order by run_id limit 1")
    return {**_values(db, "desc"), "q": [max(title.split(), key=len)]}


def rare_values(db: Connection) -> Values:
    """The two rarest values of each filter, and a word of no title."""
    return {**_values(db, "asc"), "q": [UNKNOWN]}


def _values(db: Connection, order: str) -> dict[str, list[str]]:
    return {
        name: [
            row[0]
            for row in db.execute(
                f"select {column} from runs where {column} is not null"  # noqa: S608
                f" group by 1 order by count(*) {order}, 1 limit 2"
            )
        ]
        for name, column in COLUMNS.items()
    }


def pages(values: Values, span: Span) -> Selections:
    """First and deep pages of all kinds of selections, by name."""
    first = first_pages(values, span)
    return first | deep_pages(first, span)


def first_pages(values: Values, span: Span) -> Selections:
    """No filter; one, two or three filters; two values of a filter; words; times."""
    found: Selections = {"none": Filters()}
    for count in (1, 2, 3):
        for names in combinations((*COLUMNS, "q"), count):
            found["+".join(names)] = _filters(values, names)
    for name in COLUMNS:
        found[f"{name} or {name}"] = filters_of({name: values[name]})
    times = {"since": [span.at(0.2)], "until": [span.at(0.8)]}
    for names in ((), *((name,) for name in COLUMNS)):
        for bounds in (("since",), ("until",), ("since", "until")):
            both = (*names, *bounds)
            found["+".join(both)] = _filters({**values, **times}, both)
    return found


def deep_pages(selections: Selections, span: Span) -> Selections:
    """The same selections, with a cursor in the middle of the span."""
    cursor = span.cursor(0.5)
    return {
        f"{name}, deep": replace(filters, cursor=cursor)
        for name, filters in selections.items()
    }


def rare_pages(common: Values, rare: Values, span: Span) -> Selections:
    """Rare values, alone and with a common one, and values that no run has."""
    found: Selections = {}
    for name in (*COLUMNS, "q"):
        found[f"rare {name}"] = _filters(rare, (name,))
        for other in COLUMNS:
            if other != name:
                both = {**common, name: rare[name]}
                found[f"rare {name}+{other}"] = _filters(both, (name, other))
        found[f"unknown {name}"] = filters_of({name: [UNKNOWN]})
    found["repo+branch of another repo"] = Filters(
        repo=(rare["repo"][0],), branch=(common["branch"][1],)
    )
    found["before the first run"] = Filters(until=span.at(0, seconds=1))
    return found


def filters_of(values: Values) -> Filters:
    """The filters with these values."""
    return Filters.from_args(values)


def _filters(values: Values, names: Iterable[str]) -> Filters:
    return filters_of({name: values[name][:1] for name in names})
