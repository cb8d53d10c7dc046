"""Responses to requests that Datasette would answer with 500 and a traceback.

Datasette and its plugins do not check all of a request: an unknown column to sort by, a
method without a handler or a broken cookie raises some exception. Here each becomes
400, 405, 413 or 503 with a sentence. A fault of our own code stays a 500 with a
traceback.
"""

import json
import logging
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from http import cookies
from pathlib import Path
from traceback import walk_tb
from typing import Any

from datasette.app import Datasette, favicon
from datasette.database import QueryInterrupted
from datasette.utils import InvalidSql
from datasette.utils.asgi import Base400, Request, Response
from datasette.utils.sqlite import sqlite3
from datasette.views.base import DatasetteError
from datasette.views.special import LogoutView, MessagesDebugView, PermissionsDebugView

from ci_observer.web.accept import prefers_html
from ci_observer.web.database import DAMAGED, DATABASE, advice_on
from ci_observer.web.errors import WebError
from ci_observer.web.pages.error_page import error_page
from ci_observer.web.receiving import read_body
from ci_observer.web.responses import METHODS, App, Message, Receive, Send

log = logging.getLogger("ci_observer")

View = Callable[..., Awaitable[Any]]

# Of an error that Datasette raises without a status.
DEFAULT_STATUS = 500
FIRST_ERROR = 400
# Only logins and Datasette's few forms have a body.
MAX_BODY = 65_536
WRITE_METHODS = ("POST", "PUT", "PATCH", "DELETE")
PLUGIN_METHODS = (*METHODS, *WRITE_METHODS)
FORMS = (LogoutView, MessagesDebugView, PermissionsDebugView)
# Their views only read.
READERS = ("datasette.", "datasette_dashboards.")
# Packages that do not check all of a request. Another plugin's faults are reported.
CARELESS = (*READERS, "asgi_csrf.", "python_multipart.", "itsdangerous.")

# Exceptions for an unexpected value, where the code does not check it.
UNCHECKED = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError),
    *(TypeError, ValueError, cookies.CookieError),
)
# SQLite's messages about the file; the statement does not matter.
_FILE_ERRORS = (
    *("unable to open", "readonly database", "is full", "disk I/O", "is locked"),
    *("not a database", "disk image is malformed"),
)

# Bytes in the database that are no text or JSON.
DAMAGED_VALUES = (UnicodeDecodeError, json.JSONDecodeError)
NOT_UNDERSTOOD = (
    "This request cannot be understood: a parameter, value, format or header in it "
    "does not exist or cannot be used here."
)
TOO_LONG = "The query took too long. Narrow it, for example with filters or a limit."
TOO_LARGE = f"The body of the request is larger than {MAX_BODY} bytes."


