"""The headers `Accept` and `Accept-Encoding` of a request.

https://www.rfc-editor.org/rfc/rfc9110#name-content-negotiation
"""

import re

from datasette.utils.asgi import Request

_WEIGHT = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


def prefers_html(request: Request) -> bool:
    """Whether the client would rather have HTML than JSON, as browsers do."""
    weights = _weights(request.headers.get("accept", ""))

    def weight(media_type: str) -> float:
        group = media_type.partition("/")[0]
        ranges = (media_type, f"{group}/*", "*/*")
        return next((weights[name] for name in ranges if name in weights), 0.0)

    return weight("text/html") > weight("application/json")


def accepts_gzip(request: Request) -> bool:
    """Whether the client can read gzip: `gzip;q=0` says that it cannot."""
    return _weights(request.headers.get("accept-encoding", "")).get("gzip", 0) > 0


def _weights(header: str) -> dict[str, float]:
    """The weight of each name in a header; 0 for a broken one."""
    return dict(map(_weighted_name, header.split(",")))


def _weighted_name(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    return name, float(weight) if _WEIGHT.fullmatch(weight) else 0.0
