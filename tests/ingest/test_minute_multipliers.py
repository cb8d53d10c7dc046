"""The factors by which minutes are billed, as ingest keeps them in the database."""

from archive import NOW
from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.store import instance


def factors(db: Database) -> dict[str, float]:
    return dict(db.execute("select os, factor from minute_multipliers").fetchall())


def test_a_new_database_has_githubs_factors(db: Database) -> None:
    assert factors(db) == {"linux": 1, "windows": 2, "macos": 10, "self-hosted": 0}
    assert factors(db) == dict(Config().minute_multipliers)


def test_a_start_writes_the_factors_of_the_settings(db: Database) -> None:
    config = Config.from_environ({"MINUTE_MULTIPLIERS": "macos=8,big-runner=0.5"})
    instance.save_settings(db, config, version="0.1.0", now=NOW)
    before = instance.revision(db)
    assert factors(db)["macos"] == 8
    assert factors(db)["big-runner"] == 0.5
    [[text]] = db.execute(
        "select value from instance where key = 'minute_multipliers'"
    ).fetchall()
    assert text == "linux=1,windows=2,macos=8,self-hosted=0,big-runner=0.5"

    # Pages with minutes are computed again.
    instance.save_settings(db, Config(), version="0.1.0", now=NOW)
    assert "big-runner" not in factors(db)
    assert instance.revision(db) == before + 1
