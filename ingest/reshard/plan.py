"""Decides where each repository and each run goes, in a database of its own.

| table | rows |
| --- | --- |
| `places` | repository: its shard, the source that knows it best, if it is watched |
| `shared` | repository with rows in several sources |
| `chosen` | run: the source with its newest state, and its shard |
| `former` | the same run in another source |
"""
# ruff: noqa: S608 (own names, and no value)

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from ci_observer.ingest.config.shard import number_of
from ci_observer.ingest.db.copies import open_for_bulk
from ci_observer.ingest.db.migrations import table_names
from ci_observer.ingest.db.storage_errors import is_damage
from ci_observer.ingest.errors import BackupError
from ci_observer.ingest.reshard.sources import NOTHING_WRITTEN, Source
from ci_observer.ingest.reshard.tables import DERIVED, SUMMED

_TABLES = """
create table places (
    repo text primary key collate nocase,
    shard integer not null, source integer not null, is_watched integer not null
) without rowid;
create table shared (repo text primary key collate nocase) without rowid;
create table newest (
    run_id integer primary key, source integer not null, shard integer not null,
    run_attempt integer not null, is_complete integer not null,
    updated_at text not null, is_best integer not null
);
create table chosen (
    source integer not null, shard integer not null, run_id integer not null,
    primary key (source, shard, run_id)
) without rowid;
create table former (
    source integer not null, shard integer not null, run_id integer not null,
    primary key (source, shard, run_id)
) without rowid;
"""
_ORDER = "(run_attempt, is_complete, updated_at, is_best)"

# How much a source knows of a repository: greater is more.
Knowledge = tuple[int, str, str]


class Repos:
    """The repositories of all sources, by their names in small letters."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.known: dict[str, dict[int, Knowledge]] = {}
        self._ids: dict[str, set[int]] = {}
        self._present: dict[int, set[str]] = {}

    def add(self, conn: sqlite3.Connection, source: Source) -> None:
        """Add those of the attached source."""
        for repo in _repos(conn):
            self.names.setdefault(repo.lower(), repo)
            self.known.setdefault(repo.lower(), {})[source.number] = (0, "", "")
        for repo, is_watched, checked_at, metadata_at in _knowledge(conn):
            knowledge = (is_watched, checked_at, metadata_at)
            self.known[repo.lower()][source.number] = knowledge
        for repo, repo_id, is_present in _ids(conn):
            self._ids.setdefault(repo.lower(), set()).add(repo_id)
            if is_present:
                self._present.setdefault(repo_id, set()).add(repo.lower())

    def home(self, key: str) -> str:
        """The name that decides: the present one of the same repository, if known."""
        ids = self._ids.get(key, set())
        present = {name for i in ids for name in self._present.get(i, ())}
        return key if not present or key in present else min(present)


@contextmanager
def attached(conn: sqlite3.Connection, source: Source) -> Iterator[None]:
    """Attach a source as `source`, and read one state of it.

    Raises `BackupError` if it is damaged.
    """
    conn.execute("attach ? as source", [source.uri])
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        raise BackupError(
            f"{source.path} is damaged ({error}): restore a backup of it, or repair it "
            f"with sqlite3's .recover. {NOTHING_WRITTEN}"
        ) from error
    finally:
        conn.execute("detach source")


def make_plan(
    path: Path,
    sources: Sequence[Source],
    *,
    shards: int,
    step: Callable[[str], object],
) -> None:
    """Write the plan into a new file. `step` gets the name of each step."""
    with closing(open_for_bulk(path)) as conn:
        conn.executescript(_TABLES)
        repos = Repos()
        for source in sources:
            step(f"looking at {source.path.name}")
            with attached(conn, source):
                repos.add(conn, source)
        _save_places(conn, repos, shards)
        for source in sources:
            step(f"looking at the runs of {source.path.name}")
            _add_runs(conn, source, is_only=len(sources) == 1)
        conn.execute(
            "insert into chosen select source, shard, run_id from newest"
            " order by source, shard, run_id"
        )
        for source in sources if len(sources) > 1 else ():
            _add_former(conn, source)
        conn.execute("drop table newest")


def runs_of(conn: sqlite3.Connection, shard: int) -> int:
    """The number of runs that a shard gets; the plan is attached as `plan`."""
    [[runs]] = conn.execute(
        "select count(*) from plan.chosen where shard = ?", [shard]
    ).fetchall()
    return int(runs)


def _repos(conn: sqlite3.Connection) -> set[str]:
    """Every name of a repository, and `owner/*`, that has rows."""
    found: set[str] = set()
    for table in table_names() - {*DERIVED, *SUMMED, "muted_tiles"}:
        columns = conn.execute(f"pragma source.table_info({table})")
        if "repo" in [name for _, name, *_ in columns]:
            rows = conn.execute(f"select distinct repo from source.{table}")
            found.update(repo for (repo,) in rows if isinstance(repo, str))
    return found


def _knowledge(conn: sqlite3.Connection) -> Iterable[tuple[str, int, str, str]]:
    return conn.execute(
        """
        select
            r.repo,
            coalesce(max(f.is_watched), 0),
            coalesce(max(f.checked_at), max(f.changed_at), ''),
            coalesce(max(p.metadata_at), '')
        from (select repo from source.feeds union select repo from source.repos) r
        left join source.feeds f on f.repo = r.repo
        left join source.repos p on p.repo = r.repo
        group by r.repo
        """
    ).fetchall()


def _ids(conn: sqlite3.Connection) -> Iterable[tuple[str, int, bool]]:
    """GitHub's number of each repository, and whether the name is its present one."""
    return conn.execute(
        "select repo, repo_id, repo = full_name collate nocase from source.repos"
        " where repo_id is not null"
    ).fetchall()


