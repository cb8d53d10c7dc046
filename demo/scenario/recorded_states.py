"""What ingest would have recorded of the lively world's workflows before its start.

GitHub tells the present state only, so the demo begins with a record: otherwise, of the
time before its start only runs would be known.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ci_observer.demo.scenario.lively_world import HISTORY
from ci_observer.demo.scenario.workflow_profiles import (
    ARCHIVED,
    REPOSITORIES,
    WORKFLOW_PROFILES,
)

# Repository and file → the states that are not active: for how many days before the
# start, until how many days before it. GitHub disables a schedule after 60 quiet days.
DISABLED = {
    ("acme/mobile-app", "translations.yml"): ("disabled_manually", 8.0, 6.5),
    ("acme/handbook", "links.yml"): ("disabled_inactivity", 1.0, 0.0),
}


def recorded_states(start: datetime) -> list[tuple[str, str, datetime, str, str]]:
    """The states of all workflows.

    Each with its repository, file, from when it was so, state and default branch.
    """
    rows = []
    for profile in WORKFLOW_PROFILES:
        branch, _ = REPOSITORIES[profile.repo]
        is_archived = profile.repo in ARCHIVED
        first = "archived" if is_archived else "active"
        changes = [(start - HISTORY, first)]
        if found := DISABLED.get((profile.repo, profile.file)):
            state, begins, ends = found
            changes.append((start - timedelta(days=begins), state))
            if ends:
                changes.append((start - timedelta(days=ends), "active"))
        for at, state in changes:
            rows.append((profile.repo, profile.file, at, state, branch))
    return rows
