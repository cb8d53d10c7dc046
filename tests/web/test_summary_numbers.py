"""The numbers of a summary: as on the dashboards, by slow statements, and by hand."""
# ruff: noqa: S608 (own names, and no value)

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from archive import NOW, save_runs, set_clock, watch
from chart_references import REFERENCES
from dashboards import ALL_CHARTS, fill
from dashboards import run as run_at
from datasette_dashboards import replace_opts_in_query
from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.store import instance
from ci_observer.web.errors import BadRequest
from ci_observer.web.pages.dashboard import PERIOD
from ci_observer.web.summary import queries
from ci_observer.web.summary.report import read_report
from ci_observer.web.summary.span import Request

SELECTIONS: list[dict[str, str]] = [
    {},
    {"days": "60", "until": "2026-02-10"},
    {"days": "90", "repo": "ACME/api"},
    {"days": "45", "repo": "acme/web", "workflow": "ci.yml", "until": "2026-01-31"},
]
FILTERS = ("repo", "workflow", "branch", "days", "until")
BY_WORKFLOW = ("repo", "workflow")
Numbers = dict[str, Any]


def summary(db: Database, **arguments: str) -> Numbers:
    """The numbers of `/api/summary`."""
    [path] = [row[2] for row in db.execute("pragma database_list") if row[1] == "main"]
    with closing(sqlite3.connect(path)) as conn:
        conn.row_factory = sqlite3.Row
        return read_report(conn, Request.from_pairs(arguments.items())).data


def chart(db: Database, name: str, selection: dict[str, str]) -> list[Numbers]:
    """The rows of a dashboard's chart for the same days and filters."""
    selection = {"days": "7"} | selection
    sql = replace_opts_in_query(ALL_CHARTS[name]["query"], selection)
    return list(db.query(sql, dict.fromkeys(FILTERS, "") | selection))


def reference(db: Database, name: str, selection: dict[str, str]) -> list[Numbers]:
    """The rows of the chart, computed slowly from all runs and jobs."""
    params: Numbers = dict.fromkeys(FILTERS, "") | {"days": "7"} | selection
    period = {"days": int(params["days"]), "until": params["until"] or None}
    [days] = db.query(PERIOD, period)
    return list(db.query(REFERENCES[name], params | days))


def by_workflow(rows: list[Numbers], *names: str) -> Numbers:
    """Values by workflow, of the rows that have any."""
    return {
        (row["repo"].casefold(), row["workflow"]): tuple(row[name] for name in names)
        for row in rows
        if any(row[name] for name in names)
    }


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_the_totals_are_those_of_the_dashboards(
    varied: Database, selection: dict[str, str]
) -> None:
    total = summary(varied, **selection)["total"]
    [runs], [failures], [median], [reruns], [queue], [minutes] = (
        chart(varied, name, selection)
        for name in (
            *("runs", "failure-rate", "median-duration", "rerun-rate"),
            *("queue-time", "minutes"),
        )
    )

    assert total["finished_runs"] == runs["runs"]
    assert total["decided_runs"] == failures["runs"]
    assert total["failed_runs"] == (failures["failures"] or 0)
    assert total["timed_runs"] == median["runs"]
    assert total["duration_p50_seconds"] == median["p50_seconds"]
    assert total["rerun_runs"] == (reruns["reruns"] or 0)
    assert total["queued_runs"] == queue["runs"]
    for name in ("p50", "p95"):
        assert total[f"queue_{name}_seconds"] == queue[f"{name}_seconds"]
    assert total["jobs"] == minutes["jobs"]
    assert round(total["run_minutes"]) == pytest.approx(minutes["minutes"] or 0, abs=1)
    assert total["billed_minutes"] == (minutes["billed_minutes"] or 0)


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_the_workflows_are_those_of_slow_statements(
    varied: Database, selection: dict[str, str]
) -> None:
    rows = summary(varied, **selection)["workflows"]
    times = reference(varied, "duration-by-workflow", selection)
    queue = reference(varied, "queue-by-workflow", selection)
    rates = reference(varied, "success-by-workflow", selection)
    flaky = reference(varied, "flaky-by-workflow", selection)

    names = ("duration_p50_seconds", "duration_p95_seconds", "timed_runs")
    assert by_workflow(rows, *names) == by_workflow(
        times, "p50_seconds", "p95_seconds", "runs"
    )
    names = ("queue_p50_seconds", "queue_p95_seconds", "queued_runs")
    assert by_workflow(rows, *names) == by_workflow(
        queue, "p50_seconds", "p95_seconds", "runs"
    )
    assert by_workflow(rows, "failed_runs", "decided_runs") == by_workflow(
        rates, "failures", "runs"
    )
    assert by_workflow(rows, "flaky_commits") == by_workflow(flaky, "flaky_commits")


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_queues_and_waste_are_those_of_slow_statements(
    varied: Database, selection: dict[str, str]
) -> None:
    data = summary(varied, **selection)
    by_label, by_hour, waste = (
        reference(varied, name, selection)
        for name in ("queue-by-label", "queue-by-hour", "wasted-by-reason")
    )

    found = {
        ", ".join(row["labels"]): (row["jobs"], row["queue_p95_seconds"])
        for row in data["queue_labels"]
    }
    assert found == {r["label"]: (r["jobs"], r["p95_seconds"]) for r in by_label}
    hours = {
        row["hour"]: (row["jobs"], row["queue_p50_seconds"])
        for row in data["queue_hours"]
    }
    assert hours == {r["hour"]: (r["jobs"], r["p50_seconds"]) for r in by_hour}
    jobs = {row["reason"]: row["jobs"] for row in data["waste"] if row["jobs"]}
    assert sorted(jobs.values()) == sorted(row["jobs"] for row in waste)


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_triggers_and_hours_are_those_of_all_runs(
    varied: Database, selection: dict[str, str]
) -> None:
    data = summary(varied, **selection)
    where = "day between ? and ?"
    params: list[Any] = [data["span"]["first_day"], data["span"]["last_day"]]
    for name in ("repo", "workflow"):
        if name in selection:
            where += f" and {name} = ?"
            params.append(selection[name])

    def counted(sql: str) -> dict[Any, int]:
        rows = varied.execute(
            f"select {sql}, count(*) from run_days where {where} group by 1", params
        )
        return dict(rows.fetchall())

    assert {row["event"]: row["runs"] for row in data["events"]} == counted("event")
    assert {row["actor"]: row["runs"] for row in data["actors"]} == counted("actor")
    # Central European Time: all examples are in winter.
    local = "datetime(started_at, '+1 hour')"
    assert {
        f"{row['weekday'] % 7} {row['hour']:02}": row["runs"] for row in data["hours"]
    } == counted(f"strftime('%w %H', {local})")
    assert sum(row["runs"] for row in data["hours"]) == data["total"]["runs"]


