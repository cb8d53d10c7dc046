"""The dashboard in a browser: images, tables, links, messages, small screens, axe."""

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from axe import violations
from dashboards import CHARTS, DASHBOARD, PAGE, SUNDAY, fill
from sqlite_utils import Database
from walls import PHONE

from ci_observer.ingest.store.instance import bump_revision

if TYPE_CHECKING:
    from browser import NewVisit, Visit

pytestmark = pytest.mark.browser

IMAGES = [name for name, chart in CHARTS.items() if chart["library"] == "vega-lite"]
LAPTOP = {"width": 1366, "height": 768}
SCRIPT = "</script><img src=x onerror=alert(1)>'\"`${alert(2)}"
# The character at the start would turn the text around it.
HOSTILE = f"\u202e{SCRIPT}"


@pytest.fixture
def example(db: Database) -> Database:
    fill(db)
    return db


@pytest.fixture
def hostile(example: Database) -> None:
    """An archive in which every stored text is hostile."""
    for table, columns in {
        "feeds": ("repo", "workflow", "workflow_name"),
        "tiles": ("repo", "workflow", "branch"),
        "runs": ("repo", "workflow", "head_repo", "head_branch", "display_title"),
    }.items():
        for column in columns:
            example.execute(f"update {table} set {column} = ?", [HOSTILE])  # noqa: S608
    example.execute(
        "update runs set conclusion = ? where conclusion = 'skipped'", [HOSTILE]
    )
    example.conn.commit()


def open_dashboard(visit: "Visit", query: str = "days=2") -> Any:
    """The page, with each chart drawn or its message shown."""
    page = visit.open(f"{PAGE[1:]}?{query}")
    visit.wait_until(
        lambda: (
            page.get_by_text("Loading…").count() == 0
            and page.locator("dd").get_by_text("…", exact=True).count() == 0
        )
    )
    visit.settle()
    return page


def open_tables(page: Any) -> None:
    for summary in page.locator("summary").all():
        summary.press("Enter")


def test_hostile_names_are_shown_as_text_and_run_no_script(
    hostile: None, visit: "Visit", expect: Any
) -> None:
    page = open_dashboard(visit)

    page.locator("#chart-success-by-workflow .mark-rect path").first.hover()

    expect(page.locator(".chart-tooltip")).to_contain_text("onerror=alert(1)")
    assert page.locator("img").count() == 0
    assert page.locator("#repo option").nth(1).inner_text() == SCRIPT
    open_tables(page)
    link = page.locator("#card-duration-by-workflow tbody th a")
    assert link.inner_text() == f"{SCRIPT.partition('/')[2]} · {SCRIPT}"
    path = urlsplit(link.get_attribute("href")).path
    assert unquote(path) == f"/workflows/{HOSTILE}/{HOSTILE}"


@pytest.mark.parametrize("timezone", ["America/Los_Angeles", "Pacific/Kiritimati"])
def test_a_bar_shows_and_opens_its_day_in_any_browser_time_zone(
    example: Database, new_visit: "NewVisit", expect: Any, timezone: str
) -> None:
    query = "days=2&repo=acme/api&branch=main"
    page = open_dashboard(new_visit(timezone_id=timezone), query)

    bar = page.locator("#chart-runs-by-day .mark-rect path").last
    bar.hover()
    expect(page.locator(".chart-tooltip")).to_contain_text("Sun 1 Mar 2026")
    bar.click()
    page.wait_for_url("**/runs?*")

    assert parse_qs(urlsplit(page.url).query) == {
        "repo": ["acme/api"],
        "branch": ["main"],
        "since": [SUNDAY["since"]],
        "until": [SUNDAY["until"]],
        "status": ["queued"],
    }


def counted_links(page: Any) -> list[tuple[int, str]]:
    """The number that a link to runs shows, and the address of these runs."""
    links = page.evaluate(
        "[...document.querySelectorAll('#trends :is(td, li, dd) a')]"
        ".map((link) => [link.textContent, link.getAttribute('href')])"
    )
    return [(int(text.split()[-1]), href) for text, href in links if text[-1].isdigit()]


def rows_behind(page: Any, url: str, href: str) -> list[Any]:
    """The rows that a link opens: runs, or flaky commits in Datasette."""
    if href.startswith("/runs?"):
        address = f"{url}api{href}".replace("&theme=light", "")
        runs: list[Any] = page.request.get(address).json()["runs"]
        return runs
    table: list[Any] = page.request.get(
        f"{url}{href[1:]}".replace("?", ".json?_shape=array&")
    ).json()
    return table


