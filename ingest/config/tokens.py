"""Tokens, as a variable or a file gives them. No message shows one."""

import os
import re
import unicodedata
from pathlib import Path

from ci_observer.ingest.errors import ConfigError

# https://datatracker.ietf.org/doc/html/rfc6750#section-2.1
_BEARER_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_SCHEME = re.compile(r"(authorization\s*:\s*)?(bearer|token|basic)\s*[\s:]", re.I)
_ASSIGNMENT = re.compile(r"((export|set)\s+)?\w*token\w*\s*[=:]\s*[^=\s]", re.I)
_BOM = "\ufeff"


def read_token_file(path: Path, name: str = "GITHUB_TOKEN_FILE") -> str:
    """The token in a file, such as a secret from Docker or systemd.

    Raises `ConfigError` if the file cannot be read or does not hold exactly one token.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file in UTF-8"
        # A value without a slash may be the token itself.
        shown = path if "/" in str(path) or path.exists() else "the file"
        remedy = remedy_of(error) or "Write the path of a file that holds the token."
        raise ConfigError(f"{name}: cannot read {shown} ({reason}). {remedy}") from None
    if not text.strip():
        raise ConfigError(f"{name}: {path} is empty. Put the token in it.")
    return parse_token(text.strip(), name)


def remedy_of(error: Exception) -> str | None:
    """Who has to be able to read a secret's file, if that is the cause of an error.

    In a container the user is the owner of the data, which an operator may not expect.
    """
    if not isinstance(error, PermissionError):
        return None
    uid = os.geteuid()
    return f"Make uid {uid} the owner of the file, or run the command as its owner."


def parse_token(text: str, name: str) -> str:
    """A token; raises `ConfigError` for a text that has more or less than that."""
    if fault := _fault(text, name):
        raise ConfigError(f"{name}: {fault}")
    return text


def _fault(text: str, name: str) -> str | None:
    """The fault of a token, and what to write instead; None if it has none."""
    if text.startswith(_BOM):
        return (
            "a byte order mark (BOM) stands before the token. Save the file as UTF-8 "
            "without one."
        )
    if _is_quote(text[0]) or _is_quote(text[-1]):
        return "the token is in quotes. Write it without them."
    if match := _SCHEME.match(text):
        return f"the word {match[2]} stands before the token. Write the token alone."
    if _ASSIGNMENT.match(text):
        return "a name stands before the token. Write only what follows the = sign."
    is_ours = name.startswith("ACCESS_TOKEN")
    if (_PRINTABLE if is_ours else _BEARER_TOKEN).fullmatch(text):
        return None
    source = (
        "Choose one without them"
        if is_ours
        else "Copy it again from https://github.com/settings/tokens"
    )
    return (
        "the token has a space, a line break or a character that no token has. "
        f"{source}."
    )


def _is_quote(character: str) -> bool:
    """Whether a character is a quotation mark of any language."""
    name = unicodedata.name(character, "")
    return character in "'`" or "QUOTATION MARK" in name or name == "ACUTE ACCENT"
