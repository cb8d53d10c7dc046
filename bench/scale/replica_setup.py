"""The processes of the part `replicas`, and the reading of them."""

import hashlib
import http.client
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from bench.harness.github_process import GitHubProcess
from bench.harness.replica_processes import (
    Instance,
    Managed,
    litestream_of,
    replica,
    writer,
)
from bench.harness.s3_server import S3Server, s3_server

WAIT_SECONDS = 180
LOOK_SECONDS = 0.05
REFRESH_SECONDS = 5

RUNS_SQL = """
select run_id, run_attempt, repo, workflow, status, conclusion, created_at
from runs order by run_id
"""


@dataclass
class Chain:
    """A writer, Litestream next to it, and replicas of its database."""

    url: str
    writer: Instance
    litestream: Managed
    replicas: list[Instance]

    def seconds_until_visible(self) -> float:
        """The time until replicas show what the writer's database has now."""
        start = time.monotonic()
        revision = revision_of(self.writer.database)
        for each in self.replicas:
            wait(lambda each=each: each.revision() >= revision, "a replica is behind")  # type: ignore[misc]
        return time.monotonic() - start

    def expect_equal_runs(self) -> None:
        """Raise an error unless the replicas get the writer's runs, and are sound."""

        def are_equal() -> bool:
            return all(
                runs_of(each.database) == runs_of(self.writer.database)
                for each in self.replicas
            )

        wait(are_equal, "the runs of a replica differ from the writer's")
        for each in self.replicas:
            [[result]] = select(each.database, "pragma quick_check")
            expect(result == "ok", f"{each.database}: {result}")


@dataclass
class Setup:
    """All processes of the trials, which are running.

    The writer of `main` lives. That of `other` is killed: while its replica gets old,
    which takes two minutes, the trials of `main` run.
    """

    github: GitHubProcess
    s3: S3Server
    main: Chain
    other: Chain
    say: Callable[[str], None]


def start_all(folder: Path, stack: ExitStack, say: Callable[[str], None]) -> Setup:
    """Start all processes; they end with the stack."""
    say("starting an S3 server, two writers and three replicas")
    s3 = stack.enter_context(s3_server(folder / "s3"))
    github = stack.enter_context(
        # 100 runs of each workflow.
        GitHubProcess(repos=10, workflows=3, runs=100, latency=0.01)
    )
    settings = {**github.settings, "REFRESH_SECONDS": str(REFRESH_SECONDS)}
    main = _chain(folder / "main", s3.url("main"), settings, replicas=2)
    other = _chain(folder / "other", s3.url("other"), settings, replicas=1)
    for each in (main, other):
        stack.callback(each.writer.stop)
        each.writer.start()
    for each in (main, other):
        wait(lambda each=each: is_healthy(each.writer), "a writer has not polled")  # type: ignore[misc]
        for process in (each.litestream, *each.replicas):
            stack.callback(process.stop)
            process.start()
    for each in (main, other):
        each.seconds_until_visible()
    return Setup(github, s3, main, other, say)


def _chain(folder: Path, url: str, settings: Mapping[str, str], replicas: int) -> Chain:
    """A writer that polls by these settings, and its replicas; not started."""
    polls = writer(folder / "writer", settings)
    return Chain(
        url,
        polls,
        litestream_of(polls.database, url, folder / "litestream.log"),
        [replica(folder / f"replica-{number + 1}", url) for number in range(replicas)],
    )


def is_healthy(instance: Instance) -> bool:
    status, body = instance.get("/api/health")
    return status == http.client.OK and body["state"] == "ok"


def reason(instance: Instance) -> str:
    """Why its data are not fresh, as /api/health says with 503; empty if they are."""
    status, body = instance.get("/api/health")
    if status != http.client.SERVICE_UNAVAILABLE:
        return ""
    return str(body.get("reason") or body.get("error"))


def revision_of(database: Path) -> int:
    [[value]] = select(database, "select value from instance where key = 'revision'")
    return int(str(value))


def polls_of(database: Path) -> int:
    [[count]] = select(database, "select count(*) from polls")
    return int(str(count))


def runs_of(database: Path) -> list[tuple[object, ...]]:
    return select(database, RUNS_SQL)


def select(database: Path, sql: str) -> list[tuple[object, ...]]:
    """Rows of a statement, over a new connection that only reads."""
    uri = f"file:{database}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS)) as db:
        return db.execute(sql).fetchall()


def identities(rows: list[tuple[object, ...]]) -> set[tuple[int, str]]:
    """The numbers and times of runs, which never change."""
    return {(int(str(row[0])), str(row[-1])) for row in rows}


def digest(rows: Sequence[object]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:12]


def kill_litestream_of(instance: Instance) -> None:
    """SIGKILL for the processes of Litestream below a replica."""
    process = instance.process
    expect(process is not None, "the replica is not running")
    pids = [process.pid] if process else []
    for pid in pids:
        pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    found = [pid for pid in pids if name_of(pid) == "litestream"]
    expect(bool(found), "Litestream is not running")
    for pid in found:
        os.kill(pid, signal.SIGKILL)


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def wait(is_so: Callable[[], object], problem: str) -> None:
    """Wait until a function returns a true value; raise an error after minutes."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        expect(time.monotonic() < deadline, problem)
        time.sleep(LOOK_SECONDS)


def expect(is_so: bool, problem: str) -> None:
    if not is_so:
        raise RuntimeError(problem)
