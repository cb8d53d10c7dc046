"""A red tile says who broke it, and a green one for a while who fixed it."""

from typing import TYPE_CHECKING, Any

import pytest
from archive import save_runs, watch
from factories import run_payload, times
from sqlite_utils import Database
from walls import save_poll, save_responses

if TYPE_CHECKING:
    from browser import Visit

pytestmark = pytest.mark.browser

GITHUB = "https://github.com/acme/api"
NOW = 1772388000
PARTS = """
  async (tile) => {
    const { breakage, stateFacts } = await import("/static/shared/tile_text.js");
    const facts = stateFacts(tile, (instant) => instant, 1772388000);
    return [
      breakage(tile, 1772388000),
      facts.filter(([name]) => name === "fixed").map(([, text]) => text),
    ];
  }
"""
BROKEN = {
    "repo": "acme/api",
    "workflow": "ci.yml",
    "branch": "main",
    "alarm": None,
    "tile_state": "failing",
    "last_result": "failing",
    "broken_at": "2026-03-01T16:00:00Z",
    "broken_run_number": 87,
    "broken_html_url": f"{GITHUB}/actions/runs/5",
    "broken_actor": "tomasz",
    "broken_event": "push",
    "broken_head_sha": "0123456789abcdef0123456789abcdef01234567",
}
FIXED = {
    "repo": "acme/api",
    "alarm": None,
    "tile_state": "passing",
    "last_result": "passing",
    "fixed_at": "2026-03-01T17:31:00Z",
    "fixed_run_number": 92,
    "fixed_actor": "sofia",
    "fixed_event": "push",
    "red_seconds": 7300,
}


def said(visit: "Visit", tile: dict[str, Any]) -> tuple[list[Any], list[str]]:
    """The parts of who broke a tile, and the texts of who fixed it."""
    page = visit.page
    if "favicon" not in page.url:
        page = visit.open("static/shared/favicon-passing.svg")
    broken, fixed = page.evaluate(PARTS, tile)
    return broken, fixed


def person(login: str) -> dict[str, Any]:
    return {"actor": {"login": login}, "triggering_actor": {"login": login}}


def save(db: Database, *runs: tuple[str, str, dict[str, Any]]) -> None:
    """Store runs of one feed, by start, conclusion and other changes."""
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db, 1)
    for number, (start, conclusion, changes) in enumerate(runs, 1):
        run = run_payload(number, conclusion=conclusion, **times(start), **changes)
        save_runs(db, run)
    save_responses(db)


def test_a_red_tile_names_the_first_failing_run(
    db: Database, visit: "Visit", expect: Any
) -> None:
    red, green = "failure", "success"
    save(
        db,
        *(("10:00", green, {}), ("10:10", red, {}), ("10:45", green, {})),
        *(("11:00", red, {}), ("11:45", green, {})),
        ("15:40", red, person("tomasz") | {"head_sha": "a" * 40}),
        ("17:30", red, person("sofia")),
    )
    tile = visit.open().locator(".tile")
    broken = tile.locator(".tile__broken")
    expect(broken).to_have_text(
        "Broken by #6, tomasz, 2\xa0h ago · usually fixed in 45\xa0min",
    )
    hrefs = broken.locator("a").evaluate_all("all => all.map(a => a.href)")
    assert hrefs[:2] == [f"{GITHUB}/actions/runs/6", f"{GITHUB}/commit/{'a' * 40}"]
    expect(tile.locator("[data-part=run]")).to_have_text("#7")
    label = tile.locator("h2 a").get_attribute("aria-label")
    assert "broken by #6, tomasz, 2\xa0h ago; usually fixed in 45\xa0min" in label
    visit.page.goto(hrefs[2])
    expect(visit.page.locator("#rows tr")).to_have_count(2)


def test_a_tile_shows_for_half_an_hour_who_fixed_it(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save(
        db,
        ("15:00", "success", {}),
        ("15:40", "failure", {}),
        ("17:40", "success", person("sofia")),
    )
    tile = visit.open().locator(".tile")
    fixed = tile.locator("[data-fact=fixed]")
    expect(fixed).to_have_text("fixed by sofia, was red 2\xa0h")
    expect(fixed).to_have_attribute("href", f"{GITHUB}/actions/runs/3")
    expect(tile.locator("[data-fact=since]")).to_have_count(0)
    # Without new data from the server.
    visit.server.stop()
    visit.page.clock.fast_forward("14:00")
    expect(fixed).to_have_count(1)
    visit.page.clock.fast_forward("01:30")
    expect(fixed).to_have_count(0)
    expect(tile.locator("[data-fact=since]")).to_have_text("since 17:40")
    visit.server.start()


def test_who_broke_a_tile_is_told_with_what_is_known(visit: "Visit") -> None:
    broken, _ = said(visit, BROKEN)
    assert [text for _, text, _ in broken] == ["#87", "tomasz", "2\xa0h ago"]
    broken, _ = said(visit, BROKEN | {"broken_event": "schedule"})
    assert [text for _, text, _ in broken] == ["#87", "0123456", "2\xa0h ago"]
    again = {"broken_event": "schedule", "broken_run_attempt": 2}
    broken, _ = said(visit, BROKEN | again)
    assert [text for _, text, _ in broken] == ["#87", "tomasz", "2\xa0h ago"]
    nothing = {"broken_actor": None, "broken_head_sha": None, "broken_html_url": None}
    broken, _ = said(visit, BROKEN | nothing)
    assert [[text, url] for _, text, url in broken[:-1]] == [["#87", None]]
    evil = {"broken_head_sha": "../../x", "broken_html_url": "javascript:alert(1)"}
    broken, _ = said(visit, BROKEN | evil)
    assert not broken[1][2]


@pytest.mark.parametrize("alarm", ["stale", "no_access", "stuck", "disabled"])
def test_an_alarm_hides_who_broke_or_fixed_a_tile(visit: "Visit", alarm: str) -> None:
    assert said(visit, BROKEN | {"alarm": alarm})[0] == []
    assert said(visit, FIXED | {"alarm": alarm})[1] == []


def test_an_invalid_file_says_who_broke_it(visit: "Visit") -> None:
    assert said(visit, BROKEN | {"alarm": "invalid_file"})[0]


def test_a_recovery_is_shown_only_of_a_tile_that_passes(visit: "Visit") -> None:
    assert said(visit, FIXED)[1] == ["fixed by sofia, was red 2\xa0h"]
    assert said(visit, FIXED | {"red_seconds": 2400})[1] == [
        "fixed by sofia, was red 40\xa0min"
    ]
    assert said(visit, FIXED | {"activity": "running"})[1]
    assert said(visit, FIXED | {"fixed_event": "schedule"})[1][0].startswith(
        "fixed by #92"
    )
    for other in (
        {"tile_state": "untested"},
        {"tile_state": "failing", "last_result": "failing"},
        {"fixed_at": "2026-03-01T17:30:00Z"},
        {"fixed_at": None},
    ):
        assert said(visit, FIXED | other)[1] == []
