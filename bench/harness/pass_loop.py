"""The child's side of an ingest benchmark: each line on stdin starts one pass."""

import json
import sys
import time
from collections.abc import Callable


def run_passes(make_pass: Callable[[], object]) -> None:
    """Make a pass for each line, and print the CPU seconds of the process so far."""
    for _ in sys.stdin:
        make_pass()
        sys.stdout.write(json.dumps({"cpu": time.process_time()}) + "\n")
        sys.stdout.flush()
