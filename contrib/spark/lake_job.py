"""Ask the lake questions with Apache Spark; print the rows as JSON or CSV.

    python lake_job.py LAKE --master spark://HOST:7077
    python lake_job.py LAKE --question durations --format csv

LAKE is the folder of the lake. The questions are the files of `questions/`, in SQL.
Needs the packages `pyspark` and `deltalake`, and Java 17 or later. Spark needs no jar
for Delta: it reads the Parquet files of the table's snapshot.
"""

import argparse
import csv
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

QUESTIONS = Path(__file__).with_name("questions")
# The columns that the questions read. `month` is in the names of the folders.
COLUMNS = (
    "run_id bigint, repo string, workflow string, conclusion string,"
    " run_attempt bigint, duration_seconds bigint, month string"
)
# A table with any other feature is not only its Parquet files.
PLAIN_FEATURES = {"timestampNtz"}
# The questions shuffle some thousand groups, so a few partitions suffice.
SETTINGS = {
    "spark.sql.shuffle.partitions": "4",
    # The driver lists this many files itself: a job of the cluster takes longer.
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "500",
    # A month is a text such as 2026-01.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def main() -> None:
    options = parse_arguments()
    lake = options.lake if "://" in options.lake else str(Path(options.lake).resolve())
    uri = f"{lake.rstrip('/')}/runs"
    files = snapshot_files(uri)
    spark = start_session(options)
    try:
        read_runs(spark, uri, files).createOrReplaceTempView("runs")
        # The first job waits for the executors.
        spark.range(1).count()
        write = write_csv if options.format == "csv" else write_json
        for name in options.question or question_names():
            start = time.monotonic()
            found = spark.sql((QUESTIONS / f"{name}.sql").read_text())
            rows = [tuple(row) for row in found.collect()]
            write(name, found.columns, rows, time.monotonic() - start)
    finally:
        spark.stop()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lake", help="the folder of the lake")
    parser.add_argument(
        "--question", action="append", choices=question_names(), help="repeatable"
    )
    parser.add_argument("--master", help="such as spark://HOST:7077 or local[2]")
    parser.add_argument("--format", choices=("json", "csv"), default="json")
    parser.add_argument(
        "--conf",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of Spark, repeatable",
    )
    return parser.parse_args()


def start_session(options: argparse.Namespace) -> "SparkSession":
    # Not before the arguments are checked: its import takes a second.
    from pyspark.sql import SparkSession  # noqa: PLC0415

    builder = SparkSession.builder.appName("ci-observer-lake")
    if options.master:
        builder = builder.master(options.master)
    settings = [setting.partition("=")[::2] for setting in options.conf]
    for name, value in [*SETTINGS.items(), *settings]:
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def question_names() -> list[str]:
    return sorted(path.stem for path in QUESTIONS.glob("*.sql"))


def snapshot_files(uri: str) -> list[str]:
    """The Parquet files of a Delta table's newest snapshot.

    Exits with an error if there is no table, or if its rows are not just those of its
    files, as with deletion vectors.
    """
    try:
        table = DeltaTable(uri)
    except TableNotFoundError:
        sys.exit(f"{uri} is no Delta table. Fill the lake: ci-observer lake FOLDER")
    others = set(table.protocol().reader_features or ()) - PLAIN_FEATURES
    if others:
        sys.exit(
            f"{uri} uses {', '.join(sorted(others))}. Read it with the jars of Delta"
            " Lake: spark.read.format('delta').load(uri)"
        )
    return table.file_uris()


def read_runs(spark: "SparkSession", uri: str, files: list[str]) -> "DataFrame":
    """The rows of these files of the table."""
    if not files:
        return spark.createDataFrame([], COLUMNS)
    # Below this folder, Spark takes `month` from the folders' names.
    return spark.read.option("basePath", uri).schema(COLUMNS).parquet(*files)


def write_json(
    name: str, columns: list[str], rows: list[tuple[object, ...]], seconds: float
) -> None:
    """One line for each question."""
    found = {"question": name, "seconds": seconds, "columns": columns, "rows": rows}
    print(json.dumps(found), flush=True)


def write_csv(
    name: str, columns: list[str], rows: list[tuple[object, ...]], seconds: float
) -> None:
    """A table for each question, with its name in the first column."""
    writer = csv.writer(sys.stdout)
    writer.writerow(["question", *columns])
    writer.writerows((name, *row) for row in rows)
    print(f"{name}: {len(rows)} rows in {seconds:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
