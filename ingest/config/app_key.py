"""The settings of a GitHub App, and its private key. No message shows any of the key.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

import re
import stat
from collections.abc import Collection
from pathlib import Path

from ci_observer.ingest.config.tokens import remedy_of
from ci_observer.ingest.errors import ConfigError

NAME = "GITHUB_APP_PRIVATE_KEY_FILE"
# GitHub's keys have 1,700 bytes.
MAX_BYTES = 64 * 1024
MIN_BITS = 2048
# A message shows no longer text: it may be a client secret or a key.
MAX_ID_LENGTH, MAX_PATH_LENGTH = 30, 300
# Docker mounts secrets there for every user, in a container that has no others.
SECRETS_FOLDER = Path("/run/secrets")
GET_ANOTHER = (
    'Use the .pem file that GitHub offers for download after "Generate a private '
    'key" in the settings of the App.'
)
# Other contents of a file than a private RSA key, by a word in its headers.
WRONG_KINDS = (
    (
        "ENCRYPTED",
        "a key with a passphrase. Write one without: openssl rsa -in OLD -out NEW",
    ),
    ("PUBLIC KEY", f"a public key. {GET_ANOTHER}"),
    ("CERTIFICATE", f"a certificate. {GET_ANOTHER}"),
    ("OPENSSH", f"an SSH key. {GET_ANOTHER}"),
    ("EC PRIVATE", f"no RSA key. {GET_ANOTHER}"),
)


def parse_app_id(text: str, name: str) -> str:
    """The number of an App, or its client id."""
    if re.fullmatch(r"[0-9]{1,15}|Iv[0-9A-Za-z.]{6,40}", text):
        return text
    # A longer text may be a secret of the App.
    shown = repr(text) if len(text) <= MAX_ID_LENGTH else "its value"
    raise ConfigError(
        f"{name}: {shown} is not the id of a GitHub App. Write the client id from the "
        "settings of the App, such as Iv23liAbCdEfGhIjKlMn, or its number."
    )


def refuse_incomplete_app(given: Collection[str]) -> None:
    """Raise `ConfigError` for a part of an App's settings, or for an App and a token.

    `given` has the names of the variables that are set.
    """
    of_app = [name for name in given if name.startswith("GITHUB_APP_")]
    if not of_app:
        return
    if others := [name for name in given if name not in of_app]:
        raise ConfigError(
            f"{others[0]} and {of_app[0]} are both set: keep the token or the App."
        )
    for name in ("GITHUB_APP_ID", NAME):
        if name not in of_app:
            raise ConfigError(
                f"{of_app[0]} is set, and {name} is not: a GitHub App needs both "
                f"GITHUB_APP_ID and {NAME}."
            )


def read_app_key(path: Path, *, known: bytes | None = None) -> bytes:
    """The private RSA key in a PEM file, in PKCS#1 or PKCS#8.

    `known` is a key that was accepted before: to check one takes 40 ms. Raises
    `ConfigError` if the file cannot be read or holds anything else.
    """
    pem = _read(path).removeprefix(b"\xef\xbb\xbf").strip()
    if pem == known:
        return pem
    if not pem:
        raise ConfigError(f"{NAME}: {path} is empty. {GET_ANOTHER}")
    text = pem.decode("ascii", "replace")
    headers = " ".join(re.findall(r"^(?:-----BEGIN|Proc-Type:).*", text, re.M))
    if not headers:
        raise ConfigError(f"{NAME}: {path} holds no PEM key. {GET_ANOTHER}")
    for word, kind in WRONG_KINDS:
        if word in headers:
            raise ConfigError(f"{NAME}: {path} holds {kind}")
    _refuse_unusable(pem, path)
    return pem


def open_permissions_text(path: Path, name: str = NAME) -> str | None:
    """The fault of the permissions of the file; None if there is none."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    is_open = mode & (stat.S_IRWXO | stat.S_IWGRP)
    if not is_open or SECRETS_FOLDER in path.parents:
        return None
    return (
        f"{name}: other users of this machine can read or replace {path} (its mode is "
        f"{mode:04o}). Run chmod 600 {path}"
    )


def _read(path: Path) -> bytes:
    try:
        if not path.is_file() and path.exists():
            raise ConfigError(f"{NAME}: {path} is not a file. {GET_ANOTHER}")
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except OSError as error:
        # The value may be the key itself.
        is_key = len(str(path)) > MAX_PATH_LENGTH or "-----BEGIN" in str(path)
        shown = "the file" if is_key else path
        pem = "Point it at the .pem file with the private key of the App."
        raise ConfigError(
            f"{NAME}: cannot read {shown} ({error.strerror}). {remedy_of(error) or pem}"
        ) from None


def _refuse_unusable(pem: bytes, path: Path) -> None:
    # Takes 0.1 seconds to import, and most instances have no App.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import (  # noqa: PLC0415
        RSAPrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Without the cause, whose text may quote the file.
        raise ConfigError(
            f"{NAME}: the key in {path} is damaged or incomplete. {GET_ANOTHER}"
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError(f"{NAME}: the key in {path} is no RSA key. {GET_ANOTHER}")
    if key.key_size < MIN_BITS:
        raise ConfigError(
            f"{NAME}: the key in {path} has {key.key_size} bits, and GitHub's have "
            f"{MIN_BITS}. {GET_ANOTHER}"
        )
