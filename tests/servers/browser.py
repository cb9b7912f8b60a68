"""A real browser: Debian's Chromium, headless, driven by Playwright."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import BrowserContext, ViewportSize, async_playwright

from tests.servers import programs

WINDOW = ViewportSize(width=1024, height=768)

# Without the last four, Chromium asks for hosts that no test needs.
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def running_browser(*, profile: Path, locale: str = "de-DE") -> AsyncIterator[BrowserContext]:
    """A browser with an empty profile in the folder `profile`; closed at the end."""
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile,
            executable_path=programs.CHROMIUM.path(),
            args=[*FLAGS, *as_root],
            headless=True,
            viewport=WINDOW,
            locale=locale,
        )
        try:
            yield context
        finally:
            await context.close()
