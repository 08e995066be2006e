"""What comes by itself, as people see it in two pages: Slack's and SecMaster's console."""

import re
from datetime import timedelta

import pytest
from playwright.async_api import expect

from bot.cli.demo_story import POLICY
from bot.sandbox.secmaster.arrivals import new_failure, new_task
from bot.secmaster.values import stamp
from tests.support.browser import PHONE, Open, Sit, decide, message, open_thread
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, CAROL, ONCALL, SOC
from tests.support.watch import ROUTES, card_of, first_poll_finished


@pytest.fixture
def rules() -> str:
    return POLICY + ROUTES.replace("0.02", "0.2")


async def test_what_comes_is_decided_in_the_console_and_its_card_says_so(
    environment: BotEnvironment, sit: Sit, open_page: Open
) -> None:
    await first_poll_finished(environment)
    page = await sit(ALICE)
    task = new_task(environment.secmaster.world, 0)
    await expect(page.get_by_role("main")).to_contain_text(task["name"])
    ts = card_of(environment, SOC, task["name"])
    await expect(message(page, ts)).to_contain_text("@soc-team")
    console = await open_page(f"{environment.secmaster.url}/#task/{task['id']}")
    await console.get_by_role("button", name="Terminate").click()
    await console.get_by_role("dialog").get_by_role("button", name="Terminate").click()
    await expect(message(page, ts)).to_contain_text("Decided outside Slack by")
    await expect(message(page, ts).get_by_role("button", name="Approve")).to_have_count(0)


async def test_what_is_deleted_in_the_console_loses_its_buttons(
    environment: BotEnvironment, sit: Sit
) -> None:
    await first_poll_finished(environment)
    page = await sit(ALICE)
    task = new_task(environment.secmaster.world, 0)
    await expect(page.get_by_role("main")).to_contain_text(task["name"])
    ts = card_of(environment, SOC, task["name"])
    environment.secmaster.world.delete_task(task["id"])
    await expect(message(page, ts)).to_contain_text("no longer exists in SecMaster")
    await expect(message(page, ts).get_by_role("button", name="Approve")).to_have_count(0)


async def test_on_a_phone_a_failure_is_retried_and_the_thread_tells_its_end(
    environment: BotEnvironment, sit: Sit
) -> None:
    await first_poll_finished(environment)
    page = await sit(CAROL, ONCALL, size=PHONE)
    run = new_failure(environment.secmaster.world, 0)
    await expect(page.get_by_role("main")).to_contain_text(run["name"])
    ts = card_of(environment, ONCALL, run["name"])
    await message(page, ts).get_by_role("button", name=re.compile("^Retry")).click()
    await expect(page.get_by_role("alertdialog")).to_contain_text("Failed at Respond: APIGW.0308")
    await page.get_by_role("alertdialog").get_by_role("button", name="Retry", exact=True).click()
    await expect(message(page, ts)).to_contain_text("Finished")
    thread = await open_thread(page, ts)
    await expect(thread).to_contain_text("Retry finished")


async def test_home_is_drawn_anew_by_itself_when_something_comes(
    environment: BotEnvironment, sit: Sit
) -> None:
    await first_poll_finished(environment)
    page = await sit(ALICE, "D0ALICE")
    await page.get_by_role("link", name="Home").click()
    home = page.get_by_role("region", name="Home")
    await expect(home).to_contain_text("Your tasks")
    environment.secmaster.world.add_task(name="Isolate host now", due_date=soon(environment))
    await expect(home).to_contain_text("Isolate host now")


async def test_a_snooze_is_picked_from_the_menu_and_stands_on_the_card(
    environment: BotEnvironment, sit: Sit
) -> None:
    await first_poll_finished(environment)
    page = await sit(ALICE)
    task = new_task(environment.secmaster.world, 0)
    await expect(page.get_by_role("main")).to_contain_text(task["name"])
    ts = card_of(environment, SOC, task["name"])
    await message(page, ts).locator("[data-action-id='more']").click()
    await page.get_by_role("menuitem", name="Snooze").click()
    form = page.get_by_role("dialog")
    await form.get_by_role("textbox").first.fill("1h")
    await form.get_by_role("button", name="Snooze").click()
    await expect(message(page, ts)).to_contain_text("😴 Snoozed by @Alice until")
    await decide(page, ts, "Approve")
    await expect(message(page, ts)).to_contain_text("Finished")


def soon(environment: BotEnvironment) -> str:
    """A due date that comes before all others."""
    return stamp(environment.clock.now() + timedelta(minutes=30))
