"""Errors of ASGI applications that are outside of Datasette's own error pages."""

import html
import json

from ci_observer.web.responses import Message, Send

TITLES = {403: "Not allowed", 503: "Not available"}


async def send_error(scope: Message, send: Send, status: int, message: str) -> None:
    """Send an error as JSON or as a small page, as the request wants it."""
    accept = dict(scope["headers"]).get(b"accept", b"")
    if scope["path"].endswith(".json") or accept.startswith(b"application/json"):
        facts = {"ok": False, "error": message, "status": status}
        content_type, text = "application/json; charset=utf-8", json.dumps(facts)
    else:
        content_type, text = "text/html; charset=utf-8", _page(status, message)
    body = text.encode()
    headers = {
        "content-type": content_type,
        "content-length": str(len(body)),
        "content-security-policy": "default-src 'none'; frame-ancestors 'self'",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
    if status == 503:  # noqa: PLR2004 (the only status that passes by itself)
        headers["retry-after"] = "2"
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (name.encode(), text.encode()) for name, text in headers.items()
            ],
        }
    )
    content = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": content})


def _page(status: int, message: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{TITLES[status]}</title><h1>This page cannot be shown</h1>"
        f"<p>{html.escape(message)}</p></html>"
    )
