"""Writes GitHub's run objects, with repeated parts stored once.

`db.payloads` splits an object into parts. The view `runs_full` joins them again.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.db.payloads import SharedTexts, pack_payload
from ci_observer.ingest.github.rows import Row
from ci_observer.ingest.store.database import transaction, upsert, upsert_all
from ci_observer.ingest.store.instance import bump_revision

# The key in `instance` of the last repacked run. Absent when none is left to repack.
REPACKED_TO = "payloads_repacked_to"
WHOLE = {"phrases_id": 0, "part_ids": "[]"}

# Consecutive runs mostly have the same phrases.
CACHED_PHRASES = 100


class PayloadWriter:
    """Writes the payloads of some runs, within the caller's transaction.

    `stored` are their rows by run id. It caches the ids of parts, which is safe only
    while no other process can write: do not keep it longer than the transaction.
    """

    def __init__(self, db: Database, stored: Mapping[int, Row]) -> None:
        self._db = db
        self._stored = stored
        self._new: dict[int, Row] = {}
        self._texts = SharedTexts()
        self._parts: dict[str, tuple[int, str]] = {}
        self._used_until: dict[int, str] = {}

    def __contains__(self, run_id: int) -> bool:
        return run_id in self._new or run_id in self._stored

    def add(
        self, run: Row, payload: Mapping[str, Any], *, has_run_changed: bool = False
    ) -> bool:
        """Add a run's payload, unless it is stored already. Returns whether it is new.

        `run` is the new row of `runs`.
        """
        packed = pack_payload(payload, run, self._texts)
        run_id, day = run["run_id"], run["created_at"][:10]
        phrases_id = self._part_id(_json(packed.phrases), day)
        part_ids = [str(self._part_id(part, day)) for part in packed.parts]
        row = {
            "run_id": run_id,
            "phrases_id": phrases_id,
            "part_ids": f"[{','.join(part_ids)}]",
            "body": packed.body,
        }
        known = self._new.get(run_id) or self._stored.get(run_id)
        if row == known and not has_run_changed:
            return False
        self._new[run_id] = row
        return True

    def delete_former(self) -> None:
        """Delete the stored payloads of the added ones.

        Call it before the rows of `runs` change. A payload without its row's values
        is incomplete, so a trigger writes it whole when its row changes.
        """
        self._db.conn.executemany(
            "delete from run_payloads where run_id = ?",
            [(run_id,) for run_id in self._new if run_id in self._stored],
        )

    def write(self) -> None:
        """Write the added payloads, and the last day each part is used."""
        upsert_all(self._db, "run_payloads", self._new.values(), ["run_id"])
        self._db.conn.executemany(
            "update payload_parts set used_until = ? where part_id = ?",
            [(day, part_id) for part_id, day in self._used_until.items()],
        )

    def _part_id(self, content: str, day: str) -> int:
        """The id of a part, which is inserted if it is new."""
        part_id, used_until = self._parts.get(content) or self._stored_part(content)
        if part_id == 0:
            part_id = self._insert(content, day)
        elif used_until < day:
            self._used_until[part_id] = day
        self._parts[content] = (part_id, max(used_until, day))
        return part_id

    def _stored_part(self, content: str) -> tuple[int, str]:
        row = self._db.execute(
            "select part_id, used_until from payload_parts"
            " where hash = ? and content = ?",
            [_hash(content), content],
        ).fetchone()
        return row or (0, "")

    def _insert(self, content: str, day: str) -> int:
        return (
            self._db.execute(
                "insert into payload_parts (hash, used_until, content)"
                " values (?, ?, ?)",
                [_hash(content), day, content],
            ).lastrowid
            or 0
        )


def count(db: Database, before: date) -> int:
    """How many runs created before a day have a payload."""
    [[count]] = db.execute(
        "select count(*) from run_payloads join runs using (run_id)"
        " where created_at < ?",
        [before.isoformat()],
    )
    return int(count)


def prune(db: Database, before: date, limit: int) -> int:
    """Delete payloads of runs created before a day, and parts that no other run uses.

    At most `limit` payloads in one transaction, so that other processes need not wait
    long for the database. Call it until it returns 0. Runs and attempts stay.
    """
    # Outside of the transaction, since this may read every payload.
    ids = [
        row[0]
        for row in db.execute(
            "select run_id from run_payloads cross join runs using (run_id)"
            " where created_at < ? order by run_id limit ?",
            [before.isoformat(), limit],
        ).fetchall()
    ]
    with transaction(db):
        db.conn.executemany(
            "delete from run_payloads where run_id = ?", [(run_id,) for run_id in ids]
        )
        if ids:
            bump_revision(db)
        else:
            db.execute(
                "delete from payload_parts where used_until < ?", [before.isoformat()]
            )
    return len(ids)


def count_to_repack(db: Database) -> int:
    """How many payloads an older version has written."""
    [[count]] = db.execute(
        "select count(*) from run_payloads, instance"
        " where key = ? and run_id > cast(value as integer)",
        [REPACKED_TO],
    )
    return int(count)


def repack(db: Database, limit: int) -> int:
    """Rewrite payloads of older versions in this version's form.

    At most `limit` in one transaction, so that other processes need not wait long for
    the database. Call it until it returns 0. Readers see no difference, and after an
    interruption it continues with the next payload.
    """
    with transaction(db):
        rows = _rows_to_repack(db, limit)
        writer = PayloadWriter(db, {})
        texts = {run["run_id"]: run.pop("raw_json") for run in rows}
        for run in rows:
            with suppress(ValueError):
                payload = json.loads(texts[run["run_id"]])
                if isinstance(payload, dict):
                    writer.add(run, payload)
        writer.write()
        for run_id, text in texts.items():
            _keep(db, run_id, text)
        if rows:
            _set_repacked_to(db, rows[-1]["run_id"])
        else:
            _finish_repacking(db)
    return len(rows)


def _rows_to_repack(db: Database, limit: int) -> list[Row]:
    return list(
        db.query(
            "select * from runs_full where run_id > ("
            "  select cast(value as integer) from instance where key = ?"
            ") and raw_json is not null order by run_id limit ?",
            [REPACKED_TO, limit],
        )
    )


def _keep(db: Database, run_id: int, raw_json: str) -> None:
    """Store a payload whole if its parts do not give the same text."""
    [[text]] = db.execute("select raw_json from runs_full where run_id = ?", [run_id])
    if text != raw_json:
        whole = {"run_id": run_id, "body": raw_json} | WHOLE
        upsert(db, "run_payloads", whole, ["run_id"])


def _set_repacked_to(db: Database, run_id: int) -> None:
    db.execute(
        "update instance set value = ? where key = ?", [str(run_id), REPACKED_TO]
    )


def _finish_repacking(db: Database) -> None:
    """Delete the parts that no payload uses."""
    done = db.execute("delete from instance where key = ?", [REPACKED_TO])
    if done.rowcount:
        db.execute(
            "delete from payload_parts where part_id not in ("
            "  select phrases_id from run_payloads"
            "  union select value from run_payloads, json_each(part_ids)"
            ")"
        )


@lru_cache(CACHED_PHRASES)
def _json(phrases: tuple[str, ...]) -> str:
    return json.dumps(phrases)


def _hash(content: str) -> int:
    """A short key to look a part up by. Different parts may share one."""
    digest = blake2b(content.encode("ascii"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
