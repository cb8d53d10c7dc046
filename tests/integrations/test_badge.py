"""`/badge/OWNER/REPO/FILE.svg`: the state of a workflow as an image."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
import pytest_asyncio
from archive import NOW, save, set_clock, watch
from contrasts import contrast
from datasette.app import Datasette
from every_tile import FAILING, GREEN, KINDS, save_every_tile
from factories import UNUSUAL_FILES, run_payload
from sqlite_utils import Database
from web_client import get_error, serving, serving_example

from ci_observer.web.integrations.badge import COLOURS, GREY
from ci_observer.web.integrations.badge import GREEN as GREEN_COLOUR
from ci_observer.web.integrations.badge_image import LABEL_COLOUR, badge_image

SVG = "{http://www.w3.org/2000/svg}"
MESSAGES = {
    **dict.fromkeys(GREEN, "passing"),
    **dict.fromkeys(FAILING, "failing"),
    "tag": "passing",
    "invalid_file": "invalid file",
    "no_access": "no access",
    "archived": "disabled",
    **{kind: kind for kind in ("stale", "disabled", "stuck", "overdue", "blocked")},
    **{kind: kind for kind in ("held", "unknown")},
    **dict.fromkeys(("cancelled", "misunderstood", "no_conclusion"), "untested"),
    **dict.fromkeys(("stale_run", "phantom", "no_runs"), "untested"),
    "pull_requests_only": "unknown",
    "muted_failing": "failing, muted",
    "muted_passing": "passing, muted",
}
ADDRESS = "/badge/acme/api/ci.yml.svg"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def datasette(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Datasette]:
    folder = tmp_path_factory.mktemp("badge")
    async with serving_example(folder, save_every_tile) as datasette:
        yield datasette


def title_of(content: bytes) -> str | None:
    return ET.fromstring(content).findtext(f"{SVG}title")  # noqa: S314 (our own)


async def get_title(datasette: Datasette, path: str) -> str | None:
    """The text of a badge for a screen reader."""
    response = await datasette.client.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/svg+xml; charset=utf-8"
    return title_of(response.content)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_badge_says_what_the_tile_says(datasette: Datasette) -> None:
    titles = {
        kind: await get_title(datasette, f"/badge/acme/{kind}/ci.yml.svg")
        for kind in KINDS
    }

    assert titles == {kind: f"CI: {MESSAGES[kind]}" for kind in KINDS}


@pytest.mark.asyncio(loop_scope="module")
async def test_only_a_proved_success_is_green(datasette: Datasette) -> None:
    green = set()
    for kind in KINDS:
        response = await datasette.client.get(f"/badge/acme/{kind}/ci.yml.svg")
        if GREEN_COLOUR in response.text:
            green.add(kind)

    assert green == {*GREEN, "tag"}


def test_every_colour_can_be_read() -> None:
    colours = {*COLOURS.values(), GREY, LABEL_COLOUR}

    assert min(contrast("#ffffff", colour) for colour in colours) >= 4.5


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/badge/ACME/Failing/ci.yml.svg", "CI: failing"),
        ("/badge/acme/failing/ci.yml.svg?label=main+build", "main build: failing"),
        ("/badge/acme/failing/ci.yml.svg?label=", "CI: failing"),
        ("/badge/acme/failing/ci.yml.svg?label=%00", "CI: failing"),
        ("/badge/acme/failing/ci.yml.svg?branch=main", "CI: failing"),
        ("/badge/acme/failing/ci.yml.svg?branch=none", "CI: no runs"),
        ("/badge/acme/failing/none.yml.svg", "none.yml: unknown workflow"),
        ("/badge/acme/none/ci.yml.svg?label=CI", "CI: unknown workflow"),
        ("/badge/acme/failing/.svg.svg", ".svg: unknown workflow"),
        ("/badge/a/b/%00%ff.svg", "\ufffd: unknown workflow"),
    ],
)
async def test_the_label_and_the_branch_can_be_chosen(
    datasette: Datasette, path: str, title: str
) -> None:
    assert await get_title(datasette, path) == title


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("branch=a&branch=b", "A badge has one branch: write branch=main."),
        (f"label={'x' * 61}", "label takes at most 60 characters."),
        ("style=flat", "Unknown filter 'style'. Allowed: branch, label."),
    ],
)
async def test_a_wrong_parameter_is_400(
    datasette: Datasette, query: str, message: str
) -> None:
    error = await get_error(datasette, f"/badge/acme/failing/ci.yml.svg?{query}")

    assert error == (400, message)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_image_proxy_asks_again_each_time(datasette: Datasette) -> None:
    path = "/badge/acme/failing/ci.yml.svg"
    first = await datasette.client.get(path)
    again = await datasette.client.get(
        path, headers={"if-none-match": first.headers["etag"]}
    )

    head = await datasette.client.head(path)

    assert (head.content, dict(head.headers)) == (b"", dict(first.headers))
    assert first.headers["cache-control"] == "max-age=1, stale-while-revalidate=4"
    assert again.status_code == 304
    assert again.headers["cache-control"] == first.headers["cache-control"]
    policy = first.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/badge", "/badge/a/b", "/badge/a/b/c/d.svg"])
async def test_another_address_is_not_found(datasette: Datasette, path: str) -> None:
    assert (await datasette.client.get(path)).status_code == 404


@pytest.mark.asyncio
async def test_any_file_has_a_badge(db: Database, db_path: Path) -> None:
    watch(db, *(("acme/api", file) for file in UNUSUAL_FILES))
    with db.atomic():
        db.execute("update feeds set workflow_name = null")
    async with serving(db_path) as datasette:
        titles = [
            await get_title(datasette, f"/badge/acme/api/{quote(file, safe='')}.svg")
            for file in UNUSUAL_FILES
        ]

    assert titles == [f"{file}: unknown" for file in UNUSUAL_FILES]


@pytest.mark.asyncio
async def test_time_alone_takes_the_green_away(db: Database, db_path: Path) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save(db, run_payload(1))
    async with serving(db_path) as datasette:
        fresh = await get_title(datasette, ADDRESS)
        set_clock(db, NOW.replace(hour=19))
        stale = await get_title(datasette, ADDRESS)
        db_path.unlink()
        gone = await get_title(datasette, ADDRESS)

    assert (fresh, stale) == ("CI: passing", "CI: stale")
    assert gone == "ci.yml: no data"


@pytest.mark.asyncio
async def test_the_default_branch_counts_where_the_wall_shows_others(
    db: Database, db_path: Path
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save(
        db,
        run_payload(1, conclusion="failure"),
        run_payload(2, head_branch="release"),
    )
    chosen = {"repo": "acme/api", "pattern": "release", "is_excluded": 0}
    with db.atomic():
        db["tile_branches"].insert(chosen)
    async with serving(db_path) as datasette:
        main = await get_title(datasette, ADDRESS)
        release = await get_title(datasette, f"{ADDRESS}?branch=release")

    assert (main, release) == ("CI: failing", "CI: passing")


@pytest.mark.parametrize(
    "text", ["", "CI", 'a&b<c>"\x01\ufffe', "العربية", "継続的", "e\u0301🚀", "W" * 60]
)
def test_any_text_fits_into_its_half(text: str) -> None:
    root = ET.fromstring(badge_image(text, text, "#666"))  # noqa: S314 (our own)
    [label, _] = root.iter(f"{SVG}text")
    [_, left, right] = root.iter(f"{SVG}rect")

    assert float(label.get("textLength", 0)) + 12 == float(left.attrib["width"])
    assert left.attrib["width"] == right.attrib["x"] == right.attrib["width"]
    assert (label.text or "").startswith(text[:5])
