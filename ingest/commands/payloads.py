"""Stored payloads: the commands `prune` and `migrate` delete and repack them.

In batches of one transaction each, so that a running ingest waits only briefly.
"""

from collections.abc import Callable
from datetime import date
from functools import partial

import click
from sqlite_utils import Database

from ci_observer.ingest.commands.terminal import (
    is_interactive,
    megabytes,
    progress_bar,
)
from ci_observer.ingest.store import database, payloads

PRUNE_BATCH = 1000
REPACK_BATCH = 500


def prune_payloads(db: Database, before: date, *, is_confirmed: bool) -> None:
    """Delete the payloads of runs created before a day.

    Asks for confirmation on a terminal, unless `is_confirmed`.
    """
    total = payloads.count(db, before)
    if total and is_interactive() and not is_confirmed:
        click.confirm(
            f"Delete the payloads of {total} runs created before {before}?", abort=True
        )
    prune_batch = partial(payloads.prune, db, before, PRUNE_BATCH)
    free = _run_batches(db, prune_batch, total, label="deleting")
    click.echo(f"{total} payloads deleted; {free} more are free for new runs.")


def repack_payloads(db: Database) -> None:
    """Repack the payloads that an older version has stored, if there are any."""
    total = payloads.count_to_repack(db)
    if not total:
        return
    repack_batch = partial(payloads.repack, db, REPACK_BATCH)
    free = _run_batches(db, repack_batch, total, label="repacking")
    click.echo(f"{total} payloads repacked; {free} more are free for new runs.")


def _run_batches(
    db: Database, run_batch: Callable[[], int], total: int, *, label: str
) -> str:
    """Run batches until one does nothing; return the space that they freed."""
    free = database.free_bytes(db)
    with progress_bar(None, total, label) as bar:
        for done in iter(run_batch, 0):
            bar.update(done)
    return megabytes(database.free_bytes(db) - free)
