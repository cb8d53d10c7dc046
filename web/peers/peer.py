"""A peer: another instance, as the settings name it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Peer:
    """The base address of an instance, without a slash at its end, and its token.

    `token` is the peer's ACCESS_TOKEN, None if it needs none.
    """

    address: str
    token: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The address without its scheme: two peers never have the same."""
        return self.address.partition("://")[2]


class PeerError(Exception):
    """A peer gave no usable response. The message says why, without its name.

    It is a part of a sentence, such as "it does not respond (connection refused)".
    """
