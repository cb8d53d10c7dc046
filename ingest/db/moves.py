"""Moves the runs of a repository or of a workflow to another name.

The triggers that keep the rollups and the flaky commits would count each run again,
which takes 0.3 ms for each. A name changes no number of a run, so the triggers are
paused, and the rows of these tables move by their keys.

Every function runs within the caller's transaction: readers see the former name or the
new one.
"""
# ruff: noqa: S608 (own names, and no value)

from dataclasses import asdict, dataclass

from sqlite_utils import Database

from ci_observer.ingest.db.counting import counting_paused
from ci_observer.ingest.db.derived import FLAKY_SHAS, add_to_values
from ci_observer.ingest.db.rollups import ROLLUPS, Rollup

_BY_TABLE = {rollup.table: rollup for rollup in ROLLUPS}


@dataclass(frozen=True)
class Move:
    """A change of the name of a repository, or of one of its workflows."""

    old_repo: str
    new_repo: str
    old_workflow: str | None = None
    new_workflow: str | None = None

    @property
    def params(self) -> dict[str, str | None]:
        """The parameters of the SQL of the other properties."""
        return asdict(self)

    @property
    def values(self) -> dict[str, str]:
        """The new value of each column that changes."""
        if self.old_workflow is None:
            return {"repo": ":new_repo"}
        return {"workflow": ":new_workflow"}

    @property
    def joins_others(self) -> bool:
        """Whether other rows may have the new name already."""
        return (self.old_repo.lower(), self.old_workflow) != (
            self.new_repo.lower(),
            self.new_workflow,
        )

    def where(self, which: str) -> str:
        """The rows with the `old` or the `new` name, of any table."""
        columns = ["repo", *(["workflow"] if self.old_workflow is not None else [])]
        return " and ".join(f"{name} = :{which}_{name}" for name in columns)


def move_runs(db: Database, move: Move) -> None:
    """Give the runs of renamed feeds the new name, with what is counted of them.

    Rename the feeds while counting is paused, and rebuild the tiles after it.
    """
    if move.old_workflow is None:
        _keep_own_runs(db, move)
        _share_default_branch(db, move)
    shared = _shared_commits(db, move) if move.joins_others else []
    counts = _counts(db, move)
    with counting_paused(db):
        _update(db, "runs", move, **_head_repo(move))
        for rollup in _BY_TABLE.values():
            _move_counts(db, rollup, move)
        _update(db, FLAKY_SHAS, move)
    if move.old_workflow is None:
        _drop_default_branch(db, move)
    add_to_values(db, counts)
    db.conn.executemany(
        "insert into changed_shas (repo, workflow, head_branch, head_sha)"
        " values (?, ?, ?, ?)",
        shared,
    )


def _keep_own_runs(db: Database, move: Move) -> None:
    """Count runs as the repository's own that come from the new or the old name.

    Then the move changes only names: a run of the repository stays one, and so does
    that of a fork.
    """
    db.execute(
        "update runs set head_repo = repo"
        " where repo = :old_repo and head_repo <> repo"
        " and (head_repo = :old_repo collate nocase or head_repo = :new_repo)",
        move.params,
    )


def _head_repo(move: Move) -> dict[str, str]:
    if move.old_workflow is not None:
        return {}
    is_own = "head_repo = :old_repo collate nocase"
    return {"head_repo": f"iif({is_own}, :new_repo, head_repo)"}


def _share_default_branch(db: Database, move: Move) -> None:
    """Count the runs of both repositories for the default branch of the new one."""
    names = [(name,) for name in (move.old_repo, move.new_repo)]
    db.conn.executemany(
        "insert or ignore into default_branches (repo) values (?)", names
    )
    branch = "(select branch from feed_default_branches where repo = :new_repo)"
    db.execute(
        f"update default_branches set branch = {branch}"
        f" where repo in (:old_repo, :new_repo) and branch is not {branch}",
        move.params,
    )


def _drop_default_branch(db: Database, move: Move) -> None:
    """Delete the rows of repositories without runs or without a default branch."""
    db.execute(
        "delete from default_branches where repo = :old_repo and repo <> :new_repo"
        " or repo = :new_repo and branch is null",
        move.params,
    )


def _update(db: Database, table: str, move: Move, **others: str) -> None:
    values = move.values | others
    changes = ", ".join(f"{name} = {value}" for name, value in values.items())
    db.execute(f"update {table} set {changes} where {move.where('old')}", move.params)


def _move_counts(db: Database, rollup: Rollup, move: Move) -> None:
    """Add the rows of a table to those with the new name."""
    if not move.joins_others:
        return _update(db, rollup.table, move)
    selected = ", ".join(move.values.get(name, name) for name in rollup.columns)
    where = move.where("old")
    db.execute(
        f"insert into {rollup.table} ({', '.join(rollup.columns)})"
        f" select {selected} from {rollup.table} where {where}"
        f" on conflict ({', '.join(rollup.key)}) do update set {rollup.additions}",
        move.params,
    )
    db.execute(f"delete from {rollup.table} where {where}", move.params)
    return None


def _counts(db: Database, move: Move) -> dict[tuple[str, str], int]:
    """How the numbers of runs by repository or workflow will change."""
    [column] = move.values
    counts: dict[tuple[str, str], int] = {}
    for value, new, runs in db.execute(
        f"select {column}, {move.values[column]}, count(*) from runs"
        f" where {move.where('old')} group by {column} collate binary",
        move.params,
    ):
        for name, change in ((value, -runs), (new, runs)):
            counts[column, name] = counts.get((column, name), 0) + change
    return counts


def _shared_commits(db: Database, move: Move) -> list[tuple[str, ...]]:
    """The commits of both names, with the new name. Their results come together."""
    workflow = ":old_workflow" if move.old_workflow is not None else "n.workflow"
    return db.execute(
        f"""
        select distinct :new_repo, n.workflow, n.head_branch, n.head_sha
        from (select * from runs where {move.where("new")}) n
        where exists (
            select 1 from runs o
            where substr(o.head_sha, 1, 7) = substr(n.head_sha, 1, 7)
                and o.head_sha = n.head_sha and o.head_branch is n.head_branch
                -- `+` makes SQLite use the index of commits.
                and +o.repo = :old_repo and +o.workflow = {workflow}
        )
        """,
        move.params,
    ).fetchall()
