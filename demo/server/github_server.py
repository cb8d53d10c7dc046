"""A simulated GitHub on a real socket, run by uvicorn in a thread."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

import uvicorn

from ci_observer.demo.server.asgi_app import App
from ci_observer.demo.server.faults import Faults
from ci_observer.demo.server.github import GitHub, LogEntry
from ci_observer.demo.server.rate_limits import RateLimits
from ci_observer.demo.server.settings import DEMO_TOKEN, Settings
from ci_observer.demo.server.world import World
from ci_observer.demo.times import Clock, SettableClock

# Limits for a thread that hangs.
START_SECONDS = STOP_SECONDS = 60.0


class GitHubServer:
    """Serve a world until the `with` block ends.

    >>> world = World()
    >>> run = world.add_run("acme/web-store", "ci.yml", conclusion="failure")
    >>> with GitHubServer(world) as github:
    ...     github.url  # doctest: +ELLIPSIS
    'http://127.0.0.1:...'

    `clock` defaults to a SettableClock with the world's time. `settings` are
    the fields of `Settings`: `latency` (seconds), `base_path="/api/v3"`, `enterprise`,
    `tokens`, `gzip`, …; they can be changed later through `github.settings`.
    """

    def __init__(
        self,
        world: World,
        *,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        **settings: Any,
    ) -> None:
        self.world = world
        self.clock = clock or SettableClock(world.now)
        self.github = GitHub(world, self.clock, Settings(**settings))
        self._socket = bound_socket(host, port)
        self.origin = f"http://{host}:{self._socket.getsockname()[1]}"
        self._server = PromptServer(
            uvicorn.Config(
                App(self.github),
                lifespan="off",
                log_level="critical",
                access_log=False,
                server_header=False,
                date_header=False,  # The simulated time is in the responses.
                timeout_keep_alive=60,
            )
        )
        self._thread = Thread(target=self._run, name="simulated-github", daemon=True)

    @property
    def url(self) -> str:
        """The API's base URL, without a trailing slash: `GITHUB_API_URL`."""
        return f"{self.origin}{self.github.settings.base_path}"

    @property
    def settings(self) -> Settings:
        return self.github.settings

    @property
    def faults(self) -> Faults:
        return self.github.faults

    @property
    def limits(self) -> RateLimits:
        return self.github.limits

    @property
    def log(self) -> list[LogEntry]:
        """Every request so far, oldest first; `github.log.clear()` empties it."""
        return self.github.log

    @property
    def token(self) -> str:
        """A token this server accepts."""
        return next(iter(self.settings.tokens), DEMO_TOKEN)

    def advance(self, seconds: float) -> None:
        """Move the settable clock, and the world with it."""
        if not isinstance(self.clock, SettableClock):
            raise TypeError("only a SettableClock can be moved")
        self.world.advance_to(self.clock.advance(seconds))

    def spend_rate_limit(self, *, used: int | None = None) -> None:
        """Set the used requests of the default token's hour; None uses up all."""
        user = self.settings.tokens[self.token].user
        self.limits.spend(user, self.clock(), used)

    def start(self) -> Self:
        """Start to serve; returns when the server accepts requests."""
        self._thread.start()
        if not self._server.ready.wait(START_SECONDS):
            raise RuntimeError("the simulated GitHub did not start")
        return self

    def stop(self) -> None:
        """Stop at once, also with requests that are still delayed."""
        self._server.stop()
        self._thread.join(STOP_SECONDS)
        self._socket.close()

    def wait(self) -> None:
        """Serve until the thread ends or the process is interrupted."""
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


class PromptServer(uvicorn.Server):
    """A uvicorn server that reports when it listens, and stops at once.

    uvicorn itself checks ten times a second for its end and waits for open requests,
    which is too slow for a test suite with hundreds of servers.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End the event loop; called from another thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.ready.set()
        while not await self.on_tick(0):  # writes the Date header, once a second
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close all connections and cancel open requests."""
        for server in self.servers:
            server.close()
        for task in self.server_state.tasks:
            task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)


def bound_socket(host: str, port: int) -> socket.socket:
    """A bound socket, so that the port is known before the thread starts."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener
