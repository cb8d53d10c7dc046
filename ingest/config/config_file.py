"""Reads the optional YAML file: all its faults at once, each with line and column.

Its values become attributes of `Config`. A message never shows a text that may be a
secret.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci_observer.ingest.config.env_file import read_utf8
from ci_observer.ingest.errors import ConfigError

if TYPE_CHECKING:
    from ci_observer.ingest.config.yaml_nodes import Fault, Node

VARIABLE = "CI_OBSERVER_CONFIG"
DEFAULT = Path("ci-observer.yml")
MAX_BYTES = 256 * 1024
MAX_FAULTS = 50
# Attributes of `Config` that have no variable of their own, and go with GH_REPOS.
WITH_REPOS = ("repo_settings", "topics")

_SECRET_VALUE = re.compile(
    # Of GitHub, keys, addresses with a password; of Slack, GitLab and AWS.
    r"gh[a-z]_\w{16,}|github_pat_\w{10,}|-----BEGIN|://[^/\s]*:[^/\s]*@|\b[0-9a-f]{40}\b"
    r"|\bxox[a-z]-[\w-]{10,}|hooks\.slack\.com/services/\w|\bglpat-[\w-]{16,}"
    r"|\bAKIA[0-9A-Z]{16}\b"
)
# Also one in a text that contains a #.
_COMMENT = re.compile(r"(?:^|\s)#.*")
_REFUSAL = (
    "this looks like a secret, which does not belong into a file under version control."
    " Delete it here, and make a new one if others could read the file."
)
_SECRET_KEY = re.compile(
    r"token|secret|passw|private_?key|api_?key|credential|webhook|_proxy\b|proxy_"
    r"|alert_?urls?",
    re.I,
)
_OWN_SECRETS = {
    **dict.fromkeys(("token", "github_token", "gh_token"), "GITHUB_TOKEN"),
    "github_app_private_key": "GITHUB_APP_PRIVATE_KEY_FILE",
    "access_token": "ACCESS_TOKEN",
    "alert_urls": "ALERT_URLS",
    "datasette_secret": "DATASETTE_SECRET",
    **{key: key.upper() for key in ("http_proxy", "https_proxy", "all_proxy")},
}
_KEY_OF_LINE = re.compile(r"""^[\s?{-]*["']?([\w.-]+)["']?\s*:""")
_PREFIXES = re.compile(r"^(gh|github|dashboard|ci_observer)_")


@dataclass(frozen=True)
class ConfigFile:
    """The values of the file by attribute of `Config`, and where each comes from.

    `variables` has, for the name of a variable, the line that replaces it.
    """

    path: Path
    values: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, int] = field(default_factory=dict)

    def without(self, names: Iterable[str]) -> "ConfigFile":
        """The file without the values that replace these variables."""
        # Imported late: the settings import this module.
        from ci_observer.ingest.config.settings import PARSERS  # noqa: PLC0415

        hidden = set(names)
        attributes = {PARSERS[name][0] for name in hidden & set(PARSERS)}
        return ConfigFile(
            self.path,
            {k: v for k, v in self.values.items() if k not in attributes},
            {k: v for k, v in self.variables.items() if k not in hidden},
        )


def read_config_file(name: str) -> ConfigFile | None:
    """Read the file with this name, or the default one if the name is empty.

    None if there is no default file. Raises `ConfigError` with every fault.
    """
    path = Path(name) if name else DEFAULT
    text = _read(path, is_default=not name)
    if text is None:
        return None
    # pydantic takes 0.1 seconds and 10 MB, and most instances have no file.
    from ci_observer.ingest.config.file_values import values_of  # noqa: PLC0415
    from ci_observer.ingest.config.yaml_nodes import parse_yaml  # noqa: PLC0415

    root, faults = parse_yaml(text)
    values: dict[str, Any] = {}
    variables: dict[str, int] = {}
    faults = [*_secrets(root, text), *faults]
    if root is not None:
        values, variables, wrong = values_of(root)
        faults += wrong
    if faults:
        raise ConfigError(_errors_text(path, _without_secrets(faults, text)))
    return ConfigFile(path, values, variables)


def _read(path: Path, *, is_default: bool) -> str | None:
    try:
        if os.path.isdir(path):
            raise ConfigError(
                f"{VARIABLE}: {path} is a folder. Docker creates one if it cannot find "
                "the file that is mounted there: remove the folder, and write the file."
            )
        # Also false in a folder that this user may not search.
        if is_default and not os.path.lexists(path):
            return None
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{VARIABLE}: cannot read {path} ({error.strerror}). Let ingest and web "
            "read the file, or correct the path."
        ) from None
    if len(data) > MAX_BYTES:
        raise ConfigError(
            f"{VARIABLE}: {path} is larger than {MAX_BYTES // 1024} kB. Use patterns "
            "such as acme/* instead of single names."
        )
    return read_utf8(data, path)


