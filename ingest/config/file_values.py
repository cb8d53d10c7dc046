"""The values of the YAML file as attributes of `Config`, and its faults in words.

Imported only when there is such a file.
"""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from ci_observer.ingest.config.config_file import (
    secret_key_text,
    unknown_key_text,
)
from ci_observer.ingest.config.file_model import (
    VARIABLES,
    MutedEntry,
    RepositoryEntry,
    SettingsFile,
    TeamEntry,
)
from ci_observer.ingest.config.settings import PARSERS
from ci_observer.ingest.config.values import join_workflows, unrepeated
from ci_observer.ingest.config.watching import (
    EXCLUSION,
    Mute,
    RepoSettings,
    Screen,
    Team,
)
from ci_observer.ingest.config.yaml_nodes import Fault, Node, data_of, shown
from ci_observer.ingest.errors import ConfigError

# Lists of selections, which are more than the text of a variable.
LISTS = ("repositories", "workflows")
Path = tuple[str | int, ...]


def values_of(root: Node) -> tuple[dict[str, Any], dict[str, int], list[Fault]]:
    """The values by attribute, the line of each variable, and the faults."""
    data = data_of(root)
    try:
        model = SettingsFile.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        # An unknown key explains why another one is missing.
        errors.sort(key=lambda e: e["type"] == "missing")
        faults = [_fault(root, e) for e in errors]
        faults += _repeated_repositories(root)
        # Of the others, only single settings can be checked.
        wrong = {e["loc"][0] for e in errors}
        rest = {k: v for k, v in data.items() if k in VARIABLES and k not in wrong}
        return {}, {}, [*faults, *_simple_values(root, rest)[1]]
    given = {k: v for k in VARIABLES if (v := getattr(model, k)) is not None}
    values, faults = _simple_values(root, given)
    faults += _contradictions(root, model)
    values |= {k: v for k, v in _watched(model).items() if v is not None}
    lines = {VARIABLES[name]: root.key(name).at.line for name in given}
    return values, lines, faults


def _simple_values(
    root: Node, given: dict[str, Any]
) -> tuple[dict[str, Any], list[Fault]]:
    """The settings that are a variable's text, by the parsers of the variables."""
    values: dict[str, Any] = {}
    faults = []
    for name, value in given.items():
        if name in LISTS:
            continue
        attribute, parse = PARSERS[VARIABLES[name]]
        try:
            values[attribute] = parse(_text_of(value), name)
        except ConfigError as error:
            text = str(error).removeprefix(f"{name}: ")
            faults.append(Fault(root.find((name,)).at, text))
    return values, faults


