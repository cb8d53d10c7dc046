"""What the URL of a workflow's pages selects: the workflow, a branch and the days."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from datasette.app import Datasette

from ci_observer.web.api.run_queries import TAGS
from ci_observer.web.database import Params, fetch_rows
from ci_observer.web.errors import BadRequest, NotFound
from ci_observer.web.pages.page import PageParams
from ci_observer.web.pages.workflow_queries import FEED_SQL, FEEDS_SQL

PERIODS = (7, 30, 90, 365)
DEFAULT_DAYS = 30

Row = dict[str, Any]


@dataclass(frozen=True)
class Selection:
    """A feed, and the branch and the number of days that its page shows.

    `branch` is None if the default branch is not known. `others` are the arguments of
    the URL that only one of the pages has.
    """

    feed: Row
    branch: str | None
    days: int
    others: dict[str, str]

    @property
    def params(self) -> Params:
        """The parameters of the selects."""
        names = ("repo", "workflow", "first_day")
        return {name: self.feed[name] for name in names} | {"branch": self.branch}

    def branches(self, rows: Sequence[Row]) -> list[str]:
        """The branches to choose from: the default one, this one, those of the rows."""
        names = [self.feed["default_branch"], self.branch]
        names += [row["branch"] for row in rows]
        return [name for name in dict.fromkeys(names) if name]

    def periods(self, path: Callable[..., str]) -> list[Row]:
        """The numbers of days to choose from, with their links; `path` makes a path."""
        is_default = self.branch == self.feed["default_branch"]
        branch = None if is_default else self.branch
        return [
            {
                "days": days,
                "path": path(
                    self.feed["repo"],
                    self.feed["workflow"],
                    branch=branch,
                    days=None if days == DEFAULT_DAYS else days,
                    compare=self.others.get("compare"),
                ),
                "is_current": days == self.days,
            }
            for days in PERIODS
        ]


async def fetch_selection(
    datasette: Datasette,
    params: PageParams,
    repo: str,
    workflow: str,
    *,
    others: tuple[str, ...] = (),
) -> Selection:
    """What the URL selects; `others` are arguments besides `branch` and `days`.

    Raises `BadRequest` for an unknown argument, `NotFound` for an unknown workflow.
    """
    arguments = _arguments(params, ("branch", "days", *others))
    days = _days(arguments.pop("days", None))
    named = arguments.pop("branch", None)
    feed = await _fetch_feed(datasette, repo, workflow, days=days, branch=named)
    is_of_tags = feed["is_tag"] or (feed["has_tags_only"] and not named)
    branch = TAGS if is_of_tags else named or feed["default_branch"]
    return Selection(feed, branch, days, arguments)


async def _fetch_feed(
    datasette: Datasette, repo: str, workflow: str, *, days: int, branch: str | None
) -> Row:
    names: Params = {"repo": repo, "workflow": workflow, "branch": branch}
    feeds = await fetch_rows(datasette, FEED_SQL, names | {"days": days})
    if not feeds:
        others = await fetch_rows(datasette, FEEDS_SQL, {"repo": repo})
        raise NotFound(
            f"There is no workflow {workflow} of {repo} here: it was never watched."
            " GH_REPOS and GH_WORKFLOWS, or the settings file, name the watched"
            " workflows.",
            feeds=[dict(row) for row in others],
        )
    return dict(feeds[0])


def _arguments(params: PageParams, allowed: tuple[str, ...]) -> dict[str, str]:
    unknown = [name for name, _ in params.pairs if name not in allowed]
    if unknown:
        raise BadRequest(
            f"Unknown argument {unknown[0]!r}. Allowed: {', '.join(allowed)}."
        )
    return dict(params.pairs)


def _days(text: str | None) -> int:
    if text is None:
        return DEFAULT_DAYS
    if text not in map(str, PERIODS):
        allowed = ", ".join(map(str, PERIODS))
        raise BadRequest(f"days={text} is not one of {allowed}.")
    return int(text)
