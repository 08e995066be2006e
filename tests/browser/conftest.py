"""A real Chromium in front of the sandboxes' pages."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    async_playwright,
    expect,
)

from bot.policy.config import Config
from bot.sandbox.slack import SlackSandbox
from bot.slack.manifest import manifest
from tests.town import PATIENCE, SOC, Hands, Town

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

expect.set_options(timeout=WITHIN)
Open = Callable[..., Awaitable[Page]]
Sit = Callable[..., Awaitable[Page]]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium itself. Where there is none its tests are skipped, but never in CI."""
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("no chromium on this machine: apt-get install chromium fonts-noto-color-emoji")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM or "chromium", args=list(FLAGS)
        )
        yield browser
        await browser.close()


@pytest.fixture
async def open_page(browser: Browser) -> AsyncIterator[Open]:
    """Open an address in a window of its own; what the page complains of fails the test.

    ``size`` is (width, height), ``dark`` the person's taste.
    """
    complaints: list[str] = []

    async def open_(url: str, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Page:
        page = await window(browser, "about:blank", size, dark=dark)
        page.on("console", lambda said: _note(said, complaints))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(url)
        return page

    yield open_
    assert complaints == []


async def window(browser: Browser, url: str, size: tuple[int, int], *, dark: bool = False) -> Page:
    """A window of its own, of this width and height, at an address."""
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


def _note(said: ConsoleMessage, complaints: list[str]) -> None:
    # What a server refuses is part of a story, and told on the page.
    refused = said.text.startswith(
        "Failed to load resource: the server responded with a status of 4"
    )
    if said.type in ("error", "warning") and not refused:
        complaints.append(f"{said.type}: {said.text} {said.location.get('url', '')}")


@pytest.fixture
async def slack(hands: Hands) -> AsyncIterator[SlackSandbox]:
    """A Slack that has our app's manifest: its commands and shortcuts are on the page."""
    sandbox = SlackSandbox(
        manifest=manifest(Config()), clock=lambda: hands.now().timestamp(), patience=PATIENCE
    )
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
def sit(open_page: Open, town: Town) -> Sit:
    """Sit somebody down before a channel."""

    async def sit(user: str, channel: str = SOC, **window: Any) -> Page:
        return await open_page(f"{town.slack.url}/#{user}/{channel}", **window)

    return sit


def message(page: Page, ts: str) -> Locator:
    return page.get_by_role("main").locator(f"li[data-ts='{ts}']")


async def press(page: Page, ts: str, button: str) -> None:
    await message(page, ts).get_by_role("button", name=button, exact=True).click()


async def decide(page: Page, ts: str, button: str) -> None:
    """Press a card's button and say yes to its question."""
    await press(page, ts, button)
    await page.get_by_role("alertdialog").get_by_role("button", name=button, exact=True).click()


async def open_thread(page: Page, ts: str) -> Locator:
    await message(page, ts).get_by_role("link", name="repl").click()
    return page.get_by_role("complementary")
