"""The file `.env`: python-dotenv knows its syntax, this module refuses what is wrong.

A message has the number of a line and never its text, which may be a token.
"""

import os
import re
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from ci_observer.ingest.errors import ConfigError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
UTF_16_BOMS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class EnvFile:
    """The values of `.env` by name, and a warning for each name that is there twice."""

    values: dict[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()


def read_env_file(path: Path = Path(".env")) -> EnvFile:
    """Read `.env`; without the file there are no values.

    Raises `ConfigError` if it cannot be read, is not UTF-8, or has a line that is no
    setting.
    """
    text = _read_text(path)
    lines = _lines_by_name(text, path)
    # `${NAME}` in a value is replaced by the value of that variable.
    values = dotenv_values(stream=StringIO(text))
    warnings = [
        f"{path}: {name} is set more than once (lines {_listed(numbers)}); the last "
        "one counts."
        for name, numbers in lines.items()
        if len(numbers) > 1
    ]
    return EnvFile(
        {name: value for name, value in values.items() if value is not None},
        tuple(warnings),
    )


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        if not os.path.lexists(path):
            return ""  # Also in a folder that this user may not search.
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}). Make it a readable file with "
            "a line NAME=value for each setting, or remove it."
        ) from None
    return read_utf8(data, path)


def read_utf8(data: bytes, path: Path) -> str:
    """The text of a file of settings; raises `ConfigError` if it is not UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        where = f"line {line} is not UTF-8"
        if data.startswith(UTF_16_BOMS):
            where = "it is UTF-16"
        raise ConfigError(f"{path}: {where}. Save the file as UTF-8.") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ConfigError(
            f"{path}: line {line} has a NUL character. Save the file as UTF-8 text."
        )
    return text


def _lines_by_name(text: str, path: Path) -> dict[str, list[int]]:
    """The numbers of the lines that set each name."""
    found: dict[str, list[int]] = {}
    for binding in parse_stream(StringIO(text)):
        line = _line_of(binding)
        if binding.error or (binding.key and not _is_setting(binding)):
            raise ConfigError(
                f"{path}: line {line} is not NAME=value, or a quote in it is not "
                "closed. Write one setting a line, and comments after #."
            )
        if binding.key:
            found.setdefault(binding.key, []).append(line)
    return found


def _is_setting(binding: Binding) -> bool:
    is_name = NAME.fullmatch(binding.key or "") is not None
    # With an unclosed quote, the value goes on to the next quote.
    has_other = re.search(r"\n[ \t]*[A-Z][A-Z0-9_]*=", binding.value or "")
    return is_name and binding.value is not None and not has_other


def _line_of(binding: Binding) -> int:
    # The text of a binding begins with the blank lines before it.
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return binding.original.line + len(re.findall(r"\r\n|\n|\r", blank))


def _listed(numbers: list[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}"
