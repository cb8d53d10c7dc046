"""What was recorded about a feed over time, in the table `feed_states`."""
# ruff: noqa: S608 (own names, and no value)

from dataclasses import dataclass, replace

from sqlite_utils import Database

from ci_observer.ingest.states.history import History
from ci_observer.ingest.states.schedule import expected_overdue_at

# The branch of a workflow that has not run on the default branch: see `feed_tiles`.
TAGS = "refs/tags"
NO_ACCESS = ("not_found", "forbidden")


@dataclass(frozen=True)
class Facts:
    """A feed from a time on: a row of `feed_states`."""

    from_at: str
    is_watched: bool
    workflow_state: str | None
    default_branch: str | None
    error_kind: str | None
    blocked_run_id: int | None
    no_runs_at: str | None
    schedule_seconds: int | None = None
    schedule_from_at: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether the workflow runs when it should."""
        return (self.workflow_state or "active") == "active"

    @property
    def alarm(self) -> str | None:
        """Why nothing is known of the branch, as in the alarms of `wall_branches`."""
        if self.error_kind == "not_found" and self.workflow_state == "deleted":
            return "disabled"
        if self.error_kind in NO_ACCESS:
            return "no_access"
        if self.blocked_run_id is not None:
            return "blocked"
        return None if self.is_active else "disabled"

    def expected_times(self, last_at: str | None) -> tuple[str, str] | None:
        """From when on a scheduled run is expected, and from when on it is overdue.

        None if the settings expect none. `last_at` is when the last one was created.
        """
        if self.schedule_seconds is None or self.schedule_from_at is None:
            return None
        last_at = last_at or self.schedule_from_at
        overdue_at = expected_overdue_at(last_at, self.schedule_seconds)
        return self.schedule_from_at, overdue_at


_COLUMNS = ", ".join(Facts.__dataclass_fields__)


@dataclass(frozen=True)
class Feed:
    """A feed and the facts about it over time, in order.

    The first ones have no time: they stand for the time before anything was recorded,
    of which only the default branch is taken to be the same. A default branch that was
    not known yet is the first known one, since `branch_known_at`.
    """

    db: Database
    repo: str
    workflow: str
    facts: tuple[Facts, ...]
    branch_known_at: str

    def history(self, branch: str | None) -> History:
        """The runs of a branch."""
        return History(self.db, self.repo, self.workflow, branch)

    def has_branch(self, branch: str) -> bool:
        """Whether the branch was that of the feed's tile at any time."""
        return branch == TAGS or any(f.default_branch == branch for f in self.facts)

    def branch_before(self, at: str) -> str | None:
        """The default branch just before a time."""
        return next(f.default_branch for f in reversed(self.facts) if f.from_at < at)

    def begins_at(self) -> str:
        """When the first run was created, or the feed was first watched."""
        firsts = (
            self.history(branch).first_created_at()
            for branch in (self.facts[0].default_branch, TAGS)
        )
        return min([self.facts[1].from_at, *(first for first in firsts if first)])


def read(db: Database, repo: str, workflow: str) -> Feed | None:
    """The feed; None if it was never watched."""
    rows = db.execute(
        f"select {_COLUMNS} from feed_states where repo = ? and workflow = ?"
        " order by from_at",
        [repo, workflow],
    )
    found = [Facts(*row) for row in rows]
    while found and not found[0].is_watched:
        del found[0]
    if not found or workflow == "*":
        return None
    known_at, known = next(
        ((f.from_at, f.default_branch) for f in found if f.default_branch),
        (found[-1].from_at, None),
    )
    first = known
    for index, facts in enumerate(found):
        known = facts.default_branch or known
        found[index] = replace(facts, default_branch=known)
    before = Facts("", True, None, first, None, None, None)
    return Feed(db, repo, workflow, (before, *found), known_at)
