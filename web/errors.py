"""The failures that a reader is told about, each with its HTTP status."""

from typing import Any


class WebError(Exception):
    """Base: the message is shown to the reader as it is, with facts that explain it."""

    status = 500

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts = facts


class BadRequest(WebError):
    """The request asks for what does not exist; the message says what does."""

    status = 400


class NotFound(WebError):
    """What is asked for is not here; the message says why, the facts what is."""

    status = 404


class Unavailable(WebError):
    """The database cannot answer now; the message says what to do about it."""

    status = 503


class IncompleteInstallation(Exception):
    """A file that the web side needs at the start is missing or broken.

    The message names it. Not a `WebError`: it ends the process before any request.
    """
