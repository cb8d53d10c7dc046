"""`ci-observer prune` and `PAYLOAD_DAYS`: deleted payloads, times and messages."""

import shutil
from collections import namedtuple
from datetime import timedelta

import pytest
from archive import NOW, save_runs, watch
from click.testing import CliRunner
from factories import run_payload
from polling import Ingest

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.world import World
from ci_observer.ingest.cli import main
from ci_observer.ingest.commands import payloads
from ci_observer.ingest.config import Config
from ci_observer.ingest.polling import maintenance
from ci_observer.ingest.polling.maintenance import Pruning


def created(run_id, day):
    at = f"{day}T12:00:00Z"
    # Large and different for each run, so that deleting it frees pages.
    actor = {"login": f"{run_id}" * 90_000}
    return run_payload(
        run_id, created_at=at, run_started_at=at, updated_at=at, actor=actor
    )


@pytest.fixture
def archive(db, db_path):
    """Two runs in January, one in February."""
    watch(db, ("acme/api", "ci.yml"))
    for run_id, day in ((1, "2026-01-01"), (2, "2026-01-31"), (3, "2026-02-01")):
        save_runs(db, created(run_id, day))
    return db_path


def prune(*arguments, db_path, answer=None):
    environ = {"CI_OBSERVER_DB": str(db_path)}
    return CliRunner().invoke(main, ["prune", *arguments], env=environ, input=answer)


def with_payloads(db):
    return [row[0] for row in db.execute("select run_id from run_payloads order by 1")]


@pytest.fixture
def _on_a_terminal(monkeypatch):
    monkeypatch.setattr(payloads, "is_interactive", lambda: True)


def test_it_deletes_payloads_before_a_day_and_prints_the_freed_space(archive, db):
    result = prune("--payloads-before", "2026-02-01", db_path=archive)

    assert result.exit_code == 0
    assert result.output.startswith("2 payloads deleted; ")
    assert "0.0 MB" not in result.output
    assert with_payloads(db) == [3]
    assert db["runs"].count == db["run_attempts"].count == 3


@pytest.mark.usefixtures("_on_a_terminal")
@pytest.mark.parametrize(("answer", "left"), [("y\n", [3]), ("n\n", [1, 2, 3])])
def test_on_a_terminal_it_asks_first(archive, db, answer, left):
    result = prune("--payloads-before", "2026-02-01", db_path=archive, answer=answer)

    assert "Delete the payloads of 2 runs created before 2026-02-01?" in result.output
    assert result.exit_code == (0 if answer == "y\n" else 1)
    assert with_payloads(db) == left


@pytest.mark.usefixtures("_on_a_terminal")
def test_it_does_not_ask_with_yes_or_with_nothing_to_delete(archive):
    yes = prune("--payloads-before", "2026-02-01", "--yes", db_path=archive)
    again = prune("--payloads-before", "2026-02-01", db_path=archive)

    assert (yes.exit_code, again.exit_code) == (0, 0)
    assert again.output == "0 payloads deleted; 0.0 MB more are free for new runs.\n"


def test_vacuum_makes_the_file_smaller(archive, db):
    db.close()
    before = archive.stat().st_size

    result = prune("--payloads-before", "2026-02-02", "--vacuum", db_path=archive)

    assert result.exit_code == 0
    assert archive.stat().st_size < before
    assert "MB smaller." in result.output


def test_vacuum_is_refused_when_the_disk_is_too_full(archive, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000))

    result = prune("--vacuum", db_path=archive)

    assert result.exit_code == 1
    assert "must be free on the disk" in result.output


@pytest.mark.parametrize("arguments", [[], ["--yes"], ["--payloads-before", "soon"]])
def test_it_needs_an_option_for_what_to_delete(archive, db, arguments):
    assert prune(*arguments, db_path=archive).exit_code == 2
    assert with_payloads(db) == [1, 2, 3]


def test_payloads_are_kept_without_the_setting(archive, db):
    Pruning(Config(), db, lambda: NOW).prune_daily()

    assert with_payloads(db) == [1, 2, 3]


def test_payloads_older_than_the_setting_are_deleted_once_a_day(archive, db):
    # 2026-03-01 minus 28 days is 2026-02-01, which is kept.
    now = NOW
    pruning = Pruning(Config(payload_days=28), db, lambda: now)
    pruning.prune_daily()
    assert with_payloads(db) == [3]

    save_runs(db, created(4, "2026-01-01"))
    pruning.prune_daily()
    assert with_payloads(db) == [3, 4]
    now += timedelta(days=1)
    pruning.prune_daily()
    assert with_payloads(db) == []


def test_much_to_delete_is_spread_over_passes(archive, db, monkeypatch):
    monkeypatch.setattr(maintenance, "PRUNE_BATCH", 1)
    monkeypatch.setattr(maintenance, "PRUNE_BATCHES_PER_PASS", 2)
    pruning = Pruning(Config(payload_days=1), db, lambda: NOW)

    left = []
    for _ in range(3):
        pruning.prune_daily()
        left.append(len(with_payloads(db)))

    assert left == [1, 0, 0]


def test_a_poll_prunes(db):
    world = World(NOW)
    world.add_run("acme/api", "ci.yml", created_at=NOW - timedelta(days=3))
    world.add_run("acme/api", "ci.yml", created_at=NOW)
    with GitHubServer(world) as server:
        ingest = Ingest(db, server)
        ingest.restart(payload_days=2)
        ingest.poll()
        ingest.close()

    assert db["runs"].count == 2
    assert len(with_payloads(db)) == 1
