"""The layout of 1 to 200 tiles: everything fits, and nothing is cut off."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlite_utils import Database
from walls import LOUD, PHONE, overflow, save_wall

if TYPE_CHECKING:
    from browser import NewVisit, Visit

pytestmark = pytest.mark.browser

TELEVISION = {"width": 1920, "height": 1080}
LAPTOP = {"width": 1366, "height": 768}
TELEVISION_4K = {"width": 3840, "height": 2160}
SUPPORT = Path(__file__).parents[1] / "support"
CUT_OFF = (SUPPORT / "boxes.js").read_text()
EMPTY_PLACES = (SUPPORT / "empty_places.js").read_text()
DENSE_GRID = (SUPPORT / "dense_grid.js").read_text()
WINDOWS = [
    *((1024, 600), (1280, 720), (1366, 768), (1920, 1080), (1080, 1920)),
    *((2560, 1080), (2560, 1440), (3840, 2160)),
]


def names(page: Any) -> list[str]:
    """The workflow and repository of each tile, from its link's title."""
    titles = page.locator(".tile__name a").evaluate_all("all => all.map(a => a.title)")
    return [" ".join(title.split("\n")[:2]) for title in titles]


def name_sizes(page: Any) -> set[float]:
    """The text sizes of the repositories and workflows."""
    sizes = page.locator(".tile__repo, .tile__name").evaluate_all(
        "all => all.map(name => parseFloat(getComputedStyle(name).fontSize))"
    )
    return set(sizes)


@pytest.mark.parametrize("feeds", [1, 7, 24, 60, 200])
@pytest.mark.parametrize(
    ("screen", "smallest"),
    [(TELEVISION, 24), (TELEVISION_4K, 48)],
    ids=["1080p", "2160p"],
)
def test_a_television_shows_every_loud_tile_without_scrolling(
    db: Database,
    new_visit: "NewVisit",
    expect: Any,
    feeds: int,
    screen: dict[str, int],
    smallest: int,
) -> None:
    save_wall(db, feeds)
    page = new_visit(viewport=screen).open()
    expect(page.locator(".tiles")).to_have_attribute("data-fits", "true")
    assert overflow(page) == (0, 0)
    assert page.evaluate(CUT_OFF) == []
    assert min(name_sizes(page)) >= smallest
    loud = feeds // 4
    expect(page.locator(".tile[data-loud]")).to_have_count(loud)
    if feeds <= 60:
        expect(page.locator(".tile")).to_have_count(feeds)


def test_any_number_of_tiles_leaves_empty_cells_at_the_end_of_the_last_row_only(
    visit: "Visit",
) -> None:
    """There a panel fills them, so that no place stays empty."""
    page = visit.open("static/shared/favicon-passing.svg")
    found = page.evaluate(DENSE_GRID, WINDOWS)
    assert found["problems"] == []
    assert found["cases"] > 25_000
    # The least number of tiles that a window has room for.
    assert min(found["fitting"].values()) >= 30
    assert found["fitting"]["1920x1080"] >= 80


@pytest.mark.parametrize(("feeds", "loud"), [(7, 0), (25, 0.25), (61, 0.1), (200, 0.1)])
def test_the_screen_is_filled_and_tiles_of_a_kind_are_alike(
    db: Database, visit: "Visit", feeds: int, loud: float
) -> None:
    save_wall(db, feeds, loud=loud)
    for width, height in WINDOWS[:5]:
        visit.page.set_viewport_size({"width": width, "height": height})
        for query in ("?kiosk=1", "?group=repo", "?cols=5&sort=name", "?page=15s"):
            page = visit.open(query)
            assert page.evaluate(EMPTY_PLACES) == [], (width, height, query)
            assert overflow(page) == (0, 0)


