"""The page of runs in a real browser: refreshes, more rows, lost connections."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from archive import NOW, save_runs, set_clock, watch
from factories import run_payload, times
from sqlite_utils import Database
from walls import PHONE, save_poll

if TYPE_CHECKING:
    from browser import NewVisit, Visit, WallServer

pytestmark = pytest.mark.browser


@pytest.fixture
def archive(db: Database) -> Database:
    """Five runs of acme/api, ten minutes apart."""
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db)
    save_runs(db, *(run_payload(n, **times(f"12:{n}0")) for n in range(1, 6)))
    return db


def rows(page: Any) -> Any:
    return page.locator("#rows tr")


def keys(page: Any) -> list[str]:
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('#rows tr')].map(row => row.dataset.key)"
    )
    return found


def test_a_new_run_comes_on_top_without_a_reload(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("runs")
    expect(page.locator("#age")).to_contain_text("\xa0s ago")
    page.evaluate("window.isSamePage = true")
    save_runs(archive, run_payload(6, conclusion="failure", **times("14:00")))
    visit.refresh()
    expect(rows(page)).to_have_count(6)
    expect(rows(page).first).to_contain_text("failure")
    assert page.evaluate("window.isSamePage")


def test_the_focus_stays_on_its_run(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("runs")
    expect(page.locator("#age")).to_contain_text("\xa0s ago")
    page.locator("[data-key='3'] a").first.focus()
    save_runs(
        archive,
        run_payload(6, **times("14:00")),
        # The focused run is re-run, so it moves to the top.
        run_payload(3, run_attempt=2, **times("15:00")),
    )
    visit.refresh()
    expect(rows(page).first).to_contain_text("attempt 2")
    focused = page.evaluate("document.activeElement.closest('tr').dataset.key")
    assert (focused, keys(page)) == ("3", ["3", "6", "5", "4", "2", "1"])


def test_a_page_without_changes_gets_not_modified(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("runs")
    expect(page.locator("#age")).to_contain_text("\xa0s ago")
    with page.expect_response(lambda response: "/runs" in response.url) as second:
        visit.refresh()
    assert second.value.status == 304


def test_more_adds_the_next_page_and_all_rows_are_refreshed(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("runs?limit=2")
    expect(page.locator("#age")).to_contain_text("\xa0s ago")
    page.locator("#more").click()
    expect(rows(page)).to_have_count(4)
    assert keys(page) == ["5", "4", "3", "2"]
    assert page.evaluate("document.activeElement.closest('tr').dataset.key") == "3"
    save_runs(archive, run_payload(2, run_attempt=2, **times("15:00")))
    visit.refresh()
    expect(rows(page).first).to_contain_text("attempt 2")
    assert keys(page) == ["2", "5", "4", "3"]
    page.locator("#more").click()
    expect(rows(page)).to_have_count(5)
    expect(page.locator("#more")).to_have_count(0)


def test_a_lost_connection_is_shown_until_it_is_back(
    archive: Database, visit: "Visit", server: "WallServer", expect: Any
) -> None:
    page = visit.open("runs")
    expect(page.locator("#age")).to_contain_text("\xa0s ago")
    server.stop()
    for _ in range(4):
        visit.refresh()
    expect(page.locator("#banner")).to_contain_text("No connection to CI Observer")
    expect(page.locator("#banner")).to_have_attribute("data-level", "loud")
    expect(page).to_have_title("no data – Runs – CI Observer")  # noqa: RUF001
    expect(rows(page)).to_have_count(5)
    server.start()
    visit.refresh()
    expect(page.locator("body")).to_have_attribute("data-lost", "false")


def test_polling_that_is_off_is_shown(
    db: Database, visit: "Visit", expect: Any
) -> None:
    watch(db)
    page = visit.open("runs")
    expect(page.locator("#banner")).to_contain_text("Polling is off")


def test_an_unfinished_run_counts_its_time(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    running = run_payload(6, status="in_progress", conclusion=None, **times("17:50"))
    save_runs(archive, running)
    page = visit.open("runs")
    expect(rows(page).first).to_contain_text("running")
    expect(rows(page).first.locator("td").last).to_have_text("10\xa0min")


def test_ages_go_on_and_refreshes_leave_them(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("runs")
    newest = rows(page).first.locator("time")
    expect(newest).to_have_text("5\xa0h ago")
    assert newest.get_attribute("title") == "2026-03-01 12:50:00 UTC"
    page.evaluate(
        """() => {
          window.changes = [];
          new MutationObserver((changes) => window.changes.push(
            ...changes.map(({ target }) => target.textContent),
          )).observe(document.getElementById("rows"), {
            subtree: true, childList: true, characterData: true,
          });
        }"""
    )
    save_runs(archive, run_payload(1, conclusion="failure", **times("12:10")))
    visit.refresh()
    expect(rows(page).last).to_contain_text("failure")
    texts = page.evaluate("window.changes")
    assert [text for text in texts if "ago" in text or "2026" in text] == []
    # An hour later, with the page unchanged on the server.
    set_clock(archive, NOW + timedelta(hours=1))
    visit.refresh()
    expect(newest).to_have_text("6\xa0h ago")


def test_a_value_selects_its_runs_by_keyboard(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    save_runs(archive, run_payload(6, head_branch="fix", event="schedule"))
    page = visit.open("runs?event=schedule")
    page.get_by_role("link", name="fix").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs?event=schedule&branch=fix")
    expect(page.locator(".chosen li")).to_have_count(2)
    expect(page.locator("caption")).to_contain_text("1 run,")
    page.get_by_role("link", name="History of CI, acme/api").click()
    page.wait_for_url("**/workflows/acme/api/ci.yml")


def test_suggested_values_are_loaded_with_the_first_focus(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("runs")
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Branch").focus()
    expect(page.locator("#values-branch option")).to_have_count(1)
    page.get_by_label("Branch").fill("main")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs?branch=main")
    expect(page.locator(".chosen")).to_contain_text("main")


@pytest.mark.parametrize("query", ["", "?theme=light&q=a&branch=main&since=2026-01-01"])
def test_on_a_phone_nothing_is_wider_than_the_screen(
    archive: Database, new_visit: "NewVisit", query: str
) -> None:
    name = "w" * 100
    save_runs(
        archive,
        run_payload(
            7, display_title=name, head_branch=name, actor={"login": name}, event=name
        ),
    )
    page = new_visit(viewport=PHONE).open(f"runs{query}")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_without_javascript_the_next_page_is_a_link(
    archive: Database, new_visit: "NewVisit", expect: Any
) -> None:
    page = new_visit(java_script_enabled=False).open("runs?limit=3")
    expect(rows(page)).to_have_count(3)
    page.locator("#more").click()
    expect(rows(page)).to_have_count(2)
    expect(page.locator("noscript .note")).to_be_visible()
