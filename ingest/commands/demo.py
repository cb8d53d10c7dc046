"""The command `demo`: a simulated GitHub, and one or two instances that watch it."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import quote

from ci_observer.demo.scenario import lively_world
from ci_observer.demo.scenario.demo_settings import settings_text
from ci_observer.demo.scenario.recorded_states import recorded_states
from ci_observer.demo.server import settings
from ci_observer.ingest.commands.ports import free_port, refuse_busy_port
from ci_observer.ingest.commands.supervise import (
    ALERTS,
    INGEST,
    WEB,
    Program,
    become_supervisor,
)
from ci_observer.ingest.config import SECRETS, WEB_SECRETS, Config, without_network
from ci_observer.ingest.config.values import is_loopback
from ci_observer.ingest.db import schema
from ci_observer.ingest.errors import ConfigError, DatabaseError
from ci_observer.ingest.store import feed_states

TITLE = "CI Observer (demo)"
# An address for clients on this machine, by that of all addresses.
LOOPBACK_OF_ANY = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 (a name only)


@dataclass(frozen=True)
class Second:
    """The second instance, which has a shard of the repositories, as the first has.

    `first_address` and `address` are those of the two walls.
    """

    db_path: Path
    first_address: str
    address: str
    port: int

    @property
    def pid_file(self) -> Path:
        """The file with the process id of its web side."""
        return self.db_path.with_suffix(".pid")

    @property
    def introduction(self) -> str:
        """What to look at."""
        return (
            f"{self.first_address} and {self.address} show each other's tiles. To see"
            " what the first one says when the second is missing, stop it:\n"
            f"    kill $(cat {quote(str(self.pid_file))})"
        )


def run_demo(db_path: Path, *, seed: int, second: Second | None = None) -> None:
    """Become the supervisor of a simulated GitHub, ingest and web; does not return."""
    port, receiver_port = free_port(), free_port()
    environ = {
        **{k: v for k, v in os.environ.items() if k not in SECRETS},
        "GITHUB_TOKEN": settings.DEMO_TOKEN,
        "GITHUB_API_URL": f"http://127.0.0.1:{port}",
        "GH_REPOS": lively_world.REPOS,
        "GH_WORKFLOWS": lively_world.WORKFLOWS,
        "REFRESH_SECONDS": "5",
        "DASHBOARD_TITLE": TITLE,
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
    instances = [ingest, WEB] if second is None else [*_both(ingest, second)]
    become_supervisor([github, receiver, *instances, alerts], environ, db_path)


def _both(ingest: Program, second: Second) -> Iterator[Program]:
    """The programs of two instances that show each other's tiles."""
    first_variables = {
        "SHARD": "1/2",
        "PEERS": second.address,
        "DASHBOARD_TITLE": f"{TITLE}, 1 of 2",
    }
    second_variables = {
        "SHARD": "2/2",
        "PEERS": second.first_address,
        "DASHBOARD_TITLE": f"{TITLE}, 2 of 2",
        "CI_OBSERVER_DB": str(second.db_path),
        "CI_OBSERVER_PORT": str(second.port),
    }
    for program in (ingest, WEB):
        yield replace(program, variables=first_variables)
        yield replace(
            program,
            name=f"{program.name}-2",
            variables=second_variables,
            db_path=second.db_path,
            pid_file=second.pid_file if program.is_web else None,
        )


def create_second(config: Config) -> Second:
    """Create the database of the second instance, which has the next port.

    Raises `ConfigError` if two instances cannot show each other with these settings.
    """
    if config.access_token:
        raise ConfigError(
            "demo --peers: the two instances have no access token. Leave ACCESS_TOKEN"
            " and ACCESS_TOKEN_FILE empty."
        )
    host = LOOPBACK_OF_ANY.get(config.host, config.host)
    if not is_loopback(host):
        raise ConfigError(
            "CI_OBSERVER_HOST: with demo --peers, both instances are on this machine."
            " Write 127.0.0.1, or 0.0.0.0 for all addresses."
        )
    port = config.port + 1
    refuse_busy_port(config.host, port)
    first, second = (
        replace(config, host=host, port=number).wall_address.rstrip("/")
        for number in (config.port, port)
    )
    path = _create_database(config.db_path.with_name("demo-2.db"))
    return Second(path, first_address=first, address=second, port=port)


def create_demo_database(config: Config) -> Path:
    """Create a new demo.db in place of the former one, and return its path.

    It has the states of workflows that would have been recorded before. Raises
    `DatabaseError` if its folder is not writable.
    """
    return _create_database(config.db_path.with_name("demo.db"))


def _create_database(path: Path) -> Path:
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


def _write_demo_settings(db_path: Path) -> Path:
    """Write the settings file of the demo next to its database."""
    path = db_path.with_suffix(".yml")
    next_week = datetime.now(UTC).date() + timedelta(days=7)
    path.write_text(settings_text(next_week), encoding="utf-8")
    return path
