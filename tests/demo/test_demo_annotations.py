"""The annotations of cancelled jobs tell the cause of the cancellation."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from demo_client import FILE, REPO, client_of

from ci_observer.demo.server.github_server import GitHubServer
from ci_observer.demo.server.model import JobSpec, Run
from ci_observer.demo.server.rate_limits import Token
from ci_observer.demo.server.world import World

CANCELLED = "The operation was canceled."


def jobs_of(client: httpx.Client, run: Run) -> list[dict[str, Any]]:
    """The jobs of all attempts, newest attempt first."""
    url = f"/repos/{run.repo.full_name}/actions/runs/{run.id}/jobs"
    body = client.get(url, params={"filter": "all"}).json()
    return list(body["jobs"])


def annotations(client: httpx.Client, run: Run, job: int) -> httpx.Response:
    return client.get(f"/repos/{run.repo.full_name}/check-runs/{job}/annotations")


def messages(client: httpx.Client, run: Run) -> list[list[str]]:
    """The messages of the annotations of each job."""
    pages = [annotations(client, run, job["id"]) for job in jobs_of(client, run)]
    return [[item["message"] for item in page.json()] for page in pages]


@pytest.mark.parametrize(
    ("minutes", "limit"), [(30, "30m0s"), (60, "1h0m0s"), (360, "6h0m0s")]
)
def test_a_timeout_names_the_limit(
    client: httpx.Client, world: World, minutes: int, limit: str
) -> None:
    run = world.add_run(REPO, FILE, cancel_cause="timeout", duration=minutes * 60 + 24)

    [job] = jobs_of(client, run)
    assert (job["conclusion"], run.versions[-1].conclusion) == ("cancelled",) * 2
    text = f"The job has exceeded the maximum execution time of {limit}"
    assert messages(client, run) == [[text, CANCELLED]]


def test_the_limit_can_be_that_of_the_job(client: httpx.Client, world: World) -> None:
    world.add_workflow(REPO, FILE, jobs=(JobSpec("test", timeout_minutes=10),))
    run = world.add_run(REPO, FILE, cancel_cause="timeout", duration=700)

    assert messages(client, run)[0][0].endswith("maximum execution time of 10m0s")


def test_a_persons_cancellation_names_the_person(
    client: httpx.Client, world: World
) -> None:
    run = world.add_run(REPO, FILE, status="in_progress")
    world.advance_to("2026-03-02T09:05:00Z")
    world.update_run(run, cancelled_by="ada")

    assert run.versions[-1].conclusion == "cancelled"
    assert messages(client, run) == [["The run was canceled by @ada.", CANCELLED]]


def test_a_superseded_run_names_its_group(client: httpx.Client, world: World) -> None:
    run = world.add_run(REPO, FILE, cancel_cause="superseded")

    text = "Canceling since a higher priority waiting request for "
    assert messages(client, run) == [[f"{text}'ci-refs/heads/main' exists", CANCELLED]]


def test_other_jobs_have_no_cause(client: httpx.Client, world: World) -> None:
    specs = tuple(JobSpec(name) for name in ("build", "test", "deploy"))
    world.add_workflow(REPO, FILE, jobs=specs)
    run = world.add_run(REPO, FILE, cancelled_by="ada")

    told = {
        job["conclusion"]: annotations(client, run, job["id"]).json() != []
        for job in jobs_of(client, run)
    }
    assert told.pop("cancelled")
    assert set(told.values()) <= {False}


@pytest.mark.parametrize(
    ("conclusion", "expected"),
    [
        ("success", []),
        ("cancelled", []),
        ("failure", ["Process completed with exit code 1."]),
    ],
)
def test_a_run_without_a_cause_has_its_usual_annotations(
    client: httpx.Client, world: World, conclusion: str, expected: list[str]
) -> None:
    run = world.add_run(REPO, FILE, conclusion=conclusion)

    assert messages(client, run) == [expected]


def test_a_failed_step_has_an_error_between_a_warning_and_the_exit_code(
    client: httpx.Client, world: World
) -> None:
    job = JobSpec("build", ("Build the image",))
    world.add_workflow(REPO, FILE, jobs=(job,))
    run = world.add_run(REPO, FILE, conclusion="failure")

    [[warning, error, code]] = messages(client, run)
    assert "Node.js 20 actions are deprecated" in warning
    assert error.startswith("toomanyrequests")
    assert code == "Process completed with exit code 1."


def test_each_attempt_has_its_own_cause(client: httpx.Client, world: World) -> None:
    run = world.add_run(REPO, FILE, cancel_cause="timeout", duration=60)
    world.rerun(run)
    world.update_run(run, conclusion="cancelled")

    assert [len(texts) for texts in messages(client, run)] == [0, 2]


def test_messages_and_jobs_can_be_given(client: httpx.Client, world: World) -> None:
    run = world.add_run(REPO, FILE, conclusion="cancelled")
    [job] = jobs_of(client, run)
    world.set_jobs(run, [job | {"id": 77}])
    world.set_annotations(run, ["older words"])

    assert annotations(client, run, job["id"]).status_code == 404
    assert [item["message"] for item in annotations(client, run, 77).json()] == [
        "older words"
    ]


def test_one_job_of_a_failed_run_can_have_its_own_annotations(
    client: httpx.Client, world: World
) -> None:
    names = ("build", "test")
    world.add_workflow(REPO, FILE, jobs=tuple(JobSpec(name) for name in names))
    run = world.add_run(REPO, FILE, conclusion="failure")
    world.set_annotations(run, ["timed out"], job="test")
    assert messages(client, run)[1] == ["timed out"]
    assert messages(client, run)[0] != ["timed out"]

    world.set_annotations(run, ["a warning"])
    assert messages(client, run) == [["a warning"], ["timed out"]]


def test_an_annotation_can_have_any_keys(client: httpx.Client, world: World) -> None:
    run = world.add_run(REPO, FILE, cancel_cause="timeout")
    changes = {"message": None, "annotation_level": "warning"}
    world.set_annotations(run, ["an error", changes])
    [job] = jobs_of(client, run)
    first, second = annotations(client, run, job["id"]).json()

    assert (first["message"], first["annotation_level"]) == ("an error", "failure")
    assert second == first | changes


def test_annotations_come_in_pages(client: httpx.Client, world: World) -> None:
    run = world.add_run(REPO, FILE, conclusion="failure")
    world.set_annotations(run, [f"warning {number}" for number in range(31)])
    [job] = jobs_of(client, run)

    first = annotations(client, run, job["id"])
    second = client.get(first.links["next"]["url"])

    assert f"/repositories/{run.repo.id}/check-runs/" in first.links["next"]["url"]
    assert [len(first.json()), len(second.json())] == [30, 1]


def test_unknown_and_removed_jobs_are_404(client: httpx.Client, world: World) -> None:
    run = world.add_run(REPO, FILE, conclusion="cancelled")
    [job] = jobs_of(client, run)
    other = world.add_run("acme/other", FILE, conclusion="cancelled")

    assert annotations(client, run, job["id"]).status_code == 200
    assert annotations(client, run, job["id"] + 1).status_code == 404
    assert annotations(client, other, job["id"]).status_code == 404
    world.remove_run(run)
    assert annotations(client, run, job["id"]).status_code == 404


@pytest.mark.parametrize(
    ("token", "private", "message"),
    [
        (Token("a", kind="fine-grained"), True, "personal access token"),
        (Token("a", kind="fine-grained"), False, None),
        (Token("a", kind="classic"), True, None),
        (Token("a", kind="app"), True, None),
        (Token("a", kind="app", checks=False), True, "integration"),
        (Token("a", kind="app", checks=False), False, None),
    ],
)
def test_some_tokens_cannot_read_annotations_of_private_repositories(
    github: GitHubServer,
    world: World,
    token: Token,
    private: bool,
    message: str | None,
) -> None:
    github.settings.tokens["some-token"] = token
    world.add_repo("acme/api", private=private)
    run = world.add_run("acme/api", FILE, cancel_cause="timeout")
    with client_of(github, authorization="Bearer some-token") as client:
        [job] = jobs_of(client, run)
        response = annotations(client, run, job["id"])

    if message is None:
        assert len(response.json()) == 2
    else:
        text = f"Resource not accessible by {message}"
        assert (response.status_code, response.json()["message"]) == (403, text)


def test_an_unknown_cause_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="'boredom': it is one of"):
        world.add_run(REPO, FILE, cancel_cause="boredom")
