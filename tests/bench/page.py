"""How soon a change shows in the local Slack's page, in milliseconds, on a real Chromium."""

import statistics
import time

from playwright.async_api import Page, async_playwright
from rich.console import Console
from rich.table import Table

from bot.sandbox.slack import SlackSandbox
from tests.support.browser import CHROMIUM, DESKTOP, FLAGS, window

CHANGES = 50
CHANNELS = (1, 500)  # messages that stand there before

# The first moment at which each of the messages is in the document.
WATCH = """() => {
  window.shown = {};
  const list = document.querySelector("main ol.messages");
  new MutationObserver(() => {
    const now = performance.timeOrigin + performance.now();
    for (const [text] of list.lastElementChild.textContent.matchAll(/change \\d+/g)) {
      window.shown[text] ??= now;
    }
  }).observe(list, { childList: true, subtree: true });
}"""


async def measured() -> dict[int, list[float]]:
    """For each length of a channel, the times from a change to its being in the document."""
    if CHROMIUM is None:
        return {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        slack = SlackSandbox()
        await slack.start()
        changes = {}
        for length in CHANNELS:
            while len(slack.messages("C0SOC")) < length:
                await slack.say("U0BOB", "C0SOC", "earlier")
            page = await window(browser, f"{slack.url}/#U0ALICE/C0SOC", DESKTOP)
            await page.get_by_text("earlier").last.wait_for()
            changes[length] = await _changes(slack, page)
        await browser.close()
        await slack.stop()
        return changes


async def _changes(slack: SlackSandbox, page: Page) -> list[float]:
    await page.evaluate(WATCH)
    sent_at = {}
    for number in range(CHANGES):
        text = f"change {number}"
        sent_at[text] = time.time() * 1000
        await slack.say("U0BOB", "C0SOC", text)
        await page.wait_for_function("text => window.shown[text]", arg=text)
    shown_at = await page.evaluate("window.shown")
    return [shown_at[text] - at for text, at in sent_at.items()]


def show(changes: dict[int, list[float]]) -> None:
    table = Table("A change shows in the page after", "median", "slowest", title="The page")
    for length, took in changes.items():
        middle, slowest = statistics.median(took), max(took)
        table.add_row(
            f"{CHANGES} changes, {length} messages there", f"{middle:.0f} ms", f"{slowest:.0f} ms"
        )
    Console().print(table if changes else "The page is not measured: there is no chromium.")
