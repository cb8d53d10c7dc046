"""/metrics for Prometheus, next to the wall and the archive."""

import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from archive import NOW, save_runs, watch
from datasette.app import Datasette
from factories import run_payload, times
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse
from sqlite_utils import Database
from walls import LOUD, QUIET, UNTESTED, save_poll, save_wall
from web_client import get_json, serving

from ci_observer import ROOT
from ci_observer.ingest.lock import only_ingest
from ci_observer.ingest.store import feeds, instance
from ci_observer.web.metrics.increases import Increases
from ci_observer.web.metrics.requests import with_response_counts
from ci_observer.web.vocabulary import state_of

CONTRIB = ROOT.parent / "contrib"
CI = ("acme/api", "ci.yml")
Samples = dict[tuple[str, tuple[str, ...]], float]

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def datasette(db_path: Path, db: Database) -> AsyncIterator[Datasette]:
    async with serving(db_path) as datasette:
        yield datasette


async def metrics(datasette: Datasette, query: str = "") -> Samples:
    """The values by name and labels, the labels in the order of their names."""
    response = await datasette.client.get(f"/metrics{query}")
    assert response.status_code == 200, response.text
    return {
        (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): (
            sample.value
        )
        for family in parse(response.text)
        for sample in family.samples
    }


def one_hot(samples: Samples, name: str, position: int) -> dict[tuple[str, ...], str]:
    """The label at a position that has the value 1, by the other labels."""
    found: dict[tuple[str, ...], str] = {}
    for (of, labels), value in samples.items():
        if of == name and value == 1:
            key = labels[:position] + labels[position + 1 :]
            assert key not in found
            found[key] = labels[position]
    return found


async def test_each_tile_has_the_state_that_the_wall_shows(
    datasette: Datasette, db: Database
) -> None:
    kinds = tuple(dict.fromkeys((*LOUD, *QUIET, *UNTESTED)))
    save_wall(db, len(kinds), kinds=kinds)
    samples = await metrics(datasette)
    tiles = (await get_json(datasette, "/api/wall"))["tiles"]

    # branch, repo, state, workflow
    states = one_hot(samples, "ci_observer_tile_state", 2)
    assert states == {
        (tile["branch"] or "", tile["repo"], tile["workflow"]): state_of(tile)
        for tile in tiles
    }
    assert {"passing", "failing", "untested", "stale", "stuck"} <= set(states.values())
    # activity, branch, repo, workflow
    assert one_hot(samples, "ci_observer_tile_activity", 0) == {
        (tile["branch"] or "", tile["repo"], tile["workflow"]): tile["activity"]
        for tile in tiles
        if tile["activity"]
    }


async def test_filters_are_those_of_the_wall(
    datasette: Datasette, db: Database
) -> None:
    watch(db, CI, ("acme/web", "ci.yml"))
    save_runs(db, run_payload(1, **times("12:00")))
    repos = {
        labels[1]
        for (name, labels) in await metrics(datasette, "?repo=acme/web")
        if name == "ci_observer_tile_flaky"
    }
    assert repos == {"acme/web"}
    runs = [
        labels
        for (name, labels) in await metrics(datasette, "?state=passing")
        if name == "ci_observer_runs_total"
    ]
    assert {labels[2] for labels in runs} == {"acme/api"}

    response = await datasette.client.get("/metrics?colour=red")
    assert response.status_code == 400
    assert response.json()["error"].startswith("Unknown filter 'colour'.")


async def runs_by_conclusion(datasette: Datasette) -> dict[tuple[str, ...], float]:
    """The runs by (conclusion, default_branch, repo, workflow), without zeros."""
    return {
        labels: value
        for (name, labels), value in (await metrics(datasette)).items()
        if name == "ci_observer_runs_total" and value
    }


def key(conclusion: str, is_default: str = "true", repo: str = CI[0]) -> Any:
    return (conclusion, is_default, repo, CI[1])


async def test_runs_count_from_the_first_scrape_on_and_never_fall(
    datasette: Datasette, db: Database
) -> None:
    watch(db, CI)
    save_poll(db)
    save_runs(db, run_payload(1, **times("12:00"), conclusion="failure"))
    assert await runs_by_conclusion(datasette) == {}

    save_runs(
        db,
        run_payload(2, **times("13:00"), conclusion="failure"),
        run_payload(3, **times("13:00", 2), head_branch="dev"),
    )
    first = {key("failure"): 1, key("success", "false"): 1}
    assert await runs_by_conclusion(datasette) == first

    # The re-run takes a failure away and adds a success.
    save_runs(db, run_payload(2, **times("14:00"), run_attempt=2))
    assert await runs_by_conclusion(datasette) == first | {key("success"): 1}


