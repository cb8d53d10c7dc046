"""The REST API: its paths, and the responses except those about runs."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from ci_observer.demo.server.annotations import annotations_of_job
from ci_observer.demo.server.messages import (
    BadParameter,
    Request,
    Response,
    error,
    json_response,
    not_found,
    redirect,
)
from ci_observer.demo.server.model import Repo
from ci_observer.demo.server.objects import (
    full_repository,
    listed_repository,
    tag_ref_object,
    workflow_object,
)
from ci_observer.demo.server.pagination import (
    counted_list,
    link_header,
    parse_page,
    plain_list,
)
from ci_observer.demo.server.run_endpoints import RunEndpoints
from ci_observer.demo.server.viewer import Viewer
from ci_observer.demo.server.world import World


class Api:
    """Responds from a world, which it does not change."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._runs = RunEndpoints(world)

    def respond(self, request: Request, viewer: Viewer) -> Response:
        """The response to a GET; 404 for any path that is not simulated."""
        try:
            return self._route(request, viewer)
        except BadParameter as problem:
            return error(422, f"Validation Failed: {problem}")

    def _route(self, request: Request, viewer: Viewer) -> Response:
        match request.segments:
            case ("rate_limit",):
                return rate_limit(viewer)
            case ("orgs" | "users" | "user" as kind, *owner, "repos"):
                return self._repos_of(request, viewer, kind, owner)
            case ("repos", owner, name, *rest):
                name_key = f"{owner}/{name}".lower()
                if name_key in self.world.moved and name_key not in self.world.repos:
                    return moved(request, self.world.moved[name_key])
                found = self.world.repos.get(name_key)
                return self._in_repo(request, viewer, found, rest)
            case ("repositories", number, *rest) if number.isdecimal():
                found = self.world.repos_by_id.get(int(number))
                return self._in_repo(request, viewer, found, rest)
            case _:
                return not_found()

    def _in_repo(
        self, request: Request, viewer: Viewer, repo: Repo | None, rest: Sequence[str]
    ) -> Response:
        # GitHub hides a private repository behind the same 404 as a missing one.
        if repo is None or not viewer.can_see(repo):
            return not_found()
        match rest:
            case []:
                return json_response(full_repository(repo, self.world.sites))
            case ["actions", *more]:
                refusal = _refusal(viewer, repo, "actions")
                return refusal or self._actions(request, viewer, repo, more)
            case ["check-runs", number, "annotations"] if number.isdecimal():
                return self._annotations(request, viewer, repo, int(number))
            case ["git", "ref", "tags", *parts]:
                refusal = _refusal(viewer, repo, "contents")
                return refusal or self._tag_ref(repo, "/".join(parts))
            case _:
                return not_found()

    def _tag_ref(self, repo: Repo, tag: str) -> Response:
        """A tag by its exact name, which may contain slashes."""
        if tag not in repo.tags:
            return not_found()
        return json_response(tag_ref_object(repo, tag, self.world.sites))

    def _actions(
        self, request: Request, viewer: Viewer, repo: Repo, rest: Sequence[str]
    ) -> Response:
        match rest:
            case ["runs"]:
                return self._runs.listing(request, viewer, repo, repo.runs)
            case ["runs", number, *more] if number.isdecimal():
                run = self.world.runs.get(int(number))
                known = run if run and run.repo is repo else None
                return self._runs.run(request, viewer, known, more)
            case ["workflows", *more]:
                return self._workflow(request, viewer, repo, more)
            case _:
                return not_found()

    def _annotations(
        self, request: Request, viewer: Viewer, repo: Repo, job: int
    ) -> Response:
        """The annotations of a job: its id is also the id of its check run."""
        if refusal := _refusal(viewer, repo, "checks"):
            return refusal
        found = annotations_of_job(repo, job, viewer.as_of, self.world.sites)
        if found is None:
            return not_found()
        return plain_list(request, repo, f"/check-runs/{job}/annotations", found)

    def _repos_of(
        self, request: Request, viewer: Viewer, kind: str, name: Sequence[str]
    ) -> Response:
        """The repositories of an organization, a user or the token's own user."""
        if kind == "user" and viewer.token is None:
            return error(401, "Requires authentication")
        owner = "".join(name) or (viewer.token.user if viewer.token else "")
        owned = [
            repo
            for _, repo in sorted(self.world.repos.items())
            if repo.owner.lower() == owner.lower()
            and (kind != "orgs" or repo.owner_type == "Organization")
        ]
        if not owned and kind != "user":
            return not_found()
        shown = [
            listed_repository(repo, self.world.sites)
            for repo in owned
            if (viewer.can_see(repo) if kind != "users" else not repo.private)
        ]
        page = parse_page(request.query)
        link = link_header(request, request.path, page.number, page.last(len(shown)))
        headers = {"link": link} if link else None
        return json_response(page.cut(shown), headers=headers)

    def _workflows(self, request: Request, repo: Repo) -> Response:
        objects = [
            workflow_object(workflow, self.world.sites)
            for workflow in repo.workflows.values()
            if workflow.is_listed
        ]
        return counted_list(request, repo, "/actions/workflows", "workflows", objects)

    def _workflow(
        self, request: Request, viewer: Viewer, repo: Repo, rest: Sequence[str]
    ) -> Response:
        if not rest:
            return self._workflows(request, repo)
        if (workflow := repo.find_workflow(rest[0])) is None:
            return not_found()
        match rest[1:]:
            case []:
                return json_response(workflow_object(workflow, self.world.sites))
            case ["runs"]:
                within = f"workflows/{quote(rest[0], safe='')}/runs"
                return self._runs.listing(request, viewer, repo, workflow.runs, within)
            case _:
                return not_found()


def _refusal(viewer: Viewer, repo: Repo, permission: str) -> Response | None:
    """The 403 for a private repository without a permission; None if it is granted."""
    message = viewer.token.refusal(permission) if viewer.token else None
    if not repo.private or message is None:
        return None
    needed = {"x-accepted-github-permissions": f"{permission}=read"}
    return error(403, message, needed)


def rate_limit(viewer: Viewer) -> Response:
    """Free of the primary limit; 404 on Enterprise Server without limits."""
    if viewer.old_enterprise:
        return error(404, "Rate limiting is not enabled.")
    core = viewer.bucket.as_json()
    resources = {"core": core, "search": {**core, "limit": 30}, "graphql": core}
    body = json_response({"resources": resources, "rate": core})
    return Response(200, body.body, body.headers, free=True)


def moved(request: Request, repo: Repo) -> Response:
    """301 to the numeric path, as for a renamed repository."""
    path = "/".join(["", "repositories", str(repo.id), *request.path.split("/")[4:]])
    query = f"?{request.query_string}" if request.query_string else ""
    return redirect(request.url(path) + query)
