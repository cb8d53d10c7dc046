"""The parameters of the wall's address, and the controls that change them."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from archive import save_runs, watch
from factories import run_payload, times
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database
from walls import save_poll, save_responses

from ci_observer.web.vocabulary import ACTIVITIES, STATES

if TYPE_CHECKING:
    from browser import NewVisit, Visit

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
REPOS = ("acme/api", "acme/docs", "acme/web")
COLOURS = sorted({*STATES} - {*ACTIVITIES})

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=9).map(str.strip)
values = st.lists(words.filter(bool), max_size=3, unique=True)
VIEWS = st.fixed_dictionaries(
    {
        **dict.fromkeys(
            ("repo", "workflow", "branch", "event", "actor", "team"), values
        ),
        "state": st.lists(st.sampled_from(STATES), unique=True),
        "hide": st.lists(st.sampled_from(COLOURS), unique=True),
        "mute": st.lists(words.map(lambda text: f" a/b/{text}c "), unique=True),
        "q": words,
        "screen": st.sampled_from(["", "1of1", "2of3", "99of99"]),
        "sort": st.sampled_from(["state", "name", "repo", "newest"]),
        "group": st.sampled_from(["", "repo", "team"]),
        "cols": st.integers(0, 20),
        "page": st.just(0) | st.integers(5, 3600),
        "theme": st.sampled_from(["dark", "light", "auto"]),
        "tz": st.sampled_from(["", "Europe/Berlin", "Asia/Kathmandu", "UTC"]),
        "at": words,
        **dict.fromkeys(("kiosk", "notify", "sound", "keys"), st.booleans()),
    }
)
READ = """
async ([view, search]) => {
  const { readView, writeView } = await import("/static/wall/view.js");
  return readView(view ? writeView(view) : search);
}
"""


@pytest.fixture
def wall(db: Database) -> Database:
    """acme/api fails, acme/web passes, acme/docs has never run."""
    watch(db, *((repo, "ci.yml") for repo in REPOS))
    save_poll(db, feeds=3)
    fail = {"conclusion": "failure", "event": "schedule", "actor": {"login": "bob"}}
    save_runs(db, run_payload(1, **fail, **times("14:00")))
    save_runs(db, run_payload(2, **of("acme/web"), **times("15:00")), repo="acme/web")
    save_responses(db)
    return db


def of(repo: str) -> dict[str, Any]:
    return {"repository": {"full_name": repo}, "head_repository": {"full_name": repo}}


def repos(page: Any) -> list[str]:
    page.locator("body[data-lost]").wait_for()
    texts = page.locator(".tile").all_text_contents()
    return [re.findall("|".join(REPOS), text)[0] for text in texts]


def test_a_view_survives_being_written_and_read(wall: Database, visit: "Visit") -> None:
    page = visit.open()

    @settings(max_examples=100)
    @given(VIEWS)
    def check(view: dict[str, Any]) -> None:
        assert page.evaluate(READ, [view, ""]) == {"view": view, "ignored": []}

    check()


def test_no_address_is_an_error(wall: Database, visit: "Visit") -> None:
    page = visit.open()
    names = st.sampled_from(
        ["repo", "mute", "cols", "page", "tz", "screen", "__proto__", ""]
    )

    @settings(max_examples=100)
    @given(st.lists(st.tuples(names | words, words)))
    def check(pairs: list[tuple[str, str]]) -> None:
        result = page.evaluate(READ, [None, f"?{urlencode(pairs)}"])
        again = page.evaluate(READ, [result["view"], ""])
        assert again == {"view": result["view"], "ignored": []}

    check()


def test_every_parameter_is_documented_and_no_other(
    wall: Database, visit: "Visit"
) -> None:
    text = (ROOT / "docs/wall.md").read_text()
    [section] = re.findall(r"^## The parameters.*?(?=^## )", text, re.M | re.S)
    documented = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", section, re.M)
    page = visit.open()
    known = page.evaluate(READ, [None, ""])["view"]
    assert [name for name, _ in documented] == list(known)
    for _, example in documented:
        assert page.evaluate(READ, [None, f"?{example}"])["ignored"] == []


@pytest.mark.parametrize(
    "text",
    [
        "state=green",
        "hide=running",
        "sort=age",
        "group=branch",
        "cols=0",
        "cols=21",
        "cols=1e1",
        "page=1s",
        "page=soon",
        "screen=3of2",
        "screen=0of2",
        "theme=pink",
        "tz=Europe/Atlantis",
        "kiosk=yes",
        "columns=3",
        "mute=acme/api",
    ],
)
def test_invalid_parameters_are_shown_and_ignored(
    wall: Database, visit: "Visit", expect: Any, text: str
) -> None:
    page = visit.open(f"?{text}&repo=acme/api")
    expect(page.locator("#note")).to_have_text(f"Not understood in the address: {text}")
    assert repos(page) == ["acme/api"]
    page.get_by_role("button", name="1 failing").click()
    expect(page).to_have_url(f"{visit.server.url}?repo=acme%2Fapi&state=failing")
    expect(page.locator("#note")).to_be_hidden()


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["acme/api", "acme/docs", "acme/web"]),
        ("repo=ACME/web&repo=acme/api", ["acme/api", "acme/web"]),
        ("workflow=other.yml", []),
        ("event=schedule", ["acme/api"]),
        ("actor=ada", ["acme/web"]),
        ("actor=ada&event=schedule", []),
        ("state=passing&state=unknown", ["acme/docs", "acme/web"]),
        ("hide=passing", ["acme/api", "acme/docs"]),
        ("hide=passing&hide=unknown", ["acme/api"]),
        ("q=web+ada", ["acme/web"]),
        ("screen=1of2", ["acme/api", "acme/docs"]),
        ("screen=2of2", ["acme/web"]),
    ],
)
def test_the_address_says_which_tiles_there_are_with_javascript_and_without(
    wall: Database, new_visit: "NewVisit", query: str, shown: list[str]
) -> None:
    assert repos(new_visit().open(f"?{query}")) == shown
    if "screen" not in query:
        table = new_visit(java_script_enabled=False).open(f"?{query}")
        assert table.locator("tbody td:nth-child(2)").all_text_contents() == shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("sort=name", ["acme/api", "acme/docs", "acme/web"]),
        ("sort=newest", ["acme/web", "acme/api", "acme/docs"]),
    ],
)
def test_the_address_says_the_order(
    wall: Database, visit: "Visit", expect: Any, query: str, shown: list[str]
) -> None:
    # The script that knows other orders comes when it is asked for.
    expect(visit.open(f"?{query}").locator(".tile")).to_contain_text(shown)


def test_the_address_says_the_time_zone(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?tz=Asia/Kathmandu")
    expect(page.locator("#clock")).to_have_text("23:45")
    expect(page.locator(".tile", has_text="acme/api")).to_contain_text("since 19:45")


def test_the_kiosk_shows_the_time_and_the_age_of_the_data_only(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?kiosk=1")
    expect(page.locator("#clock")).to_have_text("18:00")
    expect(page.locator("#age")).to_have_text("updated 20\xa0s ago")
    expect(page.get_by_role("button", name="Settings")).to_be_hidden()
    expect(page.get_by_role("navigation")).to_be_hidden()
    expect(page.locator("#counts")).to_be_hidden()
    assert page.locator("header").bounding_box()["height"] < 40


def test_a_banner_is_shown_in_the_kiosk(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    save_poll(wall, error="Reason in words.", error_kind="offline")
    page = visit.open("?kiosk=1")
    expect(page.locator("#banner")).to_contain_text("GitHub does not respond")


def test_the_kiosk_hides_a_resting_pointer_and_its_leave_button(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?kiosk=1")
    cursor = "getComputedStyle(document.querySelector('.tile')).cursor"
    # Chromium sometimes sends this for a pointer that rests on a new page.
    page.evaluate(
        "document.dispatchEvent("
        "new PointerEvent('pointermove', { pointerType: 'mouse' }))"
    )
    visit.settle()
    assert page.evaluate(cursor) == "none"
    leave = page.get_by_role("button", name="Leave kiosk")
    expect(leave).to_be_hidden()
    page.mouse.move(500, 500)
    expect(leave).to_be_visible()
    assert page.evaluate(cursor) != "none"
    page.clock.fast_forward(4000)
    expect(leave).to_be_hidden()
    assert page.evaluate(cursor) == "none"
    page.mouse.move(600, 500)
    leave.click()
    expect(page).to_have_url(visit.server.url)
    expect(page.get_by_role("button", name="Settings")).to_be_visible()
