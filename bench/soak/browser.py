"""Real walls in Chromium, if it is installed."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from bench.harness.browser import ARGUMENTS, CHROMIUM

TELEVISION = {"width": 1920, "height": 1080}


@asynccontextmanager
async def open_walls(url: str, count: int) -> AsyncIterator[list[str]]:
    """Open walls until the end of the block; the list gets their script errors."""
    problems: list[str] = []
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if not count or path is None:
        if count:
            click.echo(
                "Without Chromium on the PATH, no real wall is opened.", err=True
            )
        yield problems
        return
    # Imported here so that a soak runs without a browser.
    from playwright.async_api import async_playwright  # noqa: PLC0415

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        for _ in range(count):
            page = await browser.new_page(viewport=TELEVISION)  # type: ignore[arg-type]
            page.on(
                "pageerror",
                lambda error: problems.append(f"the wall's script: {error}"),
            )
            await page.goto(url)
        yield problems
        for page in [page for context in browser.contexts for page in context.pages]:
            if not await page.locator("#tiles .tile").count():
                problems.append("a wall in Chromium shows no tile")
        await browser.close()
