"""Why a run starts: its event, branch, actor and title."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from ci_observer.demo.scenario.people import (
    OUTSIDERS,
    PACKAGES,
    PEOPLE,
    TITLES,
    TOPICS,
)
from ci_observer.demo.scenario.workflow_profiles import WorkflowProfile
from ci_observer.demo.seeded_random import stable_sha
from ci_observer.demo.server.model import Json
from ci_observer.demo.server.world import World

OPEN_REPO = "acme/open-toolkit"


@dataclass(slots=True)
class Trigger:
    """The cause of a run; `fields` are arguments of `World.add_run`."""

    title: str
    actor: str
    head_branch: str
    on_default: bool
    fields: Json = field(default_factory=dict)
    is_fix: bool = False


def draw_trigger(
    profile: WorkflowProfile, event: str, world: World, random: Random
) -> Trigger:
    """A random branch, actor and title for an event of this workflow."""
    match event:
        case "pull_request" | "pull_request_target":
            trigger = pull_request(profile, random)
        case "merge_group":
            trigger = merge_queue(random)
        case _:
            branch = world.repo(profile.repo).default_branch
            title = profile.name if event == "schedule" else random.choice(TITLES)
            trigger = Trigger(title, random.choice(PEOPLE), branch, True)
    message = f"{trigger.title}\n\nReviewed-by: {random.choice(PEOPLE)}"
    trigger.fields |= {
        "event": event,
        "actor": trigger.actor,
        "head_branch": trigger.head_branch,
        "head_sha": stable_sha(f"{profile.repo} {random.random()}"),
        "message": message,
    }
    return trigger


def pull_request(profile: WorkflowProfile, random: Random) -> Trigger:
    """From a colleague, a bot or, in the open-source repository, from a fork."""
    number = random.randint(200, 900)
    kind = random.random()
    if kind < 1 / 5:
        trigger = dependency_update(random)
    elif profile.repo == OPEN_REPO and kind < 3 / 5:
        trigger = fork(profile, random)
    else:
        branch = f"{random.choice(('fix', 'feature'))}/{random.choice(TOPICS)}-{number}"
        trigger = Trigger(random.choice(TITLES), random.choice(PEOPLE), branch, False)
    trigger.fields["pull_requests"] = [number]
    return trigger


def dependency_update(random: Random) -> Trigger:
    package, version = random.choice(PACKAGES), f"{random.randint(2, 9)}.0.1"
    return Trigger(
        f"Bump {package} to {version}",
        "dependabot[bot]",
        f"dependabot/npm_and_yarn/{package}-{version}",
        on_default=False,
    )


def fork(profile: WorkflowProfile, random: Random) -> Trigger:
    """A pull request from a fork, whose branch may be `main` too."""
    outsider = random.choice(OUTSIDERS)
    branch = random.choice(("main", "main", f"patch-{random.randint(1, 9)}"))
    fields = {"head_repository": f"{outsider}/{profile.repo.partition('/')[2]}"}
    return Trigger(random.choice(TITLES), outsider, branch, False, fields)


def merge_queue(random: Random) -> Trigger:
    """A merge queue tests on a temporary branch with a reserved name."""
    number = random.randint(200, 900)
    branch = f"gh-readonly-queue/main/pr-{number}-{stable_sha(str(random.random()))}"
    title = f"Merge pull request #{number}"
    return Trigger(title, "github-merge-queue[bot]", branch, on_default=False)
