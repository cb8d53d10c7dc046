"""The simulated GitHub in another process, so that its CPU time is not measured."""

from collections import Counter
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

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
    # Imported here to keep the measuring process small, because the peak memory of a
    # child starts at its parent's.
    from ci_observer.demo.scenario import synthetic_world  # noqa: PLC0415
    from ci_observer.demo.server.github_server import GitHubServer  # noqa: PLC0415

    def now() -> datetime:
        return datetime.now(UTC)

    world = synthetic_world.build(repos, workflows, runs, now=now())
    newest = [
        (repo.full_name, file, max(r.id for r in repo.runs if r.workflow is workflow))
        for repo in world.repos.values()
        for file, workflow in repo.workflows.items()
    ]
    # One workflow of each repository, then the next workflow of each.
    by_turn = [run for i in range(workflows) for run in newest[i::workflows]]
    with GitHubServer(world, clock=now, latency=latency) as github:
        github.limits.per_user = 1_000_000
        pipe.send(
            {
                "GITHUB_API_URL": github.url,
                "GITHUB_TOKEN": github.token,
                "GH_REPOS": ",".join(repo.full_name for repo in world.repos.values()),
                "GH_WORKFLOWS": ",".join(f"workflow-{i}.yml" for i in range(workflows)),
            }
        )
        while command := _receive(pipe):
            if command[0] == "change":
                for number in range(command[1]):
                    repo, file, run_id = by_turn[number % len(by_turn)]
                    if number % 2:
                        world.rerun(run_id)
                    else:
                        world.add_run(repo, file, status="in_progress")
                pipe.send(None)
            else:
                log = Counter(str(entry.status) for entry in github.log)
                log["charged"] = sum(entry.charged for entry in github.log)
                github.log.clear()
                pipe.send(log)


def _receive(pipe: Connection) -> tuple[Any, ...] | None:
    """The next command. None if the other end is closed."""
    try:
        command: tuple[Any, ...] = pipe.recv()
    except EOFError:
        return None
    return command
