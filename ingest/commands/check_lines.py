"""A part of `check`: the lines of its report."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ci_observer.ingest.commands.check_lists import FeedList
from ci_observer.ingest.github.wire import Repository
from ci_observer.ingest.store.workflows import ACTIVE


@dataclass(frozen=True)
class Line:
    """A line of the report; `is_good` is false if it reports a failure.

    A warning is repeated at the top, and is no failure. `repo` is the repository of a
    line that is printed below its name.
    """

    text: str
    is_good: bool = True
    repo: str = ""
    is_warning: bool = False

    @property
    def problem(self) -> str:
        """The text for a list of failures, with the name of the repository."""
        return f"{self.repo}: {self.text.strip()}" if self.repo else self.text


@dataclass(frozen=True)
class RepoReport:
    """The lines about a repository, under the name `repo`; and what GitHub found."""

    repo: str
    lines: list[Line]
    found: Repository | None = None


def named_line(
    name: str, states: dict[str, str | None], lists: dict[str, FeedList]
) -> Line:
    """The line of a workflow that the settings name, and which must be active."""
    if name not in states:
        return Line(f"  {name}: not found in .github/workflows", is_good=False)
    line = feed_line(name, states[name], lists[name])
    return Line(line.text, is_good=line.is_good and states[name] == ACTIVE)


def feed_line(name: str, state: str | None, found: FeedList | None) -> Line:
    """The line of a workflow; `found` is None if it has no tile."""
    text = "found" if state == ACTIVE else str(state)
    if found is None:
        return Line(f"  {name}: {text}, left out")
    if not found.is_tried:
        return Line(f"  {name}: {text}, its runs not tried")
    if found.fault is None:
        return Line(f"  {name}: {text}")
    state_text = "" if state == ACTIVE else f"{state}. "
    return Line(f"  {name}: {state_text}{found.fault}", is_good=False)


def without_duplicates(report: RepoReport, names: dict[int, str]) -> Iterator[Line]:
    """The lines of a report; one line if the repository has come by another name.

    `names` holds the repositories of former reports by id.
    """
    repo, found = report.repo, report.found
    if found is None or (other := names.setdefault(found.repo_id, repo)) == repo:
        for line in report.lines:
            yield replace(line, repo=repo) if line.text.startswith(" ") else line
        return
    yield Line(
        f"{repo}: the same repository as {other}, polled once: write only "
        f"{found.full_name} in GH_REPOS or the settings file"
    )
