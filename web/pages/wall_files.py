"""The wall's scripts as one file, and its styles as another.

Each has what the first drawing needs. Files for later, such as the strips and what only
a person needs, are still loaded on demand, each by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.cache import CachedResponse
from ci_observer.web.joined_files import JoinedFile, joined_script, joined_style
from ci_observer.web.pages.error_page import error_page
from ci_observer.web.responses import respond_to_method, with_etag

# The address has the hash of the content.
FOR_EVER = "public, max-age=31536000, immutable"
KINDS = ("many", "filtered")
ROUTE = (
    r"^/static/joined/wall(?P<kinds>(?:-[a-z]+)*)"
    r"\.(?P<version>\w+)\.(?P<ending>js|css)$"
)


@dataclass(frozen=True)
class _Format:
    """How files are joined, and the names of those in it by kind of page.

    They are what the wall's own script loads on demand, but here at once. The kind ""
    is for every wall, the others for many tiles and for an address with filters.
    """

    content_type: str
    join: Callable[[Path, tuple[str, ...]], JoinedFile]
    parts: dict[str, tuple[str, ...]]
    last: tuple[str, ...] = ()

    def names(self, kinds: list[str]) -> tuple[str, ...]:
        """The files that the joined one begins with."""
        found = [name for kind in ("", *kinds) for name in self.parts[kind]]
        return (*found, *self.last)


FORMATS = {
    "js": _Format(
        "text/javascript; charset=utf-8",
        joined_script,
        {
            "": (),
            "many": ("wall/overflow", "wall/cut"),
            "filtered": ("wall/filters",),
        },
        # It draws the wall.
        last=("wall/wall",),
    ),
    "css": _Format(
        "text/css; charset=utf-8",
        joined_style,
        {
            "": ("shared/base", "wall/wall", "wall/tile"),
            "many": ("wall/overflow",),
            "filtered": ("wall/filters",),
        },
    ),
}


def wall_files(
    datasette: Datasette, *, is_filtered: bool, may_overflow: bool
) -> dict[str, str]:
    """The paths of the two files for such a page, by ending."""
    kinds = ["many"] * may_overflow + ["filtered"] * is_filtered
    name = "-".join(["wall", *kinds])
    versions = {ending: _joined(datasette, ending, kinds).version for ending in FORMATS}
    return {
        ending: datasette.urls.path(f"/static/joined/{name}.{version}.{ending}")
        for ending, version in versions.items()
    }


async def send_wall_file(datasette: Datasette, request: Request) -> Response:
    """A file. A page of another version gets the present one, which is not cached."""
    method_response = respond_to_method(request)
    if method_response is not None:
        return method_response
    names = request.url_vars
    kinds = names["kinds"].split("-")[1:]
    if not {*KINDS} >= set(kinds):
        return await error_page(datasette, request, 404, "There is no such file.")
    joined = _joined(datasette, names["ending"], kinds)
    cached = CachedResponse(joined.content, revision=0)
    content_type = FORMATS[names["ending"]].content_type
    response = await with_etag(request, cached, content_type)
    is_present = names["version"] == joined.version
    response.headers["Cache-Control"] = FOR_EVER if is_present else "no-cache"
    return response


def _joined(datasette: Datasette, ending: str, kinds: list[str]) -> JoinedFile:
    static = Path(dict(datasette.static_mounts)["static"])
    return FORMATS[ending].join(static, FORMATS[ending].names(kinds))
