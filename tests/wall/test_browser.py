"""The wall in a real browser, with the real server and a real database."""

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from archive import NOW, save_runs, watch
from factories import run_payload, times
from sqlite_utils import Database
from walls import overflow, save_poll, save_responses

from ci_observer.ingest.store import instance, pending
from ci_observer.ingest.store.jobs import save_jobs
from ci_observer.web.disk import DiskSpace

if TYPE_CHECKING:
    from browser import NewVisit, Visit, WallServer

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def wall(db: Database) -> Database:
    """Two feeds: acme/api passes, acme/web has never run."""
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "deploy.yml"))
    save_poll(db)
    save_runs(db, run_payload(1, **times("12:00")), run_payload(2, **times("13:00")))
    save_responses(db)
    return db


def tile(page: Any, repo: str) -> Any:
    return page.locator(".tile", has_text=repo)


def fail(db: Database, run_id: int = 3, **changes: Any) -> None:
    save_runs(
        db, run_payload(run_id, conclusion="failure", **times("14:00"), **changes)
    )
    save_responses(db)


def test_each_feed_has_a_tile(wall: Database, visit: "Visit", expect: Any) -> None:
    page = visit.open()
    expect(page.locator(".tile")).to_have_count(2)
    expect(tile(page, "acme/api")).to_have_attribute("data-state", "passing")
    expect(tile(page, "acme/api")).to_contain_text("since 12:00")
    expect(tile(page, "acme/web")).to_have_attribute("data-state", "unknown")
    expect(tile(page, "acme/web")).to_contain_text("no run yet")
    expect(page).to_have_title("CI Observer")


