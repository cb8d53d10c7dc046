"""`up` and `demo`: their processes as one tree, kept alive by Supervisor.

http://supervisord.org/configuration.html explains the options that are set here.
"""

import os
import socket
import sys
import tempfile
from configparser import RawConfigParser
from pathlib import Path
from shlex import join

from ci_observer.ingest.config import SECRETS, Config
from ci_observer.ingest.errors import ConfigError

SUPERVISOR = {
    "nodaemon": "true",
    "logfile": "/dev/null",
    "logfile_maxbytes": "0",
    # Only what goes wrong; the processes speak for themselves.
    "loglevel": "warn",
    # So many file descriptors are closed in a child, and `STDOUT` is not to be.
    "minfds": "3",
}
PROGRAM = {
    "autorestart": "true",
    # A process that ends earlier than this is restarted after a wait that grows by a
    # second each time, and is never given up.
    "startsecs": "30",
    "startretries": "1000000",
    # SIGTERM must end everything within 10 seconds.
    "stopwaitsecs": "7",
    "stdout_logfile": "NONE",
    "stderr_logfile": "NONE",
}
# Each process writes to our own output, kept open as these two. Supervisor would open
# /dev/fd/1 anew at every start, which fails for a socket (systemd's journal) and for
# another user's pipe (a container that has given up root).
STDOUT, STDERR = 8, 9
TO_OUR_OUTPUT = ["sh", "-c", f'exec "$@" >&{STDOUT} 2>&{STDERR}', "sh"]


def run(config: Config) -> None:
    """Become the supervisor of ingest and web; does not return."""
    _refuse_busy_port(config.host, config.port)
    _become_supervisor(
        {"ingest": _ci_observer("ingest"), "web": _web()}, dict(os.environ)
    )


def run_demo(config: Config, *, seed: int) -> None:
    """Become the supervisor of a simulated GitHub, ingest and web; does not return."""
    from ci_observer.demo.scenario import lively_world  # noqa: PLC0415 (only the demo needs them)
    from ci_observer.demo.server import settings  # noqa: PLC0415 (only the demo needs them)

    _refuse_busy_port(config.host, config.port)
    port = _free_port()
    db_path = config.db_path.with_name("demo.db")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{db_path}{suffix}").unlink(missing_ok=True)
    environ = {
        **{k: v for k, v in os.environ.items() if k not in SECRETS},
        "GITHUB_TOKEN": settings.DEMO_TOKEN,
        "GITHUB_API_URL": f"http://127.0.0.1:{port}",
        "GH_REPOS": lively_world.REPOS,
        "GH_WORKFLOWS": lively_world.WORKFLOWS,
        "REFRESH_SECONDS": "5",
        "DASHBOARD_TITLE": "CI Observer (demo)",
        "CI_OBSERVER_DB": str(db_path),
    }
    simulated = [sys.executable, "-m", "ci_observer.demo", "--port", str(port)]
    simulated += ["--seed", str(seed)]
    _become_supervisor(
        {"github": simulated, "ingest": _ci_observer("ingest"), "web": _web()}, environ
    )


def _web() -> list[str]:
    # Supervisor can add to an environment but not take away.
    unset = [word for name in SECRETS for word in ("-u", name)]
    return ["env", *unset, *_ci_observer("serve")]


def _ci_observer(command: str) -> list[str]:
    return [sys.executable, "-m", "ci_observer", command]


def _become_supervisor(programs: dict[str, list[str]], environ: dict[str, str]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="ci-observer-"))
    path = folder / "supervisord.conf"
    with path.open("w") as file:
        _configuration(programs, folder).write(file)
    for number, kept in ((1, STDOUT), (2, STDERR)):
        os.dup2(number, kept, inheritable=True)
    arguments = ["-m", "ci_observer.ingest.commands.supervisor", str(path)]
    os.execve(sys.executable, [sys.executable, *arguments], environ)  # noqa: S606


def _configuration(programs: dict[str, list[str]], folder: Path) -> RawConfigParser:
    conf = RawConfigParser()
    conf["supervisord"] = SUPERVISOR | {
        "pidfile": str(folder / "supervisord.pid"),
        "childlogdir": str(folder),
    }
    if os.geteuid() == 0:
        # Says that root is meant, as in a container's user namespace.
        conf["supervisord"]["user"] = "root"
    for name, command in programs.items():
        # Supervisor reads % as the beginning of a variable.
        text = join([*TO_OUR_OUTPUT, *command]).replace("%", "%%")
        conf[f"program:{name}"] = PROGRAM | {"command": text}
    return conf


def _refuse_busy_port(host: str, port: int) -> None:
    """Fail now with a clear word rather than restart the web side for ever."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"CI_OBSERVER_PORT: cannot serve on {host}:{port} ({error.strerror}). "
                "Stop what uses it, or set CI_OBSERVER_PORT to a free port."
            ) from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
