"""`ci-observer smoke`: each fault of an instance fails the check that is for it."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from archive import save_poll_of_now, save_runs, watch
from click.testing import CliRunner, Result
from factories import run_payload
from processes import environ_with, serving
from proxy_servers import http_proxy
from sqlite_utils import Database
from waiting import HANG_SECONDS

from ci_observer.ingest.cli import main
from ci_observer.ingest.commands.ports import free_port
from ci_observer.ingest.smoke import report
from ci_observer.ingest.smoke.checks import CHECKS, Visit, run_checks
from ci_observer.ingest.smoke.client import Instance

TOKEN = "secret"  # noqa: S105 (made up)
BASE = "http://ci.example.com/ci"
Change = Callable[[httpx.Request, httpx.Response], httpx.Response | None]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, migrated_file: bytes) -> Path:
    """A database that was polled just now."""
    path = tmp_path_factory.mktemp("smoke") / "ci_observer.db"
    path.write_bytes(migrated_file)
    db = Database(path)
    now = datetime.now(UTC)
    watch(db, ("acme/api", "ci.yml"), now=now)
    save_runs(db, run_payload(1), now=now)
    save_poll_of_now(db, repos=("acme/api",), now=now)
    db.close()
    return path


@pytest.fixture(scope="module")
def web(archive: Path) -> Iterator[httpx.Client]:
    environ = environ_with(
        CI_OBSERVER_DB=archive,
        CI_OBSERVER_BASE_URL="/ci/",
        CI_OBSERVER_ALLOWED_HOSTS="127.0.0.1,ci.test",
    )
    with serving(environ, archive.parent) as web:
        yield web


def smoke(*arguments: object, **environ: str) -> Result:
    options = ["--timeout", HANG_SECONDS, *arguments]
    return CliRunner().invoke(main, ["smoke", *map(str, options)], env=environ)


def outcomes(result: Result) -> dict[str, str]:
    """The outcome of each check by its name."""
    checks = json.loads(result.stdout)["checks"]
    return {check["name"]: check["outcome"] for check in checks}


def test_an_instance_below_a_prefix_passes(web: httpx.Client) -> None:
    result = smoke("--json", f"{web.base_url}/ci/")

    assert result.exit_code == 0, result.stdout
    assert list(outcomes(result)) == ["response", *CHECKS]
    assert set(outcomes(result).values()) == {"ok", "note"}
    assert outcomes(result)["permissions"] == "note"


def test_the_verdict_comes_first_then_a_line_for_each_check(web: httpx.Client) -> None:
    first, *rest = smoke(f"{web.base_url}/ci").stdout.splitlines()

    assert first.startswith("CI Observer ")
    assert [line.split()[1] for line in rest] == ["response", *CHECKS]


def test_another_version_fails(web: httpx.Client) -> None:
    result = smoke("--json", "--expect-version", "9.9", f"{web.base_url}/ci/")

    assert (result.exit_code, outcomes(result)["version"]) == (1, "failed")


def test_the_wrong_prefix_fails(web: httpx.Client) -> None:
    result = smoke(f"{web.base_url}/other/")

    assert result.exit_code == 1
    assert "is no response of CI Observer" in result.stdout


def test_nobody_at_the_address_fails() -> None:
    result = smoke("--json", f"http://127.0.0.1:{free_port()}/")

    assert (result.exit_code, outcomes(result)) == (1, {"response": "failed"})


@pytest.mark.parametrize(
    "url",
    ["localhost:8089", "ftp://ci", "http://", "http://ci/?x=1", "http://[::1/", ""],
)
def test_a_url_that_is_none_is_a_wrong_option(url: str) -> None:
    result = smoke(url)

    assert (result.exit_code, "for example" in result.stderr) == (2, True)


def test_the_token_and_a_password_are_in_no_output() -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    with_password = url.replace("//", "//ada:secret-password@")

    assert "secret" not in smoke(with_password).output
    assert "secret" not in smoke("--token", "secret-token", url).output
    both = smoke(with_password, ACCESS_TOKEN="secret-token")  # noqa: S106 (made up)
    assert (both.exit_code, "secret" in both.output) == (2, False)


def test_the_token_can_be_in_a_file(tmp_path: Path) -> None:
    """As with a Docker secret, where the variable names the file."""
    none = str(tmp_path / "none")

    result = smoke("http://127.0.0.1/", ACCESS_TOKEN_FILE=none)

    assert result.exit_code == 2
    assert f"ACCESS_TOKEN_FILE: cannot read {none}" in result.stderr


def test_a_certificate_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    result = smoke("https://localhost/", SSL_CERT_FILE=str(tmp_path / "none.pem"))

    assert (result.exit_code, "SSL_CERT_FILE" in result.stderr) == (2, True)


def test_a_proxy_leads_to_an_instance_that_is_not_on_this_machine(
    web: httpx.Client,
) -> None:
    with http_proxy() as proxy:
        proxy.hosts["ci.test"] = f"127.0.0.1:{web.base_url.port}"
        url, no_proxy = f"http://127.0.0.1:{proxy.port}", "fe80::/10,[::1]"
        result = smoke(
            "--json", "http://ci.test/ci/", HTTP_PROXY=url, NO_PROXY=no_proxy
        )

    assert outcomes(result)["response"] == "ok"
    assert set(proxy.targets) == {"ci.test:80"}


def test_a_proxy_that_is_none_is_named() -> None:
    result = smoke("http://localhost/", HTTP_PROXY="http://ada:hunter2@proxy:port")

    assert result.exit_code == 2
    assert result.stderr.startswith("Error: HTTP_PROXY: not the address of a proxy")
    assert "hunter2" not in result.stderr


def unchanged(_request: httpx.Request, _response: httpx.Response) -> None:
    """No change."""


def results_of(
    web: httpx.Client,
    change: Change,
    token: str | None = None,
    checks: Sequence[str] = tuple(CHECKS),
) -> dict[str, report.Result]:
    """The results for a real instance with some of its responses changed."""

    def respond(request: httpx.Request) -> httpx.Response:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name not in ("host", "accept-encoding")
        }
        real = web.request(
            request.method, request.url.raw_path.decode(), headers=headers
        )
        kept = {
            name: value
            for name, value in real.headers.items()
            if name not in ("content-length", "content-encoding", "transfer-encoding")
        }
        response = httpx.Response(real.status_code, headers=kept, content=real.content)
        return change(request, response) or response

    transport = httpx.MockTransport(respond)
    with httpx.Client(transport=transport) as http:
        visit = Visit(Instance(BASE, http, token))
        return {result.name: result for result in run_checks(visit, checks)}


def at(path: str, **changes: Any) -> Change:
    """Changes the response to a path below the base, whatever its query."""

    def change(request: httpx.Request, real: httpx.Response) -> httpx.Response | None:
        if request.url.path != f"/ci{path}":
            return None
        values = {"status_code": real.status_code, "headers": real.headers}
        return httpx.Response(**(values | {"content": real.content} | changes))

    return change


def html(path: str, text: str) -> Change:
    return at(path, content=text, headers={"content-type": "text/html"})


def redirecting(path: str, target: str) -> Change:
    return at(path, status_code=302, headers={"location": target})


def without(name: str) -> Change:
    def change(_: httpx.Request, response: httpx.Response) -> None:
        response.headers.pop(name, None)

    return change


def with_policy(policy: str) -> Change:
    def change(_: httpx.Request, response: httpx.Response) -> None:
        response.headers["content-security-policy"] = policy

    return change


def allowing(method: str, status: int) -> Change:
    def change(request: httpx.Request, _: httpx.Response) -> httpx.Response | None:
        return httpx.Response(status) if request.method == method else None

    return change


def running_sql(request: httpx.Request, _: httpx.Response) -> httpx.Response | None:
    is_write = request.url.params.get("sql", "").startswith("delete")
    return httpx.Response(200, json={"ok": True}) if is_write else None


STALE = b'{"ok": false, "error": "Ingest has stopped polling."}'
POLICY = "default-src 'self'; frame-ancestors 'self'"
NO_TYPE = {"content-type": "application/json"}
FAULTS = {
    "freshness": [
        (at("/api/health", status_code=503, content=STALE), "stopped polling"),
        (at("/api/health", status_code=500), "500"),
    ],
    "pages": [
        (at("/runs", status_code=500), "/runs is 500"),
        (redirecting("/ci_observer", "/login"), "302 to /login"),
        (at("/", headers=NO_TYPE), "/ is 200"),
        (at("/workflows/acme/api/ci.yml", status_code=404), "ci.yml is 404"),
    ],
    "api": [
        (at("/api/wall", content=b"<html>"), "/api/wall is 200"),
        (without("etag"), "no ETag"),
    ],
    "exports": [
        (at("/api/runs.csv", status_code=503), "runs.csv is 503"),
        (at("/api/runs.ndjson", content=b"<html>"), "does not begin"),
    ],
    "headers": [
        (without("content-security-policy"), "no header content-security"),
        (without("x-content-type-options"), "no header x-content-type"),
        (with_policy("default-src *; frame-ancestors 'self'"), "no default-src"),
        (with_policy("default-src 'self'"), "no frame-ancestors"),
        (with_policy(f"{POLICY}; script-src 'unsafe-inline'"), "inline scripts"),
        (with_policy(f"{POLICY}; script-src https:"), "scripts of https:"),
    ],
    "links": [
        (html("/runs", '<a href="/runs">'), "not below /ci/"),
        (html("/runs", '<a href="https://ci.example.com/ci/x">'), "not http"),
        (html("/", "<p>https://ci.example.com/ci/api"), "/ names https:"),
    ],
    "scripts": [
        (html("/", '<script src="/ci/static/none.js">'), "none.js is 404"),
        (at("/static/shared/dom.js", status_code=404), "dom.js is 404"),
        (html("/static/shared/dom.js", "<p>Log in"), "text/html"),
    ],
    "read-only": [
        (allowing("DELETE", 200), "DELETE / is 200"),
        (allowing("POST", 302), "POST / is 302"),
        (allowing("PUT", 500), "PUT / is 500"),
        (running_sql, "'delete from runs where run_id = -1' is 200"),
    ],
    "permissions": [(at("/-/threads.json", status_code=200, content=b"{}"), "threads")],
}


@pytest.mark.parametrize(
    ("check", "change", "text"),
    [
        pytest.param(check, change, text, id=f"{check}: {text}")
        for check, faults in FAULTS.items()
        for change, text in faults
    ],
)
def test_a_fault_fails_its_check(
    web: httpx.Client, check: str, change: Change, text: str
) -> None:
    results = results_of(web, change, checks=("pages", check))

    result = results[check]
    assert (result.outcome, text in result.text) == ("failed", True), result


def test_an_unchanged_instance_passes_the_same_checks(web: httpx.Client) -> None:
    results = results_of(web, unchanged)

    failed = [result for result in results.values() if result.outcome == "failed"]
    assert failed == []


def test_a_token_that_protects_nothing_fails(web: httpx.Client) -> None:
    result = results_of(web, unchanged, token=TOKEN)["permissions"]

    assert result.outcome == "failed"
    assert "/api/runs" in result.text or "and " in result.text
    assert "without the token" in result.text


def protected(*, leak: str | None = None) -> Change:
    """Needs the token everywhere but at one path."""

    def change(request: httpx.Request, _: httpx.Response) -> httpx.Response | None:
        path = request.url.path
        if request.headers.get("authorization") == f"Bearer {TOKEN}" or path == leak:
            return None
        if path == "/ci/api/health":
            return httpx.Response(200, json={"ok": True})
        return httpx.Response(401, json={"ok": False, "error": "Log in."})

    return change


def test_a_token_that_protects_everything_passes(web: httpx.Client) -> None:
    results = results_of(web, protected(), token=TOKEN)

    assert {result.outcome for result in results.values()} == {"ok"}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/runs",
        "/api/runs",
        "/api/runs.csv",
        "/ci_observer/runs.json",
        "/api/health",
    ],
)
def test_a_path_that_is_shown_without_the_token_fails(
    web: httpx.Client, path: str
) -> None:
    results = results_of(web, protected(leak=f"/ci{path}"), token=TOKEN)

    assert results["permissions"].outcome == "failed"
    assert path in results["permissions"].text


def test_a_protected_instance_needs_the_token(web: httpx.Client) -> None:
    [result] = results_of(web, protected()).values()

    assert result.outcome == "failed"
    assert "ACCESS_TOKEN" in result.text
