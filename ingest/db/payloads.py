"""Packs GitHub's run objects: text that many runs share is stored once.

Seven tenths of a run object are two repository objects that hardly ever change. Most of
the rest are keys, addresses and values that the row of `runs` has too. So the object's
JSON text is cut into pieces, and a token (see `payload_tokens`) stands for each piece
that repeats. Unpacking replaces the tokens, and gives back exactly the same text: which
pieces count as repeating affects the size only.
"""

import json
import marshal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

from ci_observer.ingest.db.payload_paths import (
    COLUMN_OF_PATH,
    COMMIT_MESSAGE,
    CONTAINERS,
    LITERALS,
    MIN_SHARED_LENGTH,
    PER_WORKFLOW,
    USUAL_COLUMN_OF_PATH,
    VARIABLE_ENDINGS,
)
from ci_observer.ingest.db.payload_tokens import (
    MAX_PARTS,
    MAX_PHRASES,
    RUN_ID,
    column_token,
    part_token,
    phrase_token,
)

# JSON texts of shared objects, which the next runs are likely to have too: 5 MB.
CACHED_TEXTS = 500

_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True)
class PackedPayload:
    """A packed run object.

    `body` is the text that only this run has, with a token for each of the `phrases`
    (which most runs of a workflow have in common) and each of the `parts` (which many
    runs share). The phrases have tokens for values of the run's own row.
    """

    body: str
    phrases: tuple[str, ...]
    parts: tuple[str, ...]


def pack_payload(payload: Mapping[str, Any], run: Mapping[str, Any]) -> PackedPayload:
    """Pack a run object; `run` is the row of `runs` that is stored with it."""
    packer = _Packer(run)
    packer.add(payload, "")
    return packer.packed()


class _Packer:
    """Builds the JSON text of a run object, cut into pieces.

    Text is appended to the current phrase until a piece of another kind ends it.
    """

    def __init__(self, run: Mapping[str, Any]) -> None:
        self._run = run
        self._run_id = str(run["run_id"])
        self._phrase = ""
        self._body: list[str] = []
        self._phrases: list[str] = []
        self._parts: list[str] = []

    def packed(self) -> PackedPayload:
        self._end_phrase()
        return PackedPayload(
            "".join(self._body), tuple(self._phrases), tuple(self._parts)
        )

    def add(self, value: Any, path: str) -> None:
        """Add the text of a value: piece by piece for a container, else as one."""
        if not value or path not in CONTAINERS or not isinstance(value, dict | list):
            self._add_text(_text_of(value, path), path)
        elif isinstance(value, dict):
            separator = "{"
            for key, inner in value.items():
                self._phrase += f"{separator}{encode_basestring_ascii(key)}:"
                self.add(inner, f"{path}.{key}")
                separator = ","
            self._phrase += "}"
        else:
            separator = "["
            for inner in value:
                self._phrase += separator
                # A list within the list is one piece.
                self.add(inner, path if isinstance(inner, dict) else f"{path}.")
                separator = ","
            self._phrase += "]"

    def _add_text(self, text: str, path: str) -> None:
        """Add the text of one piece to the phrase, the body or the parts."""
        ending = VARIABLE_ENDINGS.get(path)
        if text in LITERALS:
            self._phrase += text
        elif ending and (match := ending.fullmatch(text)):
            self._phrase += '"' + self._without_id(match[1])
            self._add_to_body(match[2])
            self._phrase += '"'
        elif path in PER_WORKFLOW:
            self._phrase += self._without_id(text)
        elif token := self._token_of_column(text, COLUMN_OF_PATH.get(path)):
            self._phrase += token
        elif path in MIN_SHARED_LENGTH:
            rest = self._add_title(text) if path == COMMIT_MESSAGE else text
            self._add_part(rest, MIN_SHARED_LENGTH[path])
        else:
            token = self._token_of_column(text, USUAL_COLUMN_OF_PATH.get(path))
            self._add_own_text(token or text)

    def _add_title(self, text: str) -> str:
        """Add a token for the title of a commit message, and return the rest."""
        title = f'"{self._run["display_title"] or ""}'
        if not text.startswith(title):
            return text
        self._add_to_body('"' + column_token("display_title"))
        return text[len(title) :]

    def _add_own_text(self, text: str) -> None:
        """Add text that only this run has; the quotes around it go to the phrases."""
        if text.startswith('"'):
            self._phrase += '"'
            self._add_to_body(text[1:-1])
            self._phrase += '"'
        else:
            self._add_to_body(text)

    def _add_to_body(self, text: str) -> None:
        self._end_phrase()
        self._body.append(text)

    def _add_part(self, text: str, min_length: int) -> None:
        """Add text that many runs share: as a part unless it is short."""
        parts = self._parts
        is_new = text not in parts
        if len(text) < min_length or (is_new and len(parts) >= MAX_PARTS):
            self._add_to_body(text)
            return
        if is_new:
            parts.append(text)
        self._add_to_body(part_token(parts.index(text)))

    def _end_phrase(self) -> None:
        phrase = self._phrase
        if len(phrase) > 1 and len(self._phrases) < MAX_PHRASES:
            phrase = phrase_token(len(self._phrases))
            self._phrases.append(self._phrase)
        self._body.append(phrase)
        self._phrase = ""

    def _token_of_column(self, text: str, column: str | None) -> str:
        """The token of the column whose value the text is, or an empty string."""
        value = self._run[column] if column else None
        quote = '"' if isinstance(value, str) else ""
        if column is None or text != f"{quote}{value}{quote}":
            return ""
        return f"{quote}{column_token(column)}{quote}"

    def _without_id(self, text: str) -> str:
        return text.replace(self._run_id, RUN_ID)


def _text_of(value: Any, path: str) -> str:
    """The JSON text of a value. Calling `json` for a small one would be slow."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if value is None:
        return "null"
    if type(value) is int:
        return str(value)
    if path not in MIN_SHARED_LENGTH:
        return _encode(value)
    # Equal values can have different JSON texts (1, 1.0 and true; keys in another
    # order), so they are no cache keys. Their marshalled form, in version 2, is unique.
    return _cached_text(marshal.dumps(value, 2))


@lru_cache(CACHED_TEXTS)
def _cached_text(marshalled: bytes) -> str:
    return _encode(marshal.loads(marshalled))  # noqa: S302 (our own bytes)
