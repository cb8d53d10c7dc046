"""A tile's title says whose workflow it is: repository and workflow, told apart."""

from typing import TYPE_CHECKING, Any

import pytest
from sqlite_utils import Database
from walls import PHONE, save_wall

if TYPE_CHECKING:
    from browser import NewVisit, Visit

pytestmark = pytest.mark.browser

TELEVISION = {"width": 1920, "height": 1080}
LIVE = "acme/infrastructure-live-accounts"
ALIKE = (
    f"{LIVE}-networks-and-shared-modules",
    f"{LIVE}-dns-and-shared-modules",
    f"{LIVE}-dns2-and-shared-modules",
    "acme/infrastructure-live-accounts",
    "acme/docs",
    "umbrella/docs",
    "acme/ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG1HIJKLMNOPQRSTUVWXYZABCDEFG",
    "acme/ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG2HIJKLMNOPQRSTUVWXYZABCDEFG",
)
TITLES = """
  async (tiles) => {
    const { makeTitles } = await import("/static/shared/tile_text.js");
    return tiles.map(makeTitles(tiles));
  }
"""
# The text of each repository as it is seen: with an ellipsis for what is cut.
SHOWN = """
  nodes => nodes.map((node) => [...node.childNodes].map((part) =>
    part.className === "tile__cut" ? "…" : part.textContent).join(""))
"""


def titles(visit: "Visit", *tiles: dict[str, Any]) -> list[list[str]]:
    """The titles of tiles, by default of CI in acme/api on main."""
    usual = {
        "repo": "acme/api",
        "workflow": "ci.yml",
        "workflow_name": "CI",
        "branch": "main",
        "tag": None,
    }
    page = visit.open("static/shared/favicon-passing.svg")
    found: list[list[str]] = page.evaluate(TITLES, [usual | tile for tile in tiles])
    return found


def test_a_title_is_as_short_as_the_tiles_can_be_told_apart(visit: "Visit") -> None:
    assert titles(visit, {}, {"repo": "acme/web"}, {"workflow": "a.yml"}) == [
        ["api", "CI (ci.yml)"],
        ["web", "CI"],
        ["api", "CI (a.yml)"],
    ]
    assert titles(visit, {}, {"repo": "Umbrella/API"}, {"repo": "acme/web"}) == [
        ["acme/api", "CI"],
        ["Umbrella/API", "CI"],
        ["web", "CI"],
    ]
    assert titles(visit, {}, {"branch": "release/2"}, {"repo": "acme/web"}) == [
        ["api", "CI · main"],
        ["api", "CI · release/2"],
        ["web", "CI"],
    ]
    odd = {"repo": "acme/constructor", "workflow_name": "__proto__"}
    assert titles(visit, odd, {"repo": "umbrella/valueOf"}) == [
        ["constructor", "__proto__"],
        ["valueOf", "CI"],
    ]


def test_no_two_repositories_look_alike(db: Database, new_visit: "NewVisit") -> None:
    save_wall(db, 60, repos=ALIKE, kinds=["failing"] * 8 + ["passing"] * 52)
    for screen in (TELEVISION, PHONE):
        page = new_visit(viewport=screen).open()
        shown = page.locator("[data-part=repo]").evaluate_all(SHOWN)
        assert len(set(shown)) == 60


def test_only_a_shared_name_has_its_owner(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 3, repos=["acme/docs", "umbrella/docs", "umbrella/api"])
    page = visit.open("?sort=repo")
    expect(page.locator("[data-part=repo]")).to_have_text(
        ["acme/docs", "api", "umbrella/docs"]
    )
    links = page.locator(".tile__name a").evaluate_all("all => all.map(a => a.title)")
    assert [title.split("\n")[1] for title in links] == [
        "acme/docs main", "umbrella/api main", "umbrella/docs main"
    ]  # fmt: skip
    assert page.locator(".tile__repo").all_inner_texts() == [
        "acme/docs", "api", "umbrella/docs"
    ]  # fmt: skip


def test_a_name_is_cut_at_its_end_until_the_script_that_shortens_it_is_loaded(
    db: Database, visit: "Visit", expect: Any
) -> None:
    save_wall(db, 60, repos=ALIKE)
    failed: list[str] = []

    def fail(route: Any) -> None:
        failed.append(route.request.url)
        route.abort()

    visit.page.route("**/cut.js", fail)
    page = visit.open()
    expect(page.locator(".tile")).to_have_count(60)
    assert failed
    page.unroute("**/cut.js")
    visit.complaints.clear()
    page.evaluate("() => dispatchEvent(new Event('resize'))")
    visit.settle()
    expect(page.locator(".tile__cut").first).to_be_attached()
