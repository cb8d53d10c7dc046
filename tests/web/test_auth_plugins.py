"""Datasette's plugins for logins, set up as docs/operations.md says."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copy
from typing import Any
from urllib.parse import parse_qs, urlsplit

import datasette
import httpx
import pytest
from archive import save, watch
from factories import run_payload
from operators import with_rules
from processes import environ_with, serving
from sqlite_utils import Database

from ci_observer import ROOT

# `make setup` installs them apart from the other packages, because Datasette runs every
# plugin that it finds.
FOLDER = Path(datasette.__file__).parents[2] / "auth-plugins"

PATHS = (
    *("/", "/runs", "/workflows/acme/api/ci.yml", "/api/wall", "/api/runs.csv"),
    *("/ci_observer", "/ci_observer/runs.json", "/-/dashboards/ci-observer?days=30"),
)
PASSWORDS, TOKENS = "datasette-auth-passwords", "datasette-auth-tokens"
# Made by `datasette hash-password` from ada's password.
PASSWORD = "analytical"  # noqa: S105 (an example)
HASH = "pbkdf2_sha256$1000$abcdefgh$pi8kD0UM7mJOl21oyZEI9UZz+emz2XKesaBXN8Y+6rY="
ADA_TOKEN = "a-token-of-a-program"  # noqa: S105 (an example)
ACCESS_TOKEN = "correct-horse-battery-staple"  # noqa: S105 (an example)
SECRET = "a-secret-that-is-kept"  # noqa: S105 (an example)

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not FOLDER.exists(), reason="the plugins are not installed: make setup"
    ),
]


@pytest.fixture(autouse=True)
def runs(db: Database) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save(db, run_payload(1))
    db.close()


@contextmanager
def instance(
    db_path: Path, names: tuple[str, ...], rules: dict[str, Any], **settings: str
) -> Iterator[httpx.Client]:
    """`ci-observer serve` with these plugins, and rules in its metadata.yml."""
    plugins = _chosen(db_path.parent / "plugins", names)
    package = db_path.parent / "checkout" / "ci_observer"
    package.mkdir(parents=True, exist_ok=True)
    for source in ROOT.glob("*.py"):
        copy(source, package)
    for name in ("demo", "ingest", "plugins", "static", "templates", "web"):
        link = package / name
        link.unlink(missing_ok=True)
        link.symlink_to((ROOT / name).resolve())
    (package / "metadata.yml").write_text(with_rules(rules))
    environ = environ_with(
        CI_OBSERVER_DB=db_path, DATASETTE_SECRET=SECRET, **settings
    ) | {"PYTHONPATH": f"{package.parent}:{plugins}"}
    with serving(environ, db_path.parent) as web:
        yield web


def _chosen(folder: Path, names: tuple[str, ...]) -> Path:
    """A folder with some of the installed plugins only."""
    folder.mkdir(exist_ok=True)
    words = [name.replace("-", "_") for name in names]
    if "datasette-auth-existing-cookies" in names:
        words.append("appdirs")
    for path in FOLDER.iterdir():
        if path.name.startswith(tuple(words)):
            link = folder / path.name
            link.unlink(missing_ok=True)
            link.symlink_to(path)
    return folder


def statuses(web: httpx.Client, **options: Any) -> dict[str, int]:
    return {path: web.get(path, **options).status_code for path in PATHS}


def log_in(web: httpx.Client, password: str = PASSWORD) -> httpx.Response:
    """Send the form of datasette-auth-passwords as a browser does."""
    page = web.get("/-/login")
    token = re.search(r'name="csrftoken" value="([^"]+)"', page.text)
    assert token is not None
    form = {"username": "ada", "password": password, "csrftoken": token[1]}
    return web.post("/-/login", data=form)


def test_a_person_logs_in_with_a_password(db_path: Path) -> None:
    rules = {
        "allow": {"id": "ada"},
        "plugins": {PASSWORDS: {"ada_password_hash": {"$env": "ADA_PASSWORD_HASH"}}},
    }
    with instance(db_path, (PASSWORDS,), rules, ADA_PASSWORD_HASH=HASH) as web:
        stranger = statuses(web)
        wrong = log_in(web, "wrong")
        still_stranger = statuses(web)
        right = log_in(web)
        ada = statuses(web)
        cookies = dict(web.cookies)
    with instance(db_path, (PASSWORDS,), rules, ADA_PASSWORD_HASH=HASH) as web:
        web.cookies.update(cookies)
        restarted = statuses(web)

    assert stranger == still_stranger == dict.fromkeys(PATHS, 403)
    assert (wrong.status_code, right.status_code) == (200, 302)
    assert ada == restarted == dict.fromkeys(PATHS, 200)


def test_programs_have_tokens_of_their_own(db_path: Path) -> None:
    tokens = [{"token": {"$env": "ADA_TOKEN"}, "actor": {"id": "ada"}}]
    rules = {
        "databases": {"ci_observer": {"allow": {"id": "ada"}}},
        "plugins": {TOKENS: {"tokens": tokens}},
    }
    with instance(db_path, (TOKENS,), rules, ADA_TOKEN=ADA_TOKEN) as web:
        stranger = statuses(web)
        wrong = statuses(web, headers={"Authorization": "Bearer wrong"})
        ada = statuses(web, headers={"Authorization": f"Bearer {ADA_TOKEN}"})
        metadata = web.get(
            "/-/metadata.json", headers={"Authorization": f"Bearer {ADA_TOKEN}"}
        )

    assert stranger == wrong == dict.fromkeys(PATHS, 403)
    assert ada == dict.fromkeys(PATHS, 200)
    assert metadata.status_code == 403


def test_plugins_and_the_access_token_work_together(db_path: Path) -> None:
    tokens = [{"token": ADA_TOKEN, "actor": {"id": "ada"}}]
    rules = {
        "plugins": {
            PASSWORDS: {"ada_password_hash": HASH},
            TOKENS: {"tokens": tokens},
        }
    }
    with instance(
        db_path, (PASSWORDS, TOKENS), rules, ACCESS_TOKEN=ACCESS_TOKEN
    ) as web:
        stranger = statuses(web)
        machine = statuses(web, headers={"Authorization": f"Bearer {ACCESS_TOKEN}"})
        ada = statuses(web, headers={"Authorization": f"Bearer {ADA_TOKEN}"})
        log_in(web)
        person = statuses(web)

    assert stranger == dict.fromkeys(PATHS, 401)
    assert machine == ada == person == dict.fromkeys(PATHS, 200)


def test_github_is_asked_who_a_visitor_is(db_path: Path) -> None:
    config = {"client_id": "abc", "client_secret": "def"}
    rules = {
        "allow": {"gh_login": "ada"},
        "plugins": {"datasette-auth-github": config},
    }
    with instance(db_path, ("datasette-auth-github",), rules) as web:
        stranger = statuses(web)
        start = web.get("/-/github-auth-start")
        failed = web.get("/-/github-auth-callback")

    assert stranger == dict.fromkeys(PATHS, 403)
    assert start.headers["location"].startswith("https://github.com/login/oauth/")
    assert "Authentication failed" in failed.text


class Site(BaseHTTPRequestHandler):
    """The other site, which says whose cookie it is."""

    def do_GET(self) -> None:
        is_ada = "session=ada" in self.headers.get("Cookie", "")
        body = json.dumps({"id": 1} if is_ada else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing instead of a line per request."""


@pytest.fixture
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_cookie_of_another_site_opens_everything(db_path: Path, site: str) -> None:
    name = "datasette-auth-existing-cookies"
    config = {
        "api_url": site,
        "auth_redirect_url": "https://site.example/login",
        "original_cookies": ["session"],
        "cookie_secret": SECRET,
    }
    with instance(db_path, (name,), {"plugins": {name: config}}) as web:
        stranger = web.get("/api/wall")
        ada = statuses(web, headers={"Cookie": "session=ada"})

    target = urlsplit(stranger.headers["location"])
    assert (stranger.status_code, target.hostname) == (302, "site.example")
    assert parse_qs(target.query)["next"][0].endswith("/api/wall")
    assert ada == dict.fromkeys(PATHS, 200)
