"""The dashboard's charts: each gives exact rows, within its window."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from dashboards import CHARTS, SATURDAY, SUNDAY, chart_rows, fill
from datasette.app import Datasette
from web_client import serving_example

ROOT = Path(__file__).parents[2]

in_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def datasette(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Datasette]:
    """Datasette as `serve` runs it, on the example; no test writes to it."""
    folder = tmp_path_factory.mktemp("example")
    async with serving_example(folder, fill) as datasette:
        yield datasette


CI = {"repo": "acme/api", "workflow": "ci.yml", "workflow_name": "CI"}

EXPECTED: dict[str, list[dict[str, Any]]] = {
    "runs": [{"runs": 8, "successes": 3}],
    "failure-rate": [{"runs": 5, "failures": 2, "failure_rate": 0.4}],
    "median-duration": [{"runs": 2, "p50_seconds": 10}],
    "rerun-rate": [{"runs": 8, "reruns": 1, "rerun_rate": 0.125}],
    "runs-by-day": [
        {
            **SATURDAY,
            "success": 2,
            "failure": 1,
            "timed_out": 0,
            "startup_failure": 0,
            "cancelled": 0,
            "skipped": 0,
            "other": 0,
            "unfinished": 0,
            "runs": 3,
            "other_conclusions": "[]",
            "unfinished_statuses": "[]",
        },
        {
            **SUNDAY,
            "success": 1,
            "failure": 0,
            "timed_out": 1,
            "startup_failure": 0,
            "cancelled": 1,
            "skipped": 1,
            "other": 1,
            "unfinished": 1,
            "runs": 6,
            # None is among them in case it is stored, too.
            "other_conclusions": '["brand new","null"]',
            "unfinished_statuses": '["queued"]',
        },
    ],
    "failure-rate-by-day": [
        {
            **SATURDAY,
            "failures": 1,
            "runs": 3,
            "failure_rate": 0.3333,
            "week_failure_rate": 0.3333,
        },
        {
            **SUNDAY,
            "failures": 1,
            "runs": 2,
            "failure_rate": 0.5,
            "week_failure_rate": 0.4,
        },
    ],
    "duration-by-day": [
        {**SATURDAY, "p50_seconds": 10, "p95_seconds": 10, "runs": 1},
        {**SUNDAY, "p50_seconds": 40, "p95_seconds": 40, "runs": 1},
    ],
    "success-by-workflow": [
        {**CI, "success_rate": 0.6, "successes": 3, "failures": 2, "runs": 5}
    ],
    "duration-by-workflow": [{**CI, "p50_seconds": 10, "p95_seconds": 40, "runs": 2}],
    "flaky-by-workflow": [
        {
            **CI,
            "flaky_per_100_runs": 20.0,
            "flaky_commits": 1,
            "runs": 5,
            "since": SATURDAY["since"],
            "until": SUNDAY["until"],
        }
    ],
}


def test_every_chart_with_a_query_has_expected_rows():
    assert [name for name, chart in CHARTS.items() if "query" in chart] == list(
        EXPECTED
    )


@pytest.mark.parametrize("chart", EXPECTED)
def test_a_chart_is_configured_for_the_columns_that_it_has(chart):
    """So that its table, its links and its empty state do not miss a value."""
    config, [row, *_] = CHARTS[chart], EXPECTED[chart]
    shown = [column["field"] for column in config.get("columns", [])]
    shown += [config["display"]["field"]] if config["library"] == "metric" else []
    named = re.findall(r"\{(\w+)", str(config["display"].get("note", "")))
    lists = re.findall(r"'\$(\w+)'", str(config.get("columns", "")))

    assert {*shown, *named, *lists} <= {*row}
    assert config.get("count", "runs") in row
    assert config["library"] == "metric" or config["empty"]


@in_loop
@pytest.mark.parametrize("chart", EXPECTED)
async def test_a_chart_draws_exactly(datasette, chart):
    assert await chart_rows(datasette, chart, days="2") == EXPECTED[chart]


@in_loop
@pytest.mark.parametrize("chart", EXPECTED)
async def test_a_chart_takes_every_filter_and_finds_nothing_of_others(datasette, chart):
    filters = {
        "repo": "acme/api",
        "workflow": "ci.yml",
        "branch": "main",
        "days": "30",
        "until": "2026-01-01",
    }

    rows = await chart_rows(datasette, chart, **filters)

    count = CHARTS[chart].get("count", "runs")
    assert sum(row[count] for row in rows) == 0
    by_day = {"runs-by-day", "failure-rate-by-day", "duration-by-day"}
    assert len(rows) == (
        30 if chart in by_day else CHARTS[chart]["library"] == "metric"
    )


@in_loop
@pytest.mark.parametrize(
    ("filters", "runs"),
    [
        ({}, 9),
        ({"days": ""}, 9),
        ({"days": "3"}, 9),
        ({"days": "2"}, 8),
        ({"days": "1"}, 5),
        ({"days": "0"}, 5),
        ({"days": "2", "until": "2026-02-28"}, 4),
        ({"until": "nonsense"}, 0),
        ({"repo": "ACME/api"}, 9),
        ({"repo": "acme/web"}, 0),
        ({"workflow": "other.yml"}, 0),
        # The fork's main is not ours.
        ({"branch": "main", "days": "1"}, 4),
        ({"branch": "other"}, 0),
    ],
    ids=str,
)
async def test_filters_and_window_limit_the_counted_runs(datasette, filters, runs):
    [row] = await chart_rows(datasette, "runs", **filters)

    assert row["runs"] == runs
