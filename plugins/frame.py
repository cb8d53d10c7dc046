"""The frame of every page: facts for its header that Datasette's views do not give."""

from collections.abc import Awaitable, Callable

from datasette import hookimpl
from datasette.app import Datasette
from datasette.utils.asgi import Request
from jinja2 import Environment

from ci_observer.web.pages.frame import Frame, frame_of
from ci_observer.web.rendering import YieldingTemplate


@hookimpl
def prepare_jinja2_environment(env: Environment) -> None:
    env.template_class = YieldingTemplate
    # For a template that is rendered without the hook below.
    env.globals["frame"] = Frame(nav=(("Wall", "/", ""),))


@hookimpl
def extra_template_vars(
    datasette: Datasette, request: Request | None
) -> Callable[[], Awaitable[dict[str, Frame]]]:
    async def variables() -> dict[str, Frame]:
        return {"frame": await frame_of(datasette, request)}

    return variables
