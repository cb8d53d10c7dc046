"""One push starts several workflows: their runs share its commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ci_observer.demo.scenario.triggers import Trigger

# Another workflow that is due within this time belongs to the same push.
SAME_PUSH = timedelta(days=1)


@dataclass(slots=True)
class Push:
    """A push to a default branch, and the files of the workflows that it started."""

    at: datetime
    trigger: Trigger
    files: set[str] = field(default_factory=set)


class Pushes:
    """The newest push of each repository."""

    def __init__(self) -> None:
        self._newest: dict[str, Push] = {}

    def share_commit(
        self, repo: str, file: str, trigger: Trigger, at: datetime
    ) -> Trigger:
        """The trigger of the newest push if it has not started this workflow yet.

        Otherwise, and for the fix of a failure, `trigger` is a push of its own.
        """
        newest = self._newest.get(repo)
        is_new = newest is None or file in newest.files or at - newest.at > SAME_PUSH
        if newest is None or is_new or trigger.is_fix:
            newest = self._newest[repo] = Push(at, trigger)
        newest.files.add(file)
        return newest.trigger
