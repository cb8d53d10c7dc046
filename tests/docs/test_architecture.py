"""The allowed imports, and the one module for each kind of effect."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("ingest", "web", "plugins", "demo")


def sources(*folders: str) -> list[Path]:
    return [path for name in folders for path in sorted((ROOT / name).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports; ours by folder."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (package(name.name) for name in names)
            case ast.ImportFrom(module="ci_observer", level=0, names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield package(module)


def package(module: str) -> str:
    return module.removeprefix("ci_observer.").split(".")[0]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def importers_of(package: str, *folders: str) -> list[str]:
    return [named(p) for p in sources(*folders) if package in set(imports(p))]


def users_of(module: str, *names: str, folders: tuple[str, ...]) -> list[str]:
    """The files that use `module.name`, or import a name from the module."""
    return [named(p) for p in sources(*folders) if uses(p, module, names)]


def uses(path: Path, module: str, names: tuple[str, ...]) -> bool:
    return any(
        (
            isinstance(node, ast.Attribute)
            and node.attr in names
            and isinstance(node.value, ast.Name)
            and node.value.id == module
        )
        or (isinstance(node, ast.ImportFrom) and node.module == module)
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_every_folder_has_sources():
    assert all(sources(folder) for folder in FOLDERS)


@pytest.mark.parametrize(
    ("package", "folders"),
    [
        ("ingest", ("web", "plugins", "demo")),
        ("plugins", ("ingest", "web", "demo")),
        ("datasette", ("ingest", "demo")),
        ("demo", ("web", "plugins")),
    ],
)
def test_the_sides_do_not_import_each_other(package, folders):
    assert importers_of(package, *folders) == []


def test_only_the_commands_know_both_sides():
    """`serve` starts the web side, `demo` the simulated GitHub."""
    assert importers_of("web", "ingest") == ["ingest/cli.py"]
    assert importers_of("demo", "ingest") == ["ingest/commands/demo.py"]


def test_one_module_talks_http_for_each_purpose():
    """To GitHub, to an instance to check, between the web processes, and to peers."""
    assert importers_of("httpx", "ingest", "web", "plugins") == [
        # Parses addresses; the others send requests.
        "ingest/github/addresses.py",
        "ingest/github/transport.py",
        "ingest/smoke/client.py",
        "web/forwarding.py",
        "web/peers/client.py",
    ]


def test_one_module_reads_the_settings_and_others_pass_the_environment_on():
    readers = users_of("os", "environ", "getenv", folders=FOLDERS)

    assert readers == [
        "ingest/commands/demo.py",
        "ingest/commands/launch.py",
        "ingest/commands/supervise.py",
        "ingest/config/environment.py",
        # Two variables, for SQLite's temporary files.
        "web/sql/pool.py",
    ]


def test_sqlite_is_opened_for_writing_in_one_place_and_for_copies_in_another():
    openers = users_of("sqlite3", "connect", folders=("ingest",))

    assert openers == ["ingest/db/copies.py", "ingest/db/schema.py"]


@pytest.mark.parametrize(
    "name",
    ["annotations", "error_responses", "headers", "rows", "timeouts", "wire"],
)
def test_pure_modules_import_nothing_with_an_effect(name):
    allowed = {"collections", "dataclasses", "datetime", "http", "ingest", "json", "re"}

    found = set(imports(ROOT / f"ingest/github/{name}.py"))
    assert found - {"itertools", "math", "typing"} <= allowed


def test_plugin_files_avoid_what_datasette_s_loader_breaks():
    """Datasette loads them with exec: postponed annotations break dataclasses."""
    for path in sources("plugins"):
        assert "__future__" not in set(imports(path)), named(path)
