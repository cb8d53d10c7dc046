"""The failures that a reader is told about, each with its HTTP status."""


class WebError(Exception):
    """Base: the message is shown to the reader as it is."""

    status = 500


class BadRequest(WebError):
    """The request asks for what does not exist; the message says what does."""

    status = 400


class Unavailable(WebError):
    """The database cannot answer now; the message says what to do about it."""

    status = 503
