"""Which access tokens are refused: those that can be guessed, or are another secret."""

import re

from ci_observer.ingest.errors import ConfigError

# A random token of this length has at least 64 bits.
MIN_LENGTH = 16
MIN_CHARACTERS = 6

_GITHUBS = re.compile(r"gh[a-z]_|github_pat_")


def refuse_weak_token(token: str, name: str) -> None:
    """Raise `ConfigError`, with a way to make a better one."""
    fault = None
    if len(token) < MIN_LENGTH:
        fault = f"the token has {len(token)} characters, and {MIN_LENGTH} are needed."
    elif len(set(token)) < MIN_CHARACTERS:
        fault = "the token has too few different characters."
    elif _GITHUBS.match(token):
        fault = "this is a token for GitHub, which visitors must not have."
    if fault:
        raise ConfigError(f"{name}: {fault} Make a new one with: openssl rand -hex 16")
