"""Short ways to write the runs of one feed and to read its tile."""

from typing import Any

from factories import run_payload, times
from sqlite_utils import Database

FEED = ("acme/api", "ci.yml")
FORK = {"id": 9, "full_name": "someone/api"}
RUNNING = {"status": "in_progress", "conclusion": None}
INVALID = {"name": ".github/workflows/ci.yml", "conclusion": "failure"}


def run(
    run_id: int, started_at: str, conclusion: str | None = "success", **changes: Any
):
    """A run that started at `HH:MM` on the tests' day."""
    minutes = changes.pop("minutes", 5)
    return run_payload(
        run_id, **times(started_at, minutes), conclusion=conclusion, **changes
    )


def rerun(
    run_id: int, created_at: str, started_at: str, conclusion: str, **changes: Any
):
    """The second attempt of a run."""
    created = times(created_at)["created_at"]
    minutes = changes.pop("minutes", 5)
    return run_payload(
        run_id,
        **(times(started_at, minutes) | {"created_at": created}),
        run_attempt=2,
        conclusion=conclusion,
        **changes,
    )


def scheduled(day: int, hour: int = 3) -> dict[str, Any]:
    """A scheduled run of that day and hour of February."""
    start = f"2026-02-{day:02}T{hour:02}:00:00Z"
    return run_payload(
        day,
        event="schedule",
        created_at=start,
        run_started_at=start,
        updated_at=f"2026-02-{day:02}T{hour:02}:10:00Z",
    )


def rows_of(db: Database, sql: str) -> list[dict[str, Any]]:
    return list(db.query(sql))


def row_of(db: Database, view: str, *columns: str) -> tuple[Any, ...]:
    """The named columns of the only row of a view."""
    [row] = rows_of(db, f"select * from {view}")  # noqa: S608 (own names)
    return tuple(row[column] for column in columns)


def tile(db: Database, *columns: str) -> tuple[Any, ...]:
    return row_of(db, "wall", *columns)


def state(db: Database) -> tuple[Any, ...]:
    return tile(db, "tile_state", "last_result", "activity", "alarm")
