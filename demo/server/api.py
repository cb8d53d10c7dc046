"""The read endpoints: which path answers what, out of the world at one instant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ci_observer.demo.server.caches import Body, ByteCache
from ci_observer.demo.server.jobs import job_objects
from ci_observer.demo.server.objects import (
    full_repository,
    listed_repository,
    workflow_object,
)
from ci_observer.demo.server.queries import (
    BadParameter,
    Page,
    Row,
    flag,
    is_filtered,
    page_of,
)
from ci_observer.demo.server.reader import (
    Reader,
    attempts_of,
    find_workflow,
    select_rows,
)
from ci_observer.demo.server.records import Json, Repo, Run, RunVersion
from ci_observer.demo.server.responses import (
    JSON_TYPE,
    Answer,
    Call,
    encoded,
    encoded_with_parts,
    error,
    json_answer,
    link_header,
    not_found,
    redirect,
)
from ci_observer.demo.server.runs import run_object
from ci_observer.demo.server.world import World

RUN_CACHE_BYTES = 32 * 2**20
PAGE_CACHE_BYTES = 32 * 2**20
REPOSITORY_KEYS = ("repository", "head_repository")


class Api:
    """Answers for a world; holds nothing but caches of encoded bodies."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._runs = ByteCache(RUN_CACHE_BYTES)
        self._pages = ByteCache(PAGE_CACHE_BYTES)
        self._repositories: dict[int, tuple[Json, bytes]] = {}

    def answer(self, call: Call, reader: Reader) -> Answer:
        """The answer to a GET; 404 for whatever is not simulated."""
        try:
            return self._route(call, reader)
        except BadParameter as problem:
            return error(422, f"Validation Failed: {problem}")

    def _route(self, call: Call, reader: Reader) -> Answer:
        match call.segments:
            case ("rate_limit",):
                return rate_limit(reader)
            case ("orgs" | "users" | "user" as kind, *owner, "repos"):
                return self._repos_of(call, reader, kind, owner)
            case ("repos", owner, name, *rest):
                name_key = f"{owner}/{name}".lower()
                if name_key in self.world.moved and name_key not in self.world.repos:
                    return moved(call, self.world.moved[name_key])
                found = self.world.repos.get(name_key)
                return self._in_repo(call, reader, found, rest)
            case ("repositories", number, *rest) if number.isdecimal():
                found = self.world.repos_by_id.get(int(number))
                return self._in_repo(call, reader, found, rest)
            case _:
                return not_found()

    def _in_repo(
        self, call: Call, reader: Reader, repo: Repo | None, rest: Sequence[str]
    ) -> Answer:
        # GitHub hides a private repository behind the same 404 as a missing one.
        if repo is None or not reader.may_see(repo):
            return not_found()
        match rest:
            case []:
                return json_answer(full_repository(repo, self.world.sites))
            case ["actions", "runs"]:
                return self._run_list(call, reader, repo, repo.runs)
            case ["actions", "runs", number, *more] if number.isdecimal():
                run = self.world.runs.get(int(number))
                known = run if run and run.repo is repo else None
                return self._run(call, reader, known, more)
            case ["actions", "workflows", *more]:
                return self._workflow(call, reader, repo, more)
            case _:
                return not_found()

    def _repos_of(
        self, call: Call, reader: Reader, kind: str, name: Sequence[str]
    ) -> Answer:
        """An organization's, a user's public or the token's user's own repositories."""
        if kind == "user" and reader.token is None:
            return error(401, "Requires authentication")
        owner = "".join(name) or (reader.token.user if reader.token else "")
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
            if (reader.may_see(repo) if kind != "users" else not repo.private)
        ]
        page = page_of(call.query)
        start = (page.number - 1) * page.size
        link = link_header(call, call.path, page.number, page.last(len(shown)))
        headers = {"link": link} if link else None
        return json_answer(shown[start : start + page.size], headers=headers)

    def _workflows(self, call: Call, repo: Repo) -> Answer:
        objects = [
            workflow_object(workflow, self.world.sites)
            for workflow in repo.workflows.values()
        ]
        return listing(call, repo, "/actions/workflows", "workflows", objects)

    def _workflow(
        self, call: Call, reader: Reader, repo: Repo, rest: Sequence[str]
    ) -> Answer:
        if not rest:
            return self._workflows(call, repo)
        if (workflow := find_workflow(repo, rest[0])) is None:
            return not_found()
        match rest[1:]:
            case []:
                return json_answer(workflow_object(workflow, self.world.sites))
            case ["runs"]:
                within = f"workflows/{rest[0]}/runs"
                return self._run_list(call, reader, repo, workflow.runs, within)
            case _:
                return not_found()

    def _run(
        self, call: Call, reader: Reader, run: Run | None, rest: Sequence[str]
    ) -> Answer:
        if run is None or (now := run.version_at(reader.as_of)) is None:
            return not_found()
        match rest:
            case []:
                return self._one_run(call, reader, run, now)
            case ["attempts", number] if number.isdecimal():
                attempt = run.attempt_at(int(number), reader.as_of)
                return self._one_run(call, reader, run, attempt)
            case ["jobs"]:
                every = call.query.get("filter") == "all"
                shown = attempts_of(run, reader.as_of) if every else [now]
                return self._jobs(call, reader, run, shown)
            case ["attempts", number, "jobs"] if number.isdecimal():
                attempt = run.attempt_at(int(number), reader.as_of)
                return self._jobs(call, reader, run, [attempt] if attempt else [])
            case _:
                return not_found()

    def _one_run(
        self, call: Call, reader: Reader, run: Run, version: RunVersion | None
    ) -> Answer:
        if version is None:
            return not_found()
        body = self._encoded_run(call, reader, run, version)
        return Answer(200, body, {"content-type": JSON_TYPE})

    def _jobs(
        self, call: Call, reader: Reader, run: Run, versions: list[RunVersion]
    ) -> Answer:
        jobs = [
            job
            for version in versions
            for job in job_objects(run, version, reader.as_of, self.world.sites)
        ]
        return listing(call, run.repo, f"/actions/runs/{run.id}/jobs", "jobs", jobs)

    def _run_list(
        self,
        call: Call,
        reader: Reader,
        repo: Repo,
        runs: Sequence[Run],
        within: str = "runs",
    ) -> Answer:
        """Newest `created_at` first; a re-run keeps its place."""
        rows, total = select_rows(call, reader, runs)
        page = page_of(call.query)
        if is_filtered(call.query):
            reachable = rows[: reader.caps.searched]
            last = page.last(len(reachable))
        else:
            total = min(total, reader.caps.counted)
            reachable = rows[: reader.caps.listed]
            last = last_listed(page, reader, len(rows))
        path = f"/repositories/{repo.id}/actions/{within}"
        link = link_header(call, path, page.number, last)
        body = self._page(call, reader, page.cut(reachable), total)
        headers = {"content-type": JSON_TYPE, **({"link": link} if link else {})}
        return Answer(200, body.content, headers, body.digest)

    def _page(
        self, call: Call, reader: Reader, rows: Sequence[Row], total: int
    ) -> Body:
        lean = flag(call.query, "exclude_pull_requests"), reader.old_enterprise
        versions = tuple((version.serial, run.repo.full_name) for run, version in rows)

        def build() -> bytes:
            runs = b",".join(self._encoded_run(call, reader, *row) for row in rows)
            return b'{"total_count":%d,"workflow_runs":[%b]}' % (total, runs)

        return self._pages.get((lean, total, versions), build)

    def _encoded_run(
        self, call: Call, reader: Reader, run: Run, version: RunVersion
    ) -> bytes:
        lean = flag(call.query, "exclude_pull_requests"), reader.old_enterprise
        key = (version.serial, run.repo.full_name, lean)
        return self._runs.get(key, lambda: self._build_run(run, version, *lean)).content

    def _build_run(
        self, run: Run, version: RunVersion, lean: bool, old_enterprise: bool
    ) -> bytes:
        body = run_object(
            run,
            version,
            self.world.sites,
            exclude_pull_requests=lean,
            old_enterprise=old_enterprise,
        )
        if run.payload is not None:
            return encoded(body)
        return encoded_with_parts(body, REPOSITORY_KEYS, self._repository_bytes)

    def _repository_bytes(self, repository: Json) -> bytes:
        """Two thirds of every run are these: encode each object once."""
        known = self._repositories.get(id(repository))
        if known is None or known[0] is not repository:
            known = self._repositories[id(repository)] = repository, encoded(repository)
        return known[1]


