"""The access token: without it, or another login, only the login page is open."""

from collections.abc import Callable
from typing import Any

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request

from ci_observer.web.access import Actor
from ci_observer.web.access_token import ACTOR, login_of
from ci_observer.web.admission import with_admission
from ci_observer.web.pages.login import LOGIN, LOGOUT, login, logout
from ci_observer.web.responses import App, where_needed


@hookimpl
def asgi_wrapper(datasette: Datasette) -> Callable[[App], App]:
    return lambda app: where_needed(
        lambda: login_of(datasette) is not None, with_admission(datasette, app), app
    )


# Last, after the plugins that know a person by name.
@hookimpl(trylast=True)
def actor_from_request(datasette: Datasette, request: Request) -> Actor | None:
    state = login_of(datasette)
    return dict(ACTOR) if state and state.is_proved(request) else None


# Last, because Datasette takes the last opinion.
@hookimpl(trylast=True)
def permission_allowed(datasette: Datasette, actor: Actor | None) -> bool | None:
    """No rule in the metadata opens anything to strangers."""
    return False if actor is None and login_of(datasette) else None


@hookimpl
def register_routes() -> list[tuple[str, Any]]:
    return [(rf"^{LOGIN}$", login), (rf"^{LOGOUT}$", logout)]