def test_a_message_above_many_tiles_is_smaller_or_left_out(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 61, kinds=["passing"])
    heights = []
    for width, height in ((1920, 1080), (1366, 768)):
        visit.page.set_viewport_size({"width": width, "height": height})
        page = visit.open()
        expect(page.locator(".tile")).to_have_count(61)
        expect(page.locator(".summary")).to_be_visible()
        assert page.evaluate(EMPTY_PLACES) == []
        assert page.evaluate(CUT_OFF) == []
        assert overflow(page) == (0, 0)
        boxes = [box.bounding_box() for box in page.locator(".message").all()]
        heights.append([round(100 * box["height"] / height) for box in boxes])
    assert heights == [[11], []]


def test_the_empty_cells_show_the_latest_changes(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 7, kinds=["passing", "failing", "unknown", "no_access"])
    visit.open("?sort=name")
    panel = visit.page.locator(".summary")
    expect(panel.get_by_role("heading")).to_have_text("Latest changes")
    texts = panel.locator("li").all_inner_texts()
    changes = [re.split(r"\s* · .* ", " ".join(text.split())) for text in texts]
    # Newest first, without the unknown tiles and the one without access.
    assert changes == [
        ["4 d service-004", "passing"],
        ["6 d service-005", "failing"],
        ["6 d service-001", "failing"],
        ["8 d service-000", "passing"],
    ]


@pytest.mark.parametrize("feeds", [7, 24, 200])
def test_nothing_is_cut_off_on_a_laptop(
    db: Database, new_visit: "NewVisit", feeds: int
) -> None:
    save_wall(db, feeds)
    page = new_visit(viewport=LAPTOP).open()
    assert overflow(page) == (0, 0)
    assert page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("feeds", [1, 24, 200])
def test_a_phone_scrolls_down_only(
    db: Database, new_visit: "NewVisit", feeds: int
) -> None:
    save_wall(db, feeds)
    page = new_visit(viewport=PHONE).open()
    assert overflow(page)[0] == 0
    assert page.locator(".tile").count() == feeds
    assert page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("query", ["?cols=4", "?cols=20", "?group=repo", "?sort=name"])
def test_nothing_is_cut_off_in_other_arrangements(
    db: Database, visit: "Visit", expect: Any, query: str
) -> None:
    save_wall(db, 24)
    page = visit.open(query)
    expect(page.locator(".tile")).to_have_count(24)
    assert overflow(page) == (0, 0)
    assert page.evaluate(CUT_OFF) == []


def test_the_requested_number_of_columns_is_used(db: Database, visit: "Visit") -> None:
    save_wall(db, 24)
    columns = "node => getComputedStyle(node).gridTemplateColumns.split(' ').length"
    assert visit.open("?cols=4").locator(".tiles").evaluate(columns) == 4


@pytest.mark.parametrize(
    ("style", "complaint"),
    [
        (".tile__repo { display: none !important }", "no repository on "),
        (".tile__repo { font-size: 0 !important }", "no repository on "),
        (".tile__progress { transform: translateY(-7em) }", "on .tile__progress"),
        (".tile__name { margin-top: -1em !important }", '" on "'),
        (".tile__state { max-height: 0.7em; overflow: hidden }", "cut by tile__state"),
    ],
)
def test_what_overlaps_or_is_cut_is_noticed(
    db: Database, visit: "Visit", style: str, complaint: str
) -> None:
    save_wall(db, 4, kinds=["running", "failing"])
    page = visit.open()
    assert page.evaluate(CUT_OFF) == []
    add = "css => document.styleSheets[0].insertRule(css)"
    page.evaluate(add, style)
    assert any(complaint in text for text in page.evaluate(CUT_OFF))


def test_all_names_of_a_kind_have_one_size(db: Database, visit: "Visit") -> None:
    save_wall(db, 24)
    assert len(name_sizes(visit.open())) == 2


def test_failing_tiles_are_larger_than_passing_ones(
    db: Database, visit: "Visit"
) -> None:
    save_wall(db, 24)
    page = visit.open()
    loud = page.locator(".tile[data-loud]").first.bounding_box()
    quiet = page.locator(".tile:not([data-loud])").first.bounding_box()
    assert loud["width"] > 1.9 * quiet["width"]
    assert loud["height"] > 1.9 * quiet["height"]


