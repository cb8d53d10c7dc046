"""The endpoints of GitHub Apps.

https://docs.github.com/en/rest/apps/apps
https://docs.github.com/en/rest/apps/installations
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from ci_observer.demo.server.apps import JWT_KIND, App, Apps, Installation
from ci_observer.demo.server.messages import (
    Request,
    Response,
    error,
    json_response,
    not_found,
)
from ci_observer.demo.server.model import Json, Repo
from ci_observer.demo.server.objects import listed_repository
from ci_observer.demo.server.pagination import link_header, parse_page
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.world import World

MAX_BODY = 10_000


class AppEndpoints:
    """Responds to requests with the JWT of an App, and for its installations."""

    def __init__(self, world: World, apps: Callable[[], Apps]) -> None:
        self._world = world
        self._apps = apps

    def respond(
        self, request: Request, token: Token | None, now: datetime
    ) -> Response | None:
        """The response; None if the path is no App's and the token no JWT."""
        if token is not None and token.suspended:
            return error(403, "This installation has been suspended")
        secret = secret_of(request)
        app = self._apps().app_of(secret, now)
        is_jwt = token is not None and token.kind == JWT_KIND
        response = error(403, "Resource not accessible by integration")
        match request.segments:
            case ("installation", "repositories"):
                response = self._repositories(request, token, secret)
            case ("app", *rest):
                response = self._as_app(request, app, rest, now)
            case ("repos", owner, name, "installation"):
                response = self._installation_of(request, app, f"{owner}/{name}")
            case ("repositories", number, "installation") if number.isdecimal():
                response = self._of_repo(app, self._world.repos_by_id.get(int(number)))
            case _ if not is_jwt:
                return None
        return response

    def _as_app(
        self, request: Request, app: App | None, rest: Sequence[str], now: datetime
    ) -> Response:
        if app is None:
            return error(401, "A JSON web token could not be decoded")
        match request.method, rest:
            case "GET", []:
                return json_response(
                    {"id": app.id, "client_id": app.client_id, "slug": "ci-observer"}
                )
            case "GET", ["installations"]:
                return self._list(request, app)
            case "GET", ["installations", number]:
                found = [i for i in app.installations if str(i.id) == number]
                return json_response(found[0].as_json(app)) if found else not_found()
            case "POST", ["installations", number, "access_tokens"] if (
                number.isdecimal()
            ):
                apps = self._apps()
                return apps.create_token(app, int(number), request.body[:MAX_BODY], now)
        return not_found()

    def _list(self, request: Request, app: App) -> Response:
        installations = [i.as_json(app) for i in app.installations]
        return self._page(request, installations)

    def _installation_of(
        self, request: Request, app: App | None, full_name: str
    ) -> Response:
        moved = self._world.moved.get(full_name.lower())
        if full_name.lower() not in self._world.repos and moved:
            path = f"/repositories/{moved.id}/installation"
            return Response(301, b"{}", {"location": request.url(path)})
        return self._of_repo(app, self._world.repos.get(full_name.lower()))

    def _of_repo(self, app: App | None, repo: Repo | None) -> Response:
        if app is None:
            return error(401, "A JSON web token could not be decoded")
        found = app.find(repo.owner) if repo else None
        if repo is None or found is None or not found.sees(repo.full_name):
            return not_found()
        return json_response(found.as_json(app))

    def _repositories(
        self, request: Request, token: Token | None, secret: str
    ) -> Response:
        """What an installation sees: its account's selected repositories."""
        installation: Installation | None = self._apps().installation(secret)
        if token is None or installation is None:
            return error(403, "Resource not accessible by integration")
        seen = [
            listed_repository(repo, self._world.sites)
            for _, repo in sorted(self._world.repos.items())
            if installation.sees(repo.full_name)
        ]
        return self._page(request, seen, key="repositories")

    def _page(
        self, request: Request, items: Sequence[Json], *, key: str | None = None
    ) -> Response:
        page = parse_page(request.query)
        link = link_header(request, request.path, page.number, page.last(len(items)))
        shown = page.cut(items)
        body = {"total_count": len(items), key: shown} if key else shown
        return json_response(body, headers={"link": link} if link else None)


def secret_of(request: Request) -> str:
    """The token or JWT in the header `authorization`."""
    return request.headers.get("authorization", "").partition(" ")[2].strip()


def is_token_request(request: Request) -> bool:
    """Whether this is the one write that is simulated: creating a token."""
    match request.method, request.segments:
        case "POST", ("app", "installations", _, "access_tokens"):
            return True
    return False
