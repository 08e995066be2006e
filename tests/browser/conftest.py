"""A real Chromium in front of the sandboxes' pages."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from bot.policy.config import Config
from bot.slack.manifest import manifest
from tests.support.browser import CHROMIUM, DESKTOP, FLAGS, WITHIN, Open, Sit, window
from tests.support.clock import FakeClock
from tests.support.databases import Databases
from tests.support.environment import BotEnvironment
from tests.support.people import SOC
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import PATIENCE

expect.set_options(timeout=WITHIN)
# What a server refuses is part of a story, and told on the page.
REFUSED = "Failed to load resource: the server responded with a status of 4"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A start of Chromium takes longer than most stories.
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


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

    def note(line: ConsoleMessage) -> None:
        if line.type in ("error", "warning") and not line.text.startswith(REFUSED):
            complaints.append(f"{line.type}: {line.text} {line.location.get('url', '')}")

    async def open_(url: str, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Page:
        page = await window(browser, "about:blank", size, dark=dark)
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(url)
        return page

    yield open_
    assert complaints == []


@pytest.fixture
async def slack(clock: FakeClock) -> AsyncIterator[SlackRecorder]:
    """A Slack that has our app's manifest: its commands and shortcuts are on the page."""
    sandbox = SlackRecorder(
        manifest=manifest(Config()), clock=lambda: clock.now().timestamp(), patience=PATIENCE
    )
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
def sit(open_page: Open, environment: BotEnvironment) -> Sit:
    """Sit somebody down before a channel."""

    async def sit(user: str, channel: str = SOC, **options: Any) -> Page:
        return await open_page(f"{environment.slack.url}/#{user}/{channel}", **options)

    return sit


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    """A fresh database that has its tables, so that a bot starts on it at once."""
    return databases.with_tables(request.param, tmp_path)
