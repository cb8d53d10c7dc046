"""The failures that a reader is told about, each with its HTTP status."""


class WebError(Exception):
    """Base: the message is shown to the reader as it is, with facts that explain it."""

    status = 500

    def __init__(self, message: str, **facts: str | None) -> None:
        super().__init__(message)
        self.facts = facts


class BadRequest(WebError):
    """The request asks for what does not exist; the message says what does."""

    status = 400


class Unavailable(WebError):
    """The database cannot answer now; the message says what to do about it."""

    status = 503
