"""The wheel is the whole product: installed alone, it serves the same pages."""

import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from archive import NOW, save_runs, watch
from factories import run_payload, times
from processes import CI_OBSERVER, environ_with, serving
from sqlite_utils import Database

from ci_observer.ingest.commands.ports import free_port

ROOT = Path(__file__).parents[2]
FOLDERS = ("ingest", "web", "demo", "plugins", "templates", "static")
PAGES = (
    "/",
    "/runs",
    "/workflows/acme/api/ci.yml",
    "/commits/acme/api",
    # A summary up to now changes with the time.
    "/summary?since=2026-02-23&until=2026-03-01",
    "/summary.md?since=2026-02-23&until=2026-03-01",
    "/runs/1",
    "/workflows/acme/api/ci.yml/jobs",
    "/api/runs",
    "/api/runs?raw=1",
    "/api/runs.csv",
    "/api/wall",
    "/api/filters",
    "/ci_observer",
    # How many facets Datasette suggests depends on how long it takes.
    "/ci_observer/runs?_nosuggest=1",
    "/ci_observer/run_history.csv",
    "/-/dashboards/ci-observer",
)


def files_of_the_checkout() -> set[str]:
    """The names of all files that belong in the wheel, as they are in the wheel."""
    found = {"ci_observer/metadata.yml"}
    for folder in FOLDERS:
        found |= {
            f"ci_observer/{path.relative_to(ROOT).as_posix()}"
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
    names = sorted(path.stem for path in (ROOT / "ci_observer").glob("*.py"))
    return found | {f"ci_observer/{name}.py" for name in names}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    # A link is copied as a link, as git and tar keep it.
    leave_out = ignore_patterns("__pycache__")
    for name in ("ci_observer", *FOLDERS):
        copytree(ROOT / name, source / name, symlinks=True, ignore=leave_out)
    for name in ("pyproject.toml", "README.md", "LICENSE", "metadata.yml"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--no-index", "--wheel-dir", folder, source),
        ],
        check=True,
    )
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new venv with the wheel installed.

    Its other packages are those of the tests; the checkout is not on its path.
    """
    venv = tmp_path_factory.mktemp("installed") / "venv"
    create = [sys.executable, "-m", "venv", "--without-pip", str(venv)]
    subprocess.run(create, check=True)  # noqa: S603
    python = venv / "bin" / "python"
    subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
            *("--no-deps", "--no-index", wheel),
        ],
        check=True,
    )
    [packages] = venv.glob("lib/python*/site-packages")
    # Plain folders: Python processes no .pth file in them, so no editable install of
    # the checkout is found there.
    paths = [path for path in map(Path, sys.path) if path.name == "site-packages"]
    paths.append(Path(sysconfig.get_paths()["purelib"]))
    (packages / "tests.pth").write_text("\n".join(map(str, dict.fromkeys(paths))))
    return python


@pytest.fixture
def archive(db: Database, db_path: Path) -> Path:
    watch(db, ("acme/api", "ci.yml"), now=NOW)
    save_runs(db, run_payload(1, **times("12:00"), conclusion="failure"))
    return db_path


def test_the_wheel_holds_every_file_of_the_product_and_one_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert names == files_of_the_checkout()
    assert {name.split("/")[0] for name in names} == {"ci_observer"}


def test_the_installed_package_is_not_the_checkout(installed, tmp_path):
    show = [installed, "-c", "import ci_observer; print(ci_observer.__file__)"]
    found = subprocess.run(  # noqa: S603
        show, cwd=tmp_path, check=True, capture_output=True, text=True
    )

    assert Path(found.stdout.strip()).is_relative_to(installed.parents[1])


def pages_of(command: list[str], db_path: Path, folder: Path) -> dict[str, str]:
    """Each page's body, without the parts that differ between two processes."""
    bodies = {}
    with serving(environ_with(CI_OBSERVER_DB=db_path), folder, command) as web:
        port = str(web.base_url.port)
        for page in PAGES:
            response = web.get(page, follow_redirects=True)
            assert response.status_code == 200, page
            bodies[page] = comparable(response.text, port)
        for path in sorted((ROOT / "static").rglob("*.*")):
            page = f"/static/{path.relative_to(ROOT / 'static').as_posix()}"
            response = web.get(page, follow_redirects=True)
            assert response.status_code == 200, page
            bodies[page] = response.text
    return bodies


def comparable(body: str, port: str) -> str:
    """Without the port, times of the server's clock and durations of queries."""
    body = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)", "TIME", body)
    body = re.sub(r"Queries took [\d.]+ms", "Queries took MS", body)
    return body.replace(port, "PORT")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder without any file of the product."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


def test_the_wheel_serves_the_same_pages_as_the_checkout(installed, archive, elsewhere):
    command = str(installed.with_name("ci-observer"))

    from_wheel = pages_of([command], archive, elsewhere)

    assert from_wheel == pages_of(list(CI_OBSERVER), archive, elsewhere)


@pytest.mark.parametrize(
    "part",
    [
        "metadata.yml",
        "plugins",
        "templates",
        "static",
        "templates/wall.html",
        "plugins/wall.py",
        "static/wall/tile.js",
        "ingest/db/sql/40_wall.sql",
    ],
)
def test_a_missing_part_stops_serve_with_its_name(installed, archive, elsewhere, part):
    [package] = installed.parents[1].glob("lib/python*/site-packages/ci_observer")
    (package / part).rename(package / f"{part}.away")
    try:
        done = subprocess.run(  # noqa: S603
            [installed.with_name("ci-observer"), "serve"],
            cwd=elsewhere,
            env=environ_with(CI_OBSERVER_DB=archive, CI_OBSERVER_PORT=free_port()),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        (package / f"{part}.away").rename(package / part)

    assert done.returncode == 1
    assert f"{part} is missing" in done.stderr
