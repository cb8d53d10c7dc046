"""The states over time, which the command `migrate` computes at once."""

import click
from sqlite_utils import Database

from ci_observer.ingest.commands.terminal import progress_bar
from ci_observer.ingest.store import states

RUNS_PER_STEP = 2000


def build_states(db: Database) -> None:
    """Compute the states of feeds over time that are missing, if there are any."""
    total = left = states.feeds_left(db)
    if not total:
        return
    with progress_bar(None, total, "computing states") as bar:
        while now_left := states.build(db, RUNS_PER_STEP, shows=False):
            bar.update(left - now_left)
            left = now_left
    click.echo(f"States of {total} workflows over time computed.")
