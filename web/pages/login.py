"""The pages /login and /logout: a form for the access token, and its responses.

A screen without a keyboard opens /login#token=TOKEN; static/pages/login.js posts that.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from datasette.app import Datasette
from datasette.utils.asgi import Request, Response

from ci_observer.web.access_token import Login, login_of
from ci_observer.web.guess_limit import address_of
from ci_observer.web.pages.frame import FOUND, THEMES, frame_of
from ci_observer.web.same_site import is_same_site
from ci_observer.web.urls import with_query

LOGIN = "/login"
LOGOUT = "/logout"
MAX_BODY = 10_000
MAX_NEXT = 2_000
# All that may stand in an address. A browser reads a backslash as a slash.
ADDRESS_CHARACTERS = "%/?#[]@!$&'()*+,;=:~-._"
WRONG = "This is not the access token of this server."
NO_FORM = "Send a form with the field token."
FOREIGN = (
    "This form came from another site. Open /login of this server and send it there. "
    "Behind a proxy, the proxy has to pass on the Host header."
)


async def login(datasette: Datasette, request: Request) -> Response:
    """The form; or, for a POST, a cookie and a redirect to the page in `next`.

    The form has no redirect for a visitor who is logged in: browsers carry the fragment
    with the token on to the target.
    """
    if request.method != "POST":
        target = local_target(datasette, request.args.get("next"))
        return await _page(datasette, request, target)
    form = await read_form(request)
    target = local_target(datasette, (form or {}).get("next"))
    if not is_same_site(request):
        return await _page(datasette, request, target, error=FOREIGN, status=403)
    state = login_of(datasette)
    if state is None:
        return _accepted(request, target)
    if form is None or not form.get("token", "").strip():
        return await _page(datasette, request, target, error=NO_FORM, status=400)
    return await _try_token(datasette, request, state, form["token"].strip(), target)


async def logout(datasette: Datasette, request: Request) -> Response:
    """A button; or, for a POST, the end of the login in this browser."""
    target = str(datasette.urls.path(LOGIN))
    if request.method != "POST":
        return await _page(datasette, request, target, is_logout=True)
    if not is_same_site(request):
        return await _page(datasette, request, target, error=FOREIGN, status=403)
    response = Response.redirect(target, status=303)
    if state := login_of(datasette):
        state.delete_cookie(request, response)
    return response


async def _try_token(
    datasette: Datasette, request: Request, state: Login, token: str, target: str
) -> Response:
    address = address_of(request.scope.get("client"))
    if state.limit.may_try(address) and state.token.matches(token):
        state.limit.record_success(address)
        response = _accepted(request, target)
        state.set_cookie(request, response)
        return response
    headers, status, message = refusal(state, request, token)
    return await _page(
        datasette, request, target, error=message, status=status, headers=headers
    )


def refusal(
    state: Login, request: Request, guess: str
) -> tuple[dict[str, str], int, str]:
    """Count a wrong token; return the headers, status and text of the response."""
    wait = state.limit.record_failure(address_of(request.scope.get("client")), guess)
    if wait:
        text = f"Too many wrong access tokens. Try again in {wait} seconds."
        return {"Retry-After": str(wait)}, HTTPStatus.TOO_MANY_REQUESTS, text
    return {"WWW-Authenticate": challenge(request)}, HTTPStatus.UNAUTHORIZED, WRONG


def challenge(request: Request) -> str:
    """How to prove the token. For Basic, a browser would open a window of its own."""
    schemes = ['Bearer realm="CI Observer"']
    if not is_browser(request):
        schemes.insert(0, 'Basic realm="CI Observer", charset="UTF-8"')
    return ", ".join(schemes)


def is_browser(request: Request) -> bool:
    """Whether the client names itself as browsers do."""
    return bool(request.headers.get("user-agent", "").startswith("Mozilla/"))


def login_path(datasette: Datasette, request: Request) -> str:
    """The address of the form that leads back to the requested page."""
    target = local_target(datasette, request.full_path)
    query = {} if target == datasette.urls.path("/") else {"next": target}
    return str(datasette.urls.path(with_query(LOGIN, query)))


def local_target(datasette: Datasette, target: str | None) -> str:
    """A path of this server; the wall's for anything else."""
    home = str(datasette.urls.path("/"))
    if not target or len(target) > MAX_NEXT or not target.startswith("/"):
        return home
    path = quote(target, safe=ADDRESS_CHARACTERS)
    if path.startswith("//"):
        return home
    path = str(datasette.urls.path(path))
    pages = {str(datasette.urls.path(name)) for name in (LOGIN, LOGOUT)}
    return home if urlsplit(path).path.rstrip("/") in pages else path


async def read_form(request: Request) -> dict[str, str] | None:
    """The fields of a form; None if the body is too large or not a form."""
    # web/guard.py has read it already.
    body: bytes = await request.post_body()
    if len(body) > MAX_BODY:
        return None
    try:
        fields = parse_qs(body.decode(), max_num_fields=10)
    except ValueError:
        return None
    return {name: values[-1] for name, values in fields.items()}


def _accepted(request: Request, target: str) -> Response:
    if _wants_json(request):
        return Response.json({"ok": True, "next": target})
    return Response.redirect(target, status=303)


async def _page(
    datasette: Datasette,
    request: Request,
    target: str,
    *,
    error: str = "",
    status: int = 200,
    is_logout: bool = False,
    headers: dict[str, str] | None = None,
) -> Response:
    headers = {"Cache-Control": "no-store", **(headers or {})}
    if _wants_json(request):
        body = {"ok": not error, "error": error, "status": status}
        return Response.json(body, status=status, headers=headers)
    theme = _theme_of(request, target)
    frame = await frame_of(datasette, request)
    request.scope[FOUND] = replace(frame, theme=theme)
    context: dict[str, Any] = {
        "target": target,
        "error": error,
        "theme": theme,
        "is_logout": is_logout,
        "is_open": login_of(datasette) is None,
    }
    html = await datasette.render_template("login.html", context, request=request)
    return Response.html(html, status=status, headers=headers)


def _theme_of(request: Request, target: str) -> str | None:
    """The theme of this page, or of the one that it leads to."""
    wanted = parse_qs(urlsplit(target).query).get("theme", [""])[-1]
    theme = request.args.get("theme") or wanted
    return theme if theme in THEMES else None


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")
