"""The `Accept` header of a request: https://www.rfc-editor.org/rfc/rfc9110#name-accept"""

import re

from datasette.utils.asgi import Request

_WEIGHT = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


def prefers_html(request: Request) -> bool:
    """Whether the client would rather have HTML than JSON, as browsers do."""
    weights = dict(map(_media_range, request.headers.get("accept", "").split(",")))

    def weight(media_type: str) -> float:
        group = media_type.partition("/")[0]
        ranges = (media_type, f"{group}/*", "*/*")
        return next((weights[name] for name in ranges if name in weights), 0.0)

    return weight("text/html") > weight("application/json")


def _media_range(text: str) -> tuple[str, float]:
    """A media range of an Accept header and its weight; 0 for a broken one."""
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    return name, float(weight) if _WEIGHT.fullmatch(weight) else 0.0
