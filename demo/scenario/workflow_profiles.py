"""What the lively repositories are: names, workflows, people, words of commits.

Data only; `life.py` makes runs out of it, `set_pieces.py` adds the rare cases.
"""

from __future__ import annotations

from dataclasses import dataclass

from ci_observer.demo.server.model import JobSpec

PUSH = (("push", 1.0),)
BRANCHY = (("push", 0.45), ("pull_request", 0.55))
REVIEWED = (("push", 0.3), ("pull_request", 0.55), ("merge_group", 0.15))
OPEN_SOURCE = (("push", 0.15), ("pull_request", 0.85))
BY_HAND = (("push", 0.8), ("workflow_dispatch", 0.2))
ON_PULLS = (("pull_request_target", 1.0),)

TEST_JOBS = (
    JobSpec("lint", ("Install dependencies", "Check style")),
    JobSpec("test", ("Install dependencies", "Run the tests", "Upload coverage")),
    JobSpec("build", ("Install dependencies", "Build the image")),
)
DEPLOY_JOBS = (
    JobSpec("build", ("Build the image", "Push the image")),
    JobSpec("production", ("Roll out", "Check health"), environment=True),
)


@dataclass(frozen=True, slots=True)
class Habit:
    """How one workflow lives.

    `per_day` runs are born on a working day of the past; while somebody watches, one
    every `live_seconds` or so (0: no faster than in the past). `seconds` is the median
    duration. `breaks`, `flaky` and `skips` are chances of a run; `nightly` is an hour
    of the day (UTC) and replaces `per_day`. `until_days` stops births so many days
    before the start. `also_before` bears a run so many minutes before the start;
    `live_from` is when the lively part begins, in seconds after the start.
    """

    repo: str
    file: str
    name: str
    per_day: float = 2
    seconds: float = 45
    live_seconds: float = 0
    events: tuple[tuple[str, float], ...] = BRANCHY
    jobs: tuple[JobSpec, ...] = TEST_JOBS
    breaks: float = 0.06
    flaky: float = 0.03
    skips: float = 0.0
    cancels: bool = False
    approval: bool = False
    nightly: int | None = None
    until_days: float = 0
    also_before: tuple[float, ...] = ()
    state: str = "active"
    path: str | None = None
    live_from: float = 0


# name → (default branch, description)
REPOSITORIES = {
    "acme/web-store": ("main", "The shop our customers see"),
    "acme/payments-api": ("main", "Cards, refunds and the ledger"),
    "acme/design-system": ("trunk", "Components, tokens and icons"),
    "acme/mobile-app": ("develop", "Android and iOS in one repository"),
    "acme/data-pipeline": ("main", "Events in, tables out"),
    "acme/open-toolkit": ("main", "What we give away: a toolkit for everybody"),
    "acme/handbook": ("main", "How we work"),
    "acme/infrastructure-live-accounts-networks-and-shared-modules": (
        "master",
        "Everything below the applications",
    ),
}
INFRA = "acme/infrastructure-live-accounts-networks-and-shared-modules"

