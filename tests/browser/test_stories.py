"""What people see: the whole product through two pages, with the real bot between them."""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import FilePayload, Page, Response, expect

from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.browser import PHONE, Open, Sit, decide, message, open_thread
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, GUEST, ONCALL, SOC
from tests.support.timeouts import COMPLETING_TIMEOUTS

REASONED = POLICY.replace('["approver"]\n', '["approver"]\nreason = "required"\n', 1)
FOLLOWING = POLICY + "[watch]\nevery = 0.1\n"


async def test_approve_asks_first_and_then_the_card_and_its_thread_tell(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    page = await sit(ALICE)
    card, question = message(page, ts), page.get_by_role("alertdialog")
    await card.get_by_role("button", name="Approve").click()
    await expect(question).to_contain_text("Approve this task?")
    await expect(question).to_contain_text("Isolate host ecs-web-07")
    await expect(question).to_contain_text("demo-workspace")
    await question.get_by_role("button", name="Cancel").click()
    await expect(question).to_be_hidden()
    await decide(page, ts, "Approve")
    await expect(card).to_contain_text("Finished")
    await expect(card.get_by_role("button", name="Approve")).to_have_count(0)
    await expect(card).to_contain_text("Approved by @Alice")
    thread = await open_thread(page, ts)
    await expect(thread).to_contain_text("Approved by @Alice")
    await expect(thread).to_contain_text("request")
    assert len(environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)) == 1


