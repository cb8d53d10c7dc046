"""What a refresh costs: one small question, and only the nodes of what has changed."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from archive import NOW, save_runs, set_clock
from factories import run_payload
from sqlite_utils import Database
from walls import save_poll, save_wall

from ci_observer.ingest.times import utc

if TYPE_CHECKING:
    from browser import NewVisit, Visit

pytestmark = pytest.mark.browser

# By what each change to the tiles was made: the tile's repository, or what else it was.
WATCH = """
() => {
  window.touched = [];
  const nameOf = (node) => {
    const item = (node.closest ? node : node.parentElement).closest("#tiles > *");
    return item ? item.querySelector("[data-part=repo]")?.textContent || item.className
      : node.id;
  };
  new MutationObserver((records) => {
    for (const { type, target, addedNodes, removedNodes } of records) {
      const moved = target.id === "tiles" ? [...addedNodes, ...removedNodes] : [];
      for (const node of moved.length ? moved : [target]) {
        window.touched.push(`${nameOf(node)} ${moved.length ? "moved" : type}`);
      }
    }
  }).observe(document.getElementById("tiles"), {
    attributes: true, characterData: true, childList: true, subtree: true,
  });
}
"""


class Asked(list[str]):
    """The paths that a page asks the API for."""

    def __init__(self, page: Any) -> None:
        super().__init__()
        page.on("request", self._note)

    def _note(self, request: Any) -> None:
        if "/api/" in request.url:
            self.append(request.url.split("/api/")[1])

    def take(self) -> list[str]:
        """Those since the last time."""
        taken = list(self)
        self.clear()
        return taken


def refresh(visit: "Visit") -> None:
    """A refresh, until what it brought is drawn."""
    with visit.page.expect_response("**/api/config*"):
        visit.refresh()
    settle(visit.page)


def settle(page: Any) -> None:
    """Until no request is under way, and two frames have been drawn since."""
    page.wait_for_load_state("networkidle")
    page.evaluate(
        "() => new Promise((done) =>"
        " requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def fail(db: Database, repo: str, run_id: int, **changes: Any) -> None:
    own = {"repository": {"full_name": repo}, "head_repository": {"full_name": repo}}
    times = {
        "created_at": utc(NOW - timedelta(minutes=130)),
        "run_started_at": utc(NOW - timedelta(minutes=130)),
        "updated_at": utc(NOW - timedelta(minutes=125)),
    }
    run = run_payload(run_id, **(own | times | {"conclusion": "failure"} | changes))
    save_runs(db, run, repo=repo)


def test_a_wall_without_a_change_asks_one_question(
    db: Database, visit: "Visit"
) -> None:
    save_wall(db, 6)
    asked = Asked(visit.page)
    visit.open()
    settle(visit.page)
    asked.take()
    refresh(visit)
    save_poll(db)
    refresh(visit)
    assert asked.take() == ["config", "config"]


def test_a_change_is_fetched_once(db: Database, visit: "Visit", expect: Any) -> None:
    save_wall(db, 6, kinds=["passing"])
    asked = Asked(visit.page)
    page = visit.open()
    settle(page)
    asked.take()
    fail(db, "acme/service-003", 999_001)
    refresh(visit)
    expect(page.locator('.tile[data-state="failing"]')).to_have_count(1)
    refresh(visit)
    assert asked.take() == ["config", "wall", "config"]


def test_what_time_alone_changes_is_fetched_once(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 6, kinds=["passing"])
    asked = Asked(visit.page)
    page = visit.open()
    settle(page)
    asked.take()
    set_clock(db, NOW + timedelta(hours=1))
    refresh(visit)
    expect(page.locator('.tile[data-state="stale"]')).to_have_count(6)
    refresh(visit)
    assert asked.take() == ["config", "wall", "config"]


def test_a_view_of_a_branch_asks_for_that_branch(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 2, kinds=["passing"])
    asked = Asked(visit.page)
    page = visit.open("?branch=main&theme=light")
    expect(page.locator(".bar").first).to_be_attached()
    refresh(visit)
    assert asked.take() == ["wall?branch=main", "config?branch=main"]


def test_strips_without_room_are_not_asked_for(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 90, kinds=["passing"], names=["Build and deploy to production"])
    asked = Asked(visit.page)
    page = visit.open()
    expect(page.locator(".more")).to_contain_text("not shown")
    settle(page)
    assert asked.take() == []
    assert page.locator(".bar").count() == 0


@pytest.mark.parametrize("tiles", [12, 100])
def test_a_change_of_one_tile_touches_that_tile(
    db: Database, visit: "Visit", expect: Any, tiles: int
) -> None:
    save_wall(db, tiles, kinds=["passing"])
    fail(db, "acme/service-002", 999_001)
    page = visit.open()
    settle(page)
    refresh(visit)
    page.evaluate(WATCH)
    refresh(visit)
    assert page.evaluate("window.touched") == []
    fail(db, "acme/service-002", 999_002, display_title="And again")
    refresh(visit)
    tile = page.locator('.tile[data-state="failing"]')
    expect(tile).to_contain_text("2nd in a row")
    touched = page.evaluate("window.touched")
    assert {name.split()[0] for name in touched} == {"service-002"}


def test_a_tile_that_turns_worse_is_moved_and_no_other(
    db: Database, visit: "Visit", expect: Any
) -> None:
    """Two of them fail before, so that the others keep their size."""
    save_wall(db, 12, kinds=["failing", "passing", "passing", "running"])
    page = visit.open("?cols=4")
    settle(page)
    refresh(visit)
    page.evaluate(WATCH)
    fail(db, "acme/service-003", 999_001, conclusion="success")
    refresh(visit)
    moved = [one for one in page.evaluate("window.touched") if one.endswith("moved")]
    assert set(moved) <= {"service-003 moved"}


def test_no_more_is_left_out_of_a_tile_than_has_to_be(
    db: Database, new_visit: "NewVisit", expect: Any
) -> None:
    """What is left out before anything is measured is less than measuring would."""
    save_wall(db, 60)
    for width, height in ((1920, 1080), (1366, 768), (2560, 1080)):
        page = new_visit(viewport={"width": width, "height": height}).open()
        expect(page.locator(".tile").first).to_be_visible()
        settle(page)
        too_much = page.evaluate(
            """
            () => [...document.querySelectorAll(".tile")].filter((tile) => {
              const { collapsed } = tile.dataset;
              const overflows = () => tile.scrollHeight > tile.clientHeight + 1;
              if (!collapsed) return false;
              tile.dataset.collapsed = collapsed.split(" ").slice(0, -1).join(" ");
              const was = overflows();
              tile.dataset.collapsed = collapsed;
              return !was;
            }).map(({ dataset, innerText }) => `${innerText} ${dataset.collapsed}`)
            """
        )
        assert too_much == []
