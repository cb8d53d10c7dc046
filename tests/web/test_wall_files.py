"""The wall's scripts and styles as one file each."""

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from archive import watch
from datasette.app import Datasette
from sqlite_utils import Database
from web_client import serving

from ci_observer.web.joined_files import joined_script
from ci_observer.web.pages.wall_files import wall_files

STATIC = Path(__file__).parents[2] / "static"


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path) as datasette:
        yield datasette


@pytest.mark.asyncio
async def test_the_page_has_all_scripts_of_its_first_drawing_in_one_file(
    datasette: Datasette,
) -> None:
    page = await datasette.client.get("/")
    scripts = re.findall(r'<script[^>]* src="(.+?)"', page.text)
    assert len(scripts) == 2, "theme.js runs before the page is drawn"
    response = await datasette.client.get(scripts[1])
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "modulepreload" not in page.text
    # V8 reads this comment only at the beginning.
    assert response.text.startswith("//# allFunctionsCalledOnLoad\n")
    assert re.findall(r"^(?:import\b(?!\()|export\b).*", response.text, re.M) == []
    filtered = await datasette.client.get("/?q=x")
    assert "/static/joined/wall-filtered." in filtered.text


@pytest.mark.asyncio
async def test_the_page_has_all_its_styles_in_one_file(datasette: Datasette) -> None:
    """The scripts do not load those again."""
    page = await datasette.client.get("/?q=x")
    [(path, names)] = re.findall(
        r'<link rel="stylesheet" href="(.+?)" data-styles="(.+?)">', page.text
    )
    assert "stylesheet" not in page.text.replace('rel="stylesheet"', "", 1)
    assert names.split() == ["filters"]
    response = await datasette.client.get(path)
    assert response.headers["content-type"] == "text/css; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    sources = ["shared/base", "wall/wall", "wall/tile", "wall/filters"]
    texts = [(STATIC / f"{name}.css").read_text() for name in sources]
    assert response.text == "\n".join(texts)
    assert "url(" not in response.text, "relative to another folder"


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", ["css", "js"])
async def test_the_file_of_another_version_is_not_cached(
    datasette: Datasette, ending: str
) -> None:
    files = wall_files(datasette, is_filtered=True, may_overflow=True)
    path = files[ending]
    response = await datasette.client.get(path)
    old = re.sub(r"\.\w+\.(\w+)$", r".0123456789abcdef.\1", path)
    present = await datasette.client.get(old)
    assert present.content == response.content
    assert present.headers["cache-control"] == "no-cache"
    head = await datasette.client.request("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert (await datasette.client.post(path)).status_code == 405
    unknown = path.replace("-many", "-none")
    assert (await datasette.client.get(unknown)).status_code == 404


def write(folder: Path, **modules: str) -> None:
    for name, text in modules.items():
        path = folder / f"{name.replace('_', '/', 1)}.js"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_modules_follow_those_that_they_import(tmp_path: Path) -> None:
    write(
        tmp_path,
        wall_a='import { b,\n  c } from "../shared/b.js";\nb(c);\nimport("./d.js");\n'
        'import("./e.js");\n',
        shared_b="export const c = 1;\nexport async function b() {}\n",
        wall_d="export const { f } = globalThis;\n",
    )
    script = joined_script(tmp_path, ("wall/d", "wall/a"))
    lines = script.content.decode().splitlines()
    assert [line[3:] for line in lines if line.startswith("// ")] == [
        "wall/d.js",
        "shared/b.js",
        "wall/a.js",
    ]
    assert "const { f } = globalThis;" in lines
    assert "return { f };" in lines
    assert "return { c, b };" in lines
    assert "  c } = module_shared_b;" in lines
    assert "Promise.resolve(module_wall_d);" in lines
    assert 'import("../wall/e.js");' in lines


def test_a_changed_source_is_a_new_version(tmp_path: Path) -> None:
    write(tmp_path, wall_a="a();\n", shared_b="")
    old = joined_script(tmp_path, ("wall/a",))
    assert joined_script(tmp_path, ("wall/a",)) == old
    write(tmp_path, wall_a="b();\n")
    os.utime(tmp_path / "wall/a.js", ns=(1, 1))
    new = joined_script(tmp_path, ("wall/a",))
    assert b"b();" in new.content
    assert new.version != old.version


@pytest.mark.parametrize(
    "line", ["export default 1;", 'import * as b from "./b.js";', "export { b };"]
)
def test_another_form_of_import_or_export_is_an_error(
    tmp_path: Path, line: str
) -> None:
    write(tmp_path, wall_a=f"{line}\n", shared_b="")
    with pytest.raises(ValueError, match="unknown form"):
        joined_script(tmp_path, ("wall/a",))


def test_no_script_changes_what_it_exports() -> None:
    """A joined file passes the values on that the exports had at first."""
    for path in STATIC.rglob("*.js"):
        assert not re.search(r"^export (?:let|var)\b", path.read_text(), re.M), path
