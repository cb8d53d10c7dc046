"""Runs of the simulated GitHub with jobs, their annotations, and the tile they make."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from archive import set_clock
from polling import REPO
from sqlite_utils import Database

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.model import Run
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.world import World
from ci_observer.demo.times import iso

# Above the ids of the simulated GitHub's own jobs.
JOB_IDS = count(9_000_001)


def job(
    run: Run, seconds: float, *, name: str = "test", conclusion: str | None = None
) -> dict[str, Any]:
    """A completed job that took this long, by default with the run's conclusion."""
    return {
        "id": next(JOB_IDS),
        "run_id": run.id,
        "run_attempt": 1,
        "name": name,
        "status": "completed",
        "conclusion": conclusion or run.versions[-1].conclusion,
        "started_at": iso(run.created_at),
        "completed_at": iso(run.created_at + timedelta(seconds=seconds)),
    }


def tile(db: Database, *columns: str, repo: str = REPO) -> tuple[Any, ...]:
    """Columns of a repository's tile, as it is right after the last poll."""
    [[checked_at]] = db.execute("select max(checked_at) from feeds")
    set_clock(db, datetime.fromisoformat(checked_at))
    [row] = db.query("select * from wall where repo = ?", [repo])
    return tuple(row[column] for column in columns)


def annotation_paths(github: GitHubServer) -> list[str]:
    """The paths of the requests for annotations; clears the log."""
    paths = [entry.path for entry in github.log if entry.path.endswith("/annotations")]
    github.log.clear()
    return paths


def hide_annotations(
    world: World, github: GitHubServer, kind: str = "fine-grained"
) -> None:
    """Make the repository private, and the token one that may not read them."""
    world.update_repo(REPO, private=True)
    github.settings.tokens[github.token] = Token(kind=kind, checks=False)
