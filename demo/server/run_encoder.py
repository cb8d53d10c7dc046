"""Encoded runs and pages of runs, cached because encoding them is slow."""

from __future__ import annotations

from collections.abc import Sequence

from ci_observer.demo.server.byte_cache import Body, ByteCache
from ci_observer.demo.server.filters import Row
from ci_observer.demo.server.messages import encoded, encoded_with_parts
from ci_observer.demo.server.model import Json, Run, RunVersion
from ci_observer.demo.server.run_objects import run_object
from ci_observer.demo.server.world import World

RUN_CACHE_BYTES = 32 * 2**20
PAGE_CACHE_BYTES = 32 * 2**20
REPOSITORY_KEYS = ("repository", "head_repository")


class RunEncoder:
    """The JSON of runs and of pages of runs, as bytes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._runs = ByteCache(RUN_CACHE_BYTES)
        self._pages = ByteCache(PAGE_CACHE_BYTES)
        self._repositories: dict[int, tuple[Json, bytes]] = {}

    def page(
        self,
        rows: Sequence[Row],
        total: int,
        *,
        exclude_pull_requests: bool,
        old_enterprise: bool,
    ) -> Body:
        """A page of a run list; `total` is its `total_count`."""
        shape = exclude_pull_requests, old_enterprise
        versions = tuple((version.serial, run.repo.edition) for run, version in rows)

        def build() -> bytes:
            runs = b",".join(
                self.run(
                    run,
                    version,
                    exclude_pull_requests=exclude_pull_requests,
                    old_enterprise=old_enterprise,
                )
                for run, version in rows
            )
            return b'{"total_count":%d,"workflow_runs":[%b]}' % (total, runs)

        return self._pages.get_or_build((shape, total, versions), build)

    def run(
        self,
        run: Run,
        version: RunVersion,
        *,
        exclude_pull_requests: bool,
        old_enterprise: bool,
    ) -> bytes:
        """One version of a run."""

        def build() -> bytes:
            body = run_object(
                run,
                version,
                self.world.sites,
                exclude_pull_requests=exclude_pull_requests,
                old_enterprise=old_enterprise,
            )
            if run.payload is not None:
                return encoded(body)
            return encoded_with_parts(body, REPOSITORY_KEYS, self._repository)

        shape = exclude_pull_requests, old_enterprise
        key = (version.serial, run.repo.edition, shape)
        return self._runs.get_or_build(key, build).content

    def _repository(self, repository: Json) -> bytes:
        """Two thirds of a run are repository objects, so encode each only once."""
        known = self._repositories.get(id(repository))
        if known is None or known[0] is not repository:
            known = self._repositories[id(repository)] = repository, encoded(repository)
        return known[1]
