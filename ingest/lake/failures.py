"""Failures of the object store and of Delta in words, without credentials."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from deltalake.exceptions import DeltaError

from ci_observer.ingest.errors import LakeError
from ci_observer.ingest.texts import one_line

# Parts of the errors of object_store, of S3 servers and of Linux, and their meaning.
_MEANINGS = (
    (
        r"NoSuchBucket|bucket does not exist|specified bucket",
        "There is no such bucket. Create it, or correct the address.",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken",
        "The server does not accept the credentials. Check AWS_ACCESS_KEY_ID,"
        " AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.",
    ),
    (
        r"AccessDenied|Forbidden|403|PermissionDenied.*s3|Unauthenticated|401",
        "Access denied. The credentials need s3:GetObject, s3:PutObject,"
        " s3:DeleteObject and s3:ListBucket for this prefix.",
    ),
    (
        r"(?i)URL scheme is not allowed|BadScheme",
        "AWS_ENDPOINT_URL is plain http, which does not hide what is sent. Use https,"
        " or set AWS_ALLOW_HTTP=true.",
    ),
    (
        r"(?i)missing credentials|CredentialsNotLoaded|credential provider|"
        r"169\.254\.169\.254|no credentials",
        "There are no credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    ),
    (
        r"(?i)error sending request|connection refused|connect error|dns error|"
        r"timed out|timeout|HTTP error",
        "The server cannot be reached. Check AWS_ENDPOINT_URL and the network.",
    ),
    (
        r"(?i)permission denied|os error 13|os error 30|read-only file system",
        "This user may not write there. Change the owner or the mode of the folder.",
    ),
    (
        r"CommitFailedError",
        "Other writers have changed the table for ten minutes, so that no commit was"
        " possible. The next merge tries again.",
    ),
    (
        r"(?i)no such file or directory|os error 2\b",
        "This folder cannot be created. Check the address.",
    ),
    (r"(?i)no space left|os error 28|os error 122", "The disk is full."),
    (r"(?i)not a directory|os error 20|os error 17", "It is not a folder."),
)
SECRETS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


@contextmanager
def explaining_failures(uri: str, options: Mapping[str, str]) -> Iterator[None]:
    """Raise `LakeError` for a failure of the store, or of a commit that was retried."""
    try:
        yield
    except (DeltaError, OSError) as error:
        raise LakeError(f"Lake {uri}: {_meaning(error, options)}") from None


def _meaning(error: Exception, options: Mapping[str, str]) -> str:
    text = f"{type(error).__name__}: {error}"
    for pattern, meaning in _MEANINGS:
        if re.search(pattern, text, re.DOTALL):
            return meaning
    return one_line(_without_secrets(text, options))


def _without_secrets(text: str, options: Mapping[str, str]) -> str:
    for name, value in options.items():
        if name.lower() in SECRETS and value:
            text = text.replace(value, "***")
    return text
