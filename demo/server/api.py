"""The endpoints of the REST API: paths, and the responses for one viewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ci_observer.demo.server.filters import flag, is_filtered, select_runs
from ci_observer.demo.server.job_objects import job_objects
from ci_observer.demo.server.messages import (
    JSON_TYPE,
    BadParameter,
    Request,
    Response,
    error,
    json_response,
    not_found,
    redirect,
)
from ci_observer.demo.server.model import Repo, Run, RunVersion
from ci_observer.demo.server.objects import (
    full_repository,
    listed_repository,
    workflow_object,
)
from ci_observer.demo.server.pagination import Page, link_header, parse_page
from ci_observer.demo.server.run_encoder import RunEncoder
from ci_observer.demo.server.viewer import Viewer
from ci_observer.demo.server.world import World


class Api:
    """Responds from a world; its only state is the cache of encoded runs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._encoder = RunEncoder(world)

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
            case ["actions", "runs"]:
                return self._run_list(request, viewer, repo, repo.runs)
            case ["actions", "runs", number, *more] if number.isdecimal():
                run = self.world.runs.get(int(number))
                known = run if run and run.repo is repo else None
                return self._run(request, viewer, known, more)
            case ["actions", "workflows", *more]:
                return self._workflow(request, viewer, repo, more)
            case _:
                return not_found()

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
                within = f"workflows/{rest[0]}/runs"
                return self._run_list(request, viewer, repo, workflow.runs, within)
            case _:
                return not_found()

    def _run(
        self, request: Request, viewer: Viewer, run: Run | None, rest: Sequence[str]
    ) -> Response:
        if run is None or (now := run.version_at(viewer.as_of)) is None:
            return not_found()
        match rest:
            case []:
                return self._one_run(request, viewer, run, now)
            case ["attempts", number] if number.isdecimal():
                attempt = run.attempt_at(int(number), viewer.as_of)
                return self._one_run(request, viewer, run, attempt)
            case ["jobs"]:
                is_all = request.query.get("filter") == "all"
                shown = run.attempts_at(viewer.as_of) if is_all else [now]
                return self._jobs(request, viewer, run, shown)
            case ["attempts", number, "jobs"] if number.isdecimal():
                attempt = run.attempt_at(int(number), viewer.as_of)
                return self._jobs(request, viewer, run, [attempt] if attempt else [])
            case _:
                return not_found()

    def _one_run(
        self, request: Request, viewer: Viewer, run: Run, version: RunVersion | None
    ) -> Response:
        if version is None:
            return not_found()
        body = self._encoder.run(run, version, **shape(request, viewer))
        return Response(200, body, {"content-type": JSON_TYPE})

    def _jobs(
        self, request: Request, viewer: Viewer, run: Run, versions: list[RunVersion]
    ) -> Response:
        jobs = [
            job
            for version in versions
            for job in job_objects(run, version, viewer.as_of, self.world.sites)
        ]
        path = f"/actions/runs/{run.id}/jobs"
        return counted_list(request, run.repo, path, "jobs", jobs)

    def _run_list(
        self,
        request: Request,
        viewer: Viewer,
        repo: Repo,
        runs: Sequence[Run],
        within: str = "runs",
    ) -> Response:
        """A page of runs, newest `created_at` first; a re-run keeps its place."""
        rows, total = select_runs(request.query, viewer, runs)
        page = parse_page(request.query)
        if is_filtered(request.query):
            reachable = rows[: viewer.caps.searched]
            last = page.last(len(reachable))
        else:
            total = min(total, viewer.caps.counted)
            reachable = rows[: viewer.caps.listed]
            last = last_page(page, viewer, len(rows))
        path = f"/repositories/{repo.id}/actions/{within}"
        link = link_header(request, path, page.number, last)
        rows_of_page = page.cut(reachable)
        body = self._encoder.page(rows_of_page, total, **shape(request, viewer))
        headers = {"content-type": JSON_TYPE, **({"link": link} if link else {})}
        return Response(200, body.content, headers, body.digest)


def shape(request: Request, viewer: Viewer) -> dict[str, bool]:
    """The options of `run_object` for this request."""
    return {
        "exclude_pull_requests": flag(request.query, "exclude_pull_requests"),
        "old_enterprise": viewer.old_enterprise,
    }


def last_page(page: Page, viewer: Viewer, count: int) -> int:
    """The last page that `Link` names. A page beyond the end of the list is a 422."""
    caps = viewer.caps
    if count <= caps.listed or caps.list_end == "no link":
        return page.last(min(count, caps.listed))
    if (page.number - 1) * page.size >= caps.listed:
        raise BadParameter("the list of runs ends before this page")
    return page.last(count)


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


def counted_list(
    request: Request, repo: Repo, path: str, key: str, objects: Sequence[Any]
) -> Response:
    """A page of objects under `key`, with `total_count` and a Link header."""
    page = parse_page(request.query)
    numeric = f"/repositories/{repo.id}{path}"
    link = link_header(request, numeric, page.number, page.last(len(objects)))
    body = {"total_count": len(objects), key: page.cut(objects)}
    return json_response(body, headers={"link": link} if link else None)