HABITS = (
    Habit(
        "acme/web-store", "ci.yml", "CI", 3, 38, 42, REVIEWED, breaks=0.1, live_from=75
    ),
    Habit("acme/web-store", "lint.yml", "Lint", 2, 17, 55, skips=0.15, breaks=0.04),
    Habit(
        "acme/web-store", "e2e.yml", "End-to-end", 2, 85, 100, flaky=0.35, cancels=True
    ),
    Habit(
        "acme/web-store",
        "deploy.yml",
        "Deploy",
        1,
        60,
        130,
        BY_HAND,
        DEPLOY_JOBS,
        approval=True,
        breaks=0.03,
    ),
    Habit("acme/payments-api", "ci.yml", "Build and test", 2.5, 48, 60, breaks=0.05),
    Habit("acme/payments-api", "contract-tests.yml", "Contract tests", 1, 140),
    Habit("acme/payments-api", "codeql.yml", "CodeQL", nightly=3, seconds=410),
    Habit(
        "acme/payments-api",
        "release.yml",
        "Release",
        0.3,
        520,
        0,
        BY_HAND,
        DEPLOY_JOBS,
        until_days=0.3,
        breaks=0.02,
    ),
    Habit("acme/design-system", "ci.yml", "CI", 1.5, 33, 70, cancels=True),
    Habit("acme/design-system", "visual.yml", "Visual regression", 1, 75, flaky=0.5),
    Habit("acme/design-system", "storybook.yml", "Storybook", 0.8, 55, 0, PUSH),
    Habit("acme/mobile-app", "android.yml", "Android", 1, 1560, also_before=(9,)),
    Habit("acme/mobile-app", "ios.yml", "iOS", 1, 2050, also_before=(21,)),
    Habit(
        "acme/mobile-app",
        "device-farm.yml",
        "Nightly device farm",
        nightly=1,
        seconds=5400,
        until_days=6.5,
    ),
    Habit("acme/data-pipeline", "ci.yml", "CI", 1.2, 360, until_days=0.1),
    Habit(
        "acme/data-pipeline", "nightly-etl.yml", "Nightly ETL", nightly=2, seconds=2900
    ),
    Habit("acme/data-pipeline", "backfill.yml", "Backfill by hand", per_day=0),
    Habit("acme/open-toolkit", "ci.yml", "CI", 5, 41, 60, OPEN_SOURCE, cancels=True),
    Habit("acme/open-toolkit", "docs.yml", "Docs", 0.8, 41, 0, PUSH),
    Habit(
        "acme/open-toolkit",
        "labeler.yml",
        "Label pull requests",
        2,
        9,
        75,
        ON_PULLS,
        skips=0.3,
        breaks=0,
    ),
    Habit(
        "acme/handbook",
        "links.yml",
        "Check links",
        nightly=5,
        seconds=70,
        until_days=61,
        state="disabled_inactivity",
    ),
    Habit(
        "acme/handbook",
        "pages-build-deployment",
        "pages-build-deployment",
        0.8,
        31,
        90,
        (("dynamic", 1.0),),
        path="dynamic/pages/pages-build-deployment",
    ),
    Habit(
        INFRA,
        "plan.yml",
        "Terraform plan for each account, every region and environment",
        1,
        150,
    ),
    Habit(INFRA, "apply.yml", ".github/workflows/apply.yml", per_day=0),
    Habit(INFRA, "drift.yml", "Drift", nightly=4, seconds=240, until_days=1.2),
)

PEOPLE = (
    "lena-hoffmann",
    "tomasz-zielinski",
    "priya-raman",
    "jordan-lee",
    "sofia-marques",
    "kenji-watanabe",
    "amara-okafor",
    "noah-berg",
    "chloe-martin",
)
OUTSIDERS = ("kwame-mensah", "astrid-lund", "mateo-rojas", "yuki-tanaka")
TITLES = (
    "Keep totals in minor units",
    "Retry the webhook with the same idempotency key",
    "Show the delivery date before the address form",
    "Drop Python 3.10",
    "Cache the price list for a minute",
    "Say which field is wrong, not only that one is",
    "Move the feature flags out of the session",
    "Read time zones from the profile",
    "Split the checkout in two steps",
    "Make the search field reachable by keyboard",
    "Log the request id with every error",
    "Round only once, at the end",
    "Use the new icons in the navigation",
    "Stop loading fonts twice",
    "Let refunds wait for the settlement",
    "Sort the order history by delivery",
    "Remove the old invoice template",
    "Validate the postcode per country",
)
FIXES = (
    "Fix the test that depended on the time zone",
    'Revert "Cache the price list for a minute"',
    "Fix the import that broke the build",
    "Pin the driver until the next release",
)
TOPICS = ("checkout", "search", "invoices", "login", "refunds", "icons", "mail", "i18n")
PACKAGES = ("vite", "pydantic", "esbuild", "urllib3", "playwright", "sqlalchemy")