def test_the_span_before_has_the_numbers_that_it_has_as_a_span(
    varied: Database,
) -> None:
    now = summary(varied, days="30", until="2026-02-20")
    before = summary(varied, days="30", until=now["before"]["last_day"])

    def without(row: Numbers) -> Numbers:
        of_now = ("before", "state", "since_at", "muted_workflows")
        return {name: value for name, value in row.items() if name not in of_now}

    assert now["total"]["before"] == without(before["total"])
    former = {(r["repo"], r["workflow"]): without(r) for r in before["workflows"]}
    for row in now["workflows"]:
        names = {name: row[name] for name in (*BY_WORKFLOW, "workflow_name")}
        assert row["before"] | names == former[row["repo"], row["workflow"]]


def test_repositories_and_the_total_are_sums_and_no_averages(
    varied: Database,
) -> None:
    data = summary(varied, days="90")

    for name in ("runs", "decided_runs", "failed_runs", "timed_runs", "jobs"):
        for rows in (data["repositories"], data["workflows"]):
            assert sum(row[name] for row in rows) == data["total"][name]
    [repo] = (row for row in data["repositories"] if row["repo"] == "acme/api")
    only = summary(varied, days="90", repo="acme/api")["total"]
    assert repo["duration_p50_seconds"] == only["duration_p50_seconds"]
    assert repo["failure_rate_percent"] == only["failure_rate_percent"]


