"""The only web page: a run's `html_url`, if it points to the simulator."""

from __future__ import annotations

from ci_observer.demo.server.messages import Response
from ci_observer.demo.server.model import Run
from ci_observer.demo.server.world import World

# Plain text, so that markup in the hostile names of the scenario stays text.
TEXT = {"content-type": "text/plain; charset=utf-8"}


def run_page(world: World, path: str) -> Response | None:
    """The page of `/{owner}/{repo}/actions/runs/{id}`. None for any other path."""
    match path.split("/"):
        case ["", owner, _, "actions", "runs", number, *_] if number.isdecimal():
            if owner == "repositories":  # a numeric path of the API
                return None
            run = world.runs.get(int(number))
            return None if run is None else Response(200, run_text(world, run), TEXT)
    return None


def run_text(world: World, run: Run) -> bytes:
    """Every version of the run until now, one per line."""
    with world.lock:
        head = [
            "This is a simulated GitHub; nothing here ever ran.",
            "",
            f"{run.repo.full_name}  {run.workflow.file}  run {run.run_number}",
            run.display_title,
            "",
        ]
        states = [
            f"{version.at:%Y-%m-%d %H:%M:%S} UTC  attempt {version.run_attempt}  "
            f"{version.conclusion or version.status}"
            for version in run.versions
            if version.at <= world.now
        ]
    return "\n".join([*head, *states, ""]).encode()
