"""Alerts within a test: ingest whose views have the clock of the simulated GitHub."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from polling import FILE, REPO, Ingest
from sqlite_utils import Database

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.model import Run
from ci_observer.demo.server.world import World
from ci_observer.ingest.alerts.deliver import Network, Result, send
from ci_observer.ingest.alerts.messages import Message
from ci_observer.ingest.alerts.receivers import names_of
from ci_observer.ingest.alerts.sender import Sender
from ci_observer.ingest.alerts.watch import AlertWatch
from ci_observer.ingest.times import utc

NOWHERE = "json://127.0.0.1:9/hook"


def follow_clock(db: Database, github: GitHubServer) -> None:
    """The views of this connection read the clock of the simulated GitHub."""
    db.conn.create_function("github_now", 0, lambda: utc(github.clock()))
    with db.atomic():
        db.execute("drop view clock")
        db.execute("create view clock as select github_now() as now")


def add(world: World, conclusion: str = "success", **fields: Any) -> Run:
    """Add a run of a minute that has just ended."""
    return world.add_run(REPO, FILE, conclusion=conclusion, duration=60, **fields)


def wait_and_poll(ingest: Ingest, github: GitHubServer, minutes: float = 2) -> None:
    """Let time pass, then poll."""
    github.advance(timedelta(minutes=minutes).total_seconds())
    ingest.poll()


def look(db: Database) -> None:
    """Notice what time alone has changed."""
    AlertWatch(db).look()


def events(db: Database) -> list[str]:
    """The events of the alerts, in their order."""
    rows = db.execute("select event from alerts order by rowid")
    return [event for (event,) in rows]


def facts(db: Database, event: str) -> dict[str, Any]:
    """The facts of the only alert with an event."""
    [facts] = db.query("select * from alert_facts where event = ?", [event])
    return dict(facts)


class Receiver(HTTPServer):
    """A webhook on loopback: keeps what it gets, and responds with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.location = "/elsewhere"

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/hook"

    @property
    def titles(self) -> list[str]:
        return [request["title"] for request in self.requests]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = json.loads(self.rfile.read(length))
        if self.server.status < 300:
            self.server.requests.append(body)
            self.server.headers.append(dict(self.headers))
        self.send_response(self.server.status)
        self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A webhook that runs in a thread."""
    with Receiver() as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def network(github: GitHubServer) -> Network:
    return Network(api_url=github.url)


def sender(
    db: Database, github: GitHubServer, *urls: str, deliver: Any = None
) -> Sender:
    """A sender that delivers in a thread of this process."""

    async def deliver_in_thread(url: str, message: Message) -> Result:
        return await asyncio.to_thread(send, url, message, network(github))

    return Sender(
        db,
        dict(zip(names_of(urls), urls, strict=True)),
        deliver or deliver_in_thread,
        clock=github.clock,
        timezone="UTC",
    )


def send_due(db: Database, github: GitHubServer, *urls: str) -> None:
    """Send what is due, as a process that has just started."""
    asyncio.run(sender(db, github, *urls).send_due())
