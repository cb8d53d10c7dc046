"""Counting the runs of a selection: the query plans, and how far it goes."""

from itertools import combinations

import pytest
from sqlite_utils import Database

from ci_observer.web.api.run_counts import LIMITS, count_sql
from ci_observer.web.filters import COLUMNS, Filters

TOTAL = 1_000_000
CHOSEN = {
    **{name: f"{name}=a" for name in COLUMNS},
    "span": "since=2026-01-01&until=2026-03-01",
    "q": "q=deploy",
}
SELECTIONS = [
    names for size in range(1, len(CHOSEN) + 1) for names in combinations(CHOSEN, size)
]


def chosen(names: tuple[str, ...]) -> Filters:
    return Filters.from_query("&".join(CHOSEN[name] for name in names))


def counts(names: tuple[str, ...], runs: int) -> dict[str, int]:
    return {"all": TOTAL} | {name: runs for name in names if name in COLUMNS}


@pytest.mark.parametrize("runs", [TOTAL // 2, 50])
def test_every_count_uses_an_index_and_sorts_nothing(db: Database, runs: int) -> None:
    for names in SELECTIONS:
        sql, params, _ = count_sql(chosen(names), counts(names, runs))
        rows = db.execute(f"explain query plan {sql}", params).fetchall()
        plan = [row[3] for row in rows]
        [step] = [step for step in plan if " runs " in step]

        assert " USING " in step, names
        assert not [step for step in plan if "TEMP B-TREE" in step], names
        # Rows are read only for a text, or for a column that no index has.
        if runs > LIMITS[0] and not {"q", "status"} & {*names}:
            assert "COVERING INDEX" in step, names


def test_a_dear_count_stops_earlier() -> None:
    names = ("conclusion", "event")
    _, _, common = count_sql(chosen(names), counts(names, TOTAL // 2))
    _, _, rare = count_sql(chosen(names), counts(names, TOTAL // 50))

    assert (common, rare) == LIMITS
