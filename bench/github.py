"""The simulated GitHub in a process of its own, so that its work is not measured."""

from collections import Counter
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

SECONDS_TO_END = 10


class GitHubProcess:
    """A synthetic world that is served until the `with` block ends."""

    def __init__(
        self, *, repos: int, workflows: int, runs: int, latency: float
    ) -> None:
        # Not a fork: the child would take our threads and locks along.
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, repos, workflows, runs, latency), daemon=True
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
        self._process.join(SECONDS_TO_END)

    def change(self, count: int) -> None:
        """Let runs begin and be run again, spread over the repositories."""
        self._ask("change", count)

    def take_log(self) -> Counter[str]:
        """How many answers there were since the last time, by status; and `charged`."""
        return Counter(self._ask("log"))

    def _ask(self, *what: Any) -> Any:
        self._pipe.send(what)
        return self._pipe.recv()


def _serve(
    pipe: Connection, repos: int, workflows: int, runs: int, latency: float
) -> None:
    # Here, so that the process that measures stays small: a child's peak of memory
    # begins with what its parent had.
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
    # One workflow of each repository after another.
    places = [place for i in range(workflows) for place in newest[i::workflows]]
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
        while request := _next(pipe):
            if request[0] == "change":
                for number in range(request[1]):
                    repo, file, run_id = places[number % len(places)]
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


def _next(pipe: Connection) -> tuple[Any, ...] | None:
    """The next request, or None when the other end is closed."""
    try:
        request: tuple[Any, ...] = pipe.recv()
    except EOFError:
        return None
    return request
