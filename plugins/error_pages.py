"""The error page for what Datasette's router and views raise."""

import traceback
from collections.abc import Awaitable, Callable

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Base400, NotFound, Request, Response
from datasette.views.base import DatasetteError

from ci_observer.web.guard import TOO_LONG
from ci_observer.web.pages.error_page import error_page, wants_json

# Datasette's words for a missing page, and ours.
MISSING = {
    "404": "There is no page at this address.",
    "Database not found": "There is no page at this address.",
    "Table not found": "There is no table, view or query of this name.",
    "Record not found": "There is no row with this key.",
}
FAULT = "This is a fault of CI Observer. Its log has the details."


@hookimpl
def handle_exception(
    datasette: Datasette, request: Request, exception: Exception
) -> Callable[[], Awaitable[Response]]:
    async def respond() -> Response:
        status, message = describe(exception)
        if wants_json(request):
            facts = getattr(exception, "error_dict", {})
            title = getattr(exception, "title", None)
            body = facts | {"ok": False, "error": message, "status": status}
            return Response.json(body | {"title": title}, status=status)
        return await error_page(datasette, request, status, message)

    return respond


def describe(exception: Exception) -> tuple[int, str]:
    """The status and the text of an exception; prints the traceback of a fault."""
    match exception:
        case NotFound() if exception.args[0] in MISSING:
            return 404, MISSING[exception.args[0]]
        case Base400():
            return exception.status, str(exception.args[0])
        case DatasetteError():
            # Its message with tags is the one of a statement that took too long.
            message = TOO_LONG if exception.message_is_html else exception.message
            return exception.status, str(message)
    traceback.print_exception(exception)
    return 500, FAULT
