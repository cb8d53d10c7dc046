"""The tab's title and icon, notifications and sounds."""

import re
from typing import TYPE_CHECKING, Any

import pytest
from archive import NOW, save_runs, watch
from factories import run_payload, times
from sqlite_utils import Database
from waiting import eventually
from walls import save_failed_job, save_poll

from ci_observer.ingest.store import feeds

if TYPE_CHECKING:
    from browser import NewVisit, Visit

pytestmark = [pytest.mark.browser, pytest.mark.whole_browser]

WORSE, BETTER = [440, 330], [523, 784]
# Records the browser's notifications and notes.
RECORD = """
  window.announced = [];
  const Real = window.Notification;
  window.Notification = class extends Real {
    constructor(title, options) {
      super(title, options);
      window.announced.push([title, options.body]);
    }
  };
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (at) {
    window.announced.push(this.frequency.value);
    return start.call(this, at);
  };
"""


@pytest.fixture
def wall(db: Database) -> Database:
    """acme/api and acme/web pass."""
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    save_poll(db)
    save(db, 1, "acme/api", "12:00")
    save(db, 2, "acme/web", "12:00")
    return db


def save(db: Database, run_id: int, repo: str, at: str, **changes: Any) -> None:
    of = {"repository": {"full_name": repo}, "head_repository": {"full_name": repo}}
    save_runs(db, run_payload(run_id, **of, **times(at), **changes), repo=repo)


def fail(db: Database, run_id: int, repo: str, at: str = "14:00") -> None:
    save(db, run_id, repo, at, conclusion="failure")


def open_listening(visit: "Visit", query: str) -> Any:
    """The page after its own import of the script, which comes before this one."""
    page = visit.open(query)
    page.evaluate("async () => void await import('/static/wall/messages.js')")
    return page


def announced(page: Any) -> list[Any]:
    """Notifications and notes since the last call."""
    items: list[Any] = page.evaluate("window.announced.splice(0)")
    return items


@pytest.fixture
def messages(new_visit: "NewVisit") -> "Visit":
    """A window that may show notifications."""
    visit = new_visit(permissions=["notifications"])
    visit.page.add_init_script(RECORD)
    return visit


@pytest.mark.parametrize(
    ("conclusions", "title", "icon"),
    [
        (("success", "success"), "all passing – ", "passing"),  # noqa: RUF001
        (("success", "failure"), "1 failing – ", "failing"),  # noqa: RUF001
        (("failure", "failure"), "2 failing – ", "failing"),  # noqa: RUF001
        ((None, "success"), "", "unknown"),
    ],
)
def test_the_tab_shows_the_worst_state(
    db: Database,
    visit: "Visit",
    expect: Any,
    conclusions: tuple[str | None, ...],
    title: str,
    icon: str,
) -> None:
    repos = ("acme/api", "acme/web")
    watch(db, *((repo, "ci.yml") for repo in repos))
    save_poll(db)
    for number, (repo, conclusion) in enumerate(zip(repos, conclusions, strict=True)):
        if conclusion:
            save(db, number + 1, repo, "12:00", conclusion=conclusion)
    page = visit.open()
    expect(page).to_have_title(f"{title}CI Observer")
    expect(page.locator("#icon")).to_have_attribute("href", re.compile(icon))


def test_the_tab_shows_an_alarm(wall: Database, visit: "Visit", expect: Any) -> None:
    lose_access(wall)
    page = visit.open()
    expect(page).to_have_title("1 alarm – CI Observer")  # noqa: RUF001
    expect(page.locator("#icon")).to_have_attribute("href", re.compile("alarm"))


def lose_access(db: Database) -> None:
    [feed, _] = feeds.watched(db)
    feeds.save_error(db, feed, error="gone", kind="not_found", now=NOW, retry_at=None)


def test_a_change_causes_a_notification(
    wall: Database, messages: "Visit", expect: Any
) -> None:
    page = open_listening(messages, "?notify=1")
    api = page.locator(".tile", has_text="acme/api")
    fail(wall, 3, "acme/api")
    save_failed_job(wall, 3, "registry <b>is down</b>")
    messages.refresh()
    expect(api).to_have_attribute("data-state", "failing")
    assert announced(page) == [
        [
            "CI, acme/api: failing, was passing",
            "broken by #3, ada: registry <b>is down</b>",
        ]
    ]
    save(wall, 4, "acme/api", "15:00", actor={"login": "sofia"})
    messages.refresh()
    expect(api).to_have_attribute("data-state", "passing")
    red = "1\N{NO-BREAK SPACE}h 5\N{NO-BREAK SPACE}min"
    assert announced(page) == [
        ["CI, acme/api: passing, was failing", f"fixed by #4, sofia, was red {red}"]
    ]


def test_simultaneous_changes_cause_one_notification(
    wall: Database, messages: "Visit", expect: Any
) -> None:
    page = open_listening(messages, "?notify=1")
    fail(wall, 3, "acme/api")
    fail(wall, 4, "acme/web")
    messages.refresh()
    expect(page.locator('.tile[data-state="failing"]')).to_have_count(2)
    [[title, body]] = announced(page)
    assert title == "2 workflows changed"
    assert sorted(body.split("\n")) == [
        "CI, acme/api: failing, was passing, broken by #3, ada",
        "CI, acme/web: failing, was passing, broken by #4, ada",
    ]


def test_without_a_change_there_is_no_notification(
    wall: Database, messages: "Visit", expect: Any
) -> None:
    """Not when the page opens, when a filter changes, or when a result repeats."""
    fail(wall, 3, "acme/api")
    page = open_listening(messages, "?notify=1&q=web")
    expect(page.locator(".tile")).to_have_count(1)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Search", exact=True).fill("")
    expect(page.locator(".tile")).to_have_count(2)
    fail(wall, 4, "acme/api", "15:00")
    messages.refresh()
    expect(page.locator(".tile", has_text="acme/api")).to_contain_text("2nd in a row")
    assert announced(page) == []


