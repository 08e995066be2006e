"""The README's pictures, taken of the demo as a person finds it: ``make screenshots``."""

import asyncio
import io
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright
from rich.console import Console

from bot.cli.demo_story import ALICE, BOB, CAROL, ONCALL, SOC, Story, stage
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.slack import SlackSandbox
from tests.support.browser import CHROMIUM, DESKTOP, FLAGS, PHONE, window

FOLDER = Path(__file__).parent / "screenshots"


async def main() -> None:
    async with stage() as (slack, secmaster), async_playwright() as playwright:
        story = Story(slack, secmaster, Console(file=io.StringIO()))
        await story.play()
        await story.leave_open()
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for name, take in (("channel", channel), ("thread", thread), ("modal", modal)):
            await shoot(await take(browser, slack), name)
        await shoot(await phone(browser, slack), "phone")
        await shoot(await several(browser, slack), "several")
        await shoot(await console(browser, secmaster), "console")
        await browser.close()


async def shoot(page: Page, name: str) -> None:
    await page.evaluate("document.fonts.ready")
    await page.screenshot(path=FOLDER / f"{name}.png")
    print(f"{FOLDER.name}/{name}.png")  # noqa: T201 - the command's own output


async def channel(browser: Browser, slack: SlackSandbox) -> Page:
    page = await window(browser, f"{slack.url}/#{ALICE}/{SOC}", DESKTOP)
    await page.get_by_role("button", name="Approve").last.wait_for()
    return page


async def thread(browser: Browser, slack: SlackSandbox) -> Page:
    decided = next(m["ts"] for m in slack.messages(SOC) if "Isolate" in m["text"])
    page = await window(browser, f"{slack.url}/#{ALICE}/{SOC}/{decided}", DESKTOP)
    await page.get_by_role("complementary").get_by_text("Comment added").wait_for()
    return page


async def modal(browser: Browser, slack: SlackSandbox) -> Page:
    page = await window(browser, f"{slack.url}/#{ALICE}/{SOC}", DESKTOP, dark=True)
    await page.get_by_role("button", name="Terminate").last.click()
    await page.get_by_label("Reason").fill("The address is our own vulnerability scanner.")
    return page


async def phone(browser: Browser, slack: SlackSandbox) -> Page:
    page = await window(browser, f"{slack.url}/#{CAROL}/{ONCALL}", PHONE)
    await page.get_by_role("button", name="Retry").click()
    await page.get_by_role("alertdialog").wait_for()
    return page


async def several(browser: Browser, slack: SlackSandbox) -> Page:
    """Alice has said yes, and Bob looks at the card."""
    grave = next(m["ts"] for m in slack.messages(SOC) if "Disable" in m["text"])
    await slack.press(ALICE, SOC, grave, "task.approve")
    page = await window(browser, f"{slack.url}/#{BOB}/{SOC}", DESKTOP)
    await page.get_by_text("Approvals to approve: 1 of 2").wait_for()
    await page.get_by_role("button", name="Withdraw my approval").scroll_into_view_if_needed()
    return page


async def console(browser: Browser, secmaster: SecMasterSandbox) -> Page:
    page = await window(browser, f"{secmaster.url}/#task/{seed.TASK_ISOLATE}", DESKTOP)
    await page.get_by_text("UpdateTask").first.wait_for()
    return page


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    asyncio.run(main())
