"""Copies the rows of a shard from the sources into its new database.

Triggers and indexes are made at the end. The plan is attached as `plan`, the source as
`source`.
"""
# ruff: noqa: S608 (own names, and no value)

import sqlite3

from ci_observer.ingest.reshard import tables
from ci_observer.ingest.reshard.sources import Source

_BEST = (
    "repo in (select repo from plan.places where shard = :shard and source = :source)"
)
_OTHERS = (
    "repo in (select repo from plan.places where shard = :shard and source <> :source)"
)
_NOT_SHARED = f"{_BEST} and repo not in (select repo from plan.shared)"
# Of each: its table, the column with the number of a text, and that with the text.
_TEXTS = {"errors": ("error_id", "text"), "step_names": ("names_id", "names")}


class ShardCopy:
    """Fills the database of one shard, source by source."""

    def __init__(self, conn: sqlite3.Connection, shard: int) -> None:
        self._conn = conn
        self._shard = shard
        self._source = 0

    def copy_best(self, source: Source, settings_of: Source) -> None:
        """Copy what this source knows best, and the newest states of runs."""
        self._source = source.number
        self._number_texts()
        for table in (*tables.OF_REPO, *tables.OF_REPO_IN_BEST_SOURCE):
            where = _BEST
            if table == "responses":
                # The lists of owners have repositories of all shards: their ETags
                # would hide those that are not in this file.
                where += " and kind <> 'repositories'"
            self._copy(table, f"where {where}")
        self._copy_runs("chosen")
        for table in tables.DERIVED:
            self._copy(table, f"where {_NOT_SHARED}")
        for table in tables.SUMMED:
            self._copy(table, f"where {_NOT_SHARED}")
        for table in tables.OF_ALERT:
            self._copy_alert_rows(table)
        if source == settings_of:
            self._copy_settings()

    def copy_rest(self, source: Source) -> None:
        """Add what only this source has of the repositories that another knows best."""
        self._source = source.number
        self._number_texts()
        for table in tables.OF_REPO:
            where = _OTHERS
            if table == "feed_states":
                # What was recorded before the other source began.
                where += (
                    " and from_at < coalesce((select min(m.from_at)"
                    " from main.feed_states m where m.repo = t.repo"
                    " and m.workflow = t.workflow), '~')"
                )
            self._copy(table, f"where {where}", conflict="or ignore")
        self._copy_runs("former")
        for table in tables.OF_ALERT:
            self._copy_alert_rows(table)

    def copy_to_all(self, source: Source) -> None:
        """Copy the rows that every shard has, except those that are there."""
        self._source = source.number
        for table in tables.COPIED_TO_ALL:
            names = [n for n in self._columns(table) if n != self._row_key(table)]
            listed = ", ".join(names)
            self._run(
                f"insert into main.{table} ({listed}) select {listed}"
                f" from source.{table} except select {listed} from main.{table}"
            )

    def add_sums(self) -> None:
        """Add the rows of the rollups that count all repositories together."""
        for table in tables.SUMMED:
            columns = self._columns(table)
            keys = [name for name in columns if name in self._keys(table)]
            counts = [name for name in columns if name not in keys]
            sums = ", ".join(f"sum({name})" for name in counts)
            values = ["''" if n in ("repo", "workflow") else n for n in keys]
            grouped = ", ".join(n for n in keys if n not in ("repo", "workflow"))
            self._run(
                f"insert into main.{table} ({', '.join([*keys, *counts])})"
                f" select {', '.join(values)}, {sums} from main.{table}"
                f" group by {grouped}"
            )

    def _copy_runs(self, which: str) -> None:
        """Copy the rows of runs, or add those of former states of them."""
        conflict = "" if which == "chosen" else "or ignore"
        runs = f"from plan.{which} c cross join"
        own = "where c.source = :source and c.shard = :shard"
        self._copy_payloads(which)
        for table in tables.OF_RUN:
            is_addition = which == "former"
            if is_addition and table in ("runs", "pending"):
                continue
            if table == "pending":
                self._copy(
                    table,
                    "where exists (select 1 from plan.chosen c where c.run_id ="
                    " t.run_id and c.source = :source and c.shard = :shard)",
                )
                continue
            source = f"{runs} source.{table} t on t.run_id = c.run_id {own}"
            self._copy(
                table,
                source=source,
                conflict=conflict if table == "waits" else "",
                update=is_addition and table in ("run_attempts", "jobs"),
            )
        jobs = f"{runs} source.jobs j on j.run_id = c.run_id cross join"
        for table in tables.OF_JOB:
            source = f"{jobs} source.{table} t on t.job_id = j.job_id {own}"
            self._copy(table, source=source, conflict=conflict)

    def _copy_payloads(self, which: str) -> None:
        conflict = "" if which == "chosen" else "or ignore"
        runs = (
            f"from plan.{which} c"
            " cross join source.run_payloads t on t.run_id = c.run_id"
        )
        own = "where c.source = :source and c.shard = :shard"
        used = f"{runs} {own}"
        self._run("delete from temp.part_numbers")
        for value, parts in (
            ("t.phrases_id", f"{used} and t.phrases_id <> 0"),
            ("e.value", f"{runs} cross join json_each(t.part_ids) e {own}"),
        ):
            self._run(
                f"insert or ignore into temp.part_numbers (old) select {value} {parts}"
            )
        if self._is_empty("payload_parts"):
            self._run(
                "insert into main.payload_parts (part_id, hash, used_until, content)"
                " select part_id, hash, used_until, content from source.payload_parts"
                " where part_id in (select old from temp.part_numbers)"
            )
            self._copy(tables.PAYLOADS, source=used, conflict=conflict)
            return
        same = "m.hash = s.hash and m.content = s.content"
        parts = (
            "from temp.part_numbers n cross join source.payload_parts s"
            " on s.part_id = n.old"
        )
        self._run(
            "create index if not exists main.payload_parts_hash on payload_parts (hash)"
        )
        self._run(
            "insert into main.payload_parts (hash, used_until, content)"
            f" select s.hash, s.used_until, s.content {parts} where not exists"
            f" (select 1 from main.payload_parts m where {same})"
        )
        self._run(
            "update temp.part_numbers set new = (select m.part_id from"
            " source.payload_parts s join main.payload_parts m"
            f" on {same} where s.part_id = old)"
        )
        self._run(
            "update main.payload_parts"
            " set used_until = max(payload_parts.used_until, s.used_until)"
            " from temp.part_numbers n join source.payload_parts s on s.part_id = n.old"
            " where payload_parts.part_id = n.new"
        )
        self._run(
            f"insert {conflict} into main.run_payloads"
            " (run_id, body, phrases_id, part_ids) select t.run_id, t.body,"
            " coalesce((select n.new from temp.part_numbers n"
            " where n.old = t.phrases_id), 0),"
            " (select json_group_array(n.new) from json_each(t.part_ids) e"
            f" cross join temp.part_numbers n on n.old = e.value) {used}"
        )

    def _number_texts(self) -> None:
        """Copy the errors and names of steps, and note their numbers in both files."""
        self._run(
            "create temp table if not exists part_numbers"
            " (old integer primary key, new integer)"
        )
        for table, (number, text) in _TEXTS.items():
            self._run(
                f"create temp table if not exists {table}_numbers"
                " (old integer primary key, new integer)"
            )
            self._run(f"delete from temp.{table}_numbers")
            used = self._used_texts(table)
            if self._is_empty(table):
                self._run(
                    f"insert into main.{table} ({number}, {text})"
                    f" select {number}, {text} from source.{table}"
                    f" where {number} in ({used})"
                )
            else:
                self._run(
                    f"insert or ignore into main.{table} ({text})"
                    f" select {text} from source.{table} where {number} in ({used})"
                )
            self._run(
                f"insert into temp.{table}_numbers select s.{number}, m.{number}"
                f" from source.{table} s join main.{table} m on m.{text} = s.{text}"
            )

    def _used_texts(self, table: str) -> str:
        """The numbers of the texts that rows of this shard refer to."""
        own = "c.source = :source and c.shard = :shard"
        runs = (
            f"select run_id from plan.chosen c where {own}"
            f" union all select run_id from plan.former c where {own}"
        )
        if table == "errors":
            return f"select error_id from source.job_errors where run_id in ({runs})"
        return (
            "select s.names_id from source.job_steps s join source.jobs j"
            f" on j.job_id = s.job_id where j.run_id in ({runs})"
        )

    def _copy_alert_rows(self, table: str) -> None:
        """Copy deliveries of the copied alerts; one that has ended stays so."""
        columns = self._columns(table)
        changes = ", ".join(
            f"{n} = excluded.{n}" for n in columns if n not in ("alert_id", "receiver")
        )
        self._run(
            f"insert into main.{table} ({', '.join(columns)})"
            f" select {', '.join(f't.{n}' for n in columns)} from source.{table} t"
            " join source.alerts a on a.alert_id = t.alert_id"
            " join main.alerts m on m.alert_id = t.alert_id where true"
            f" on conflict (alert_id, receiver) do update set {changes}"
            " where alert_deliveries.ended_at is null and excluded.ended_at is not null"
        )

    def _copy_settings(self) -> None:
        for table in tables.SETTINGS:
            if table == "instance":
                keys = ", ".join(f"'{key}'" for key in tables.INSTANCE_KEYS)
                self._run(
                    "insert or replace into main.instance (key, value)"
                    f" select key, value from source.instance where key in ({keys})"
                )
                continue
            self._run(f"delete from main.{table}")
            self._copy(table)

    def _copy(
        self,
        table: str,
        where: str = "",
        *,
        source: str = "",
        conflict: str = "",
        update: bool = False,
    ) -> None:
        """Copy rows of a table, with the numbers that texts have in this file."""
        columns = self._columns(table)
        values = [self._value(table, name) for name in columns]
        upsert = self._upsert(table, columns) if update else ""
        self._run(
            f"insert {conflict} into main.{table} ({', '.join(columns)})"
            f" select {', '.join(values)}"
            f" {source or f'from source.{table} t {where}'} {upsert}"
        )

    def _value(self, table: str, column: str) -> str:
        for texts, (number, _) in _TEXTS.items():
            if column == number and table != texts:
                return f"(select new from temp.{texts}_numbers where old = t.{column})"
        return f"t.{column}"

    def _upsert(self, table: str, columns: list[str]) -> str:
        """Replace a row by a newer one; of two equal ones, keep what only one knows."""
        keys = tables.KEYS[table]
        time = "updated_at" if table == "run_attempts" else "completed_at"
        state = "(coalesce({0}.status = 'completed', 0), coalesce({0}.{1}, ''))"
        newer = f"{state.format('excluded', time)} > {state.format(table, time)}"
        changes = ", ".join(
            f"{name} = iif({newer}, coalesce(excluded.{name}, {table}.{name}),"
            f" coalesce({table}.{name}, excluded.{name}))"
            for name in columns
            if name not in keys
        )
        return f"on conflict ({', '.join(keys)}) do update set {changes}"

    def _columns(self, table: str) -> list[str]:
        """The columns that can be written, without a user's own ones."""
        rows = self._conn.execute(
            "select name from pragma_table_xinfo(?, 'main') where hidden = 0", [table]
        )
        return [name for (name,) in rows]

    def _keys(self, table: str) -> set[str]:
        rows = self._conn.execute(
            "select name from pragma_table_info(?, 'main') where pk > 0", [table]
        )
        return {name for (name,) in rows}

    def _row_key(self, table: str) -> str:
        [key] = self._keys(table)
        return key

    def _is_empty(self, table: str) -> bool:
        found = self._conn.execute(f"select 1 from main.{table} limit 1").fetchone()
        return found is None

    def _run(self, sql: str) -> None:
        self._conn.execute(sql, {"source": self._source, "shard": self._shard})
