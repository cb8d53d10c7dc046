"""Tiles that the address hides one by one: `mute=OWNER/REPO/FILE`."""

import re
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
from archive import NOW, of_repo, save_runs, watch
from factories import run_payload, times
from sqlite_utils import Database
from walls import LOUD, PHONE, QUIET, save_poll, save_responses, save_wall

from ci_observer.ingest.config import Config
from ci_observer.ingest.config.watching import Mute, Screen, Team
from ci_observer.ingest.store import tile_settings

if TYPE_CHECKING:
    from browser import Visit

pytestmark = pytest.mark.browser

TITLE = " \N{EN DASH} CI Observer"
PART = " \N{EN DASH} acme/api, acme/web"
# A file name may contain any character but a slash.
ODD = ' a&b=c+100%@v2 "<b>"; ÄÖ.yml '


@pytest.fixture
def wall(db: Database) -> Database:
    """acme/api fails on main and passes on dev; acme/web passes; ODD has never run."""
    repo = {"full_name": "acme/web"}
    web = {"repository": repo, "head_repository": repo}
    watch(db, ("acme/api", "ci.yml"), ("acme/docs", ODD), ("acme/web", "ci.yml"))
    save_poll(db, feeds=3)
    fail = {"conclusion": "failure", **times("14:00")}
    save_runs(db, run_payload(1, **fail))
    save_runs(db, run_payload(2, head_branch="dev", **times("15:00")))
    save_runs(db, run_payload(3, **web, **times("15:00")), repo="acme/web")
    save_responses(db)
    return db


# Another address without another page.
SHOW = """
(address) => {
  history.pushState(null, "", address);
  window.dispatchEvent(new PopStateEvent("popstate"));
}
"""


def mute(*names: str) -> str:
    return urlencode([("mute", name) for name in names])


CASES = [
    ("", 3, None),
    (mute("acme/web/ci.yml"), 2, "1 hidden"),
    (mute("ACME/Web/CI.yml", "acme/web/ci.yml"), 2, "1 hidden"),
    (mute("acme/api/ci.yml"), 2, "1 hidden, 1 failing"),
    (mute("acme/api/ci.yml@MAIN"), 2, "1 hidden, 1 failing"),
    (mute("acme/api/ci.yml@dev"), 3, None),
    (mute("acme/api/ci.yml@dev") + "&branch=dev", 0, "1 hidden"),
    (mute(f"acme/docs/{ODD}"), 2, "1 hidden, 1 unknown"),
    (
        mute("acme/api/ci.yml", f"acme/docs/{ODD}") + "&state=passing",
        1,
        "2 hidden, 1 failing, 1 unknown",
    ),
    (mute("acme/api/ci.yml") + "&repo=acme/web", 1, None),
    (mute("acme/gone/ci.yml", "acme/api"), 3, None),
]


def test_muted_tiles_are_hidden_and_counted_with_javascript_and_without(
    wall: Database, visit: "Visit"
) -> None:
    page = visit.open()
    for query, tiles, text in CASES:
        page.evaluate(SHOW, f"/?{query}")
        visit.settle()
        chip = page.locator("#muted")
        assert page.locator(".tile").count() == tiles, query
        assert chip.is_visible() == bool(text), query
        assert not text or chip.inner_text() == f"{text} ✕", query
        html = page.request.get(f"{visit.server.url}?{query}").text()
        [caption] = re.findall(r"<caption>(.+)</caption>", html)
        assert html.count("<th dir") == tiles, query
        assert ("hidden" in caption) == bool(text), query
        assert not text or f"({text}, <a href=" in caption, query


