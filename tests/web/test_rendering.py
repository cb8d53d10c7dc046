"""Rendering of templates next to other requests."""

import pytest
from jinja2 import Environment
from waiting import other_request

from ci_observer.web import rendering
from ci_observer.web.rendering import YieldingTemplate


@pytest.mark.asyncio
async def test_a_long_page_lets_other_requests_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rendering, "SLICE_SECONDS", -1)
    environment = Environment(enable_async=True, autoescape=True)
    environment.template_class = YieldingTemplate
    template = environment.from_string("{% for n in rows %}<{{ n }}>{% endfor %}")
    async with other_request() as turns:
        text = await template.render_async(rows=["a", "&"] * 50)

    assert text == "<a><&amp;>" * 50
    assert turns() > 50