def test_a_failure_turns_the_tile_without_a_reload(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    page.evaluate("window.isSamePage = true")
    fail(wall, display_title="Break the build")
    visit.refresh()
    api = tile(page, "acme/api")
    expect(api).to_have_attribute("data-state", "failing")
    expect(api).to_contain_text("Break the build")
    expect(page).to_have_title("1 failing – CI Observer")  # noqa: RUF001
    expect(page.locator("#icon")).to_have_attribute("href", re.compile("failing"))
    assert page.evaluate("window.isSamePage")


def test_failing_tiles_come_first_and_say_since_when(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    fail(wall, run_id=3)
    save_runs(wall, run_payload(4, conclusion="timed_out", **times("15:00")))
    page = visit.open()
    first = page.locator(".tile").first
    expect(first).to_contain_text("failing")
    expect(first).to_contain_text("2nd in a row")
    expect(first).to_contain_text("timed out")
    expect(first).to_contain_text("since 14:00")


def test_a_count_is_a_filter_and_the_address_keeps_it(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    fail(wall)
    page = visit.open()
    page.get_by_role("button", name="1 failing").click()
    expect(page.locator(".tile")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?state=failing$"))
    page.reload()
    expect(page.locator(".tile")).to_have_count(1)
    expect(page.get_by_role("button", name="1 failing")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.go_back()
    expect(page.locator(".tile")).to_have_count(2)


def test_the_settings_narrow_the_wall(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?theme=light")
    page.get_by_role("button", name="Settings").click()
    page.get_by_text("Repositories", exact=True).click()
    page.get_by_role("checkbox", name="acme/web").check()
    expect(page.locator(".tile")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?repo=acme%2Fweb&theme=light$"))
    page.get_by_label("Search", exact=True).fill("nothing like it")
    expect(page.locator(".tile")).to_have_count(0)
    expect(page.get_by_role("heading", name="No tile matches")).to_be_visible()
    expect(page.get_by_role("button", name="Settings")).to_be_visible()
    page.get_by_role("button", name="Everything every tile").click()
    expect(page.locator(".tile")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"\?theme=light$"))


def test_another_branch_has_its_own_tiles(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    fail(wall, head_branch=HOSTILE)
    page = visit.open()
    page.get_by_role("button", name="Settings").click()
    page.get_by_text("Branches", exact=True).click()
    page.get_by_label(HOSTILE).check()
    expect(page.locator(".tile")).to_have_count(1)
    label = re.compile(f"acme/api {re.escape(HOSTILE)};")
    expect(page.locator("[data-part=page]")).to_have_attribute("aria-label", label)
    expect(page.locator(".tile")).to_have_attribute("data-state", "failing")
    page.reload()
    expect(page.locator("[data-part=page]")).to_have_attribute("aria-label", label)


def test_hostile_names_are_text(wall: Database, visit: "Visit", expect: Any) -> None:
    fail(
        wall,
        display_title=f"{HOSTILE}</script>",
        actor={"login": HOSTILE},
        html_url="javascript:alert(1)",
    )
    page = visit.open()
    expect(tile(page, "acme/api")).to_contain_text(HOSTILE)
    expect(page.locator("img")).to_have_count(0)
    expect(page.locator('[href^="javascript"]')).to_have_count(0)


def test_a_lost_connection_is_shown_until_it_is_back(
    wall: Database, visit: "Visit", server: "WallServer", expect: Any
) -> None:
    page = visit.open()
    expect(page.locator("#banner")).to_be_hidden()
    server.stop()
    for _ in range(4):
        visit.refresh()
    expect(page.locator("#banner")).to_contain_text("No connection to CI Observer")
    expect(page).to_have_title("no data – CI Observer")  # noqa: RUF001
    expect(page.locator("body")).to_have_attribute("data-lost", "true")
    fail(wall)
    server.start()
    visit.refresh()
    expect(tile(page, "acme/api")).to_have_attribute("data-state", "failing")
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("body")).to_have_attribute("data-lost", "false")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("unauthorized", "GitHub rejects the token"),
        ("rate_limited", "GitHub's rate limit is used up"),
        ("offline", "GitHub does not respond"),
    ],
)
def test_problems_with_polling_are_shown(
    wall: Database, visit: "Visit", expect: Any, kind: str, words: str
) -> None:
    page = visit.open()
    save_poll(wall, error="Reason in words.", error_kind=kind)
    visit.refresh()
    expect(page.locator("#banner")).to_contain_text(words)
    expect(page.locator("#banner")).to_contain_text("Reason in words.")
    expect(page.locator("#banner")).to_have_attribute("data-level", "loud")


@pytest.mark.parametrize(
    ("days", "words"), [(14, None), (13, "in 13 days"), (1, "in 1 day.")]
)
def test_a_token_that_expires_soon_is_shown(
    wall: Database, visit: "Visit", expect: Any, days: int, words: str | None
) -> None:
    instance.save_token_expiration(wall, NOW + timedelta(days=days, hours=1))
    page = visit.open()
    if words is None:
        expect(page.locator("#banner")).to_be_hidden()
    else:
        expect(page.locator("#banner")).to_contain_text(words)


def test_a_disk_that_is_nearly_full_is_shown_and_hides_no_tile(
    wall: Database,
    visit: "Visit",
    server: "WallServer",
    expect: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = 4

    def usage(_: Path) -> tuple[int, int, int]:
        return (50 * 10**9, 0, free * 10**9)

    page = visit.open()
    expect(page.locator("#banner")).to_be_hidden()
    monkeypatch.setattr(server.database, "disk", DiskSpace(Path(), usage))
    visit.refresh()
    expect(page.locator("#banner")).to_contain_text("4.0 GB (8 %) free")
    expect(page.locator("#banner")).to_have_attribute("data-level", "calm")
    expect(page.locator("body")).to_have_attribute("data-lost", "false")
    expect(page.locator(".tile")).to_have_count(2)
    free = 40
    visit.refresh()
    expect(page.locator("#banner")).to_be_hidden()


def test_a_failure_names_its_job_and_step(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    fail(wall, run_id=3)
    job = {"id": 9, "name": "test (3.13)", "conclusion": "failure"}
    job["steps"] = [{"name": "Run pytest", "conclusion": "failure"}]
    [item] = pending.next_items(wall, "jobs", limit=9)
    save_jobs(wall, item, [job])
    visit.open()
    expect(tile(visit.page, "acme/api")).to_contain_text("test (3.13): Run pytest")


def test_the_age_of_the_data_grows(wall: Database, visit: "Visit", expect: Any) -> None:
    page = visit.open()
    expect(page.locator("#age")).to_have_text("updated 20\xa0s ago")
    page.clock.fast_forward(40_000)
    expect(page.locator("#age")).to_have_text("updated 1\xa0min ago")


def test_a_new_version_reloads_the_page(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    page.evaluate("document.body.id = 'before'")
    with wall.atomic():
        wall.execute("update instance set value = '9.9.9' where key = 'version'")
    visit.refresh()
    expect(page.locator("#before")).to_have_count(0)
    expect(page.locator(".tile")).to_have_count(2)


def test_an_empty_wall_says_what_to_do(
    db: Database, visit: "Visit", expect: Any
) -> None:
    watch(db)
    page = visit.open()
    expect(page.locator("#empty")).to_contain_text("Polling is off")
    expect(page.locator("#empty")).to_contain_text("GH_REPOS=")
    expect(page.locator("#banner")).to_be_hidden()
    assert overflow(page) == (0, 0)


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_wrong_clock_changes_nothing(
    wall: Database, visit: "Visit", new_visit: "NewVisit", hours: int
) -> None:
    fail(wall)
    wrong = new_visit()
    visit.page.clock.set_fixed_time(NOW)
    wrong.page.clock.set_fixed_time(NOW + timedelta(hours=hours))
    texts = [page.locator("body").inner_text() for page in (visit.open(), wrong.open())]
    assert "updated 20\xa0s ago" in texts[0]
    assert texts[0] == texts[1]


def test_without_javascript_there_is_a_table(
    wall: Database, new_visit: "NewVisit", expect: Any
) -> None:
    page = new_visit(java_script_enabled=False).open()
    expect(page.get_by_role("row", name="acme/api")).to_contain_text("passing")


def test_the_keyboard_reaches_tiles_and_counts(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    page.locator(".count").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".count").first).to_have_attribute("aria-pressed", "true")
    # A refresh must keep the focus.
    visit.refresh()
    expect(page.locator(".count").first).to_be_focused()
