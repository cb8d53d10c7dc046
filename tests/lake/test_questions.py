"""Questions to the lake have the results of the same questions to the database."""
# ruff: noqa: S608 (own names, and no value)

import re
from pathlib import Path

import pytest
from lakes import TABLES, Lake, merge
from sqlite_utils import Database

ROOT = Path(__file__).parents[2]

# The value below which a share of the rows is, as quantile_disc of DuckDB has it.
PERCENTILE = """
(
  select duration_seconds from (
    select
      duration_seconds, row_number() over (order by duration_seconds) as place,
      count(*) over () as total
    from runs x
    where x.repo = r.repo and x.workflow = r.workflow and conclusion = 'success'
      and duration_seconds is not null
  ) where place >= total * {share} order by place limit 1
)
"""
WORKFLOWS = f"""
select
  repo, workflow,
  count(*) filter (where conclusion in ('success', 'failure')),
  avg(conclusion = 'failure') filter (where conclusion in ('success', 'failure')),
  {PERCENTILE.format(share=0.5)},
  {PERCENTILE.format(share=0.95)}
from runs r group by repo, workflow order by repo collate binary, workflow
"""
MINUTES = """
select substr(r.created_at, 1, 7), labels, count(*), sum(j.duration_seconds) / 60.0
from jobs j join runs r using (run_id) group by 1, 2 order by 1, 2
"""
NEWEST = """
select repo, workflow, count(*), count(*) filter (where conclusion = 'failure')
from runs group by repo, workflow order by repo collate binary, workflow
"""


@pytest.fixture(scope="module")
def filled(varied: Database, duck: Lake, tmp_path_factory) -> Lake:
    """A lake of the varied archive. No test writes to it."""
    folder = tmp_path_factory.mktemp("questions") / "data" / "lake"
    folder.parent.mkdir()
    merge(database_path(varied), folder)
    return Lake(duck.connection, folder)


def database_path(db: Database) -> Path:
    [[_, _, path], *_] = db.execute("pragma database_list").fetchall()
    return Path(path)


def documented() -> list[str]:
    """The statements in the section of docs/scaling.md."""
    text = (ROOT / "docs/scaling.md").read_text()
    section = text.split("\n## Analytics: a lake\n")[1].split("\n## ")[0]
    return re.findall(r"(?s)```sql\n(.*?)```", section)


@pytest.mark.parametrize(("number", "sql"), [(0, WORKFLOWS), (1, MINUTES), (2, NEWEST)])
def test_documented_questions_have_the_results_of_sqlite(varied, filled, number, sql):
    statement = (
        documented()[number]
        .replace("data/lake", str(filled.folder))
        .replace("data/ci_observer.db", str(database_path(varied)))
    )
    rows = filled.query(statement)

    expected = varied.execute(sql).fetchall()
    assert len(expected) > 1
    assert [tuple(map(rounded, row)) for row in rows] == [
        tuple(map(rounded, row)) for row in expected
    ]


def rounded(value: object) -> object:
    return round(value, 9) if isinstance(value, float) else value


@pytest.mark.parametrize("name", ["runs", "attempts", "jobs"])
def test_counts_are_equal(varied, filled, name):
    [in_lake] = filled.query(
        f"select count(*) from delta_scan('{filled.folder}/{name}')"
    )
    stored = f"select count(*) from {TABLES[name].described_as}"

    assert in_lake == varied.execute(stored).fetchone()
