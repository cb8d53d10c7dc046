"""The wall in a browser while another instance is there, gone, and back."""

import re
from typing import Any

import pytest
from browser import NewVisit, Visit
from instances import Instance, NewInstance, in_a_cycle

Cycle = tuple[Instance, Instance]


@pytest.fixture
def both(new_instance: NewInstance) -> Cycle:
    """Two instances that show each other, and may be stopped."""
    return in_a_cycle(new_instance)


@pytest.fixture
def server(both: Cycle) -> Instance:
    """The instance whose wall is opened."""
    return both[0]


def tile(page: Any, repo: str, place: str) -> Any:
    link = page.locator(f'.tile__name a[aria-label*="{repo} {place}"]')
    return page.locator(".tile").filter(has=link)


def test_a_missing_instance_is_loud_and_its_tiles_are_stale(
    both: Cycle, new_visit: NewVisit, expect: Any
) -> None:
    a, b = both
    a.wait_for(b.name, "ok")
    visit: Visit = new_visit()
    page = visit.open()
    theirs = tile(page, "acme/shared", f"main · {b.name}")
    expect(theirs).to_have_attribute("data-state", "passing")
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator(".tile")).to_have_count(4)
    expect(page.locator("#age")).to_contain_text(f"{b.name} 0", timeout=60_000)
    link = theirs.locator(".tile__name a").get_attribute("href")
    assert link.startswith(f"{b.address}/workflows/acme/shared/ci.yml")
    assert page.title().startswith("2 failing")

    b.stop()
    a.wait_for(b.name, "missing")
    visit.refresh()

    banner = page.locator("#banner")
    expect(banner).to_have_attribute("data-level", "loud")
    expect(banner).to_contain_text("Other instances")
    expect(banner).to_contain_text(
        f"{b.name}: it does not respond (connection refused)"
    )
    expect(theirs).to_have_attribute("data-state", "stale")
    expect(page.locator('.tile[data-state="stale"]')).to_have_count(2)
    assert page.title().startswith("1 failing, 2 alarms, instance missing")

    b.start()
    a.wait_for(b.name, "ok")
    visit.refresh()

    expect(banner).to_be_hidden()
    expect(theirs).to_have_attribute("data-state", "passing")


def test_a_wall_never_says_all_passing_while_an_instance_is_missing(
    both: Cycle, new_visit: NewVisit, expect: Any
) -> None:
    a, b = both
    b.stop()
    a.wait_for(b.name, "missing")

    page = new_visit().open("?repo=acme/api")

    expect(page.locator("#banner")).to_have_attribute("data-level", "loud")
    expect(page.locator(".tile")).to_have_count(1)
    assert page.title().startswith("instance missing")
    assert "passing" not in page.title()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1366, 768)])
def test_the_age_of_an_instance_leaves_the_header_whole(
    both: Cycle, new_visit: NewVisit, expect: Any, width: int, height: int
) -> None:
    a, b = both
    a.wait_for(b.name, "ok")
    page = new_visit(viewport={"width": width, "height": height}).open()
    expect(page.locator("#age")).to_contain_text("others", timeout=60_000)
    expect(page.locator("#age")).to_have_attribute("title", re.compile(f"{b.name} "))

    lines = page.locator(".head__name").evaluate(
        "node => node.offsetHeight / parseFloat(getComputedStyle(node).lineHeight)"
    )
    assert lines == pytest.approx(1, abs=0.2)
    if width > height:
        clock, theme = (
            page.locator(selector).bounding_box() for selector in ("#clock", "#theme")
        )
        assert theme["y"] < clock["y"] + clock["height"]
