"""Takes pictures of every page, to look at: `python docs/gallery.py [NAME ...]`.

Each page of the demo in both themes and three sizes, and walls of several numbers of
tiles, sharp and as seen from a distance. They and an index.html are written to
build/gallery, which is not under version control.
"""

import sys
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from urllib.parse import urlencode

import click
from picture_servers import NOW, PHONE, chromium, running_demo, running_wall
from playwright.sync_api import Browser, Error, Page

FOLDER = Path(__file__).parents[1] / "build" / "gallery"
SIZES = {
    "tv": {"width": 1920, "height": 1080},
    "laptop": {"width": 1366, "height": 768},
    "phone": PHONE,
}
THEMES = ("dark", "light")
WALLS = (1, 7, 24, 60, 200)
# A television as seen from 20 m: letters of 22 px are just readable.
FROM_AFAR = "document.documentElement.style.filter = 'blur(4px)'"
RUN = "select run_id, repo, head_sha from runs order by started_at desc limit 1"
SQL = "select repo, count(*) as runs from runs group by repo order by 2 desc"

# The pages by name. A page with a fragment opens what a click on that id opens.
PAGES = {
    "wall": "/",
    "wall-part": "/?repo=acme/design-system&screen=1of2&kiosk=1",
    "wall-no-match": "/?repo=acme/nothing",
    "wall-settings": "/#settings",
    "runs": "/runs",
    "runs-filtered": "/runs?conclusion=failure&repo=acme/web-store",
    "runs-no-match": "/runs?q=nothing+like+this",
    "workflow": "/workflows/acme/web-store/e2e.yml",
    "jobs": "/workflows/acme/web-store/e2e.yml/jobs",
    "commits": "/commits/acme/web-store",
    "summary": "/summary",
    "api": "/api",
    "dashboard": "/-/dashboards/ci-observer",
    "dashboard-empty": "/-/dashboards/ci-observer?repo=acme/nothing",
    "dashboard-chart": "/-/dashboards/ci-observer/success-by-workflow",
    "data": "/ci_observer",
    "table-runs": "/ci_observer/runs",
    "table-jobs": "/ci_observer/jobs",
    "table-wall": "/ci_observer/wall",
    "sql": "/ci_observer?" + urlencode({"sql": SQL}),
    "sql-wrong": "/ci_observer?sql=select+*+from+nothing",
    "not-found": "/nothing",
    "not-found-table": "/ci_observer/nothing",
    "login": "/login",
}


def pages_of(page: Page, url: str) -> Mapping[str, str]:
    """All pages: those above, a row, a run, a commit, and each example query."""
    get = page.request.get
    database = get(f"{url}ci_observer.json").json()
    rows = get(f"{url}ci_observer.json?" + urlencode({"sql": RUN, "_shape": "arrays"}))
    [[run_id, repo, sha]] = rows.json()["rows"]
    queries = {
        f"query-{query['name']}": f"/ci_observer/{query['name']}"
        for query in database["queries"]
    }
    found = {
        "row": f"/ci_observer/runs/{run_id}",
        "run": f"/runs/{run_id}",
        "commit": f"/commits/{repo}/{sha}",
    }
    return PAGES | found | queries


def take_picture(page: Page, name: str) -> str:
    """Save what the page shows; return the name of the file."""
    try:
        page.wait_for_load_state("networkidle", timeout=15_000)
    except Error:
        click.echo(f"{name}: the page still makes requests", err=True)
    page.screenshot(path=FOLDER / f"{name}.png")
    return f"{name}.png"


def pictures_of_demo(browser: Browser, only: set[str]) -> Iterator[str]:
    with running_demo() as url:
        page = browser.new_page()
        for name, address in pages_of(page, url).items():
            if only and name not in only:
                continue
            path, _, clicked = address.partition("#")
            for theme in THEMES:
                for size, window in SIZES.items():
                    page.set_viewport_size(window)
                    page.goto(url.rstrip("/") + with_theme(path, theme))
                    if clicked:
                        page.locator(f"#{clicked}").click()
                    yield take_picture(page, f"{name}-{theme}-{size}")
        page.close()


def with_theme(path: str, theme: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}theme={theme}"


def pictures_of_walls(browser: Browser, only: set[str]) -> Iterator[str]:
    for feeds in WALLS:
        name = f"wall-{feeds}"
        if only and name not in only:
            continue
        with running_wall(feeds) as url:
            page = browser.new_page()
            page.clock.install(time=NOW)
            for size, window in SIZES.items():
                page.set_viewport_size(window)
                page.goto(url)
                page.locator(".tile").first.wait_for()
                yield take_picture(page, f"{name}-{size}")
                if size == "tv":
                    page.evaluate(FROM_AFAR)
                    yield take_picture(page, f"{name}-from-afar")
            page.close()


def write_index(names: list[str]) -> None:
    figures = "".join(
        f'<figure><a href="{escape(name)}"><img src="{escape(name)}" loading="lazy"'
        f' alt=""></a><figcaption>{escape(name)}</figcaption></figure>'
        for name in names
    )
    (FOLDER / "index.html").write_text(
        "<!DOCTYPE html><meta charset=utf-8><title>CI Observer: every page</title>"
        "<style>body{font:14px sans-serif;display:flex;flex-wrap:wrap;gap:1em}"
        "figure{margin:0}img{height:18em;border:1px solid #999}</style>" + figures
    )


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    only, taken = set(sys.argv[1:]), []
    with chromium() as browser:
        for pictures in (pictures_of_demo, pictures_of_walls):
            for name in pictures(browser, only):
                taken.append(name)
                click.echo(name)
    write_index(taken)
    click.echo(f"{len(taken)} pictures: {FOLDER / 'index.html'}")


if __name__ == "__main__":
    main()
