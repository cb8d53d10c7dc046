"""SQL typed by visitors: switched off by `ADHOC_SQL=off`, refused when embedded."""

from collections.abc import Callable

from datasette import hookimpl
from datasette.app import Datasette

from ci_observer.web.database import DATABASE
from ci_observer.web.forwarding import is_ours
from ci_observer.web.pages.error_page import send_error
from ci_observer.web.responses import App, Message, Receive, Send
from ci_observer.web.settings import settings_of
from ci_observer.web.sql import adhoc
from ci_observer.web.urls import route_of


@hookimpl
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    def wrap(app: App) -> App:
        async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or is_ours(route_of(datasette, scope)):
                await app(scope, receive, send)
                return
            is_off = settings_of(datasette).adhoc_sql == adhoc.OFF
            query = scope["query_string"].decode("latin-1")
            if adhoc.has_sql(query):
                if is_off:
                    await send_error(datasette, scope, send, 403, adhoc.SWITCHED_OFF)
                    return
                if adhoc.is_embedded_elsewhere(dict(scope["headers"])):
                    await send_error(
                        datasette, scope, send, 403, adhoc.FROM_ANOTHER_SITE
                    )
                    return
            is_dashboard = route_of(datasette, scope).startswith("/-/dashboards/")
            adhoc.current_pass.set(adhoc.Pass(is_dashboard))
            await app(scope, receive, send)

        return wrapped

    return wrap


# Last, because the last opinion counts.
@hookimpl(trylast=True)
def permission_allowed(
    datasette: Datasette, action: str, resource: object
) -> bool | None:
    """Deny `execute-sql` when it is off, and always for other databases than ours."""
    if action != "execute-sql":
        return None
    if resource != DATABASE:
        # Statements on Datasette's own database are not run in a worker.
        return False
    if settings_of(datasette).adhoc_sql != adhoc.OFF:
        return None
    given = adhoc.current_pass.get()
    if given is None or not given.is_valid:
        return False
    given.is_valid = False
    return None
