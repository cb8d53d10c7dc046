"""Prepare a release: `make release VERSION=1.2.3`.

Checks the version, the branch and the changelog, then writes the version and the
changelog heading, commits both and tags the commit. It pushes nothing: pushing the tag
starts the workflow that builds and publishes.
"""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
UNRELEASED = "## Unreleased\n"


class ReleaseError(Exception):
    """A reason not to release, with what to do about it."""


def main(arguments: list[str]) -> None:
    """Release the one version that the command line names."""
    try:
        if len(arguments) != 1:
            raise ReleaseError("Name the version: make release VERSION=1.2.3")
        release(Path.cwd(), arguments[0], today=datetime.now(UTC).date().isoformat())
    except ReleaseError as error:
        sys.exit(f"Not released. {error}")


def release(root: Path, version: str, *, today: str) -> None:
    """Check everything, then write, commit and tag. Raises `ReleaseError`."""
    project, changelog = root / "pyproject.toml", root / "CHANGELOG.md"
    check_version(version, current=read_version(project.read_text()))
    check_repository(root, version)
    # Both texts first: nothing is written unless everything can be.
    changes = with_heading(changelog.read_text(), version, today)
    settings = with_version(project.read_text(), version)
    changelog.write_text(changes)
    project.write_text(settings)
    git(root, "commit", "--quiet", "--message", f"Release {version}", "--all")
    git(root, "tag", "--annotate", f"v{version}", "--message", f"CI Observer {version}")
    sys.stdout.write(
        f"Tagged v{version}. Publish it with: git push origin main v{version}\n"
    )


def check_version(version: str, *, current: str) -> None:
    """Require a version of three numbers that is not lower than the current one.

    The current one itself may be released once: the first release needs no new number.
    """
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"{version} is not a version such as 1.2.3.")
    if numbers(version) < numbers(current):
        raise ReleaseError(f"{version} is lower than {current}, the current version.")


def check_repository(root: Path, version: str) -> None:
    """Require a clean checkout of main, and a tag that does not exist."""
    if (branch := git(root, "branch", "--show-current")) != "main":
        raise ReleaseError(f"This is the branch {branch}. Release from main.")
    if git(root, "status", "--porcelain"):
        raise ReleaseError("There are uncommitted changes. Commit or discard them.")
    if git(root, "tag", "--list", f"v{version}"):
        raise ReleaseError(f"The tag v{version} exists. Choose a higher version.")


def with_heading(changelog: str, version: str, today: str) -> str:
    """Move the entries under Unreleased to a heading of their own."""
    before, found, after = changelog.partition(UNRELEASED)
    if not found:
        raise ReleaseError("CHANGELOG.md has no heading Unreleased.")
    entries = after.partition("\n## ")[0]
    if not re.search(r"^- ", entries, re.MULTILINE):
        raise ReleaseError("CHANGELOG.md has no entry under Unreleased.")
    return f"{before}{UNRELEASED}\n## {version} - {today}\n{after}"


def read_version(project: str) -> str:
    """The version in the text of `pyproject.toml`."""
    found = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    if not found:
        raise ReleaseError("pyproject.toml has no version.")
    return found[1]


def with_version(project: str, version: str) -> str:
    """The text of `pyproject.toml` with another version."""
    return re.sub(
        r'^version = ".+"$', f'version = "{version}"', project, count=1, flags=re.M
    )


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def git(root: Path, *arguments: str) -> str:
    """The output of a git command. Raises `ReleaseError` if it fails."""
    done = subprocess.run(  # noqa: S603 (our own words)
        ["git", *arguments],  # noqa: S607
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1:])
