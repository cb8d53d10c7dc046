"""Fixtures: the real server on a small archive, behind the real proxies."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from archive import save_runs, watch
from factories import run_payload
from processes import environ_with, serving
from proxies import Certificate, Proxy, make_certificate, running_proxy, settings_in

from ci_observer.ingest.db import schema
from ci_observer.ingest.times import utc

Start = Callable[..., Proxy]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few dozen runs of the last days."""
    path = tmp_path_factory.mktemp("archive") / "ci_observer.db"
    now = datetime.now(UTC)
    with closing(schema.connect(path)) as db:
        schema.migrate(db)
        watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"), now=now)
        for repo, first in (("acme/api", 1), ("acme/web", 101)):
            runs = [
                run_payload(
                    first + number,
                    conclusion="failure" if number % 5 == 0 else "success",
                    **_times(now - timedelta(hours=3 * number + 1)),
                )
                for number in range(60)
            ]
            save_runs(db, *runs, repo=repo, now=now)
    return path


def _times(start: datetime) -> dict[str, str]:
    end = start + timedelta(minutes=4)
    return {
        "created_at": utc(start),
        "run_started_at": utc(start),
        "updated_at": utc(end),
    }


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def start(
    database: Path, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Start]:
    """Start an example's proxy in front of `serve`; both are started once for each."""
    ports: dict[object, int] = {}
    proxies: dict[object, Proxy] = {}
    with ExitStack() as stack:

        def start_proxy(example: str, **settings: str) -> Proxy:
            needed = settings_in(example)
            environ = environ_with(CI_OBSERVER_DB=database, **(needed | settings))
            key = (*needed.items(), *settings.items())
            if key not in ports:
                web = stack.enter_context(serving(environ, database.parent))
                ports[key] = web.base_url.port or 0
            if (example, key) not in proxies:
                folder = tmp_path_factory.mktemp("proxy")
                proxies[example, key] = stack.enter_context(
                    running_proxy(example, ports[key], certificate, folder)
                )
            return proxies[example, key]

        yield start_proxy
