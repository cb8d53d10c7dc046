"""Refuses requests that call this server by a name that is not its own."""

from collections.abc import Callable

from datasette import hookimpl
from datasette.app import Datasette

from ci_observer.web.hosts import with_host_check
from ci_observer.web.responses import App


# Last, so that it comes before all other wrappers.
@hookimpl(trylast=True)
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    return lambda app: with_host_check(datasette, app)
