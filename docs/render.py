"""`python docs/render.py`: takes the screenshots of the documents from a running demo.

Starts `bonpunkt up --demo` in a folder of its own, lets it check out some recorded baskets, and
photographs the admin page in Chromium at the size that store staff have.
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright

IMAGES = Path(__file__).parent / "images"
SIZE = {"width": 1024, "height": 768}
BASKETS = 1_500
ADDRESS = re.compile(r"Admin page: (\S+)")
PASSWORD = re.compile(r"with the password (\S+)")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        demo = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.cli", "up", "--demo", "--free-ports"),
            *("--baskets", str(BASKETS), "--per-second", "0", "--data", folder),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            address, password = await _told(demo)
            await _photograph(address, password)
        finally:
            demo.terminate()
            await demo.wait()


async def _told(demo: asyncio.subprocess.Process) -> tuple[str, str]:
    """Address and password, once all baskets are checked out."""
    assert demo.stdout is not None
    address = password = None
    async for line in demo.stdout:
        words = line.decode()
        print(words, end="")
        address = address or ADDRESS.search(words)
        password = password or PASSWORD.search(words)
        if f"{BASKETS:,} of {BASKETS:,}" in words and address and password:
            return address[1], password[1]
    raise SystemExit("the demo ended before its baskets were checked out")


async def _photograph(address: str, password: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page(viewport=SIZE, locale="en-GB")
        await page.goto(address)
        await page.fill("#name", "demo")
        await page.fill("#password", password)
        await page.click("#sign-in")
        await page.wait_for_selector("#latest tbody tr")
        await _take(page, "overview")
        await page.locator("#latest tbody tr", has_text="−").first.locator("a").nth(1).click()
        await page.wait_for_selector("#journal tbody tr")
        await _take(page, "member")
        await page.locator("#journal tbody tr", has_text="−").first.locator("a").first.click()
        await page.wait_for_selector("#why")
        await _take(page, "decision")
        await browser.close()


async def _take(page: Page, name: str) -> None:
    await page.screenshot(path=IMAGES / f"{name}.png")
    print(f"{name}.png")


if __name__ == "__main__":
    asyncio.run(main())
