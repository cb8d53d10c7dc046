"""A part of `check`: which repositories the patterns, exclusions and topics select."""

from collections.abc import Iterable, Iterator

from ci_observer.ingest.commands.check_lines import Line
from ci_observer.ingest.config import Config
from ci_observer.ingest.config.repo_rules import is_selected_repo
from ci_observer.ingest.config.watching import fits
from ci_observer.ingest.github.names import is_every_repo, owner_of
from ci_observer.ingest.github.wire import Repository

MAX_SHOWN = 20


class SelectedRepos:
    """The repositories of all owners' lists, and what selects or excludes them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._live: list[Repository] = []
        self._owners: set[str] = set()

    def select(self, owner: str, live: Iterable[Repository]) -> list[str]:
        """The selected ones among the live repositories of an owner, in this shard."""
        found = list(live)
        self._live += found
        self._owners.add(owner.lower())
        names = [r.full_name for r in found if self._is_selected(r)]
        return list(filter(self._config.is_in_shard, names))

    def shard_lines(self) -> Iterator[Line]:
        """How many of the selected repositories this shard has."""
        if self._config.shard is None:
            return
        names = {name.lower() for name in self._config.all_named_repos}
        names |= {r.full_name.lower() for r in self._live if self._is_selected(r)}
        own = sum(map(self._config.is_in_shard, names))
        noun = "repository" if len(names) == 1 else "repositories"
        yield Line(
            f"{self._config.shard.name.capitalize()}: {own} of {len(names)} {noun}"
        )

    def topics(self) -> dict[str, tuple[str, ...]]:
        """The topics of each repository in the lists, by its name in small letters."""
        return {r.full_name.lower(): r.topics or () for r in self._live}

    def lines(self) -> Iterator[Line]:
        """What each pattern selects, and each exclusion and topic leaves out.

        One that matches nothing in a list that was fetched is reported.
        """
        for pattern in self._config.patterns:
            if is_every_repo(pattern) and self._has_no_others():
                continue
            if owner_of(pattern).lower() in self._owners:
                names = [r for r in self._live if fits(pattern, r.full_name)]
                chosen = [r.full_name for r in names if self._is_selected(r)]
                yield self._line(pattern, "selects", chosen)
        for pattern in self._config.exclusions:
            if owner_of(pattern).lower() in self._owners:
                names = [r for r in self._live if fits(pattern, r.full_name)]
                yield self._line(
                    f"!{pattern}", "leaves out", [r.full_name for r in names]
                )
        for topic in self._config.topics if self._owners else ():
            with_topic = [r for r in self._live if topic in (r.topics or ())]
            chosen = [r.full_name for r in with_topic if self._is_selected(r)]
            yield self._line(f"topic {topic}", "selects", chosen)

    def _has_no_others(self) -> bool:
        return not self._config.exclusions and not self._config.topics

    def _is_selected(self, repo: Repository) -> bool:
        return is_selected_repo(self._config, repo.full_name, repo.topics or ())

    def _line(self, name: str, verb: str, repos: list[str]) -> Line:
        if not repos:
            return Line(
                f"{name}: {verb} nothing. Correct it, or remove it.", is_warning=True
            )
        shown = ", ".join(repos[:MAX_SHOWN])
        more = len(repos) - MAX_SHOWN
        return Line(f"{name}: {verb} {shown}{f' and {more} more' if more > 0 else ''}")
