"""`ci-observer export`: content, order, and never an incomplete file."""

import csv
import io
import json
import os
import threading
from pathlib import Path

import pytest
from archive import save_runs, watch
from click.testing import CliRunner
from factories import run_payload, times
from hypothesis import given
from hypothesis import strategies as st

from ci_observer.csv_formulas import neutralised, neutralised_row
from ci_observer.ingest.cli import main
from ci_observer.ingest.commands import export
from ci_observer.ingest.commands.export_csv import csv_line, is_plain_line
from ci_observer.ingest.commands.export_rows import Selection, cursor_of_rows, select
from ci_observer.ingest.db import schema

DAY = "2026-03-05T00:00:00Z"
HOSTILE = 'a "quoted", title\nof two lines \ud800 naïve'


@pytest.fixture
def archive(db, db_path):
    """Three runs of two repositories; the first was re-run after the second."""
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    save_runs(db, run_payload(1, conclusion="failure", **times("10:00")))
    save_runs(db, run_payload(1, run_attempt=2, **times("12:00")))
    save_runs(db, run_payload(2, display_title=HOSTILE, **times("11:00")))
    save_runs(db, run_payload(3, **times("09:00")), repo="acme/web")
    return db_path


def run(*arguments, db_path):
    environ = {"CI_OBSERVER_DB": str(db_path)}
    return CliRunner().invoke(main, ["export", *map(str, arguments)], env=environ)


def lines(*arguments, db_path):
    result = run("--format", "ndjson", *arguments, db_path=db_path)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_attempt_is_a_row_and_the_oldest_run_is_first(archive):
    rows = lines(db_path=archive)

    assert [(row["run_id"], row["run_attempt"]) for row in rows] == [
        (3, 1),
        (2, 1),
        (1, 1),
        (1, 2),
    ]
    assert [row["conclusion"] for row in rows[2:]] == ["failure", "success"]


def test_the_columns_are_those_of_the_view(archive, db):
    result = run("-", db_path=archive)

    header = next(csv.reader(result.stdout.splitlines()))
    assert header == [column.name for column in db["run_history"].columns]


def test_csv_gives_the_same_values_as_ndjson(archive, tmp_path):
    file = tmp_path / "runs.csv"
    run(file, db_path=archive)

    with file.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    expected = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in lines(db_path=archive)
    ]
    assert rows == expected
    assert rows[1]["display_title"] == HOSTILE.replace("\ud800", "?")


@pytest.mark.parametrize(
    ("arguments", "run_ids"),
    [
        (["--repo", "acme/web"], [3]),
        (["--repo", "ACME/Web", "--repo", "acme/api"], [3, 2, 1, 1]),
        (["--since", "2026-03-01", "--until", "2026-03-01"], [3, 2, 1, 1]),
        (["--since", "2026-03-02"], []),
        (["--until", "2026-02-28"], []),
    ],
)
def test_it_selects_by_repository_and_day(archive, arguments, run_ids):
    assert [row["run_id"] for row in lines(*arguments, db_path=archive)] == run_ids


def test_raw_is_github_s_object_at_the_latest_attempt(archive):
    rows = lines("--raw", db_path=archive)

    assert [row["raw_json"] and row["raw_json"]["run_attempt"] for row in rows] == [
        1,
        1,
        None,
        2,
    ]
    assert rows[1]["raw_json"]["display_title"] == HOSTILE


def test_raw_in_csv_is_json_text(archive):
    result = run("--raw", "--repo", "acme/web", "-", db_path=archive)

    [row] = csv.DictReader(result.stdout.splitlines())
    assert json.loads(row["raw_json"]) == run_payload(3, **times("09:00"))


@pytest.mark.parametrize("name", ["runs.ndjson", "runs.jsonl"])
def test_the_file_s_name_tells_the_format(archive, tmp_path, name):
    result = run(tmp_path / name, db_path=archive)

    assert "4 attempts written to" in result.stderr
    assert json.loads((tmp_path / name).read_text().splitlines()[0])["run_id"] == 3


def test_an_empty_selection_is_a_header(archive):
    result = run("--repo", "acme/none", "-", db_path=archive)

    assert result.stdout.startswith("run_id,run_attempt,repo,")
    assert len(result.stdout.splitlines()) == 1


