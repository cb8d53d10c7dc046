"""The view day_windows: bounds in UTC of whole days in the instance's time zone."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from archive import NOW, set_clock
from sqlite_utils import Database

from ci_observer.ingest import store
from ci_observer.ingest.config import Config

ONE_DAY = """
select last_day, first_day, starts_at, ends_at from day_windows
where days = 1 and last_day between '2024-06-01' and '2026-06-01' order by last_day
"""


def set_timezone(db: Database, timezone: str) -> None:
    store.save_instance(db, Config(timezone=timezone), version="0.1.0", now=NOW)


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

    rows = db.execute(ONE_DAY).fetchall()

    assert len(rows) == (date(2026, 6, 1) - date(2024, 6, 1)).days + 1
    for day, first_day, starts_at, _ in rows:
        start = datetime.fromisoformat(starts_at)
        before = start - timedelta(seconds=1)
        assert first_day == day
        assert start.astimezone(zone).date().isoformat() == day
        assert before.astimezone(zone).date().isoformat() < day
    assert [row[3] for row in rows[:-1]] == [row[2] for row in rows[1:]]


def test_a_period_reaches_from_its_first_day_to_its_last(db):
    set_clock(db, NOW)
    set_timezone(db, "Europe/Zurich")

    [row] = db.query(
        "select * from day_windows where last_day = :until and days = :days",
        {"until": "2026-04-01", "days": "7"},
    )

    assert row == {
        "today": "2026-03-01",
        "last_day": "2026-04-01",
        "days": 7,
        "first_day": "2026-03-26",
        "starts_at": "2026-03-25T23:00:00Z",
        "ends_at": "2026-04-01T22:00:00Z",
    }


@pytest.mark.parametrize(("days", "found"), [(1, 1), (3660, 1), (0, 0), (3661, 0)])
def test_a_period_has_up_to_ten_years(db, days, found):
    set_clock(db, datetime(2026, 3, 1, tzinfo=UTC))

    rows = db.execute(
        "select * from day_windows where last_day = today and days = ?", [days]
    ).fetchall()

    assert len(rows) == found
