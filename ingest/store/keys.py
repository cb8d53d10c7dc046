"""The keys of rows that several modules of the store share."""

from dataclasses import dataclass

from ci_observer.ingest.github.names import EVERY_WORKFLOW


@dataclass(frozen=True)
class FeedKey:
    """A repository and a workflow: the key of a feed."""

    repo: str
    workflow: str

    @property
    def is_placeholder(self) -> bool:
        """Whether it stands for a whole repository or owner that has no feed.

        Such a feed is never polled. It shows an error on the wall.
        """
        return self.workflow == EVERY_WORKFLOW

    def __str__(self) -> str:
        return f"{self.repo} {self.workflow}"
