"""The checks of a running instance, each a function with one result.

They only read, and send statements that would change nothing even if they were run.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from ci_observer.ingest.smoke.client import START_BYTES, Instance, Response, Unreachable
from ci_observer.ingest.smoke.page import addresses_in, imports_of
from ci_observer.ingest.smoke.report import Result, result_of

OK, NOT_MODIFIED, UNAVAILABLE = 200, 304, 503
CLIENT_ERRORS = range(400, 500)
REDIRECTS = range(300, 400)
# Some file of ours is loaded by hundreds of modules; more would be a fault.
MAX_ASSETS = 300

PAGES = ("/", "/runs", "/ci_observer", "/ci_observer/runs", "/-/dashboards/ci-observer")
API = ("/api", "/api/runs?limit=1", "/api/filters", "/api/wall", "/api/config")
JSON_TABLE = "/ci_observer/runs.json?_size=1"
BOM = b"\xef\xbb\xbf"
# Only their beginnings are read.
EXPORTS = {
    "/api/runs.csv": ("text/csv", b"run_id,"),
    "/api/runs.ndjson": ("application/x-ndjson", b'{"run_id":'),
    "/ci_observer/runs.csv?_size=1": ("text/plain", b"run_id,"),
}
# Datasette's pages for an administrator.
DEBUG_PAGES = ("/-/threads.json", "/-/allow-debug", "/-/messages")
WRITE_METHODS = ("POST", "PUT", "PATCH", "DELETE")
WRITE_PATHS = ("/", "/runs", "/api/runs", "/api/wall", "/ci_observer/runs")
# They would change nothing if the database were writable.
WRITES = (
    "delete from runs where run_id = -1",
    "update instance set value = value where false",
    "attach ':memory:' as other",
)
HEADERS = ("x-content-type-options", "referrer-policy", "content-security-policy")
DATASETTES = ("/ci_observer", "/-/")


@dataclass
class Visit:
    """The responses so far, so that later checks need not repeat the requests."""

    instance: Instance
    expected_version: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    pages: dict[str, Response] = field(default_factory=dict)

    @property
    def version(self) -> str | None:
        """The version that the instance reports."""
        version = self.config.get("version")
        return version if isinstance(version, str) else None


def run_checks(visit: Visit, names: Iterable[str] | None = None) -> Iterator[Result]:
    """All results, or those named; only the first if there is no instance."""
    first = check_response(visit)
    yield first
    if first.outcome == "failed":
        return
    for name in dict.fromkeys(CHECKS if names is None else names):
        try:
            yield CHECKS[name](visit)
        except Unreachable as error:
            yield Result(name, "failed", str(error))


def check_response(visit: Visit) -> Result:
    """The settings are public data, and name the version."""
    name = "response"
    try:
        response = visit.instance.get("/api/config")
    except Unreachable as error:
        return Result(name, "failed", f"cannot reach it: {error}")
    config = response.json()
    if response.status in (401, 403):
        needs = "refuses this access token" if visit.instance.token else "needs a token"
        text = f"the instance {needs} ({response.status}): set ACCESS_TOKEN"
        return Result(name, "failed", text)
    if not isinstance(config, dict) or "polling" not in config:
        text = f"/api/config is no response of CI Observer ({_described(response)})"
        return Result(name, "failed", text)
    visit.config = config
    return Result(name, "ok", f"/api/config in {response.seconds * 1000:.0f} ms")


def check_version(visit: Visit) -> Result:
    found, expected = visit.version, visit.expected_version
    if expected and found != expected:
        return Result("version", "failed", f"{found}, expected {expected}")
    return Result("version", "ok", str(found))


def check_freshness(visit: Visit) -> Result:
    """Fresh data, or polling that is off on purpose."""
    name = "freshness"
    response = visit.instance.get("/api/health")
    polling = visit.config["polling"]
    state, last = polling.get("state"), polling.get("last_success_at")
    reason = polling.get("reason")
    if response.status != OK:
        health = response.json() or {}
        text = health.get("error") or reason or _described(response)
        return Result(
            name, "failed", f"{state}, last success {last or 'never'}: {text}"
        )
    if state != "ok":
        return Result(name, "note", f"polling is {state}: {reason}")
    stale = polling.get("stale_feeds")
    if stale:
        text = f"{stale} of {polling.get('feeds')} workflows have no fresh data"
        return Result(name, "note", text)
    return Result(name, "ok", f"polled at {last}, {polling.get('feeds')} workflows")


def check_pages(visit: Visit) -> Result:
    """Each page is HTML of this instance."""
    paths = [*PAGES, *_workflow_page(visit)]
    problems = []
    for path in paths:
        response = visit.pages[path] = _page(visit.instance, path)
        if response.status != OK or response.content_type != "text/html":
            problems.append(f"{path} is {_described(response)}")
    return result_of("pages", problems, f"{len(paths)} pages")


def _page(instance: Instance, path: str) -> Response:
    """A page, after one redirect if that stays in the instance."""
    response = instance.get(path)
    target = urljoin(response.url, response.headers.get("location", ""))
    if response.status in REDIRECTS and target.startswith(f"{instance.base}/"):
        return instance.get(target)
    return response


def _workflow_page(visit: Visit) -> list[str]:
    tiles = (visit.instance.get("/api/wall").json() or {}).get("tiles") or []
    for tile in tiles:
        if tile.get("workflow") != "*":
            workflow = quote(tile["workflow"], safe="")
            return [f"/workflows/{quote(tile['repo'])}/{workflow}"]
    return []


def check_api(visit: Visit) -> Result:
    """Each route returns JSON with an ETag that a second request can use."""
    problems = []
    for path in API:
        response = visit.instance.get(path)
        body = response.json()
        etag = response.headers.get("etag")
        if response.status != OK or not isinstance(body, dict) or not body.get("ok"):
            problems.append(f"{path} is {_described(response)}")
        elif not etag:
            problems.append(f"{path} has no ETag")
    return result_of("api", problems + _repeated(visit), f"{len(API)} routes")


def _repeated(visit: Visit) -> list[str]:
    # The list of routes never changes while the instance runs.
    etag = visit.instance.get("/api").headers.get("etag", "")
    again = visit.instance.get("/api", {"If-None-Match": etag})
    if again.status == NOT_MODIFIED:
        return []
    return [f"/api with its own ETag is {_described(again)} and not 304"]


def check_exports(visit: Visit) -> Result:
    problems = []
    for path, (content_type, start) in EXPORTS.items():
        response = visit.instance.get(path, size=START_BYTES)
        is_empty = not response.body and "ndjson" in path
        body = response.body.removeprefix(BOM)
        if response.status != OK or response.content_type != content_type:
            problems.append(f"{path} is {_described(response)}")
        elif not is_empty and not body.startswith(start):
            problems.append(f"{path} does not begin with {start.decode()}")
    return result_of("exports", problems, f"{len(EXPORTS)} exports")


def check_headers(visit: Visit) -> Result:
    """The security headers of pages and of the API; scripts only of the instance."""
    problems = []
    responses = visit.pages | {path: visit.instance.get(path) for path in API[:2]}
    for path, response in responses.items():
        missing = [name for name in HEADERS if name not in response.headers]
        problems += [f"{path} has no header {name}" for name in missing]
        policy = response.headers.get("content-security-policy", "")
        problems += [f"{path}: {text}" for text in _weak(policy, path)]
    return result_of("headers", problems, f"{len(responses)} responses")


def _weak(policy: str, path: str) -> Iterator[str]:
    parts = (part.split() for part in policy.split(";"))
    directives = {words[0]: words[1:] for words in parts if words}
    if policy and directives.get("default-src") != ["'self'"]:
        yield "the policy has no default-src 'self'"
    if policy and "frame-ancestors" not in directives:
        yield "the policy has no frame-ancestors"
    scripts = directives.get("script-src", [])
    if "'unsafe-inline'" in scripts and not path.startswith(DATASETTES):
        yield "the policy allows inline scripts"
    for source in scripts:
        if source in ("*", "https:", "http:", "data:"):
            yield f"the policy allows scripts of {source}"


def check_read_only(visit: Visit) -> Result:
    """Writing methods are refused, and so are statements that write."""
    problems = []
    token = visit.instance.token
    for path in WRITE_PATHS:
        for method in WRITE_METHODS:
            response = visit.instance.send(method, path, token=token)
            if response.status not in CLIENT_ERRORS:
                problems.append(f"{method} {path} is {_described(response)}")
    for sql in WRITES:
        response = visit.instance.get(f"/ci_observer.json?sql={quote(sql)}")
        if response.status not in CLIENT_ERRORS:
            problems.append(f"the statement {sql!r} is {_described(response)}")
    count = len(WRITE_PATHS) * len(WRITE_METHODS) + len(WRITES)
    return result_of("read-only", problems, f"{count} writes refused")


def check_permissions(visit: Visit) -> Result:
    """With a token, nothing is shown without it; debug pages are never shown."""
    name = "permissions"
    instance = visit.instance
    paths = [*visit.pages, *API, *EXPORTS, JSON_TABLE]
    problems = [
        f"{path} is shown to every visitor"
        for path in DEBUG_PAGES
        if _is_shown(instance, path)
    ]
    if instance.token:
        problems += [
            f"{path} is shown without the token"
            for path in paths
            if _is_shown(instance, path)
        ]
        problems += _wrong_token_shows(instance) + _talkative_health(instance)
        return result_of(name, problems, f"{len(paths)} paths need the token")
    if problems:
        return result_of(name, problems, "")
    text = "open: without ACCESS_TOKEN, all who reach it can read all data"
    return Result(name, "note", text)


def _is_shown(instance: Instance, path: str, token: str | None = None) -> bool:
    return instance.send("GET", path, token=token, size=START_BYTES).status == OK


def _wrong_token_shows(instance: Instance) -> list[str]:
    is_shown = _is_shown(instance, "/api/config", f"{instance.token}x")
    return ["/api/config is shown with a wrong token"] if is_shown else []


def _talkative_health(instance: Instance) -> list[str]:
    """The keys of /api/health without the token that tell more than the status."""
    response = instance.send("GET", "/api/health")
    body = response.json()
    if response.status not in (OK, UNAVAILABLE) or not isinstance(body, dict):
        return [f"/api/health is {_described(response)} without the token"]
    told = sorted(set(body) - {"ok", "status", "error"})
    return [f"/api/health tells {name} without the token" for name in told]


def check_links(visit: Visit) -> Result:
    """Links to this host stay below the base URL, with its scheme."""
    instance = visit.instance
    problems, count = [], 0
    for path, response in visit.pages.items():
        for address in addresses_in(response.text, response.url):
            count += 1
            if problem := _strays(address.url, instance):
                problems.append(f"{path} links to {address.url}, {problem}")
        if own := _other_scheme(response.text, instance):
            problems.append(f"{path} names {own}")
    next_url = (instance.get(JSON_TABLE).json() or {}).get("next_url")
    if isinstance(next_url, str) and not next_url.startswith(f"{instance.base}/"):
        problems.append(f"the next page of a table is {next_url}")
    return result_of("links", problems, f"{count} links on {len(visit.pages)} pages")


def _strays(url: str, instance: Instance) -> str | None:
    """Why a URL leaves the instance although it is on its host; None if not."""
    link, base = urlsplit(url), urlsplit(instance.base)
    if link.hostname != base.hostname or link.port not in (base.port, None):
        return None
    if link.scheme != base.scheme:
        return f"which is not {base.scheme}"
    if link.port != base.port:
        return "which is another port"
    is_below = link.path == base.path or link.path.startswith(f"{base.path}/")
    return None if is_below else f"which is not below {base.path}/"


def _other_scheme(text: str, instance: Instance) -> str | None:
    """The address of this instance with the other scheme, if it is in a page."""
    base = urlsplit(instance.base)
    other = "http" if base.scheme == "https" else "https"
    address = f"{other}://{base.netloc.rpartition('@')[2]}/"
    return address if address in text else None


def check_scripts(visit: Visit) -> Result:
    """Each script, style and picture loads, and so do their imports."""
    instance = visit.instance
    waiting = [
        address.url
        for response in visit.pages.values()
        for address in addresses_in(response.text, response.url)
        if address.is_asset and address.url.startswith(f"{instance.base}/")
    ]
    seen: dict[str, None] = {}
    problems = []
    while waiting and len(seen) < MAX_ASSETS:
        url = waiting.pop()
        if url in seen:
            continue
        seen[url] = None
        response = instance.get(url)
        if response.status != OK or response.content_type == "text/html":
            problems.append(f"{_path(url, instance)} is {_described(response)}")
        elif "javascript" in response.content_type:
            waiting += imports_of(response.text, url)
    return result_of("scripts", problems, f"{len(seen)} files")


def _path(url: str, instance: Instance) -> str:
    return url.removeprefix(instance.base)


def _described(response: Response) -> str:
    """The status and kind of a response, for a message."""
    text = f"{response.status}"
    if response.status in REDIRECTS:
        return f"{text} to {response.headers.get('location')}"
    body = response.json()
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        return f"{text}, {body['error']}"
    return f"{text}, {response.content_type or 'without a type'}"


# Pages first: the checks after it look at them.
CHECKS: dict[str, Callable[[Visit], Result]] = {
    "version": check_version,
    "freshness": check_freshness,
    "pages": check_pages,
    "api": check_api,
    "exports": check_exports,
    "headers": check_headers,
    "links": check_links,
    "scripts": check_scripts,
    "read-only": check_read_only,
    "permissions": check_permissions,
}
