"""The page of one commit: its result in every workflow of the repository."""

from dataclasses import replace
from typing import Any

from datasette.app import Datasette

from ci_observer.web.api.queries import REVISION_SQL
from ci_observer.web.database import fetch_rows, fetch_snapshot
from ci_observer.web.errors import NotFound
from ci_observer.web.pages.commit_queries import (
    COMMIT_SNAPSHOT_SQL,
    MAX_SIMILAR,
    SIMILAR_SQL,
)
from ci_observer.web.pages.commit_repo import (
    find_repo,
    newest_commits,
    parse_sha,
    refuse_arguments,
)
from ci_observer.web.pages.commit_results import ORDER, Outcome
from ci_observer.web.pages.commit_verdict import UNPROVED, Verdict, outcomes, verdict_of
from ci_observer.web.pages.page import Content, PageParams
from ci_observer.web.texts import NO_TITLE, display_name, display_row
from ci_observer.web.urls import commit_address, commit_path
from ci_observer.web.vocabulary import label_of

Row = dict[str, Any]
Rows = dict[str, list[Row]]

SHORT_SHA = 7


async def fetch_commit(
    datasette: Datasette, params: PageParams, repo: str, sha: str
) -> Content:
    """The content of a commit's page; of a list, if `sha` begins several commits.

    Raises `BadRequest` for a text that is no commit, `NotFound` for an unknown one.
    """
    refuse_arguments(params, ())
    prefix = parse_sha(sha)
    repo = await find_repo(datasette, repo)
    found = await fetch_rows(datasette, SIMILAR_SQL, {"repo": repo, "sha": prefix})
    if not found:
        raise NotFound(
            f"No run of the commit {prefix} of {repo} is stored."
            " Stored are the runs of watched workflows, from HISTORY_DAYS before the"
            " first start on.",
            repo=repo,
            commits=await newest_commits(datasette, repo),
        )
    if len(found) > 1:
        return await _similar(datasette, repo, prefix, [dict(row) for row in found])
    return await _commit(datasette, repo, str(found[0]["head_sha"]))


async def _commit(datasette: Datasette, repo: str, sha: str) -> Content:
    snapshot = await fetch_snapshot(
        datasette, COMMIT_SNAPSHOT_SQL, {"repo": repo, "sha": sha, "shas": f'["{sha}"]'}
    )
    rows = {name: [dict(row) for row in found] for name, found in snapshot.items()}
    wall = watched(rows["wall"])
    found = outcomes(rows["runs"], wall)
    verdict = verdict_of(found, {tile["workflow"]: tile["alarm"] for tile in wall})
    about = about_commit(rows["runs"])
    context = {
        "repo": repo,
        "sha": sha,
        "about": about,
        "verdict": verdict,
        "rows": _table(found, wall, rows["runs"], verdict),
        "triggered": rows["triggered"][0]["runs"],
        "commits_path": commit_path(repo),
        "similar": [],
    }
    title = " \N{MIDDLE DOT} ".join((verdict.word, sha[:SHORT_SHA], repo))
    return Content(
        context,
        revision=int(rows["revision"][0]["revision"]),
        expires_at=expires_at(rows),
        title=title,
    )


async def _similar(
    datasette: Datasette, repo: str, prefix: str, commits: list[Row]
) -> Content:
    """A list of the commits that begin alike."""
    [row] = await fetch_rows(datasette, REVISION_SQL)
    more = len(commits) > MAX_SIMILAR
    context = {
        "repo": repo,
        "sha": prefix,
        "similar": commits[:MAX_SIMILAR],
        "has_more": more,
        "commits_path": commit_path(repo),
    }
    title = f"{prefix} \N{MIDDLE DOT} {repo}"
    return Content(context, revision=int(row["revision"]), title=title)


def watched(wall: list[Row]) -> list[Row]:
    """The workflows of the wall, without the tile of the repository's own error."""
    return [tile for tile in wall if tile["workflow"] != "*"]


def about_commit(runs: list[Row]) -> Row:
    """Title, person, times and address of a commit, from the run that tells most."""
    [run] = [run for run in runs if run["title_number"] == 1]
    addresses = (
        commit_address(r["html_url"], r["head_sha"]) for r in runs if r["html_url"]
    )
    shown = display_row(run)
    branches = dict.fromkeys(r["head_branch"] for r in runs if r["head_branch"])
    return {
        "title": shown["display_title"] or NO_TITLE,
        "actor": shown["actor"],
        "first_at": run["first_at"],
        "url": next(filter(None, addresses), None),
        "branches": [*branches],
    }


def expires_at(rows: Rows) -> str | None:
    """When the page changes by time alone: an alarm begins, or a run is given up."""
    instants = [tile["expires_at"] for tile in rows["wall"]]
    instants += [run["given_up_at"] for run in rows["runs"] if run["activity"]]
    return min(filter(None, instants), default=None)


def workflow_names(runs: list[Row], wall: list[Row]) -> dict[str, str]:
    """The name by workflow file: the watched one's, else that of the newest run."""
    names = {
        row["workflow"]: display_name(row["workflow_name"], row["workflow"])
        for row in (*reversed(runs), *wall)
    }
    return {
        file: str(name or file).removeprefix(".github/workflows/")
        for file, name in names.items()
    }


def _table(
    found: dict[str, Outcome], wall: list[Row], runs: list[Row], verdict: Verdict
) -> list[Row]:
    names, tiles = workflow_names(runs, wall), {t["workflow"]: t for t in wall}
    rows = [
        {
            "workflow": workflow,
            "name": names[workflow],
            "outcome": _for_display(outcome),
            "result": outcome.result,
            "is_watched": workflow in tiles,
            "doubt": _unchecked(tiles.get(workflow)) if outcome.run else "",
            "has_run": outcome.run is not None,
            "is_unproved": workflow in verdict.unproved,
        }
        for workflow, outcome in found.items()
    ]
    return sorted(rows, key=_sort_key)


def _sort_key(row: Row) -> tuple[int, str, str]:
    return ORDER.index(row["outcome"].state), row["name"].lower(), row["workflow"]


def _unchecked(tile: Row | None) -> str:
    if tile is None or tile["alarm"] not in UNPROVED:
        return ""
    return label_of(tile["alarm"])


def _for_display(outcome: Outcome) -> Outcome:
    if outcome.run is None:
        return outcome
    return replace(
        outcome,
        run=display_row(outcome.run),
        others=tuple(display_row(run) for run in outcome.others),
    )
