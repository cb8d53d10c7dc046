"""The modules of the demo and the benchmarks import each other in one direction."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def modules(folder: str) -> dict[str, Path]:
    """The files of a folder by module name, as they are imported."""
    files = sorted((ROOT / folder).rglob("*.py"))
    names = (path.relative_to(ROOT).with_suffix("").as_posix() for path in files)
    prefix = "" if folder == "bench" else "ci_observer."
    return {
        prefix + name.removesuffix("/__init__").replace("/", "."): path
        for name, path in zip(names, files, strict=True)
    }


def imported_modules(path: Path, known: dict[str, Path]) -> set[str]:
    """The known modules that a file imports, also inside of functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {node.module, *names} & set(known)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & set(known)
    return found


@pytest.mark.parametrize("folder", ["demo", "bench"])
def test_there_is_no_import_cycle(folder: str) -> None:
    known = modules(folder)
    graph = {name: imported_modules(path, known) for name, path in known.items()}

    order = list(TopologicalSorter(graph).static_order())

    assert set(order) == set(known)
    assert any(graph.values())


def test_the_server_does_not_import_the_scenario() -> None:
    known = modules("demo")
    importers = {
        name
        for name, path in known.items()
        for module in imported_modules(path, known)
        if module.startswith("ci_observer.demo.scenario")
    }

    assert importers
    assert not any(".server." in name for name in importers)
