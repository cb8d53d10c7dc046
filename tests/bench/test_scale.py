"""`make scale`: the table has a row for each figure, and for each part that fails."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.scale import __main__ as scale
from bench.scale import parts
from bench.scale.deadline import deadline
from bench.scale.figures import MAX_NOTE, Figure, failure, markdown
from ci_observer.ingest.db.copies import open_for_bulk, raise_if_interrupted


@dataclass
class GivenPart:
    """A part with the given figures; an exception among them is raised."""

    given: list[Figure | Exception]
    MINUTES: float = 1
    is_ended: bool = field(default=False, init=False)

    def measure(self, scratch: Path, say: object) -> Iterator[Figure]:
        assert scratch.is_dir()
        try:
            for figure in self.given:
                if isinstance(figure, Exception):
                    raise figure
                yield figure
        finally:
            self.is_ended = True


LAG = Figure("good", "lag, seconds", 1.234, "two replicas")
GOOD = GivenPart([LAG])
BAD = GivenPart([Figure("bad", "rows", 2_000_050), OSError("no | room\nleft")])


def run(monkeypatch: pytest.MonkeyPatch, *options: str, **given: GivenPart) -> Result:
    monkeypatch.setattr(parts, "NAMES", tuple(given))
    monkeypatch.setattr(parts, "load", given.__getitem__)
    return CliRunner().invoke(scale.main, options, catch_exceptions=False)


@pytest.fixture(autouse=True)
def same_signal_handlers() -> Iterator[None]:
    """The command sets those of its process."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    handlers = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


def test_a_part_that_fails_is_a_row_and_the_others_go_on(monkeypatch):
    result = run(monkeypatch, bad=BAD, good=GOOD)

    _, machine, _, *table = result.stdout.splitlines()
    assert f"{os.cpu_count()} cores" in machine
    assert table == [
        "| part | figure | value | note |",
        "| --- | --- | ---: | --- |",
        "| bad | rows | 2,000,050 |  |",
        "| bad | failed | **no figures** | OSError: no &#124; room left |",
        "| good | lag, seconds | 1.23 | two replicas |",
    ]
    assert result.exit_code == 1
    assert BAD.is_ended


def test_the_table_is_written_into_a_document(monkeypatch, tmp_path):
    document = tmp_path / "scaling.md"
    document.write_text("Before.\n<!-- measured --><!-- end of measured -->\nAfter.\n")
    result = run(monkeypatch, f"--output={document}", good=GOOD)

    assert result.exit_code == 0
    assert f"<!-- measured -->\n\n{result.stdout}\n<!--" in document.read_text()
    assert "good: up to 1 minutes" in result.stderr
    assert "lag, seconds: 1.23" in result.stderr


def test_only_some_parts_are_measured(monkeypatch):
    name = parts.NAMES[0]
    result = run(monkeypatch, f"--only={name}", **{name: GOOD, "bad": BAD})

    assert result.exit_code == 0
    assert "| bad |" not in result.stdout


def hang() -> None:
    # Not signal.pause(): on a busy machine the signal comes before it.
    while True:
        pass


def test_a_part_that_hangs_is_stopped():
    with pytest.raises(TimeoutError, match="stopped after"), deadline(0.0005):
        hang()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


# Datasette, which other tests import, has SQLite's callbacks warn of the error.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_part_that_hangs_in_sqlite_is_stopped(tmp_path):
    with (
        closing(open_for_bulk(tmp_path / "new.db")) as conn,
        pytest.raises(TimeoutError, match="stopped after"),
        deadline(0.0005),
    ):
        hang_in_sqlite(conn)


def hang_in_sqlite(conn: sqlite3.Connection) -> None:
    endless = "with n as (select 1 union all select 1 from n) select count(*) from n"
    try:
        conn.execute(endless)
    except sqlite3.DatabaseError as error:
        raise_if_interrupted(error)


def test_a_long_error_is_cut_in_the_table():
    assert len(failure("bad", OSError("x" * 9_999)).note) == MAX_NOTE


def test_a_word_is_a_value():
    assert list(markdown([Figure("lake", "equal to SQLite", "yes")]))[2:] == [
        "| lake | equal to SQLite | yes |  |"
    ]


def test_all_parts_together_take_a_quarter_of_an_hour():
    loaded = [parts.load(name) for name in parts.NAMES]

    assert 0 < sum(part.MINUTES for part in loaded) <= parts.MAX_MINUTES
    assert all(callable(part.measure) for part in loaded)
