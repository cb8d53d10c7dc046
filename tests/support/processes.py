"""The product's commands as processes, as their users run them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from waiting import HANG_SECONDS, eventually

from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.config import SETTINGS

CI_OBSERVER = (sys.executable, "-m", "ci_observer")


def environ_with(**settings: object) -> dict[str, str]:
    """The tests' environment, with these settings of CI Observer and no others."""
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return clean | {name: str(value) for name, value in settings.items()}


@contextmanager
def serving(
    environ: Mapping[str, str],
    folder: Path,
    command: Sequence[str] = CI_OBSERVER,
    options: Sequence[str] = (),
) -> Iterator[httpx.Client]:
    """Run `ci-observer serve` in a folder; give a client once it accepts connections.

    At the end SIGTERM must stop it with exit code 0.
    """
    with serving_log(environ, folder, command, options) as (web, _):
        yield web


@contextmanager
def serving_log(
    environ: Mapping[str, str],
    folder: Path,
    command: Sequence[str] = CI_OBSERVER,
    options: Sequence[str] = (),
) -> Iterator[tuple[httpx.Client, Callable[[], str]]]:
    """Like `serving`; also gives a function that returns the log after the end."""
    port = free_port()
    process = subprocess.Popen(  # noqa: S603 (our own command)
        [*command, "serve", *options],
        env={**environ, "CI_OBSERVER_PORT": str(port)},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = ""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=HANG_SECONDS) as web:
        try:
            wait_until_listening(process, port)
            yield web, lambda: log
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 0, log


def wait_until_listening(process: subprocess.Popen[str], port: int) -> None:
    """Wait for the log line with the address, then for an accepted connection.

    Lines before it are warnings.
    """
    assert process.stderr is not None
    before = []
    while str(port) not in (line := process.stderr.readline()):
        before.append(line)
        assert line, "".join(before)

    def accepts_or_has_ended() -> bool:
        with socket.socket() as probe:
            is_accepted = probe.connect_ex(("127.0.0.1", port)) == 0
        return is_accepted or process.poll() is not None

    eventually(accepts_or_has_ended)
    assert process.poll() is None, "serve has ended"