def _secrets(root: "Node | None", text: str) -> Iterator["Fault"]:
    """A fault for each value, key and comment that looks like a secret."""
    from ci_observer.ingest.config.yaml_nodes import Fault, Position  # noqa: PLC0415

    seen = set()
    for node in root.texts() if root is not None else ():
        if _SECRET_VALUE.search(node.content):
            seen.add(node.at.line)
            yield Fault(node.at, _REFUSAL)
    for number, line in enumerate(text.splitlines(), start=1):
        comment = _COMMENT.search(line)
        found = comment and _SECRET_VALUE.search(line, comment.start())
        if found and number not in seen:
            yield Fault(Position(number, found.start() + 1), _REFUSAL)


def secret_key_text(key: str) -> str | None:
    """Why a key is refused that names a secret; None for another key."""
    if not _SECRET_KEY.search(key) or key.lower().endswith("_file"):
        return None
    name = _OWN_SECRETS.get(key.lower().replace("-", "_"))
    advice = (
        f"Set {name} in the environment or in .env"
        if name
        else "Delete it here: GITHUB_TOKEN and ACCESS_TOKEN are set in the environment"
        " or in .env"
    )
    return (
        f"{key[:40]} is a secret, which does not belong into a file under version "
        f"control. {advice}"
    )


def unknown_key_text(
    key: str, known: Iterable[str], variables: Mapping[str, str]
) -> str:
    """Which key was probably meant, or which there are."""
    if key.lower() == "shard":
        return (
            "'shard' is not set here, so that all shards can share the file. Set the "
            "variable SHARD in the environment of each instance."
        )
    names = sorted(known)
    own = {variable.lower(): name for name, variable in variables.items()}
    plain = key.lower().replace("-", "_")
    found = own.get(plain) or own.get(f"gh_{plain}")
    if plain in names:
        found = plain
    for name in (plain, _PREFIXES.sub("", plain)):
        found = found or next(
            iter(get_close_matches(name, names, n=1, cutoff=0.6)), None
        )
    hint = f"Did you mean {found}?" if found else f"Write one of {', '.join(names)}."
    return f"{key[:60]!r} is no setting. {hint}"


def _without_secrets(faults: Iterable["Fault"], text: str) -> list["Fault"]:
    """The first fault at each place, in order, with no text of a secret."""
    from ci_observer.ingest.config.yaml_nodes import Fault  # noqa: PLC0415

    lines = ["", *text.splitlines(), ""]
    found: dict[tuple[int, int], Fault] = {}
    for fault in faults:
        at = (fault.at.line, fault.at.column)
        found.setdefault(at, Fault(fault.at, _public_text(fault, lines[at[0]])))
    return [found[at] for at in sorted(found)]


def _public_text(fault: "Fault", line: str) -> str:
    if _SECRET_VALUE.search(line):
        return _REFUSAL
    key = _KEY_OF_LINE.match(line)
    if not key or key[1].lower().endswith("_file"):
        return fault.text
    return secret_key_text(key[1]) or fault.text


def _errors_text(path: Path, faults: list["Fault"]) -> str:
    lines = [
        f"{path}, line {fault.at.line}, column {fault.at.column}: {fault.text}"
        for fault in faults[:MAX_FAULTS]
    ]
    if len(faults) == 1:
        return lines[0]
    if len(faults) > MAX_FAULTS:
        lines.append(f"The first {MAX_FAULTS} are shown.")
    return "\n  ".join([f"{path} has {len(faults)} errors.", *lines])
