"""The dashboard's configuration, and an archive for it."""

from typing import Any

from archive import NOW, save_runs, watch
from datasette.app import Datasette
from factories import run_payload
from metadata_file import METADATA
from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.store import instance

DASHBOARD = METADATA["plugins"]["datasette-dashboards"]["ci-observer"]
CHARTS: dict[str, Any] = DASHBOARD["charts"]
# The charts with a query of both dashboards.
ALL_CHARTS: dict[str, Any] = {
    name: chart
    for dashboard in METADATA["plugins"]["datasette-dashboards"].values()
    for name, chart in dashboard["charts"].items()
    if "query" in chart
}
PAGE = "/-/dashboards/ci-observer"
JOBS = "/-/dashboards/jobs"
# The days that `fill` stores, as the charts name them.
SATURDAY = {
    "day": "2026-02-28",
    "since": "2026-02-27T23:00:00Z",
    "until": "2026-02-28T22:59:59Z",
}
SUNDAY = {
    "day": "2026-03-01",
    "since": "2026-02-28T23:00:00Z",
    "until": "2026-03-01T22:59:59Z",
}


def run(run_id: int, started_at: str, seconds: int, **changes: Any) -> dict[str, Any]:
    """A run that started at `MM-DD HH:MM`, of up to 59 seconds."""
    start = f"2026-{started_at.replace(' ', 'T')}"
    return run_payload(
        run_id,
        created_at=f"{start}:00Z",
        run_started_at=f"{start}:00Z",
        updated_at=f"{start}:{seconds:02}Z",
        **changes,
    )


def fill(db: Database) -> None:
    """Two days in Zurich; the first starts on the previous day in UTC."""
    watch(db, ("acme/api", "ci.yml"))
    config = Config(
        repos=("acme/api",), workflows=("ci.yml",), timezone="Europe/Zurich"
    )
    instance.save_settings(db, config, version="0.1.0", now=NOW)
    fork = {"id": 9, "full_name": "someone/api"}
    save_runs(
        db,
        run(1, "02-27 23:30", 10),
        run(2, "02-28 12:00", 20, run_attempt=2),
        run(3, "02-28 22:59", 30, conclusion="failure", head_sha="c" * 40),
        run(4, "02-28 23:00", 40, head_sha="c" * 40),
        run(5, "03-01 10:00", 0, conclusion="skipped"),
        run(6, "03-01 11:00", 50, conclusion="cancelled"),
        run(7, "03-01 12:00", 50, conclusion="timed_out", head_repository=fork),
        run(8, "03-01 13:00", 50, conclusion="brand new"),
        run(9, "03-01 17:00", 50, conclusion=None, status="queued", event="schedule"),
        run(10, "02-27 22:59", 59),
    )


async def chart_rows(datasette: Datasette, chart: str, **filters: str) -> list[Any]:
    """The rows that the page's script fetches for a chart."""
    response = await datasette.client.get(f"{PAGE}/{chart}.json", params=filters)
    assert response.status_code == 200, response.text
    rows: list[Any] = response.json()["rows"]
    return rows
