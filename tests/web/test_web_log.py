"""The log of the web process: a visitor cannot break its lines or fill the disk."""

from pathlib import Path
from urllib.parse import quote

from processes import environ_with, serving_log
from sqlite_utils import Database


def test_a_visitor_s_sql_is_logged_in_short_lines(
    db: Database, db_path: Path, tmp_path: Path
) -> None:
    """60 kB in an address used to write 120 kB, with what the visitor chose in it."""
    db.close()
    evil = "\n2026-01-01 00:00:00 ERROR   forged\r\x1b[2J\u2028\u202e"
    sql = quote(f"select [{evil}{'x' * 60_000}]")
    with serving_log(environ_with(CI_OBSERVER_DB=db_path), tmp_path) as (web, log):
        web.get(f"/ci_observer.json?sql={sql}")
        web.get(f"/ci_observer.json?sql=select+:p+from+nothing&p={quote(evil)}")
        web.get(f"/{quote(evil)}/{quote(evil)}")

    lines = log().split("\n")
    assert any("sql = " in line for line in lines)
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 2200
    assert len(log()) < 20_000
    assert [line for line in lines if line.startswith("2026-01-01")] == []
