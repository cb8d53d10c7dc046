"""How the wall shows that a tile is untested, blocked, stuck, or of a tag."""

import re
from typing import TYPE_CHECKING, Any

import pytest
from archive import save_runs, watch
from factories import run_payload, times
from sqlite_utils import Database
from walls import UNTESTED, save_poll, save_wall

from ci_observer.ingest.store.tiles import update_tiles

if TYPE_CHECKING:
    from browser import Visit

pytestmark = pytest.mark.browser

WORDS = """
  async (tiles) => {
    const { details, stateFacts } = await import("/static/shared/tile_text.js");
    const when = (instant) => instant;
    return tiles.map((tile) => [
      details(tile, when, 1772388000)[0],
      stateFacts(tile, when).map(([, text]) => text).join(", "),
    ]);
  }
"""
RUNS = "https://github.com/acme/service-000/actions/runs"


def untested(reason: str, **tile: Any) -> dict[str, Any]:
    facts = {"untested_reason": reason, "untested_runs": 1, "last_result": "passing"}
    return {"tile_state": "untested", "alarm": None} | facts | tile


def alarm(name: str, **tile: Any) -> dict[str, Any]:
    return {"tile_state": name, "alarm": name, "last_result": "passing"} | tile


def state(name: str, **tile: Any) -> dict[str, Any]:
    return {"tile_state": name, "alarm": None, "last_result": name} | tile


STUCK = {
    "stuck_run_number": 107,
    "stuck_activity": "queued",
    "stuck_started_at": "2026-02-28T22:00:00Z",
    "median_duration_seconds": 360,
}
TIMEOUT = {"last_result_cancel_cause": "timeout", "last_result_conclusion": "cancelled"}
# (tile, the line below the state, the facts after the state)
SAID = [
    (untested("cancelled"), "newest run cancelled", "was passing"),
    (untested("cancelled", untested_runs=4), "newest 4 runs cancelled", "was passing"),
    (
        untested("cancelled", cancelled_by="ada", lost_run_id=7),
        "newest run cancelled by ada",
        "newest commit not tested",
    ),
    (
        untested("cancelled", untested_runs=2, cancelled_by="ada"),
        "newest 2 runs cancelled, the last by ada",
        "was passing",
    ),
    (
        untested("unknown_conclusion", untested_conclusion="exploded"),
        "newest result not understood: exploded",
        "was passing",
    ),
    (
        untested("unknown_conclusion", untested_conclusion=None, untested_runs=3),
        "newest 3 results not understood: no conclusion",
        "was passing",
    ),
    (untested("stale"), "newest run stale", "was passing"),
    (
        untested("phantom"),
        "newest run failed in 0 s, without jobs",
        "was passing",
    ),
    (
        untested("no_runs", untested_runs=0),
        "GitHub lists no runs any more",
        "was passing",
    ),
    (
        alarm("blocked"),
        "GitHub runs nothing here: account or repository blocked (billing, policy)",
        "was passing",
    ),
    (
        alarm("disabled", workflow_state="archived"),
        "the repository is archived",
        "was passing",
    ),
    (
        alarm("stuck", **STUCK),
        "#107 queued for 20\xa0h, usually 6\xa0min",
        "was passing",
    ),
    (
        state("failing", **TIMEOUT, timed_out_seconds=1859, failed_job="e2e"),
        "e2e",
        "timed out after 30\xa0min",
    ),
    (
        state("failing", **TIMEOUT, timed_out_seconds=21_660),
        "",
        "timed out after 6\xa0h 1\xa0min",
    ),
    (state("failing", **TIMEOUT, timed_out_seconds=None), "", "timed out"),
    (
        state("failing", last_result_conclusion="timed_out"),
        "",
        "timed out",
    ),
    (state("unknown", unknown_reason="no_run"), "no run yet", ""),
    (
        state("unknown", unknown_reason="pull_requests_only"),
        "runs on pull requests only",
        "",
    ),
    (
        state("passing", run_id=1, no_scheduled_run_since="3 Mar"),
        "",
        "no scheduled run since 3 Mar",
    ),
]


def test_a_tile_says_why_it_is_in_its_state(visit: "Visit") -> None:
    page = visit.open("static/shared/favicon-passing.svg")

    said = page.evaluate(WORDS, [tile for tile, _, _ in SAID])

    assert said == [[detail, facts] for _, detail, facts in SAID]


@pytest.mark.parametrize("kind", UNTESTED)
def test_an_untested_tile_is_not_passing(
    db: Database, visit: "Visit", expect: Any, kind: str
) -> None:
    save_wall(db, 3, kinds=[kind, "passing", "passing"], names=["CI"])
    page = visit.open()

    tile = page.locator('.tile[data-state="untested"]')

    expect(tile.locator("[data-part=word]")).to_have_text("untested")
    expect(tile.locator("h2 use")).to_have_attribute("href", "#symbol-untested")
    expect(page.locator('.count[data-state="untested"]')).to_have_text("1 untested")
    expect(page.locator('.count[data-state="passing"]')).to_have_text("2 passing")
    expect(page.locator(".message")).to_have_count(0)
    expect(page).not_to_have_title(re.compile("passing"))
    # Below everything that needs attention, above what passes.
    expect(page.locator(".tile").first).to_have_attribute("data-state", "untested")


