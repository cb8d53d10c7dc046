"""The keys of rows that several modules of the store share."""

from dataclasses import dataclass

from ci_observer.ingest.github.names import every_repo_of


@dataclass(frozen=True)
class FeedKey:
    """A repository and a workflow: the key of a feed."""

    repo: str
    workflow: str

    def __str__(self) -> str:
        return f"{self.repo} {self.workflow}"

    def is_same_as(self, other: "FeedKey") -> bool:
        """Whether both identify one row: the letter case of `repo` does not matter."""
        names = (self.repo.lower(), self.workflow)
        return names == (other.repo.lower(), other.workflow)


@dataclass(frozen=True)
class Owner:
    """An owner, all of whose repositories are watched. Its text is `owner/*`."""

    name: str

    def __str__(self) -> str:
        return every_repo_of(self.name)
