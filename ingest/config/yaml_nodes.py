"""YAML text as nodes with their positions: plain data only, and clear about its traps.

Values follow YAML 1.2, as editors read them: `on` and `no` are texts. Anchors, aliases,
tags and a key that is there twice are faults.
https://yaml.org/spec/1.2.2/#103-core-schema
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

MAX_DEPTH = 12
# YAML 1.1 reads them as true or false.
_AMBIGUOUS = re.compile(r"y|n|yes|no|on|off", re.I)
_NULL = re.compile(r"|~|null|Null|NULL")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,30}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_LONG = re.compile(
    r"0o[0-7]+|0x[0-9A-Fa-f]+|[-+]?[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN)"
)
# https://yaml.org/spec/1.2.2/#51-character-set
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
# The fault is where its context begins, not where the parser gave up.
_EARLIER = ("quoted scalar", "alias", "anchor", "simple key", "flow")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Position:
    """A place in the file. The first line and the first column are 1."""

    line: int
    column: int


class Fault(Exception):
    """What is wrong at a place of the file, and what to write instead."""

    def __init__(self, at: Position, text: str) -> None:
        super().__init__(text)
        self.at = at
        self.text = text


@dataclass(frozen=True)
class Node:
    """A value: `content` is a text, a list of nodes, or a list of (key, value) nodes.

    `is_plain` is true for a text without quotes.
    """

    at: Position
    content: Any
    kind: str = "text"
    is_plain: bool = False

    @property
    def is_null(self) -> bool:
        """Whether there is no value, as after a key whose list is commented out."""
        return self.is_plain and _NULL.fullmatch(self.content) is not None

    def find(self, path: tuple[str | int, ...]) -> "Node":
        """The node at a path of keys and indexes, or the last one that exists."""
        for step in path:
            if self.kind == "mapping":
                found = [v for k, v in self.content if k.content == str(step)]
            elif self.kind == "list" and isinstance(step, int):
                found = self.content[step : step + 1]
            else:
                found = []
            path = path[1:]
            if found:
                node: Node = found[0]
                return node.find(path)
        return self

    def key(self, name: str) -> "Node":
        """The node of a key of this mapping; the mapping itself if it has none."""
        keys: list[Node] = (
            [k for k, _ in self.content] if self.kind == "mapping" else []
        )
        found = [key for key in keys if key.content == name]
        return found[0] if found else self

    def texts(self) -> Iterator["Node"]:
        """All texts in this node, keys included."""
        if self.kind == "text":
            yield self
        for child in self.content if self.kind != "text" else ():
            for node in child if self.kind == "mapping" else (child,):
                yield from node.texts()


class Ambiguous(str):
    """A text such as `no`, which many programs read as false."""

    __slots__ = ()


def data_of(node: Node) -> Any:
    """The value of a node: texts, numbers, booleans, None, lists and dicts.

    Leaves out keys without a value.
    """
    if node.kind == "mapping":
        return {k.content: data_of(v) for k, v in node.content if not v.is_null}
    if node.kind == "list":
        return [data_of(item) for item in node.content]
    return _scalar(node.content) if node.is_plain else node.content


def _scalar(text: str) -> Any:
    if _NULL.fullmatch(text):
        return None
    if _BOOLEAN.fullmatch(text):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _LONG.fullmatch(text):
        return float("nan")
    return Ambiguous(text) if _AMBIGUOUS.fullmatch(text) else text


def parse_yaml(text: str) -> tuple[Node | None, list[Fault]]:
    """The mapping in a text, and its faults; None for a text that is no YAML.

    The mapping of an empty text is empty.
    """
    if found := _UNPRINTABLE.search(text):
        before = text[: found.start()]
        at = Position(before.count("\n") + 1, found.start() - before.rfind("\n"))
        return None, [Fault(at, "this character cannot be seen. Delete it.")]
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.add(event)
    except yaml.MarkedYAMLError as error:
        return None, [*builder.faults, _syntax_fault(error, text.splitlines())]
    except Fault as fault:
        return None, [*builder.faults, fault]
    root = builder.root
    if root is None or root.is_null:
        root = Node(root.at if root else Position(1, 1), [], "mapping")
    if root.kind != "mapping":
        text = "this is no setting. Write key: value, one a line."
        return None, [*builder.faults, Fault(root.at, text)]
    return root, builder.faults


class _Builder:
    """Makes nodes of the parser's events, without recursion."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.faults: list[Fault] = []
        # Each open list or mapping, with the key that waits for its value.
        self._open: list[tuple[Node, list[Node]]] = []
        self._documents = 0

    def add(self, event: yaml.Event) -> None:
        at = Position(event.start_mark.line + 1, event.start_mark.column + 1)
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise Fault(at, "a second document begins. Remove the line ---")
            case yaml.AliasEvent():
                self.faults.append(Fault(at, _alias_text(f"*{event.anchor}", "alias")))
                self._put(Node(at, ""))
            case yaml.ScalarEvent():
                self._check(event, at)
                is_plain = not event.style and not event.tag
                self._put(Node(at, event.value, is_plain=is_plain))
            case yaml.SequenceStartEvent():
                self._start(Node(at, [], "list"), event)
            case yaml.MappingStartEvent():
                self._start(Node(at, [], "mapping"), event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                node, _ = self._open.pop()
                self._put(node)

    def _start(self, node: Node, event: yaml.NodeEvent) -> None:
        self._check(event, node.at)
        if len(self._open) >= MAX_DEPTH:
            raise Fault(node.at, "this is nested too deeply. Write fewer levels.")
        self._open.append((node, []))

    def _check(self, event: Any, at: Position) -> None:
        if event.anchor:
            self.faults.append(Fault(at, _alias_text(f"&{event.anchor}", "anchor")))
        if event.tag:
            self.faults.append(Fault(at, _tag_text(event.tag)))

    def _put(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent, waiting = self._open[-1]
        if parent.kind == "list":
            parent.content.append(node)
        elif waiting:
            self._put_pair(parent, waiting.pop(), node)
        else:
            waiting.append(node)

    def _put_pair(self, parent: Node, key: Node, value: Node) -> None:
        if key.kind != "text":
            text = "a key must be a text. Write a text with { or [ in quotes."
            self.faults.append(Fault(key.at, text))
            return
        first = [k for k, _ in parent.content if k.content == key.content]
        if first:
            text = (
                f"{shown(key.content)} is there twice, first in line "
                f"{first[0].at.line}. Keep one."
            )
            self.faults.append(Fault(key.at, text))
            return
        parent.content.append((key, value))


def shown(text: str) -> str:
    """A text of the file as a message shows it: cut, and on one line."""
    short = text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004
    return " ".join(short.split()) or "an empty text"


def _alias_text(text: str, kind: str) -> str:
    return (
        f"{shown(text)} is an {kind} in YAML, which is not allowed. For a text, write "
        f'"{shown(text)}" in quotes; otherwise write the value itself.'
    )


def _tag_text(tag: str) -> str:
    text = re.sub(r"^tag:yaml\.org,2002:", "!!", tag)
    if text.startswith("!!"):
        return f"{shown(text)} is a tag in YAML, which is not allowed. Remove it."
    return (
        f"{shown(text)} is a tag in YAML, because it begins with an exclamation mark. "
        f'Write "{shown(text)}" in quotes.'
    )


def _syntax_fault(error: yaml.MarkedYAMLError, lines: list[str]) -> Fault:
    mark = error.problem_mark or error.context_mark
    context, problem = (str(t or "").lower() for t in (error.context, error.problem))
    if error.context_mark and any(
        words in f"{context} {problem}" for words in _EARLIER
    ):
        mark = error.context_mark
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    at = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
    return Fault(at, _syntax_text(context, problem, line[at.column - 1 :]))


# A word of libyaml's or PyYAML's message, and what to write instead.
_SYNTAX = (
    (
        ("alias", "anchor"),
        "a text that begins with * or & needs quotes, because they have a meaning in "
        'YAML. Write for example "*"',
    ),
    (("escape",), "a backslash in double quotes begins a code. Use single quotes."),
    (("quoted scalar",), "the quote that begins here is not closed. Close it."),
    (
        ("mapping values are not allowed",),
        'a second ": " stands in one line. Write the text in quotes, or correct the '
        "indentation.",
    ),
    (("flow",), "the bracket that begins here is not closed, or a comma is missing."),
    (("simple key",), "this line has no colon. Write key: value"),
    (("tag",), "a text that begins with ! needs quotes, because it is a tag in YAML."),
)


def _syntax_text(context: str, problem: str, rest: str) -> str:
    if rest[:1] == "\t":
        return "a tab stands before the text. Indent with spaces."
    if "cannot start any token" in problem:
        return f"a text that begins with {rest[:1]} needs quotes."
    message = f"{context} {problem}"
    for words, text in _SYNTAX:
        if any(word in message for word in words):
            return text
    return (
        f"this is no YAML ({problem or 'it cannot be read'}). Look at the indentation, "
        "at quotes and at colons, here and in the line before."
    )
