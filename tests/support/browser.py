"""Windows of a real Chromium, and what a person does in them on Slack's page."""

import re
import shutil
from collections.abc import Awaitable, Callable

from playwright.async_api import Browser, Locator, Page

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",  # tests may run as root
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
WITHIN = 10_000  # milliseconds a page may take to show something on a slow machine
DESKTOP, PHONE = (1280, 800), (390, 844)

Open = Callable[..., Awaitable[Page]]
Sit = Callable[..., Awaitable[Page]]


async def window(browser: Browser, url: str, size: tuple[int, int], *, dark: bool = False) -> Page:
    """Open a window of its own, of this width and height, at an address."""
    width, height = size
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(WITHIN)
    page = await context.new_page()
    await page.goto(url)
    return page


def message(page: Page, ts: str) -> Locator:
    return page.get_by_role("main").locator(f"li[data-ts='{ts}']")


async def press(page: Page, ts: str, button: str) -> None:
    """Press the button with this text; its name for screen readers names its object too."""
    text = re.compile(f"^{re.escape(button)}$")
    await message(page, ts).get_by_role("button").filter(has_text=text).click()


async def decide(page: Page, ts: str, button: str) -> None:
    """Press a card's button and say yes to its question."""
    await press(page, ts, button)
    await page.get_by_role("alertdialog").get_by_role("button", name=button, exact=True).click()


async def open_thread(page: Page, ts: str) -> Locator:
    """Open the thread of a message, and return the pane it is shown in."""
    await message(page, ts).get_by_role("link", name="repl").click()
    return page.get_by_role("complementary")
