"""The page of the local Slack by itself: what a person sees and does, with a small app behind."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from playwright.async_api import Browser, Locator, Page, expect
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.manifest import read_manifest
from tests.support.browser import PHONE, Open
from tests.support.people import ALICE, BOB, BOT, PRIVATE, SOC

Json = dict[str, Any]
Answer = Callable[[Json], Awaitable[Any]]

MANIFEST = {
    "features": {
        "slash_commands": [
            {
                "command": "/task",
                "description": "SecMaster tasks",
                "usage_hint": "list | show <id>",
            },
            {"command": "/instance", "description": "Workflow runs", "usage_hint": "list"},
        ],
        "shortcuts": [
            {"name": "Comment on this", "type": "message", "callback_id": "comment"},
            {"name": "New task", "type": "global", "callback_id": "new"},
        ],
        "app_home": {"home_tab_enabled": True},
    }
}
APPROVE = {
    "type": "button",
    "action_id": "approve",
    "text": {"type": "plain_text", "text": "Approve"},
}
SHOW = {"type": "button", "action_id": "show", "text": {"type": "plain_text", "text": "Show"}}


def words(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def card(text: str, *buttons: Json) -> list[Json]:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    return [section, {"type": "actions", "block_id": "decide", "elements": [APPROVE, *buttons]}]


def field(block_id: str, label: str, **element: Any) -> Json:
    text_input = {"type": "plain_text_input", "action_id": "typed", **element}
    return {"type": "input", "block_id": block_id, "label": words(label), "element": text_input}


def modal(title: str, *blocks: Json) -> Json:
    titles = {"title": words(title), "submit": words("Save"), "close": words("Never mind")}
    return {"type": "modal", **titles, "blocks": list(blocks)}


class App:
    """An app that hears of everything, and answers what a test tells it to."""

    def __init__(self, slack: SlackSandbox) -> None:
        self.slack = slack
        self.client = AsyncWebClient("xoxb-demo", base_url=f"{slack.url}/api/")
        self.answer: Answer = self.nothing

    async def nothing(self, _payload: Json) -> Any:
        return None

    async def hear(self, request: web.Request) -> web.Response:
        answer = await self.answer(await _payload(request))
        return web.json_response(answer) if answer is not None else web.Response()

    async def post(self, text: str, channel: str = SOC, **more: Any) -> str:
        posted = await self.client.chat_postMessage(channel=channel, text=text, **more)
        return str(posted["ts"])

    def opens(self, view: Json) -> None:
        """Answer the next thing that has a trigger with a modal."""

        async def answer(payload: Json) -> None:
            self.answer = self.nothing
            await self.client.views_open(trigger_id=payload["trigger_id"], view=view)

        self.answer = answer


async def _payload(request: web.Request) -> Json:
    if request.content_type == "application/json":
        return dict(await request.json())
    form = {name: values[0] for name, values in parse_qs(await request.text()).items()}
    return dict(json.loads(form["payload"])) if "payload" in form else form


@pytest.fixture
async def app(slack: SlackSandbox) -> AsyncIterator[App]:
    app = App(slack)
    served = web.Application()
    served.router.add_post("/", app.hear)
    runner = web.AppRunner(served, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.request_url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    slack.manifest = read_manifest(MANIFEST)
    yield app
    await runner.cleanup()


def at(slack: SlackSandbox, user: str = ALICE, channel: str = SOC, inside: str = "") -> str:
    return f"{slack.url}/#{user}/{channel}" + (f"/{inside}" if inside else "")


def messages(page: Page) -> Locator:
    return page.get_by_role("list", name="Messages").get_by_role("listitem")


def replies(page: Page) -> Locator:
    return page.get_by_role("list", name="Replies").get_by_role("listitem")


def channel(page: Page, name: str) -> Locator:
    return page.get_by_role("navigation", name="Workspace").get_by_role("link", name=name)


async def write(page: Page, text: str, box: str = "Message #soc") -> None:
    await page.get_by_label(box).fill(text)
    await page.keyboard.press("Enter")


async def test_each_person_has_their_own_channels_and_a_reload_stays(
    slack: SlackSandbox, open_page: Open
) -> None:
    page = await open_page(slack.url)
    await expect(page.get_by_role("heading", name="#soc")).to_be_visible()
    await channel(page, "private").click()
    await expect(page.get_by_role("heading", name="#private")).to_be_visible()

    chooser = page.get_by_label("Acting as")
    await expect(chooser.get_by_role("option")).to_have_text(
        [
            "Alice · SOC",
            "Bob · SOC",
            "Carol · On call",
            "Dave · member",
            "Guest · guest",
            "Solo · single-channel guest",
            "Outsider · other organisation",
        ]
    )
    await chooser.select_option(label="Outsider · other organisation")

    await expect(page.get_by_role("heading", name="#soc")).to_be_visible()
    await expect(channel(page, "private")).to_have_count(0)
    await expect(page).to_have_url(re.compile("#U0OUTSIDER/C0SOC$"))
    await page.reload()
    await expect(page.get_by_label("Acting as")).to_have_value("U0OUTSIDER")


async def test_an_id_of_nobody_in_the_address_is_said_to_be_that(
    slack: SlackSandbox, open_page: Open
) -> None:
    page = await open_page(f"{slack.url}/#U0NOBODY/{SOC}")
    said = "Nobody here has the ID U0NOBODY. You act as Alice."
    await expect(page.get_by_text(said)).to_be_visible()
    await expect(page).to_have_url(re.compile(f"#{ALICE}/{SOC}$"))


async def test_news_elsewhere_is_marked_until_it_is_seen(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    page = await open_page(at(slack))
    await app.post("quiet news", "C0ONCALL")
    await app.post(f"<@{ALICE}> look", "C0GENERAL")
    await expect(channel(page, "oncall 1 unread")).to_be_visible()
    await expect(channel(page, "general 1 unread, mentions you")).to_be_visible()
    await expect(page).to_have_title(re.compile("^•"))

    await channel(page, "general").click()

    await expect(messages(page).filter(has_text="@Alice look")).to_be_visible()
    await expect(channel(page, "mentions you")).to_have_count(0)
    await expect(channel(page, "oncall 1 unread")).to_be_visible()


async def test_two_windows_are_two_people(slack: SlackSandbox, open_page: Open) -> None:
    alice, bob = await open_page(at(slack)), await open_page(at(slack, BOB))
    await alice.get_by_label("Message #soc").press_sequentially("first")
    await alice.keyboard.press("Shift+Enter")
    await alice.keyboard.type("second")
    await alice.keyboard.press("Enter")

    item = messages(bob).filter(has_text="first\nsecond")
    await expect(item.get_by_text("Alice", exact=True)).to_be_visible()
    await expect(alice.get_by_label("Message #soc")).to_have_value("")


async def test_a_thread_by_keyboard_alone(slack: SlackSandbox, app: App, open_page: Open) -> None:
    await app.post("older")
    ts = await app.post("newer")
    page = await open_page(at(slack))
    await expect(messages(page).filter(has_text="newer")).to_be_visible()

    await messages(page).last.focus()
    await page.keyboard.press("ArrowUp")
    await expect(messages(page).filter(has_text="older")).to_be_focused()
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Reply")).to_be_focused()
    await write(page, "on it", "Reply")
    await expect(replies(page).filter(has_text="on it")).to_be_visible()
    await page.keyboard.press("Escape")

    await expect(page.get_by_role("complementary")).to_be_hidden()
    newer = messages(page).filter(has_text="newer")
    await expect(newer).to_be_focused()
    await expect(newer.get_by_role("link", name="1 reply")).to_be_visible()
    await page.keyboard.press("/")
    await expect(page.get_by_label("Message #soc")).to_be_focused()
    assert [one["text"] for one in slack.thread(SOC, ts)] == ["newer", "on it"]


async def test_drafts_stay_with_their_conversation(slack: SlackSandbox, open_page: Open) -> None:
    page = await open_page(at(slack))
    await page.get_by_label("Message #soc").fill("half a thought")
    await channel(page, "oncall").click()
    await expect(page.get_by_label("Message #oncall")).to_have_value("")
    await channel(page, "soc").click()
    await expect(page.get_by_label("Message #soc")).to_have_value("half a thought")
    await page.reload()
    await expect(page.get_by_label("Message #soc")).to_have_value("half a thought")
    await channel(page, "archived").click()
    await expect(page.get_by_text("#archived is archived: nobody can write here.")).to_be_visible()


@pytest.mark.usefixtures("app")
async def test_commands_and_names_are_completed(slack: SlackSandbox, open_page: Open) -> None:
    page = await open_page(at(slack))
    box = page.get_by_label("Message #soc")
    await box.press_sequentially("/")
    offers = page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    await expect(offers).to_contain_text(["SecMaster tasks", "Workflow runs"])
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    await expect(box).to_have_value("/instance ")
    await expect(offers).to_have_count(0)
    await box.fill("")
    await box.press_sequentially("ask @on")
    await expect(offers).to_have_text([re.compile("@oncall-team.*group")])
    await page.keyboard.press("Enter")
    await box.press_sequentially("or @bo")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")

    await expect(messages(page).filter(has_text="@oncall-team or @Bob")).to_be_visible()
    assert slack.messages(SOC)[-1]["text"] == "ask <!subteam^S0ONCALL> or <@U0BOB>"


async def test_a_command_that_nobody_runs_is_not_sent(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    ts = await app.post("a card")
    page = await open_page(at(slack, inside=ts))
    await write(page, "/tsak list")
    await expect(page.get_by_role("alert")).to_contain_text("/tsak is no command")
    await expect(page.get_by_label("Message #soc")).to_have_value("/tsak list")

    await write(page, "/task list", "Reply")
    explained = page.get_by_role("complementary").get_by_role("alert")
    await expect(explained).to_contain_text("don’t work in threads")
    await expect(explained).to_contain_text("@secmaster task list")
    assert slack.sent == []


async def test_a_command_that_fails_says_why_and_gives_the_words_back(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    slack.delivery.patience = 0.05
    hold = asyncio.Event()

    async def silent(_payload: Json) -> None:
        await hold.wait()

    app.answer = silent
    page = await open_page(at(slack))
    await write(page, "/task list")
    failed = messages(page).filter(has_text="/task failed")
    await expect(failed).to_contain_text("did not answer within 3 seconds (operation_timeout)")
    await expect(failed).to_contain_text("Only visible to you")
    await expect(page.get_by_label("Message #soc")).to_have_value("/task list")
    await failed.get_by_role("button", name="Dismiss").click()
    hold.set()

    slack.request_url = "http://127.0.0.1:9/"
    await page.get_by_label("Message #soc").press("Enter")
    await expect(messages(page).filter(has_text="(dispatch_failed)")).to_be_visible()
    assert [sent.payload["text"] for sent in slack.sent] == ["list", "list"]


async def test_a_command_under_way_shows_until_it_is_answered(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    answered = asyncio.Event()

    async def slow(_payload: Json) -> Json:
        await answered.wait()
        return {"text": "no tasks"}

    app.answer = slow
    page = await open_page(at(slack))
    await write(page, "/task list")
    await expect(messages(page).filter(has_text="Running /task list")).to_be_visible()
    answered.set()

    item = messages(page).filter(has_text="no tasks")
    await expect(item).to_contain_text("Only visible to you")
    await expect(messages(page).filter(has_text="Running")).to_have_count(0)


async def test_a_card_that_changes_under_the_keyboard_keeps_it(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    ts = await app.post("a card", blocks=card("waiting", SHOW))

    async def decide(payload: Json) -> None:
        assert payload["actions"][0]["action_id"] == "approve"
        await app.client.chat_update(channel=SOC, ts=ts, text="a card", blocks=card("working"))

    app.answer = decide
    page = await open_page(at(slack))
    await page.get_by_role("button", name="Approve").focus()
    await page.keyboard.press("Enter")
    await expect(messages(page).filter(has_text="working")).to_be_visible()
    await expect(page.get_by_role("button", name="Show")).to_have_count(0)
    await expect(page.get_by_role("button", name="Approve")).to_be_focused()

    await app.client.chat_update(channel=SOC, ts=ts, text="done", blocks=[])

    await expect(messages(page).filter(has_text="done")).to_be_focused()


async def test_a_press_that_fails_is_told_at_the_message(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    await app.post("a card", blocks=card("waiting"))
    slack.request_url = "http://127.0.0.1:9/"
    page = await open_page(at(slack))
    await page.get_by_role("button", name="Approve").click()
    notice = messages(page).filter(has_text="waiting").get_by_role("alert")
    await expect(notice).to_contain_text("“Approve” failed: the app could not be reached")


async def test_a_form_keeps_what_was_typed_and_shows_what_is_wrong(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    app.opens(modal("New task", field("name", "Name"), field("why", "Reason", min_length=5)))
    page = await open_page(at(slack))
    await write(page, "/task new")
    form = page.get_by_role("dialog", name="New task")
    await expect(form.get_by_label("Name")).to_be_focused()
    await page.keyboard.type("Isolate host")
    await app.post("something else happens")
    await expect(messages(page).filter(has_text="something else")).to_be_attached()
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_text("Please fill this in.")).to_be_visible()
    await expect(form.get_by_label("Reason")).to_be_focused()
    await expect(form.get_by_label("Name")).to_have_value("Isolate host")

    async def refuse(_payload: Json) -> Json:
        return {"response_action": "errors", "errors": {"why": "Say more than that."}}

    app.answer = refuse
    await page.keyboard.type("because")
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_text("Say more than that.")).to_be_visible()
    await expect(form.get_by_label("Reason")).to_have_value("because")

    app.answer = app.nothing
    await form.get_by_role("button", name="Save").click()
    await expect(form).to_be_hidden()
    await expect(page.get_by_label("Message #soc")).to_be_focused()
    values = slack.sent[-1].payload["view"]["state"]["values"]
    assert values["name"]["typed"]["value"] == "Isolate host"


async def test_a_form_that_is_changed_keeps_what_was_typed_where_the_fields_stay(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    more = {"type": "actions", "elements": [SHOW]}
    app.opens(modal("New task", field("name", "Name"), more))
    page = await open_page(at(slack))
    await write(page, "/task new")
    form = page.get_by_role("dialog", name="New task")
    await form.get_by_label("Name").fill("Isolate host")

    async def grow(payload: Json) -> None:
        view = payload["view"]
        assert view["state"]["values"]["name"]["typed"]["value"] == "Isolate host"
        grown = modal("New task", field("name", "Name"), field("why", "Reason"), more)
        await app.client.views_update(view_id=view["id"], hash=view["hash"], view=grown)

    app.answer = grow
    await form.get_by_role("button", name="Show").click()

    await expect(form.get_by_label("Reason")).to_be_visible()
    await expect(form.get_by_label("Name")).to_have_value("Isolate host")
    await expect(form.get_by_role("button", name="Show")).to_be_focused()


async def test_a_choice_that_a_changed_form_no_longer_offers_is_dropped(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    def form_of(*names: str) -> Json:
        options = [{"text": words(name), "value": name} for name in names]
        levels = field("level", "Level", type="static_select", options=options)
        return modal("New task", levels, {"type": "actions", "elements": [SHOW]})

    async def change(payload: Json) -> None:
        await app.client.views_update(view_id=payload["view"]["id"], view=form_of("Low", "Mid"))

    app.opens(form_of("Low", "High"))
    page = await open_page(at(slack))
    await write(page, "/task new")
    level = page.get_by_role("dialog").get_by_role("combobox", name="Level")
    await level.click()
    await page.get_by_role("option", name="High").click()
    await expect(level).to_have_value("High")
    app.answer = change
    await page.get_by_role("button", name="Show").click()
    await expect(level).to_have_value("")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Please fill this in.")).to_be_visible()


async def test_rich_text_is_reported_as_a_structure(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    app.opens(modal("New task", field("why", "Reason", type="rich_text_input")))
    page = await open_page(at(slack))
    await write(page, "/task new")
    form = page.get_by_role("dialog", name="New task")
    await form.get_by_label("Reason").fill("first\nsecond")
    await form.get_by_role("button", name="Save").click()
    await expect(form).to_be_hidden()
    values = slack.sent[-1].payload["view"]["state"]["values"]
    lines = [{"type": "text", "text": "first\n"}, {"type": "text", "text": "second"}]
    section = {"type": "rich_text_section", "elements": lines}
    assert values["why"]["typed"] == {
        "type": "rich_text_input",
        "rich_text_value": {"type": "rich_text", "elements": [section]},
    }


async def test_an_input_that_dispatches_changes_the_form_under_the_keyboard(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    typing = {"trigger_actions_on": ["on_character_entered"]}
    name = field("name", "Name", dispatch_action_config=typing) | {"dispatch_action": True}
    app.opens(modal("Rename", name, field("why", "Reason")))
    page = await open_page(at(slack))
    await write(page, "/task new")
    form = page.get_by_role("dialog", name="Rename")
    await form.get_by_label("Reason").fill("because")

    async def echo(payload: Json) -> None:
        view, [action] = payload["view"], payload["actions"]
        assert action["block_id"] == "name"
        greeting = {"type": "section", "text": words(f"Hello {action['value']}")}
        changed = modal("Rename", name, field("why", "Reason"), greeting)
        await app.client.views_update(view_id=view["id"], view=changed)

    app.answer = echo
    await form.get_by_label("Name").press_sequentially("Ana")
    await expect(form.get_by_text("Hello Ana", exact=True)).to_be_visible()
    await expect(form.get_by_label("Name")).to_be_focused()
    await expect(form.get_by_label("Name")).to_have_value("Ana")
    await expect(form.get_by_label("Reason")).to_have_value("because")


async def test_a_form_that_the_app_does_not_take_stays_open(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    app.opens(modal("New task", field("name", "Name")))
    page = await open_page(at(slack))
    await write(page, "/task new")
    form = page.get_by_role("dialog", name="New task")
    await form.get_by_label("Name").fill("Isolate host")
    slack.request_url = "http://127.0.0.1:9/"
    await page.keyboard.press("Enter")
    await expect(form.get_by_role("alert")).to_contain_text("Save failed: the app could not")
    await expect(form.get_by_label("Name")).to_have_value("Isolate host")


async def test_a_form_that_could_not_be_closed_comes_back(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    app.opens(modal("New task", field("name", "Name")))
    page = await open_page(at(slack))
    refusal = {"error": "too busy"}
    await page.route("**/_sandbox/close", lambda route: route.fulfill(status=409, json=refusal))
    await write(page, "/task new")
    form = page.get_by_role("dialog", name="New task")
    await form.get_by_label("Name").fill("Isolate host")
    await form.evaluate("(dialog) => dialog.close()")  # as a second Escape does
    await expect(form.get_by_role("alert")).to_contain_text("Closing failed: too busy")
    await expect(form.get_by_label("Name")).to_have_value("Isolate host")


async def test_forms_on_top_of_forms_go_back_one_by_one(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    app.opens(modal("Below", field("name", "Name")))
    page = await open_page(at(slack))
    await write(page, "/task new")
    below = page.get_by_role("dialog", name="Below")
    await below.get_by_label("Name").fill("kept")

    async def push(_payload: Json) -> Json:
        return {"response_action": "push", "view": modal("Above", field("more", "More"))}

    app.answer = push
    await below.get_by_role("button", name="Save").click()
    above = page.get_by_role("dialog", name="Above")
    await expect(above.get_by_label("More")).to_be_focused()
    await above.get_by_role("button", name="Back to Below").click()
    await expect(below.get_by_label("Name")).to_have_value("kept")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert slack.views(ALICE) == []


async def test_files_go_along_and_come_back(
    slack: SlackSandbox, open_page: Open, tmp_path: Path
) -> None:
    sent, dropped = tmp_path / "evidence.txt", tmp_path / "other.txt"
    sent.write_text("three web shells")
    dropped.write_text("nothing")
    page = await open_page(at(slack))
    async with page.expect_file_chooser() as choosing:
        await page.get_by_role("button", name="Attach").click()
    await (await choosing.value).set_files([sent, dropped])
    await page.get_by_role("button", name="Remove other.txt").click()
    await page.get_by_role("button", name="Send").click()

    item = messages(page).filter(has_text="evidence.txt")
    async with page.expect_download() as downloading:
        await item.get_by_role("link", name="Download evidence.txt").click()
    assert (await (await downloading.value).path()).read_text() == "three web shells"
    assert [file["name"] for file in slack.messages(SOC)[-1]["files"]] == ["evidence.txt"]


DROP = """
(box, [kind, name]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([name], name));
  const given = { bubbles: true, cancelable: true };
  box.dispatchEvent(kind === "paste"
    ? new ClipboardEvent(kind, { ...given, clipboardData: carried })
    : new DragEvent(kind, { ...given, dataTransfer: carried }));
}
"""


async def test_a_file_that_was_deleted_leaves_a_line(slack: SlackSandbox, open_page: Open) -> None:
    gone = {"id": "F1", "mode": "tombstone"}
    slack.workspace.post(SOC, {"user": BOB, "text": "see", "files": [gone]})
    page = await open_page(at(slack))
    await expect(messages(page).get_by_text("This file was deleted.")).to_be_visible()
    await expect(messages(page).get_by_role("link")).to_have_count(0)


async def test_files_are_pasted_and_dropped(slack: SlackSandbox, open_page: Open) -> None:
    page = await open_page(at(slack))
    box = page.get_by_label("Message #soc")
    await box.evaluate(DROP, ["paste", "pasted.txt"])
    await box.evaluate(DROP, ["drop", "dropped.txt"])
    going = page.get_by_role("list", name="Files to send").get_by_role("listitem")
    await expect(going).to_have_text([re.compile("pasted.txt10 B"), re.compile("dropped.txt11 B")])
    await page.get_by_role("button", name="Send").click()
    await expect(messages(page).filter(has_text="dropped.txt")).to_be_visible()
    sent = [file["name"] for file in slack.messages(SOC)[-1]["files"]]
    assert sent == ["pasted.txt", "dropped.txt"]


async def test_a_link_is_unfolded_and_a_reply_comes_into_the_channel_too(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    url = "https://console.example.com/tasks/1"
    message = await slack.say(BOB, SOC, f"see {url}")
    about = {"title": "Task 1", "title_link": url, "text": "*waits* for a decision"}
    await app.client.chat_unfurl(channel=SOC, ts=message["ts"], unfurls={url: about})
    await app.post("for everybody", thread_ts=message["ts"], reply_broadcast=True)
    page = await open_page(at(slack))
    unfolded = messages(page).filter(has_text="see https")
    await expect(unfolded.get_by_role("link", name="Task 1")).to_have_attribute("href", url)
    await expect(unfolded.locator("strong").filter(has_text="waits")).to_be_visible()

    loud = messages(page).filter(has_text="for everybody")
    await expect(loud).to_contain_text("replied to a thread")
    await loud.get_by_role("link", name="thread").click()
    await expect(replies(page)).to_contain_text(["see https", "for everybody"])
    await expect(page.get_by_role("complementary").get_by_text("replied to a")).to_have_count(0)


async def test_the_way_to_other_pages_is_shown(slack: SlackSandbox, open_page: Open) -> None:
    slack.links = [("Console", "https://console.example.com/"), ("No way", "javascript:alert(1)")]
    page = await open_page(at(slack))
    navigation = page.get_by_role("navigation", name="Workspace")
    way = navigation.get_by_role("link", name="Console")
    await expect(way).to_have_attribute("href", "https://console.example.com/")
    await expect(way).to_have_attribute("target", "_blank")
    await expect(navigation.get_by_text("No way")).to_have_count(0)
    assert SlackSandbox(links=[("Console", "https://x.example/")]).links == [
        ("Console", "https://x.example/")
    ]


async def test_the_home_of_the_app(slack: SlackSandbox, app: App, open_page: Open) -> None:
    page = await open_page(at(slack))
    await channel(page, "SecMaster").click()
    await page.get_by_role("link", name="Home", exact=True).click()
    await expect(page.get_by_text("The app has not drawn its Home yet.")).to_be_visible()
    await slack.until(lambda: [one for one in slack.sent if one.payload["event"]["tab"] == "home"])

    async def again(payload: Json) -> None:
        user = payload["user"]["id"]
        await app.client.views_publish(user_id=user, view={"type": "home", "blocks": card("two")})

    app.answer = again
    await app.client.views_publish(user_id=ALICE, view={"type": "home", "blocks": card("one")})
    home = page.get_by_role("region", name="Home")
    await home.get_by_role("button", name="Approve").click()
    await expect(home.get_by_text("two")).to_be_visible()


async def test_of_two_buttons_with_one_action_the_pressed_one_is_told(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    rows = [
        {"type": "actions", "block_id": row, "elements": [SHOW | {"value": row}]}
        for row in ("first", "second")
    ]
    await app.client.views_publish(user_id=ALICE, view={"type": "home", "blocks": rows})

    async def again(payload: Json) -> None:
        section = {"type": "section", "text": words(payload["actions"][0]["value"])}
        view = {"type": "home", "blocks": [*rows, section]}
        await app.client.views_publish(user_id=ALICE, view=view)

    page = await open_page(at(slack, channel="D0ALICE", inside="home"))
    home = page.get_by_role("region", name="Home")
    await slack.until(lambda: slack.sent)
    app.answer = again
    await home.get_by_role("button", name="Show").nth(1).click()
    await expect(home.get_by_text("second", exact=True)).to_be_visible()
    await expect(home.get_by_role("button", name="Show").nth(1)).to_be_focused()


async def test_shortcuts_of_a_message_and_of_the_workspace(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    ts = await app.post("a card")
    app.opens(modal("Comment", field("words", "Words")))
    page = await open_page(at(slack))
    about = messages(page).filter(has_text="a card")
    await about.hover()
    await about.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Comment on this").click()
    await expect(page.get_by_role("dialog", name="Comment")).to_be_visible()
    assert slack.sent[-1].payload["message"]["ts"] == ts
    await page.get_by_role("button", name="Never mind").click()

    slack.request_url = "http://127.0.0.1:9/"
    await page.get_by_role("button", name="Shortcuts").click()
    await expect(page.get_by_role("menuitem", name="New task")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(messages(page).filter(has_text="New task failed")).to_be_visible()
    assert slack.sent[-1].payload["callback_id"] == "new"


async def test_one_part_at_a_time_on_a_phone(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    ts = await app.post("a card")
    await app.post("an answer", thread_ts=ts)
    page = await open_page(at(slack), PHONE)
    await page.get_by_role("link", name="1 reply").click()
    await expect(replies(page).filter(has_text="an answer")).to_be_visible()
    await expect(page.get_by_role("main")).to_be_hidden()
    await page.get_by_role("button", name="Back to the channel").click()
    await page.get_by_role("button", name="Back to channels").click()
    await channel(page, "oncall").click()
    await expect(page.get_by_role("heading", name="#oncall")).to_be_visible()
    await expect(page.get_by_role("navigation", name="Workspace")).to_be_hidden()
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide == PHONE[0]


async def test_on_a_phone_one_begins_with_what_is_new(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    await app.post(f"<@{ALICE}> look")
    page = await open_page(slack.url, PHONE)
    await expect(channel(page, "soc 1 unread, mentions you")).to_be_visible()
    await expect(page.get_by_role("main")).to_be_hidden()
    await channel(page, "soc").click()
    await expect(messages(page).filter(has_text="@Alice look")).to_be_visible()


async def test_a_long_channel_stays_where_it_is_read(slack: SlackSandbox, open_page: Open) -> None:
    for number in range(500):
        message = {"user": BOT, "text": f"card {number}", "blocks": card(f"card {number}")}
        slack.workspace.post(SOC, message)
    page = await open_page(at(slack))
    await expect(page.get_by_text("card 499", exact=True)).to_be_in_viewport()
    first = await messages(page).filter(has_text="card 0").first.element_handle()
    await page.get_by_text("card 100", exact=True).scroll_into_view_if_needed()

    slack.workspace.post(SOC, {"user": BOB, "text": "far below"})

    await page.get_by_role("button", name="New messages below").click()
    await expect(page.get_by_text("far below", exact=True)).to_be_in_viewport()
    slack.workspace.post(SOC, {"user": BOB, "text": "followed"})
    await expect(page.get_by_text("followed", exact=True)).to_be_in_viewport()
    assert first is not None
    assert await first.is_visible(), "messages that did not change were drawn again"


async def test_a_lost_stream_is_told_and_made_up_for(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    page = await open_page(at(slack))
    await expect(messages(page)).to_have_count(0)
    slack.changes.close()
    await expect(page.get_by_text("Reconnecting…")).to_be_visible()
    slack.changes.open()
    await app.post("meanwhile")
    await expect(messages(page).filter(has_text="meanwhile")).to_be_visible()
    await expect(page.get_by_text("Reconnecting…")).to_be_hidden()


HIDDEN = "Object.defineProperty(document, 'hidden', { value: true, configurable: true })"
SEEN = "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))"


async def test_many_windows_that_nobody_sees_leave_room_for_one_more(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    page = await open_page(at(slack))
    others = [await page.context.new_page() for _ in range(6)]
    for other in others:
        await other.add_init_script(HIDDEN)
        await other.goto(at(slack))
    await app.post("the news")
    await expect(messages(page).filter(has_text="the news")).to_be_visible()
    await others[-1].evaluate(SEEN)
    await expect(messages(others[-1]).filter(has_text="the news")).to_be_visible()


async def test_a_thread_stays_open_when_a_look_fails_and_is_looked_at_again(
    slack: SlackSandbox, app: App, browser: Browser
) -> None:
    ts = await app.post("a card")
    page = await browser.new_page()
    await page.goto(at(slack, inside=ts))
    await expect(replies(page)).to_have_count(2)
    await page.route(
        "**/_sandbox/page?*", lambda route: route.fulfill(status=503, body="<p>"), times=1
    )
    await app.post("meanwhile", thread_ts=ts)
    await expect(replies(page).filter(has_text="meanwhile")).to_be_visible()
    await expect(page.get_by_text("This thread is gone.")).to_have_count(0)


async def test_a_message_that_cannot_be_shown_keeps_nothing_else_from_it(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    page = await open_page(at(slack))
    await expect(page.get_by_label("Message #soc")).to_be_visible()
    broken = {"user": BOB, "text": "broken", "attachments": [{"pretext": 5}]}
    slack.workspace.post(SOC, broken)
    await app.post("after it")
    await expect(messages(page).filter(has_text="after it")).to_be_visible()
    await expect(messages(page)).to_contain_text(
        [re.compile("^Today"), "This message can't be shown here.", "after it"]
    )
    app.opens(modal("New task", field("name", "Name")))
    await write(page, "/task new")
    await expect(page.get_by_role("dialog", name="New task")).to_be_visible()


async def test_what_is_entered_in_a_card_is_seen_by_nobody_else(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    await app.post("a card", blocks=[field("why", "Reason")])
    page = await open_page(at(slack))
    await page.get_by_label("Reason").fill("a secret")
    for person, entered in ((BOB, ""), (ALICE, "a secret")):
        await page.get_by_label("Acting as").select_option(person)
        await expect(page).to_have_url(at(slack, person))
        await expect(page.get_by_label("Reason")).to_have_value(entered)


async def test_a_command_keeps_the_files_that_it_cannot_carry(
    slack: SlackSandbox, app: App, open_page: Open
) -> None:
    page = await open_page(at(slack))
    await page.get_by_label("Message #soc").evaluate(DROP, ["drop", "evidence.txt"])
    await write(page, "/task list")
    await expect(page.get_by_role("alert")).to_contain_text("A command can’t carry files")
    await expect(page.get_by_role("button", name="Remove evidence.txt")).to_be_visible()
    await expect(page.get_by_label("Message #soc")).to_have_value("/task list")
    assert app.slack.sent == []


@pytest.mark.parametrize("hash_", ["%", f"{ALICE}%2F{SOC}", f"{ALICE}/{SOC}/"])
async def test_an_address_that_is_mangled_leads_somewhere(
    slack: SlackSandbox, open_page: Open, hash_: str
) -> None:
    page = await open_page(f"{slack.url}/#{hash_}")
    await expect(page.get_by_role("heading", name="#soc")).to_be_visible()


async def test_what_could_not_be_said_is_kept(slack: SlackSandbox, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(at(slack))
    await page.get_by_label("Message #soc").fill("important")
    slack.workspace.channels[SOC].is_archived = True
    await page.keyboard.press("Enter")
    await expect(messages(page).filter(has_text="Sending failed")).to_be_visible()
    slack.workspace.channels[SOC].is_archived = False
    await expect(page.get_by_label("Message #soc")).to_have_value("important")


async def test_a_private_channel_is_left_when_the_next_person_is_not_in_it(
    slack: SlackSandbox, open_page: Open
) -> None:
    page = await open_page(at(slack, channel=PRIVATE))
    await expect(page.get_by_role("heading", name="#private")).to_be_visible()
    await page.get_by_label("Acting as").select_option("U0CAROL")
    await expect(page.get_by_role("heading", name="#soc")).to_be_visible()
