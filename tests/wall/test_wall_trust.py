"""The wall never shows wrong data as good: it shows faults, retries, and recovers."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from archive import NOW, save_runs, set_clock, watch
from browser import REFRESH_SECONDS
from factories import run_payload, times
from sqlite_utils import Database
from walls import save_poll, save_responses

from ci_observer.ingest.store import instance
from ci_observer.ingest.times import utc

if TYPE_CHECKING:
    from browser import Visit, WallServer

pytestmark = pytest.mark.browser

LOUD = "No connection to CI Observer"
ERROR = "This page has an error"


@pytest.fixture
def wall(db: Database) -> Database:
    """One feed, acme/api, that passes."""
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db)
    save_runs(db, run_payload(1, **times("12:00")))
    save_responses(db)
    return db


def fail(db: Database) -> None:
    save_runs(db, run_payload(2, conclusion="failure", **times("14:00")))
    save_responses(db)


def expect_trouble(expect: Any, page: Any, words: str, title: str = "no data") -> None:
    """The banner is loud, and the tiles are grey."""
    expect(page.locator("#banner")).to_contain_text(words)
    expect(page.locator("#banner")).to_have_attribute("data-level", "loud")
    expect(page.locator("body")).to_have_attribute("data-lost", "true")
    expect(page).to_have_title(re.compile(f"^{title}"))
    expect(page.locator("#icon")).to_have_attribute("href", re.compile("alarm"))
    assert "grayscale" in page.locator(".tile").first.evaluate(
        "tile => getComputedStyle(tile).filter"
    )


def expect_all_well(expect: Any, page: Any, state: str = "failing") -> None:
    expect(page.locator(".tile")).to_have_attribute("data-state", state)
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("body")).to_have_attribute("data-lost", "false")


def refreshes(visit: "Visit", number: int) -> None:
    for _ in range(number):
        visit.refresh()


def test_without_a_connection_the_age_of_the_data_is_shown_and_grows(
    wall: Database, visit: "Visit", server: "WallServer", expect: Any
) -> None:
    page = visit.open()
    server.stop()
    refreshes(visit, 4)
    expect_trouble(expect, page, "from 18:00, 4 min ago")
    refreshes(visit, 56)
    expect_trouble(expect, page, "1\xa0h ago")
    expect(page.locator("#age")).to_have_text("updated 1\xa0h ago")
    server.start()


def test_the_title_changes_when_the_connection_is_lost_after_the_data_are_old(
    wall: Database, visit: "Visit", server: "WallServer", expect: Any
) -> None:
    """GitHub's last response is always older than the server's."""
    page = visit.open()
    server.stop()
    refreshes(visit, 3)
    expect(page.locator("#banner")).to_contain_text("Old data")
    expect(page).to_have_title("old data \N{EN DASH} CI Observer")
    page.clock.run_for(1000)
    expect_trouble(expect, page, LOUD)
    server.start()


def test_a_server_that_hangs_is_shown_until_it_responds(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    page.route("**/api/**", lambda route: None)
    for _ in range(5):
        page.clock.fast_forward(REFRESH_SECONDS * 1000)
        page.clock.fast_forward(16_000)
    expect_trouble(expect, page, LOUD)
    page.unroute_all(behavior="ignoreErrors")
    fail(wall)
    page.clock.fast_forward(16_000)
    visit.refresh()
    expect_all_well(expect, page)


def test_an_unreadable_database_is_shown_at_once(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    with wall.atomic():
        wall.execute("drop view clock")
    visit.refresh()
    expect_trouble(expect, page, "CI Observer has no data")
    expect(page.locator("#banner")).to_contain_text("Run ci-observer migrate")
    visit.complaints.clear()
    with wall.atomic():
        wall.execute(f"create view clock as select '{utc(NOW)}' as now")
    fail(wall)
    visit.refresh()
    expect_all_well(expect, page)


def test_a_page_opened_without_a_database_shows_tiles_once_there_is_one(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    with wall.atomic():
        wall.execute("drop view clock")
    page = visit.open()
    expect(page.locator("#empty")).to_contain_text("The database cannot be read")
    visit.complaints.clear()
    with wall.atomic():
        wall.execute(f"create view clock as select '{utc(NOW)}' as now")
    visit.refresh()
    expect_all_well(expect, page, "passing")


def test_a_stopped_ingest_is_shown_with_the_age_of_its_data(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    set_clock(wall, NOW + timedelta(hours=1))
    visit.refresh()
    expect_trouble(expect, page, "Polling has stopped", title="1 alarm")
    expect(page.locator("#banner")).to_contain_text("from 17:59, 1\xa0h ago")
    expect(page.locator(".tile")).to_have_attribute("data-state", "stale")


def test_the_end_of_the_rate_limit_is_shown(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?tz=Europe/Berlin")
    save_poll(wall, error="5000 requests are spent.", error_kind="rate_limited")
    instance.save_next_poll(wall, NOW + timedelta(minutes=32))
    visit.refresh()
    expect(page.locator("#banner")).to_contain_text("Next try at 19:32.")


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_clock_that_is_set_while_the_page_is_open_changes_nothing(
    wall: Database, visit: "Visit", expect: Any, hours: int
) -> None:
    page = visit.open()
    page.clock.set_system_time(NOW + timedelta(hours=hours))
    visit.server.tick()
    page.clock.run_for(1000)
    visit.settle()
    # It looks twice: had the machine slept, a cache might repeat an old response.
    visit.server.tick()
    page.clock.run_for(4000)
    visit.settle()
    page.clock.run_for(1000)
    expect_all_well(expect, page, "passing")
    expect(page.locator("#clock")).to_have_text("18:00")
    expect(page.locator("#age")).to_have_text(re.compile("updated 2.\xa0s ago"))


def test_two_requests_of_one_moment_are_no_alarm_for_a_minute(
    wall: Database, visit: "Visit"
) -> None:
    """As after the start of a small computer: it gets a network, and sets its clock."""
    page = visit.open()
    page.clock.set_system_time(NOW + timedelta(hours=2))
    visit.server.tick()
    page.clock.run_for(1000)
    visit.settle()
    with page.expect_response("**/api/config"):
        page.evaluate("window.dispatchEvent(new Event('online'))")
    visit.settle()
    visit.server.tick()
    page.clock.run_for(4000)
    visit.settle()
    page.clock.run_for(1000)
    assert page.locator("body").get_attribute("data-lost") == "false"


def test_after_sleep_without_a_server_the_data_count_as_old(
    wall: Database, visit: "Visit", server: "WallServer", expect: Any
) -> None:
    """During sleep the browser's stopwatch stops, and its clock goes on."""
    page = visit.open()
    server.stop()
    page.clock.set_system_time(NOW + timedelta(hours=2))
    page.clock.run_for(2000)
    visit.settle()
    expect_trouble(expect, page, "from 18:00, 2\xa0h ago")
    server.start()
    fail(wall)
    visit.refresh()
    expect_all_well(expect, page)
    expect(page.locator("#age")).to_have_text("updated 21\xa0s ago")


