"""The query plans of a page of runs: every selection uses an index."""

import json
from collections.abc import Iterator
from itertools import combinations

import pytest
from archive import save_runs, watch
from factories import run_payload, times
from sqlite_utils import Database

from ci_observer.web.api.cursors import encode_cursor
from ci_observer.web.api.run_queries import (
    BY_VALUE,
    access_paths,
    choose_access_path,
    counts_sql,
    page_sql,
    runs_sql,
)
from ci_observer.web.filters import COLUMNS, Filters

TOTAL = 1_000_000
CHOSEN = {
    "repo": "repo=acme/api",
    "workflow": "workflow=ci.yml",
    "branch": "branch=main&branch=dev",
    "event": "event=push",
    "actor": "actor=ada",
    "status": "status=completed",
    "conclusion": "conclusion=failure&conclusion=timed_out",
    "span": "since=2026-01-01&until=2026-03-01",
    "q": "q=deploy",
    "cursor": f"cursor={encode_cursor(json.dumps(['2026-03-01T00:00:00Z', 7]))}",
}
# Every combination of filters.
SELECTIONS = [
    names for size in range(len(CHOSEN) + 1) for names in combinations(CHOSEN, size)
]


def chosen(names: tuple[str, ...]) -> Filters:
    return Filters.from_query("&".join(CHOSEN[name] for name in names))


def plan_of_page(db: Database, filters: Filters, counts: dict[str, int]) -> list[str]:
    path = choose_access_path(filters, counts | {"all": TOTAL})
    sql, params = page_sql(filters, path)
    rows = db.execute(f"explain query plan {sql}", params | {"limit": 100})
    return [row[3] for row in rows]


def steps_on_runs(plan: list[str]) -> list[str]:
    return [step for step in plan if " runs " in step]


def test_runs_of_common_values_are_read_in_the_order_of_an_index(db):
    for names in SELECTIONS:
        if {"repo", "workflow", "q"} <= {*names}:
            continue  # A feed's runs have an index of their own.
        counts = {name: TOTAL // 2 for name in names if name in COLUMNS}
        plan = plan_of_page(db, chosen(names), counts)
        [step] = steps_on_runs(plan)

        # For columns outside the index SQLite reads the rows that match so far.
        is_covering = not {"q", "status"} & {*names}
        kind = "COVERING INDEX" if is_covering else "INDEX"
        assert f"USING {kind} runs_started" in step, names
        assert step.startswith("SEARCH") == bool({"span", "cursor"} & {*names}), names
        # Only runs started in the same second are sorted.
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan, names


def rare_selections() -> Iterator[tuple[str, tuple[str, ...]]]:
    for names in SELECTIONS:
        for rare in BY_VALUE:
            if rare in names:
                yield rare, names


def test_runs_of_a_rare_value_are_found_by_that_value(db):
    for rare, names in rare_selections():
        counts = {name: TOTAL // 2 for name in names if name in COLUMNS}
        plan = plan_of_page(db, chosen(names), counts | {rare: 50})
        [step] = steps_on_runs(plan)

        assert step.startswith("SEARCH runs USING"), names
        assert "runs_started" not in step, names
        if rare == "branch":
            assert "runs_branch (repo=? AND workflow=? AND tile_branch=?" in step, names


def test_the_runs_of_a_feed_are_read_in_the_order_of_its_index(db):
    for names in SELECTIONS:
        if {"repo", "workflow"} <= {*names}:
            counts = {"repo": 20_000, "workflow": 20_000}
            plan = plan_of_page(db, chosen(names), counts)

            assert "runs_workflow (repo=? AND workflow=?" in steps_on_runs(plan)[0]
            assert "USE TEMP B-TREE FOR ORDER BY" not in plan, names


def test_unfinished_runs_are_found_by_their_own_index(db):
    filters = Filters.from_query("status=queued&status=in_progress")
    plan = plan_of_page(db, filters, {"status": 20})

    assert "SCAN runs USING INDEX runs_unfinished" in plan


def test_a_value_without_runs_reads_none(db):
    filters = Filters.from_query("conclusion=never&event=push")

    plan = plan_of_page(db, filters, {"conclusion": 0, "event": TOTAL // 2})
    path = choose_access_path(filters, {"conclusion": 0, "event": TOTAL, "all": TOTAL})

    assert path.condition == "false"
    assert len(steps_on_runs(plan)) == 1


@pytest.fixture
def runs(db: Database) -> None:
    """Runs that share some of their values; five started in the same second."""
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    save_runs(
        db,
        *(
            run_payload(
                number,
                **times(f"{10 + number % 2}:00"),
                head_branch=("main", "dev")[number % 2],
                event=("push", "schedule", "push")[number % 3],
                conclusion=("success", "failure")[number % 2],
                actor={"login": ("ada", "bob", "cy")[number % 3]},
            )
            for number in range(1, 11)
        ),
        # A run of a tag, which counts for no branch.
        run_payload(11, event="release", head_branch="dev", **times("12:00")),
    )
    assert db["runs"].get(11)["tile_branch"] == "refs/tags"


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    "query",
    [
        "repo=ACME/api",
        "repo=acme/api&workflow=ci.yml",
        "workflow=ci.yml&workflow=cd.yml",
        "branch=dev&branch=null",
        "actor=ada&actor=bob&conclusion=failure",
        "repo=acme/api&branch=main&event=push&actor=cy",
        "branch=dev",
        "conclusion=never&branch=main",
        "repo=acme/api&q=dev",
        "actor=ada&since=2026-03-01T10:30:00Z",
    ],
)
def test_every_access_path_finds_the_same_page(db, query):
    filters = Filters.from_query(f"{query}&limit=3")
    sql, params = counts_sql(filters)
    counts = json.loads(db.execute(sql, params).fetchone()[0])
    pages = []
    for path in access_paths(filters, counts):
        sql, params = page_sql(filters, path)
        pages.append(db.execute(sql, params | {"limit": 3}).fetchall())
    sql, params = runs_sql(filters, counts)
    [_, found, _] = db.execute(sql, params | {"limit": 3}).fetchone()

    assert len(pages) > 1 or query == "branch=dev&branch=null"
    assert pages == [pages[0]] * len(pages)
    assert [run["run_id"] for run in json.loads(found)] == [
        run_id for run_id, _ in pages[0][:3]
    ]


@pytest.mark.usefixtures("runs")
def test_counts_ignore_the_letter_case_of_a_repository(db):
    sql, params = counts_sql(Filters.from_query("repo=Acme/API&actor=ada&branch=null"))

    counts = json.loads(db.execute(sql, params).fetchone()[0])

    assert counts == {"all": 11, "repo": 11, "actor": 4}


@pytest.mark.parametrize(
    ("until", "begins_at"),
    [("2026-06-01", "2026-03-01T00:00:00Z"), ("2026-02-01", "2026-02-01T23:59:59Z")],
)
def test_the_walk_to_a_deep_page_starts_at_its_lower_bound(until, begins_at):
    filters = Filters.from_query(f"until={until}&{CHOSEN['cursor']}")
    [path, *_] = access_paths(filters, {})

    _, params = page_sql(filters, path)

    assert params["until"] == begins_at
