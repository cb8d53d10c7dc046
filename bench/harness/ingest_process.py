"""A measured ingest: a child process that makes a pass for each line on its stdin."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.harness.servers import ROOT

CI_OBSERVER = "bench.harness.ci_observer_ingest"
MINIMAL = "bench.baselines.minimal_ingest"


class IngestProcess:
    """Ingest into `db`; `settings` are those of the simulated GitHub."""

    def __init__(self, module: str, db: Path, settings: Mapping[str, str]) -> None:
        ours = {
            "CI_OBSERVER_DB": str(db),
            "HISTORY_DAYS": "3650",
            "FETCH_JOBS": "none",
            "PYTHONPATH": str(ROOT),
        }
        self._child = subprocess.Popen(  # noqa: S603 (fixed arguments)
            [sys.executable, "-m", module],
            cwd=db.parent,
            env=os.environ | dict(settings) | ours,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._child.pid
        self._peak_memory = 0.0

    def make_pass(self) -> float:
        """Make a pass; returns the CPU seconds of the process since its start."""
        if self._child.stdin is None or self._child.stdout is None:
            raise ValueError("the process needs pipes")
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise SystemExit("The measured process ended early.")
        used = json.loads(line)
        self._peak_memory = used["peak_memory"]
        return float(used["cpu"])

    def stop(self) -> float:
        """Wait for the end of the process; returns its peak memory in MB."""
        if self._child.stdin is not None and self._child.stdout is not None:
            self._child.stdin.close()
            self._child.stdout.close()
        self._child.wait()
        return self._peak_memory
