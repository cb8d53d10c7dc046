"""Every chart shows what a slow statement over all runs and jobs gives."""

from typing import Any

import pytest
from chart_references import REFERENCES
from dashboards import ALL_CHARTS
from datasette_dashboards import replace_opts_in_query
from sqlite_utils import Database

from ci_observer.web.pages.dashboard import PERIOD

FILTERS = ("repo", "workflow", "branch", "days", "until")
SELECTIONS: list[dict[str, str]] = [
    {},
    {"days": "1"},
    {"days": "366"},
    {"days": "60", "until": "2026-02-10"},
    {"days": "90", "repo": "ACME/api"},
    {"days": "90", "workflow": "ci.yml"},
    {"days": "90", "repo": "acme/web", "workflow": "ci.yml"},
    {"days": "90", "branch": "main"},
    {"days": "90", "branch": "main", "repo": "acme/api", "workflow": "lint.yml"},
    {"days": "90", "branch": "trunk"},
    {"days": "90", "branch": "change"},
    {"days": "45", "branch": "v1", "repo": "acme/api"},
    {"days": "90", "branch": "none"},
]
# Above this number of values a percentile comes from buckets.
LIMIT = "5000"
# The columns of a key, and those that a percentile fills.
KEYS = ("day", "hour", "label", "repo", "workflow")
PERCENTILES = ("p50_seconds", "p95_seconds")
# Half of the width of a bucket, and of the last digit of its value.
ERROR = {"rel": 0.025, "abs": 0.01}

Rows = dict[tuple[Any, ...], dict[str, Any]]


def rows(db: Database, sql: str, params: dict[str, Any]) -> Rows:
    """The rows by their keys."""
    found = list(db.query(sql, params))
    assert len({_key(row) for row in found}) == len(found)
    return {_key(row): row for row in found}


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(str(row[name]).casefold() for name in KEYS if name in row)


def shown(db: Database, chart: str, selection: dict[str, str], limit: str) -> Rows:
    query = ALL_CHARTS[chart]["query"].replace(LIMIT, limit)
    sql = replace_opts_in_query(query, selection)
    return rows(db, sql, dict.fromkeys(FILTERS, "") | selection)


def expected(db: Database, chart: str, selection: dict[str, str]) -> Rows:
    params: dict[str, Any] = dict.fromkeys(FILTERS, "") | selection
    period = {"days": int(params["days"] or 30), "until": params["until"] or None}
    [days] = db.query(PERIOD, period)
    return rows(db, REFERENCES[chart], params | days)


def assert_equal(found: Rows, wanted: Rows, error: dict[str, float]) -> None:
    for key, row in wanted.items():
        for name, value in row.items():
            if name in PERCENTILES and value is not None and error:
                assert found[key][name] == pytest.approx(value, **error), (key, name)
            elif name not in KEYS:
                assert found[key][name] == value, (key, name)
    for key in found.keys() - wanted.keys():
        # A day or an hour without runs.
        assert not any(isinstance(v, int | float) and v for v in _numbers(found[key]))


def _numbers(row: dict[str, Any]) -> list[Any]:
    return [value for name, value in row.items() if name not in KEYS]


def test_every_chart_has_a_reference() -> None:
    assert set(REFERENCES) == set(ALL_CHARTS)


@pytest.mark.parametrize("chart", ALL_CHARTS)
def test_a_chart_equals_its_reference(varied: Database, chart: str) -> None:
    for selection in SELECTIONS:
        found = shown(varied, chart, selection, LIMIT)
        assert_equal(found, expected(varied, chart, selection), {})


@pytest.mark.parametrize(
    "chart", [name for name, chart in ALL_CHARTS.items() if LIMIT in chart["query"]]
)
def test_a_percentile_of_many_values_is_near_its_reference(
    varied: Database, chart: str
) -> None:
    for selection in SELECTIONS:
        found = shown(varied, chart, selection, "3")
        assert_equal(found, expected(varied, chart, selection), ERROR)
