"""The web side in a thread, with the time of each request that reaches it."""

import time
from collections import defaultdict
from pathlib import Path

from browser import WallServer

from ci_observer.web.responses import App, Message, Receive, Send
from ci_observer.web.settings import WebSettings

# A cache may use a response for two seconds at least. Requests after a longer silence,
# of clients that a busy machine had stopped, find none, and may come all at once.
SILENCE_SECONDS = 2


class CountedServer(WallServer):
    """A server below `/ci/` that knows when it was asked for what."""

    def __init__(self, db_path: Path) -> None:
        super().__init__(db_path, WebSettings(base_url="/ci/"))
        self.times: dict[str, list[float]] = defaultdict(list)

    def app(self) -> App:
        app = super().app()

        async def counted(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.times[scope["path"]].append(time.monotonic())
            await app(scope, receive, send)

        return counted

    def rounds(self, path: str) -> int:
        """The number of requests; those after a silence count as one."""
        times = self.times[path]
        number, first_after_silence = 0, float("-inf")
        for before, at in zip([float("-inf"), *times], times, strict=False):
            if at - before > SILENCE_SECONDS:
                first_after_silence = at
                number += 1
            elif at - first_after_silence > 1:
                number += 1
        return number
