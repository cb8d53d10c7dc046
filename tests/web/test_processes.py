"""The two processes of `serve`: one for the wall, one for tables and SQL."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from processes import (
    CI_OBSERVER,
    environ_with,
    serving,
    wait_until_listening,
)
from sqlite_utils import Database
from up import children, is_running
from waiting import HANG_SECONDS, eventually

from ci_observer.ingest.commands.ports import free_port
from ci_observer.web.forwarding import is_ours

# Its cell is the absolute URL of the bytes.
BLOB = "/ci_observer.csv?sql=select+x'ff'+as+bytes"
ONE = "/ci_observer.json?sql=select+1&_shape=arrays"


class Serve:
    """A running `ci-observer serve`, and its processes."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process, self.port = process, port
        self.web = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=HANG_SECONDS, trust_env=False
        )

    @property
    def front(self) -> int:
        """The process of the wall, which is started first."""
        return min(children(self.process.pid))

    @property
    def back(self) -> int | None:
        """The process for tables and SQL; None while there is none."""
        others = {*children(self.process.pid)} - {self.front}
        return max(others, default=None)

    def responds(self) -> bool:
        return self.web.get(ONE).status_code == httpx.codes.OK


@pytest.fixture
def serve(db: Database, db_path: Path, tmp_path: Path) -> Iterator[Serve]:
    """A new `serve` on the database of the test."""
    db.close()
    port = free_port()
    process = subprocess.Popen(  # noqa: S603 (our own command)
        [*CI_OBSERVER, "serve"],
        env=environ_with(
            CI_OBSERVER_DB=db_path,
            CI_OBSERVER_PORT=port,
            CI_OBSERVER_ALLOWED_HOSTS="localhost,127.0.0.1,ci.example",
        ),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    serve = Serve(process, port)
    try:
        wait_until_listening(process, port)
        with serve.web:
            yield serve
    finally:
        process.kill()
        process.communicate(timeout=HANG_SECONDS)


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        *(("/", True), ("/runs", True), ("/api", True), ("/api/wall", True)),
        *(("/runs/1", True), ("/workflows/a/b/c.yml/jobs", True)),
        *(("/workflows/a/b/c.yml", True), ("/login", True), ("/static/x.js", True)),
        *(("/commits/a/b", True), ("/commits/a/b/c", True), ("/commit", False)),
        *(("/-/static/app.css", True), ("/favicon.ico", True)),
        *(("/ci_observer", False), ("/ci_observer.json", False)),
        *(("/ci_observer/runs", False), ("/-/dashboards", False), ("/-/", False)),
        *(("/runs.json", False), ("/apis", False), ("/anything", False)),
    ],
)
def test_only_our_own_routes_are_served_by_the_process_of_the_wall(
    route: str, expected: bool
) -> None:
    assert is_ours(route) is expected


def test_a_killed_process_for_sql_is_replaced_and_the_wall_goes_on(
    serve: Serve,
) -> None:
    eventually(serve.responds)
    front, back = serve.front, serve.back
    assert back
    os.kill(back, signal.SIGKILL)
    eventually(lambda: not is_running(back))
    wall = serve.web.get("/api/wall")
    eventually(serve.responds)

    assert wall.status_code == 200
    assert serve.front == front
    assert serve.back not in (None, back)


def test_without_the_process_for_sql_a_request_gets_503_with_a_reason(
    serve: Serve,
) -> None:
    eventually(serve.responds)
    # Stopped, the parent cannot start another one.
    serve.process.send_signal(signal.SIGSTOP)
    back = serve.back
    assert back
    os.kill(back, signal.SIGKILL)
    eventually(lambda: not is_running(back))
    as_json = serve.web.get(ONE)
    page = serve.web.get("/ci_observer/runs")
    head = serve.web.head("/ci_observer/runs")
    wall = serve.web.get("/")
    serve.process.send_signal(signal.SIGCONT)

    assert (as_json.status_code, page.status_code, head.status_code) == (503, 503, 503)
    assert as_json.json()["error"].startswith("Tables and SQL are starting again")
    assert "Tables and SQL are starting again" in page.text
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert (head.text, wall.status_code) == ("", 200)
    eventually(serve.responds)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_processes(serve: Serve, number: signal.Signals) -> None:
    eventually(serve.responds)
    pids = children(serve.process.pid)
    serve.process.send_signal(number)

    assert serve.process.wait(HANG_SECONDS) == 0
    assert [pid for pid in pids if is_running(pid)] == []


