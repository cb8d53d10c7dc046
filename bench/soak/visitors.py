"""Visitors: walls that refresh themselves, and pages and SQL one after the other."""

import asyncio
import random
import time
from collections import defaultdict
from urllib.parse import quote

import httpx

from bench.soak.instance import Instance
from bench.soak.judge import Responses

REFRESH_SECONDS = 5
TIMEOUT_SECONDS = 60
# The pause between two requests of one visitor.
PAUSE_SECONDS = 0.5

PAGES = (
    "/",
    "/runs",
    "/runs?branch=main&conclusion=failure",
    "/workflows/acme/web-store/ci.yml",
    "/workflows/acme/payments-api/ci.yml",
    "/api",
    "/api/filters",
    "/api/runs?limit=1000",
    "/api/runs?raw=1&limit=50",
    "/api/wall?state=failing",
    "/api/runs.csv",
    "/api/runs.ndjson?repo=acme/web-store",
    "/ci_observer",
    "/ci_observer/runs",
    "/ci_observer/runs.json?_shape=array&_size=200",
    "/ci_observer/run_history?_facet=conclusion",
    "/ci_observer/runs.csv?_stream=1",
    "/-/dashboards/ci-observer?days=30",
    "/nowhere",
)
# Small, large, slow, endless, and wrong.
STATEMENTS = (
    "select count(*) from runs where run_number > {n}",
    "select repo, workflow, count(*) from runs group by 1, 2 order by {n}",
    "select * from wall",
    "select * from run_history order by started_at desc limit {n}",
    "select raw_json from runs_full limit 20",
    "select a.run_id, b.run_id from runs a, runs b limit {n}",
    "with recursive n(i) as (select 1 union select i + 1 from n) select max(i) from n",
    "select hex(zeroblob(50000000))",
    "select group_concat(display_title, '{n}') from runs",
    "select nothing from nowhere",
    "delete from runs",
)


class Visitors:
    """All visitors of an instance, and the responses of each minute."""

    def __init__(self, instance: Instance, *, walls: int, seed: int = 1) -> None:
        self.responses: defaultdict[int, Responses] = defaultdict(Responses)
        self._instance = instance
        self._walls = walls
        self._random = random.Random(seed)  # noqa: S311 (not for secrets)
        self._start = time.monotonic()
        # The rest of an incomplete minute belongs to the last.
        self._minutes = 1

    async def visit(self, seconds: float) -> None:
        """Send requests for some seconds."""
        self._start = time.monotonic()
        self._minutes = max(1, int(seconds // 60))
        async with asyncio.TaskGroup() as tasks:
            end = self._start + seconds
            for number in range(self._walls):
                delay = REFRESH_SECONDS * number / self._walls
                tasks.create_task(self._refresh_wall(delay, end))
            tasks.create_task(self._load_pages(end))
            tasks.create_task(self._run_statements(end))

    async def _refresh_wall(self, delay: float, end: float) -> None:
        """Do what the wall's script does."""
        await asyncio.sleep(delay)
        etag = ""
        async with self._client() as client:
            await self._get(client, "/")
            while time.monotonic() < end:
                config = await self._get(client, "/api/config")
                newest = _wall_etag(config)
                if newest and newest != etag:
                    headers = {"If-None-Match": etag} if etag else {}
                    await self._get(client, "/api/wall", headers)
                    etag = newest
                await asyncio.sleep(REFRESH_SECONDS)

    async def _load_pages(self, end: float) -> None:
        while time.monotonic() < end:
            # A visitor with new connections.
            async with self._client() as client:
                for path in self._random.sample(PAGES, len(PAGES)):
                    if time.monotonic() < end:
                        await self._get(client, path)
                        await asyncio.sleep(PAUSE_SECONDS)
                await self._get(client, f"/api/runs?q={self._random.randrange(10**6)}")

    async def _run_statements(self, end: float) -> None:
        async with self._client() as client:
            while time.monotonic() < end:
                for statement in self._random.sample(STATEMENTS, len(STATEMENTS)):
                    if time.monotonic() < end:
                        sql = statement.format(n=self._random.randrange(1, 500))
                        await self._get(client, f"/ci_observer.json?sql={quote(sql)}")
                        await asyncio.sleep(PAUSE_SECONDS)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._instance.url, timeout=TIMEOUT_SECONDS, trust_env=False
        )

    async def _get(
        self,
        client: httpx.AsyncClient,
        path: str,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response | None:
        start = time.monotonic()
        response, reason = None, ""
        try:
            response = await client.get(path, headers=headers or {})
        except httpx.HTTPError as error:
            reason = repr(error)
        elapsed = int((time.monotonic() - self._start) // 60) + 1
        minute = self.responses[min(elapsed, self._minutes)]
        status = 0 if response is None else response.status_code
        minute.add(path.partition("?")[0], status, time.monotonic() - start, reason)
        return response


def _wall_etag(response: httpx.Response | None) -> str | None:
    """The ETag in the body of `/api/config`; None without one."""
    if response is None or response.is_error:
        return None
    etag: str | None = response.json().get("wall_etag")
    return etag
