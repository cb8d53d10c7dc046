"""The process that `up` and `demo` become: Supervisor, but for closed terminals.

Supervisor itself would restart everything on SIGHUP, which a terminal sends when it is
closed. Here that ends it as SIGTERM does, unless it is to be ignored, as with nohup.
"""

import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

from supervisor import supervisord
from supervisor.loggers import Handler
from supervisor.options import ServerOptions


class Options(ServerOptions):  # type: ignore[misc]
    """Supervisor's options, but for SIGHUP."""

    def setsignals(self) -> None:
        """Listen to signals."""
        is_ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        super().setsignals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN if is_ignored else self._hang_up)

    def _hang_up(self, _: int, frame: FrameType | None) -> None:
        self.signal_receiver.receive(signal.SIGTERM, frame)


def _say_nothing(_: Handler) -> None:
    """Nobody reads the output any more: no reason to leave the processes alone."""


def main(configuration: Path) -> None:
    """Run what the file says; its folder goes with the process."""
    Handler.handleError = _say_nothing
    options = Options()
    try:
        options.realize(["--configuration", str(configuration)])
        options.first, options.test = True, False
        supervisord.go(options)
        options.close_httpservers()
        options.close_logger()
    finally:
        shutil.rmtree(configuration.parent, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