def test_a_signal_before_the_server_handles_it_is_no_failure() -> None:
    program = (
        "import signal, sys\n"
        "from ci_observer.web.processes import keep_running\n"
        "def front():\n"
        "    print('started', flush=True)\n"
        "    signal.pause()\n"
        "sys.exit(keep_running(front, signal.pause))\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout
        process.stdout.readline()
        process.terminate()
        assert process.wait(HANG_SECONDS) == 0


def test_a_killed_parent_leaves_no_process(serve: Serve) -> None:
    eventually(serve.responds)
    pids = children(serve.process.pid)
    serve.process.kill()
    serve.process.wait(HANG_SECONDS)

    assert len(pids) == 2
    eventually(lambda: not any(map(is_running, pids)))


def test_the_end_of_the_process_of_the_wall_ends_everything(serve: Serve) -> None:
    eventually(serve.responds)
    pids = children(serve.process.pid)
    os.kill(serve.front, signal.SIGKILL)

    assert serve.process.wait(HANG_SECONDS) == 1
    assert [pid for pid in pids if is_running(pid)] == []


def test_both_processes_ask_for_the_name_and_then_for_the_token(
    db: Database, db_path: Path
) -> None:
    db.close()
    token = "correct-horse-battery-staple"  # noqa: S105 (an example)
    environ = environ_with(CI_OBSERVER_DB=db_path, ACCESS_TOKEN=token)
    paths = ("/api/wall", "/ci_observer/runs.json", "/login")
    credentials = {"Authorization": f"Bearer {token}"}
    with serving(environ, db_path.parent) as web:
        rebound = [web.get(path, headers={"Host": "evil.example"}) for path in paths]
        strangers = [web.get(path) for path in paths]
        proved = [web.get(path, headers=credentials) for path in paths]

    assert [response.status_code for response in rebound] == [421, 421, 421]
    assert [response.status_code for response in strangers] == [401, 401, 200]
    assert [response.status_code for response in proved] == [200, 200, 200]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_both_processes_refuse_a_request_without_a_host(
    serve: Serve, version: str
) -> None:
    eventually(serve.responds)
    statuses = {
        path: status_without_host(serve.port, path, version)
        for path in ("/api/wall", "/ci_observer.json", "/-/dashboards")
    }

    assert set(statuses.values()) == {400}


def status_without_host(port: int, path: str, version: str) -> int:
    with socket.create_connection(("127.0.0.1", port), HANG_SECONDS) as connection:
        request = f"GET {path} HTTP/{version}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_the_request_arrives_as_it_was_sent(serve: Serve) -> None:
    """Links, redirects and permissions depend on host, scheme and path."""
    eventually(serve.responds)
    proxied = {"Host": "ci.example:8443", "X-Forwarded-Proto": "https"}
    blob = serve.web.get(BLOB, headers=proxied)
    filtered = serve.web.get("/ci_observer/runs.json?display_title__exact=a%2Fb+c%26d")
    encoded = serve.web.get("/ci%5Fobserver/runs.json")
    redirect = serve.web.get("/ci_observer/runs?_filter_column=repo&_filter_op=exact")

    assert "https://ci.example:8443/ci_observer.blob" in blob.text
    assert filtered.json()["query"]["params"] == {"p0": "a/b c&d"}
    assert encoded.headers["location"] == "/ci~5Fobserver/runs~2Ejson"
    assert redirect.headers["location"] == "/ci_observer/runs?repo__exact="


def test_a_visitor_cannot_claim_another_address_or_scheme(serve: Serve) -> None:
    eventually(serve.responds)
    claim = json.dumps({"scheme": "https", "client": ["10.0.0.1", 1]})
    blob = serve.web.get(BLOB, headers={"CI-Observer-Scope": claim})

    assert f"http://127.0.0.1:{serve.port}/ci_observer.blob" in blob.text


def test_cookies_go_through_and_none_is_kept(serve: Serve) -> None:
    eventually(serve.responds)
    serve.web.cookies.set("ds_actor", "junk")
    posted = serve.web.post("/-/logout", data={"csrftoken": "wrong"})
    serve.web.cookies.clear()
    page = serve.web.get("/-/logout")

    assert posted.status_code == 403
    assert "ds_actor" not in page.headers.get("set-cookie", "")
