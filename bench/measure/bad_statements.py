# ruff: noqa: S608 (the statements are those of this file)
"""20 statements at once that take all memory or time: what others notice of them.

python -m bench --only statements --runs 100000
"""

import http.client
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from threading import Event, Thread, get_native_id
from urllib.parse import urlencode

from bench.harness import http_load, servers
from bench.harness.http_load import Load
from bench.harness.servers import Server
from bench.harness.sizes import Sizes
from bench.harness.table import Row
from ci_observer.web.database import DATABASE

AT_ONCE = 20
SAMPLE_SECONDS = 0.2
VISITORS_NICE = 19
MAX_READ_BYTES = 20_000_000
NUMBERS = "with recursive n(x) as (select 1 union all select x + 1 from n)"
BLOB = "hex(zeroblob(1900000))"
STATEMENTS = (
    "select hex(zeroblob(400000000))",
    f"{NUMBERS} select randomblob(1000000) from n",
    f"{NUMBERS} select group_concat({BLOB}) from n",
    f"select {', '.join([BLOB] * 5)}",
    f"select replace({BLOB}, '00', {BLOB})",
    f"{NUMBERS} select {', '.join(['x'] * 49)} from n limit 5000",
    f"{NUMBERS} select {', '.join(['quote(x)'] * 49)} from n limit 5000",
    f"{NUMBERS} select hex(randomblob(900)) from n limit 5000",
    f"{NUMBERS} select char(1, 2, 3, 4) || hex(randomblob(800)) from n limit 5000",
    "select * from runs order by display_title || random()",
    "select count(*) from runs a, runs b where a.display_title < b.display_title",
    f"select {BLOB} like '%{'0' * 900}1%'",
    "select printf('%.*c', 1000000000, 'x')",
    "select json_group_array(json_object('a', raw_json)) from runs_full",
    "select raw_json from runs_full limit 5000",
)
PAGES = (
    *(f"/{DATABASE}/runs?_size=max", f"/{DATABASE}/run_history.json?_size=max"),
    f"/{DATABASE}/runs?_facet=actor&_facet=head_sha&_facet=head_branch",
    f"/{DATABASE}/runs_full.csv?_stream=1&_size=max",
    f"/{DATABASE}/runs.json?{urlencode({'_where': 'length(hex(zeroblob(9e8))) > 1'})}",
)
ORDINARY = {
    "/ci_observer/runs": (f"/{DATABASE}/runs", "<= 1.5x"),
    "/ci_observer/runs.json": (f"/{DATABASE}/runs.json", "<= 1.5x"),
    # Its time is that of passing it on.
    "select 1 as JSON": (f"/{DATABASE}.json?sql=select+1", "< 10"),
}
# Each search has a new word, so that no wall is cached.
COMPUTED_WALLS = [f"/api/wall?q=word{number}" for number in range(6000)]


def rows(small: Path, large: Path, sizes: Sizes) -> Iterator[Row]:
    """Ordinary pages, the wall under bad statements, and the memory for them."""
    with servers.one_process(large) as before, servers.ci_observer(large) as server:
        for name, (path, goal) in ORDINARY.items():
            ours, baseline = time_page(path, server, before, sizes)
            yield Row(
                title=f"{name}, vs one process with Datasette's threads",
                ours=ours,
                baseline=baseline,
                unit="ms",
                goal=goal,
            )
    with servers.ci_observer(large) as server:
        yield from wall_and_memory(server, sizes)


def time_page(
    path: str, server: Server, before: Server, sizes: Sizes
) -> tuple[float, float]:
    """The milliseconds of a page that everybody requests, on both servers in turn."""
    times: dict[int, list[float]] = {server.pid: [], before.pid: []}
    for _ in range(sizes.repeats + 1):
        for each in (server, before):
            times[each.pid].append(each.get_ok(path).seconds * 1000)
    return median(times[server.pid][1:]), median(times[before.pid][1:])


def wall_and_memory(server: Server, sizes: Sizes) -> Iterator[Row]:
    """The wall of one visitor, without and with the statements of another one."""
    walls = Load(
        port=server.port,
        paths=COMPUTED_WALLS,
        connections=1,
        seconds=sizes.slow_query_seconds * 2,
        warm_up=sizes.slow_query_seconds * 0.1,
    )
    quiet, under = [], []
    growths = []
    server.get(f"/{DATABASE}/runs")
    for _ in range(sizes.rounds):
        before = memory_mb(server)
        quiet.append(http_load.run(walls))
        with bad_visitors(server.port), peak_memory(server) as peak:
            under.append(http_load.run(walls))
        growths.append(max(peak) - before)
    for name in ("p50_ms", "p99_ms"):
        without = median(getattr(result, name) for result in quiet)
        during = median(getattr(result, name) for result in under)
        label = name.removesuffix("_ms")
        yield Row(
            title=f"/api/wall computed: {label} added by {AT_ONCE} bad statements at"
            f" once ({without:.1f} to {during:.1f} ms)",
            ours=during - without,
            unit="ms",
            goal="< 50",
        )
    yield Row(
        title=f"memory of all processes added by {AT_ONCE} bad statements at once"
        f" (from {before:.0f} MB; the highest of {len(growths)} rounds)",
        ours=max(growths),
        unit="MB",
        goal="< 200",
    )


@contextmanager
def bad_visitors(port: int) -> Iterator[None]:
    """Visitors who send one bad statement after the other, in every format."""
    paths = [
        f"/{DATABASE}{ending}?{urlencode({'sql': sql})}"
        for sql in STATEMENTS
        for ending in (".json", "", ".csv")
    ]
    done = Event()

    def visit(offset: int) -> None:
        # Real visitors read the responses on machines of their own.
        os.setpriority(os.PRIO_PROCESS, get_native_id(), VISITORS_NICE)
        mine = cycle([*paths, *PAGES])
        for _ in range(offset * 3):
            next(mine)
        while not done.is_set():
            # A client address of its own, since each may run a few statements at once.
            connection = servers.connection_to(port, source=f"127.0.0.{2 + offset}")
            try:
                connection.request("GET", next(mine))
                # Then the visitor leaves, also in the middle of an export.
                connection.getresponse().read(MAX_READ_BYTES)
            except (OSError, http.client.HTTPException):
                pass  # The response was broken off, or took too long.
            finally:
                connection.close()

    threads = [Thread(target=visit, args=(n,), daemon=True) for n in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


@contextmanager
def peak_memory(server: Server) -> Iterator[list[float]]:
    """Samples of the memory of all processes, in MB."""
    samples = [memory_mb(server)]
    done = Event()

    def sample() -> None:
        while not done.wait(SAMPLE_SECONDS):
            samples.append(memory_mb(server))

    thread = Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def memory_mb(server: Server) -> float:
    """The memory of all processes, shared pages counted once, in MB; on Linux."""
    return sum(map(_proportional_kb, server.pids())) / 1024


def _proportional_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # It has ended.
        return 0
    return next((int(line.split()[1]) for line in lines if line[:4] == "Pss:"), 0)
