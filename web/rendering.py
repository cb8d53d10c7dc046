"""Templates that give way to other requests while they are rendered."""

import asyncio
import time
from typing import Any

from jinja2 import Template

# A page of a thousand runs takes a quarter of a second.
SLICE_SECONDS = 0.002


class YieldingTemplate(Template):
    """A template whose `render_async` leaves the event loop to others at times.

    Jinja's own awaits nothing that would wait, so the wall would wait for all of it.
    """

    async def render_async(self, *args: Any, **kwargs: Any) -> str:
        """The rendered text."""
        parts: list[str] = []
        until = time.perf_counter() + SLICE_SECONDS
        async for part in self.generate_async(*args, **kwargs):
            parts.append(part)
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + SLICE_SECONDS
        return self.environment.concat(parts)
