"""The content and links of a tile, and the message when all tiles are green."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from archive import NOW, save_runs, watch
from factories import run_payload, times
from sqlite_utils import Database
from walls import save_poll, save_wall

from ci_observer.ingest.store import feeds
from ci_observer.ingest.times import utc

if TYPE_CHECKING:
    from browser import NewVisit, Visit

pytestmark = pytest.mark.browser

# The link that a click in the middle of an element follows.
HIT = """
  (node) => {
    const box = node.getBoundingClientRect();
    const at = [box.left + box.width / 2, box.top + box.height / 2];
    return document.elementFromPoint(...at).closest("a").getAttribute("href");
  }
"""


@pytest.fixture
def wall(db: Database) -> Database:
    """One feed with two successes and a failure."""
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db, 1)
    save_runs(
        db,
        run_payload(1, **times("12:00")),
        run_payload(2, **times("13:00", minutes=9)),
        run_payload(3, conclusion="failure", **times("14:00")),
    )
    return db


def start_run(db: Database, run_id: int = 4, minutes_ago: float = 2) -> None:
    started_at = utc(NOW - timedelta(minutes=minutes_ago))
    when = {"created_at": started_at, "run_started_at": started_at}
    save_runs(db, run_payload(run_id, status="in_progress", conclusion=None, **when))


def words(visit: "Visit", function: str, **tile: Any) -> Any:
    """The result of a function of tile_text.js."""
    call = f"""
      async (tile) => {{
        const {{ {function} }} = await import("/static/shared/tile_text.js");
        return {function}(tile, (instant) => instant, 1772388000);
      }}
    """
    nothing = {
        "alarm": None,
        "activity": None,
        "last_result": "passing",
        "tile_state": "passing",
    }
    page = visit.open("static/shared/favicon-passing.svg")
    return page.evaluate(call, nothing | tile)


def test_a_tile_says_its_result_in_colour_symbol_and_word(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 3, kinds=["failing", "passing", "unknown"])
    page = visit.open()
    for state in ("failing", "passing", "unknown"):
        tile = page.locator(f'.tile[data-state="{state}"]')
        expect(tile.locator("[data-part=word]")).to_have_text(state)
        expect(tile.locator("h2 use")).to_have_attribute("href", f"#symbol-{state}")
    grounds = page.locator(".tile").evaluate_all(
        "all => all.map((tile) => getComputedStyle(tile).background)"
    )
    assert len(set(grounds)) == 3


def test_a_workflow_that_could_not_start_says_that_no_job_ran(visit: "Visit") -> None:
    failing = {"last_result": "failing", "tile_state": "failing"}
    failing |= {"last_result_conclusion": "startup_failure"}
    reason = "no job ran, see GitHub"

    assert words(visit, "details", **failing) == [reason, ""]
    assert words(visit, "stateFacts", **failing) == [["conclusion", "could not start"]]
    step = failing | {"failed_job": "build", "failed_step": "Install"}
    assert words(visit, "details", **step) == ["build: Install", ""]


def test_a_running_tile_fills_to_its_share_of_the_usual_time(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    start_run(wall)
    tile = visit.open().locator(".tile")
    expect(tile).to_have_attribute("data-state", "failing")
    expect(tile.locator(".tile__activity")).to_contain_text(
        "2\xa0min of usually 7\xa0min"
    )
    filled = """
      node => 100 * parseFloat(getComputedStyle(node, "::before").width)
        / node.parentElement.clientWidth
    """
    bar = tile.locator(".tile__progress")
    assert bar.evaluate(filled) == pytest.approx(28.6, abs=2)
    assert bar.evaluate("node => node.getBoundingClientRect().bottom") == tile.evaluate(
        "node => node.getBoundingClientRect().bottom"
    )
    visit.page.clock.fast_forward(55_000)
    expect(tile.locator(".tile__activity")).to_contain_text(
        "3\xa0min of usually 7\xa0min"
    )
    assert bar.evaluate(filled) == pytest.approx(41.7, abs=2)


def test_a_late_run_says_by_how_much(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    start_run(wall, minutes_ago=9)
    tile = visit.open().locator(".tile")
    expect(tile.locator(".tile__activity")).to_contain_text("+2\xa0min over usual")
    beyond = tile.locator(".tile__progress").evaluate(
        "node => { const style = getComputedStyle(node, '::after');"
        " return [parseFloat(style.width) / node.clientWidth, style.backgroundImage]; }"
    )
    assert beyond[0] == pytest.approx(2 / 9, abs=0.03)
    assert "repeating-linear-gradient" in beyond[1]


@pytest.mark.parametrize(
    ("motion", "animation"), [("reduce", "none"), ("no-preference", "edge")]
)
def test_the_edge_respects_reduced_motion(
    wall: Database, new_visit: "NewVisit", motion: str, animation: str
) -> None:
    start_run(wall)
    bar = new_visit(reduced_motion=motion).open().locator(".tile__progress")
    name = "node => getComputedStyle(node, '::after').animationName"
    assert bar.evaluate(name) == animation


def test_the_strip_shows_each_run(wall: Database, visit: "Visit", expect: Any) -> None:
    save_runs(wall, run_payload(4, conclusion="cancelled", **times("15:00")))
    start_run(wall, 5)
    bars = visit.open().locator(".bar")
    results = "bars => bars.map(bar => bar.dataset.result)"
    expect(bars).to_have_count(5)
    assert bars.evaluate_all(results) == [
        "success", "success", "failure", "cancelled", "unfinished",
    ]  # fmt: skip
    failure = bars.nth(2)
    expect(failure).to_have_attribute("href", re.compile(r"/actions/runs/3$"))
    expect(failure).to_have_attribute("title", re.compile("^#3 failure · 5\xa0min"))


def test_the_height_of_bars_is_the_duration_and_shapes_differ(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    save_runs(
        wall,
        run_payload(4, conclusion="cancelled", **times("15:00")),
        run_payload(5, conclusion="skipped", **times("16:00")),
    )
    shape = """
      bars => bars.map((bar) => {
        const style = getComputedStyle(bar, "::before");
        return [parseFloat(style.height), style.backgroundColor, style.borderTopStyle,
          getComputedStyle(bar, "::after").content !== "none"];
      })
    """
    bars = visit.open().locator(".bar")
    expect(bars).to_have_count(5)
    passed, longer, failed, cancelled, skipped = bars.evaluate_all(shape)
    assert longer[0] == pytest.approx(passed[0] * 9 / 5, rel=0.05)
    assert len({str(bar[1:]) for bar in (passed, failed, cancelled)}) == 3
    assert skipped[0] < cancelled[0] / 2


def test_the_bar_of_a_cancelled_run_says_what_became_of_it(visit: "Visit") -> None:
    bars = """
      async (runs) => {
        const { shapeOf, wordOf } = await import("/static/wall/strip.js");
        return runs.map((run) => [shapeOf(run), wordOf(run)]);
      }
    """
    cancelled = {"status": "completed", "conclusion": "cancelled"}
    page = visit.open("static/shared/favicon-passing.svg")
    assert page.evaluate(
        bars,
        [
            cancelled | {"is_superseded": True, "result": None},
            cancelled | {"is_superseded": False, "result": None},
            cancelled
            | {"is_superseded": False, "result": None, "cancel_cause": "person"},
            # A failed job ended the run, so GitHub cancelled the rest.
            cancelled | {"is_superseded": False, "result": "failing"},
            cancelled
            | {"is_superseded": False, "result": "failing", "cancel_cause": "timeout"},
        ],
    ) == [
        ["superseded", "cancelled"],
        ["cancelled", "cancelled"],
        ["cancelled", "cancelled"],
        ["failure", "cancelled, counts as failed"],
        ["failure", "timed out"],
    ]


def test_a_tile_links_to_the_page_of_its_workflow(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?theme=light&tz=Europe%2FBerlin&state=failing")
    link = "/workflows/acme/api/ci.yml?theme=light&tz=Europe%2FBerlin"
    for part in ("word", "repo", "page", "symbol"):
        assert page.locator(f"[data-part={part}]").evaluate(HIT) == link


def test_a_tile_of_another_branch_links_to_the_page_of_that_branch(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    changes = {"head_branch": "release/1 & 2", **times("15:00")}
    save_runs(wall, run_payload(4, **changes))
    page = visit.open("?branch=release%2F1+%26+2")
    expect(page.locator("[data-part=page]")).to_have_attribute(
        "href", "/workflows/acme/api/ci.yml?branch=release%2F1%20%26%202"
    )


def test_the_number_and_the_bars_link_to_runs(wall: Database, visit: "Visit") -> None:
    page = visit.open()
    runs = "https://github.com/acme/api/actions/runs"
    assert page.locator("[data-part=run]").inner_text() == "#3"
    assert page.locator("[data-part=run]").evaluate(HIT) == f"{runs}/3"
    assert page.locator(".bar").first.evaluate(HIT) == f"{runs}/1"


def test_an_untested_commit_and_failed_jobs_are_facts(visit: "Visit") -> None:
    facts = words(visit, "stateFacts", lost_run_id=7, since_at="noon")
    assert facts == [["lost", "newest commit not tested"], ["since", "since noon"]]
    facts = words(visit, "stateFacts", failed_jobs=2)
    assert facts == [["jobs", "with 2 failed jobs"]]


def test_a_tile_with_a_reservation_is_not_green(visit: "Visit") -> None:
    assert words(visit, "isGreen")
    assert words(visit, "isGreen", activity="running")
    for reservation in (
        {"tile_state": "untested"},
        {"activity": "held"},
        {"alarm": "stale"},
        {"tile_state": "unknown"},
    ):
        assert not words(visit, "isGreen", **reservation)


def test_time_alone_changes_only_nodes_that_differ(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 60, kinds=["passing", "failing", "flaky", "unknown", "disabled"])
    page = visit.open()
    # The first refresh changes the zone's calendar, the second nothing.
    for _ in range(2):
        visit.refresh()
    page.clock.run_for(1000)
    page.evaluate(
        """
        () => {
          window.touched = [];
          new MutationObserver((records) => window.touched.push(...records))
            .observe(document.getElementById("tiles"), {
              attributes: true, characterData: true, childList: true, subtree: true,
            });
        }
        """
    )
    page.clock.run_for(5000)
    assert page.evaluate("() => window.touched.length") == 0
    page.clock.fast_forward("01:00:00")
    assert page.evaluate("() => window.touched.length") > 0


def test_a_message_says_that_all_pass(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 24, kinds=["passing", "running", "flaky"])
    page = visit.open()
    expect(page.get_by_role("heading", name="All 24 passing")).to_be_visible()
    expect(page.locator(".message")).to_contain_text("updated 20\xa0s ago")
    expect(page.locator(".tile")).to_have_count(24)
    fits = "document.documentElement.scrollHeight <= innerHeight"
    assert page.evaluate(fits)


def test_the_message_fills_the_screen_when_passing_is_hidden(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 24, kinds=["passing"])
    page = visit.open("?hide=passing")
    expect(page.get_by_role("heading", name="24 passing, all hidden")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(0)
    expect(page.locator("#empty")).to_be_hidden()
    assert page.locator(".message").bounding_box()["height"] > 900


@pytest.mark.parametrize(
    "kind", ["unknown", "failing", "held", "disabled", "stale", "cancelled"]
)
def test_one_tile_that_is_not_green_prevents_the_message(
    db: Database, visit: "Visit", expect: Any, kind: str
) -> None:
    save_wall(db, 8, kinds=["passing"] * 7 + [kind])
    page = visit.open()
    expect(page.locator(".tile")).to_have_count(8)
    expect(page.locator(".message")).to_have_count(0)


def test_without_visible_tiles_the_hidden_ones_are_counted(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 8, kinds=["passing"] * 6 + ["unknown", "stale"])
    page = visit.open("?hide=passing&hide=unknown&hide=stale")
    heading = page.locator(".message h2")
    expect(heading).to_have_text("1 stale, 1 unknown, 6 passing, all hidden")
    expect(page.locator(".message")).to_have_attribute("data-calm", "false")


def test_the_counts_of_hidden_tiles_are_updated(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 8, kinds=["passing"] * 6 + ["unknown", "stale"])
    page = visit.open("?hide=passing&hide=unknown&hide=stale")
    expect(page.locator(".message h2")).to_contain_text("6 passing")
    [stale] = feeds.watched(db, "acme/service-007")
    feeds.save_checked(db, stale, NOW)
    visit.refresh()
    expect(page.locator(".message h2")).to_have_text("1 unknown, 7 passing, all hidden")


def test_parts_loaded_later_are_added_once(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 8, kinds=["passing"])
    page = visit.open()
    page.evaluate("() => [1, 2, 3].forEach(() => dispatchEvent(new Event('resize')))")
    expect(page.locator(".message")).to_have_count(1)
    expect(page.locator(".pager")).to_have_count(1)
    expect(page.locator("link[href*=overflow]")).to_have_count(1)


def test_an_outdated_wall_does_not_say_that_all_pass(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 8, kinds=["passing"])
    page = visit.open()
    expect(page.locator(".message")).to_be_visible()
    visit.server.stop()
    for _ in range(4):
        visit.refresh()
    expect(page.locator("body")).to_have_attribute("data-lost", "true")
    expect(page.locator(".message")).to_have_count(0)
    visit.server.start()


def test_a_late_stylesheet_hides_no_parts_of_tiles(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    save_runs(wall, run_payload(4, **times("15:00")))
    watch(wall, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    own = {"repository": {"full_name": "acme/web"}}
    own |= {"head_repository": {"full_name": "acme/web"}}
    save_runs(wall, run_payload(9, **own, **times("15:00")), repo="acme/web")
    waiting: list[Any] = []
    visit.page.route("**/overflow.css", lambda route: waiting.append(route))  # noqa: PLW0108 (Playwright marks what it is given)
    page = visit.page
    page.goto(visit.server.url)
    visit.wait_until(lambda: waiting)
    expect(page.locator(".tile")).to_have_count(2)
    assert page.locator(".message").count() == 0
    for route in waiting:
        route.continue_()
    expect(page.locator(".message")).to_be_visible()
    expect(page.locator('.tile[data-collapsed=""]')).to_have_count(2)
