"""A standalone cluster of Apache Spark on loopback: a master and two workers."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.harness.servers import HOST, cpu_seconds
from ci_observer.ingest.commands.ports import free_port

WORKERS = 2
# Of each worker. Two executors fit next to the driver on a machine with 4 GB.
CORES, MEMORY = 1, "1g"
# Each process runs for a minute: less time for the compilers, the verifier of classes
# and the collector of garbage.
JAVA_OPTIONS = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    " -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
)
START_SECONDS, STOP_SECONDS = 300, 30
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"


@dataclass(frozen=True)
class Cluster:
    """A running cluster; `master` is its address, `spark://…`."""

    master: str
    pids: list[int]

    def cpu_seconds(self) -> float:
        """The processor time of its processes, and of executors that have ended."""
        return sum(map(cpu_seconds, self.pids))


@contextmanager
def spark_cluster(home: Path, folder: Path) -> Iterator[Cluster]:
    """A cluster, once all workers are there.

    `home` is the folder of the package `pyspark`. Logs and shuffled rows are in
    `folder`. Raises `RuntimeError` with the end of a log if a process ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, pages = free_port(), free_port()
    master = f"spark://{HOST}:{port}"
    with ExitStack() as stack:
        options = ["--host", HOST, "--port", str(port), "--webui-port", str(pages)]
        processes = [stack.enter_context(_running(home, folder, "master", options))]
        for number in range(1, WORKERS + 1):
            options = [
                *("--host", HOST, "--webui-port", str(free_port())),
                *("--cores", str(CORES), "--memory", MEMORY),
                *("--work-dir", str(folder / f"work-{number}"), master),
            ]
            name = f"worker-{number}"
            processes.append(stack.enter_context(_running(home, folder, name, options)))
        _wait_for_workers(pages, processes, folder)
        yield Cluster(master, [process.pid for process in processes])


def environment(home: Path, folder: Path) -> dict[str, str]:
    """The variables of each process of Spark: everything stays on this machine."""
    return {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_PUBLIC_DNS": HOST,
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "SPARK_DAEMON_MEMORY": "256m",
        # Without the REST server, which has a fixed port.
        "SPARK_DAEMON_JAVA_OPTS": f"{JAVA_OPTIONS} -Dspark.master.rest.enabled=false",
    }


@contextmanager
def _running(
    home: Path, folder: Path, name: str, options: list[str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon of Spark with its log in `folder`. It is ended with its executors."""
    main = MASTER if name == "master" else WORKER
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 (fixed arguments)
            [home / "bin" / "spark-class", main, *options],
            env=environment(home, folder),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_workers(
    port: int, processes: list[subprocess.Popen[bytes]], folder: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in processes):
            break
        with suppress(OSError, ValueError):
            url = f"http://{HOST}:{port}/json/"
            with urllib.request.urlopen(url, timeout=5) as response:
                if json.load(response)["aliveworkers"] == WORKERS:
                    return
        time.sleep(0.2)
    logs = [path.read_text(errors="replace")[-500:] for path in folder.glob("*.log")]
    raise RuntimeError(f"The cluster has not started: {' '.join(logs)}")
