"""The repositories of the lively world and the profiles of their workflows.

This is data only: `generator.py` creates the runs, `scripted_cases.py` adds rare cases.
"""

from __future__ import annotations

from dataclasses import dataclass

from ci_observer.demo.scenario.workflow_jobs import (
    ANALYSIS_JOBS,
    ANDROID_JOBS,
    BROWSER_JOBS,
    DEPLOY_JOBS,
    DEVICE_FARM_JOBS,
    DOCS_JOBS,
    ETL_JOBS,
    IOS_JOBS,
    LABEL_JOBS,
    SMALL_JOBS,
    TERRAFORM_JOBS,
    TEST_JOBS,
)
from ci_observer.demo.server.model import JobSpec

PUSH = (("push", 1.0),)
PUSH_AND_PULL_REQUEST = (("push", 0.45), ("pull_request", 0.55))
MERGE_QUEUE = (("push", 0.3), ("pull_request", 0.55), ("merge_group", 0.15))
MOSTLY_PULL_REQUESTS = (("push", 0.15), ("pull_request", 0.85))
PUSH_AND_MANUAL = (("push", 0.8), ("workflow_dispatch", 0.2))
PULL_REQUEST_TARGET = (("pull_request_target", 1.0),)


@dataclass(frozen=True, slots=True)
class WorkflowProfile:
    """How often one workflow runs, how long it takes and how it ends.

    Before the start of the demo there are `runs_per_day` runs on a working day. After
    it there is a run about every `live_interval` seconds (0: as often as before), the
    first one `live_delay` seconds after the start. `nightly_hour` (UTC) replaces
    `runs_per_day`. There are no runs in the last `stops_days_before` days before the
    start (0: runs never stop). `extra_runs_before` is a list of minutes before the
    start, with one successful run each. `seconds` is the median duration, without the
    time in the queue. The rates are probabilities for each run. With `has_group`, some
    runs wait for another run of their concurrency group.
    """

    repo: str
    file: str
    name: str
    runs_per_day: float = 2
    seconds: float = 45
    live_interval: float = 0
    events: tuple[tuple[str, float], ...] = PUSH_AND_PULL_REQUEST
    jobs: tuple[JobSpec, ...] = TEST_JOBS
    failure_rate: float = 0.06
    flaky_rate: float = 0.03
    skip_rate: float = 0.0
    cancels_in_progress: bool = False
    needs_approval: bool = False
    has_group: bool = False
    nightly_hour: int | None = None
    stops_days_before: float = 0
    extra_runs_before: tuple[float, ...] = ()
    state: str = "active"
    path: str | None = None
    live_delay: float = 0


# name → (default branch, description)
REPOSITORIES = {
    "acme/web-store": ("main", "The shop our customers see"),
    "acme/payments-api": ("main", "Cards, refunds and the ledger"),
    "acme/design-system": ("trunk", "Components, tokens and icons"),
    "acme/mobile-app": ("develop", "Android and iOS in one repository"),
    "acme/data-pipeline": ("main", "Events in, tables out"),
    "acme/open-toolkit": ("main", "An open-source toolkit for everyone"),
    "acme/handbook": ("main", "How we work"),
    "acme/partner-portal": ("main", "What our partners see"),
    "acme/old-website": ("main", "Replaced by the handbook"),
    "acme/infrastructure-live-accounts-networks-and-shared-modules": (
        "master",
        "Everything below the applications",
    ),
}
ARCHIVED = ("acme/old-website",)
INFRA = "acme/infrastructure-live-accounts-networks-and-shared-modules"

