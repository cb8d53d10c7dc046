"""`/_sim/…`: the same controls as in code, for a simulator in another process.

Bodies and answers are JSON. None of these requests is logged or counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ci_observer.demo.server.github import GitHub
from ci_observer.demo.server.records import Json
from ci_observer.demo.server.responses import Answer, Call, json_answer
from ci_observer.demo.times import SettableClock, iso

PREFIX = "/_sim/"
Control = Callable[[GitHub, Json], Any]


def control(github: GitHub, call: Call, body: bytes) -> Answer:
    """Answer one control request; 400 with the reason when it cannot be done."""
    name = f"{call.method} {call.path.removeprefix(PREFIX)}"
    if name not in CONTROLS:
        return json_answer({"error": f"there is {', '.join(CONTROLS)}"}, 404)
    try:
        done = CONTROLS[name](github, json.loads(body or b"{}"))
    except (KeyError, TypeError, ValueError) as problem:
        return json_answer({"error": f"{type(problem).__name__}: {problem}"}, 400)
    return json_answer(done)


def add_fault(github: GitHub, options: Json) -> Json:
    """`{"kind": …}` and the arguments of `Faults.add`."""
    fault = github.faults.add(**options)
    return {"kind": fault.kind, "armed": len(github.faults.armed)}


def clear_faults(github: GitHub, _: Json) -> Json:
    github.faults.clear()
    return {"armed": 0}


def advance(github: GitHub, options: Json) -> Json:
    """`{"seconds": n}`; only when the clock is settable."""
    if not isinstance(github.clock, SettableClock):
        raise ValueError("this server follows the real time")
    github.world.advance_to(github.clock.advance(options["seconds"]))
    return state(github, {})


def put_run(github: GitHub, options: Json) -> Json:
    """Add a run, or change the one of `run_id` when it exists.

    `repo` and `workflow` say where; `rerun: true` starts the next attempt and
    `remove: true` makes GitHub forget the run. The rest goes to `World`.
    """
    world, number = github.world, options.get("run_id")
    if number not in world.runs:
        return {"run_id": world.add_run(**options).id}
    changes = {k: v for k, v in options.items() if k not in ("run_id", *PLACE)}
    if changes.pop("remove", False):
        world.remove_run(number)
    elif changes.pop("rerun", False):
        world.rerun(number, **changes)
    else:
        world.update_run(number, **changes)
    return {"run_id": number}


PLACE = ("repo", "workflow")


def log(github: GitHub, _: Json) -> list[Json]:
    """All requests so far, oldest first."""
    return [{**asdict(entry), "at": iso(entry.at)} for entry in github.log]


def clear_log(github: GitHub, _: Json) -> Json:
    github.log.clear()
    return {"requests": 0}


def state(github: GitHub, _: Json) -> Json:
    """Where the world stands."""
    world = github.world
    return {
        "now": iso(world.now),
        "runs": len(world.runs),
        "requests": github.requests,
        "repos": {
            repo.full_name: list(repo.workflows) for repo in world.repos.values()
        },
    }


CONTROLS: dict[str, Control] = {
    "POST fault": add_fault,
    "DELETE fault": clear_faults,
    "POST advance": advance,
    "POST run": put_run,
    "GET log": log,
    "DELETE log": clear_log,
    "GET state": state,
}
