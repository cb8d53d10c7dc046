"""Writes GitHub's whole run objects, taken apart into what repeats and what does not.

`ingest.payloads` takes them apart, the view `runs_full` puts them together again.
"""

import json
from collections.abc import Mapping
from datetime import date
from hashlib import blake2b
from typing import Any

from sqlite_utils import Database

from ingest.payloads import split_payload
from ingest.rows import Row
from ingest.store.instance import bump_revision, transaction

CONVERTED_AT_ONCE = 500


class Payloads:
    """Writes the payloads of some runs, within the caller's transaction.

    It remembers the parts that it has seen, which is safe only as long as nobody else
    can write: do not keep it longer than the transaction.
    """

    def __init__(self, db: Database, stored: Mapping[int, Row]) -> None:
        self._db = db
        self._stored = dict(stored)
        self._parts: dict[str, tuple[int, str]] = {}

    def __contains__(self, run_id: int) -> bool:
        return run_id in self._stored

    def save(self, run: Row, payload: Mapping[str, Any]) -> bool:
        """Write a run's payload unless it is stored as it is; return if it was not."""
        split = split_payload(payload, run["run_id"])
        day = run["created_at"][:10]
        row = {
            "run_id": run["run_id"],
            "phrases_id": self._part_id(json.dumps(split.phrases), day),
            "part_ids": json.dumps(
                [self._part_id(part, day) for part in split.parts],
                separators=(",", ":"),
            ),
            "body": split.body,
        }
        if row == self._stored.get(run["run_id"]):
            return False
        self._db.execute(
            "replace into run_payloads (run_id, phrases_id, part_ids, body)"
            " values (:run_id, :phrases_id, :part_ids, :body)",
            row,
        )
        self._stored[run["run_id"]] = row
        return True

    def _part_id(self, content: str, day: str) -> int:
        """The id of a part, which is written if it is new, and kept as long as used."""
        part_id, used_until = self._parts.get(content) or self._stored_part(content)
        if part_id == 0:
            part_id = self._insert(content, day)
        elif used_until < day:
            self._db.execute(
                "update payload_parts set used_until = ? where part_id = ?",
                [day, part_id],
            )
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


def count_payloads(db: Database, before: date) -> int:
    """How many payloads there are of runs created before a day."""
    [[count]] = db.execute(
        "select count(*) from run_payloads join runs using (run_id)"
        " where created_at < ?",
        [before.isoformat()],
    )
    return int(count)


def prune_payloads(db: Database, before: date, limit: int) -> int:
    """Delete payloads of runs created before a day, and the parts only those used.

    At most `limit` payloads in one transaction, so that nobody waits long for the
    database; call it until it returns 0. Runs and attempts stay.
    """
    # Found before the transaction begins, since it may take a look at every payload.
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


def convert_payloads(db: Database, table: str) -> None:
    """Take apart every payload of a table of (run_id, raw_json), some at a time."""
    run_id = 0
    while rows := _whole_payloads(db, table, after=run_id):
        payloads = Payloads(db, {})
        for run_id, created_at, raw_json in rows:
            payloads.save(
                {"run_id": run_id, "created_at": created_at}, json.loads(raw_json)
            )


def _whole_payloads(
    db: Database, table: str, *, after: int
) -> list[tuple[int, str, str]]:
    return db.execute(
        f"select run_id, created_at, raw_json from {table} join runs using (run_id)"
        " where run_id > ? order by run_id limit ?",
        [after, CONVERTED_AT_ONCE],
    ).fetchall()


def _hash(content: str) -> int:
    """A short name of a part, to look it up by; equal parts have equal ones."""
    digest = blake2b(content.encode("ascii"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