class Refused(Base400):  # type: ignore[misc]
    """An error that Datasette shows as a page or as JSON, without a traceback."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def guarded_view(view: View, datasette: Datasette) -> View:
    """The view of a route, with known errors and only the methods that it handles."""
    allowed = allowed_methods(view)
    is_static = view is favicon or _is_static(view)

    @wraps(view)
    async def guarded(request: Request, send: Send) -> Any:
        refused = await refuse_method(datasette, request, allowed)
        if refused is not None:
            return refused
        try:
            if is_static:
                return await _send_file(datasette, request, send, view)
            return await view(request, send)
        except Exception as error:
            refusal = refusal_of(error, datasette)
            if refusal is not None:
                raise refusal from error
            if isinstance(error, DatasetteError) and error.status == DEFAULT_STATUS:
                # It names a wrong parameter, as in "Cannot sort table by".
                error.status = 400
            raise

    # Datasette compares the view of this route with the function.
    guarded._datasette_static = is_static  # type: ignore[attr-defined]
    return guarded


def guarded_app(app: App, datasette: Datasette) -> App:
    """The whole application, with known errors of the code around the views."""

    async def guarded(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        has_started = False

        async def remember(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            if scope["method"] in WRITE_METHODS:
                receive = await _with_body(receive)
            await app(scope, receive, remember)
        except _Gone:
            pass
        except Exception as error:
            refusal = refusal_of(error, datasette)
            if refusal is None:
                raise
            if has_started:
                # Without its end, so that the client sees that some is missing.
                log.warning("The response to %s breaks off: %s", scope["path"], refusal)
                return
            request = Request(scope, receive)
            response = await _response(datasette, request, str(refusal), refusal.status)
            await response.asgi_send(send)

    return guarded


def allowed_methods(view: View) -> tuple[str, ...] | None:
    """The methods that a view handles; None if it refuses others itself."""
    view_class = getattr(view, "view_class", None)
    if view_class in FORMS:
        return (*METHODS, "POST")
    module = (view_class or view).__module__
    if _is_static(view) or f"{module}.".startswith(READERS):
        return METHODS
    # Datasette names the modules in our folder of plugins like their files.
    return None if module.endswith(".py") else PLUGIN_METHODS


async def refuse_method(
    datasette: Datasette, request: Request, allowed: tuple[str, ...] | None
) -> Response | None:
    """204 to OPTIONS, 405 to other methods that are not allowed, otherwise None."""
    if allowed is None:
        return None
    headers = {"Allow": ", ".join(allowed)}
    if request.method not in allowed:
        message = f"This method is not allowed here. Allowed: {headers['Allow']}."
        return await _response(datasette, request, message, 405, headers)
    if request.method == "OPTIONS" and allowed != PLUGIN_METHODS:
        return Response("", status=204, headers=headers)
    return None


def refusal_of(error: Exception, datasette: Datasette) -> Refused | None:
    """The error to show a visitor instead of another one.

    None for an error that Datasette shows by itself, and for a fault that is not the
    visitor's.
    """
    cause = error.__context__ if isinstance(error, DatasetteError) else error
    if isinstance(cause, sqlite3.Error) and _is_of_file(cause):
        name = Path(datasette.get_database(DATABASE).path).name
        return Refused(advice_on(cause, name), 503)
    if isinstance(error, DAMAGED_VALUES) and _is_ours(error):
        name = Path(datasette.get_database(DATABASE).path).name
        return Refused(DAMAGED.format(path=name), 503)
    refusal = None
    match error:
        case Refused():
            refusal = error
        case WebError():
            refusal = Refused(str(error), error.status)
        case QueryInterrupted():
            refusal = Refused(TOO_LONG)
        case sqlite3.Error() | InvalidSql():
            refusal = Refused(f"The query cannot be run: {error}.")
        case _ if isinstance(error, UNCHECKED) and _is_careless(error):
            refusal = Refused(NOT_UNDERSTOOD)
    return refusal


def _is_of_file(error: sqlite3.Error) -> bool:
    return any(words in str(error) for words in _FILE_ERRORS)


def _is_careless(error: Exception) -> bool:
    """Whether the innermost call outside of the standard library is `CARELESS`."""
    return f"{_innermost(error)}.".startswith(CARELESS)


def _is_ours(error: Exception) -> bool:
    """Whether the innermost call is one of ours, which have checked the visitor's."""
    return _innermost(error).startswith("ci_observer.")


def _innermost(error: Exception) -> str:
    """The module of the innermost call outside of the standard library."""
    names = [frame.f_globals["__name__"] for frame, _ in walk_tb(error.__traceback__)]
    packages = [n for n in names if n.partition(".")[0] not in sys.stdlib_module_names]
    return str(packages[-1])


def _is_static(view: View) -> bool:
    return bool(getattr(view, "_datasette_static", False))


class _Gone(Exception):
    """The client has closed the connection before its request was complete."""


async def _with_body(receive: Receive) -> Receive:
    """Read the whole body of a request; return a `receive` that gives it again.

    Datasette's readers fail when the client leaves in the middle, and have no limit.
    """
    body = await read_body(receive, MAX_BODY)
    if body is None:
        raise _Gone
    if len(body) > MAX_BODY:
        raise Refused(TOO_LARGE, 413)
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


async def _send_file(
    datasette: Datasette, request: Request, send: Send, view: View
) -> Response | None:
    """Send a static file, or return the error page if there is none."""
    status = 200

    async def send_file(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)
        if status < FIRST_ERROR:
            await send(message)

    response: Response | None = await view(request, send_file)
    if status < FIRST_ERROR:
        return response
    message = "There is no such file."
    return await error_page(datasette, request, 404, message)


async def _response(
    datasette: Datasette,
    request: Request,
    message: str,
    status: int,
    headers: dict[str, str] | None = None,
) -> Response:
    if request.path.endswith(".json") or request.path.startswith("/api"):
        body = {"ok": False, "error": message, "status": status}
        return Response.json(body, status=status, headers=headers)
    if prefers_html(request):
        return await error_page(datasette, request, status, message, headers=headers)
    return Response.text(message, status=status, headers=headers)
