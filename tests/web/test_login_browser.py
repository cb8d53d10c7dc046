"""The login in a real browser: a person, a television, and a login that has ended."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from archive import save_runs, watch
from browser import WallServer
from factories import run_payload
from sqlite_utils import Database
from walls import PHONE, save_poll

from ci_observer.web.settings import WebSettings

if TYPE_CHECKING:
    from browser import NewVisit, Visit

pytestmark = pytest.mark.browser

TOKEN = "correct horse&battery%staple+".replace(" ", "/")
# As an operator writes it into the address: the % of the token is %25.
IN_ADDRESS = TOKEN.replace("%", "%25")
OTHER = "another-horse-battery-staple"


@pytest.fixture
def server(db: Database, db_path: Path) -> Iterator[WallServer]:
    """A running server with an access token."""
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db)
    save_runs(db, run_payload(1))
    server = WallServer(db_path, WebSettings(access_token=TOKEN))
    server.start()
    yield server
    server.stop()


def refusals(visit: "Visit") -> list[str]:
    """Take Chromium's own lines about responses 401 out of the complaints."""
    found = [text for text in visit.complaints if " 401 " in text]
    visit.complaints[:] = [text for text in visit.complaints if text not in found]
    return found


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_person_enters_the_token_once(
    new_visit: "NewVisit", expect: Any, has_scripts: bool
) -> None:
    visit = new_visit(java_script_enabled=has_scripts)
    page = visit.open("runs?repo=acme/api")
    page.get_by_label("Access token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("not the access token")
    page.get_by_label("Access token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{visit.server.url}runs?repo=acme/api")
    visit.open()
    expect(page.locator("h1")).to_have_text("CI Observer")
    refusals(visit)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (f"login#token={IN_ADDRESS}", ""),
        (f"login#token={IN_ADDRESS}&next=/?repo=acme/api&theme=light", None),
        (f"login?next=/runs#token={IN_ADDRESS}", "runs"),
        (f"login#token={IN_ADDRESS}&next=%2Fruns%3Frepo%3Dacme%2Fapi", None),
        (f"runs#token={IN_ADDRESS}", "runs"),
        (f"login#token={IN_ADDRESS}&next=https://evil.example/", ""),
    ],
)
def test_a_television_opens_one_address(
    visit: "Visit", expect: Any, address: str, path: str | None
) -> None:
    expected = {
        f"login#token={IN_ADDRESS}&next=/?repo=acme/api&theme=light": (
            "?repo=acme/api&theme=light"
        ),
        f"login#token={IN_ADDRESS}&next=%2Fruns%3Frepo%3Dacme%2Fapi": (
            "runs?repo=acme/api"
        ),
    }
    page = visit.open(address)
    target = expected[address] if path is None else path
    expect(page).to_have_url(visit.server.url + target)
    page.go_back()
    assert "token" not in page.url


def test_the_token_of_a_television_is_cleared_also_when_wrong(
    visit: "Visit", expect: Any
) -> None:
    page = visit.open(f"login?next=/runs#token={OTHER}")
    expect(page.get_by_role("alert")).to_contain_text("not the access token")
    expect(page).to_have_url(f"{visit.server.url}login?next=/runs")
    assert refusals(visit)


def test_a_television_tries_again_without_a_connection(
    visit: "Visit", expect: Any
) -> None:
    attempts: list[str] = []

    def lose_the_first(route: Any) -> None:
        if route.request.method != "POST":
            return route.continue_()
        attempts.append(route.request.url)
        return route.abort() if len(attempts) == 1 else route.continue_()

    visit.page.route("**/login", lose_the_first)
    page = visit.open(f"login#token={IN_ADDRESS}")
    expect(page.get_by_role("alert")).to_contain_text("Retrying automatically")
    visit.refresh()
    expect(page).to_have_url(visit.server.url)
    assert len(attempts) == 2


@pytest.mark.parametrize("path", ["", "runs", "workflows/acme/api/ci.yml"])
def test_a_page_whose_login_has_ended_leads_to_the_login(
    visit: "Visit", expect: Any, path: str
) -> None:
    page = visit.open(f"login?next=/{path}#token={IN_ADDRESS}")
    expect(page).to_have_url(visit.server.url + path)
    visit.settle()
    visit.server.stop()
    visit.server.web = WebSettings(access_token=OTHER)
    visit.server.start()
    visit.refresh()
    expect(page.get_by_label("Access token")).to_be_visible()
    expect(page.locator("[name=next]")).to_have_value(f"/{path}")

    # The operator takes the change back: the cookie counts again.
    visit.server.stop()
    visit.server.web = WebSettings(access_token=TOKEN)
    visit.server.start()
    visit.refresh()
    expect(page).to_have_url(visit.server.url + path)
    assert refusals(visit)


def test_a_person_logs_out(visit: "Visit", expect: Any) -> None:
    page = visit.open(f"login#token={IN_ADDRESS}")
    expect(page).to_have_url(visit.server.url)
    page.get_by_role("link", name="Log out").click()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{visit.server.url}login")
    visit.open()
    expect(page.get_by_label("Access token")).to_be_visible()


def test_without_a_token_the_address_of_a_television_still_works(
    visit: "Visit", expect: Any
) -> None:
    visit.server.stop()
    visit.server.web = WebSettings()
    visit.server.start()
    page = visit.open(f"login#token={IN_ADDRESS}&next=/?theme=light")
    expect(page).to_have_url(f"{visit.server.url}?theme=light")
    visit.open("login?next=/runs")
    expect(page).to_have_url(f"{visit.server.url}runs")


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("viewport", [None, PHONE])
def test_the_form_fits_the_screen(
    new_visit: "NewVisit", viewport: Any, theme: str
) -> None:
    visit = new_visit(**({"viewport": viewport} if viewport else {}))
    page = visit.open(f"login?theme={theme}")
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    box = page.get_by_role("button", name="Log in").bounding_box()

    assert width <= 0
    assert box["y"] + box["height"] < page.viewport_size["height"]
