"""The rollups, which the command `migrate` builds at once, with a progress bar."""

import click
from sqlite_utils import Database

from ci_observer.ingest.commands.terminal import progress_bar
from ci_observer.ingest.store import rollups

BATCH = 2000


def build_rollups(db: Database) -> None:
    """Count all runs for charts that are not counted yet, if there are any."""
    progress = rollups.progress(db)
    if progress.is_complete:
        return
    left = progress.runs_total - progress.runs_done
    with progress_bar(None, left, "counting runs") as bar:
        while done := rollups.build(db, BATCH, shows=False):
            bar.update(done)
    click.echo(f"{rollups.progress(db).runs_done} runs counted for charts.")
