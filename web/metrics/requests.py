"""Counts the responses of all routes by HTTP status."""

from collections import Counter
from weakref import WeakKeyDictionary

from datasette.app import Datasette

from ci_observer.web.responses import App, Message, Receive, Send

_RESPONSES: WeakKeyDictionary[Datasette, Counter[int]] = WeakKeyDictionary()


def responses_of(datasette: Datasette) -> Counter[int]:
    """The number of responses by status since the process started."""
    return _RESPONSES.setdefault(datasette, Counter())


def with_response_counts(datasette: Datasette, app: App) -> App:
    """The app, whose responses are counted."""
    responses = responses_of(datasette)

    async def counted(scope: Message, receive: Receive, send: Send) -> None:
        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                responses[message["status"]] += 1
            await send(message)

        await app(scope, receive, count)

    return counted
