"""`make release`: reasons to refuse, and the files that it changes."""

import subprocess
from pathlib import Path

import pytest

from scripts.release import ReleaseError, image_tags, main, notes_of, prepare, release

TODAY = "2026-03-01"
PROJECT = '[project]\nname = "ci-observer"\nversion = "1.2.3"\n'
CHANGELOG = """\
# Changelog

## Unreleased

### Added

- A thing.

## 1.2.3 - 2026-01-01

- An older thing.
"""


def git(root: Path, *arguments: str) -> str:
    settings = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    return subprocess.run(  # noqa: S603
        ["git", *settings, *arguments],  # noqa: S607
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of main whose last release was 1.2.3."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    git(tmp_path, "tag", "v1.2.3")
    return tmp_path


def test_a_release_writes_version_and_heading_and_tags_them(root, capsys):
    release(root, "1.3.0", today=TODAY)

    assert 'version = "1.3.0"' in (root / "pyproject.toml").read_text()
    changelog = (root / "CHANGELOG.md").read_text()
    assert "## Unreleased\n\n## 1.3.0 - 2026-03-01\n\n### Added" in changelog
    assert git(root, "tag", "--points-at", "HEAD") == "v1.3.0"
    assert git(root, "log", "-1", "--format=%s") == "Release 1.3.0"
    assert git(root, "status", "--porcelain") == ""
    assert "git push origin main v1.3.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.3", "not a version"),
        ("v1.3.0", "not a version"),
        ("01.3.0", "not a version"),
        ("1.3.\N{ARABIC-INDIC DIGIT ONE}", "not a version"),
        ("", "make release VERSION=1.2.3"),
        ("1.2.2", "lower than 1.2.3"),
        ("1.2.3", "tag v1.2.3 exists"),
    ],
)
def test_a_wrong_version_is_refused(root, version, reason):
    with pytest.raises(ReleaseError, match=reason):
        release(root, version, today=TODAY)


def test_another_branch_is_refused(root):
    git(root, "switch", "--quiet", "--create", "feature")

    with pytest.raises(ReleaseError, match="branch feature"):
        release(root, "1.3.0", today=TODAY)


def test_uncommitted_changes_are_refused(root):
    (root / "new.txt").write_text("new")

    with pytest.raises(ReleaseError, match="uncommitted"):
        release(root, "1.3.0", today=TODAY)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# Changelog\n", "no heading"),
        ("# Changelog\n\n## Unreleased\n\n## 1.2.3\n\n- Old.\n", "no entry"),
    ],
)
def test_an_empty_changelog_is_refused_and_nothing_is_written(root, text, reason):
    (root / "CHANGELOG.md").write_text(text)
    git(root, "commit", "--quiet", "--all", "--message", "Empty it")

    with pytest.raises(ReleaseError, match=reason):
        release(root, "1.3.0", today=TODAY)

    assert (root / "pyproject.toml").read_text() == PROJECT
    assert git(root, "status", "--porcelain") == ""


def test_a_detached_head_is_refused(root):
    git(root, "switch", "--quiet", "--detach")

    with pytest.raises(ReleaseError, match="git switch main"):
        release(root, "1.3.0", today=TODAY)


def test_another_folder_than_the_root_is_refused(root):
    folder = root / "docs"
    folder.mkdir()

    with pytest.raises(ReleaseError, match="Run this in the root of the checkout"):
        release(folder, "1.3.0", today=TODAY)


def test_a_check_writes_nothing(root):
    prepare(root, "1.3.0", today=TODAY)

    assert git(root, "status", "--porcelain") == ""
    assert git(root, "tag", "--list") == "v1.2.3"


@pytest.mark.parametrize("arguments", [[], [""], ["--check"], ["1.3.0", "1.4.0"]])
def test_wrong_arguments_are_explained(root, monkeypatch, arguments):
    monkeypatch.chdir(root)

    with pytest.raises(SystemExit, match=r"make release VERSION=1\.2\.3"):
        main(arguments)


def test_a_failed_tag_says_what_is_left_to_do(root):
    # A tag named v1.3.0/x leaves no place for one named v1.3.0.
    git(root, "tag", "v1.3.0/x")

    with pytest.raises(ReleaseError, match=r"Go on with: git tag --annotate v1\.3\.0 "):
        release(root, "1.3.0", today=TODAY)

    assert git(root, "log", "-1", "--format=%s") == "Release 1.3.0"


def test_the_notes_of_a_release_are_its_section_of_the_changelog(
    root, capsys, monkeypatch
):
    release(root, "1.3.0", today=TODAY)
    capsys.readouterr()
    monkeypatch.chdir(root)

    main(["--notes", "1.3.0"])

    assert capsys.readouterr().out == "### Added\n\n- A thing.\n"
    assert notes_of((root / "CHANGELOG.md").read_text(), "1.2.3") == (
        "- An older thing.\n"
    )
    with pytest.raises(ReleaseError, match=r"no section 1\.2"):
        notes_of((root / "CHANGELOG.md").read_text(), "1.2")


@pytest.mark.parametrize(
    ("version", "released", "tags"),
    [
        ("0.1.0", [], ["0.1.0", "0.1", "0", "latest"]),
        ("1.2.4", ["v1.2.3", "v1.2.4"], ["1.2.4", "1.2", "1", "latest"]),
        ("1.2.10", ["v1.2.9", "nightly", "v1"], ["1.2.10", "1.2", "1", "latest"]),
        ("1.2.4", ["v1.3.0", "v2.0.0"], ["1.2.4", "1.2"]),
        ("1.3.1", ["v1.3.0", "v2.0.0"], ["1.3.1", "1.3", "1"]),
        ("1.2.3", ["v1.2.4"], ["1.2.3"]),
        ("1.10.0", ["v1.9.0"], ["1.10.0", "1.10", "1", "latest"]),
    ],
)
def test_the_moving_tags_of_the_image_follow_the_highest_version(
    version, released, tags
):
    assert image_tags(version, released) == tags


def test_the_tags_of_the_image_come_from_the_tags_of_the_repository(
    root, monkeypatch, capsys
):
    monkeypatch.chdir(root)
    main(["--image-tags", "1.2.2"])

    assert capsys.readouterr().out == "1.2.2\n"
    with pytest.raises(SystemExit, match=r"1\.2 is not a version"):
        main(["--image-tags", "1.2"])