@pytest.mark.parametrize("rules", [REASONED], ids=["reason-required"])
async def test_terminate_asks_for_a_reason_and_refuses_none(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    page = await sit(ALICE)
    await message(page, ts).get_by_role("button", name="Terminate").click()
    form = page.get_by_role("dialog")
    # What comes in once the alert was read draws the form anew, without what was wrong until then.
    await expect(form).to_contain_text("The task is terminated. The alert names")
    await form.get_by_role("button", name="Terminate").click()
    await expect(form.get_by_role("alert").first).to_contain_text("Please fill this in")
    reason = form.get_by_label("Reason")
    await expect(reason).to_be_focused()
    await reason.fill("   ")
    await form.get_by_role("button", name="Terminate").click()
    await expect(form).to_contain_text("A reason is required.")
    assert environment.secmaster.writes("UpdateTask") == []
    await reason.fill("false positive: the <scanner> is ours")
    await form.get_by_role("button", name="Terminate").click()
    await expect(form).to_be_hidden()
    await expect(message(page, ts)).to_contain_text("Cancelled")
    thread = await open_thread(page, ts)
    await expect(thread).to_contain_text("Terminated by @Alice")
    quotes = thread.locator("blockquote")  # on the card, and in the reply
    await expect(quotes).to_have_text(["false positive: the <scanner> is ours"] * 2)


async def test_of_two_who_decide_at_once_one_is_first_and_the_other_is_told(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    alice, bob = await asyncio.gather(sit(ALICE), sit(BOB))
    await environment.secmaster.faults.set(Fault(on="ShowTask", hold=True))
    await asyncio.gather(decide(alice, ts, "Approve"), decide(bob, ts, "Approve"))
    await environment.secmaster.faults.until_held("ShowTask", 2)
    await environment.secmaster.faults.clear()
    for page in (alice, bob):
        await expect(message(page, ts)).to_contain_text("Finished")
        await expect(message(page, ts).get_by_role("link", name="1 reply")).to_be_visible()
    notes = [page.get_by_text("Only visible to you") for page in (alice, bob)]
    await environment.slack.until(
        lambda: environment.slack.ephemerals(ALICE) + environment.slack.ephemerals(BOB)
    )
    second = 1 if environment.slack.ephemerals(BOB) else 0
    await expect(notes[second]).to_be_visible()
    await expect(notes[1 - second]).to_have_count(0)
    assert len(environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)) == 1


async def test_a_comment_is_written_in_the_thread_or_taken_from_a_message(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    page = await sit(CAROL)
    await message(page, ts).focus()
    await page.keyboard.press("Enter")
    thread = page.get_by_role("complementary")
    box = thread.get_by_role("textbox")
    await box.fill("the host is drained")
    await box.press("Enter")
    await box.press_sequentially("@secm")
    await page.get_by_role("option", name="secmaster").click()
    await box.press_sequentially("comment out of the load balancer")
    await box.press("Enter")
    await expect(thread).to_contain_text("Comment added by @Carol")
    item = thread.get_by_role("listitem").filter(has_text="the host is drained")
    await item.hover()
    await item.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Comment on task").click()
    form = page.get_by_role("dialog")
    await expect(form.get_by_label("Comment")).to_have_value("the host is drained")
    await form.get_by_role("button", name="Comment").click()
    await expect(thread.get_by_text("Comment added")).to_have_count(2)
    await expect(message(page, ts)).to_contain_text("secmaster-bot: the host is drained")
    sent = [one.body["comment"] for one in environment.secmaster.writes("UpdateTask")]
    assert [one.split("\n")[0] for one in sent] == [
        "out of the load balancer",
        "the host is drained",
    ]


async def test_a_file_is_attached_from_the_card_and_from_a_message(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    page = await sit(CAROL)
    await message(page, ts).get_by_role("button", name="More actions").first.click()
    await page.get_by_role("menuitem", name="Attach").click()
    form = page.get_by_role("dialog")
    await form.locator("input[type=file]").set_input_files(text_file("seen.txt"))
    await expect(form).to_contain_text("seen.txt")
    await form.get_by_role("button", name="Attach", exact=True).click()
    await expect(form).to_be_hidden()
    thread = await open_thread(page, ts)
    await expect(thread).to_contain_text("File attached by @Carol")
    await thread.locator("input[type=file]").set_input_files(text_file("dump.txt"))
    await expect(thread).to_contain_text("dump.txt")
    await thread.get_by_role("button", name="Send").click()
    item = thread.get_by_role("listitem").filter(has_text="dump.txt")
    await item.hover()
    await item.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Attach to task").click()
    await expect(form).to_contain_text("dump.txt")
    await form.get_by_role("button", name="Attach", exact=True).click()
    await expect(thread.get_by_text("File attached")).to_have_count(2)
    files = environment.secmaster.world.task(seed.TASK_ISOLATE)["attachment_id_list"]
    names = [environment.secmaster.world.attachment(one)["file_name"] for one in files[-2:]]
    assert names == ["seen.txt", "dump.txt"]


def text_file(name: str) -> FilePayload:
    return FilePayload(name=name, mimeType="text/plain", buffer=b"at 03:10")


async def test_a_guest_is_refused_for_their_eyes_only(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    guest, alice = await asyncio.gather(sit(GUEST), sit(ALICE))
    await decide(guest, ts, "Approve")
    item = guest.get_by_role("listitem").filter(
        has_text="Guests can't read or change anything here."
    )
    await expect(item).to_contain_text("Only visible to you")
    await expect(alice.get_by_text("Guests can't read")).to_have_count(0)
    await expect(message(guest, ts).get_by_role("button", name="Approve")).to_be_visible()
    assert environment.secmaster.writes("UpdateTask") == []


@pytest.mark.parametrize("rules", [FOLLOWING], ids=["watching"])
async def test_on_call_retries_what_failed_from_a_phone(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("instance", seed.INSTANCE_FAILED, user=CAROL, channel=ONCALL)
    page = await sit(CAROL, ONCALL, size=PHONE)
    card = message(page, ts)
    await expect(card).to_contain_text("Failed at")
    await decide(page, ts, "Retry")
    await expect(card).to_contain_text("Finished")
    await expect(card.get_by_role("button", name="Retry")).to_have_count(0)
    thread = await open_thread(page, ts)
    await expect(thread).to_contain_text("Retry started by @Carol")
    await thread.get_by_role("button", name="Back to the channel").click()
    await expect(card).to_be_visible()


@pytest.mark.parametrize("timeouts", [COMPLETING_TIMEOUTS], ids=["completing"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_a_fatal_alert_is_decided_on_one_screen_of_a_phone(
    environment: BotEnvironment, sit: Sit, tmp_path: Path, *, dark: bool
) -> None:
    environment.secmaster.world.findings.change(seed.ALERT_WEB_SHELL, severity="Fatal")
    ts = await environment.card("task", seed.TASK_ISOLATE)
    page = await sit(ALICE, size=PHONE, dark=dark)
    card, box = message(page, ts), page.get_by_role("textbox", name="Message #soc")
    await expect(card).to_contain_text("🔥 Fatal · Alert Web shell found on ecs-web-07")
    approve = card.get_by_role("button", name=re.compile("^Approve:"))
    await card.evaluate("card => card.scrollIntoView()")
    await page.screenshot(path=tmp_path / "phone.png")
    for part in (card.get_by_role("heading"), card.get_by_text("Fatal").first, approve):
        await expect(part).to_be_in_viewport(ratio=1)
    button, typing = await approve.bounding_box(), await box.bounding_box()
    assert button
    assert typing
    assert button["y"] + button["height"] <= typing["y"]
    links = await card.get_by_role("link").evaluate_all("all => all.map(one => one.href)")
    assert [link for link in links if "203.0.113" in link or "hxxp" in link] == []
    await decide(page, ts, "Approve")
    await expect(card).to_contain_text("Approved by @Alice")
    await expect(card).to_contain_text("Fatal")


@pytest.mark.parametrize("rules", [FOLLOWING], ids=["watching"])
async def test_what_is_decided_in_the_console_shows_on_the_card(
    environment: BotEnvironment, sit: Sit, open_page: Open
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    page = await sit(ALICE)
    await expect(message(page, ts).get_by_role("button", name="Approve")).to_be_visible()
    console = await open_page(f"{environment.secmaster.url}/#task/{seed.TASK_ISOLATE}")
    await console.get_by_role("button", name="Terminate").click()
    await console.get_by_role("dialog").get_by_role("button", name="Terminate").click()
    await expect(message(page, ts)).to_contain_text("Decided outside Slack by")
    await expect(message(page, ts).get_by_role("button", name="Approve")).to_have_count(0)


async def test_home_shows_what_waits_and_its_card_comes_into_the_chat(
    environment: BotEnvironment, sit: Sit
) -> None:
    page = await sit(ALICE, "D0ALICE")
    await page.get_by_role("link", name="Home").click()
    home = page.get_by_role("region", name="Home")
    await expect(home).to_contain_text("Waiting for a decision: 12")
    await expect(home).to_contain_text("Failed runs: 3")
    await home.get_by_role("button", name="Show").first.click()
    await environment.slack.until(lambda: environment.slack.messages("D0ALICE"))
    await page.get_by_role("link", name="Messages").click()
    [card] = environment.slack.messages("D0ALICE")
    await decide(page, card["ts"], "Approve")
    await expect(message(page, card["ts"])).to_contain_text("Approved by @Alice")
    await page.get_by_role("link", name="Home").click()
    await expect(home).to_contain_text("Waiting for a decision: 11")


async def test_what_waits_opens_from_the_shortcuts_with_details_upon_it(sit: Sit) -> None:
    page = await sit(CAROL)
    await page.get_by_role("button", name="Shortcuts").click()
    await page.get_by_role("menuitem", name="What's waiting").click()
    modal = page.get_by_role("dialog")
    await expect(modal).to_contain_text("Waiting for a decision: 12")
    await modal.get_by_role("button", name="Details").nth(1).click()
    await expect(modal.get_by_role("heading", name="Details")).to_be_visible()
    await expect(modal.get_by_role("button", name="Back to What's waiting")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(modal.get_by_role("heading", name="What's waiting")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(modal).to_be_hidden()


async def test_a_task_is_approved_with_the_keyboard_alone(
    environment: BotEnvironment, sit: Sit
) -> None:
    page = await sit(ALICE)
    await expect(page.get_by_role("textbox")).to_be_visible()
    await page.keyboard.press("/")
    await expect(page.get_by_role("textbox")).to_be_focused()
    await page.keyboard.type("/ta")
    await expect(page.get_by_role("option", name="/task")).to_be_visible()
    await page.keyboard.press("Tab")
    await page.keyboard.type(f"show {seed.TASK_BLOCK_IP}")
    await page.keyboard.press("Enter")
    [card] = await environment.slack.until(lambda: environment.slack.messages(SOC))
    await expect(message(page, card["ts"])).to_be_visible()
    await tab_to(page, "Approve")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alertdialog")).to_contain_text("Approve this task?")
    await expect(
        page.get_by_role("alertdialog").get_by_role("button", name="Approve")
    ).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(message(page, card["ts"])).to_contain_text("Approved by @Alice")
    await expect(message(page, card["ts"])).to_be_focused()  # the button is gone


async def tab_to(page: Page, name: str) -> None:
    """Go back from where the keyboard is until a button of this name has it."""
    for _ in range(20):
        await page.keyboard.press("Shift+Tab")
        if await page.evaluate("document.activeElement.textContent") == name:
            return
    pytest.fail(f"{name} is not in the order of Tab")


async def test_an_app_that_does_not_answer_is_told_as_slack_tells_it(
    environment: BotEnvironment, sit: Sit
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    page = await sit(ALICE)
    environment.slack.request_url = "http://127.0.0.1:9/slack/events"
    await decide(page, ts, "Approve")
    await expect(message(page, ts).get_by_role("alert")).to_contain_text("dispatch_failed")
    assert environment.secmaster.writes("UpdateTask") == []


async def test_a_hostile_name_runs_nothing_links_nowhere_and_calls_nobody(
    environment: BotEnvironment, sit: Sit
) -> None:
    script = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    hostile = environment.secmaster.world.add_task(
        name=f"{script}<!channel> <@U0ALICE> <javascript:alert(1)|x> <https://evil.example|go>",
        description=f"{script} <!here> javascript:alert(1) https://evil.example/",
    )
    for task in (seed.TASK_HOSTILE, hostile["id"]):
        ts = await environment.card("task", task)
        page = await sit(ALICE)
        card = message(page, ts)
        await expect(card.get_by_role("button", name=re.compile("^Approve:"))).to_be_visible()
        await expect(card.locator("img, script, iframe, .mention")).to_have_count(0)
        links = await card.get_by_role("link").evaluate_all("all => all.map(one => one.href)")
        assert [one for one in links if "evil" in one or one.startswith("javascript")] == []
        await card.get_by_role("button", name=re.compile("^Approve:")).click()
        await expect(page.get_by_role("alertdialog")).to_contain_text("Approve this task?")
        await expect(page.get_by_role("alertdialog").locator("img, script, a")).to_have_count(0)
        assert "owned" not in await page.title()


async def test_a_channel_of_500_messages_draws_only_what_changed(
    environment: BotEnvironment, sit: Sit
) -> None:
    cards = [await environment.card("task", seed.TASK_ISOLATE)]
    for number in range(499):
        await environment.slack.say(BOB, SOC, f"message {number}")
    page = await sit(ALICE)
    await expect(page.get_by_role("main").locator("li[data-ts]")).to_have_count(500)
    await page.evaluate(
        """() => {
          window.drawn = 0;
          const count = (records) => { window.drawn += records.length; };
          const list = document.querySelector("main ol.messages");
          new MutationObserver(count).observe(list, { childList: true, subtree: true });
        }"""
    )
    responses: list[
        Response
    ] = []  # one that was under way before may be among them, with nothing new

    def note(response: Response) -> None:
        if "/_sandbox/page" in response.url:
            responses.append(response)

    page.on("response", note)
    await environment.slack.say(BOB, SOC, "and one more")
    await expect(page.get_by_role("main").get_by_text("and one more")).to_be_visible()
    pages = [await reply.json() for reply in responses]
    texts = [one["text"] for each in pages for one in each["channel"]["messages"]]
    assert texts == ["and one more"]
    assert await page.evaluate("window.drawn") < 10
    await decide(page, cards[0], "Approve")
    await expect(message(page, cards[0])).to_contain_text("Approved by @Alice")
