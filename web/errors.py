"""Errors that a visitor sees, each with its HTTP status; and one of the start."""

from typing import Any

MAX_MESSAGE = 1000


class WebError(Exception):
    """Base class. The message is shown as it is; facts become keys of a JSON error.

    A long message repeats a long value of a URL. Its middle is left out: the advice is
    at the end.
    """

    status = 500

    def __init__(self, message: str, **facts: Any) -> None:
        if len(message) > MAX_MESSAGE:
            half = MAX_MESSAGE // 2
            message = f"{message[:half]}…{message[-half:]}"
        super().__init__(message)
        self.facts = facts


class BadRequest(WebError):
    """A filter, argument or value is unknown; the message names the allowed ones."""

    status = 400


class NotFound(WebError):
    """There is no such workflow; the facts list the ones there are."""

    status = 404


class NotPermitted(WebError):
    """The visitor may not do this; the message says which setting decides."""

    status = 403


class Unavailable(WebError):
    """The database cannot be read now; the message says what to do about it."""

    status = 503


class OtherSchema(Unavailable):
    """The database belongs to another version; the message names both versions."""


class IncompleteInstallation(Exception):
    """A file that the web side needs at the start is missing or broken.

    The message names it. Not a `WebError`: it ends the process before any request.
    """
