"""The page of one workflow in a real browser: refreshes, the keyboard, a phone."""

from typing import TYPE_CHECKING, Any

import pytest
from archive import save_runs, watch
from factories import run_payload, times
from sqlite_utils import Database
from walls import PHONE, save_poll

from ci_observer.web.pages.times import duration
from ci_observer.web.vocabulary import STATES, label_of

if TYPE_CHECKING:
    from browser import NewVisit, Visit, WallServer

pytestmark = pytest.mark.browser

PAGE = "workflows/acme/api/ci.yml"


@pytest.fixture
def archive(db: Database) -> Database:
    """Three runs of acme/api; the first failed."""
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db)
    save_runs(
        db,
        run_payload(1, conclusion="failure", **times("12:00")),
        run_payload(2, **times("13:00")),
        run_payload(3, **times("14:00")),
    )
    return db


def open_page(visit: "Visit", expect: Any, query: str = "") -> Any:
    page = visit.open(PAGE + query)
    expect(page.locator("#age")).to_contain_text("\xa0s ago")
    return page


def test_the_state_has_the_texts_of_the_wall(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    save_runs(
        archive,
        run_payload(4, conclusion="timed_out", display_title="Slow", **times("15:00")),
        run_payload(5, conclusion="timed_out", display_title="Slow", **times("16:00")),
    )
    wall = visit.open()
    tile = wall.locator(".tile")
    expect(tile).to_have_count(1)
    word = tile.locator("[data-part='word']").inner_text()
    shown = tile.locator("[data-part='facts'] [data-fact]")
    facts = " · ".join(shown.all_inner_texts())
    page = open_page(visit, expect)
    expect(page.locator("#state-word")).to_have_text(word)
    expect(page.locator("#state-facts")).to_have_text(facts)
    expect(page.locator("#state-detail")).to_have_text("Slow")
    expect(page.locator("#state-facts")).to_contain_text("2nd in a row")


def test_a_failure_changes_the_page_without_a_reload(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    page = open_page(visit, expect)
    expect(page).to_have_title("passing · CI · acme/api – CI Observer")  # noqa: RUF001
    page.evaluate("window.isSamePage = true")
    save_runs(archive, run_payload(4, conclusion="failure", **times("15:00")))
    visit.refresh()
    expect(page.locator("#state")).to_have_attribute("data-state", "failing")
    expect(page.locator("#state-word")).to_have_text("failing")
    expect(page.locator(".cell")).to_have_count(4)
    expect(page).to_have_title("failing · CI · acme/api – CI Observer")  # noqa: RUF001
    expect(page.locator("#icon")).to_have_attribute(
        "href", "/static/shared/favicon-failing.svg"
    )
    assert page.evaluate("window.isSamePage")


def test_open_details_and_focus_are_kept(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    page = open_page(visit, expect)
    page.get_by_text("As a table").click()
    page.locator(".cells [data-key='1'] a").focus()
    save_runs(archive, run_payload(4, **times("15:00")))
    visit.refresh()
    expect(page.locator(".cell")).to_have_count(4)
    expect(page.locator(".rates")).to_be_visible()
    expect(page.locator(".cells [data-key='1'] a")).to_be_focused()


def test_the_arrows_move_among_the_runs_and_tab_leaves_them(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    page = open_page(visit, expect)
    cells = page.locator(".cell")
    # The newest run is the last one: Tab reaches it first.
    page.locator(".grid__branch a").first.focus()
    page.keyboard.press("Tab")
    expect(cells.nth(2)).to_be_focused()
    moves = ("ArrowLeft", 1), ("Home", 0), ("ArrowRight", 1), ("End", 2)
    for key, index in (*moves, ("ArrowRight", 2)):
        page.keyboard.press(key)
        expect(cells.nth(index)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".count").first).not_to_be_focused()
    expect(page.locator("#grid-title ~ p .count").first).to_be_focused()


def test_screen_readers_read_a_change_of_state(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    page = open_page(visit, expect)
    save_runs(archive, run_payload(4, conclusion="failure", **times("15:00")))
    visit.refresh()
    expect(page.get_by_role("status")).to_have_text("failing")


def test_another_branch_is_chosen_from_the_list(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    save_runs(archive, run_payload(9, head_branch="release", **times("15:00")))
    page = open_page(visit, expect, "?theme=light")
    page.get_by_label("Branch", exact=True).select_option("release")
    page.wait_for_url("**/ci.yml?theme=light&branch=release")
    expect(page.locator("#state")).to_contain_text("Change 9")


def test_a_lost_connection_is_shown(
    archive: Database, visit: "Visit", server: "WallServer", expect: Any
) -> None:
    page = open_page(visit, expect)
    server.stop()
    for _ in range(4):
        visit.refresh()
    expect(page.locator("#banner")).to_contain_text("No connection to CI Observer")
    expect(page.locator("body")).to_have_attribute("data-lost", "true")
    expect(page.locator("#icon")).to_have_attribute(
        "href", "/static/shared/favicon-alarm.svg"
    )
    server.start()


def test_a_page_that_failed_to_load_appears_by_itself(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    [view] = archive.execute(
        "select sql from sqlite_master where name = 'tile_run_days'"
    ).fetchone()
    archive.execute("drop view tile_run_days")
    page = open_page(visit, expect)
    expect(page.locator("main")).to_contain_text("ci-observer migrate")
    archive.execute(view)
    visit.refresh()
    expect(page.locator("#state-word")).to_have_text("passing")
    # Chromium logs every response with status 503.
    visit.complaints = [c for c in visit.complaints if "503" not in c]


def test_a_run_in_progress_counts_its_time(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    running = run_payload(6, status="in_progress", conclusion=None, **times("17:58"))
    save_runs(archive, running)
    page = open_page(visit, expect)
    expect(page.locator("#state-activity")).to_have_text(
        "running 2\xa0min of usually 5\xa0min"
    )


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_on_a_phone_nothing_is_wider_than_the_screen(
    db: Database, new_visit: "NewVisit", theme: str
) -> None:
    name = "w" * 100
    watch(db, ("acme/api", f"{name}.yml"))
    save_runs(
        db,
        *(
            run_payload(
                n,
                name=name,
                head_branch=f"{name}{n % 3}",
                display_title=name,
                **times("12:00"),
            )
            for n in range(1, 40)
        ),
        workflow=f"{name}.yml",
    )
    page = new_visit(viewport=PHONE).open(
        f"workflows/acme/api/{name}.yml?branch={name}1&theme={theme}"
    )
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


CHART = "[aria-labelledby=durations-title] a[data-key]"
LEFT_TO_RIGHT = """
(selector) => [...document.querySelectorAll(selector)]
  .map((node) => [node.getBoundingClientRect().x, node.dataset.key])
  .sort(([a], [b]) => a - b).map(([, key]) => Number(key))
"""


@pytest.mark.parametrize("has_scripts", [True, False])
def test_time_runs_to_the_right_and_the_newest_run_is_in_view(
    db: Database, new_visit: "NewVisit", has_scripts: bool
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    newest = 39
    save_runs(
        db, *(run_payload(n, **times(f"12:{n}", n)) for n in range(10, newest + 1))
    )
    visit = new_visit(viewport=PHONE, java_script_enabled=has_scripts)
    page = visit.open(PAGE)

    ids = list(range(10, newest + 1))
    assert page.evaluate(LEFT_TO_RIGHT, ".cells li") == ids
    assert page.evaluate(LEFT_TO_RIGHT, CHART) == ids
    box = page.locator(f".cells [data-key='{newest}']").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    assert page.locator(".cells [data-key='10']").bounding_box()["x"] < 0
    bar = page.locator(f"{CHART}[data-key='{newest}']").bounding_box()
    assert bar["width"] >= 8
    assert bar["x"] + bar["width"] <= PHONE["width"]
    if has_scripts:
        save_runs(db, run_payload(newest + 1, **times("14:00")))
        visit.refresh()
        box = page.locator(f".cells [data-key='{newest + 1}']").bounding_box()
        assert box["x"] + box["width"] <= PHONE["width"]
        assert page.evaluate(LEFT_TO_RIGHT, ".cells li") == [*ids, newest + 1]


def test_without_javascript_the_facts_are_there(
    archive: Database, new_visit: "NewVisit", expect: Any
) -> None:
    page = new_visit(java_script_enabled=False).open(PAGE)
    expect(page.locator("#state")).to_contain_text("passing since 2026-03-01 13:00")
    expect(page.locator(".cell")).to_have_count(3)
    expect(page.locator(".chart__bars a")).to_have_count(4)


def test_server_and_scripts_write_the_same_texts(
    archive: Database, visit: "Visit", expect: Any
) -> None:
    spans = [
        0,
        59,
        59.5,
        60,
        89,
        90,
        3569,
        3570,
        3599,
        3600,
        3660,
        86399,
        172799,
        172800,
        1e6,
    ]
    page = open_page(visit, expect)
    found = page.evaluate(
        "async ([states, spans]) => {"
        " const { duration } = await import('/static/shared/format.js');"
        " const { labelOf } = await import('/static/shared/vocabulary.js');"
        " return [states.map(labelOf), spans.map(duration)]; }",
        [list(STATES), spans],
    )
    assert found == [[label_of(s) for s in STATES], [duration(s) for s in spans]]
