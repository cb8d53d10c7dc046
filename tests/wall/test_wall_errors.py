"""A red tile says why it is red, and which other tiles have the same error."""

from typing import TYPE_CHECKING, Any

import pytest
from sqlite_utils import Database
from walls import ERRORS, save_wall

if TYPE_CHECKING:
    from browser import Visit

pytestmark = pytest.mark.browser

KINDS = ("failing", "passing", "failing_once", "passing")
EXIT = ERRORS[2]
# For each failing tile: the parts that are shown, and its size.
SHOWN = """
  nodes => nodes.map((node) => {
    const isShown = (part) => part.getClientRects().length > 0;
    const parts = [...node.querySelectorAll("[data-part]")].filter(isShown);
    const linesOf = (part) =>
      part.clientHeight / parseFloat(getComputedStyle(part).fontSize);
    const { width, height } = node.getBoundingClientRect();
    return {
      parts: parts.map((part) => part.dataset.part),
      size: [Math.round(width), Math.round(height)],
      isWhole: node.scrollHeight <= node.clientHeight + 1,
      hasOneLine: parts.filter((part) => part.className === "tile__line")
        .every((part) => linesOf(part) < 1.7),
    };
  })
"""
WORDS = """
  async (tile) => {
    const { activity, activityText, errorLines } =
      await import("/static/shared/tile_text.js");
    const now = 1772388000;
    const newer = activity(tile, now);
    const lines = errorLines(tile, (instant) => instant);
    return [lines, newer, newer && activityText(newer)];
  }
"""
TILE = {
    "tile_state": "failing",
    "last_result": "failing",
    "alarm": None,
    "activity": None,
    "error_message": "registry is down",
    "error_other_tiles": 3,
    "error_since_at": "14:10",
    "last_result_cancel_cause": None,
    "usual_queue_seconds": 20,
    "started_at": "2026-03-01T17:54:00Z",
}
QUEUED = {"tile_state": "passing", "error_message": None, "activity": "queued"}
SAME = "same error in 3 other workflows since 14:10"


def words(visit: "Visit", **changes: Any) -> list[Any]:
    return list(visit.page.evaluate(WORDS, TILE | changes))


def test_failing_tiles_show_their_error(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 12, kinds=KINDS)
    page = visit.open()
    tiles = page.locator(".tile[data-state=failing]")
    shown = tiles.evaluate_all(SHOWN)

    assert len(shown) == 6
    assert len({str(tile["size"]) for tile in shown}) == 1
    for tile in shown:
        assert {"repo", "page", "word", "why", "broken"} <= {*tile["parts"]}
        assert len({"error", "exit"} & {*tile["parts"]}) == 1
        assert tile["isWhole"]
        assert tile["hasOneLine"]
    # The texts are those of GitHub, and no markup.
    texts = tiles.locator("[data-part=error]").all_text_contents()
    assert tiles.locator("[data-part=exit]").all_text_contents().count(EXIT) == 2
    assert sum("<b>3</b>" in text for text in texts) == 2
    assert tiles.locator("[data-part=error] *").count() == 0
    # Of three texts, two are shared by two tiles; an exit code is shared by none.
    same = tiles.locator("[data-part=same]:visible")
    assert same.count() == 4
    expect(same.first).to_contain_text("same error in 1 other workflow since 1")
    assert "/ci_observer/wall?error_id=" in same.locator("a").first.get_attribute(
        "href"
    )
    assert EXIT in " ".join(
        link.get_attribute("title") for link in tiles.locator("h2 a").all()
    )


@pytest.mark.parametrize(
    ("feeds", "kinds"), [(40, KINDS), (120, KINDS), (40, ["failing"])]
)
def test_no_error_hides_what_is_more_important(
    db: Database, visit: "Visit", feeds: int, kinds: list[str]
) -> None:
    """The same parts are shown as without errors, but for the less important ones."""
    less = {"error", "exit", "same", "same-text", "foot", "title", "strip", "usual-fix"}
    less |= {"age", "run", "stats", "actor", "branch", "progress"}
    save_wall(db, feeds, kinds=kinds)
    tiles = visit.open().locator(".tile[data-state=failing]")
    shown = tiles.evaluate_all(SHOWN)
    db.execute("update tiles set error_message = null, error_id = null")
    db.execute("update instance set value = value + 1 where key = 'revision'")
    visit.refresh()
    plain = tiles.evaluate_all(SHOWN)

    assert all(tile["isWhole"] for tile in shown)
    assert [tile["size"] for tile in shown] == [tile["size"] for tile in plain]
    for tile, other in zip(shown, plain, strict=True):
        assert {*other["parts"]} - less <= {*tile["parts"]}


def test_a_timeout_and_an_alarm_say_no_error(visit: "Visit") -> None:
    visit.open("static/shared/favicon-passing.svg")

    assert words(visit)[0] == ["registry is down", SAME]
    assert words(visit, error_other_tiles=1)[0][1] == SAME.replace(
        "3 other workflows", "1 other workflow"
    )
    assert words(visit, error_other_tiles=0)[0] == ["registry is down", ""]
    assert words(visit, error_other_tiles=None)[0] == ["registry is down", ""]
    for changes in (
        {"error_message": None},
        {"last_result_cancel_cause": "timeout"},
        {"alarm": "stale"},
    ):
        assert words(visit, **changes)[0] == []


def test_a_queued_tile_says_how_long_runs_usually_wait(visit: "Visit") -> None:
    visit.open("static/shared/favicon-passing.svg")
    _, queued, line = words(visit, **QUEUED)

    assert (queued["name"], queued["text"], queued["usual"]) == (
        "queued",
        "6\xa0min",
        "usually 20\xa0s",
    )
    assert line == "queued 6\xa0min, usually 20\xa0s"
    assert words(visit, **QUEUED, usual_queue_seconds=0)[1]["usual"] == "usually 0\xa0s"
    assert words(visit, **QUEUED, usual_queue_seconds=None)[1]["usual"] == ""
    waiting = QUEUED | {"activity": "waiting"}
    assert words(visit, **waiting)[1]["usual"] == ""