WORKFLOW_PROFILES = (
    WorkflowProfile(
        "acme/web-store",
        "ci.yml",
        "CI",
        3,
        38,
        42,
        MERGE_QUEUE,
        failure_rate=0.1,
        live_delay=75,
    ),
    WorkflowProfile(
        "acme/web-store",
        "lint.yml",
        "Lint",
        2,
        17,
        55,
        skip_rate=0.15,
        failure_rate=0.04,
        jobs=SMALL_JOBS,
    ),
    WorkflowProfile(
        "acme/web-store",
        "e2e.yml",
        "End-to-end",
        2,
        85,
        100,
        flaky_rate=0.35,
        cancels_in_progress=True,
        jobs=BROWSER_JOBS,
    ),
    WorkflowProfile(
        "acme/web-store",
        "deploy.yml",
        "Deploy",
        1,
        60,
        130,
        PUSH_AND_MANUAL,
        DEPLOY_JOBS,
        needs_approval=True,
        has_group=True,
        failure_rate=0.03,
    ),
    WorkflowProfile(
        "acme/payments-api", "ci.yml", "Build and test", 2.5, 48, 60, failure_rate=0.05
    ),
    WorkflowProfile(
        "acme/payments-api", "contract-tests.yml", "Contract tests", 1, 140
    ),
    WorkflowProfile(
        "acme/payments-api",
        "codeql.yml",
        "CodeQL",
        nightly_hour=3,
        seconds=410,
        jobs=ANALYSIS_JOBS,
    ),
    WorkflowProfile(
        "acme/payments-api",
        "release.yml",
        "Release",
        0.3,
        520,
        0,
        PUSH_AND_MANUAL,
        DEPLOY_JOBS,
        stops_days_before=0.3,
        failure_rate=0.02,
    ),
    WorkflowProfile(
        "acme/design-system", "ci.yml", "CI", 1.5, 33, 70, cancels_in_progress=True
    ),
    WorkflowProfile(
        "acme/design-system",
        "visual.yml",
        "Visual regression",
        1,
        75,
        flaky_rate=0.5,
        jobs=BROWSER_JOBS,
    ),
    WorkflowProfile(
        "acme/design-system",
        "storybook.yml",
        "Storybook",
        0.8,
        55,
        0,
        PUSH,
        jobs=DOCS_JOBS,
    ),
    WorkflowProfile(
        "acme/mobile-app",
        "android.yml",
        "Android",
        1,
        1560,
        extra_runs_before=(9,),
        jobs=ANDROID_JOBS,
    ),
    WorkflowProfile(
        "acme/mobile-app",
        "ios.yml",
        "iOS",
        1,
        2050,
        extra_runs_before=(21,),
        jobs=IOS_JOBS,
    ),
    WorkflowProfile(
        "acme/mobile-app",
        "device-farm.yml",
        "Nightly device farm",
        nightly_hour=1,
        seconds=5400,
        stops_days_before=6.5,
        jobs=DEVICE_FARM_JOBS,
    ),
    WorkflowProfile(
        "acme/data-pipeline", "ci.yml", "CI", 1.2, 360, stops_days_before=0.1
    ),
    WorkflowProfile(
        "acme/data-pipeline",
        "nightly-etl.yml",
        "Nightly ETL",
        nightly_hour=2,
        seconds=2900,
        jobs=ETL_JOBS,
    ),
    WorkflowProfile(
        "acme/data-pipeline", "backfill.yml", "Backfill by hand", runs_per_day=0
    ),
    WorkflowProfile(
        "acme/open-toolkit",
        "ci.yml",
        "CI",
        5,
        41,
        60,
        MOSTLY_PULL_REQUESTS,
        cancels_in_progress=True,
    ),
    WorkflowProfile(
        "acme/open-toolkit", "docs.yml", "Docs", 0.8, 41, 0, PUSH, jobs=DOCS_JOBS
    ),
    WorkflowProfile(
        "acme/open-toolkit",
        "labeler.yml",
        "Label pull requests",
        2,
        9,
        75,
        PULL_REQUEST_TARGET,
        skip_rate=0.3,
        failure_rate=0,
        jobs=LABEL_JOBS,
    ),
    WorkflowProfile(
        "acme/handbook",
        "links.yml",
        "Check links",
        nightly_hour=5,
        seconds=70,
        stops_days_before=61,
        state="disabled_inactivity",
        jobs=SMALL_JOBS,
    ),
    WorkflowProfile(
        "acme/handbook",
        "pages-build-deployment",
        "pages-build-deployment",
        0.8,
        31,
        90,
        (("dynamic", 1.0),),
        path="dynamic/pages/pages-build-deployment",
        jobs=DOCS_JOBS,
    ),
    WorkflowProfile(
        INFRA,
        "plan.yml",
        "Terraform plan for each account, every region and environment",
        1,
        150,
        jobs=TERRAFORM_JOBS,
    ),
    WorkflowProfile(INFRA, "apply.yml", ".github/workflows/apply.yml", runs_per_day=0),
    WorkflowProfile(
        INFRA,
        "drift.yml",
        "Drift",
        nightly_hour=4,
        seconds=240,
        stops_days_before=1.2,
        jobs=TERRAFORM_JOBS,
    ),
    # Of these, only scripted cases have runs.
    WorkflowProfile("acme/handbook", "deploy.yml", "Deploy the handbook", 0),
    WorkflowProfile("acme/handbook", "spelling.yml", "Spelling", 0),
    WorkflowProfile("acme/payments-api", "load-test.yml", "Load test", 0),
    WorkflowProfile("acme/design-system", "publish.yml", "Publish packages", 0),
    WorkflowProfile(INFRA, "rotate-keys.yml", "Rotate keys", 0),
    WorkflowProfile(
        "acme/data-pipeline",
        "reindex.yml",
        "Reindex",
        0,
        jobs=(JobSpec("reindex", ("Read the tables", "Write the index")),),
    ),
    WorkflowProfile("acme/open-toolkit", "publish.yml", "Publish", 0),
    WorkflowProfile("acme/mobile-app", "translations.yml", "Translations", 0),
    WorkflowProfile("acme/partner-portal", "ci.yml", "CI", 0),
    WorkflowProfile("acme/old-website", "ci.yml", "CI", 0),
)
