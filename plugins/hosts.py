"""Refuses requests that call this server by a name that is not its own."""

from collections.abc import Callable

from datasette import hookimpl
from datasette.app import Datasette

from ci_observer.web.hosts import allowed_hosts_of, with_host_check
from ci_observer.web.responses import App, where_needed


# Last, so that it comes before all other wrappers.
@hookimpl(trylast=True)
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    return lambda app: where_needed(
        lambda: allowed_hosts_of(datasette) is not None,
        with_host_check(datasette, app),
        app,
    )
