"""One process that ingests, pass by pass: a line on stdin asks for the next one."""

import json
import sys
import time
from collections.abc import Callable


def serve(make_pass: Callable[[], object]) -> None:
    """Make a pass for every line, then say how much CPU the process has used so far."""
    for _ in sys.stdin:
        make_pass()
        sys.stdout.write(json.dumps({"cpu": time.process_time()}) + "\n")
        sys.stdout.flush()
