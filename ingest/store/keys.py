"""The keys of rows that several modules of the store share."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FeedKey:
    """A repository and a workflow: the key of a feed."""

    repo: str
    workflow: str

    def __str__(self) -> str:
        return f"{self.repo} {self.workflow}"