def test_a_file_that_could_not_be_finished_leaves_the_former_one(tmp_path):
    file = tmp_path / "runs.csv"
    file.write_text("of yesterday")

    def write_half() -> None:
        with export.whole_file(file) as text:
            text.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()

    assert file.read_text() == "of yesterday"
    assert os.listdir(tmp_path) == ["runs.csv"]


def test_a_link_stays_a_link(archive, tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "runs.csv")

    run(tmp_path / "link.csv", db_path=archive)

    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "runs.csv").read_text().startswith("run_id")


def test_a_named_pipe_is_written_and_stays(archive, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()

    run(pipe, db_path=archive)

    reader.join()
    assert read[0].startswith("run_id")
    assert pipe.is_fifo()


def test_a_folder_that_is_not_there_is_an_error_in_one_line(archive):
    result = run("nowhere/runs.csv", db_path=archive)

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Cannot write ")


def test_without_a_database_it_says_what_to_check_and_makes_none(tmp_path):
    path = tmp_path / "none.db"
    result = run(db_path=path)

    assert result.exit_code == 1
    assert "Check CI_OBSERVER_DB" in result.stderr
    assert not path.exists()


def test_a_database_of_an_older_version_is_not_changed(tmp_path):
    path = tmp_path / "old.db"
    db = schema.connect(path)
    schema.migrations.apply(db, stop_before="m010_payload_parts")
    before = db.schema

    assert "ci-observer migrate" in run(db_path=path).stderr
    assert db.schema == before
    db.close()


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(("acme/api", "acme/web"), "2026-01-01T00:00:00Z", "2027"),
    ],
)
def test_it_reads_an_index_in_order_and_sorts_nothing(archive, selection):
    """The first row is written at once."""
    db = schema.connect_read_only(Path(archive))
    plans: list[str] = []
    db.conn.set_trace_callback(plans.append)
    cursor_of_rows(db, selection, raw=True)
    select(db, "h.run_id", selection)
    selection.count_runs(db)
    db.conn.set_trace_callback(None)

    statements = [sql for sql in plans if sql.startswith("select")]
    assert len(statements) == 3
    for sql in statements:
        plan = [row[3] for row in db.execute(f"explain query plan {sql}")]
        assert any("r USING COVERING INDEX runs_started" in line for line in plan)
        assert not [line for line in plan if "B-TREE" in line]
    db.close()


# Also what no run has: cells with the separators, and with a NUL.
CELLS = st.text(st.sampled_from("a0é _-=+@.,;'\"\t\r\n\0\x1f \u200b\uff1d")) | st.text()


@given(st.lists(CELLS, min_size=2, max_size=4))
def test_a_plain_line_is_what_the_csv_module_writes(cells: list[str]) -> None:
    line = "\x1f".join(cells)
    separators = len(cells) - 1
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    if is_plain_line(line, separators, False):
        assert line.replace("\x1f", ",") + "\r\n" == written.getvalue()
    if is_plain_line(line, separators, True):
        assert neutralised_row(cells) == cells
    assert csv_line(cells, str) + "\r\n" == written.getvalue()
    written = io.StringIO()
    csv.writer(written).writerow(neutralised_row(cells))
    assert csv_line(cells, neutralised) + "\r\n" == written.getvalue()


def test_every_cell_is_written_whole_and_by_the_rule_for_formulas(
    archive, db, tmp_path
):
    titles = ("=1+1", "-5", "a;=2", "é, ü", "\x1f", "a\0b", '"', "", " x", "-", "@a")
    start = dict.fromkeys(("created_at", "run_started_at", "updated_at"), DAY)
    save_runs(
        db, *(run_payload(number, **start) for number, _ in enumerate(titles, 100))
    )
    with db.atomic():
        for number, title in enumerate(titles, 100):
            db.execute(
                "update runs set display_title = ? where run_id = ?", [title, number]
            )
    for formulas, convert in (("keep", list), ("neutralise", neutralised_row)):
        file = tmp_path / f"{formulas}.csv"
        run("--since", "2026-03-05", "--formulas", formulas, file, db_path=archive)
        with file.open(newline="", encoding="utf-8") as text:
            rows = sorted(csv.DictReader(text), key=lambda row: int(row["run_id"]))
        assert [row["display_title"] for row in rows] == convert(titles)
        assert len(rows) == len(titles)
