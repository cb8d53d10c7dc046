"""A wall with a tile of every kind, for the formats of other tools."""

from sqlite_utils import Database
from walls import save_wall

from ci_observer.ingest.store.database import transaction

FAILING = ("failing", "failing_running", "invalid_file", "failing_once", "timed_out")
GREEN = ("passing", "running", "flaky", "queued", "waiting", "over", "unscheduled")
KINDS = (
    *FAILING,
    *GREEN,
    *("no_access", "stale", "disabled", "stuck", "overdue", "blocked", "held"),
    *("unknown", "cancelled", "misunderstood", "no_conclusion", "stale_run"),
    *("phantom", "no_runs", "tag", "pull_requests_only", "archived"),
    *("muted_failing", "muted_passing"),
)
REPOS = tuple(f"acme/{kind}" for kind in KINDS)


def save_every_tile(db: Database) -> None:
    """Store a feed of each kind, each in a repository of its name."""
    kinds = [kind.removeprefix("muted_") for kind in KINDS]
    save_wall(db, len(KINDS), kinds=kinds, names=("CI",), repos=REPOS)
    with transaction(db):
        for kind in ("muted_failing", "muted_passing"):
            mute(db, f"acme/{kind}")


def mute(db: Database, repo: str, from_at: str = "2026-03-01T00:00:00Z") -> None:
    """Mute a tile as the settings do."""
    db["muted_tiles"].insert(
        {
            **{"repo": repo, "workflow": "ci.yml", "branch": None, "reason": "known"},
            **{"from_at": from_at, "until_at": "2026-04-01T00:00:00Z"},
        }
    )
