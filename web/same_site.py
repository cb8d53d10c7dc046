"""Whether a request that does something comes from a page of this server."""

from urllib.parse import urlsplit

from datasette.utils.asgi import Request


def is_same_site(request: Request) -> bool:
    """Whether a page of this server sent the request, or no browser's page at all.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    headers = request.headers
    if site := headers.get("sec-fetch-site"):
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    # Behind a proxy with TLS, the browser's scheme may be another one.
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")