@pytest.mark.parametrize("query", ["repo=acme/web", "mute=acme/api/ci.yml"])
def test_filtered_and_hidden_tiles_cause_no_notification(
    wall: Database, messages: "Visit", expect: Any, query: str
) -> None:
    page = open_listening(messages, f"?notify=1&{query}")
    fail(wall, 3, "acme/api")
    save(wall, 4, "acme/web", "15:00", display_title="Later")
    messages.refresh()
    expect(page.locator(".tile")).to_contain_text("Later")
    assert announced(page) == []


def test_a_result_that_comes_back_unchanged_causes_no_notification(
    wall: Database, messages: "Visit", expect: Any
) -> None:
    page = open_listening(messages, "?notify=1")
    api = page.locator(".tile", has_text="acme/api")
    lose_access(wall)
    messages.refresh()
    expect(api).to_have_attribute("data-state", "no_access")
    [feed, _] = feeds.watched(wall)
    feeds.save_checked(wall, feed, NOW)
    messages.refresh()
    expect(api).to_have_attribute("data-state", "passing")
    assert announced(page) == []
    lose_access(wall)
    messages.refresh()
    expect(api).to_have_attribute("data-state", "no_access")
    fail(wall, 3, "acme/api")
    messages.refresh()
    expect(api).to_have_attribute("data-state", "failing")
    assert announced(page) == [
        ["CI, acme/api: failing, was passing", "broken by #3, ada"]
    ]


def test_a_denied_permission_is_shown(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?notify=1")
    expect(page.locator("#note")).to_contain_text("The browser shows no notifications")


def test_an_error_of_the_notification_api_is_shown(
    wall: Database, new_visit: "NewVisit", expect: Any
) -> None:
    """As Chromium on Android does."""
    visit = new_visit(permissions=["notifications"])
    visit.page.add_init_script(
        "window.Notification = class { static permission = 'granted';"
        " constructor() { throw new TypeError('Illegal constructor'); } }"
    )
    page = open_listening(visit, "?notify=1")
    fail(wall, 3, "acme/api")
    visit.refresh()
    page.clock.run_for(1000)
    expect(page.locator("#note")).to_contain_text("Illegal constructor")
    expect(page.locator('.tile[data-state="failing"]')).to_have_count(1)


def test_the_notification_script_is_loaded_at_the_next_refresh_after_an_error(
    wall: Database, messages: "Visit", expect: Any
) -> None:
    page = messages.page
    page.route("**/static/wall/messages.js", lambda route: route.abort())
    messages.open("?notify=1")
    expect(page.locator("#note")).to_contain_text("could not be loaded")
    page.unroute_all()
    messages.refresh()
    expect(page.locator("#note")).to_be_hidden()
    fail(wall, 3, "acme/api")
    messages.refresh()
    expect(page.locator('.tile[data-state="failing"]')).to_have_count(1)
    assert announced(page) == [
        ["CI, acme/api: failing, was passing", "broken by #3, ada"]
    ]


def test_two_notes_fall_for_worse_and_rise_for_better(
    wall: Database, messages: "Visit", expect: Any
) -> None:
    page = messages.open()
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Sound").check()
    expect(page).to_have_url(re.compile("sound=1"))
    page.evaluate("async () => void await import('/static/wall/messages.js')")
    # The browser starts its sound in its own time.
    page.clock.resume()
    expect(page.locator("#note")).to_be_hidden()
    fail(wall, 3, "acme/api")
    messages.refresh()
    expect(page.locator('.tile[data-state="failing"]')).to_have_count(1)
    assert announced(page) == WORSE
    save(wall, 4, "acme/api", "15:00")
    messages.refresh()
    expect(page.locator('.tile[data-state="failing"]')).to_have_count(0)
    assert announced(page) == BETTER


def note_without_gesture(page: Any) -> str:
    """The note's text. Playwright's own calls count as a user's gesture."""
    expression = "document.getElementById('note').textContent"
    session = page.context.new_cdp_session(page)
    response = session.send("Runtime.evaluate", {"expression": expression})
    session.detach()
    return str(response["result"].get("value", ""))


def test_blocked_sound_is_shown_until_a_click(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.page
    # The browser loads scripts and starts its sound in its own time.
    page.clock.resume()
    page.goto(f"{visit.server.url}?sound=1")
    eventually(lambda: "plays no sound" in note_without_gesture(page))
    page.get_by_role("heading", name="CI Observer").click()
    expect(page.locator("#note")).to_be_hidden()
    assert [text for text in visit.complaints if "AudioContext" not in text] == []
    visit.complaints.clear()


def test_an_untested_result_is_neither_broken_nor_recovered(
    wall: Database, messages: "Visit", expect: Any
) -> None:
    page = open_listening(messages, "?notify=1&sound=1")
    api = page.locator(".tile", has_text="acme/api")
    for at, conclusion, state, said in (
        ("13:00", "cancelled", "untested", []),
        ("13:30", "success", "passing", []),
        ("14:00", "cancelled", "untested", []),
        ("14:30", "failure", "failing", ["CI, acme/api: failing, was passing"]),
        ("15:00", "success", "passing", ["CI, acme/api: passing, was failing"]),
    ):
        save(wall, int(at[:2] + at[3:]), "acme/api", at, conclusion=conclusion)
        messages.refresh()
        expect(api).to_have_attribute("data-state", state)
        texts = [item[0] for item in announced(page) if isinstance(item, list)]
        assert texts == said, at
