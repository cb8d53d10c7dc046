"""`ci-observer ingest` as a child process whose passes start on request."""

import asyncio
import os
from datetime import UTC, datetime
from functools import partial

from bench.harness.pass_loop import run_passes
from ci_observer.ingest.commands.runtime import open_runner
from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.ingest.github.app_jwt import AppSettings
from ci_observer.ingest.github.client import GitHub
from ci_observer.ingest.github.connection import Connection
from ci_observer.ingest.github.transport import open_http
from ci_observer.ingest.lock import only_ingest
from ci_observer.ingest.polling.concurrency import RequestPool
from ci_observer.ingest.polling.poller import Poller
from ci_observer.ingest.store import instance


def now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


def main() -> None:
    """Poll with the settings in the environment."""
    config = Config.from_environ(os.environ)
    db = schema.connect(config.db_path)
    schema.migrate(db)
    with only_ingest(config.db_path), open_runner() as runner:
        instance.save_settings(db, config, version="bench", now=now())
        http = open_http("bench")
        pool = RequestPool()
        connection = Connection(
            http,
            api_url=config.api_url,
            token=config.token,
            app=AppSettings.of(config),
            clock=now,
            slot=pool.slot,
        )
        poller = Poller(config, db, GitHub(connection), pool, now)
        poller.start()
        run_passes(partial(_make_pass, runner, poller))
        runner.run(http.aclose())
    db.close()


def _make_pass(runner: asyncio.Runner, poller: Poller) -> None:
    result = runner.run(poller.poll())
    if result.error or result.feeds_failed:
        raise SystemExit(f"a pass failed: {result}")


if __name__ == "__main__":
    main()
