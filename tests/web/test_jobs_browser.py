"""A workflow's jobs and a run in a real browser: refreshes, a phone, no scripts."""

from typing import TYPE_CHECKING, Any

import pytest
from archive import save_runs, watch
from factories import run_payload, times
from job_objects import job_object, save_jobs
from sqlite_utils import Database
from walls import PHONE, save_poll

if TYPE_CHECKING:
    from browser import NewVisit, Visit

pytestmark = pytest.mark.browser

JOBS = "workflows/acme/api/ci.yml/jobs"
WIDTH = "document.documentElement.scrollWidth"


@pytest.fixture
def archive(db: Database) -> Database:
    """Thirty runs, each with a job of a long name."""
    watch(db, ("acme/api", "ci.yml"))
    save_poll(db)
    save_runs(db, *(run_payload(n, **times(f"11:{n:02}")) for n in range(10, 40)))
    for n in range(10, 40):
        jobs = (
            job_object(100 + n, "build"),
            job_object(200 + n, "w" * 200, created=71),
        )
        save_jobs(db, n, *jobs)
    return db


def add_run(db: Database) -> None:
    save_runs(db, run_payload(40, conclusion="failure", **times("12:00")))
    save_jobs(db, 40, job_object(140, "build"), job_object(240, "test", "failure"))


def test_the_jobs_of_a_workflow(
    archive: Database, new_visit: "NewVisit", expect: Any
) -> None:
    visit = new_visit(viewport=PHONE)
    page = visit.open(f"{JOBS}?theme=light")
    expect(page.locator("#age")).to_contain_text("\xa0s ago")
    assert page.evaluate(WIDTH) == PHONE["width"]
    # The names and the newest run are in view, the oldest run is not.
    grid = page.locator(".jobgrid")
    newest = grid.locator("[data-key='39']").bounding_box()
    assert 0 < newest["x"] < PHONE["width"] - newest["width"]
    assert grid.locator("[data-key='10']").bounding_box()["x"] < 0
    assert grid.locator("tbody th").first.bounding_box()["x"] > 0

    page.evaluate("window.isSamePage = true")
    page.get_by_text("What the numbers mean").click()
    add_run(archive)
    visit.refresh()
    expect(grid.locator("thead a")).to_have_count(31)
    expect(page.locator("[aria-labelledby=red-title] li")).to_contain_text(
        "test at Run"
    )
    expect(page.get_by_text("without being skipped")).to_be_visible()
    assert page.evaluate("window.isSamePage")
    newest = grid.locator("[data-key='40']").bounding_box()
    assert newest["x"] + newest["width"] <= PHONE["width"]

    page.locator(".stats__opens", has_text="build").click()
    page.wait_for_url("**/jobs?job=build&theme=light#job")
    expect(page.locator(".stats__steps")).to_contain_text("Set up job")
    page.locator(".stats thead a", has_text="Runs").first.click()
    page.wait_for_url("**sort=runs**")
    expect(page.locator("[aria-sort=descending]")).to_have_text("Runs ▾")
    assert page.evaluate(WIDTH) == PHONE["width"]
    grid.locator("[data-key='40'] a").click()
    page.wait_for_url("**/runs/40?theme=light")


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_run_and_its_jobs(
    archive: Database, new_visit: "NewVisit", expect: Any, has_scripts: bool
) -> None:
    add_run(archive)
    visit: Visit = new_visit(viewport=PHONE, java_script_enabled=has_scripts)
    page = visit.open("runs/40?theme=dark")
    expect(page.get_by_role("status")).to_have_text("failure")
    assert page.locator("html").evaluate("(html) => html.scrollWidth") == PHONE["width"]
    # The steps of the failed job are open, those of the other after a click.
    expect(page.locator("#job-240 .steps")).to_be_visible()
    expect(page.locator("#job-140 .steps")).to_be_hidden()
    page.locator("#job-140 summary").click()
    expect(page.locator("#job-140 .steps")).to_be_visible()
    bar = page.locator("#job-140 .line__ran").bounding_box()
    assert bar["width"] > 100
    assert bar["x"] + bar["width"] <= PHONE["width"]
    if not has_scripts:
        return
    save_runs(
        archive,
        run_payload(40, run_attempt=2, **times("12:30")),
    )
    kept = job_object(140, "build", run_attempt=1)
    again = job_object(340, "test", run_attempt=2)
    save_jobs(archive, 40, kept, again, attempt=2)
    visit.refresh()
    expect(page.get_by_role("status")).to_have_text("success")
    expect(page.locator("[aria-label=Attempts] a")).to_have_count(2)
    expect(page.locator("[aria-label='Kept jobs'] .line")).to_have_count(1)
