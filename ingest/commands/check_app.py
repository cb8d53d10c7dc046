"""A part of `check`: the GitHub App, its installations and their permissions."""

from collections.abc import Iterable, Iterator

from ci_observer.ingest.commands.check_lines import Line
from ci_observer.ingest.config import Config
from ci_observer.ingest.errors import GitHubError
from ci_observer.ingest.github.app import App
from ci_observer.ingest.github.installations import PERMISSIONS, Installation
from ci_observer.ingest.github.names import owner_of

# Without these nothing of a private repository can be polled.
REQUIRED = ("actions", "metadata")


async def app_lines(config: Config, app: App | None) -> list[Line]:
    """A line for each installation, and for each owner without one."""
    if app is None:
        return []
    try:
        installations = await app.fetch_installations()
    except GitHubError as error:
        return [Line(f"GitHub App {config.app_id}: {error}", is_good=False)]
    found = [line for i in installations for line in _installation_lines(i)]
    return [*found, *_missing_lines(config, installations)]


def _installation_lines(installation: Installation) -> Iterator[Line]:
    what = "selected" if installation.is_selection else "all"
    state = ", suspended" if installation.is_suspended else ""
    name = f"GitHub App for {installation.account}"
    yield Line(
        f"{name}: {what} repositories{state}", is_good=not installation.is_suspended
    )
    for permission in installation.missing:
        yield Line(
            f"  lacks the permission {permission.capitalize()}: read, for "
            f"{PERMISSIONS[permission]}",
            is_good=permission not in REQUIRED,
        )


def _missing_lines(
    config: Config, installations: Iterable[Installation]
) -> Iterator[Line]:
    known = {i.account.lower() for i in installations}
    repos = (*config.named_repos, *config.patterns)
    owners = {owner_of(repo).lower(): owner_of(repo) for repo in repos}
    for key, owner in sorted(owners.items()):
        if key not in known:
            yield Line(
                f"GitHub App for {owner}: not installed, so only public repositories "
                "can be seen, with the limit of another installation"
            )
