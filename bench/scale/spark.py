"""The part `spark`: the lake's questions in Spark, in DuckDB and in SQLite.

Spark runs as a standalone cluster of two workers. All results must be equal.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

from bench.harness.servers import HOST, ROOT
from bench.scale.duckdb_lake import connect_lake
from bench.scale.figures import Figure
from bench.scale.file import archive
from bench.scale.lake_folder import filled_lake
from bench.scale.questions import (
    TITLES,
    Result,
    ask,
    connect_archive,
    refuse_differences,
)
from bench.scale.spark_cluster import (
    JAVA_OPTIONS,
    WORKERS,
    environment,
    spark_cluster,
)

PART = "spark"
MINUTES = 3.5
JOB = ROOT / "contrib" / "spark" / "lake_job.py"
# `make scale` installs the package here, which is too large for the other targets.
PACKAGES = ROOT / ".venv" / "spark"
SETTINGS = {
    "spark.driver.host": HOST,
    "spark.executor.memory": "700m",
    "spark.driver.memory": "700m",
    "spark.executor.extraJavaOptions": JAVA_OPTIONS,
    "spark.driver.extraJavaOptions": JAVA_OPTIONS,
}


def measure(scratch: Path, say: Callable[[str], None]) -> Generator[Figure, None, None]:
    file, lake = archive(scratch, say), filled_lake(scratch, say)
    say("asking SQLite and DuckDB")
    with closing(connect_archive(file)) as sqlite:
        expected = ask(sqlite.execute)
    with connect_lake(lake) as conn:
        in_duckdb = ask(lambda sql: conn.execute(sql).fetchall())
    yield from _figures("DuckDB", expected, in_duckdb)
    say(f"starting Spark with {WORKERS} workers")
    start = time.monotonic()
    with spark_cluster(PACKAGES / "pyspark", scratch / PART) as cluster:
        started = time.monotonic()
        yield Figure(PART, "start of the cluster, seconds", started - start)
        before = cluster.cpu_seconds()
        in_spark = run_job(lake, cluster.master, scratch / PART)
        seconds = time.monotonic() - started
        cpu = cluster.cpu_seconds() - before
    note = f"all questions and the starts of processes, {cpu:.0f} s of CPU time of the"
    note += " cluster"
    yield Figure(PART, "job in Spark, seconds", seconds, note)
    yield from _figures("Spark", expected, in_spark)


def _figures(
    engine: str, expected: dict[str, Result], found: dict[str, Result]
) -> Generator[Figure, None, None]:
    refuse_differences(expected, found, engine)
    for name, result in found.items():
        note = f"equal to SQLite's {result.note}"
        yield Figure(PART, f"{TITLES[name]} in {engine}, seconds", result.seconds, note)


def run_job(
    lake: Path, master: str, folder: Path, names: Sequence[str] = ()
) -> dict[str, Result]:
    """The results of `contrib/spark/lake_job.py`; `names` chooses questions.

    Raises `RuntimeError` with the end of its output if it fails.
    """
    options = [f"--conf={name}={value}" for name, value in SETTINGS.items()]
    options += [f"--question={name}" for name in names]
    job = subprocess.run(  # noqa: S603 (fixed arguments)
        [sys.executable, JOB, lake, "--master", master, *options],
        env=environment(PACKAGES / "pyspark", folder) | {"PYTHONPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        check=False,
    )
    if job.returncode:
        raise RuntimeError(f"The job failed: {job.stderr[-1000:]}")
    found = [json.loads(line) for line in job.stdout.splitlines()]
    return {
        answer["question"]: Result([*map(tuple, answer["rows"])], answer["seconds"])
        for answer in found
    }