def test_percentiles_of_many_values_are_near_the_exact_ones(
    varied: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = summary(varied, days="90")
    monkeypatch.setattr(queries, "MOST_EXACT", 3)
    rounded = summary(varied, days="90")

    for name in ("duration_p50_seconds", "duration_p95_seconds", "queue_p95_seconds"):
        assert rounded["total"][name] == pytest.approx(exact["total"][name], rel=0.025)
        assert rounded["total"][name] != exact["total"][name]
    assert rounded["total"]["timed_runs"] == exact["total"]["timed_runs"]


def test_two_days_by_hand(db: Database) -> None:
    fill(db)
    data = summary(db, days="2")
    total = data["total"]

    assert data["span"] == {
        "first_day": "2026-02-28",
        "last_day": "2026-03-01",
        "days": 2,
        "since": "2026-02-27T23:00:00Z",
        "until": "2026-03-01T23:00:00Z",
        "is_over": False,
    }
    assert data["before"]["first_day"] == "2026-02-26"
    assert (total["runs"], total["finished_runs"]) == (9, 8)
    assert (total["failed_runs"], total["decided_runs"]) == (2, 5)
    assert total["failure_rate_percent"] == 40
    assert (
        total["default_branch_failed_runs"],
        total["default_branch_decided_runs"],
    ) == (1, 4)
    assert (total["rerun_runs"], total["rerun_passed_runs"]) == (1, 1)
    assert (total["timed_runs"], total["duration_p50_seconds"]) == (2, 10)
    assert (total["flaky_commits"], total["flaky_per_100_runs"]) == (1, 20)
    assert total["queue_p50_seconds"] is total["wasted_percent"] is None
    assert total["before"]["runs"] == 1
    assert data["actors"] == [{"actor": "ada", "runs": 9, "before": {"runs": 1}}]
    # Saturday at 0:30, 13:00 and 23:59.
    saturday = [(h["hour"], h["runs"]) for h in data["hours"] if h["weekday"] == 6]
    assert saturday == [(0, 1), (13, 1), (23, 1)]


def test_the_days_of_a_change_of_the_clock(db: Database) -> None:
    """In Zurich, Sunday 29 March has 23 hours, from 23:00 UTC to 22:00 UTC."""
    set_clock(db, NOW.replace(month=3, day=30, hour=8))
    watch(db, ("acme/api", "ci.yml"))
    config = Config(
        repos=("acme/api",), workflows=("ci.yml",), timezone="Europe/Zurich"
    )
    instance.save_settings(db, config, version="0.1.0", now=NOW)
    save_runs(
        db,
        *(
            run_at(number, at, 10)
            for number, at in enumerate(
                ("03-28 22:59", "03-28 23:00", "03-29 00:59", "03-29 01:00",
                 "03-29 21:59", "03-29 22:00"),
                1,
            )
        ),
    )  # fmt: skip
    data = summary(db, days="1", until="2026-03-29")

    assert data["span"]["since"] == "2026-03-28T23:00:00Z"
    assert data["span"]["until"] == "2026-03-29T22:00:00Z"
    assert data["span"]["is_over"] is True
    assert data["total"]["runs"] == 4
    hours = [(row["weekday"], row["hour"], row["runs"]) for row in data["hours"]]
    assert hours == [(7, 0, 1), (7, 1, 1), (7, 3, 1), (7, 23, 1)]


def test_few_people_and_hours_of_many_runs_are_said_to_be_the_newest(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db)
    sql = queries.LISTED_FROM_SQL.replace(str(queries.MOST_LISTED), "3")
    monkeypatch.setattr(queries, "LISTED_FROM_SQL", sql)
    data = summary(db)

    assert data["triggers_are_cut"] is True
    assert data["triggers_since"] == "2026-03-01T11:00:00Z"
    assert data["actors"] == [{"actor": "ada", "runs": 4, "before": None}]
    assert data["total"]["runs"] == 10


def test_an_empty_database_has_numbers(db: Database) -> None:
    data = summary(db)

    assert data["total"]["runs"] == 0
    assert data["total"]["failure_rate_percent"] is None
    assert data["workflows"] == data["actors"] == data["queue_hours"] == []
    assert len(data["days"]) == 14


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"days": "0"}, "days=0 is not a number from 1 to 1826"),
        ({"days": "x"}, "days=x is not a number from 1 to 1826"),
        ({"days": "1827"}, "days=1827 is not a number"),
        ({"days": "7", "since": "2026-02-01"}, "Write days or since, not both"),
        ({"since": "2026-02-30"}, "since=2026-02-30 is not a day"),
        ({"since": "20260201"}, "since=20260201 is not a day"),
        ({"since": "2026-02-01T12:00:00Z"}, "Write since=2026-03-01"),
        (
            {"until": "2026-03-02"},
            "until=2026-03-02 is in the future: today is 2026-03-01",
        ),
        ({"since": "2026-03-02"}, "since=2026-03-02 is after the last day, 2026-03-01"),
        ({"since": "2020-01-01"}, "are 2252 days. A summary has at most 1826"),
        ({"until": "0001-01-01"}, "The calendar begins on"),
        ({"color": "red"}, "Unknown filter 'color'. Allowed: days, since"),
    ],
)
def test_impossible_days_are_an_error_with_advice(
    db: Database, arguments: dict[str, str], words: str
) -> None:
    with pytest.raises(BadRequest, match=words):
        summary(db, **arguments)
