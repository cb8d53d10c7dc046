"""What the wall tells without being looked at: its tab, a message, two notes."""

import re
from typing import TYPE_CHECKING, Any

import pytest
from archive import NOW, save_runs, watch
from factories import run_payload, times
from sqlite_utils import Database
from walls import save_poll

from ci_observer.ingest.store import feeds

if TYPE_CHECKING:
    from browser import NewVisit, Visit

pytestmark = pytest.mark.browser

WORSE, BETTER = [440, 330], [523, 784]
# The browser's own messages and notes, written down as they are made.
RECORD = """
  window.told = [];
  const Real = window.Notification;
  window.Notification = class extends Real {
    constructor(title, options) {
      super(title, options);
      window.told.push([title, options.body]);
    }
  };
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (at) {
    window.told.push(this.frequency.value);
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
    """The page once it compares answers: its own import comes before this one."""
    page = visit.open(query)
    page.evaluate("async () => void await import('/static/wall/messages.js')")
    return page


def told(page: Any) -> list[Any]:
    """What was told since the last question."""
    list_: list[Any] = page.evaluate("window.told.splice(0)")
    return list_


@pytest.fixture
def messages(new_visit: "NewVisit") -> "Visit":
    """A window that may show messages."""
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
def test_the_tab_tells_the_worst(
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


def test_an_alarm_is_told_in_the_tab(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    lose_access(wall)
    page = visit.open()
    expect(page).to_have_title("1 alarm – CI Observer")  # noqa: RUF001
    expect(page.locator("#icon")).to_have_attribute("href", re.compile("alarm"))


def lose_access(db: Database) -> None:
    [feed, _] = feeds.watched(db)
    feeds.save_error(db, feed, error="gone", kind="not_found", now=NOW, retry_at=None)


def test_a_change_is_told_in_a_message(
    wall: Database, messages: "Visit", expect: Any
) -> None:
    page = open_listening(messages, "?notify=1")
    api = page.locator(".tile", has_text="acme/api")
    fail(wall, 3, "acme/api")
    messages.refresh()
    expect(api).to_have_attribute("data-state", "failing")
    assert told(page) == [["CI, acme/api: failing, was passing", ""]]
    save(wall, 4, "acme/api", "15:00")
    messages.refresh()
    expect(api).to_have_attribute("data-state", "passing")
    assert told(page) == [["CI, acme/api: passing, was failing", ""]]


def test_changes_at_once_are_told_in_one_message(
    wall: Database, messages: "Visit", expect: Any
) -> None:
    page = open_listening(messages, "?notify=1")
    fail(wall, 3, "acme/api")
    fail(wall, 4, "acme/web")
    messages.refresh()
    expect(page.locator('.tile[data-state="failing"]')).to_have_count(2)
    [[title, body]] = told(page)
    assert title == "2 workflows changed"
    assert sorted(body.split("\n")) == [
        "CI, acme/api: failing, was passing",
        "CI, acme/web: failing, was passing",
    ]


def test_nothing_is_told_without_a_change(
    wall: Database, messages: "Visit", expect: Any
) -> None:
    """Not when the page is opened, nor by a filter, nor for the same result again."""
    fail(wall, 3, "acme/api")
    page = open_listening(messages, "?notify=1&q=web")
    expect(page.locator(".tile")).to_have_count(1)
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Search").fill("")
    expect(page.locator(".tile")).to_have_count(2)
    fail(wall, 4, "acme/api", "15:00")
    messages.refresh()
    expect(page.locator(".tile", has_text="acme/api")).to_contain_text("2nd in a row")
    assert told(page) == []


def test_what_is_filtered_away_is_not_told(
    wall: Database, messages: "Visit", expect: Any
) -> None:
    page = open_listening(messages, "?notify=1&repo=acme/web")
    fail(wall, 3, "acme/api")
    save(wall, 4, "acme/web", "15:00", display_title="Later")
    messages.refresh()
    expect(page.locator(".tile")).to_contain_text("Later")
    assert told(page) == []


def test_what_comes_back_as_it_was_is_no_change(
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
    assert told(page) == []
    lose_access(wall)
    messages.refresh()
    expect(api).to_have_attribute("data-state", "no_access")
    fail(wall, 3, "acme/api")
    messages.refresh()
    expect(api).to_have_attribute("data-state", "failing")
    assert told(page) == [["CI, acme/api: failing, was passing", ""]]


def test_a_refused_permission_is_told(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?notify=1")
    expect(page.locator("#note")).to_contain_text("The browser shows no notifications")


def test_a_browser_that_throws_at_messages_is_told(
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
    expect(page.locator("#note")).to_contain_text("Illegal constructor")
    expect(page.locator('.tile[data-state="failing"]')).to_have_count(1)


def test_messages_that_could_not_be_loaded_are_loaded_with_the_next_answer(
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
    assert told(page) == [["CI, acme/api: failing, was passing", ""]]


def test_two_notes_fall_and_rise(
    wall: Database, messages: "Visit", expect: Any
) -> None:
    page = messages.open()
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Sound").check()
    expect(page).to_have_url(re.compile("sound=1"))
    page.evaluate("async () => void await import('/static/wall/messages.js')")
    expect(page.locator("#note")).to_be_hidden()
    fail(wall, 3, "acme/api")
    messages.refresh()
    expect(page.locator('.tile[data-state="failing"]')).to_have_count(1)
    assert told(page) == WORSE
    save(wall, 4, "acme/api", "15:00")
    messages.refresh()
    expect(page.locator('.tile[data-state="failing"]')).to_have_count(0)
    assert told(page) == BETTER


def test_sound_that_the_browser_keeps_off_is_told_until_somebody_clicks(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?sound=1")
    expect(page.locator("#note")).to_contain_text("plays no sound")
    page.get_by_role("heading", name="CI Observer").click()
    page.clock.run_for(1000)
    expect(page.locator("#note")).to_be_hidden()
    assert [text for text in visit.complaints if "AudioContext" not in text] == []
    visit.complaints.clear()
