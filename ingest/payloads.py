"""GitHub's run objects taken apart into what repeats and what does not.

Seven tenths of a run object are two repository objects that hardly ever change; most of
the rest are keys and addresses. So the object's JSON text is cut into pieces, and where
a piece repeats, a *token* stands for it: a character that JSON text written in ASCII
never holds. To put a text together is to replace characters, in SQL as here, and gives
the very text that was taken apart, whatever GitHub sends: which pieces are taken for
repeating makes a difference to the size, and to nothing else.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
# Values that many runs share, each kept once.
SHARED = {
    ".actor",
    ".head_commit.author",
    ".head_commit.committer",
    ".head_commit.message",
    ".head_repository",
    ".referenced_workflows",
    ".repository",
    ".triggering_actor",
}
# A reference costs about as much as a shorter text.
SHORTEST_SHARED = 40
# Values that are the same for all runs of a workflow, apart from the run's id: these
# belong to the phrases, as all keys do.
OF_THE_WORKFLOW = {
    ".artifacts_url",
    ".cancel_url",
    ".html_url",
    ".id",
    ".jobs_url",
    ".logs_url",
    ".name",
    ".path",
    ".pull_requests.base.repo.name",
    ".pull_requests.base.repo.url",
    ".pull_requests.head.repo.name",
    ".pull_requests.head.repo.url",
    ".rerun_url",
    ".url",
    ".workflow_id",
    ".workflow_url",
}
# The same, up to a number of the run's own at the end.
NUMBERED = {".check_suite_url", ".previous_attempt_url", ".pull_requests.url"}

RUN_ID = "\x7f"
# The first 31 phrases have the control characters, which take one byte each.
CONTROL_CHARACTERS = 31
FIRST_LATER_PHRASE = 0x100
MOST_PHRASES = 0x500
FIRST_PART = 0x80
MOST_PARTS = 0x80

_encode = json.JSONEncoder(separators=(",", ":")).encode
_ENDS_IN_NUMBER = re.compile(r'(".*/)([0-9]+)"')


@dataclass(frozen=True)
class Split:
    """A run object taken apart.

    `body` is what only this run has, with tokens in it: one for each of the `phrases`,
    which most runs of a workflow have in common, and one for each of the `parts`, each
    of which many runs share. The run's id has a token within the phrases.
    """

    body: str
    phrases: tuple[str, ...]
    parts: tuple[str, ...]


def split_payload(payload: Mapping[str, Any], run_id: int) -> Split:
    """Take a run object apart."""
    body: list[str] = []
    phrases: list[str] = []
    parts: list[str] = []
    for phrase, value, is_shared in _pieces(payload, str(run_id)):
        if len(phrase) > 1 and len(phrases) < MOST_PHRASES:
            body.append(phrase_token(len(phrases)))
            phrases.append(phrase)
        else:
            body.append(phrase.replace(RUN_ID, str(run_id)))
        if is_shared and len(value) >= SHORTEST_SHARED and len(parts) < MOST_PARTS:
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


def _pieces(payload: Mapping[str, Any], run_id: str) -> Iterator[tuple[str, str, bool]]:
    """The JSON text in pairs: a phrase, the value after it, and if others share it."""
    phrase = ""
    for text, path in _texts(payload, ""):
        if path is None or path in OF_THE_WORKFLOW:
            phrase += text if path is None else text.replace(run_id, RUN_ID)
        elif path in NUMBERED and (address := _ENDS_IN_NUMBER.fullmatch(text)):
            yield phrase + address[1].replace(run_id, RUN_ID), address[2], False
            phrase = '"'
        else:
            yield phrase, text, path in SHARED
            phrase = ""
    yield phrase, "", False


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