def last_listed(page: Page, reader: Reader, count: int) -> int:
    """The last page that is linked to; one beyond the list's end answers 422."""
    caps = reader.caps
    if count <= caps.listed or caps.list_end == "no link":
        return page.last(min(count, caps.listed))
    if (page.number - 1) * page.size >= caps.listed:
        raise BadParameter("the list of runs ends before this page")
    return page.last(count)


def rate_limit(reader: Reader) -> Answer:
    """Free of the primary limit; GHES without limits answers 404."""
    if reader.old_enterprise:
        return error(404, "Rate limiting is not enabled.")
    core = reader.bucket.as_json()
    resources = {"core": core, "search": {**core, "limit": 30}, "graphql": core}
    body = json_answer({"resources": resources, "rate": core})
    return Answer(200, body.body, body.headers, free=True)


def moved(call: Call, repo: Repo) -> Answer:
    """301 to the numeric form, as for a renamed repository."""
    path = "/".join(["", "repositories", str(repo.id), *call.path.split("/")[4:]])
    query = f"?{call.query_string}" if call.query_string else ""
    return redirect(call.url(path) + query)


def listing(
    call: Call, repo: Repo, path: str, name: str, objects: Sequence[Any]
) -> Answer:
    """A counted list of small objects with its Link header."""
    page = page_of(call.query)
    start = (page.number - 1) * page.size
    numeric = f"/repositories/{repo.id}{path}"
    link = link_header(call, numeric, page.number, page.last(len(objects)))
    body = {"total_count": len(objects), name: objects[start : start + page.size]}
    return json_answer(body, headers={"link": link} if link else None)
