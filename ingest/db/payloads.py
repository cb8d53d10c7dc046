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
import marshal
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from json.encoder import encode_basestring_ascii
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
MESSAGE = ".head_commit.message"
SHARED = {
    ".actor": 40,
    ".head_commit.author": 40,
    ".head_commit.committer": 40,
    MESSAGE: 100,
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

# Objects that the next runs are likely to carry, too, are put into text once. As many
# repositories take 5 MB.
MOST_REMEMBERED = 500

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
    cutter = _Cutter(run)
    cutter.add(payload, "")
    return cutter.split()


@cache
def phrase_token(number: int) -> str:
    """The character that stands for a phrase, counted from 0."""
    is_control = number < CONTROL_CHARACTERS
    return chr(number + 1 if is_control else FIRST_LATER_PHRASE + number)


@cache
def part_token(number: int) -> str:
    """The character that stands for a part, counted from 0."""
    return chr(FIRST_PART + number)


@cache
def column_token(column: str) -> str:
    """The character that stands for what a column of the run's row says."""
    return RUN_ID if column == "run_id" else chr(FIRST_COLUMN + COLUMNS.index(column))


class _Cutter:
    """Puts the JSON text of a run object together, and cuts it on the way.

    A text belongs to the phrase under way, or ends it.
    """

    def __init__(self, run: Mapping[str, Any]) -> None:
        self._run = run
        self._run_id = str(run["run_id"])
        self._phrase = ""
        self._body: list[str] = []
        self._phrases: list[str] = []
        self._parts: list[str] = []

    def split(self) -> Split:
        """What all that was added came to."""
        self._end_phrase()
        return Split("".join(self._body), tuple(self._phrases), tuple(self._parts))

    def add(self, value: Any, path: str) -> None:
        """Add the text of a value, in pieces where the value is looked into."""
        if not value or path not in OPENED or not isinstance(value, dict | list):
            self._add_text(_text_of(value, path), path)
        elif isinstance(value, dict):
            before = "{"
            for key, inner in value.items():
                self._phrase += f"{before}{encode_basestring_ascii(key)}:"
                self.add(inner, f"{path}.{key}")
                before = ","
            self._phrase += "}"
        else:
            before = "["
            for inner in value:
                self._phrase += before
                # A list within the list is one piece.
                self.add(inner, path if isinstance(inner, dict) else f"{path}.")
                before = ","
            self._phrase += "]"

    def _add_text(self, text: str, path: str) -> None:
        """Add the text of one piece: to the phrase, to the run, or to the parts."""
        if text in WORDS:
            self._phrase += text
        elif (ending := WITH_OWN_END.get(path)) and (match := ending.fullmatch(text)):
            self._phrase += '"' + self._without_id(match[1])
            self._add_own(match[2])
            self._phrase += '"'
        elif path in OF_THE_WORKFLOW:
            self._phrase += self._without_id(text)
        elif token := self._token_of_row(text, OF_THE_ROW.get(path)):
            self._phrase += token
        elif path in SHARED:
            rest = self._add_title(text) if path == MESSAGE else text
            self._add_shared(rest, SHARED[path])
        else:
            text = self._token_of_row(text, OFTEN_OF_THE_ROW.get(path)) or text
            self._add_own_text(text)

    def _add_title(self, text: str) -> str:
        """Add what stands for the title that a commit message begins with."""
        title = f'"{self._run["display_title"] or ""}'
        if not text.startswith(title):
            return text
        self._add_own('"' + column_token("display_title"))
        return text[len(title) :]

    def _add_own_text(self, text: str) -> None:
        """Add what only this run has; quotes around it belong to the phrases."""
        if text.startswith('"'):
            self._phrase += '"'
            self._add_own(text[1:-1])
            self._phrase += '"'
        else:
            self._add_own(text)

    def _add_own(self, text: str) -> None:
        self._end_phrase()
        self._body.append(text)

    def _add_shared(self, text: str, least: int) -> None:
        """Add what many runs share, as a part if it is at least so long."""
        parts = self._parts
        if len(text) < least or (text not in parts and len(parts) >= MOST_PARTS):
            self._add_own(text)
            return
        if text not in parts:
            parts.append(text)
        self._add_own(part_token(parts.index(text)))

    def _end_phrase(self) -> None:
        phrase = self._phrase
        if len(phrase) > 1 and len(self._phrases) < MOST_PHRASES:
            phrase = phrase_token(len(self._phrases))
            self._phrases.append(self._phrase)
        self._body.append(phrase)
        self._phrase = ""

    def _token_of_row(self, text: str, column: str | None) -> str:
        """What stands for a value that a column of `runs` has as well, or nothing."""
        value = self._run[column] if column else None
        quote = '"' if isinstance(value, str) else ""
        if column is None or text != f"{quote}{value}{quote}":
            return ""
        return f"{quote}{column_token(column)}{quote}"

    def _without_id(self, text: str) -> str:
        """A text of the workflow's, with a token for the run's id."""
        return text.replace(self._run_id, RUN_ID)


def _text_of(value: Any, path: str) -> str:
    """The JSON text of a value; `json` takes long to begin with a small one."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if value is None:
        return "null"
    if type(value) is int:
        return str(value)
    # Equal values may have other texts (1, 1.0 and true; other orders of keys), but not
    # in this form, and its version 2 has no more than one for each value.
    return _text_again(marshal.dumps(value, 2)) if path in SHARED else _encode(value)


@lru_cache(MOST_REMEMBERED)
def _text_again(marshalled: bytes) -> str:
    return _encode(marshal.loads(marshalled))  # noqa: S302 (it was made just now)
