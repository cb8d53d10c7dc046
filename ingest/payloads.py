"""GitHub's run objects taken apart into what repeats and what does not.

Seven tenths of a run object are two repository objects that hardly ever change; most of
the rest are keys and addresses, and what the row of `runs` says as well. So the
object's JSON text is cut into pieces, and where a piece repeats, a *token* stands for
it: a character that JSON text written in ASCII never holds. To put a text together is
to replace characters, in SQL as here, and gives the very text that was taken apart,
whatever GitHub sends: which pieces are taken for repeating makes a difference to the
size, and to nothing else.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

# The values that are looked into; any other is one piece.
OPENED = {
    "",
    ".head_commit",
    ".pull_requests",
    ".pull_requests.base",
    ".pull_requests.base.repo",
    ".pull_requests.head",
    ".pull_requests.head.repo",
}
# Values that many runs share, each kept once, and how long one must be at least: a
# reference costs about as much as a shorter text.
SHARED = {
    ".actor": 40,
    ".head_commit.author": 40,
    ".head_commit.committer": 40,
    ".head_commit.message": 100,
    ".head_repository": 40,
    ".referenced_workflows": 40,
    ".repository": 40,
    ".triggering_actor": 40,
}
# Values that are the same for all runs of a workflow, apart from the run's id: these
# belong to the phrases, as all keys do.
OF_THE_WORKFLOW = {
    ".artifacts_url",
    ".cancel_url",
    ".html_url",
    ".id",
    ".jobs_url",
    ".logs_url",
    ".path",
    ".pull_requests.base.repo.id",
    ".pull_requests.base.repo.name",
    ".pull_requests.base.repo.url",
    ".pull_requests.head.repo.id",
    ".pull_requests.head.repo.name",
    ".pull_requests.head.repo.url",
    ".rerun_url",
    ".url",
    ".workflow_id",
    ".workflow_url",
}
# So do these words, wherever they stand.
WORDS = {"null", "true", "false", "[]", "{}", '""'}
# Values that are those of a column of `runs`: what stands for them belongs to the
# phrases.
OF_THE_ROW = {
    ".conclusion": "conclusion",
    ".created_at": "created_at",
    ".event": "event",
    ".head_branch": "head_branch",
    ".head_commit.id": "head_sha",
    ".head_sha": "head_sha",
    ".name": "workflow_name",
    ".run_attempt": "run_attempt",
    ".run_number": "run_number",
    ".run_started_at": "started_at",
    ".status": "status",
    ".updated_at": "updated_at",
}
# Values that often are. What stands for them belongs to the run: in the phrases, each
# mixture of those that are and those that are not would need phrases of its own.
OFTEN_OF_THE_ROW = {
    ".display_title": "display_title",
    ".pull_requests.head.ref": "head_branch",
    ".pull_requests.head.sha": "head_sha",
    ".pull_requests.number": "pr_number",
}
# Values that are the same for all runs of a workflow, but for the end: a number, what
# follows an @, or what a node id has of the last 38 bits of its number. (Such an id is
# base64 of a list in MessagePack: the repository's number in 4 bytes, its own in 8.)
_NUMBER = re.compile(r'"(.*/)([0-9]+)"')
_NODE_ID = re.compile(r'"([A-Z]+_kw.O.{6}8A.{3})(.{7})"')
WITH_OWN_END = {
    ".check_suite_node_id": _NODE_ID,
    ".check_suite_url": _NUMBER,
    ".node_id": _NODE_ID,
    ".path": re.compile(r'"([^@]*@)(.+)"'),
    ".previous_attempt_url": _NUMBER,
    ".pull_requests.url": _NUMBER,
}

# The columns of `runs` that tokens stand for, in the order of their tokens.
COLUMNS = (
    "run_id",
    "workflow_name",
    "head_branch",
    "head_sha",
    "display_title",
    "run_number",
    "run_attempt",
    "event",
    "status",
    "conclusion",
    "pr_number",
    "created_at",
    "started_at",
    "updated_at",
)
RUN_ID = "\x7f"
FIRST_COLUMN = 0x600
# The first 31 phrases have the control characters, which take one byte each.
CONTROL_CHARACTERS = 31
FIRST_LATER_PHRASE = 0x100
MOST_PHRASES = 0x500
FIRST_PART = 0x80
MOST_PARTS = 0x80

_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True)
class Split:
    """A run object taken apart.

    `body` is what only this run has, with tokens in it: one for each of the `phrases`,
    which most runs of a workflow have in common, and one for each of the `parts`, each
    of which many runs share. Within the phrases there are tokens for what the columns
    of the run's row say.
    """

    body: str
    phrases: tuple[str, ...]
    parts: tuple[str, ...]


def split_payload(payload: Mapping[str, Any], run: Mapping[str, Any]) -> Split:
    """Take a run object apart; `run` is the row of `runs` that is kept beside it."""
    body: list[str] = []
    phrases: list[str] = []
    parts: list[str] = []
    for phrase, value, is_shared in _pieces(payload, run):
        if len(phrase) > 1 and len(phrases) < MOST_PHRASES:
            body.append(phrase_token(len(phrases)))
            phrases.append(phrase)
        else:
            body.append(phrase)
        if not is_shared:
            body.append(value)
        elif value in parts:
            body.append(part_token(parts.index(value)))
        elif len(parts) < MOST_PARTS:
            body.append(part_token(len(parts)))
            parts.append(value)
        else:
            body.append(value)
    return Split("".join(body), tuple(phrases), tuple(parts))


def phrase_token(number: int) -> str:
    """The character that stands for a phrase, counted from 0."""
    is_control = number < CONTROL_CHARACTERS
    return chr(number + 1 if is_control else FIRST_LATER_PHRASE + number)


def part_token(number: int) -> str:
    """The character that stands for a part, counted from 0."""
    return chr(FIRST_PART + number)


def column_token(column: str) -> str:
    """The character that stands for what a column of the run's row says."""
    return RUN_ID if column == "run_id" else chr(FIRST_COLUMN + COLUMNS.index(column))


