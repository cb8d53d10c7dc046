"""Who starts a run, on which branch and under which title, for each kind of event."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from ci_observer.demo.scenario.workflow_profiles import (
    OUTSIDERS,
    PACKAGES,
    PEOPLE,
    TITLES,
    TOPICS,
    Habit,
)
from ci_observer.demo.seeded_random import stable_sha
from ci_observer.demo.server.model import Json
from ci_observer.demo.server.world import World

OPEN_REPO = "acme/open-toolkit"


@dataclass(slots=True)
class Occasion:
    """Why a run starts; `fields` are arguments for `World.add_run`."""

    title: str
    actor: str
    head_branch: str
    on_default: bool
    fields: Json = field(default_factory=dict)
    is_fix: bool = False


def occasion_for(habit: Habit, event: str, world: World, random: Random) -> Occasion:
    """Branch, actor and title for an event of this workflow."""
    match event:
        case "pull_request" | "pull_request_target":
            occasion = pull_request(habit, random)
        case "merge_group":
            occasion = merge_queue(random)
        case _:
            branch = world.repo(habit.repo).default_branch
            title = habit.name if event == "schedule" else random.choice(TITLES)
            occasion = Occasion(title, random.choice(PEOPLE), branch, True)
    message = f"{occasion.title}\n\nReviewed-by: {random.choice(PEOPLE)}"
    occasion.fields |= {
        "event": event,
        "actor": occasion.actor,
        "head_branch": occasion.head_branch,
        "head_sha": stable_sha(f"{habit.repo} {random.random()}"),
        "message": message,
    }
    return occasion


def pull_request(habit: Habit, random: Random) -> Occasion:
    """A colleague's branch, a bot's, or (open source) a fork's, often called main."""
    number = random.randint(200, 900)
    kind = random.random()
    if kind < 1 / 5:
        occasion = dependency_update(random)
    elif habit.repo == OPEN_REPO and kind < 3 / 5:
        occasion = from_fork(habit, random)
    else:
        branch = f"{random.choice(('fix', 'feature'))}/{random.choice(TOPICS)}-{number}"
        occasion = Occasion(random.choice(TITLES), random.choice(PEOPLE), branch, False)
    occasion.fields["pull_requests"] = [number]
    return occasion


def dependency_update(random: Random) -> Occasion:
    package, version = random.choice(PACKAGES), f"{random.randint(2, 9)}.0.1"
    return Occasion(
        f"Bump {package} to {version}",
        "dependabot[bot]",
        f"dependabot/npm_and_yarn/{package}-{version}",
        on_default=False,
    )


def from_fork(habit: Habit, random: Random) -> Occasion:
    """GitHub lists no pull requests for a fork's run, and the branch may be `main`."""
    outsider = random.choice(OUTSIDERS)
    branch = random.choice(("main", "main", f"patch-{random.randint(1, 9)}"))
    fork = f"{outsider}/{habit.repo.partition('/')[2]}"
    fields = {"head_repository": fork}
    return Occasion(random.choice(TITLES), outsider, branch, False, fields)


def merge_queue(random: Random) -> Occasion:
    """Merge queues test on throw-away branches under a reserved name."""
    number = random.randint(200, 900)
    branch = f"gh-readonly-queue/main/pr-{number}-{stable_sha(str(random.random()))}"
    title = f"Merge pull request #{number}"
    return Occasion(title, "github-merge-queue[bot]", branch, on_default=False)