def _text_of(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={factor:g}" for key, factor in value.items())
    return ",".join(value) if isinstance(value, list) else str(value).strip()


def _watched(model: SettingsFile) -> dict[str, Any]:
    items = model.repositories
    entries = [item for item in items or () if isinstance(item, RepositoryEntry)]
    names = None
    if items is not None:
        texts = (i if isinstance(i, str) else i.repository for i in items)
        names = unrepeated(texts)
    return {
        "repos": names,
        "workflows": join_workflows(model.workflows) if model.workflows else None,
        "repo_settings": tuple(map(_settings_of, entries)) or None,
        "topics": tuple(model.topics) if model.topics else None,
        "teams": tuple(_team(*team) for team in (model.teams or {}).items()) or None,
        "screens": tuple(Screen(*s) for s in (model.screens or {}).items()) or None,
        "muted": tuple(map(_mute, model.muted or ())) or None,
    }


def _settings_of(entry: RepositoryEntry) -> RepoSettings:
    schedules: dict[str, Any] = dict(entry.schedule or {})
    return RepoSettings(
        repository=entry.repository,
        workflows=join_workflows(entry.workflows) if entry.workflows else None,
        branches=tuple(entry.branches or ()),
        team=entry.team,
        schedules=tuple(schedules.items()),
    )


def _team(name: str, entry: list[str] | TeamEntry) -> Team:
    if isinstance(entry, list):
        return Team(name=name, repositories=tuple(entry))
    return Team(
        name=name, repositories=tuple(entry.repositories), topics=tuple(entry.topics)
    )


def _mute(entry: MutedEntry) -> Mute:
    tile: Any = entry.tile
    until: Any = entry.until
    repo, workflow, branch = tile
    return Mute(
        repo=repo, workflow=workflow, branch=branch, reason=entry.reason, until=until
    )


def _contradictions(root: Node, model: SettingsFile) -> Iterator[Fault]:
    yield from _repeated_repositories(root)
    for number, item in enumerate(model.repositories or ()):
        if not isinstance(item, RepositoryEntry):
            continue
        names = item.workflows or ["*"]
        for workflow in item.schedule or {}:
            if "*" not in names and workflow not in names:
                at = root.find(("repositories", number, "schedule")).key(workflow).at
                yield Fault(at, f"{workflow} is not in this list of workflows. Add it.")
    seen: set[Any] = set()
    for number, muted in enumerate(model.muted or ()):
        tile: Any = muted.tile
        key = (tile[0].lower(), *tile[1:])
        if key in seen:
            at = root.find(("muted", number, "tile")).at
            yield Fault(at, "this tile is muted twice. Keep one.")
        seen.add(key)


def _repeated_repositories(root: Node) -> Iterator[Fault]:
    items = root.find(("repositories",))
    seen: dict[str, int] = {}
    for item in items.content if items.kind == "list" else ():
        node = item.find(("repository",))
        if node.kind != "text" or not node.content:
            continue
        key = node.content.lower()
        other = key.removeprefix(EXCLUSION) if key[0] == EXCLUSION else EXCLUSION + key
        if key in seen:
            text = f"is there twice, first in line {seen[key]}. Keep one."
            yield Fault(node.at, f"{shown(node.content)} {text}")
        elif other in seen:
            yield Fault(
                node.at,
                f"{shown(node.content)} contradicts line {seen[other]}: one selects "
                "what the other leaves out. Keep one.",
            )
        seen.setdefault(key, node.at.line)


def _fault(root: Node, error: Any) -> Fault:
    """A fault in words of an error of pydantic."""
    path: Path = error["loc"]
    kind = error["type"]
    if kind == "extra_forbidden":
        parent = root.find(path[:-1])
        key = str(path[-1])
        known = _keys_at(path[:-1])
        variables = VARIABLES if len(path) == 1 else {}
        text = secret_key_text(key) or unknown_key_text(key, known, variables)
        return Fault(parent.key(key).at, text)
    if path[-1] == "[key]":
        return Fault(root.find(path[:-2]).key(str(path[-2])).at, _error_text(error))
    node = root.find(path[:-1] if kind == "missing" else path)
    return Fault(node.at, _value_text(error, node))


def _keys_at(path: Path) -> list[str]:
    models: dict[str, type[BaseModel]] = {
        "repositories": RepositoryEntry,
        "teams": TeamEntry,
        "muted": MutedEntry,
    }
    model = models[str(path[0])] if path else SettingsFile
    return list(model.model_fields)


def _error_text(error: Any) -> str:
    context = error.get("ctx") or {}
    return str(context["text"]) if "text" in context else f"{error['msg']}."


def _value_text(error: Any, node: Node) -> str:
    context = error.get("ctx") or {}
    words = {
        "key": error["loc"][-1],
        "raw": shown(node.content) if node.kind == "text" else "this",
        "item": _quoted(shown(node.content)) if node.kind == "text" else "a, b",
        "what": {"list": "a list", "mapping": "keys with values"}.get(
            node.kind, "a text"
        ),
        **{name: value for name, value in context.items() if name != "error"},
    }
    template = _TEXTS.get(_kind_of(error["type"], node))
    if template is None:
        return _error_text(error)
    words["expected"] = str(words.get("expected", "")).replace("'", "")
    return template.format_map(words)


def _quoted(text: str) -> str:
    """A text as an item of a list, in quotes unless it is plainly a text."""
    return text if re.fullmatch(r"[A-Za-z][\w./-]*", text) else f'"{text}"'


def _kind_of(kind: str, node: Node) -> str:
    if kind == "string_type" and node.kind == "text":
        if node.is_null:
            return "no_value"
        return "boolean" if node.content.lower() in ("true", "false") else "number"
    if kind in ("int_type", "float_type") and node.kind == "text":
        if not node.is_plain:
            return "quoted_number"
        return "no_number" if kind == "int_type" else "no_decimal"
    return kind


_MAPPING = "this is {what}, and must be keys with values, such as key: value"
_TEXTS = {
    "missing": "{key} is missing. Add a line {key}: …",
    "ambiguous": 'YAML may read {raw} as true or false. Write "{raw}" in quotes.',
    "no_value": "there is no value here. Write one, or remove the line.",
    "boolean": 'YAML reads {raw} as true or false. Write "{raw}" in quotes.',
    "number": 'YAML reads {raw} as a number. Write "{raw}" in quotes.',
    "string_type": "this is {what}, and must be one text.",
    "no_number": "{raw} is no whole number. Write one.",
    "no_decimal": "{raw} is no number. Write one, such as 1.5",
    "quoted_number": "{raw} is a text. Write a number without quotes.",
    "int_type": "this is {what}, and must be one number.",
    "float_type": "this is {what}, and must be one number.",
    "list_type": "this is {what}, and must be a list. Write [{item}]",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "literal_error": "{raw} is not known. Write {expected}.",
    "too_short": "this list is empty. Write an item, or remove the line.",
    "too_long": "this list has more than {max_length} items.",
    "string_too_long": "this has more than {max_length} characters. Shorten it.",
    "greater_than_equal": "{raw} is too small. The least is {ge}.",
    "less_than_equal": "{raw} is too large. The most is {le}.",
}