def test_every_chart_has_a_table_whose_numbers_open_their_runs(
    example: Database, visit: "Visit"
) -> None:
    page = open_dashboard(visit, "days=2&repo=acme/api&theme=light")

    assert page.locator(".drawing__image svg").count() == len(IMAGES)
    open_tables(page)
    captions = page.locator(".scroll caption").all_inner_texts()
    assert captions[0] == (
        "Runs per day by result: acme/api · 28 Feb 2026 to 1 Mar 2026 (Europe/Zurich)"
    )
    assert len(captions) == len(IMAGES)
    first, *_ = page.locator("#card-runs-by-day tbody tr").all_inner_texts()
    assert first.split("\t") == ["Sun 1 Mar 2026", *"1011111", "6"]
    last = page.locator("#card-duration-by-workflow tr").last.inner_text()
    assert last.split("\t") == ["CI", "10\xa0s", "40\xa0s", "2"]
    workflow = page.locator("#card-success-by-workflow tbody th a")
    assert workflow.get_attribute("href") == "/workflows/acme/api/ci.yml?theme=light"
    links = counted_links(page)
    assert len(links) > len(CHARTS)
    assert [number for number, _ in links] == [
        len(rows_behind(page, visit.server.url, href)) for _, href in links
    ]


# The fills of the bars, and the colour of a failure on every page.
FILLS = """() => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "var(--bad)";
  const bad = getComputedStyle(probe).color;
  probe.remove();
  const bars = [...document.querySelectorAll("#chart-runs-by-day .mark-rect path")];
  return [bad, bars.map((bar) => getComputedStyle(bar).fill)];
}"""


def test_axe_finds_nothing_and_charts_follow_the_theme(
    example: Database, visit: "Visit", expect: Any
) -> None:
    page = open_dashboard(visit)
    open_tables(page)

    dark, dark_fills = page.evaluate(FILLS)
    assert violations(page) == []
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    light, light_fills = page.evaluate(FILLS)
    assert violations(page) == []

    assert dark != light
    for colour, fills in ((dark, dark_fills), (light, light_fills)):
        assert f'url("#pattern-failure") {colour}' in fills
        assert f'url("#pattern-timed_out") {colour}' in fills


def test_a_small_screen_scrolls_one_way_and_shows_a_chart(
    example: Database, new_visit: "NewVisit"
) -> None:
    visit = new_visit(viewport=PHONE)
    page = open_dashboard(visit, "days=90")

    def check(viewport: dict[str, int], rows: int) -> None:
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width == viewport["width"]
        figures = page.locator(".figure").all()
        assert len({figure.bounding_box()["y"] for figure in figures}) == rows
        bar = page.locator("#chart-success-by-workflow .mark-rect path").first
        assert bar.bounding_box()["width"] > viewport["width"] / 8
        for legend in page.locator(".drawing__legend").all():
            assert legend.evaluate("(list) => list.scrollWidth <= list.clientWidth")

    check(PHONE, rows=2)
    open_tables(page)
    check(PHONE, rows=2)
    open_tables(page)
    page.set_viewport_size(LAPTOP)
    visit.settle()
    check(LAPTOP, rows=1)
    image = page.locator("#chart-runs-by-day svg").bounding_box()
    assert image["y"] + image["height"] < LAPTOP["height"]


def test_an_empty_chart_says_what_is_missing(example: Database, visit: "Visit") -> None:
    page = open_dashboard(visit, "until=2026-01-01&days=1&repo=acme/api&branch=x")

    assert page.locator(".drawing__message").all_inner_texts() == [
        f"{CHARTS[name]['empty']} on this day with these filters: acme/api, x."
        for name in IMAGES
    ]
    figures = page.locator(".figure [data-part=value]").all_inner_texts()
    assert figures == ["0", *"\N{EN DASH}" * 3]
    changes = page.locator(".figure [data-part=change]").all_inner_texts()
    assert changes == ["", "", "", ""]
    assert page.locator("svg.marks, table").count() == 0
    assert violations(page) == []


