"""Accessibility of Datasette's pages in our frame: axe-core, and no page too wide."""

from typing import TYPE_CHECKING, Any

import pytest
from archive import save_runs, watch
from axe import violations
from factories import run_payload, times
from sqlite_utils import Database
from walls import PHONE, save_poll

if TYPE_CHECKING:
    from browser import NewVisit

SQL = "sql=select+repo,+'text'+as+word,+1+as+number+from+runs+--+a+comment"
PAGES = {
    "index": "-/",
    "database": "ci_observer",
    "table": "ci_observer/runs",
    "facets and filters": (
        "ci_observer/runs?_facet=conclusion&_facet=event&event__contains=u&_size=1"
    ),
    "empty table": "ci_observer/runs?event=none",
    "view": "ci_observer/wall",
    "row": "ci_observer/runs/1",
    "query": "ci_observer/recent_failures",
    "query with parameters": "ci_observer/runs_of_commit?sha=a",
    "typed SQL": f"ci_observer?{SQL}",
    "typed SQL with an error": "ci_observer?sql=select+none",
    "no page": "ci_observer/none",
    "refused": "-/settings",
    "actor": "-/actor",
    "dashboards": "-/dashboards",
    "login": "login",
}


@pytest.fixture
def archive(db: Database) -> Database:
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db)
    save_runs(
        db, run_payload(1), run_payload(2, conclusion="failure", **times("11:00"))
    )
    return db


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing(
    archive: Database, new_visit: "NewVisit", theme: str
) -> None:
    visit = new_visit()
    page: Any = visit.page
    page.add_init_script(f"localStorage.setItem('ci-observer-theme', '{theme}')")
    found = {}
    for name, path in PAGES.items():
        page.goto(visit.server.url + path)
        found[name] = violations(page)
    visit.complaints.clear()  # The browser writes a line for each status of an error.
    assert found == dict.fromkeys(PAGES, [])


@pytest.mark.browser
def test_no_page_is_wider_than_a_phone(
    archive: Database, new_visit: "NewVisit"
) -> None:
    visit = new_visit(viewport=PHONE)
    widths = {}
    for name, path in PAGES.items():
        visit.page.goto(visit.server.url + path)
        widths[name] = visit.page.evaluate("document.documentElement.scrollWidth")
    visit.complaints.clear()
    assert widths == dict.fromkeys(PAGES, PHONE["width"])
