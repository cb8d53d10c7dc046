"""A lake in a folder, filled by `ci-observer lake`."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.harness.servers import ROOT
from bench.scale.file import archive


def filled_lake(scratch: Path, say: Callable[[str], None]) -> Path:
    """The lake of the part `file`'s database; it is filled if it is not there."""
    lake = scratch / "lake" / "folder"
    file = archive(scratch, say)
    if not lake.exists():
        lake.parent.mkdir(exist_ok=True)
        say("filling the lake")
        fill_lake(file, lake)
    return lake


def fill_lake(file: Path, lake: Path) -> None:
    """Merge a database into a lake. Raises `CalledProcessError` if it fails."""
    subprocess.run(  # noqa: S603 (fixed arguments)
        [sys.executable, "-m", "ci_observer", "lake", lake],
        cwd=ROOT,
        env=os.environ | {"CI_OBSERVER_DB": str(file)},
        # The table is on stdout.
        stdout=sys.stderr,
        check=True,
    )