FAILURES: list[tuple[dict[str, Any] | None, str]] = [
    (
        {"status": 400, "body": '{"error": "The query took too long. Narrow it."}'},
        "The query took too long. Choose fewer days, a repository or a workflow.",
    ),
    ({"status": 503, "body": '{"error": "Busy. Try later."}'}, "Busy. Try later."),
    ({"status": 403, "body": "{}"}, "Access is denied. Reload the page to log in."),
    ({"status": 502, "body": "<p>"}, "The response is not JSON (status 502)."),
    (None, "The server does not respond. It may be restarting, or the network is"),
]


def test_a_chart_without_data_says_why_and_tries_again(
    example: Database, visit: "Visit", expect: Any
) -> None:
    pending = [*FAILURES]

    def fail(route: Any) -> None:
        reply, _ = pending[0]
        route.fulfill(**reply) if reply else route.abort()

    visit.page.route("**/dashboards/*/*.json?*", fail)
    page = open_dashboard(visit)
    message = page.locator("#card-runs-by-day [role=status]")
    button = message.get_by_role("button", name="Try again")
    while pending:
        _, text = pending[0]
        expect(message).to_contain_text(text)
        expect(page.locator("#card-runs")).to_contain_text(FAILURES[0][1])
        pending.pop(0)
        if not pending:
            page.unroute("**/dashboards/*/*.json?*")
        button.click()
    expect(page.locator("#chart-runs-by-day svg")).to_be_visible()
    expect(message).to_be_hidden()
    # Chromium logs each response that is no success.
    visit.complaints.clear()


def test_a_query_that_takes_too_long_offers_shorter_periods(
    example: Database, visit: "Visit", expect: Any
) -> None:
    reply, text = FAILURES[0]
    visit.page.route("**/dashboards/*/*.json?*", lambda route: route.fulfill(**reply))
    page = open_dashboard(visit, "days=90&repo=acme/api&theme=light")

    message = page.locator("#card-duration-by-day [role=status]")
    expect(message).to_contain_text(f"{text} Show 30 days Show 7 days Try again")
    assert violations(page) == []
    page.unroute("**/dashboards/*/*.json?*")
    message.get_by_role("link", name="Show 7 days").click()
    page.wait_for_url("**/ci-observer?days=7&repo=acme%2Fapi&theme=light")
    expect(page.locator("#chart-duration-by-day svg")).to_be_visible()
    # Chromium logs each response that is no success.
    visit.complaints.clear()


# Puts elements at these places of the page, queues an act for each, and ends the acts
# one by one; returns the order in which they began, and how many ran at most.
QUEUE = """async (tops) => {
  const { src } = document.querySelector("script[src*='pages/dashboard']");
  const { queued } = await import(src.replace("dashboard.js", "dashboard_data.js"));
  const request = queued(2);
  const begun = [], ends = [];
  let running = 0, most = 0;
  const all = tops.map((top, i) => {
    const element = document.body.appendChild(document.createElement("i"));
    element.style.cssText = `position: absolute; top: ${top}px; height: 9px`;
    return request(element, () => {
      begun.push(i);
      running += 1;
      most = Math.max(most, running);
      return new Promise((resolve) => ends.push(() => { running -= 1; resolve(); }));
    });
  });
  let isDone = false;
  Promise.all(all).then(() => { isDone = true; });
  for (let turn = 0; !isDone && turn < 999; turn += 1) {
    ends.shift()?.();
    // The page's clock stands still, so no timer would fire.
    await null;
  }
  return [begun, most];
}"""


def test_requests_wait_in_a_queue_those_of_charts_in_view_first(
    example: Database, visit: "Visit"
) -> None:
    page = open_dashboard(visit)

    assert page.evaluate(QUEUE, [9000, 5000, 100, 200, 7000]) == [[2, 3, 1, 4, 0], 2]


def test_an_open_page_draws_new_runs_and_keeps_its_table_open(
    example: Database, visit: "Visit", expect: Any
) -> None:
    page = open_dashboard(visit)
    page.locator("#card-runs-by-day summary").click()
    row = page.locator("#card-runs-by-day tbody tr").first
    assert row.inner_text().split("\t")[1:] == [*"1011111", "6"]
    with example.atomic():
        example.execute(
            "update runs set status = 'completed', conclusion = 'success'"
            " where run_id = 9"
        )
        bump_revision(example)

    page.clock.fast_forward(DASHBOARD["settings"]["autorefresh"] * 60_000)

    expect(row.locator("td").first).to_have_text("2")
    assert row.is_visible()
