"""Run objects as large as GitHub's, and their stored text."""

import json
from typing import Any

from archive import NOW

from ci_observer.demo.scenario import synthetic_world
from ci_observer.demo.server.run_objects import run_object

FEED = ("acme/api", "ci.yml")


def raw_json(db, run_id=1):
    [[text]] = db.execute("select raw_json from runs_full where run_id = ?", [run_id])
    return text


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def full_size_runs(*, repos=1, workflows=1, runs=10):
    """Run objects as large as GitHub's, by repository and workflow file."""
    world = synthetic_world.build(repos=repos, workflows=workflows, runs=runs, now=NOW)
    feeds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for repo in world.repos.values():
        for run in reversed(repo.runs):
            payload = run_object(run, run.versions[-1], world.sites)
            feeds.setdefault((repo.full_name, run.workflow.file), []).append(payload)
    return feeds
