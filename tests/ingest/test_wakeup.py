"""Supervisor works without waiting for its time-out, so with an endless one too."""

import shlex
import subprocess
import sys
from configparser import RawConfigParser
from io import StringIO
from pathlib import Path

from waiting import HANG_SECONDS, eventually

from ci_observer.ingest.commands import supervise

# Supervisor's time-out of a second would hide a signal that does not wake it.
WITHOUT_TIME_OUT = """
import sys
from pathlib import Path
from supervisor.poller import PollPoller, SelectPoller

for poller in (PollPoller, SelectPoller):
    poll = poller.poll
    poller.poll = lambda self, _, poll=poll: poll(self, 3600)

from ci_observer.ingest.commands import supervise

supervise.main(Path(sys.argv[1]), Path(sys.argv[2]))
"""
SLEEPER = "import sys, time; open(sys.argv[1], 'x'); time.sleep(3600)"


def test_processes_start_and_end_without_a_wait(tmp_path: Path) -> None:
    """SIGTERM ends the supervisor, and SIGCHLD tells it of each process."""
    folder = tmp_path / "supervisor"
    folder.mkdir()
    started = [tmp_path / "ingest", tmp_path / "web"]
    conf = folder / "supervisord.conf"
    conf.write_text(_configuration(folder, started))
    process = subprocess.Popen(  # noqa: S603 (our own command)
        [sys.executable, "-c", WITHOUT_TIME_OUT, str(conf), str(tmp_path / "no.db")]
    )

    eventually(lambda: all(path.exists() for path in started))
    process.terminate()

    assert process.wait(HANG_SECONDS) == 0


def _configuration(folder: Path, started: list[Path]) -> str:
    parser = RawConfigParser()
    parser["supervisord"] = supervise.SUPERVISOR | {"pidfile": str(folder / "pid")}
    for path in started:
        command = shlex.join([sys.executable, "-c", SLEEPER, str(path)])
        parser[f"program:{path.name}"] = supervise.PROGRAM | {"command": command}
    text = StringIO()
    parser.write(text)
    return text.getvalue()