def test_a_failure_among_24_tiles_is_described_in_full(
    db: Database, visit: "Visit"
) -> None:
    kinds = ["failing", "passing", "running", "unknown"]
    save_wall(db, 24, kinds=kinds, errors=())
    page = visit.open()
    whole = """
      nodes => nodes.every((node) => node.getClientRects().length
        && node.scrollHeight <= node.clientHeight + 1
        && node.scrollWidth <= node.clientWidth + 1)
    """
    for part in ("repo", "why", "broken", "title"):
        parts = page.locator(f".tile[data-loud] [data-part={part}]")
        assert parts.count() == 6
        assert parts.evaluate_all(whole)
    texts = page.locator(".tile[data-loud]").all_inner_texts()
    assert all("th in a row" in text and "since " in text for text in texts)


@pytest.mark.parametrize(
    "name",
    [
        "x" * 60,
        "A" + " b" * 30,
        "🚀" * 30,
        "שלום-" * 12,
        "名" * 60,
        "W",
        "build-and-deploy-the-whole-shop-to-production-and-staging",
    ],
)
def test_any_name_has_two_lines_at_most(
    db: Database, visit: "Visit", name: str
) -> None:
    save_wall(db, 60, kinds=["passing", "unknown"], names=[name])
    page = visit.open()
    assert page.evaluate(CUT_OFF) == []
    heading = page.locator(".tile__name").first
    assert heading.evaluate("node => node.scrollHeight <= node.clientHeight + 2")
    link = heading.locator("a")
    assert link.get_attribute("title").split("\n")[0] == name
    assert link.get_attribute("aria-label").startswith(name)


def test_a_name_wraps_at_its_parts_and_keeps_its_end(
    db: Database, visit: "Visit"
) -> None:
    name = "Nightly-integration-tests-of-the-whole-shop-on-windows-arm64"
    save_wall(db, 24, kinds=["passing", "failing"], names=[name])
    link = visit.open().locator(".tile:not([data-loud]) h2 a").first
    assert link.inner_text() == name
    cut = link.locator(".tile__cut")
    assert cut.evaluate("node => getComputedStyle(node).fontSize") == "0px"
    start, end = name.split(cut.inner_text())
    assert start.endswith("-")
    assert end.endswith("arm64")


def test_a_word_wider_than_its_tile_is_not_broken_over_two_lines(
    db: Database, visit: "Visit"
) -> None:
    save_wall(db, 60, kinds=["passing", "unknown"], names=["Benchmarks" * 3, "CI"])
    names = visit.open().locator(".tile__name")
    long, short = (names.filter(has_text=name).first for name in ("Bench", "CI"))
    height = "node => node.getBoundingClientRect().height"
    assert long.evaluate(height) == short.evaluate(height)
    assert long.locator(".tile__cut").count() == 1


def test_tiles_without_room_are_counted_and_link_to_pages(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 200)
    page = visit.open("?theme=light")
    more = page.locator(".more")
    expect(more).to_be_visible()
    shown = page.locator(".tile").count()
    expect(more).to_contain_text(f"+{200 - shown} not shown")
    counts = [
        int(text.split()[0])
        for text in more.locator(".more__list span").all_inner_texts()
    ]
    assert sum(counts) == 200 - shown
    shares = more.locator(".more__bar i").evaluate_all(
        "all => all.map(i => [i.dataset.state, Number(i.style.flexGrow)])"
    )
    assert [share for _, share in shares] == counts
    assert {state for state, _ in shares} <= {"passing", "unknown", "untested"}
    more.click()
    expect(page.locator(".pager")).to_contain_text("/")
    assert "theme=light" in page.url


