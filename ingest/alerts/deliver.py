"""Sends one message to one address, as a process of its own.

`python -m ci_observer.ingest.alerts.deliver` reads a `Delivery` as JSON from its input
and writes a `Result` as JSON. So a receiver that hangs can be killed, the libraries of
a hundred services are not in ingest, and no secret is in a command line.
"""

import json
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from ci_observer.ingest.alerts.guard import guarded
from ci_observer.ingest.alerts.messages import Message
from ci_observer.ingest.alerts.receivers import github_hosts, open_service
from ci_observer.ingest.github.certificates import Certificates
from ci_observer.ingest.github.proxies import choose_proxy

SENT, REFUSED, FAILED = "sent", "refused", "failed"
# A receiver may respond with any number of bytes.
MAX_MEMORY = 512 * 1024 * 1024
ID_HEADER = "X-CI-Observer-Id"


@dataclass(frozen=True)
class Network:
    """How requests leave this machine; `proxies` are the variables of proxies."""

    api_url: str
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificates: Certificates = field(default_factory=Certificates)


@dataclass(frozen=True)
class Result:
    """The outcome of a message; `reason` has no part of the address."""

    outcome: str
    reason: str = ""


def send(url: str, message: Message, network: Network) -> Result:
    """Send a message to an address once."""
    with guarded(
        github_hosts(network.api_url),
        lambda target: choose_proxy(target, network.proxies),
        network.certificates,
    ) as seen:
        is_sent = _notify(url, message)
    if is_sent:
        return Result(SENT)
    return Result(REFUSED if seen.is_refused else FAILED, seen.reason)


def _notify(url: str, message: Message) -> bool:
    service = open_service(url)
    if service is None:
        return False
    import apprise  # noqa: PLC0415 (an extra, and slow)

    _add_id(service, message)
    notifier = apprise.Apprise(asset=service.asset)
    notifier.add(service)
    # apprise reports a failure of any kind as False, or as None.
    return bool(
        notifier.notify(
            title=message.title,
            body=message.body,
            notify_type=apprise.NotifyType(message.kind),
            body_format=apprise.NotifyFormat.TEXT,
        )
    )


def _add_id(service: Any, message: Message) -> None:
    """Let programs recognise a repeated message, by a header and in plain JSON."""
    kind = type(service).__name__
    if kind in ("NotifyJSON", "NotifyXML", "NotifyForm", "NotifyEmail"):
        service.headers.setdefault(ID_HEADER, message.message_id)
    if kind == "NotifyJSON":
        for name, value in message.data.items():
            service.payload_extras.setdefault(name, value)


def main() -> None:
    """Send the message of the standard input."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    given = json.load(sys.stdin)
    network = given["network"]
    certificates = Certificates(**network.pop("certificates"))
    result = send(
        given["url"],
        Message(**given["message"]),
        Network(**network, certificates=certificates),
    )
    json.dump(asdict(result), sys.stdout)


if __name__ == "__main__":
    main()
