"""`/_sim/…`: the controls of the simulator for a client in another process.

Request and response bodies are JSON. These requests are neither logged nor counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ci_observer.demo.server.github import GitHub
from ci_observer.demo.server.messages import Request, Response, json_response
from ci_observer.demo.server.model import Json, Run
from ci_observer.demo.times import SettableClock, iso

PREFIX = "/_sim/"
# Options of `POST run` that only apply to a new run.
NEW_RUN_ONLY = ("run_id", "repo", "workflow")
Control = Callable[[GitHub, Json], Any]


def handle_control(github: GitHub, request: Request, body: bytes) -> Response:
    """Run one control; 400 with the reason if its options are wrong."""
    name = f"{request.method} {request.path.removeprefix(PREFIX)}"
    if name not in CONTROLS:
        return json_response({"error": f"there is {', '.join(CONTROLS)}"}, 404)
    try:
        result = CONTROLS[name](github, json.loads(body or b"{}"))
    except (KeyError, TypeError, ValueError) as problem:
        return json_response({"error": f"{type(problem).__name__}: {problem}"}, 400)
    return json_response(result)


def add_fault(github: GitHub, options: Json) -> Json:
    """`{"kind": …}` and the arguments of `Faults.add`."""
    fault = github.faults.add(**options)
    return {"kind": fault.kind, "armed": len(github.faults.armed)}


def clear_faults(github: GitHub, _: Json) -> Json:
    github.faults.clear()
    return {"armed": 0}


def advance(github: GitHub, options: Json) -> Json:
    """`{"seconds": n}`; needs a settable clock."""
    if not isinstance(github.clock, SettableClock):
        raise ValueError("this server follows the real time")
    github.world.advance_to(github.clock.advance(options["seconds"]))
    return state(github, {})


def put_run(github: GitHub, options: Json) -> Json:
    """Add a run, or change the run with this `run_id`.

    `blocked: true` adds the run of a blocked repository, without a `workflow`, and
    `phantom: true` a failure of 0 seconds without jobs.

    `rerun: true` starts the next attempt, `remove: true` deletes the run and
    `restore: true` serves it again. All other options are arguments of
    `World.add_run`, `update_run` or `rerun`.
    """
    world, run_id = github.world, options.get("run_id")
    if run_id not in world.runs:
        return {"run_id": add_run(github, options).id}
    changes = {k: v for k, v in options.items() if k not in NEW_RUN_ONLY}
    if changes.pop("remove", False):
        world.remove_run(run_id)
    elif changes.pop("restore", False):
        world.restore_run(run_id)
    elif changes.pop("rerun", False):
        world.rerun(run_id, **changes)
    else:
        world.update_run(run_id, **changes)
    return {"run_id": run_id}


def add_run(github: GitHub, options: Json) -> Run:
    world = github.world
    if options.pop("blocked", False):
        return world.add_blocked_run(**options)
    if options.pop("phantom", False):
        return world.add_phantom_run(**options)
    return world.add_run(**options)


def put_repo(github: GitHub, options: Json) -> Json:
    """`{"repo": …}` and the fields of `World.update_repo`."""
    changes = {name: value for name, value in options.items() if name != "repo"}
    return {"repo": github.world.update_repo(options["repo"], **changes).full_name}


def put_workflow(github: GitHub, options: Json) -> Json:
    """`{"repo": …, "workflow": …, "state": …}` disables or enables a workflow."""
    repo, file, state = (options[name] for name in ("repo", "workflow", "state"))
    github.world.set_workflow_state(repo, file, state)
    return {"workflow": file, "state": state}


def log(github: GitHub, _: Json) -> list[Json]:
    """All requests so far, oldest first."""
    return [{**asdict(entry), "at": iso(entry.at)} for entry in github.log]


def clear_log(github: GitHub, _: Json) -> Json:
    github.log.clear()
    return {"requests": 0}


def state(github: GitHub, _: Json) -> Json:
    """The world's time, its runs and repositories, and the number of requests."""
    world = github.world
    return {
        "now": iso(world.now),
        "runs": len(world.runs),
        "requests": github.requests,
        "repos": {
            repo.full_name: list(repo.workflows) for repo in world.repos.values()
        },
    }


def runs(github: GitHub, _: Json) -> list[Json]:
    """All runs of listed workflows that exist now, in their newest attempt."""
    world = github.world
    with world.lock:
        found = [
            (run, run.version_at(world.now))
            for run in world.runs.values()
            if run.workflow.is_listed
        ]
    return [
        {
            "run_id": run.id,
            "repo": run.repo.full_name,
            "workflow": run.workflow.file,
            "run_attempt": version.run_attempt,
            "status": version.status,
            "created_at": iso(run.created_at),
        }
        for run, version in found
        if version is not None
    ]


CONTROLS: dict[str, Control] = {
    "POST fault": add_fault,
    "DELETE fault": clear_faults,
    "POST advance": advance,
    "POST run": put_run,
    "POST repo": put_repo,
    "POST workflow": put_workflow,
    "GET log": log,
    "DELETE log": clear_log,
    "GET state": state,
    "GET runs": runs,
}