def test_every_page_repeats_the_failing_tiles(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 200)
    page = visit.open("?page=5s")
    expect(page.locator(".pager")).to_contain_text("/")
    number, total = map(int, page.locator(".pager").inner_text().split("/"))
    seen: set[str] = set()
    for turn in range(total):
        now = (number + turn - 1) % total + 1
        expect(page.locator(".pager")).to_have_text(f"{now}/{total}")
        expect(page.locator(".tile[data-loud]")).to_have_count(50)
        assert overflow(page) == (0, 0)
        seen.update(names(page))
        page.clock.fast_forward(5_000)
    assert len(seen) == 200


def test_failures_without_room_are_spread_over_pages(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 200, kinds=["failing"])
    page = visit.open()
    expect(page.locator(".pager")).to_contain_text("/")
    _, total = map(int, page.locator(".pager").inner_text().split("/"))
    seen: set[str] = set()
    for _ in range(total):
        seen.update(names(page))
        page.clock.fast_forward(15_000)
    assert len(seen) == 200
    assert page.locator(".more").count() == 0


def test_no_failure_is_missing_from_the_pages(visit: "Visit") -> None:
    """For any number of failures and cells, with or without requested pages."""
    paginate = """
      async () => {
        const { splitPages } = await import("/static/wall/overflow.js");
        const ids = (list) => list.map((tile) => tile.id);
        const results = [];
        for (let loud = 0; loud <= 120; loud += 8) {
          const tiles = [...Array(120).keys()].map((id) =>
            ({ id, alarm: null, tile_state: id < loud ? "failing" : "passing" }));
          for (const cells of [3, 9, 81]) {
            for (const isPaged of [true, false]) {
              const { pages, hidden } = splitPages(tiles, cells, isPaged);
              results.push([loud, cells, isPaged, pages.map(ids), ids(hidden)]);
            }
          }
        }
        return results;
      }
    """
    results = visit.open("static/shared/favicon-passing.svg").evaluate(paginate)
    assert len(results) == 96
    for loud, cells, is_paged, pages, hidden in results:
        shown = {tile for tiles in pages for tile in tiles}
        assert shown | set(hidden) == set(range(120))
        assert all(tile >= loud for tile in hidden)
        assert max(map(len, pages)) <= cells
        assert not (is_paged and hidden)
        if loud < cells - 2:
            assert all(set(range(loud)) <= set(tiles) for tiles in pages)


def test_tiles_are_sorted_as_the_address_says(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 7, names=["b2", "b10", "A", "c", "B1", "d", "e"])
    shown = visit.open("?sort=name").locator(".tile__name")
    expect(shown).to_have_text(["A", "B1", "b2", "b10", "c", "d", "e"])
    repos = visit.open("?sort=repo").locator(".tile__repo")
    every = [re.compile(f"acme/service-{number:03}") for number in range(7)]
    expect(repos).to_have_text(every)
    state = visit.open().locator(".tile").first
    expect(state).to_have_attribute("data-state", "failing")


def test_groups_have_their_repository_above_them(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 24)
    page = visit.open("?group=repo")
    expect(page.locator(".group")).to_have_count(24)
    labels = page.locator(".group").all_inner_texts()
    assert sorted(labels) == [f"service-{number:03}" for number in range(24)]
    above = """
      labels => labels.every((label) => {
        const tile = label.nextElementSibling.getBoundingClientRect();
        const box = label.getBoundingClientRect();
        return box.bottom <= tile.top && Math.abs(box.left - tile.left) < 1;
      })
    """
    assert page.locator(".group").evaluate_all(above)


def test_every_kind_of_tile_is_on_a_large_enough_wall(
    db: Database, visit: "Visit"
) -> None:
    """So the other tests see every state."""
    save_wall(db, 60, loud=0.4)
    states = (
        visit.open()
        .locator(".tile")
        .evaluate_all("all => [...new Set(all.map((tile) => tile.dataset.state))]")
    )
    failing = {"timed_out", *(kind for kind in LOUD if kind.startswith("failing"))}
    loud = {*LOUD} - failing | {"failing"}
    assert set(states) == loud | {"passing", "unknown", "untested"}
