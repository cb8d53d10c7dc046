"""The view local_days: the bounds in UTC of each day in the instance's time zone."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from archive import NOW, set_clock
from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.store import instance


def set_timezone(db: Database, timezone: str) -> None:
    instance.save_settings(db, Config(timezone=timezone), version="0.1.0", now=NOW)


# In Havana the clock goes back to midnight, in Beirut it goes forward from midnight, in
# Santiago back from midnight; on Lord Howe by half an hour.
@pytest.mark.parametrize(
    "timezone",
    [
        "UTC",
        "Europe/Zurich",
        "America/Havana",
        "Asia/Beirut",
        "America/Santiago",
        "Australia/Lord_Howe",
        "Pacific/Kiritimati",
    ],
)
def test_each_day_starts_at_its_first_second_and_ends_where_the_next_starts(
    db, timezone
):
    set_clock(db, NOW)
    set_timezone(db, timezone)
    zone = ZoneInfo(timezone)

    rows = db.execute(
        "select day, starts_at, ends_at from local_days order by day"
    ).fetchall()

    assert len(rows) == len({row[0] for row in rows})
    for day, starts_at, _ in rows:
        start = datetime.fromisoformat(starts_at)
        before = start - timedelta(seconds=1)
        assert start.astimezone(zone).date().isoformat() == day
        assert before.astimezone(zone).date().isoformat() < day
    assert [row[2] for row in rows[:-1]] == [row[1] for row in rows[1:]]


def test_the_calendar_has_ten_years_and_a_year_ahead(db):
    set_clock(db, NOW)
    set_timezone(db, "UTC")
    today = date(2026, 3, 1)

    [row] = db.execute("select min(day), max(day), count(*) from local_days").fetchall()

    first, last = today - timedelta(days=3659), today + timedelta(days=366)
    assert row == (first.isoformat(), last.isoformat(), 3660 + 366)


@pytest.mark.parametrize(("days", "day"), [("1", "2026-03-01"), ("30", "2026-01-31")])
def test_a_day_is_found_by_the_number_of_days_up_to_today(db, days, day):
    set_clock(db, NOW)
    set_timezone(db, "Europe/Zurich")

    rows = db.execute("select day from local_days where days = ?", [days]).fetchall()

    assert rows == [(day,)]
