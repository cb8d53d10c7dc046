"""A writer, Litestream next to it, and replicas: processes of the product."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.harness.s3_server import litestream_environ, program
from bench.harness.servers import HOST, ROOT, connection_to, send_request
from ci_observer.ingest.commands.ports import free_port

CONFIGURATION = ROOT / "contrib/litestream/litestream.yml"
STOP_TIMEOUT = 60


@dataclass
class Managed:
    """A process that can be killed and started again; its output is in a file."""

    command: list[str]
    environ: Mapping[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, in the folder of the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 (our own commands)
                self.command,
                cwd=self.log.parent,
                env={**self.environ, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        """Kill it with SIGKILL; what it has started ends with it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it with SIGTERM."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            try:
                self.process.wait(STOP_TIMEOUT)
            finally:
                self.process.kill()
                self.process.wait()
            self.process = None


@dataclass
class Instance(Managed):
    """`ci-observer up` or `replica`, with a port and a database."""

    port: int = 0
    database: Path = field(default_factory=Path)

    def get(self, path: str) -> tuple[int, Any]:
        """The status and the JSON of a response; status 0 without one."""
        with (
            suppress(OSError, http.client.HTTPException),
            closing(connection_to(self.port)) as connection,
        ):
            response = send_request(connection, path)
            return response.status, json.loads(response.body)
        return 0, {}

    def revision(self) -> int:
        """The revision that its readers see; 0 while it has no response."""
        status, body = self.get("/api/config")
        return int(body["revision"]) if status == http.client.OK else 0


def writer(folder: Path, settings: Mapping[str, str]) -> Instance:
    """`ci-observer up` that polls by these settings; not started."""
    return _instance(folder, ["up"], {**os.environ, **settings})


def replica(folder: Path, url: str) -> Instance:
    """`ci-observer replica`; not started."""
    return _instance(folder, ["replica", url], litestream_environ())


def _instance(folder: Path, words: list[str], environ: Mapping[str, str]) -> Instance:
    port, database = free_port(), folder / "ci_observer.db"
    settings = {
        "CI_OBSERVER_DB": str(database),
        "CI_OBSERVER_HOST": HOST,
        "CI_OBSERVER_PORT": str(port),
    }
    return Instance(
        [sys.executable, "-m", "ci_observer", *words],
        {**environ, **settings},
        folder.with_suffix(".log"),
        port=port,
        database=database,
    )


def litestream_of(database: Path, url: str, log: Path) -> Managed:
    """`litestream replicate` with the settings of contrib/; not started."""
    return Managed(
        [
            program("litestream") or "litestream",
            "replicate",
            "-config",
            str(CONFIGURATION),
        ],
        {
            **litestream_environ(),
            "CI_OBSERVER_DB": str(database),
            "REPLICA_URL": url,
        },
        log,
    )


def restore(url: str, database: Path) -> None:
    """Restore the newest state of a database from the S3 server, with a check."""
    subprocess.run(  # noqa: S603 (our own command)
        [
            *(program("litestream") or "litestream", "restore"),
            *("-integrity-check", "full", "-o", str(database), url),
        ],
        env=litestream_environ(),
        check=True,
        capture_output=True,
    )
