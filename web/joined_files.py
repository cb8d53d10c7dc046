"""Several scripts or styles as one file, so that a browser makes fewer requests.

The scripts in `static/` stay modules that import each other. Each becomes a function in
the joined file, after the modules that it imports. A module that is loaded on demand,
and is not one of those, is still a file of its own.
"""

import hashlib
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

# The sources use no other forms.
_IMPORT = re.compile(r'^import \{([\w\s,]+)\}\s+from "(\.[\w./]+)\.js";$', re.M)
_EXPORT = re.compile(
    r"^export (?=(?:async )?function (\w+)|const (\w+) =|const \{ (\w+) \} =)", re.M
)
_DYNAMIC = re.compile(r'\bimport\("(\.[\w./]+)\.js"\)')
_OTHER = re.compile(r"^(?:import\b(?!\()|export\b).*", re.M)
# V8 then compiles all functions in the thread that reads the file, instead of each on
# the main thread at its first call.
# https://v8.dev/blog/explicit-compile-hints
_COMPILE_AT_ONCE = "//# allFunctionsCalledOnLoad"
# Enough that two versions of a file have two addresses.
_HASH_LENGTH = 16


@dataclass(frozen=True)
class JoinedFile:
    """A joined file and the first digits of its hash."""

    content: bytes
    version: str


def joined_script(static: Path, names: tuple[str, ...]) -> JoinedFile:
    """The modules of these names and all that they import, as one module.

    A name is a path in the folder `static` without its ending: `wall/wall`. The last
    one runs last. Raises `ValueError` for an import or export in another form.
    """
    folders = sorted({*(name.partition("/")[0] for name in names), "shared"})
    paths = [path for folder in folders for path in (static / folder).glob("*.js")]
    return _join_scripts(static, names, _times(sorted(paths)))


def joined_style(static: Path, names: tuple[str, ...]) -> JoinedFile:
    """The style sheets of these names, one after another."""
    return _join_styles(_times(static / f"{name}.css" for name in names))


def _times(paths: Iterable[Path]) -> tuple[tuple[Path, int], ...]:
    """When they changed: a changed source takes effect without a new start."""
    return tuple((path, path.stat().st_mtime_ns) for path in paths)


def _file(text: str) -> JoinedFile:
    content = text.encode()
    return JoinedFile(content, hashlib.sha256(content).hexdigest()[:_HASH_LENGTH])


@lru_cache(maxsize=32)
def _join_styles(times: tuple[tuple[Path, int], ...]) -> JoinedFile:
    return _file("\n".join(path.read_text(encoding="utf-8") for path, _ in times))


@lru_cache(maxsize=32)
def _join_scripts(
    static: Path, names: tuple[str, ...], _times: tuple[tuple[Path, int], ...]
) -> JoinedFile:
    sources = {name: _read(static, name) for name in _in_order(static, names)}
    parts = [_as_function(name, text, sources) for name, text in sources.items()]
    return _file("\n".join((_COMPILE_AT_ONCE, *parts)))


def _read(static: Path, name: str) -> str:
    return (static / f"{name}.js").read_text(encoding="utf-8")


def _in_order(static: Path, names: Sequence[str]) -> list[str]:
    """The modules of these names and all that they import, each after its imports."""
    found: dict[str, None] = {}

    def add(name: str) -> None:
        if name in found:
            return
        for _, path in _IMPORT.findall(_read(static, name)):
            add(_resolved(name, path))
        found[name] = None

    for name in names:
        add(name)
    return list(found)


def _resolved(name: str, path: str) -> str:
    """The name of the module at a path relative to another module."""
    parts: list[str] = list(PurePosixPath(name).parent.parts)
    for part in path.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _as_function(name: str, text: str, joined: Container[str]) -> str:
    """A call whose result has the module's exports."""

    def constants(match: re.Match[str]) -> str:
        return f"const {{{match[1]}}} = {_variable(_resolved(name, match[2]))};"

    def promise(match: re.Match[str]) -> str:
        target = _resolved(name, match[1])
        if target in joined:
            return f"Promise.resolve({_variable(target)})"
        return f'import("../{target}.js")'

    exports = ", ".join(_exports(text))
    body = _DYNAMIC.sub(promise, _EXPORT.sub("", _IMPORT.sub(constants, text)))
    if other := _OTHER.search(body):
        raise ValueError(
            f"{name}.js has an unknown form of import or export: {other[0]}"
        )
    return (
        f"// {name}.js\nconst {_variable(name)} = (() => {{\n{body}"
        f"return {{ {exports} }};\n}})();\n"
    )


def _exports(text: str) -> Iterator[str]:
    for names in _EXPORT.findall(text):
        yield from filter(None, names)


def _variable(name: str) -> str:
    return "module_" + re.sub(r"\W", "_", name)
