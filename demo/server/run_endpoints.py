"""The endpoints of runs: lists, single runs, attempts and jobs."""

from __future__ import annotations

from collections.abc import Sequence

from ci_observer.demo.server.filters import flag, is_filtered, select_runs
from ci_observer.demo.server.job_objects import job_objects
from ci_observer.demo.server.messages import (
    JSON_TYPE,
    BadParameter,
    Request,
    Response,
    not_found,
)
from ci_observer.demo.server.model import Repo, Run, RunVersion
from ci_observer.demo.server.pagination import (
    Page,
    counted_list,
    link_header,
    parse_page,
)
from ci_observer.demo.server.run_encoder import RunEncoder
from ci_observer.demo.server.viewer import Viewer
from ci_observer.demo.server.world import World


class RunEndpoints:
    """Responds about runs; its only state is the cache of encoded runs."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._encoder = RunEncoder(world)

    def run(
        self, request: Request, viewer: Viewer, run: Run | None, rest: Sequence[str]
    ) -> Response:
        """A run, one of its attempts, or their jobs; `rest` is the end of the path."""
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
        if run.jobs is None:  # a kept job is listed once
            jobs = list({job["id"]: job for job in jobs}.values())
        path = f"/actions/runs/{run.id}/jobs"
        return counted_list(request, run.repo, path, "jobs", jobs)

    def listing(
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
