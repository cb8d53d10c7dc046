"""What the benchmarks measure of a server's processes."""

import http.client
import subprocess
import sys
from contextlib import closing

from bench.harness.servers import Server

BUSY_CHILD = """
import subprocess, sys
busy = "import time\\nwhile time.process_time() < 0.3: pass"
subprocess.run([sys.executable, "-c", busy])
print("ended", flush=True)
sys.stdin.read()
"""


def test_the_time_of_a_process_that_has_ended_counts_with_its_parent():
    with subprocess.Popen(  # noqa: S603 (fixed arguments)
        [sys.executable, "-c", BUSY_CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout.readline() == "ended\n"
        assert server_of(parent.pid).cpu_seconds() >= 0.3


def test_a_process_that_is_gone_has_no_time():
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    assert server_of(gone.pid).cpu_seconds() == 0


def server_of(pid: int) -> Server:
    with closing(http.client.HTTPConnection("localhost")) as connection:
        return Server(pid, 0, 0, connection)
