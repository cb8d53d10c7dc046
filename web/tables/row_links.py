"""Links from a row to the rows that belong to it, with their number.

The schema declares few foreign keys: SQLite adds none to an existing table without
copying it, which takes hours for a large file, and none from or to a view. So the links
are here, and lead to the tables and views that a reader expects.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datasette.app import Datasette
from datasette.utils import tilde_encode

from ci_observer.web.database import DATABASE, fetch_row
from ci_observer.web.errors import WebError
from ci_observer.web.tables.links import repository_of, workflow_address
from ci_observer.web.urls import commit_path, is_sha, run_path, table_path

# Larger numbers are not counted to their end.
MAX_COUNTED = 1000


@dataclass(frozen=True)
class Relation:
    """Rows of another table that have the values of this row.

    `one` and `many` name them, `keys` are the columns of the other table with those of
    this row. Without `many` the rows are not counted.
    """

    table: str
    one: str
    many: str | None
    keys: Mapping[str, str]
    sort_desc: str | None = None


@dataclass(frozen=True)
class RowLink:
    """A link on the page of a row; without an address it is only text."""

    text: str
    address: str | None = field(default=None)


_RUN = {"run_id": "run_id"}
_ATTEMPT = {"run_id": "run_id", "run_attempt": "run_attempt"}
_JOB = {"job_id": "job_id"}
_ERROR = {"error_id": "error_id"}
_FEED = {"repo": "repo", "workflow": "workflow"}
_COMMIT = {"repo": "repo", "head_sha": "head_sha"}

RELATIONS: dict[str, tuple[Relation, ...]] = {
    "runs": (
        Relation("run_attempts", "attempt", "attempts", _RUN),
        Relation("jobs", "job", "jobs", _RUN),
        Relation("runs", "run of this commit", "runs of this commit", _COMMIT),
        Relation("runs_full", "GitHub's whole object", None, _RUN),
        Relation("runs", "all runs of the workflow", None, _FEED, "started_at"),
        Relation("feeds", "the feed", None, _FEED),
    ),
    "run_attempts": (
        Relation("runs", "the run", None, _RUN),
        Relation("jobs", "job", "jobs", _ATTEMPT),
        Relation("run_attempts", "attempt of the run", "attempts of the run", _RUN),
    ),
    "jobs": (
        Relation("runs", "the run", None, _RUN),
        Relation("jobs", "job of this attempt", "jobs of this attempt", _ATTEMPT),
        Relation("job_errors", "error", "errors", _JOB),
        Relation("run_attempts", "attempt of the run", "attempts of the run", _RUN),
    ),
    "job_errors": (
        Relation("jobs", "the job", None, _JOB),
        Relation("runs", "the run", None, _RUN),
        Relation("job_errors", "job with this error", "jobs with this error", _ERROR),
        Relation("error_groups", "the runs and workflows with it", None, _ERROR),
    ),
    "errors": (
        Relation("job_errors", "job with this error", "jobs with this error", _ERROR),
    ),
    "feeds": (
        Relation("runs", "run", "runs", _FEED, "started_at"),
        Relation("wall", "its tile", None, _FEED),
    ),
    "workflows": (Relation("runs", "run", "runs", _FEED, "started_at"),),
    "tiles": (Relation("runs", "run", "runs", _FEED, "started_at"),),
    "decisions": (Relation("runs", "the run", None, _RUN),),
    "run_payloads": (
        Relation("runs", "the run", None, _RUN),
        Relation("runs_full", "the whole object", None, _RUN),
    ),
}
# Datasette finds the foreign keys of these tables by itself.
OWN_REFERENCES = (
    "decisions",
    "job_errors",
    "jobs",
    "pending",
    "run_attempts",
    "run_payloads",
)
# The tables whose rows have a page of their run.
OF_RUNS = ("runs", "run_attempts", "jobs", "run_payloads", "decisions")
# SQLite finds a commit by the index of its first characters only.
_BY_COMMIT = "substr(head_sha, 1, 7) = substr(:head_sha, 1, 7)"
_KEYS = {"runs": ("run_id",), "feeds": ("repo", "workflow")}


async def row_links(
    datasette: Datasette, actor: Any, table: str, row: Mapping[str, Any]
) -> list[RowLink]:
    """The links from a row, without those to tables that the actor may not see."""
    relations = [
        relation
        for relation in RELATIONS.get(table, ())
        if all(row.get(column) is not None for column in relation.keys.values())
        and await is_visible(datasette, actor, relation.table)
    ]
    counts = await _count(datasette, relations, row)
    links = [
        _link(datasette, relation, row, count)
        for relation, count in zip(relations, counts, strict=True)
    ]
    return [*links, *_pages(datasette, table, row)]


async def is_visible(datasette: Datasette, actor: Any, table: str) -> bool:
    """Whether the actor may see a table or view of the database."""
    permissions = [
        ("view-table", (DATABASE, table)),
        ("view-database", DATABASE),
        "view-instance",
    ]
    visible, _ = await datasette.check_visibility(actor, permissions=permissions)
    return bool(visible)


def _pages(datasette: Datasette, table: str, row: Mapping[str, Any]) -> list[RowLink]:
    """Our pages of the row's workflow, commit and run, and the row's page on GitHub."""
    found = []
    address = workflow_address(row.get("repo"), row.get("workflow"))
    if address and table != "workflows":
        found.append(RowLink("workflow page", str(datasette.urls.path(address))))
    sha = row.get("head_sha")
    if address and is_sha(sha):
        commit_address = commit_path(str(row["repo"]), str(sha))
        found.append(RowLink("commit page", str(datasette.urls.path(commit_address))))
    if table in OF_RUNS:
        run_address = run_path(int(row["run_id"]))
        found.append(RowLink("run page", str(datasette.urls.path(run_address))))
    url = row.get("html_url")
    if repository_of(url) and not row.get("gone_at"):
        found.append(RowLink("on GitHub", url))
    return found


async def _count(
    datasette: Datasette, relations: list[Relation], row: Mapping[str, Any]
) -> list[int | None]:
    """The number of rows of each relation; None where it is not counted."""
    counted = [relation for relation in relations if relation.many]
    if not counted:
        return [None] * len(relations)
    selects = ", ".join(f"({count_sql(relation)})" for relation in counted)
    names = {name for relation in counted for name in relation.keys.values()}
    try:
        numbers = iter(
            await fetch_row(datasette, f"select {selects}", {n: row[n] for n in names})
        )
    except WebError:
        return [None] * len(relations)
    return [next(numbers) if relation.many else None for relation in relations]


def count_sql(relation: Relation) -> str:
    """A count that stops after `MAX_COUNTED`; all names are constants of this file."""
    clauses = [f"{column} = :{source}" for column, source in relation.keys.items()]
    if "head_sha" in relation.keys:
        clauses.insert(0, _BY_COMMIT)
    return (
        f"select count(*) from (select 1 from {relation.table}"  # noqa: S608
        f" where {' and '.join(clauses)} limit {MAX_COUNTED + 1})"
    )


def _link(
    datasette: Datasette, relation: Relation, row: Mapping[str, Any], count: int | None
) -> RowLink:
    text = relation.one
    if count is not None:
        number = f"{MAX_COUNTED:,}+" if count > MAX_COUNTED else str(count)
        text = f"{number} {relation.one if count == 1 else relation.many}"
    if count == 0:
        return RowLink(text)
    address = _row_address(relation, row) or table_path(
        relation.table,
        {column: str(row[source]) for column, source in relation.keys.items()}
        | {"_sort_desc": relation.sort_desc},
    )
    return RowLink(text, str(datasette.urls.path(address)))


def _row_address(relation: Relation, row: Mapping[str, Any]) -> str | None:
    """The address of the one row, if the relation has the key of its table."""
    if relation.many or tuple(relation.keys) != _KEYS.get(relation.table):
        return None
    keys = ",".join(tilde_encode(str(row[name])) for name in relation.keys.values())
    return f"/{DATABASE}/{relation.table}/{keys}"
