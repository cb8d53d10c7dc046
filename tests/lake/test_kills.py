"""A merge that is killed loses nothing and doubles nothing."""

import signal
import subprocess
import sys
from pathlib import Path

from lakes import TABLES, merge, stored_rows
from varied_archive import fill_varied
from waiting import HANG_SECONDS

# Merges in small chunks, and kills itself before or after one of its commits.
MERGE = """
import os, signal, sys
from pathlib import Path
from ci_observer.ingest.lake import merging, passes, place

db_path, folder, kill_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
count = 0

def killing(call):
    def killed(*args, **kwargs):
        global count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return killed

merging.CHUNK = 40
merging._merge = killing(merging._merge)
merging._merged = killing(merging._merged)
passes.run_pass(db_path, place.Place(str(folder), folder=folder))
"""


def test_a_merge_that_is_killed_between_two_steps_is_completed_by_the_next(
    db, db_path, lake
):
    fill_varied(db, runs=60)
    # After the first commit, and before one in the middle of a table.
    for kill_at in (2, 5):
        merge_and_die(db_path, lake.folder, kill_at)

    merge(db_path, lake.folder)

    for name in TABLES:
        assert lake.rows(name) == stored_rows(db, name), name


def merge_and_die(db_path: Path, folder: Path, kill_at: int) -> None:
    command = [sys.executable, "-c", MERGE, str(db_path), str(folder), str(kill_at)]
    done = subprocess.run(command, timeout=HANG_SECONDS, check=False)  # noqa: S603 (our own)
    assert done.returncode == -signal.SIGKILL
