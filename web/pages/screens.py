"""The stored views of the wall, which the settings name: /s/NAME."""

from datasette.app import Datasette
from datasette.utils.asgi import Request

from ci_observer.web.api.queries import fetch_config
from ci_observer.web.errors import NotFound

# The name and the query string.
Screen = dict[str, str]


async def find_screen(datasette: Datasette, name: str) -> Screen:
    """The screen of a name; raises `NotFound`, which lists the known ones."""
    screens: list[Screen] = (await fetch_config(datasette))["screens"]
    for found in screens:
        if found["name"] == name:
            return found
    known = ", ".join(f"/s/{found['name']}" for found in screens) or "no screen"
    raise NotFound(f"There is no screen {name!r}. The settings have {known}.")


def with_view(request: Request, screen: Screen) -> Request:
    """The request for the wall with a stored view, to which the address may add."""
    query = b"&".join([screen["query"].encode(), request.scope["query_string"]])
    return Request({**request.scope, "query_string": query}, request.receive)
