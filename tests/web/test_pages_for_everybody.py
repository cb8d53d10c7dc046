"""Accessibility of the pages except the wall: axe-core, contrast, zoom."""

from typing import TYPE_CHECKING, Any

import pytest
from archive import save_runs, watch
from axe import violations
from contrasts import GRAPHIC, TEXT, contrast, themes
from factories import run_payload, times
from job_objects import job_object, save_error, save_jobs
from sqlite_utils import Database
from walls import PHONE, save_poll

if TYPE_CHECKING:
    from browser import NewVisit, Visit

PAGES = {
    "runs": "runs?branch=main&since=2026-01-01",
    "no runs": "runs?branch=none",
    "workflow": "workflows/acme/api/ci.yml",
    "workflow without runs": "workflows/acme/web/ci.yml",
    "jobs": "workflows/acme/api/ci.yml/jobs?job=build",
    "run": "runs/2",
    "commit": f"commits/acme/api/{1:040x}",
    "commits": "commits/acme/api",
    "summary": "summary?days=30",
    "api": "api",
    "error page": "workflows/acme/api/none.yml",
}
# At 200 % zoom a full HD screen has half as many CSS pixels.
ZOOMED = {"width": 960, "height": 540}


@pytest.fixture
def archive(db: Database) -> Database:
    """Every kind of result, a re-run, an unfinished run, a workflow without runs."""
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    save_poll(db)
    words = (
        "success",
        "failure",
        "timed_out",
        "cancelled",
        "skipped",
        "action_required",
    )
    save_runs(
        db,
        *(
            run_payload(n, conclusion=word, **times(f"10:{n:02}"))
            for n, word in enumerate(words, 1)
        ),
        run_payload(8, status="in_progress", conclusion=None, **times("17:50")),
        run_payload(9, head_branch="fix", html_url=None, **times("11:00")),
    )
    save_runs(db, run_payload(2, run_attempt=2, **times("12:00")))
    kept = job_object(1, "build", run_attempt=1)
    save_jobs(db, 2, kept, job_object(2, "test", "failure"))
    again = (job_object(n, f"test ({n})", run_attempt=2) for n in range(3, 20))
    save_jobs(db, 2, kept, *again, job_object(20, "lint", "skipped"), attempt=2)
    save_jobs(db, 3, job_object(21, "build", "failure"))
    save_error(db, 21, "line too long")
    return db


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(
    archive: Database, visit: "Visit", expect: Any, name: str, theme: str
) -> None:
    path = PAGES[name]
    page = visit.open(f"{path}{'&' if '?' in path else '?'}theme={theme}")
    expect(page.locator("#age")).to_contain_text("\xa0s ago")
    # Chromium logs the 404 of a page to the console.
    visit.complaints = [c for c in visit.complaints if "404" not in c]
    for summary in page.locator("summary").all():
        summary.click()
    assert violations(page) == []


@pytest.mark.browser
@pytest.mark.parametrize("viewport", [PHONE, ZOOMED], ids=["phone", "zoomed"])
@pytest.mark.parametrize("name", ["runs", "workflow", "commits", "commit", "api"])
def test_a_small_window_scrolls_one_way_only(
    archive: Database, new_visit: "NewVisit", name: str, viewport: dict[str, int]
) -> None:
    page = new_visit(viewport=viewport).open(PAGES[name])
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == viewport["width"]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("surface", ["page", "panel"])
@pytest.mark.parametrize(
    ("name", "least"),
    [
        *((name, GRAPHIC) for name in ("good", "bad", "other", "mark")),
        *((name, TEXT) for name in ("good", "bad", "mark", "link", "quiet")),
    ],
)
def test_colours_have_enough_contrast(
    theme: str, surface: str, name: str, least: float
) -> None:
    colours = themes("pages/pages.css")[theme]
    assert contrast(colours[name], colours[surface]) >= least