def _save_places(conn: sqlite3.Connection, repos: Repos, shards: int) -> None:
    conn.execute("begin")
    for key, by_source in repos.known.items():
        name = repos.names[key]
        best = max(by_source, key=lambda number: (by_source[number], -number))
        conn.execute(
            "insert into places values (?, ?, ?, ?)",
            [name, number_of(repos.home(key), shards), best, by_source[best][0]],
        )
        # A list of an owner has repositories that another source watches.
        if sum(bool(watched or at) for watched, at, _ in by_source.values()) > 1:
            conn.execute("insert into shared values (?)", [name])
    conn.execute("commit")


def _add_runs(conn: sqlite3.Connection, source: Source, *, is_only: bool) -> None:
    changes = ", ".join(
        f"{name} = excluded.{name}"
        for name in ("source", "shard", "run_attempt", "is_complete", "updated_at")
    )
    newer = (
        ""
        if is_only
        else (
            f"on conflict (run_id) do update set {changes}, is_best = excluded.is_best"
            f" where {_ORDER.replace('(', '(excluded.').replace(', ', ', excluded.')}"
            f" > {_ORDER.replace('(', '(newest.').replace(', ', ', newest.')}"
        )
    )
    with attached(conn, source):
        conn.execute(
            "insert into newest"
            " select r.run_id, :source, p.shard, r.run_attempt,"
            "  coalesce(r.status = 'completed', 0), r.updated_at, p.source = :source"
            " from source.runs r join places p on p.repo = r.repo where true"
            f" {newer}",
            {"source": source.number},
        )
        if not is_only:
            conn.execute(
                "insert or ignore into shared select distinct r.repo from source.runs r"
                " join places p on p.repo = r.repo where p.source <> ?",
                [source.number],
            )


def _add_former(conn: sqlite3.Connection, source: Source) -> None:
    with attached(conn, source):
        conn.execute(
            "insert into former select :source, n.shard, n.run_id"
            " from source.runs r join newest n on n.run_id = r.run_id"
            " where n.source <> :source",
            {"source": source.number},
        )
        # A run that has another repository in another source.
        conn.execute(
            "insert or ignore into shared select r.repo from former f"
            " join source.runs r on r.run_id = f.run_id where f.source = ?",
            [source.number],
        )
