"""The jobs of the lively world's workflows: what they need, their runners and steps."""

from __future__ import annotations

from ci_observer.demo.server.model import JobSpec

INSTALL = "Install dependencies"
TESTS = "Run the tests"
WINDOWS, MACOS = ("windows-latest",), ("macos-15",)
DEVICES = ("self-hosted", "android-lab")
CLUSTER = ("self-hosted", "linux", "big-memory")
NETWORK = ("self-hosted", "network")

TEST_JOBS = (
    JobSpec(
        "lint",
        (INSTALL, "Check style", "Check types"),
        needs=(),
        share=0.4,
        queue=3,
        fails_in=("Check style", "Check types"),
    ),
    JobSpec(
        "test (ubuntu-latest)",
        (INSTALL, TESTS, "Upload coverage"),
        needs=(),
        queue=3,
        fails_in=(TESTS,),
    ),
    JobSpec(
        "test (windows-latest)",
        (INSTALL, TESTS, "Upload coverage"),
        labels=WINDOWS,
        needs=(),
        share=1.3,
        queue=9,
        fails_in=(TESTS, TESTS, INSTALL),
    ),
    JobSpec(
        "build",
        (INSTALL, "Build the image", "Push the image"),
        needs=("lint", "test (ubuntu-latest)"),
        share=0.7,
        queue=3,
        fails_in=("Build the image",),
    ),
)
SMALL_JOBS = (JobSpec("lint", (INSTALL, "Check style"), queue=3),)
LABEL_JOBS = (JobSpec("label", ("Read the labels", "Set the labels"), queue=2),)
DOCS_JOBS = (
    JobSpec("build", (INSTALL, "Build the pages", "Check links"), queue=3),
    JobSpec("deploy", ("Publish the pages",), share=0.3, queue=2),
)
BROWSER_JOBS = (
    JobSpec("build", (INSTALL, "Build the shop"), queue=3, share=0.4),
    *(
        JobSpec(
            f"browser ({name})",
            (INSTALL, "Start the shop", TESTS, "Upload videos"),
            labels=MACOS if name == "webkit" else ("ubuntu-latest",),
            needs=("build",),
            share=share,
            queue=14 if name == "webkit" else 3,
            fails_in=(TESTS, TESTS, "Start the shop"),
        )
        for name, share in (("chromium", 0.8), ("firefox", 1), ("webkit", 1.1))
    ),
    JobSpec(
        "report",
        ("Merge the reports",),
        needs=("browser (chromium)", "browser (firefox)", "browser (webkit)"),
        share=0.2,
        queue=2,
    ),
)
DEPLOY_JOBS = (
    JobSpec("build", ("Build the image", "Push the image"), queue=3),
    JobSpec(
        "production", ("Roll out", "Check health"), environment=True, share=0.8, queue=4
    ),
)
ANALYSIS_JOBS = tuple(
    JobSpec(
        f"Analyze ({language})",
        ("Initialize CodeQL", "Autobuild", "Perform the analysis"),
        needs=(),
        share=share,
        queue=4,
        fails_in=("Autobuild",),
    )
    for language, share in (("javascript", 0.6), ("python", 1))
)
ANDROID_JOBS = (
    JobSpec("lint", (INSTALL, "Check style"), needs=(), share=0.2, queue=3),
    JobSpec(
        "unit tests",
        (INSTALL, TESTS),
        labels=("ubuntu-24.04-16-core",),
        needs=(),
        share=0.5,
        queue=25,
        runner_group="Large runners",
    ),
    JobSpec(
        "assemble",
        (INSTALL, "Assemble the app", "Sign the app"),
        needs=("lint",),
        share=0.6,
        queue=4,
        fails_in=("Assemble the app",),
    ),
    JobSpec(
        "device tests",
        ("Install the app", TESTS, "Collect the logs"),
        labels=DEVICES,
        needs=("unit tests", "assemble"),
        queue=70,
        runner_group="Device lab",
        fails_in=(TESTS, "Install the app"),
    ),
)
IOS_JOBS = (
    JobSpec(
        "build",
        ("Install pods", "Build the app"),
        labels=MACOS,
        share=0.8,
        queue=55,
        fails_in=("Build the app",),
    ),
    *(
        JobSpec(
            name,
            ("Install pods", "Start the simulator", TESTS),
            labels=MACOS,
            needs=("build",),
            share=share,
            queue=45,
            fails_in=(TESTS, "Start the simulator"),
        )
        for name, share in (("unit tests", 0.4), ("ui tests", 1))
    ),
    JobSpec(
        "archive",
        ("Archive the app", "Upload the archive"),
        labels=MACOS,
        needs=("unit tests", "ui tests"),
        share=0.3,
        queue=40,
    ),
)
DEVICE_FARM_JOBS = (
    JobSpec(
        "device tests",
        ("Install the app", TESTS, "Collect the logs"),
        labels=DEVICES,
        queue=60,
        runner_group="Device lab",
        fails_in=(TESTS,),
    ),
)
ETL_JOBS = (
    JobSpec(
        "extract",
        ("Read the events",),
        labels=CLUSTER,
        share=0.5,
        queue=20,
        runner_group="Data platform",
    ),
    *(
        JobSpec(
            f"transform ({name})",
            ("Start the cluster", "Transform the tables", "Check the totals"),
            labels=CLUSTER,
            needs=("extract",),
            share=share,
            queue=35,
            runner_group="Data platform",
            fails_in=("Transform the tables", "Check the totals"),
        )
        for name, share in (("orders", 0.7), ("events", 1))
    ),
    JobSpec(
        "load",
        ("Write the tables",),
        labels=CLUSTER,
        needs=("transform (orders)", "transform (events)"),
        share=0.4,
        queue=12,
        runner_group="Data platform",
    ),
)
TERRAFORM_JOBS = (
    JobSpec("validate", ("Check the format", "Validate"), share=0.2, queue=3),
    *(
        JobSpec(
            f"plan ({account})",
            ("Assume the role", "Plan", "Upload the plan"),
            labels=NETWORK,
            needs=("validate",),
            share=share,
            queue=18,
            runner_group="Network",
            fails_in=("Plan",),
        )
        for account, share in (("staging", 0.7), ("production", 1))
    ),
)
