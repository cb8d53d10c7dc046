"""The access token: what is closed without it, the login, and the limit on guesses."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from archive import save, watch
from datasette.app import Datasette
from factories import run_payload
from operators import cookies_of, restricted
from sqlite_utils import Database
from web_client import serving

from ci_observer.web import access_token
from ci_observer.web.guess_limit import GUESSES_OF_ADDRESS
from ci_observer.web.settings import WebSettings

TOKEN = "correct-horse-battery-staple"  # noqa: S105 (an example)
OTHER = "another-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
BROWSER = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "User-Agent": "Mozilla/5.0",
}
CLOSED = (
    *("/", "/runs", "/workflows/acme/api/ci.yml", "/api", "/api/runs", "/api/runs.csv"),
    *("/commits/acme/api", "/commits/acme/api/abcdef0"),
    *("/runs/1", "/workflows/acme/api/ci.yml/jobs", "/summary", "/summary.md"),
    *("/api/summary", "/api/runs/1", "/api/attempts", "/api/jobs.csv", "/api/stats"),
    "/cctray.xml",
    "/feed.atom",
    "/badge/acme/api/ci.yml.svg",
    "/metrics",
    *("/llms.txt", "/-/mcp"),
    *("/api/wall", "/api/config", "/api/nothing", "/ci_observer", "/ci_observer/runs"),
    *("/-/", "/-/dashboards", "/-/threads", "/-/allow-debug", "/-/actor", "/-/logout"),
    *("/-/login", "/nothing", "/static/../api/runs", "/loginx", "/login/x"),
)
OPEN = ("/login", "/logout", "/static/shared/base.css", "/-/static/app.css")


def settings(token: str = TOKEN, **others: Any) -> WebSettings:
    return WebSettings(access_token=token, **others)


@pytest.fixture
def runs(db: Database) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save(db, run_payload(1))


@pytest_asyncio.fixture
async def datasette(db_path: Path, runs: None) -> AsyncIterator[Datasette]:
    async with serving(db_path, web=settings()) as datasette:
        yield datasette


async def log_in(
    datasette: Datasette, token: str = TOKEN, **options: Any
) -> httpx.Response:
    data = {"token": token} | options.pop("data", {})
    return await datasette.client.post("/login", data=data, **options)


def cookie_of(response: httpx.Response) -> dict[str, str]:
    """The cookie of a login, as a browser sends it back."""
    [header] = response.headers.get_list("set-cookie")
    name, _, value = header.partition(";")[0].partition("=")
    return {name: value}


@pytest.mark.asyncio
@pytest.mark.parametrize("path", CLOSED)
async def test_everything_needs_the_token(datasette: Datasette, path: str) -> None:
    machine = await datasette.client.get(path)
    person = await datasette.client.get(path, headers=BROWSER)

    assert machine.status_code == 401
    assert set(machine.json()) == {"ok", "error", "status"}
    assert machine.headers["www-authenticate"].startswith("Basic ")
    assert person.status_code == 302
    assert person.headers["location"].startswith("/login")


@pytest.mark.asyncio
async def test_a_feed_reader_is_asked_for_a_password(datasette: Datasette) -> None:
    """It accepts HTML, too, but cannot fill in the form of a login."""
    reader = {"Accept": "application/atom+xml, text/html;q=0.8", "User-Agent": "Reader"}
    asked = await datasette.client.get("/feed.atom", headers=reader)
    given = await datasette.client.get("/feed.atom", headers=reader | basic(TOKEN))
    page = await datasette.client.get("/runs", headers=reader)

    assert (asked.status_code, given.status_code, page.status_code) == (401, 200, 302)
    assert asked.headers["www-authenticate"].startswith("Basic ")


@pytest.mark.asyncio
@pytest.mark.parametrize("path", OPEN)
async def test_pages_without_data_are_open(datasette: Datasette, path: str) -> None:
    response = await datasette.client.get(path, headers=BROWSER)

    assert response.status_code == 200
    assert "acme" not in response.text


@pytest.mark.asyncio
async def test_health_tells_its_status_only(datasette: Datasette) -> None:
    closed = await datasette.client.get("/api/health", headers=BROWSER)
    proved = await datasette.client.get("/api/health", headers=BEARER)

    assert closed.status_code == proved.status_code
    assert set(closed.json()) <= {"ok", "error", "status"}
    assert "state" in proved.json()


def basic(password: str, user: str = "anybody") -> dict[str, str]:
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "headers",
    [
        BEARER,
        {"Authorization": f"bearer  {TOKEN} "},
        basic(TOKEN),
        basic(TOKEN, user=""),
        basic(TOKEN, user="ada@example.com"),
    ],
)
async def test_a_machine_sends_the_token(
    datasette: Datasette, headers: dict[str, str]
) -> None:
    for path in ("/api/runs", "/api/runs.csv", "/ci_observer/runs.json", "/"):
        response = await datasette.client.get(path, headers=headers)
        assert response.status_code == 200, path
    actor = await datasette.client.get("/-/actor.json", headers=headers)
    assert actor.json() == {"actor": {"id": "access_token"}}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "value",
    [
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer ",
        "Bearer",
        "Basic !!!",
        "Basic",
        f"Basic {TOKEN}",
        basic("x")["Authorization"],
        "Bearer \xe9",
    ],
)
async def test_other_credentials_are_401(datasette: Datasette, value: str) -> None:
    headers = {"Authorization": value.encode("latin-1")}
    for path in ("/api/runs", "/"):
        response = await datasette.client.get(path, headers=headers | BROWSER)

        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Bearer realm="CI Observer"'


@pytest.mark.asyncio
async def test_a_person_logs_in_once(datasette: Datasette) -> None:
    page = await datasette.client.get(
        "/runs?repo=acme/api&q=a+b", headers=BROWSER, follow_redirects=True
    )
    assert 'name="next" value="/runs?repo=acme/api&amp;q=a+b"' in page.text

    response = await log_in(datasette, data={"next": "/runs?repo=acme/api&q=a+b"})
    seen = await datasette.client.get("/runs", cookies=cookie_of(response))

    assert response.status_code == 303
    assert response.headers["location"] == "/runs?repo=acme/api&q=a+b"
    assert seen.status_code == 200


@pytest.mark.asyncio
async def test_the_cookie_is_kept_from_scripts_and_other_sites(
    datasette: Datasette,
) -> None:
    [header] = (await log_in(datasette)).headers.get_list("set-cookie")
    attributes = {part.strip().lower() for part in header.split(";")[1:]}

    assert attributes == {"httponly", "samesite=lax", "path=/", "max-age=31536000"}
    assert TOKEN not in header


@pytest.mark.asyncio
async def test_a_dashboard_does_not_set_the_cookie_again(datasette: Datasette) -> None:
    """With default filters it redirects, and would make all cookies readable."""
    plugins = datasette._metadata_local["plugins"]
    days = plugins["datasette-dashboards"]["ci-observer"]["filters"]["days"]
    days["default"] = 30
    cookies = cookie_of(await log_in(datasette)) | cookies_of(datasette, "ada")
    page = await datasette.client.get("/-/dashboards/ci-observer", cookies=cookies)

    assert page.status_code == 302
    assert "set-cookie" not in page.headers


@pytest.mark.asyncio
async def test_the_cookie_is_secure_under_tls(datasette: Datasette) -> None:
    response = await datasette.client.request(
        "POST",
        "https://localhost/login",
        data={"token": TOKEN},
        avoid_path_rewrites=True,
    )

    assert "; Secure" in response.headers["set-cookie"]


@pytest.mark.asyncio
async def test_the_cookie_stays_below_the_prefix(db_path: Path, runs: None) -> None:
    async with serving(db_path, web=settings(), base_url="/ci/") as datasette:
        response = await log_in(datasette, data={"next": "/?theme=light"})
        stranger = await datasette.client.get("/runs", headers=BROWSER)

    assert response.headers["location"] == "/ci/?theme=light"
    assert "Path=/ci/" in response.headers["set-cookie"]
    assert stranger.headers["location"] == "/ci/login?next=%2Fci%2Fruns"


@pytest.mark.asyncio
async def test_servers_on_one_host_have_cookies_of_their_own(db_path: Path) -> None:
    names = set()
    for url, base_url in (
        ("http://host:8089/login", "/"),
        ("http://host:8090/login", "/"),
        ("http://[::1]:8090/ci/login", "/ci/"),
        ("http://host/login", "/"),
    ):
        async with serving(db_path, web=settings(), base_url=base_url) as datasette:
            response = await datasette.client.request(
                "POST", url, data={"token": TOKEN}, avoid_path_rewrites=True
            )
            names |= set(cookie_of(response))

    assert names == {
        "ci_observer_8089",
        "ci_observer_8090",
        "ci_observer_8090_ci",
        "ci_observer",
    }


@pytest.mark.asyncio
async def test_a_login_survives_a_restart_and_ends_with_the_token(
    db_path: Path, datasette: Datasette
) -> None:
    cookies = cookie_of(await log_in(datasette))
    async with serving(db_path, web=settings()) as restarted:
        same = await restarted.client.get("/api/wall", cookies=cookies)
    async with serving(db_path, web=settings(OTHER)) as changed:
        other = await changed.client.get("/api/wall", cookies=cookies)

    assert (same.status_code, other.status_code) == (200, 401)


@pytest.mark.asyncio
@pytest.mark.parametrize("junk", ['{"a": 1}', "x[1]=2", "=", "a b c", "\xe9=1"])
async def test_cookies_of_other_programs_do_not_hide_the_login(
    datasette: Datasette, junk: str
) -> None:
    [(name, value)] = cookie_of(await log_in(datasette)).items()
    header = f"{junk}; {name}={value}; {junk}".encode("latin-1")
    response = await datasette.client.get("/api/wall", headers={"Cookie": header})

    assert response.status_code == 200


def test_long_cookies_are_not_remembered() -> None:
    token = access_token.AccessToken(TOKEN)

    assert token.cookie_age(token.make_cookie()) is not None
    assert token.cookie_age("a" * 60_000) is None
    assert token._made_at.cache_info().currsize == 1


@pytest.mark.asyncio
async def test_a_forged_cookie_proves_nothing(datasette: Datasette) -> None:
    [(name, value)] = cookie_of(await log_in(datasette)).items()
    payload, made_at, signature = value.split(".")
    for forged in (
        "",
        TOKEN,
        f"{payload}.{made_at}",
        f"{payload}.{made_at}.{signature[::-1]}",
        f"{payload}.AAAAAA.{signature}",
    ):
        response = await datasette.client.get("/api/wall", cookies={name: forged})
        assert response.status_code == 401


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("days", "status", "is_renewed"),
    [(6, 200, False), (8, 200, True), (364, 200, True), (366, 401, False)],
)
async def test_a_login_lasts_a_year_after_the_last_visit(
    datasette: Datasette,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    status: int,
    is_renewed: bool,
) -> None:
    cookies = cookie_of(await log_in(datasette))
    clock = Clock(access_token.time.time() + days * access_token.DAY)
    monkeypatch.setattr(access_token, "time", clock)
    response = await datasette.client.get("/api/config", cookies=cookies)

    assert response.status_code == status
    assert ("set-cookie" in response.headers) == is_renewed


@pytest.mark.asyncio
async def test_a_clock_that_is_set_back_ends_no_login(
    datasette: Datasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookies = cookie_of(await log_in(datasette))
    monkeypatch.setattr(access_token, "time", Clock(0))
    response = await datasette.client.get("/api/config", cookies=cookies)

    assert response.status_code == 200


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/runs", "/runs"),
        ("/?repo=a/b&theme=dark", "/?repo=a/b&theme=dark"),
        ("/workflows/a/b/%C3%A9.yml", "/workflows/a/b/%C3%A9.yml"),
        ("/q\u00e9", "/q%C3%A9"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/%5Cevil.example"),
        ("/\t/evil.example", "/%09/evil.example"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
        ("/\r\nSet-Cookie: a=b", "/%0D%0ASet-Cookie:%20a=b"),
        ("/login?next=/", "/"),
        ("/logout", "/"),
        ("/" + "x" * 3000, "/"),
        ("", "/"),
    ],
)
async def test_the_login_leads_to_pages_of_this_server_only(
    datasette: Datasette, target: str, location: str
) -> None:
    response = await log_in(datasette, data={"next": target})
    page = await datasette.client.get("/login", params={"next": target})

    assert response.headers["location"] == location
    assert "evil.example/" not in page.text.replace('value="/%5C', "")


@pytest.mark.asyncio
async def test_the_script_gets_json(datasette: Datasette) -> None:
    headers = {"Accept": "application/json", "User-Agent": "Mozilla/5.0"}
    right = await log_in(datasette, data={"next": "/runs"}, headers=headers)
    wrong = await log_in(datasette, OTHER, headers=headers)

    assert right.json() == {"ok": True, "next": "/runs"}
    assert "set-cookie" in right.headers
    assert wrong.status_code == 401
    assert wrong.json()["error"] == "This is not the access token of this server."
    assert "Basic" not in wrong.headers["www-authenticate"]


@pytest.mark.asyncio
async def test_a_wrong_token_shows_the_form_again(datasette: Datasette) -> None:
    response = await log_in(datasette, OTHER, headers=BROWSER, data={"next": "/runs"})

    assert response.status_code == 401
    assert "This is not the access token of this server." in response.text
    assert 'value="/runs"' in response.text
    assert OTHER not in response.text


@pytest.mark.asyncio
@pytest.mark.parametrize("data", [{}, {"token": ""}, {"token": " "}])
async def test_an_empty_form_is_no_guess(
    datasette: Datasette, data: dict[str, str]
) -> None:
    for _ in range(GUESSES_OF_ADDRESS + 2):
        response = await datasette.client.post("/login", data=data)
        assert response.status_code == 400


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body", [b"token=" + b"x" * 20_000, b"\xff\xfe", b"{}", b"&".join([b"a=1"] * 99)]
)
async def test_a_body_that_is_no_form_is_400(datasette: Datasette, body: bytes) -> None:
    response = await datasette.client.post("/login", content=body)

    assert response.status_code == 400


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8090"},
    ],
)
async def test_forms_of_other_sites_are_refused(
    datasette: Datasette, headers: dict[str, str]
) -> None:
    response = await log_in(datasette, headers=headers)
    left = await datasette.client.post("/logout", headers=headers)

    assert (response.status_code, left.status_code) == (403, 403)
    assert "set-cookie" not in response.headers
    assert "set-cookie" not in left.headers


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Origin": "https://localhost"},
        {"Cookie": "ds_csrftoken=old; other=1"},
    ],
)
async def test_forms_of_this_site_are_accepted(
    datasette: Datasette, headers: dict[str, str]
) -> None:
    assert (await log_in(datasette, headers=headers)).status_code == 303


@pytest.mark.asyncio
async def test_a_person_can_log_out(datasette: Datasette) -> None:
    cookies = cookie_of(await log_in(datasette))
    for path in ("/", "/runs", "/ci_observer"):
        page = await datasette.client.get(path, cookies=cookies)
        assert 'href="/logout"' in page.text, path
    form = await datasette.client.get("/logout", cookies=cookies)
    response = await datasette.client.post("/logout", cookies=cookies)

    assert '<form method="post" action="/logout">' in form.text
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert (response.status_code, response.headers["location"]) == (303, "/login")


@pytest.mark.asyncio
async def test_only_who_has_the_cookie_can_log_out(datasette: Datasette) -> None:
    cookies = cookie_of(await log_in(datasette))
    await datasette.client.get("/runs", cookies=cookies)
    page = await datasette.client.get("/runs", headers=BEARER)

    assert "/logout" not in page.text


@pytest.mark.asyncio
async def test_a_logged_in_visitor_is_not_redirected_from_the_login(
    datasette: Datasette,
) -> None:
    """A browser would carry the fragment with the token on to the next address."""
    cookies = cookie_of(await log_in(datasette))
    page = await datasette.client.get("/login", cookies=cookies)

    assert page.status_code == 200


@pytest.mark.asyncio
async def test_without_a_token_the_login_leads_on(db_path: Path, runs: None) -> None:
    async with serving(db_path) as datasette:
        page = await datasette.client.get("/login?next=/runs")
        posted = await log_in(datasette, data={"next": "/runs"})
        wall = await datasette.client.get("/")

    assert 'href="/runs"' in page.text
    assert posted.headers["location"] == "/runs"
    assert "set-cookie" not in posted.headers
    assert "/logout" not in wall.text


@pytest.mark.asyncio
async def test_rules_of_the_metadata_see_the_actor(db_path: Path, runs: None) -> None:
    rules = {"databases": {"ci_observer": {"allow": {"id": "access_token"}}}}
    async with restricted(db_path, rules, web=settings()) as datasette:
        proved = await datasette.client.get("/api/wall", headers=BEARER)
        ada = await datasette.client.get(
            "/api/wall", cookies=cookies_of(datasette, "ada")
        )

    assert (proved.status_code, ada.status_code) == (200, 403)


@pytest.mark.asyncio
async def test_a_rule_for_everybody_opens_nothing_to_strangers(
    db_path: Path, runs: None
) -> None:
    rules = {"allow": True, "databases": {"ci_observer": {"allow": True}}}
    async with restricted(db_path, rules, web=settings()) as datasette:
        stranger = await datasette.client.get("/api/wall")
        ada = await datasette.client.get(
            "/api/wall", cookies=cookies_of(datasette, "ada")
        )

    assert (stranger.status_code, ada.status_code) == (401, 200)


@pytest.mark.asyncio
async def test_the_token_does_not_open_pages_for_debugging(
    datasette: Datasette,
) -> None:
    response = await datasette.client.get("/-/threads", headers=BEARER)

    assert response.status_code == 403


@pytest.mark.asyncio
async def test_guesses_are_limited(datasette: Datasette) -> None:
    cookies = cookie_of(await log_in(datasette))
    forms = [
        (await log_in(datasette, f"wrong-{n}")).status_code
        for n in range(GUESSES_OF_ADDRESS)
    ]
    late = await log_in(datasette, "wrong")
    machine = await datasette.client.get(
        "/api/wall", headers={"Authorization": "Bearer wrong"}
    )

    assert forms == [401] * GUESSES_OF_ADDRESS
    assert late.status_code == machine.status_code == 429
    assert 0 < int(late.headers["retry-after"]) <= 60
    assert "Try again in" in late.text
    # Neither a screen nor a machine that has proved the token before.
    for proof in ({"cookies": cookies}, {"headers": BEARER}):
        response = await datasette.client.get("/api/wall", **proof)
        assert response.status_code == 200
    assert (await log_in(datasette)).status_code == 303


@pytest.mark.asyncio
async def test_too_many_guesses_are_not_even_compared(datasette: Datasette) -> None:
    for number in range(GUESSES_OF_ADDRESS):
        await datasette.client.get(
            "/api/health", headers={"Authorization": f"Bearer wrong-{number}"}
        )

    assert (await log_in(datasette)).status_code == 429
    health = await datasette.client.get("/api/health", headers=BEARER)
    assert "state" not in health.json()


@pytest.mark.asyncio
async def test_no_text_of_the_server_has_the_token(
    datasette: Datasette, caplog: pytest.LogCaptureFixture
) -> None:
    cookies = cookie_of(await log_in(datasette)) | cookies_of(datasette, "root")
    pages = [
        await datasette.client.get(path, cookies=cookies, headers=BEARER)
        for path in (
            *("/", "/runs", "/api/config", "/login", "/logout", "/-/actor.json"),
            *("/-/metadata.json", "/-/settings.json", "/-/plugins.json"),
            *("/-/threads.json", "/-/permissions", "/-/databases.json", "/nothing"),
        )
    ]

    texts = [page.text + str(page.headers) for page in pages]
    texts += [repr(access_token.login_of(datasette)), repr(settings()), caplog.text]
    assert [text for text in texts if TOKEN in text] == []