async def test_durations_are_a_histogram(datasette: Datasette, db: Database) -> None:
    watch(db, CI)
    save_poll(db)
    await metrics(datasette)
    save_runs(
        db,
        run_payload(1, **times("12:00", 1)),
        run_payload(2, **times("12:10", 4)),
        run_payload(3, **times("12:20", 200)),
        run_payload(4, **times("12:30", 4), conclusion="failure"),
    )
    samples = await metrics(datasette)
    labels = ("true", *CI)
    name = "ci_observer_run_duration_seconds"
    buckets = {
        limit: samples[f"{name}_bucket", ("true", limit, *CI)]
        for limit in ("30.0", "120.0", "300.0", "10800.0", "+Inf")
    }
    assert buckets == {"30.0": 0, "120.0": 1, "300.0": 2, "10800.0": 2, "+Inf": 3}
    assert samples[f"{name}_count", labels] == 3
    # The buckets of the archive are 5 % wide.
    seconds = 60 + 240 + 12_000
    assert samples[f"{name}_sum", labels] == pytest.approx(seconds, rel=0.025)


async def test_a_workflow_that_is_gone_has_no_series(
    datasette: Datasette, db: Database
) -> None:
    watch(db, CI, ("acme/old", "ci.yml"))
    save_poll(db)
    await metrics(datasette)
    save_runs(db, run_payload(1, **times("12:00")), repo="acme/old")
    assert key("success", repo="acme/old") in await runs_by_conclusion(datasette)

    feeds.save_watched(db, [CI])
    for _, labels in await metrics(datasette):
        assert "acme/old" not in labels


async def test_a_history_that_comes_with_a_new_feed_is_no_increase(
    datasette: Datasette, db: Database
) -> None:
    watch(db, CI)
    save_poll(db)
    await metrics(datasette)
    watch(db, CI, ("acme/new", "ci.yml"))
    save_runs(db, run_payload(1, **times("12:00")), repo="acme/new")
    assert await runs_by_conclusion(datasette) == {}
    save_runs(db, run_payload(2, **times("13:00")), repo="acme/new")
    assert await runs_by_conclusion(datasette) == {key("success", repo="acme/new"): 1}


async def test_rollups_that_are_built_again_count_nothing_twice(
    datasette: Datasette, db: Database
) -> None:
    watch(db, CI)
    save_poll(db)
    save_runs(db, run_payload(1, **times("12:00")))
    await metrics(datasette)
    rows = list(db["run_rollups"].rows)
    db.execute("update rollup_progress set from_run_id = null")
    assert await runs_by_conclusion(datasette) == {}
    db["run_rollups"].insert_all(rows, replace=True)
    db.execute("update rollup_progress set from_run_id = 0")
    assert await runs_by_conclusion(datasette) == {}
    save_runs(db, run_payload(2, **times("13:00")))
    assert await runs_by_conclusion(datasette) == {key("success"): 1}


async def test_polling_and_rate_limit_are_those_of_api_config(
    datasette: Datasette, db: Database
) -> None:
    watch(db, CI)
    save_poll(db)
    await metrics(datasette)
    save_poll(db, requests=7, not_modified=5)
    save_poll(db, error="GitHub is down.", error_kind="offline", feeds_failed=1)
    samples = await metrics(datasette)
    polling = (await get_json(datasette, "/api/config"))["polling"]

    assert one_hot(samples, "ci_observer_polling_state", 0) == {(): polling["state"]}
    limit = polling["rate_limit"]
    assert samples["ci_observer_rate_limit", ()] == limit["limit"] == 5000
    assert samples["ci_observer_rate_limit_remaining", ()] == limit["remaining"]
    reset = samples["ci_observer_rate_limit_reset_timestamp_seconds", ()]
    assert reset == NOW.timestamp()
    assert samples["ci_observer_last_success_timestamp_seconds", ()] > 0
    assert samples["ci_observer_poll_passes_total", ("passed",)] == 1
    assert samples["ci_observer_poll_passes_total", ("failed",)] == 1
    assert samples["ci_observer_github_requests_total", ()] == 9
    assert samples["ci_observer_github_not_modified_total", ()] == 7


async def test_what_ingest_cannot_write_is_the_state_of_polling(
    datasette: Datasette, db: Database, db_path: Path
) -> None:
    watch(db, CI)
    save_poll(db)
    with only_ingest(db_path) as lock:
        lock.record_problem("The disk is full.")
        samples = await metrics(datasette)
    assert one_hot(samples, "ci_observer_polling_state", 0) == {(): "failed"}
    # The version is that of the web process: an empty archive has none.
    assert ("ci_observer_info", (version("ci-observer"),)) in samples


async def test_a_client_may_ask_for_openmetrics(
    datasette: Datasette, db: Database
) -> None:
    watch(db, CI)
    response = await datasette.client.get(
        "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}
    )
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert "Accept" in response.headers["vary"]
    families = {family.name for family in parse_openmetrics(response.text)}
    assert {"ci_observer_tile_state", "ci_observer_runs", "ci_observer"} <= families


