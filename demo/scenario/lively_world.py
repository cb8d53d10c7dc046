"""The lively world of the demo: 90 days of history, then something every few seconds.

Workflows are in `habits.py`, their behaviour in `life.py`, rare cases in
`set_pieces.py`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ci_observer.demo.scenario.generator import Life
from ci_observer.demo.scenario.scripted_cases import schedule_pieces
from ci_observer.demo.scenario.workflow_profiles import HABITS, REPOSITORIES
from ci_observer.demo.server.model import Sites
from ci_observer.demo.server.world import World
from ci_observer.demo.times import as_utc

HISTORY = timedelta(days=90)
# The settings that watch all of it.
REPOS = ",".join(REPOSITORIES)
WORKFLOWS = "*"


def build(start: datetime | str, *, seed: int = 7, sites: Sites | None = None) -> World:
    """The world as it stands at `start`; `advance_to` carries it on.

    Same start and seed, same world, however it is advanced.
    """
    begin = as_utc(start) - HISTORY
    world = World(begin, sites=sites)
    for name, (branch, description) in REPOSITORIES.items():
        world.add_repo(name, default_branch=branch, description=description)
    for habit in HABITS:
        path = {"path": habit.path} if habit.path else {}
        world.add_workflow(
            habit.repo,
            habit.file,
            name=habit.name,
            state=habit.state,
            jobs=habit.jobs,
            **path,
        )
        Life(habit, as_utc(start), seed).begin(world, begin)
    schedule_pieces(world, as_utc(start))
    world.advance_to(start)
    return world
