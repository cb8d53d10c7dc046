"""A filtered wall names its filters, and says what it leaves out."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from archive import save_runs, watch
from factories import run_payload, times
from sqlite_utils import Database
from walls import PHONE, save_poll, save_responses, save_wall

if TYPE_CHECKING:
    from browser import NewVisit, Visit, WallServer

pytestmark = pytest.mark.browser

TITLE = " \N{EN DASH} CI Observer"
REPOS = ("acme/api", "acme/docs", "acme/shop", "acme/web")
GREEN = "/static/shared/favicon-passing.svg"
RIGHT_TO_LEFT = "\N{RIGHT-TO-LEFT OVERRIDE}"


def save(db: Database, number: int, repo: str, conclusion: str, hour: str) -> None:
    of_repo = {"full_name": repo}
    run = {"repository": of_repo, "head_repository": of_repo, "conclusion": conclusion}
    save_runs(db, run_payload(number, **run, **times(hour)), repo=repo)
    save_responses(db)


@pytest.fixture
def wall(db: Database) -> Database:
    """Four tiles that pass."""
    watch(db, *((repo, "ci.yml") for repo in REPOS))
    save_poll(db, feeds=4)
    for number, repo in enumerate(REPOS, 1):
        save(db, number, repo, "success", "15:00")
    return db


@pytest.fixture
def red_wall(wall: Database) -> Database:
    """acme/web fails, and three tiles pass."""
    save(wall, 9, "acme/web", "failure", "16:00")
    return wall


def chips(page: Any) -> list[str]:
    texts: list[str] = page.locator(".chips bdi").all_inner_texts()
    return texts


# Query → the words of its chips.
WORDS: list[tuple[list[tuple[str, str]], list[str]]] = [
    ([("repo", "acme/api"), ("repo", "acme/web")], ["acme/api", "acme/web"]),
    ([("workflow", "ci.yml"), ("branch", "main")], ["ci.yml", "branch main"]),
    ([("event", "push"), ("actor", "ada")], ["event push", "by ada"]),
    ([("q", " web ada ")], ["“web ada”"]),
    ([("screen", "1of2"), ("screen", "3of2")], ["part 1 of 2"]),
    ([("state", "failing"), ("state", "no_access")], ["only failing", "or no access"]),
    ([("hide", "passing"), ("hide", "running")], ["without passing"]),
    ([("q", f"a{RIGHT_TO_LEFT}b<b>c")], ["“ab<b>c”"]),
    ([("repo", "x" * 99)], [f"{'x' * 60}…"]),
]


def test_each_filter_is_named_with_javascript_and_without(
    red_wall: Database, visit: "Visit", new_visit: "NewVisit"
) -> None:
    without_scripts = new_visit(java_script_enabled=False)
    for pairs, words in WORDS:
        query = urlencode(pairs)
        assert chips(visit.open(f"?{query}&kiosk=1")) == words, query
        assert visit.page.locator(".chip").first.is_visible()
        tiles = visit.page.locator(".tile").count()
        caption = without_scripts.open(f"?{query}").locator("caption").inner_text()
        named = caption.partition(": ")[2].partition(" (")[0].split(", ")
        assert named == words, query
        assert f"({tiles} of 4 tiles, show everything)" in caption
    visit.page.set_viewport_size(PHONE)
    visit.open("?kiosk=1&screen=1of2&hide=failing")
    assert visit.page.locator(".chip:visible").count() == 2
    visit.open()
    assert visit.page.locator("#filters").is_hidden()
    caption = without_scripts.open().locator("caption").inner_text()
    assert caption == f"1 failing{TITLE}"


CLAIMS = [
    ("", "All 4 passing"),
    ("repo=acme/api&repo=acme/web", "acme/api, acme/web: all 2 passing"),
    ("repo=acme/api&repo=acme/web&repo=acme/shop", "3 repositories: all 3 passing"),
    ("screen=1of2&q=acme", "“acme” · part 1 of 2: all 2 passing"),
    ("q=acme&hide=passing", "“acme”: 4 passing, all hidden"),
    ("state=failing", "4 passing, all hidden"),
    ("hide=failing", "4 passing, none hidden"),
    ("mute=acme/api/ci.yml", "3 passing, 1 hidden"),
    ("q=acme&mute=acme/api/ci.yml", "“acme”: 3 passing, 1 hidden"),
]


def test_a_green_wall_says_of_which_tiles_it_speaks(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    for query, claim in CLAIMS:
        page = visit.open(f"?kiosk=1&{query}")
        expect(page.locator(".message h2")).to_have_text(claim)
        title = claim.replace("All 4", "all")
        expect(page).to_have_title(f"{title}{TITLE}")
        expect(page.locator("#icon")).to_have_attribute("href", GREEN)
        summary = page.locator("#summary").text_content()
        assert (" of 4 tiles" in summary) == bool(query)


def test_hidden_failures_are_counted_and_forbid_every_claim(
    red_wall: Database, visit: "Visit", new_visit: "NewVisit", expect: Any
) -> None:
    without_scripts = new_visit(java_script_enabled=False)
    for query, hidden in (
        ("hide=failing", "hidden: 1 failing"),
        ("state=passing", "hidden: 1 failing"),
        ("state=running", "hidden: 1 failing, 3 passing"),
    ):
        page = visit.open(f"?kiosk=1&{query}")
        note = page.locator(".not-shown")
        expect(note).to_have_text(hidden)
        expect(note).to_be_visible()
        expect(note).to_have_attribute("data-failing", "true")
        expect(page).to_have_title(f"1 failing{TITLE}")
        expect(page.locator(".message[data-calm=true]")).to_have_count(0)
        table = without_scripts.open(f"?{query}")
        assert table.locator("caption").inner_text().startswith(f"1 failing{TITLE}: ")
        expect(table).to_have_title(f"1 failing{TITLE}")
    expect(page.locator(".message h2")).to_have_text("1 failing, 3 passing, all hidden")
    page = visit.open("?hide=passing")
    expect(page.locator(".not-shown")).to_have_text("hidden: 3 passing")
    expect(page.locator(".not-shown")).not_to_have_attribute("data-failing", "true")
    expect(page.locator("#shown")).to_have_text("1 of 4 tiles")
    # A failure elsewhere is not in the part that is named.
    page = visit.open("?repo=acme/api")
    expect(page).to_have_title(f"acme/api: passing{TITLE}")
    page = visit.open("?repo=acme/web")
    expect(page).to_have_title(f"1 failing \N{EN DASH} acme/web{TITLE}")


def test_a_chip_removes_itself_only(
    red_wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?repo=acme/api&repo=acme/web&state=failing&cols=3")
    chip = page.get_by_role("link", name="Remove the filter acme/web")
    chip.focus()
    page.keyboard.press("Enter")
    url = f"{visit.server.url}?repo=acme%2Fapi&state=failing&cols=3"
    expect(page).to_have_url(url)
    assert chips(page) == ["acme/api", "only failing"]
    expect(page.locator(".chip:focus")).to_have_text("only failing✕")
    expect(page.locator("#summary")).to_have_text(
        "acme/api, only failing, 0 of 4 tiles: 0 failing, 1 passing"
    )
    page.go_back()
    assert chips(page) == ["acme/api", "acme/web", "only failing"]
    page.go_forward()
    page.get_by_role("link", name="Remove the filter only failing").first.click()
    page.get_by_role("link", name="Remove the filter acme/api").click()
    expect(page).to_have_url(f"{visit.server.url}?cols=3")
    expect(page.locator("#filters")).to_be_hidden()
    expect(page.locator("main")).to_be_focused()
    with page.context.expect_page() as opened:
        page.goto(url)
        page.locator(".chip").first.click(modifiers=["Control"])
    expect(opened.value).to_have_url(f"{visit.server.url}?state=failing&cols=3")
    expect(page).to_have_url(url)


def test_without_a_match_the_page_offers_to_remove_each_filter(
    red_wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?repo=acme/none&branch=none&hide=passing")
    expect(page.locator("#empty h2:visible")).to_have_text(
        "No tile matches acme/none · branch none"
    )
    expect(page.locator("#empty .removals li")).to_have_text(
        [
            "acme/none✕0 tiles without it",
            "branch none✕0 tiles without it",
            "without passing✕0 tiles without it",
            "all filters✕4 tiles without it",
        ]
    )
    page = visit.open("?repo=acme/none")
    removal = page.locator("#empty .removals li")
    expect(removal).to_have_text("acme/none✕4 tiles without it")
    removal.locator("a").click()
    expect(page.locator(".tile")).to_have_count(4)
    expect(page).to_have_url(visit.server.url)
    page = visit.open("?repo=acme/web&mute=acme/web/ci.yml")
    expect(page.locator("#empty h2:visible")).to_have_text(
        "acme/web: the only tile is hidden"
    )


def test_tiles_of_another_branch_prove_nothing(
    red_wall: Database, visit: "Visit", server: "WallServer", expect: Any
) -> None:
    """Until the tiles of the new branch are fetched, those of the old one are shown."""
    save_runs(red_wall, run_payload(20, head_branch="dev", **times("16:00")))
    web = {"full_name": "acme/web"}
    of_web = {"repository": web, "head_repository": web, "head_branch": "dev"}
    save_runs(red_wall, run_payload(21, **of_web, **times("16:00")), repo="acme/web")
    save_responses(red_wall)
    page = visit.open("?branch=dev")
    expect(page.locator(".message h2")).to_have_text("branch dev: all 2 passing")
    server.stop()
    page.get_by_role("link", name="Remove the filter branch dev").click()
    expect(page.locator("body")).to_have_attribute("data-lost", "true")
    expect(page.locator(".message")).to_have_count(0)
    expect(page).to_have_title("CI Observer")
    expect(page.locator("#icon")).not_to_have_attribute("href", GREEN)
    server.start()
    visit.refresh()
    expect(page).to_have_title(f"1 failing{TITLE}")
    expect(page.locator("body")).to_have_attribute("data-lost", "false")


def test_without_its_script_a_filtered_wall_makes_no_claim(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    page.route("**/filter_text.js", lambda route: route.abort())
    # As after a click on a filter and the button Back.
    page.evaluate(
        "history.pushState(null, '', '?repo=acme/api&repo=acme/web');"
        "dispatchEvent(new PopStateEvent('popstate'))"
    )
    expect(page.locator("#note")).to_contain_text("could not be loaded")
    expect(page.locator(".tile")).to_have_count(4)
    expect(page).to_have_title("CI Observer")
    expect(page.locator(".message")).to_have_count(0)
    page.unroute_all()
    visit.refresh()
    expect(page.locator(".message h2")).to_have_text(
        "acme/api, acme/web: all 2 passing"
    )
    expect(page.locator("#note")).to_be_hidden()


def test_the_header_has_one_line(db: Database, visit: "Visit", expect: Any) -> None:
    save_wall(db, 60)
    for width, height in ((1366, 768), (1920, 1080)):
        visit.page.set_viewport_size({"width": width, "height": height})
        page = visit.open()
        more = page.locator("#counts .fold button")
        expect(more).to_be_visible()
        rem = page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
        assert page.locator("header").bounding_box()["height"] < 3.5 * rem
        shown = page.locator("#counts .count:visible")
        folded = int(more.inner_text().lstrip("+"))
        assert shown.count() + folded == page.locator("#counts .count").count()
        assert "9 failing" in " ".join(shown.all_inner_texts()).replace("\n", " ")
    more.click()
    expect(shown).to_have_count(page.locator("#counts .count").count())
    order = page.locator("header").evaluate(
        "header => [...header.querySelectorAll('h1, nav, ul, #age, #theme, #settings')]"
        ".map(({ id, localName }) => id || localName)"
    )
    assert order == ["h1", "nav", "counts", "age", "theme", "settings"]
