"""Small payloads, for tests that do not depend on the size of a run.

Full-size objects, and a server that sends them, are in `demo`.
"""

from typing import Any

# File names that GitHub allows below .github/workflows.
UNUSUAL_FILES = (
    "deploy@prod.yml",
    "Julia TagBot.yml",
    "100%.yml",
    "100%25.yml",
    "über.yml",
    "a+b.yml",
    "x.yml.yaml",
    "a.yml@b.yml",
    "c#1 & d?e=f.yml",
    'it\'s "quoted".yml',
    "<b>.yml",
    "~{x}[1];$y!.yaml",
)


def run_payload(run_id: int = 1, **changes: Any) -> dict[str, Any]:
    """A GitHub run object, completed and successful unless changed."""
    payload: dict[str, Any] = {
        "id": run_id,
        "name": "CI",
        "path": ".github/workflows/ci.yml",
        "display_title": f"Change {run_id}",
        "run_number": run_id,
        "run_attempt": 1,
        "event": "push",
        "status": "completed",
        "conclusion": "success",
        "head_branch": "main",
        "head_sha": f"{run_id:040x}",
        "created_at": "2026-03-01T12:00:00Z",
        "run_started_at": "2026-03-01T12:00:00Z",
        "updated_at": "2026-03-01T12:05:00Z",
        "actor": {"login": "ada"},
        "triggering_actor": {"login": "ada"},
        "repository": {"id": 1, "full_name": "acme/api"},
        "head_repository": {"id": 1, "full_name": "acme/api"},
        "pull_requests": [],
        "html_url": f"https://github.com/acme/api/actions/runs/{run_id}",
    }
    return payload | changes


def times(started_at: str, minutes: int = 5) -> dict[str, str]:
    """The three times of a run that started at `HH:MM` on the tests' day."""
    hour, minute = map(int, started_at.split(":"))
    end = hour * 60 + minute + minutes
    start_text = f"2026-03-01T{hour:02}:{minute:02}:00Z"
    return {
        "created_at": start_text,
        "run_started_at": start_text,
        "updated_at": f"2026-03-01T{end // 60:02}:{end % 60:02}:00Z",
    }
