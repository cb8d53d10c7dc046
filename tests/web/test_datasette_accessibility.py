"""Accessibility of Datasette's pages in our frame: axe-core, and no page too wide."""

from typing import TYPE_CHECKING, Any

import pytest
from archive import save_runs, watch
from axe import violations
from factories import run_payload, times
from operators import cookies_of
from sqlite_utils import Database
from walls import PHONE, save_poll

if TYPE_CHECKING:
    from browser import NewVisit, Visit

DESKTOP = {"width": 1366, "height": 768}
SQL = "sql=select+repo,+'text'+as+word,+1+as+number+from+runs+--+a+comment"
PAGES = {
    "index": "-/",
    "database": "ci_observer",
    "table": "ci_observer/runs",
    "facets and filters": (
        "ci_observer/runs?_facet=conclusion&_facet=event&event__contains=u&_size=1"
    ),
    "empty table": "ci_observer/runs?event=none",
    "row": "ci_observer/runs/1",
    "query": "ci_observer/recent_failures",
    "typed SQL": f"ci_observer?{SQL}",
    "typed SQL with an error": "ci_observer?sql=select+none",
    "no page": "ci_observer/none",
    "login": "login",
    # With the permission debug-menu:
    "settings": "-/settings",
    "logout": "-/logout",
    "allow rules": "-/allow-debug?allow=null&actor=null",
    "permissions": "-/permissions",
    "messages": "-/messages",
}
DEBUG = tuple(PAGES)[tuple(PAGES).index("settings") :]


@pytest.fixture
def archive(db: Database) -> Database:
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db)
    save_runs(
        db, run_payload(1), run_payload(2, conclusion="failure", **times("11:00"))
    )
    return db


def log_in(visit: "Visit") -> None:
    cookies = cookies_of(visit.server.datasette, "root")
    for name, value in cookies.items():
        cookie = {"name": name, "value": value, "url": visit.server.url}
        visit.page.context.add_cookies([cookie])


# All on one page after the other: a browser takes longer to start than axe to check.
@pytest.mark.browser
def test_axe_finds_nothing_in_both_themes_and_no_page_is_wider_than_a_phone(
    archive: Database, new_visit: "NewVisit"
) -> None:
    visit = new_visit(viewport=PHONE)
    page: Any = visit.page
    problems = {}
    for name, path in PAGES.items():
        if name == DEBUG[0]:
            log_in(visit)
        page.goto(visit.server.url + path)
        width = page.evaluate("document.documentElement.scrollWidth")
        problems[name] = [f"{width} px wide"] if width > PHONE["width"] else []
        page.set_viewport_size(DESKTOP)
        problems[name] += violations(page)
        page.evaluate("document.documentElement.dataset.theme = 'light'")
        problems[name] += violations(page, rules=["color-contrast"])
        page.set_viewport_size(PHONE)
    # Chromium logs the status of each error page to the console.
    visit.complaints = [c for c in visit.complaints if "status of" not in c]
    assert {name: found for name, found in problems.items() if found} == {}
