"""Faults that replace the response by an error, a redirect or another page."""

from __future__ import annotations

from ci_observer.demo.server.effects import Effects
from ci_observer.demo.server.messages import (
    Request,
    Response,
    error,
    json_response,
    redirect,
)

NO_PERMISSION = "Resource not accessible by personal access token"
NO_SAML = (
    "Resource protected by organization SAML enforcement. You must grant your Personal "
    "Access token access to this organization."
)
HTML = {"content-type": "text/html; charset=utf-8"}
LOGIN_PAGE = b"""<!DOCTYPE html>
<html lang="en"><head><title>Sign in to GitHub</title></head>
<body><form action="/session" method="post"><input name="login"></form></body></html>
"""


def server_error(effects: Effects, *, status: int = 502) -> None:
    """JSON "Server Error" that carries an ETag, as GitHub's 502 was recorded."""
    tagged = {"etag": '"6389b58e-20"'}
    effects.response = json_response({"message": "Server Error"}, status, tagged)


def html_error(effects: Effects, *, status: int = 503) -> None:
    """A load balancer's error page."""
    body = b"<!DOCTYPE html><html><body><h1>Unicorn!</h1></body></html>"
    effects.response = Response(status, body, HTML)


def forbidden(effects: Effects, *, message: str = NO_PERMISSION) -> None:
    """403 for a missing permission: rate limit left, no Retry-After."""
    effects.response = error(
        403, message, {"x-accepted-github-permissions": "actions=read"}
    )


def primary_limit(effects: Effects, *, status: int = 403, seconds: int = 600) -> None:
    """The hourly limit is spent and resets in `seconds`. 403 or 429."""
    reset = str(int(effects.now.timestamp()) + seconds)
    message = "API rate limit exceeded for user ID 583231."
    spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    response = error(status, message, spent)
    effects.response = Response(
        response.status, response.body, response.headers, free=True
    )


def secondary_limit(
    effects: Effects, *, status: int = 403, retry_after: int | None = 60
) -> None:
    """Too many requests at once; GitHub often sends no Retry-After (`None`)."""
    message = (
        "You have exceeded a secondary rate limit. Please wait a few minutes "
        "before you try again."
    )
    wait = {} if retry_after is None else {"retry-after": str(retry_after)}
    effects.response = error(status, message, wait)


def unauthorized(effects: Effects) -> None:
    """401 as for an expired or revoked token."""
    effects.response = error(401, "Bad credentials")


def not_found(effects: Effects) -> None:
    """404, as for a missing repository or missing access."""
    effects.response = error(404, "Not Found")


def moved(effects: Effects, *, status: int = 301) -> None:
    """Redirect to `/repositories/{id}/…` on the same server."""
    path = effects.numeric_path or effects.request.path
    url = with_query(effects.request, effects.request.url(path))
    effects.response = redirect(url, status)


def moved_elsewhere(effects: Effects, *, origin: str, status: int = 301) -> None:
    """Redirect to the same path on another origin, which must not get the token."""
    url = effects.request.url(effects.request.path, origin)
    effects.response = redirect(with_query(effects.request, url), status)


def status(effects: Effects, *, status: int, message: str = "Simulated") -> None:
    """Any status with a JSON error body (410, 418, 451, …)."""
    effects.response = error(status, message)


def accepted(effects: Effects) -> None:
    """202 with an empty object: the result is still being computed."""
    effects.response = json_response({}, 202)


def no_content(effects: Effects) -> None:
    """204 without a body."""
    effects.response = Response(204, b"")


def conflict(effects: Effects) -> None:
    """409, as for a repository without a commit."""
    effects.response = error(409, "Git Repository is empty.")


def access_blocked(
    effects: Effects, *, status: int = 451, reason: str = "dmca"
) -> None:
    """451 or 403: GitHub has taken the repository down and names its notice."""
    notice = "https://github.com/github/dmca/blob/master/2026/02/2026-02-01-acme.md"
    body = {
        "message": "Repository access blocked",
        "block": {
            "reason": reason,
            "created_at": "2026-02-01T12:00:00Z",
            "html_url": notice if reason == "dmca" else None,
        },
    }
    effects.response = json_response(body, status)


def saml(effects: Effects, *, owner: str = "acme") -> None:
    """403: the organization needs the token to be authorized by single sign-on."""
    url = f"https://github.com/orgs/{owner}/sso?authorization_request=AZSCKtL4U8yX1H3"
    effects.response = error(403, NO_SAML, {"x-github-sso": f"required; url={url}"})


def ip_allow_list(effects: Effects, *, owner: str = "acme") -> None:
    """403: the organization does not accept the client's address."""
    effects.response = error(
        403,
        "Although you appear to have the correct authorization credentials, the "
        f"`{owner}` organization has an IP allow list enabled, and your IP address is "
        "not permitted to access this resource.",
    )


def suspended(effects: Effects) -> None:
    """403: the installation of the GitHub App is suspended."""
    effects.response = error(403, "This installation has been suspended")


def login_page(effects: Effects, *, status: int = 200) -> None:
    """A login page instead of JSON, as from a proxy or single sign-on; with an ETag."""
    effects.response = Response(status, LOGIN_PAGE, HTML)


def with_query(request: Request, url: str) -> str:
    return f"{url}?{request.query_string}" if request.query_string else url
