"""The command `lake`: merges once, or again and again until it is stopped."""

import logging
import os
import random
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from ci_observer.ingest.commands.lake_options import Options
from ci_observer.ingest.commands.lake_progress import FillProgress
from ci_observer.ingest.errors import CIObserverError
from ci_observer.ingest.lake.address import place_of
from ci_observer.ingest.lake.passes import Pass, run_pass
from ci_observer.ingest.lake.place import Place
from ci_observer.ingest.lake.upkeep import run_upkeep

log = logging.getLogger("ci_observer")

# A commit that takes longer is cut off, which is as harmless as a kill.
STOP_SECONDS = 7.0
# Instances that were started together do not stay so.
SPREAD = 0.1
UPKEEP_SECONDS = 24 * 3600


def run_lake(db_path: Path, uri: str, aws: Mapping[str, str], options: Options) -> int:
    """Merge once, or until SIGTERM or Ctrl-C. Returns the exit code.

    A thread does the work: a merge cannot be interrupted, and the main thread has to
    see the signal. Raises `LakeError`, `DatabaseError` and `ConfigError`.
    """
    work = _Work(db_path, place_of(uri, aws), options)
    thread = threading.Thread(target=work.run, daemon=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: work.stop.set())
    thread.start()
    while thread.is_alive() and not work.stop.is_set():
        thread.join(0.2)
    thread.join(STOP_SECONDS)
    if work.stop.is_set():
        log.info("Stopped.")
    if thread.is_alive():
        # Python would wait for the merge. Its uncommitted rows are merged again.
        logging.shutdown()
        os._exit(0)
    if work.error is not None:
        raise work.error
    return 0


@dataclass
class _Work:
    """Passes and upkeep, until `stop` is set. `error` is what ended it."""

    db_path: Path
    place: Place
    options: Options
    stop: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    _upkeep_at: float = float("-inf")

    def run(self) -> None:
        """Run the first pass, whose error ends it, and those that follow."""
        try:
            self._run_pass()
            while self.options.every and not self.stop.is_set():
                seconds = self.options.every.total_seconds()
                self.stop.wait(seconds * random.uniform(1 - SPREAD, 1 + SPREAD))  # noqa: S311 (no secret)
                if not self.stop.is_set():
                    self._try_pass()
        except Exception as error:  # noqa: BLE001 (the main thread raises it)
            self.error = error

    def _try_pass(self) -> None:
        try:
            self._run_pass()
        except CIObserverError as error:
            log.error("%s The next merge tries again.", error)

    def _run_pass(self) -> None:
        found = run_pass(
            self.db_path,
            self.place,
            is_stopped=self.stop.is_set,
            progress=FillProgress(),
        )
        self._report(found)
        is_daily = self.options.every is not None
        is_due = time.monotonic() - self._upkeep_at >= UPKEEP_SECONDS
        if self.options.is_optimized or (is_daily and is_due):
            self._upkeep_at = time.monotonic()
            for line in run_upkeep(
                self.place,
                self.options.retention,
                is_due_daily=not self.options.is_optimized,
                is_stopped=self.stop.is_set,
            ):
                click.echo(line)

    def _report(self, found: Pass) -> None:
        click.echo(str(found))
        if found.is_behind:
            log.warning(
                "The database is older than the lake, such as a replica that lags:"
                " nothing of it was written. The next merge tries again."
            )
