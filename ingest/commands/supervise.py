"""`up` and `replica`: this process becomes Supervisor, which runs the others.

Options: http://supervisord.org/configuration.html. As `python -m`, this module is the
supervising process.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from configparser import RawConfigParser
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import join
from types import FrameType
from typing import Any

from supervisor import events, supervisord
from supervisor.loggers import Handler
from supervisor.options import ServerOptions

from ci_observer.ingest.commands import launch, orphans, sharing, users
from ci_observer.ingest.commands.users import Users
from ci_observer.ingest.commands.wakeup import WakeUp
from ci_observer.ingest.config import (
    DATABASE_REQUIRED,
    OF_APP,
    OF_TOKEN,
    SECRETS,
    WEB_SECRETS,
    Config,
    database_group,
    litestream_variables,
)
from ci_observer.ingest.db.keeper import WalKeeper, check_in
from ci_observer.ingest.replica import copy_file

SUPERVISOR = {
    "nodaemon": "true",
    "logfile": "/dev/null",
    "logfile_maxbytes": "0",
    # Only problems; the processes write their own logs.
    "loglevel": "warn",
    # Supervisor closes this number of file descriptors in a child. Keep STDOUT open.
    "minfds": "3",
}
PROGRAM = {
    "autorestart": "true",
    # A process that exits earlier than this is restarted after a wait that grows by a
    # second each time, without a limit.
    "startsecs": "30",
    "startretries": "1000000",
    # SIGTERM ends everything within 10 seconds.
    "stopwaitsecs": "7",
    "stdout_logfile": "NONE",
    "stderr_logfile": "NONE",
}
# Duplicates of this process's output, for its children. Supervisor would reopen
# /dev/fd/1 at every start, which fails for a socket (systemd's journal) and for another
# user's pipe (a container that has dropped root).
STDOUT, STDERR = 8, 9
# Isolated and without site-packages, because it needs neither and starts twice as fast.
LAUNCH = [sys.executable, "-I", "-S", launch.__file__]


@dataclass(frozen=True)
class Program:
    """A module to run, with its arguments, in an environment without some variables.

    `variables` are more of them, none of them secret. `db_path` is the database, if it
    is not that of the others. A program with a `pid_file` can be stopped alone: the
    file has its process id, and it is not restarted after a regular end.
    """

    name: str
    command: list[str]
    unset: tuple[str, ...]
    is_web: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    db_path: Path | None = None
    pid_file: Path | None = None


INGEST = Program("ingest", ["ci_observer", "ingest"], unset=WEB_SECRETS)
WEB = Program("web", ["ci_observer", "serve"], unset=SECRETS, is_web=True)
# A process of its own, so that it can tell of a dead ingest.
ALERTS = Program(
    "alerts",
    ["ci_observer", "alerts", "--send"],
    unset=(*OF_TOKEN, *OF_APP, *WEB_SECRETS),
)


def run(config: Config) -> None:
    """Become the supervisor of ingest, web and alerts; does not return."""
    programs = [INGEST, WEB, *([ALERTS] if config.alert_urls else [])]
    become_supervisor(programs, dict(os.environ), config.db_path)


def run_replica(db_path: Path, url: str, interval: str) -> None:
    """Become the supervisor of a follower and web; does not return."""
    mark = copy_file.claim(db_path)
    follow = ["ci_observer", "replica", "--follow", "--interval", interval, url]
    web = replace(
        WEB,
        command=["ci_observer", "serve", "--read-only"],
        unset=(*SECRETS, *litestream_variables()),
    )
    programs = [Program("follow", follow, unset=(*SECRETS, *WEB_SECRETS)), web]
    become_supervisor(programs, dict(os.environ), mark, is_written=False)


def become_supervisor(
    programs: list[Program],
    environ: dict[str, str],
    db_path: Path,
    *,
    is_written: bool = True,
) -> None:
    """Become the supervisor of programs that share a file, which web has to read.

    `is_written` says that it is a database with a writer, and so with a -wal file.
    """
    folder = Path(tempfile.mkdtemp(prefix="ci-observer-"))
    environ = {**environ, DATABASE_REQUIRED: "1"}
    path = folder / "supervisord.conf"
    with path.open("w") as file:
        _configuration(programs, folder, db_path).write(file)
    for output, duplicate in ((1, STDOUT), (2, STDERR)):
        os.dup2(output, duplicate, inheritable=True)
    users.make_web_real()
    arguments = ["-m", "ci_observer.ingest.commands.supervise", str(path)]
    arguments += [str(db_path)] if is_written else []
    os.execve(sys.executable, [sys.executable, *arguments], environ)  # noqa: S606


def _configuration(
    programs: list[Program], folder: Path, db_path: Path
) -> RawConfigParser:
    conf = RawConfigParser()
    conf["supervisord"] = SUPERVISOR | {
        "pidfile": str(folder / "supervisord.pid"),
        "childlogdir": str(folder),
    }
    if os.geteuid() == 0:
        # Otherwise Supervisor warns about root, as in a container's user namespace.
        conf["supervisord"]["user"] = "root"
    paths = {program.db_path or db_path for program in programs}
    users_of = {path: sharing.usable_users(path) for path in paths}
    for program in programs:
        path = program.db_path or db_path
        # Supervisor expands % as a variable.
        text = join(_command_line(program, users_of[path], path)).replace("%", "%%")
        options = {"autorestart": "unexpected"} if program.pid_file else {}
        conf[f"program:{program.name}"] = PROGRAM | options | {"command": text}
    # Supervisor stops one group after the other, and the processes of one together.
    conf["group:all"] = {"programs": ",".join(program.name for program in programs)}
    return conf


def _command_line(program: Program, two: Users, db_path: Path) -> list[str]:
    own = sharing.environment_of_web(db_path) if program.is_web and two.are_two else {}
    spec = {
        # This process becomes the supervisor.
        "parent": os.getpid(),
        "outputs": [STDOUT, STDERR],
        "unset": program.unset,
        "user": two.web if program.is_web else two.ingest,
        "pid_file": program.pid_file and str(program.pid_file),
        **own,
        "set": program.variables | own.get("set", {}),
    }
    return [*LAUNCH, json.dumps(spec), *program.command]


class Options(ServerOptions):  # type: ignore[misc]
    """Supervisor's options, except for its signals.

    They are handled at once, and SIGHUP stops everything like SIGTERM.

    A closed terminal sends SIGHUP, on which Supervisor would restart everything. A
    process that ignores SIGHUP, as under nohup, continues to ignore it.
    """

    def setsignals(self) -> None:
        """Install the signal handlers."""
        is_ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        super().setsignals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN if is_ignored else self._hang_up)
        self._wakeup = WakeUp()

    def get_socket_map(self) -> dict[int, Any]:
        """Return what the main loop reads from, by descriptor."""
        return {self._wakeup.descriptor: self._wakeup}

    def _hang_up(self, _: int, frame: FrameType | None) -> None:
        self.signal_receiver.receive(signal.SIGTERM, frame)


def _ignore_error(_: Handler) -> None:
    """Ignore that the output is closed: the processes continue without a reader."""


def main(configuration: Path, db_path: Path | None) -> None:
    """Run the programs of a configuration file, and delete its folder at the end.

    `db_path` is a database with a writer; its -wal file is kept until the end.
    """
    Handler.handleError = _ignore_error
    orphans.adopt_orphans()
    with nullcontext() if db_path is None else _kept(db_path):
        _run_programs(configuration)


def _run_programs(configuration: Path) -> None:
    options = Options()
    try:
        options.realize(["--configuration", str(configuration)])
        options.first, options.test = True, False
        supervisord.go(options)
        options.close_httpservers()
        options.close_logger()
    finally:
        orphans.end_children()
        shutil.rmtree(configuration.parent, ignore_errors=True)


@contextmanager
def _kept(db_path: Path) -> Iterator[None]:
    """Keep a database readable, and write its -wal file into it at the end."""
    keeper = WalKeeper(db_path, group=database_group())
    keeper.look()
    events.subscribe(events.Tick5Event, lambda _: keeper.look())
    try:
        yield
    finally:
        keeper.close()
        check_in(db_path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else None)