async def test_the_documentation_names_each_metric(
    datasette: Datasette, db: Database
) -> None:
    watch(db, CI)
    save_poll(db)
    instance.save_token_expiration(db, NOW)
    text = (await datasette.client.get("/metrics")).text
    page = (ROOT.parent / "docs" / "metrics.md").read_text()
    types = {"counter": "_total"}
    names = {
        family.name + types.get(family.type, "")
        for family in parse(text)
        if family.name.startswith("ci_observer_")
    }
    assert names == set(re.findall(r"^\| `(ci_observer_\w+)` \|", page, re.MULTILINE))


async def test_responses_are_counted_by_status(
    datasette: Datasette, db: Database
) -> None:
    app = with_response_counts(datasette, datasette.app())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        for path in ("/api/config", "/api/config", "/api/none"):
            await client.get(path)
    samples = await metrics(datasette)
    assert samples["ci_observer_http_responses_total", ("200",)] == 2
    assert samples["ci_observer_http_responses_total", ("404",)] == 1


@pytest.fixture
def promtool() -> str:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("needs promtool: apt install prometheus")
    return tool


def run(*command: str | Path, text: str = "") -> str:
    result = subprocess.run(  # noqa: S603 (Prometheus' own tool)
        [str(part) for part in command],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    return output


async def test_promtool_finds_nothing_wrong(
    datasette: Datasette, db: Database, promtool: str, tmp_path: Path
) -> None:
    save_wall(db, 20)
    text = (await datasette.client.get("/metrics")).text
    assert run(promtool, "check", "metrics", text=text) == ""

    rules = CONTRIB / "prometheus" / "ci-observer.rules.yml"
    assert "SUCCESS: 6 rules" in run(promtool, "check", "rules", rules)
    queries = list(dashboard_queries())
    assert len(queries) > 5
    rule_file = tmp_path / "queries.yml"
    rule_file.write_text(
        json.dumps(
            {
                "groups": [
                    {
                        "name": "dashboard",
                        "rules": [
                            {"record": f"panel:{number}", "expr": query}
                            for number, query in enumerate(queries)
                        ],
                    }
                ]
            }
        )
    )
    run(promtool, "check", "rules", rule_file)
    names = {family.name for family in parse(text)}
    for used in re.findall(r"\bci_observer_\w+", rules.read_text() + str(queries)):
        family = re.sub(r"_(bucket|count|sum|total)$", "", used)
        assert (
            family in names or family == "ci_observer_token_expires_timestamp_seconds"
        )


def dashboard_queries() -> Iterator[str]:
    """The queries of the Grafana dashboard, with a value for each of its variables."""
    text = (CONTRIB / "grafana" / "ci-observer.json").read_text()
    for panel in json.loads(text)["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "5m")
            yield query.replace("$__range", "7d").replace("$repo", ".*")


# The alerts for these series: a muted failure is no alert.
RULES_TEST = """
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'ci_observer_tile_state{{repo="a/b", workflow="ci.yml", branch="main", state="failing"}}'
        values: '1x20'
      - series: 'ci_observer_tile_muted{{repo="a/b", workflow="ci.yml", branch="main"}}'
        values: '0x20'
      - series: 'ci_observer_tile_state{{repo="a/c", workflow="ci.yml", branch="main", state="failing"}}'
        values: '1x20'
      - series: 'ci_observer_tile_muted{{repo="a/c", workflow="ci.yml", branch="main"}}'
        values: '1x20'
    alert_rule_test:
      - eval_time: 5m
        alertname: WorkflowFailing
        exp_alerts: []
      - eval_time: 15m
        alertname: WorkflowFailing
        exp_alerts:
          - exp_labels: {{severity: warning, repo: a/b, workflow: ci.yml, branch: main, state: failing}}
            exp_annotations: {{summary: ci.yml of a/b fails on main}}
"""  # noqa: E501 (YAML)


async def test_the_alert_rules_leave_muted_tiles_out(
    promtool: str, tmp_path: Path
) -> None:
    test = tmp_path / "test.yml"
    rules = CONTRIB / "prometheus" / "ci-observer.rules.yml"
    test.write_text(RULES_TEST.format(rules=rules))
    assert "SUCCESS" in run(promtool, "test", "rules", test)


async def test_a_clock_that_is_set_back_brings_no_old_days() -> None:
    feeds = frozenset({CI})
    increases = Increases()
    increases.add({("2026-03-02", *CI): 1}, feeds)
    increases.add({("2026-03-01", *CI): 5, ("2026-03-02", *CI): 3}, feeds)
    assert increases.totals == {CI: 2}
