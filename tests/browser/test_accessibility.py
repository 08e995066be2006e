"""Both pages as somebody meets them who hears them or has no pointer."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from bot.policy.config import Config
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.slack.manifest import manifest
from tests.support.browser import Open
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, SOC
from tests.support.slack_recorder import SlackRecorder

# Roles that somebody acts on or goes to, which have to say what they are.
NAMED = {
    "alertdialog", "button", "checkbox", "combobox", "complementary", "dialog", "link", "listbox",
    "menu", "menuitem", "navigation", "option", "radio", "region", "searchbox", "spinbutton",
    "textbox",
}  # fmt: skip
# What the markup alone tells: [what is wrong, where].
MARKUP = """
() => {
  const shown = (selector) =>
    [...document.querySelectorAll(selector)].filter((node) => node.checkVisibility());
  const say = (node) => node.outerHTML.slice(0, 120);
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
  const labelled = (node) => node.labels?.length || node.getAttribute("aria-label")
    || node.getAttribute("aria-labelledby")?.split(" ").every((id) => ids.includes(id));
  const dangling = (name) => shown(`[${name}]`)
    .filter((node) => node.getAttribute(name).split(" ").some((id) => !ids.includes(id)));
  const references = ["aria-labelledby", "aria-describedby", "aria-controls"];
  return [
    ...(document.documentElement.lang ? [] : [["no language", "html"]]),
    ...(shown("main, [role=main]").length === 1 ? [] : [["not one main landmark", "body"]]),
    ...twice.map((id) => ["an id twice", id]),
    ...shown("input, select, textarea").filter((node) => !labelled(node))
      .map((node) => ["no label", say(node)]),
    ...shown("[tabindex]").filter((node) => node.tabIndex > 0)
      .map((node) => ["an order of its own", say(node)]),
    ...references.flatMap(dangling).map((node) => ["names what is not there", say(node)]),
  ];
}
"""


@pytest.fixture
async def slack() -> AsyncIterator[SlackRecorder]:
    sandbox = SlackRecorder(manifest=manifest(Config()))
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


async def troubles(page: Page) -> list[list[str]]:
    """What keeps somebody from using the page as it is now."""
    findings: list[list[str]] = await page.evaluate(MARKUP)
    session = await page.context.new_cdp_session(page)
    tree = await session.send("Accessibility.getFullAXTree")
    await session.detach()
    heard = [node for node in tree["nodes"] if not node["ignored"]]
    assert any(node["role"]["value"] in NAMED for node in heard)
    nameless = [
        node["role"]["value"]
        for node in heard
        if node["role"]["value"] in NAMED and not node.get("name", {}).get("value", "").strip()
    ]
    return findings + [["no name", role] for role in nameless]


async def test_the_workspace_can_be_used_by_everybody(
    environment: BotEnvironment, open_page: Open
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.say(ALICE, SOC, "looking", thread_ts=ts)
    page = await open_page(f"{environment.slack.url}/#{ALICE}/{SOC}/{ts}")
    card = page.get_by_role("main").locator(f"li[data-ts='{ts}']")
    await expect(page.get_by_role("complementary").get_by_text("looking")).to_be_visible()
    assert await troubles(page) == []
    await card.get_by_role("button", name="Approve").click()
    await expect(page.get_by_role("alertdialog")).to_be_visible()
    assert await troubles(page) == []
    await page.keyboard.press("Escape")
    await card.get_by_role("button", name="Terminate").click()
    await expect(page.get_by_role("dialog").get_by_label("Reason")).to_be_focused()
    assert await troubles(page) == []
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.goto(f"{environment.slack.url}/#{ALICE}/D0ALICE/home")
    await expect(page.get_by_role("region", name="Home")).to_contain_text("Waiting for a decision")
    assert await troubles(page) == []


async def test_the_console_can_be_used_by_everybody(
    secmaster: SecMasterSandbox, open_page: Open
) -> None:
    page = await open_page(f"{secmaster.url}/#task/{seed.TASK_ISOLATE}")
    for place, text in (
        (f"task/{seed.TASK_ISOLATE}", "Isolate host ecs-web-07"),
        (f"instance/{seed.INSTANCE_FAILED}", "Nodes"),
        ("requests", "All requests"),
        ("faults", "Switch on a fault"),
    ):
        await page.goto(f"{secmaster.url}/#{place}")
        await expect(page.get_by_role("heading", name=text)).to_be_visible()
        assert await troubles(page) == [], place
    await page.goto(f"{secmaster.url}/#task/{seed.TASK_ISOLATE}")
    await page.get_by_role("button", name="Continue…").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await troubles(page) == []