def test_an_untested_tile_is_filtered_and_hidden_by_its_state(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 3, kinds=["cancelled", "passing", "failing"], names=["CI"])

    states = {
        "?hide=passing": ["failing", "untested"],
        "?state=untested": ["untested"],
        "?hide=untested": ["failing", "passing"],
    }
    for query, shown in states.items():
        tiles = visit.open(query).locator(".tile")
        expect(tiles).to_have_count(len(shown))
        found = tiles.evaluate_all("all => all.map((tile) => tile.dataset.state)")
        assert sorted(found) == shown, query


def test_the_reason_and_the_number_link_to_the_newest_run(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 1, kinds=["cancelled_by_ada"], names=["CI"])
    tile = visit.open().locator(".tile")

    reason = tile.locator("[data-part=why-text]")
    expect(reason).to_have_text("newest run cancelled by ada")
    newest = tile.locator(".bar").last.get_attribute("href")
    expect(reason).to_have_attribute("href", str(newest))
    expect(tile.locator("[data-part=run]")).to_have_attribute("href", str(newest))
    expect(tile.locator("[data-part=run]")).to_have_text("#117")


def test_an_untested_commit_on_a_failing_tile_links_to_its_run(
    db: Database, visit: "Visit", expect: Any
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db, 1)
    save_runs(
        db,
        run_payload(1, conclusion="failure", **times("10:00")),
        run_payload(2, conclusion="cancelled", **times("11:00")),
    )

    tile = visit.open().locator('.tile[data-state="failing"]')

    lost = tile.locator("[data-fact=lost]")
    expect(lost).to_have_text("newest commit not tested")
    expect(lost).to_have_attribute("href", re.compile("/runs/2$"))
    assert tile.locator("[data-fact=since]").get_attribute("href") is None


@pytest.mark.parametrize("kind", ["blocked", "stuck"])
def test_the_reason_of_an_alarm_links_to_its_run(
    db: Database, visit: "Visit", expect: Any, kind: str
) -> None:
    save_wall(db, 1, kinds=[kind], names=["CI"])

    reason = visit.open().locator("[data-part=why-text]")

    expect(reason).to_have_attribute("href", re.compile(f"^{RUNS}/1"))


def test_a_tile_of_tags_shows_the_tag(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 1, kinds=["tag"], names=["CI"])

    tile = visit.open().locator(".tile")

    expect(tile.locator("[data-part=branch]")).to_have_text("v2.14.0")
    expect(tile.locator("[data-part=page]")).to_have_attribute(
        "href", "/workflows/acme/service-000/ci.yml"
    )


def test_conclusions_that_nobody_knows_have_a_bar_of_their_own(
    db: Database, visit: "Visit", expect: Any
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db, 1)
    conclusions = ("success", "exploded", None, "stale", "neutral")
    save_runs(
        db,
        *(
            run_payload(n, conclusion=conclusion, **times(f"{10 + n}:00"))
            for n, conclusion in enumerate(conclusions, 1)
        ),
    )

    bars = visit.open().locator(".bar")

    expect(bars).to_have_count(5)
    results = bars.evaluate_all("bars => bars.map((bar) => bar.dataset.result)")
    assert results == ["success", "odd", "odd", "odd", "neutral"]
    words = bars.evaluate_all("bars => bars.map((bar) => bar.title.split(' · ')[0])")
    assert words == [
        "#1 success", "#2 exploded", "#3 no conclusion", "#4 stale", "#5 neutral",
    ]  # fmt: skip


def test_runs_that_github_no_longer_has_are_not_linked(
    db: Database, visit: "Visit", expect: Any
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db, 1)
    # So old that not a deletion but GitHub's retention removed it.
    old = {
        "created_at": "2025-09-01T10:00:00Z",
        "run_started_at": "2025-09-01T10:00:00Z",
    }
    save_runs(db, run_payload(1, **times("10:00") | old))
    with db.atomic():
        db.execute("update runs set gone_at = '2026-03-01T12:00:00Z'")
        update_tiles(db, [1])

    tile = visit.open().locator(".tile")

    number = tile.locator("[data-part=run]")
    expect(number).to_have_text("#1")
    expect(number).to_have_attribute("title", "Run 1, no longer on GitHub")
    expect(tile.locator(".bar")).to_have_attribute(
        "title", re.compile("no longer on GitHub$")
    )
    for part in (number, tile.locator(".bar")):
        assert part.get_attribute("href") is None