def test_a_muted_tile_that_is_not_green_forbids_all_passing(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    docs = f"mute=acme/docs/{quote(ODD)}"
    save_runs(wall, run_payload(4, **times("16:00")))
    page = visit.open(f"?{docs}")
    expect(page.locator("#muted")).to_have_attribute("data-level", "calm")
    expect(page).to_have_title(f"1 hidden, 1 unknown{TITLE}")
    expect(page.locator("#icon")).to_have_attribute(
        "href", "/static/shared/favicon-unknown.svg"
    )
    expect(page.locator(".message")).to_have_count(0)
    save_runs(wall, run_payload(5, conclusion="failure", **times("16:30")))
    page = visit.open("?kiosk=1&mute=acme/api/ci.yml&repo=acme/api&repo=acme/web")
    expect(page).to_have_title(f"1 hidden, 1 failing{PART}{TITLE}")
    expect(page.locator("#summary")).to_have_text(
        "acme/api, acme/web, 1 of 3 tiles, 1 hidden, 1 failing: 1 passing"
    )
    expect(page.locator("#muted")).to_be_visible()
    expect(page.locator("#muted")).to_have_attribute("data-level", "failing")
    page.locator("#muted").click()
    expect(page).to_have_url(
        f"{visit.server.url}?repo=acme%2Fapi&repo=acme%2Fweb&kiosk=1"
    )
    expect(page).to_have_title(f"1 failing{PART}{TITLE}")
    save_runs(wall, run_payload(6, **times("17:00")))
    page = visit.open(
        "?mute=acme/api/ci.yml&branch=main&branch=dev&repo=acme/api&repo=acme/web"
    )
    expect(page.locator("#muted")).to_have_text("2 hidden ✕")


def test_many_hidden_states_do_not_widen_a_phone(db: Database, visit: "Visit") -> None:
    kinds = (*LOUD, *QUIET)
    save_wall(db, len(kinds), kinds=kinds)
    names = [f"acme/service-{number:03}/ci.yml" for number in range(1, len(kinds))]
    for size in (PHONE, {"width": 768, "height": 1024}):
        visit.page.set_viewport_size(size)
        page = visit.open(f"?kiosk=1&{mute(*names)}")
        assert page.locator("#muted").inner_text().count(",") > 5
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width == size["width"]


def test_the_settings_mute_group_and_store_views(
    db: Database, visit: "Visit", expect: Any
) -> None:
    names = ("acme/api", "acme/site", "acme/web")
    watch(db, *((name, "ci.yml") for name in names))
    save_poll(db, feeds=3)
    for number, name in enumerate(names, 1):
        conclusion = "success" if number > 1 else "failure"
        payload = run_payload(
            number, **of_repo(name), conclusion=conclusion, **times("14:00")
        )
        save_runs(db, payload, repo=name)
    save_responses(db)
    config = Config(
        teams=(Team(name="Shop", repositories=("acme/web", "acme/api")),),
        screens=(Screen("shop", "team=Shop&theme=light"),),
        muted=(
            Mute(
                repo="acme/api",
                workflow="ci.yml",
                branch=None,
                reason="Known",
                until=date(2030, 1, 1),
            ),
        ),
    )
    tile_settings.save_views(db, config, NOW)
    tile_settings.save_repos(db, config, names, NOW)

    page = visit.open()
    chip = page.locator("#muted")
    expect(chip).to_have_text("1 muted, 1 failing", use_inner_text=True)
    expect(chip).to_have_attribute("data-level", "calm")
    expect(page.locator(".message h2")).to_have_text("2 passing, 1 muted")
    expect(page).to_have_title(f"2 passing, 1 muted{TITLE}")
    icon = page.locator("#icon")
    expect(icon).to_have_attribute("href", "/static/shared/favicon-unknown.svg")
    # What the address hides is still news.
    page.evaluate(SHOW, "/?mute=acme/api/ci.yml&kiosk=1")
    expect(chip).to_have_text("1 muted, 1 failing ✕", use_inner_text=True)
    page.evaluate(SHOW, "/?group=team")
    expect(page.locator(".group")).to_have_text(["no team", "Shop"])
    page = visit.open("s/shop")
    expect(page.locator(".tile")).to_have_count(1)
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    expect(page).to_have_title(f"team Shop: 1 passing, 1 muted{TITLE}")
    page.keyboard.press("g")
    expect(page).to_have_url(f"{visit.server.url}?team=Shop&group=repo&theme=light")
    page.go_back()
    expect(page).to_have_url(f"{visit.server.url}s/shop")
    page.locator("#settings").click()
    expect(page.locator("#drawer .screens a")).to_have_attribute("href", "/s/shop")
    page.keyboard.press("Escape")
    chip.click()
    expect(page).to_have_url(f"{visit.server.url}muted?theme=light")
    expect(page.locator(".mute__reason")).to_have_text("Known")

    # A screen that shows the view takes over a change of it.
    page = visit.open("s/shop")
    expect(page.locator(".tile")).to_have_count(1)
    changed = replace(config, screens=(Screen("shop", "repo=acme/site"),))
    tile_settings.save_views(db, changed, NOW)
    visit.refresh()
    expect(page).to_have_title(re.compile("^acme/site: "))
