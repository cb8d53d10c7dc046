"""Packs GitHub's run objects: text that many runs share is stored once.

Seven tenths of a run object are two repository objects that hardly ever change. Most of
the rest are keys, addresses and values that the row of `runs` has too. So the object's
JSON text is cut into pieces, and a token (see `payload_tokens`) stands for each piece
that repeats. Unpacking replaces the tokens, and gives back exactly the same text: which
pieces count as repeating affects the size only.
"""

import json
import marshal
import re
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
# Above the number of keys of a run object, and of its objects.
CACHED_FIELDS = 1000
CACHED_OBJECTS = 100

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


class SharedTexts:
    """The JSON texts of values that run objects share.

    A page has mostly the same few repositories and people, each as one object (see
    `shared_objects`), so the object is looked up first. Keep it only for one page.
    """

    def __init__(self) -> None:
        # The value is kept, so that no other one gets its id.
        self._texts: dict[int, tuple[Any, str]] = {}

    def of(self, value: Any) -> str:
        """The JSON text of a value."""
        if found := self._texts.get(id(value)):
            return found[1]
        text = _text_of(value, is_shared=True)
        self._texts[id(value)] = (value, text)
        return text


def pack_payload(
    payload: Mapping[str, Any],
    run: Mapping[str, Any],
    texts: SharedTexts | None = None,
) -> PackedPayload:
    """Pack a run object; `run` is the row of `runs` that is stored with it."""
    packer = _Packer(run, texts or SharedTexts())
    packer.add_object(payload, "")
    return packer.packed()


@dataclass(frozen=True, slots=True)
class _Field:
    """How the value of a key is packed: a lookup for each of the tables of paths.

    `key` is its JSON text with a colon, after what separates it from the field before.
    `column` is the column of `runs` that a value equals, and `usual_column` one that it
    often equals.
    """

    key: str
    path: str
    is_container: bool
    is_per_workflow: bool
    ending: re.Pattern[str] | None
    column: str | None
    usual_column: str | None
    min_shared_length: int | None


@lru_cache(CACHED_OBJECTS)
def _fields(path: str, keys: tuple[str, ...]) -> tuple[_Field, ...]:
    """The fields of an object at a path."""
    return tuple(
        _field(f"{path}.{key}", f"{',' if n else '{'}{encode_basestring_ascii(key)}:")
        for n, key in enumerate(keys)
    )


@lru_cache(CACHED_FIELDS)
def _field(path: str, key: str = "") -> _Field:
    return _Field(
        key,
        path,
        path in CONTAINERS,
        path in PER_WORKFLOW,
        VARIABLE_ENDINGS.get(path),
        COLUMN_OF_PATH.get(path),
        USUAL_COLUMN_OF_PATH.get(path),
        MIN_SHARED_LENGTH.get(path),
    )


class _Packer:
    """Builds the JSON text of a run object, cut into pieces.

    Text is appended to the current phrase until a piece of another kind ends it.
    """

    def __init__(self, run: Mapping[str, Any], texts: SharedTexts) -> None:
        self._run = run
        self._texts = texts
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

    def add_object(self, value: Mapping[str, Any], path: str) -> None:
        """Add the text of an object, value by value.

        A run has some 40 values. Most are added here: a call for each, and a phrase
        that is an attribute, would take twice the time.
        """
        phrase, run_id = self._phrase, self._run_id
        fields = _fields(path, tuple(value))
        for field, inner in zip(fields, value.values(), strict=True):
            phrase += field.key
            if inner is None:
                phrase += "null"
                continue
            if type(inner) is str:
                text = encode_basestring_ascii(inner)
            elif not inner and isinstance(inner, dict | list):
                text = "{}" if isinstance(inner, dict) else "[]"
            elif field.is_container and isinstance(inner, dict | list):
                self._phrase = phrase
                self._add_container(inner, field.path)
                phrase = self._phrase
                continue
            elif field.min_shared_length is None:
                text = _text_of(inner, is_shared=False)
            else:
                text = self._texts.of(inner)
            if text in LITERALS:
                phrase += text
            elif field.is_per_workflow and not field.ending:
                phrase += text.replace(run_id, RUN_ID)
            elif field.column and (token := self._token_of_column(text, field.column)):
                phrase += token
            else:
                self._phrase = phrase
                self._add_piece(text, field)
                phrase = self._phrase
        self._phrase = phrase + ("}" if value else "{}")

    def _add_container(self, value: dict[str, Any] | list[Any], path: str) -> None:
        if isinstance(value, dict):
            self.add_object(value, path)
            return
        separator = "["
        for inner in value:
            self._phrase += separator
            if inner and isinstance(inner, dict):
                self._add_container(inner, path)
            else:
                # A list within the list is one piece.
                self._add_piece(_text_of(inner, is_shared=False), _field(f"{path}."))
            separator = ","
        self._phrase += "]"

    def _add_piece(self, text: str, field: _Field) -> None:
        """Add the text of one piece to the phrase, the body or the parts."""
        if text in LITERALS:
            self._phrase += text
        elif field.ending and (match := field.ending.fullmatch(text)):
            self._phrase += '"' + self._without_id(match[1])
            self._add_to_body(match[2])
            self._phrase += '"'
        elif field.is_per_workflow:
            self._phrase += self._without_id(text)
        elif field.min_shared_length is not None:
            rest = self._add_title(text) if field.path == COMMIT_MESSAGE else text
            self._add_part(rest, field.min_shared_length)
        else:
            usual = field.usual_column
            token = self._token_of_column(text, usual) if usual else ""
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

    def _token_of_column(self, text: str, column: str) -> str:
        """The token of the column whose value the text is, or an empty string."""
        value = self._run[column]
        if isinstance(value, str):
            is_same = text == f'"{value}"'
            return f'"{column_token(column)}"' if is_same else ""
        return column_token(column) if text == str(value) else ""

    def _without_id(self, text: str) -> str:
        return text.replace(self._run_id, RUN_ID)


def _text_of(value: Any, *, is_shared: bool) -> str:
    """The JSON text of a value. Calling `json` for a small one would be slow."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if type(value) is int:
        return str(value)
    if not is_shared:
        return _encode(value)
    # Equal values can have different JSON texts (1, 1.0 and true; keys in another
    # order), so they are no cache keys. Their marshalled form, in version 2, is unique.
    return _cached_text(marshal.dumps(value, 2))


@lru_cache(CACHED_TEXTS)
def _cached_text(marshalled: bytes) -> str:
    return _encode(marshal.loads(marshalled))  # noqa: S302 (our own bytes)
