"""Datasette's pages in a browser: what is on the first screen, menus, accessibility."""

from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest
from archive import save_runs, watch
from axe import violations
from factories import run_payload, times
from sqlite_utils import Database
from walls import PHONE, save_poll

if TYPE_CHECKING:
    from browser import NewVisit

pytestmark = pytest.mark.browser

LAPTOP = {"width": 1366, "height": 768}
# With rows in a box.
LISTS = (
    "ci_observer/runs?repo=acme/api&_facet=event",
    "ci_observer/wall",
    "ci_observer/recent_failures?days=3000",
    "ci_observer/failure_rate_by_day?days=3000",
    "ci_observer?sql=select+*+from+runs",
)
OTHERS = ("ci_observer", "ci_observer/runs/1", "ci_observer/main_status?_show_sql=1")


@pytest.fixture(autouse=True)
def _runs(db: Database) -> None:
    watch(
        db, ("acme/api", "ci.yml"), ("acme/a-very-long-name-of-a-repository", "ci.yml")
    )
    save_poll(db)
    words = ("failure", "success", "timed_out", "cancelled", "action_required", "new")
    save_runs(
        db,
        *(
            run_payload(n, conclusion=words[n % 6], **times(f"10:{n:02}"))
            for n in range(1, 50)
        ),
    )


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_rows_are_on_the_first_screen(
    new_visit: "NewVisit", viewport: dict[str, int]
) -> None:
    visit = new_visit(viewport=viewport)
    for path in LISTS:
        page = visit.open(path)
        size = page.evaluate(
            "[document.documentElement.scrollWidth,"
            " document.documentElement.scrollHeight,"
            " document.querySelector('.rows tbody tr').getBoundingClientRect().bottom]"
        )
        assert size[0] == viewport["width"], path
        assert size[1] < 4 * viewport["height"], path
        assert size[2] < 0.6 * viewport["height"], path


def test_axe_finds_nothing_with_all_menus_open(new_visit: "NewVisit") -> None:
    visit = new_visit(viewport=LAPTOP)
    for path, theme in zip((*LISTS, *OTHERS), cycle(("dark", "light")), strict=False):
        page = visit.open(f"{path}{'&' if '?' in path else '?'}theme={theme}")
        assert page.locator("html").get_attribute("data-theme") == theme
        page.evaluate(
            "document.querySelectorAll('details').forEach((menu) => {"
            " menu.removeAttribute('name'); menu.open = true; })"
        )
        assert violations(page) == [], path


def test_a_menu_opens_and_closes_by_keyboard(
    new_visit: "NewVisit", expect: Any
) -> None:
    page = new_visit(viewport=LAPTOP).open("ci_observer/runs")
    # The rows are not refreshed, so they have an age of their own.
    expect(page.locator(".toolbar__count")).to_contain_text("49 rows, read ")
    expect(page.locator(".toolbar__count time")).to_contain_text("\xa0s ago")
    summary = page.locator("summary", has_text="Columns")
    menu = page.locator("#columns")

    summary.press("Enter")
    expect(menu).to_have_attribute("open", "")
    page.get_by_role("link", name="hide event").press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(summary).to_be_focused()

    summary.click()
    page.locator("h1").click()
    expect(menu).not_to_have_attribute("open", "")


def test_the_sql_editor_runs_by_keyboard_and_lets_tab_out(
    new_visit: "NewVisit", expect: Any
) -> None:
    visit = new_visit(viewport=LAPTOP)
    page = visit.open("ci_observer?sql=select+1+as+one")
    editor = page.get_by_role("textbox", name="SQL")
    editor.press("ControlOrMeta+a")
    editor.type("select 2 as two")
    editor.press("Tab")
    expect(page.get_by_role("button", name="Run SQL")).to_be_focused()
    with page.expect_navigation():
        editor.press("Control+Enter")

    expect(page.locator(".rows tbody")).to_have_text("2")
