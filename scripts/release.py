"""Prepare a release: `make release VERSION=1.2.3`.

`release.py --check 1.2.3` only checks, `release.py --notes 1.2.3` prints the version's
section of the changelog, and `release.py --image-tags 1.2.3` the tags of its image.

Checks the version, the branch and the changelog, then writes the version and the
changelog heading, commits both and tags the commit. It pushes nothing: pushing the tag
starts the workflow that builds and publishes.
"""

import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

NUMBER = r"(0|[1-9][0-9]*)"
VERSION = re.compile(rf"{NUMBER}\.{NUMBER}\.{NUMBER}")
USAGE = "Give the version: make release VERSION=1.2.3"
UNRELEASED = "## Unreleased\n"


class ReleaseError(Exception):
    """A reason not to release, with what to do about it."""


def main(arguments: list[str]) -> None:
    """Release the version that the command line names, check it or print its notes."""
    today = datetime.now(UTC).date().isoformat()
    try:
        match arguments:
            case ["--check", version]:
                prepare(Path.cwd(), version, today=today)
            case ["--notes", version]:
                changelog = read(Path.cwd() / "CHANGELOG.md")
                sys.stdout.write(notes_of(changelog, version))
            case ["--image-tags", version]:
                tags = git(Path.cwd(), "tag", "--list", "v*").split()
                sys.stdout.writelines(f"{t}\n" for t in image_tags(version, tags))
            case [version] if not version.startswith("-"):
                release(Path.cwd(), version, today=today)
            case _:
                raise ReleaseError(USAGE)
    except ReleaseError as error:
        sys.exit(f"Not released. {error}")


def release(root: Path, version: str, *, today: str) -> None:
    """Check everything, then write, commit and tag. Raises `ReleaseError`."""
    for path, text in prepare(root, version, today=today).items():
        path.write_text(text)
    commit = ("commit", "--quiet", "--message", f"Release {version}", "--all")
    tag = ("tag", "--annotate", f"v{version}", "--message", f"CI Observer {version}")
    git(
        root,
        *commit,
        after_failure="Both files are written. Discard them with: "
        "git checkout HEAD pyproject.toml CHANGELOG.md",
    )
    git(
        root,
        *tag,
        after_failure=f"The commit of the release is there. Go on with: "
        f"git {shlex.join(tag)}",
    )
    sys.stdout.write(
        f"Tagged v{version}. Publish it with: git push origin main v{version}\n"
    )


def prepare(root: Path, version: str, *, today: str) -> dict[Path, str]:
    """Check everything, and return the new texts of the files. Writes nothing."""
    project, changelog = root / "pyproject.toml", root / "CHANGELOG.md"
    settings = read(project)
    check_version(version, current=read_version(settings))
    check_repository(root, version)
    return {
        changelog: with_heading(read(changelog), version, today),
        project: with_version(settings, version),
    }


def read(path: Path) -> str:
    """The text of a file in the root of the checkout."""
    try:
        return path.read_text()
    except FileNotFoundError:
        raise ReleaseError(
            f"There is no {path.name} in {path.parent}. Run this in the root of the "
            "checkout."
        ) from None


def check_version(version: str, *, current: str) -> None:
    """Require a version of three numbers that is not lower than the current one.

    The current one itself may be released once: the first release needs no new number.
    """
    if not version:
        raise ReleaseError(USAGE)
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"{version} is not a version such as 1.2.3.")
    if numbers(version) < numbers(current):
        raise ReleaseError(f"{version} is lower than {current}, the current version.")


def check_repository(root: Path, version: str) -> None:
    """Require a clean checkout of main, and a tag that does not exist."""
    branch = git(root, "branch", "--show-current")
    if not branch:
        raise ReleaseError("No branch is checked out. Run: git switch main")
    if branch != "main":
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


def notes_of(changelog: str, version: str) -> str:
    """The entries under a version's heading."""
    heading = rf"^## {re.escape(version)} - .*\n"
    found = re.search(rf"{heading}((?:(?!## ).*\n?)*)", changelog, re.MULTILINE)
    if not found:
        raise ReleaseError(f"CHANGELOG.md has no section {version}.")
    return f"{found[1].strip()}\n"


def image_tags(version: str, git_tags: list[str]) -> list[str]:
    """The tags of an image: its version, and those that follow the highest version.

    A correction of an older version moves `1.2`, but neither `1` nor `latest`.
    """
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"{version} is not a version such as 1.2.3.")
    released = [tag.removeprefix("v") for tag in git_tags]
    known = [numbers(other) for other in released if VERSION.fullmatch(other)]
    major, minor, _ = own = numbers(version)
    moving = {f"{major}.{minor}": [major, minor], f"{major}": [major], "latest": []}
    return [version] + [
        tag
        for tag, prefix in moving.items()
        if all(own >= other for other in known if other[: len(prefix)] == prefix)
    ]


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


def git(root: Path, *arguments: str, after_failure: str = "") -> str:
    """The output of a git command. Raises `ReleaseError` if it fails."""
    done = subprocess.run(  # noqa: S603 (our own words)
        ["git", *arguments],  # noqa: S607
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(
            f"git {arguments[0]} failed: {done.stderr.strip()} {after_failure}".strip()
        )
    return done.stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1:])
