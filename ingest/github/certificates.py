"""The certificate authorities that requests to GitHub and its proxy trust."""

import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from ci_observer.ingest.errors import ConfigError

# OpenSSL finds a certificate in a folder by this form of its file's name.
_HASH_NAME = re.compile(r"[0-9a-f]{8}\.[0-9]+")


@dataclass(frozen=True)
class Certificates:
    """Trusted certificates of `SSL_CERT_FILE` and `SSL_CERT_DIR`, None if not set."""

    file: str | None = None
    folders: str | None = None

    def __str__(self) -> str:
        texts = [
            f"{path} ({name})"
            for name, path in (
                ("SSL_CERT_FILE", self.file),
                ("SSL_CERT_DIR", self.folders),
            )
            if path
        ]
        return ", ".join(texts) or "those of Mozilla (certifi)"


def tls_context(certificates: Certificates) -> ssl.SSLContext | None:
    """A context that trusts only these certificates; None for the default ones.

    Raises `ConfigError` if there are none in the file or the folders.
    """
    if not certificates.file and not certificates.folders:
        return None
    if certificates.file:
        _refuse_unusable(certificates.file)
    if certificates.folders:
        _refuse_empty(certificates.folders)
    return ssl.create_default_context(
        cafile=certificates.file, capath=certificates.folders
    )


def _refuse_unusable(path: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
        if context.cert_store_stats()["x509"]:
            return
        reason = "it has no certificate"
    except ssl.SSLError:
        reason = "it has no certificate, or a broken one"
    except OSError as error:
        reason = f"it cannot be read: {error.strerror}"
    raise ConfigError(
        f"SSL_CERT_FILE: {path} is not a file with certificates ({reason}). Write the "
        "path of a file with the certificates to trust, in PEM form, or remove the "
        "variable."
    )


def _refuse_empty(folders: str) -> None:
    for folder in folders.split(os.pathsep):
        try:
            if any(_HASH_NAME.fullmatch(name.name) for name in Path(folder).iterdir()):
                return
            reason = "no file in it is named by a hash"
        except OSError as error:
            reason = f"it cannot be read: {error.strerror}"
    raise ConfigError(
        f"SSL_CERT_DIR: {folders} is not a folder with certificates ({reason}). Write "
        "the path of a folder on which openssl rehash has been run, or remove the "
        "variable."
    )
