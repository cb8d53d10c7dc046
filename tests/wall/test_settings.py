"""The settings of the wall: lists, presets, fields, links, and the menu of a tile."""

from typing import TYPE_CHECKING, Any

import pytest
from archive import save_runs, watch
from axe import violations
from factories import run_payload, times
from sqlite_utils import Database
from walls import save_poll, save_responses

if TYPE_CHECKING:
    from browser import NewVisit, Visit, WallServer

pytestmark = pytest.mark.browser

REPOS = ("acme/api", "acme/docs", "acme/web")
# A list with a thousand choices, the last of which is chosen.
LONG_LIST = """
async () => {
  const { makeCheckList } = await import("/static/wall/check_list.js");
  const { repo: chosen } = { repo: ["owner/repo-999"] };
  const choices = Array.from({ length: 1000 }, (_, index) =>
    ({ value: `owner/repo-${index}`, keys: [`owner/repo-${index}`],
       label: `owner/repo-${index}`, count: 1 }));
  window.changes = [];
  const list = makeCheckList(
    { name: "repo", title: "Many", none: "all" },
    () => chosen,
    () => [[...choices], ({ value }) => chosen.includes(value)],
    ({ value }, isOn) => window.changes.push([value, isOn]),
  );
  list.root.id = "many";
  document.querySelector(".drawer__body").prepend(list.root);
  list.draw();
}
"""


@pytest.fixture
def wall(db: Database) -> Database:
    """acme/api fails, acme/web passes, acme/docs has never run."""
    watch(db, *((repo, "ci.yml") for repo in REPOS))
    save_poll(db, feeds=3)
    fail = {"conclusion": "failure", "event": "schedule", "actor": {"login": "bob"}}
    web = {"repository": {"full_name": "acme/web"}}
    web["head_repository"] = web["repository"]
    save_runs(db, run_payload(1, **fail, **times("14:00")))
    save_runs(db, run_payload(2, **web, **times("15:00")), repo="acme/web")
    save_responses(db)
    return db


def open_settings(visit: "Visit", query: str = "") -> Any:
    page = visit.open(query)
    page.keyboard.press("f")
    page.locator("#drawer[open]").wait_for()
    return page


def address(page: Any) -> str:
    return str(page.url).partition("?")[2]


