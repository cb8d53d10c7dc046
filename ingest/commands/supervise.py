"""`up`, `demo` and `replica`: this process becomes Supervisor, which runs the others.

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
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import join
from types import FrameType
from typing import Any

from supervisor import events, supervisord
from supervisor.loggers import Handler
from supervisor.options import ServerOptions

from ci_observer.ingest.commands import launch, orphans, sharing, users
from ci_observer.ingest.commands.ports import free_port
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
    without_network,
)
from ci_observer.ingest.db import schema
from ci_observer.ingest.db.keeper import WalKeeper, check_in
from ci_observer.ingest.errors import DatabaseError
from ci_observer.ingest.replica import copy_file
from ci_observer.ingest.store import feed_states

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
    """A module to run, with its arguments, in an environment without some variables."""

    name: str
    command: list[str]
    unset: tuple[str, ...]
    is_web: bool = False


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
    _become_supervisor(programs, dict(os.environ), config.db_path)


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
    _become_supervisor(programs, dict(os.environ), mark, is_written=False)


def run_demo(db_path: Path, *, seed: int) -> None:
    """Become the supervisor of a simulated GitHub, ingest and web; does not return."""
    from ci_observer.demo.scenario import lively_world  # noqa: PLC0415 (only the demo needs them)
    from ci_observer.demo.server import settings  # noqa: PLC0415 (only the demo needs them)

    port, receiver_port = free_port(), free_port()
    environ = {
        **{k: v for k, v in os.environ.items() if k not in SECRETS},
        "GITHUB_TOKEN": settings.DEMO_TOKEN,
        "GITHUB_API_URL": f"http://127.0.0.1:{port}",
        "GH_REPOS": lively_world.REPOS,
        "GH_WORKFLOWS": lively_world.WORKFLOWS,
        "REFRESH_SECONDS": "5",
        "DASHBOARD_TITLE": "CI Observer (demo)",
        "CI_OBSERVER_DB": str(db_path),
        "CI_OBSERVER_CONFIG": str(_write_demo_settings(db_path)),
        "ALERT_URLS": f"json://127.0.0.1:{receiver_port}/alerts",
        # The simulated GitHub is on this machine.
        **without_network(),
    }
    simulator = ["ci_observer.demo", "--quiet"]
    simulator += ["--port", str(port), "--seed", str(seed)]
    github = Program("github", simulator, unset=(*SECRETS, *WEB_SECRETS))
    receiver = replace(
        github,
        name="receiver",
        command=["ci_observer.demo.receiver", str(receiver_port)],
    )
    # Quiet, so that only alerts follow the address of the wall.
    ingest = replace(INGEST, command=["ci_observer", "--quiet", "ingest"])
    alerts = replace(ALERTS, command=["ci_observer", "--quiet", "alerts", "--send"])
    _become_supervisor([github, receiver, ingest, WEB, alerts], environ, db_path)


def _write_demo_settings(db_path: Path) -> Path:
    """Write the settings file of the demo next to its database."""
    from ci_observer.demo.scenario.demo_settings import settings_text  # noqa: PLC0415 (only the demo needs it)

    path = db_path.with_suffix(".yml")
    next_week = datetime.now(UTC).date() + timedelta(days=7)
    path.write_text(settings_text(next_week), encoding="utf-8")
    return path


def create_demo_database(config: Config) -> Path:
    """Create a new demo.db in place of the former one, and return its path.

    It has the states of workflows that would have been recorded before. Raises
    `DatabaseError` if its folder is not writable.
    """
    from ci_observer.demo.scenario.recorded_states import recorded_states  # noqa: PLC0415 (only the demo needs it)

    path = config.db_path.with_name("demo.db")
    try:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    except OSError as error:
        raise DatabaseError(
            f"Cannot replace the database of the demo: {error}. Set CI_OBSERVER_DB to "
            "a file in a folder that you can write to."
        ) from error
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
        feed_states.save_recorded(db, recorded_states(datetime.now(UTC)))
    return path


def _become_supervisor(
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
    two = sharing.usable_users(db_path)
    for program in programs:
        # Supervisor expands % as a variable.
        text = join(_command_line(program, two, db_path)).replace("%", "%%")
        conf[f"program:{program.name}"] = PROGRAM | {"command": text}
    # Supervisor stops one group after the other, and the processes of one together.
    conf["group:all"] = {"programs": ",".join(program.name for program in programs)}
    return conf


def _command_line(program: Program, two: Users, db_path: Path) -> list[str]:
    is_web = program.is_web
    spec = {
        # This process becomes the supervisor.
        "parent": os.getpid(),
        "outputs": [STDOUT, STDERR],
        "unset": program.unset,
        "user": two.web if is_web else two.ingest,
        **(sharing.environment_of_web(db_path) if is_web and two.are_two else {}),
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
