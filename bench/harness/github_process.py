"""The simulated GitHub in another process, so that its CPU time is not measured."""

from collections import Counter
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from ci_observer.demo.server.github_server import GitHubServer
    from ci_observer.demo.server.world import World

EXIT_TIMEOUT = 10


class GitHubProcess:
    """Serves a synthetic world until the `with` block ends."""

    def __init__(
        self, *, repos: int, workflows: int, runs: int, latency: float
    ) -> None:
        # Not a fork: the child would inherit our threads and locks.
        context = get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        self._process = context.Process(
            target=_serve,
            args=(child_pipe, repos, workflows, runs, latency),
            daemon=True,
        )

    def __enter__(self) -> Self:
        self._process.start()
        self.settings: dict[str, str] = self._pipe.recv()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join(EXIT_TIMEOUT)

    def change_runs(self, count: int) -> None:
        """Add runs and re-run others, spread over the repositories."""
        self._send("change", count)

    def take_log(self) -> Counter[str]:
        """The responses since the last call, counted by status, and `charged`."""
        return Counter(self._send("log"))

    def _send(self, *command: Any) -> Any:
        self._pipe.send(command)
        return self._pipe.recv()


def _serve(
    pipe: Connection, repos: int, workflows: int, runs: int, latency: float
) -> None:
    # Only this process needs them.
    from bench.databases import varied_world  # noqa: PLC0415
    from ci_observer.demo.server.github_server import GitHubServer  # noqa: PLC0415
    from ci_observer.demo.times import utc_now  # noqa: PLC0415

    world = varied_world.build(repos, workflows, runs, now=utc_now())
    newest = _newest_runs(world, workflows)
    with GitHubServer(world, clock=utc_now, latency=latency) as github:
        github.limits.per_user = 1_000_000
        pipe.send(_settings(github))
        while command := _receive(pipe):
            if command[0] == "change":
                _change_runs(world, newest, command[1])
                pipe.send(None)
            else:
                pipe.send(_take_log(github))


def _settings(github: "GitHubServer") -> dict[str, str]:
    """The settings of an ingest that watches the whole world."""
    repos = github.world.repos.values()
    files = dict.fromkeys(file for repo in repos for file in repo.workflows)
    return {
        "GITHUB_API_URL": github.url,
        "GITHUB_TOKEN": github.token,
        "GH_REPOS": ",".join(repo.full_name for repo in repos),
        "GH_WORKFLOWS": ",".join(files),
    }


def _newest_runs(world: "World", workflows: int) -> list[tuple[str, str, int]]:
    """Repository, file and run id; one workflow of each repository, then the next."""
    newest = [
        (repo.full_name, file, max(r.id for r in repo.runs if r.workflow is workflow))
        for repo in world.repos.values()
        for file, workflow in repo.workflows.items()
    ]
    return [run for i in range(workflows) for run in newest[i::workflows]]


def _change_runs(
    world: "World", newest: Sequence[tuple[str, str, int]], count: int
) -> None:
    """Add a run and re-run another, in turn."""
    for number in range(count):
        repo, file, run_id = newest[number % len(newest)]
        if number % 2:
            world.rerun(run_id)
        else:
            world.add_run(repo, file, status="in_progress")


def _take_log(github: "GitHubServer") -> Counter[str]:
    """The logged responses by status, and `charged`; empties the log."""
    counts = Counter(str(entry.status) for entry in github.log)
    counts["charged"] = sum(entry.charged for entry in github.log)
    github.log.clear()
    return counts


def _receive(pipe: Connection) -> tuple[Any, ...] | None:
    """The next command. None if the other end is closed."""
    try:
        command: tuple[Any, ...] = pipe.recv()
    except EOFError:
        return None
    return command