def test_a_repeated_response_is_none(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    """A cache may repeat it for hours after its server has died."""
    page = visit.open()
    stored = page.request.get(f"{visit.server.url}api/config").json()
    page.route("**/api/config", lambda route: route.fulfill(json=stored))
    refreshes(visit, 4)
    expect_trouble(expect, page, LOUD)
    expect(page.locator("#banner")).to_contain_text("A cache repeats an old response.")
    expect(page.locator("#banner")).to_contain_text("from 18:00, 4 min ago")
    page.unroute_all(behavior="ignoreErrors")
    visit.refresh()
    expect_all_well(expect, page, "passing")


@pytest.mark.parametrize("removed", ["", "etag"])
def test_tiles_that_stay_older_than_the_configuration_prove_nothing(
    wall: Database, visit: "Visit", expect: Any, removed: str
) -> None:
    """Until they change: a cache may be some seconds behind, but not for ever."""
    page = visit.open()
    url = f"{visit.server.url}api/wall"
    stored = page.request.get(url)
    headers = {k: v for k, v in stored.headers.items() if k != removed}
    page.route(
        "**/api/wall", lambda route: route.fulfill(response=stored, headers=headers)
    )
    fail(wall)
    for minute in range(1, 5):
        set_clock(wall, NOW + timedelta(minutes=minute))
        visit.refresh()
        if minute == 2:
            expect_all_well(expect, page, "passing")
    expect_trouble(expect, page, LOUD)
    page.unroute_all(behavior="ignoreErrors")
    set_clock(wall, NOW + timedelta(seconds=30))
    visit.refresh()
    expect_all_well(expect, page)


def test_a_proxy_that_removes_headers_changes_nothing(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    def respond(route: Any) -> None:
        response = route.fetch()
        kind = {"content-type": response.headers["content-type"]}
        route.fulfill(response=response, headers=kind)

    page = visit.page
    page.route("**/api/**", respond)
    visit.open()
    fail(wall)
    refreshes(visit, 4)
    expect_all_well(expect, page)


def test_after_sleep_a_repeated_response_does_not_count(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    """Not even one that this page has not had."""
    page = visit.open()
    visit.server.tick()
    page.clock.set_system_time(NOW + timedelta(hours=2))
    page.clock.run_for(1000)
    visit.settle()
    page.clock.run_for(4000)
    visit.settle()
    page.clock.run_for(1000)
    expect_trouble(expect, page, "from 18:00, 2\xa0h ago")
    visit.refresh()
    expect_all_well(expect, page, "passing")


def test_a_page_that_a_browser_has_kept_is_checked_at_once(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.page
    page.clock.set_system_time(NOW + timedelta(hours=2))
    visit.open()
    for _ in range(2):
        page.clock.run_for(4000)
        visit.settle()
    page.clock.run_for(1000)
    expect_trouble(expect, page, LOUD)
    visit.refresh()
    expect_all_well(expect, page, "passing")


def test_a_server_whose_clock_is_set_back_is_believed(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    set_clock(wall, NOW - timedelta(seconds=18))
    refreshes(visit, 4)
    expect_all_well(expect, page, "passing")
    expect(page.locator("#clock")).to_have_text("17:59")


def test_a_hidden_page_keeps_refreshing(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    visit.page.add_init_script(
        "Object.defineProperties(document, {"
        " hidden: { value: true }, visibilityState: { value: 'hidden' } })"
    )
    page = visit.open()
    fail(wall)
    visit.refresh()
    expect_all_well(expect, page)


def test_one_request_is_in_flight_however_often_the_page_wakes(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    expect(page.locator(".bar")).to_be_attached()
    held: list[str] = []
    ended: list[str] = []
    page.on("requestfailed", lambda request: ended.append(request.url))
    page.route("**/api/**", lambda route: held.append(route.request.url))
    for _ in range(10):
        with page.expect_request("**/api/config"):
            page.evaluate("window.dispatchEvent(new Event('online'))")
    visit.wait_until(lambda: len(held) == 10 and len(ended) == 9)


def broken_wall(broken: list[bool]) -> Callable[[Any], None]:
    """A route whose responses cannot be drawn, while `broken` has an item."""

    def respond(route: Any) -> None:
        if not broken:
            route.continue_()
            return
        route.fulfill(json={"ok": True, "tiles": [None]})

    return respond


def test_an_error_while_drawing_is_shown_and_reloads_the_page(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    page.evaluate("window.isSamePage = true")
    expect(page.locator(".bar")).to_be_attached()
    broken = [True]
    page.route("**/api/wall", broken_wall(broken))
    fail(wall)
    visit.refresh()
    expect_trouble(expect, page, ERROR)
    expect(page.locator("#banner")).to_contain_text("Cannot read properties of null")
    assert page.evaluate("window.isSamePage")
    broken.clear()
    visit.refresh()
    expect_all_well(expect, page)
    assert not page.evaluate("window.isSamePage")
    assert [text for text in visit.complaints if "null" not in text] == []
    visit.complaints.clear()


def test_an_error_that_stays_does_not_reload_in_a_loop(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    """Not even when the reloaded page cannot be drawn either."""
    broken: list[bool] = []

    def spoil(route: Any) -> None:
        html = route.fetch().text()
        tiles = '"tiles": [null], "was": [' if broken else '"tiles": ['
        route.fulfill(body=html.replace('"tiles": [', tiles), content_type="text/html")

    page = visit.page
    page.route(visit.server.url, spoil)
    visit.open()
    broken.append(True)
    loads: list[bool] = []
    page.on("load", lambda _: loads.append(True))
    page.reload()
    expect(page.locator("#banner")).to_contain_text(ERROR)
    assert len(loads) == 1
    page.clock.fast_forward(30_000)
    with page.expect_event("load"):
        visit.refresh()
    expect(page.locator("#banner")).to_contain_text(ERROR)
    assert len(loads) == 2
    visit.complaints.clear()


def test_a_script_that_cannot_be_loaded_is_shown(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    visit.page.route("**/static/joined/*.js", lambda route: route.abort())
    page = visit.open()
    expect(page.locator("#banner")).to_contain_text("Not live")
    expect(page.locator("#banner")).to_contain_text("State of 2026-03-01 18:00:00 UTC")


def test_a_new_version_behind_a_caching_proxy_reloads_once(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    old = page.request.get(visit.server.url).text()
    page.route(
        visit.server.url,
        lambda route: route.fulfill(body=old, content_type="text/html"),
    )
    with wall.atomic():
        wall.execute("update instance set value = '9.9.9' where key = 'version'")
    with page.expect_event("load"):
        visit.refresh()
    page.evaluate("window.isSamePage = true")
    fail(wall)
    visit.refresh()
    expect_all_well(expect, page)
    assert page.evaluate("window.isSamePage")


def test_a_page_reloads_once_a_day(wall: Database, visit: "Visit") -> None:
    page = visit.open()
    with page.expect_event("load"):
        page.clock.fast_forward(25 * 3600 * 1000)


def test_a_violation_of_the_content_security_policy_is_noticed(
    wall: Database, visit: "Visit"
) -> None:
    page = visit.open()
    with page.expect_console_message():
        page.evaluate("document.body.setAttribute('style', 'color: red')")
    [complaint] = visit.complaints
    assert "Content Security Policy" in complaint
    visit.complaints.clear()


def test_the_wall_keeps_the_strictest_policy(wall: Database, visit: "Visit") -> None:
    policy = visit.page.request.get(visit.server.url).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'self'"
    assert not {"script-src", "style-src", "connect-src"} & set(rules)
    assert "unsafe" not in policy