def _pieces(
    payload: Mapping[str, Any], run: Mapping[str, Any]
) -> Iterator[tuple[str, str, bool]]:
    """The JSON text in pairs: a phrase, the value after it, and if others share it."""
    phrase = ""
    for text, path in _texts(payload, ""):
        title, rest = _cut_title(text, path, run)
        if title:
            yield phrase, title, False
            phrase = ""
        before, value, after = _cut(rest, path, run)
        phrase += before
        if value:
            yield phrase, value, len(value) >= SHARED.get(path or "", inf)
            phrase = after
    yield phrase, "", False


def _cut_title(text: str, path: str | None, run: Mapping[str, Any]) -> tuple[str, str]:
    """What stands for the title that a commit message begins with, and its rest."""
    title = f'"{run["display_title"] or ""}'
    if path != ".head_commit.message" or not text.startswith(title):
        return "", text
    return '"' + column_token("display_title"), text[len(title) :]


def _cut(text: str, path: str | None, run: Mapping[str, Any]) -> tuple[str, str, str]:
    """A text in three: what belongs to a phrase, to the run, to the next phrase."""
    if path is None or text in WORDS:
        return text, "", ""
    if (ending := WITH_OWN_END.get(path)) and (match := ending.fullmatch(text)):
        return '"' + _without_id(match[1], run), match[2], '"'
    if path in OF_THE_WORKFLOW:
        return _without_id(text, run), "", ""
    if token := _token_of_row(text, OF_THE_ROW.get(path), run):
        return token, "", ""
    text = _token_of_row(text, OFTEN_OF_THE_ROW.get(path), run) or text
    if text.startswith('"') and path not in SHARED:
        return '"', text[1:-1], '"'
    return "", text, ""


def _token_of_row(text: str, column: str | None, run: Mapping[str, Any]) -> str:
    """What stands for a value that a column of `runs` has as well, or nothing."""
    value = run[column] if column else None
    quote = '"' if isinstance(value, str) else ""
    if column is None or text != f"{quote}{value}{quote}":
        return ""
    return f"{quote}{column_token(column)}{quote}"


def _without_id(text: str, run: Mapping[str, Any]) -> str:
    """A text of the workflow's, with a token for the run's id."""
    return text.replace(str(run["run_id"]), RUN_ID)


def _texts(value: Any, path: str) -> Iterator[tuple[str, str | None]]:
    """The JSON text of a value: texts with their path, and without what is between."""
    if not value or path not in OPENED or not isinstance(value, dict | list):
        yield _encode(value), path
    elif isinstance(value, dict):
        before = "{"
        for key, inner in value.items():
            yield f"{before}{_encode(key)}:", None
            yield from _texts(inner, f"{path}.{key}")
            before = ","
        yield "}", None
    else:
        before = "["
        for inner in value:
            yield before, None
            # A list within the list is one piece.
            yield from _texts(inner, path if isinstance(inner, dict) else f"{path}.")
            before = ","
        yield "]", None
