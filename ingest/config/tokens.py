"""Tokens, as a variable or a file gives them. No message shows one."""

import re
from pathlib import Path

from ci_observer.ingest.errors import ConfigError


def read_token_file(path: Path, name: str = "GITHUB_TOKEN_FILE") -> str:
    """The token in a file, such as a secret from Docker or systemd.

    Raises `ConfigError` if the file cannot be read or does not hold exactly one token.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise ConfigError(
            f"{name}: cannot read {path} ({reason}). "
            "Point it at a readable file that holds the token."
        ) from None
    if not text.strip():
        raise ConfigError(f"{name}: {path} is empty. Put the token in it.")
    return parse_token(text.strip(), name)


def parse_token(text: str, name: str) -> str:
    # The message must not contain the token.
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        source = (
            "Choose one without them"
            if name.startswith("ACCESS_TOKEN")
            else "Copy it again from https://github.com/settings/tokens"
        )
        raise ConfigError(
            f"{name}: the token has a space, a line break or a letter that no token "
            f"has. {source}."
        )
    return text
