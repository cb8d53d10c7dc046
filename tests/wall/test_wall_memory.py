"""The wall runs for weeks, so its memory must not grow with each refresh."""

from typing import TYPE_CHECKING, Any

import pytest
from sqlite_utils import Database
from walls import save_wall

if TYPE_CHECKING:
    from browser import NewVisit

pytestmark = pytest.mark.browser

# Multiples of 35: after 35 rounds the responses of `DRIVER` repeat, except for texts.
WARM_UP, REFRESHES = 350, 5005
# Room for the browser's caches and compiled code; a leak of 100 bytes in each refresh
# would exceed it.
TOLERATED_BYTES, TOLERATED_NODES = 500_000, 50

# Runs refreshes as fast as the page can, with different responses: tiles go, come
# back, and change their state, text and strip. Every fiftieth request fails.
DRIVER = """
(() => {
  const states = ["passing", "failing", "stale", "unknown", "overdue"];
  let refresh, tick, finish, config, wall;
  let round = 0;
  window.setTimeout = (act) => {
    if (act.name !== "refresh") return 0;
    refresh = act;
    if (finish) finish();
    return 1;
  };
  window.clearTimeout = () => {};
  window.setInterval = (act) => { tick = act; };

  const varied = () => wall.tiles
    .filter((_, index) => (index + round) % 7)
    .map((tile, index) => ({
      ...tile,
      display_title: `${tile.display_title} ${round}`,
      tile_state: states[(index + round) % states.length],
      alarm: null,
      strip: tile.strip.slice(-4)
        .map((run, at) => ({ ...run, run_number: round + at })),
    }));

  async function respond(url) {
    if (round % 50 === 0) throw new TypeError("Failed to fetch");
    const time = new Date(Date.parse(config.server_time) + round * 60000);
    const body = url.includes("config") ? { ...config, server_time: time.toISOString() }
      : { ...wall, tiles: varied() };
    return new Response(JSON.stringify(body), { headers: { ETag: `"${round}"` } });
  }

  window.drive = async (rounds) => {
    if (!wall) {
      [config, wall] = await Promise.all(["config", "wall"].map(async (name) =>
        (await fetch(`api/${name}`)).json()));
      window.fetch = respond;
    }
    for (const end = round + rounds; round < end;) {
      round += 1;
      const finished = new Promise((done) => { finish = done; });
      refresh();
      await finished;
      tick();
    }
    return document.querySelectorAll(".tile").length;
  };
})();
"""


def measured(page: Any) -> dict[str, float]:
    """The page's memory figures after garbage collection."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    session.detach()
    return {metric["name"]: metric["value"] for metric in metrics}


@pytest.mark.long
def test_memory_stays_flat_over_thousands_of_refreshes(
    db: Database, new_visit: "NewVisit"
) -> None:
    save_wall(db, 3, kinds=["passing"])
    visit = new_visit(has_clock=False)
    visit.page.add_init_script(DRIVER)
    page = visit.open()
    assert page.evaluate(f"drive({WARM_UP})") > 0
    before = measured(page)
    assert page.evaluate(f"drive({REFRESHES})") > 0
    after = measured(page)
    assert after["JSEventListeners"] <= before["JSEventListeners"]
    assert after["Nodes"] <= before["Nodes"] + TOLERATED_NODES
    grown = after["JSHeapUsedSize"] - before["JSHeapUsedSize"]
    assert grown < TOLERATED_BYTES


@pytest.mark.long
def test_a_leak_would_be_noticed(db: Database, new_visit: "NewVisit") -> None:
    save_wall(db, 3, kinds=["passing"])
    page = new_visit(has_clock=False).open()
    before = measured(page)
    page.evaluate(
        f"window.leak = Array.from({{ length: {REFRESHES} }}, (_, number) =>"
        " [document.createElement('i'), Array(20).fill(number)])"
    )
    after = measured(page)
    assert after["Nodes"] > before["Nodes"] + TOLERATED_NODES
    assert after["JSHeapUsedSize"] - before["JSHeapUsedSize"] > TOLERATED_BYTES
