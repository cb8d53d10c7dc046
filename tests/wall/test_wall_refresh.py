"""The cost of a refresh: one small request, and only the nodes of changed tiles."""

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

# Records every change below the tiles, by the tile's repository or the item's class.
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
WIDE_FONT = """
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(
      "* { font-family: 'DejaVu Sans', Verdana !important }");
    document.adoptedStyleSheets = [sheet];
"""


class ApiRequests(list[str]):
    """The paths of a page's requests to the API."""

    def __init__(self, page: Any) -> None:
        super().__init__()
        page.on("request", self._record)

    def _record(self, request: Any) -> None:
        if "/api/" in request.url:
            self.append(request.url.split("/api/")[1])

    def take(self) -> list[str]:
        """Remove and return all of them."""
        taken = list(self)
        self.clear()
        return taken


def fail(db: Database, repo: str, run_id: int, **changes: Any) -> None:
    own = {"repository": {"full_name": repo}, "head_repository": {"full_name": repo}}
    times = {
        "created_at": utc(NOW - timedelta(minutes=130)),
        "run_started_at": utc(NOW - timedelta(minutes=130)),
        "updated_at": utc(NOW - timedelta(minutes=125)),
    }
    run = run_payload(run_id, **(own | times | {"conclusion": "failure"} | changes))
    save_runs(db, run, repo=repo)


def test_a_refresh_without_a_change_makes_one_request(
    db: Database, visit: "Visit"
) -> None:
    save_wall(db, 6)
    requests = ApiRequests(visit.page)
    visit.open()
    requests.take()
    visit.refresh()
    save_poll(db)
    visit.refresh()
    assert requests.take() == ["config", "config"]


def test_a_change_is_fetched_once(db: Database, visit: "Visit", expect: Any) -> None:
    save_wall(db, 6, kinds=["passing"])
    requests = ApiRequests(visit.page)
    page = visit.open()
    requests.take()
    fail(db, "acme/service-003", 999_001)
    visit.refresh()
    expect(page.locator('.tile[data-state="failing"]')).to_have_count(1)
    visit.refresh()
    assert requests.take() == ["config", "wall", "config"]


def test_a_state_that_changes_with_time_is_fetched_once(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 6, kinds=["passing"])
    requests = ApiRequests(visit.page)
    page = visit.open()
    requests.take()
    set_clock(db, NOW + timedelta(hours=1))
    visit.refresh()
    expect(page.locator('.tile[data-state="stale"]')).to_have_count(6)
    visit.refresh()
    assert requests.take() == ["config", "wall", "config"]


def test_the_view_of_a_branch_requests_that_branch(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 2, kinds=["passing"])
    requests = ApiRequests(visit.page)
    page = visit.open("?branch=main&theme=light")
    expect(page.locator(".bar").first).to_be_attached()
    visit.refresh()
    assert requests.take() == ["wall?branch=main", "config?branch=main"]


def test_strips_without_room_are_not_requested(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 90, kinds=["passing"], names=["Build and deploy to production"])
    # In a narrow font they would have room.
    visit.page.add_init_script(WIDE_FONT)
    requests = ApiRequests(visit.page)
    page = visit.open()
    expect(page.locator(".more")).to_contain_text("not shown")
    assert requests.take() == []
    assert page.locator(".bar").count() == 0


@pytest.mark.parametrize("tiles", [12, 100])
def test_a_change_of_one_tile_touches_that_tile(
    db: Database, visit: "Visit", expect: Any, tiles: int
) -> None:
    save_wall(db, tiles, kinds=["passing"])
    fail(db, "acme/service-002", 999_001)
    page = visit.open()
    visit.refresh()
    page.evaluate(WATCH)
    visit.refresh()
    assert page.evaluate("window.touched") == []
    fail(db, "acme/service-002", 999_002, display_title="And again")
    visit.refresh()
    tile = page.locator('.tile[data-state="failing"]')
    expect(tile).to_contain_text("2nd in a row")
    touched = page.evaluate("window.touched")
    assert {name.split()[0] for name in touched} == {"service-002"}


def test_only_the_tile_that_gets_worse_is_moved(
    db: Database, visit: "Visit", expect: Any
) -> None:
    """Enough tiles fail already for the others to keep their size."""
    save_wall(db, 12, kinds=["failing", "passing", "passing", "running"])
    page = visit.open("?cols=4")
    visit.refresh()
    page.evaluate(WATCH)
    fail(db, "acme/service-003", 999_001, conclusion="success")
    visit.refresh()
    moved = [name for name in page.evaluate("window.touched") if name.endswith("moved")]
    assert set(moved) <= {"service-003 moved"}


def test_a_tile_hides_no_more_parts_than_necessary(
    db: Database, new_visit: "NewVisit", expect: Any
) -> None:
    """Parts hidden before measuring would also be hidden by measuring.

    Except the strip: it may have no room in another tile of the same size.
    """
    save_wall(db, 60)
    for width, height in ((1920, 1080), (1366, 768), (2560, 1080)):
        page = new_visit(viewport={"width": width, "height": height}).open()
        expect(page.locator(".tile").first).to_be_visible()
        too_much = page.evaluate(
            """
            () => [...document.querySelectorAll(".tile")].filter((tile) => {
              const { collapsed } = tile.dataset;
              const overflows = () => tile.scrollHeight > tile.clientHeight + 1;
              if (!collapsed || collapsed === "strip") return false;
              tile.dataset.collapsed = collapsed.split(" ").slice(0, -1).join(" ");
              const was = overflows();
              tile.dataset.collapsed = collapsed;
              return !was;
            }).map(({ dataset, innerText }) => `${innerText} ${dataset.collapsed}`)
            """
        )
        assert too_much == []