def test_every_setting_is_written_into_the_address_and_read_from_it(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = open_settings(visit, "?q=acme&screen=1of1")
    drawer = page.locator("#drawer")
    fields = {
        "cols": "6",
        "page": "15",
        "tz": "Europe/Berlin",
        "sort": "name",
        "theme": "light",
        "screen": "1of1",
    }
    for name, value in fields.items():
        field = drawer.locator(f"[name={name}]")
        if field.evaluate("field => field.localName") == "select":
            field.select_option(value)
        else:
            field.fill(value)
    drawer.locator("[name=group]").select_option("repo")
    for name in ("kiosk", "keys"):
        drawer.locator(f"[name={name}]").click()
    for title, choice in {
        "Repositories": "acme/api",
        "Events": "schedule",
        "People": "bob",
        "States": "failing",
        "Results": "passing",
        "Single tiles": "acme/docs",
    }.items():
        drawer.locator("summary", has_text=title).click()
        drawer.locator("details[open]").get_by_label(choice).check()
        drawer.locator("summary", has_text=title).click()
    assert address(page) == (
        "repo=acme%2Fapi&event=schedule&actor=bob&state=failing&hide=passing&q=acme"
        "&mute=acme%2Fdocs%2Fci.yml&screen=1of1&sort=name&group=repo&cols=6&page=15s"
        "&theme=light&tz=Europe%2FBerlin&kiosk=1&keys=0"
    )
    page.reload()
    # By script, because the kiosk hides the button, and keys=0 turns the key off.
    page.locator("#settings").dispatch_event("click")
    for name, value in fields.items():
        expect(drawer.locator(f"[name={name}]")).to_have_value(value)
    assert drawer.locator("input:checked").count() == 1
    assert drawer.locator(".list__chosen").all_inner_texts() == [
        "acme/api",
        "all",
        "each default branch",
        "schedule",
        "bob",
        "failing",
        "passing",
        "acme/docs/ci.yml",
    ]


def test_an_invalid_text_is_not_applied(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = open_settings(visit)
    for label, text, help_text in [
        ("Time zone", "Europe/Atl", "for example Europe/Berlin"),
        ("Columns", "21", "1 to 20"),
        ("Seconds per page", "4", "5 to 3600"),
    ]:
        page.get_by_label(label).fill(text)
        expect(page.locator(".field", has_text=label)).to_contain_text(help_text)
        assert address(page) == ""
    page.get_by_label("Time zone").fill("Europe/Athens")
    expect(page.locator("#clock")).to_have_text("20:00")
    expect(page.locator(".field", has_text="Time zone")).to_have_text("Time zone")


def test_all_changes_are_one_step_back(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = open_settings(visit, "?theme=light")
    page.get_by_label("Search", exact=True).fill("web")
    page.get_by_label("Columns").fill("3")
    page.get_by_role("button", name="Only failing").click()
    page.keyboard.press("Escape")
    assert (
        address(page)
        == "hide=unknown&hide=untested&hide=passing&q=web&cols=3&theme=light"
    )
    page.go_back()
    expect(page).to_have_url(f"{visit.server.url}?theme=light")
    page.go_forward()
    page.keyboard.press("f")
    page.get_by_role("button", name="Only failing").click()
    assert address(page) == "q=web&cols=3&theme=light"
    page.go_back()
    assert "hide=passing" in address(page)


def test_the_panel_closes_and_gives_the_focus_back(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    opener = page.get_by_role("button", name="Settings")
    drawer = page.locator("#drawer")
    closings = [
        lambda: page.keyboard.press("Escape"),
        lambda: page.get_by_label("Close", exact=True).click(),
        lambda: page.keyboard.press("f"),
        lambda: page.mouse.click(200, 300),
    ]
    for close in closings:
        opener.click()
        expect(drawer).to_be_visible()
        expect(opener).to_have_attribute("aria-expanded", "true")
        edges = page.evaluate(
            "() => [...document.querySelectorAll('.tile')]"
            ".map(tile => tile.getBoundingClientRect().right)"
        )
        assert max(edges) < drawer.bounding_box()["x"]
        close()
        expect(drawer).to_be_hidden()
        expect(opener).to_be_focused()
        assert address(page) == ""
    page.keyboard.press("ArrowRight")
    page.keyboard.press("f")
    for _ in range(40):
        page.keyboard.press("Tab")
        # The body stands for the browser's own buttons.
        focused = "document.activeElement.closest('#drawer') || document.activeElement"
        assert page.evaluate(f"({focused}).id || ({focused}).localName") in (
            "drawer",
            "body",
        )
    page.keyboard.press("Escape")
    expect(page.locator(".tile a").first).to_be_focused()


def test_a_key_right_after_the_panel_closes_keeps_the_focus_it_moved(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = open_settings(visit, "")
    page.evaluate("""() => new Promise((done) => {
      const drawer = document.getElementById("drawer");
      drawer.addEventListener("close", done);
      drawer.close();
      document.querySelector(".tile a").focus();
    })""")
    expect(page.locator(".tile a").first).to_be_focused()


def test_lists_show_counts_of_tiles_and_keep_values_without_a_tile(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    save_runs(wall, run_payload(9, head_branch="a-dev", **times("12:00")))
    query = "?repo=acme/gone&repo=ACME/web&mute=acme/old/ci.yml&mute=acme/x/y.yml@z"
    page = open_settings(visit, query)
    expect(page.locator(".drawer__result")).to_have_text("1 of 3 tiles shown")
    page.locator("summary", has_text="Repositories").click()
    rows = page.locator("details[open] .choice")
    assert rows.all_inner_texts() == [
        "acme/gone\nnot on the wall",
        "acme/web\n1",
        "acme/api\n1",
        "acme/docs\n1",
    ]
    page.get_by_role("checkbox", name="acme/web").uncheck()
    page.get_by_role("checkbox", name="acme/gone").uncheck()
    expect(page.locator(".drawer__result")).to_have_text("3 of 3 tiles shown")
    page.locator("summary", has_text="Single tiles").click()
    page.get_by_role("checkbox", name="acme/old/ci.yml").uncheck()
    page.get_by_role("checkbox", name="acme/x/y.yml@z").uncheck()
    assert address(page) == ""
    page.get_by_role("checkbox", name="acme/docs 1").check()
    page.get_by_role("checkbox", name="acme/gone").check()
    page.get_by_role("button", name="Clear").click()
    assert address(page) == ""
    page.locator("summary", has_text="Branches").click()
    names = page.locator("details[open] .choice:has([name=branch]) .choice__label")
    # Those with most runs first.
    expect(names).to_have_text(["main", "a-dev"])
    page.locator("summary", has_text="People").click()
    save_runs(wall, run_payload(3, actor={"login": "eve"}, **times("16:00")))
    visit.refresh()
    expect(page.get_by_role("checkbox", name="eve")).to_be_visible()


def test_a_list_of_a_thousand_is_cut_searched_and_used_by_keyboard(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = open_settings(visit)
    page.evaluate(LONG_LIST)
    many = page.locator("#many")
    many.locator("summary").click()
    rows = many.locator(".choice")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("repo-999")
    expect(rows.nth(1)).to_contain_text("repo-0")
    expect(many.get_by_role("button", name="Clear")).to_be_visible()
    many.get_by_role("button", name="950 more").click()
    expect(rows).to_have_count(250)
    many.get_by_role("searchbox").fill("REPO-12")
    expect(rows).to_have_count(11)
    for key, focused in [
        ("ArrowDown", "repo-12"),
        ("ArrowDown", "repo-120"),
        ("End", "repo-129"),
        ("ArrowDown", "repo-129"),
        ("Home", "repo-12"),
        ("ArrowDown", "repo-120"),
    ]:
        page.keyboard.press(key)
        value = page.evaluate("document.activeElement.value")
        assert value == f"owner/{focused}"
    page.keyboard.press("Space")
    assert page.evaluate("window.changes") == [["owner/repo-120", True]]
    page.keyboard.press("Tab")
    expect(many.get_by_role("button", name="Clear")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.value") == "owner/repo-120"
    many.get_by_role("searchbox").fill("nothing")
    expect(many).to_contain_text("Nothing found")


def test_presets_are_turned_on_and_off(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = open_settings(visit, "?mute=acme/api/ci.yml&repo=acme/api&cols=2")
    preset = page.locator(".preset")
    pressed = page.locator('.preset[aria-pressed="true"]')
    expect(pressed).to_have_text("My repositorychoose one or more")
    preset.filter(has_text="Everything").click()
    assert address(page) == "cols=2"
    expect(pressed).to_have_text("Everythingevery tile, no filter")
    preset.filter(has_text="TV").click()
    assert address(page) == "cols=2&page=15s&kiosk=1"
    preset.filter(has_text="TV").click()
    preset.filter(has_text="Only failing").click()
    expect(page.locator(".tile")).to_have_count(1)
    preset.filter(has_text="Only failing").click()
    assert address(page) == "cols=2"
    preset.filter(has_text="My repository").click()
    expect(page.get_by_role("checkbox", name="acme/api")).to_be_focused()


def test_links_are_copied(wall: Database, new_visit: "NewVisit", expect: Any) -> None:
    """Without HTTPS there is no clipboard: the link is selected then."""
    allowed = new_visit(permissions=["clipboard-read", "clipboard-write"])
    denied = new_visit()
    denied.page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', { value: undefined })"
    )
    for visit, text in ((allowed, "Copied"), (denied, "Ctrl+C")):
        page = open_settings(visit, "?hide=passing&cols=3")
        for name, link in [
            ("Copy link", page.url),
            ("Copy link for a TV", f"{page.url}&page=15s&kiosk=1"),
        ]:
            page.get_by_role("button", name=name, exact=True).click()
            expect(page.locator(".drawer__copied")).to_contain_text(text)
            if visit is allowed:
                assert page.evaluate("navigator.clipboard.readText()") == link
            else:
                assert page.evaluate("String(getSelection())") == link


def test_a_tile_is_hidden_by_its_menu_and_by_key(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?sort=repo")
    tiles = page.locator(".tile")
    opener = page.locator(".tile-menu")
    expect(opener).to_have_count(0)
    page.get_by_role("link", name="acme/web").hover()
    opener.click()
    assert violations(page) == []
    items = page.get_by_role("menuitem").all_inner_texts()
    assert items[2:4] == ["Show the run of the last result", "Show the jobs"]
    page.get_by_role("menuitem", name="Hide this tile").click()
    expect(tiles).to_have_count(2)
    expect(page.locator("#muted")).to_have_text("1 hidden ✕")
    page.mouse.move(0, 0)
    expect(opener).to_have_count(0)
    page.get_by_role("link", name="acme/api").focus()
    page.keyboard.press("m")
    expect(tiles).to_have_count(1)
    expect(tiles.get_by_role("link", name="acme/docs")).to_be_focused()
    assert (
        address(page) == "mute=acme%2Fweb%2Fci.yml&mute=acme%2Fapi%2Fci.yml&sort=repo"
    )
    page.keyboard.press("M")
    expect(tiles).to_have_count(3)
    page.keyboard.press("Tab")
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Hide this tile")).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert address(page) == "repo=acme%2Fdocs&sort=repo"
    tiles.get_by_role("link", name="acme/docs").hover()
    opener.click()
    expect(page.get_by_role("menuitem")).to_have_count(4)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/workflows/acme/docs/ci.yml/jobs?**")
    save_runs(wall, run_payload(3, head_branch="dev", **times("15:00")))
    page = visit.open("?branch=main&branch=dev&mute=acme/api/ci.yml@dev")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("m")
    mutes = "mute=acme%2Fapi%2Fci.yml%40dev&mute=acme%2Fapi%2Fci.yml%40main"
    expect(page).to_have_url(f"{visit.server.url}?branch=main&branch=dev&{mutes}")


def test_the_settings_load_once_the_server_is_back(
    wall: Database, visit: "Visit", server: "WallServer", expect: Any
) -> None:
    page = visit.open()
    server.stop()
    page.get_by_role("button", name="Settings").click()
    expect(page.locator("#note")).to_contain_text("could not be loaded")
    server.start()
    page.get_by_role("button", name="Settings").click()
    expect(page.locator("#drawer")).to_be_visible()
    page.clock.run_for(1000)
    expect(page.locator("#note")).to_be_hidden()
