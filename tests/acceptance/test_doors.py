"""Doors × commands × kill: what was acknowledged is there after the restart, by every door.

The bot is killed right after each acknowledgement: nothing that was to be done afterwards has its
turn. Each row of the table of commands that records something is typed at every door, and each
button, menu, form and shortcut that does is pressed.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, assert_never

import pytest
import sqlalchemy as sa
from slack_sdk.models.blocks import ActionsBlock, ButtonElement
from slack_sdk.web.async_client import AsyncWebClient

from bot.cli.demo_story import POLICY
from bot.domain.actions import BY_NAME
from bot.domain.audit import AuditOutcome
from bot.domain.cards import ButtonValue
from bot.domain.objects import ObjectKind, Ref
from bot.sandbox.secmaster import SecMasterSandbox
from bot.store import audit_log, open_read_only
from bot.store.tables import delegations, home_views, subscriptions, tracked_objects
from handlers.command_row import (
    AnswersAtOnce,
    AnswersLater,
    AnyCommand,
    Command,
    OpensForm,
    Posts,
    RecordsChange,
    RecordsOperation,
)
from handlers.command_table import BREAK_GLASS, TABLE
from tests.support.databases import postgres_in_full
from tests.support.people import ALICE, BOB, CAROL, DAVE, ONCALL, RANDOM, SOC
from tests.support.process import BotProcess, bot_process
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import PATIENCE

RULES = f"""
[[rules]]
actions = ["task.terminate", "instance.terminate", "playbook.terminate"]
roles = ["approver", "oncall"]
when = {{ name = "For two" }}
approvals = 2
break_glass = ["approver"]
{POLICY}
[break_glass]
channel = "C0ONCALL"
[rights]
delegate = ["approver"]
watch = ["approver"]
mute = ["approver"]
reload = ["approver"]
[channels]
allow = ["C0RANDOM", "C0GENERAL"]
[watch]
every = 0.2
[[routes]]
channel = "C0SOC"
tasks = true
instances = ["FAILED"]
playbooks = ["FAILED"]
group = "none"
escalate = {{ after = "9h", to = "duty" }}
[[routes]]
name = "duty"
channel = "C0ONCALL"
tasks = true
when = {{ name = "no task" }}
"""
GENERAL = "C0GENERAL"
DOORS = ("command", "mention", "direct message")
LONGEST = 180  # seconds: dozens of commands at three doors
ID = "11111111-2222-4333-8444-555555555555"
# What follows an action's id.
PARAMS = {
    "task.approve": "",
    "task.terminate": "a decoy",
    "task.comment": "seen",
    "task.uncomment": ID,
    "task.attach": ID,
    "task.detach": ID,
    "instance.retry": "",
    "instance.terminate": "it loops",
    "instance.debug": f"{ID} []",
    "playbook.retry": "",
    "playbook.terminate": "it loops",
}
# To whom, or for which channel, at each door; only a channel can be subscribed.
PEOPLE = {"command": DAVE, "mention": CAROL, "direct message": BOB}
HANDLES = {ALICE: "@alice", BOB: "@bob", CAROL: "@carol", DAVE: "@dave"}
WATCHED = {"command": SOC, "mention": ONCALL}
UNWATCHED = {"command": RANDOM, "mention": GENERAL}
Expected = tuple[str, str, str]  # an audit record: its action, its target, its outcome


def records(command: AnyCommand) -> bool:
    """Return whether a row changes something."""
    assert isinstance(command, Command)
    handler = command.handler
    match handler:
        case RecordsOperation() | RecordsChange():
            return True
        case AnswersAtOnce() | AnswersLater() | Posts() | OpensForm():
            return False
        case _:
            assert_never(handler)


@dataclass
class Story:
    """One bot that is killed, what was asked of it, and what must be on record afterwards."""

    slack: SlackRecorder
    secmaster: SecMasterSandbox
    bot: BotProcess
    engine: sa.Engine
    expected: Counter[Expected] = field(default_factory=Counter)
    acknowledged: list[int] = field(default_factory=list)

    def new_object(self, kind: ObjectKind, *, name: str = "Door", status: str = "FAILED") -> str:
        """Let an object of a kind come, and return its id."""
        world = self.secmaster.world
        match kind:
            case "task":
                record = world.add_task(name=name)
            case "instance":
                record = world.add_instance(name=name, status=status)
            case "playbook":
                run = world.add_instance(name=f"Within {name}", status=status)
                record = world.playbooks.add([run["id"]], name=name, status=status)
            case _:
                assert_never(kind)
        return str(record["id"])

    async def type(self, door: str, user: str, words: str, channel: str = SOC) -> None:
        """Type the words of a command at one of the doors."""
        if door == "command":
            delivered = await self.slack.command(user, channel, f"/secmaster {words}")
            self.acknowledged.append(delivered.status)
        elif door == "mention":
            await self.slack.say(user, channel, f"@secmaster {words}")
        else:
            await self.slack.say(user, self.slack.chat_with(user), words)

    def audited(self) -> Counter[Expected]:
        entries = audit_log.entries(self.engine)
        return Counter((each["action"], each["target"], each["outcome"]) for each in entries)

    async def recorded(self, *expected: Expected) -> None:
        """Wait until the audit has these records."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self.slack.until(lambda: not Counter(expected) - self.audited())
        assert sorted((Counter(expected) - self.audited()).elements()) == []

    async def card(self, kind: ObjectKind, object_id: str) -> str:
        """Return the card that the bot posts of a new object."""

        def find() -> str:
            # The newest first: this is asked after each change, of hundreds of messages.
            for message in reversed(self.slack.messages(SOC)):
                if object_id in str(message.get("metadata", {})):
                    return str(message["ts"])
            return ""

        assert kind
        return await self.slack.until(find)

    async def request(self, kind: ObjectKind) -> tuple[str, str]:
        """Let somebody open a request that waits for a second person.

        Returns the object's id and its card.
        """
        object_id = self.new_object(kind, name="For two: a door")
        ts = await self.card(kind, object_id)
        user = BOB if kind == "task" else CAROL
        await self.type("command", user, f"{kind} terminate {object_id} a decoy")
        await self.recorded((f"{kind}.terminate", f"1:{kind}:main:{object_id}", "counted"))
        return object_id, ts


@asynccontextmanager
async def story(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, folder: Path
) -> AsyncIterator[Story]:
    """Start a bot whose first poll is through."""
    slack.ignore_messages()
    slack.workspace.channels[RANDOM].members.append("U0BOT")
    secmaster.world.tasks.clear()
    async with bot_process(
        slack, secmaster, database_url, folder, rules=RULES, longest=LONGEST
    ) as bot:
        engine = open_read_only(database_url)
        lists = [each for each in secmaster.requests if each.endpoint == "ListTasks"]
        await secmaster.until(
            lambda: len([e for e in secmaster.requests if e.endpoint == "ListTasks"]) > len(lists)
        )
        try:
            yield Story(slack, secmaster, bot, engine)
        finally:
            engine.dispose()


async def kill_and_restart(story: Story) -> None:
    """Kill the bot, and wait for what must be on record."""
    await story.bot.kill()
    await story.bot.start()
    assert set(story.acknowledged) <= {200}
    await story.recorded(*story.expected.elements())


@pytest.mark.longest(LONGEST)
@pytest.mark.slow
async def test_each_command_that_records_survives_at_every_door(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with story(slack, secmaster, database_url, tmp_path) as it:
        rows = [command for command in TABLE if records(command)]
        prepared = (prepare(it, command, door) for command in rows for door in DOORS)
        cells = [cell for cell in await asyncio.gather(*prepared) if cell]
        it.bot.stop_after_ack()
        for cell in cells:
            await cell()
        await kill_and_restart(it)
        with it.engine.connect() as connection:
            ends = connection.execute(sa.select(delegations)).all()
            channels = set(connection.execute(sa.select(subscriptions.c.channel)).scalars())
        assert channels == set(WATCHED.values())
        lent = {row.delegate for row in ends if row.delegator == ALICE and row.until > row.at}
        assert lent == set(PEOPLE.values())
        announced = {
            DAVE: "You have <@U0ALICE>'s permissions",
            CAROL: "You no longer have <@U0BOB>'s permissions",
        }
        for user, text in announced.items():
            await slack.until(
                lambda user=user, text=text: (
                    text in json.dumps(slack.messages(f"D0{user[2:]}"), ensure_ascii=False)
                )
            )
        for channel in WATCHED.values():
            await slack.until(
                lambda channel=channel: (
                    "subscribed this channel to all" in json.dumps(slack.messages(channel))
                )
            )


async def prepare(  # noqa: C901, PLR0911, PLR0912, PLR0915 - one return for each kind of row
    story: Story, command: AnyCommand, door: str
) -> Callable[[], Awaitable[None]] | None:
    """Make what a row needs, and return what types it at a door; None where it has no meaning."""
    kind, name = command.kind, command.name
    if kind and (action := BY_NAME.get(f"{kind}.{name}")):
        status = "FAILED" if action.is_retry or action.name == "instance.debug" else "RUNNING"
        object_id = story.new_object(kind, status=status)
        user = ALICE if kind == "task" else CAROL
        story.expected[action.name, f"1:{kind}:main:{object_id}", "allowed"] += 1
        words = f"{kind} {name} {object_id} {PARAMS[action.name]}"
        return lambda: story.type(door, user, words)
    if kind:
        object_id, _ts = await story.request(kind)
        user = ALICE if name == "decline" else BOB if kind == "task" else CAROL
        outcome = AuditOutcome.DECLINED if name == "decline" else AuditOutcome.WITHDRAWN
        story.expected[f"{kind}.terminate", f"1:{kind}:main:{object_id}", outcome] += 1
        return lambda: story.type(door, user, f"{kind} {name} {object_id}")
    if command is BREAK_GLASS:
        object_id = story.new_object("task", name="For two: a door")
        story.expected["task.terminate", f"1:task:main:{object_id}", "allowed"] += 1
        words = f"break-glass task terminate {object_id} nobody is awake"
        return lambda: story.type(door, ALICE, words)
    if name in ("watch", "unwatch"):
        channels = WATCHED if name == "watch" else UNWATCHED
        if door not in channels:
            return None
        channel = channels[door]
        if name == "unwatch":
            await story.type("command", ALICE, "watch", channel)
        story.expected[name, channel, "done"] += 1
        return lambda: story.type(door, ALICE, name, channel)
    if name in ("claim", "unclaim", "escalate"):
        object_id = story.new_object("task")
        ref = f"1:task:main:{object_id}"
        await story.card("task", object_id)
        if name == "unclaim":
            await story.type("command", ALICE, f"claim {object_id}")
            await story.recorded(("claim", ref, "done"))
        story.expected[name, ref, "done"] += 1
        return lambda: story.type(door, ALICE, f"{name} {object_id}")
    if name in ("snooze", "unsnooze"):
        object_id = story.new_object("task")
        ref = f"1:task:main:{object_id}"
        await story.card("task", object_id)
        if name == "snooze":
            story.expected[name, ref, "done"] += 1
            return lambda: story.type(door, ALICE, f"snooze {object_id} 2h")
        await story.type("command", ALICE, f"snooze {object_id} 2h")
        await story.recorded(("snooze", ref, "done"))
        story.expected["wake", ref, "done"] += 1
        return lambda: story.type(door, ALICE, f"unsnooze {object_id}")
    match name:
        case "delegate":
            story.expected[name, PEOPLE[door], "done"] += 1
            return lambda: story.type(door, ALICE, f"delegate {HANDLES[PEOPLE[door]]} for 2h")
        case "revoke":
            target = ALICE if PEOPLE[door] == BOB else PEOPLE[door]
            await story.type("command", BOB, f"delegate {HANDLES[target]} for 2h")
            story.expected[name, target, "done"] += 1
            return lambda: story.type(door, BOB, f"revoke {HANDLES[target]}")
        case "mute" | "unmute":
            workflow = f"Workflow {name} {door}"  # runs of one workflow share a card
            world = story.secmaster.world
            run = world.add_instance(
                name=door, status="FAILED", workflow={"id": f"wf-{name}-{door}", "name": workflow}
            )
            await story.card("instance", str(run["id"]))
            if name == "unmute":
                await story.type("command", ALICE, f"mute {workflow} 2h noisy")
            story.expected[name, "workflow:main", "done"] += 1
            words = f"mute {workflow} 2h noisy" if name == "mute" else f"unmute {workflow}"
            return lambda: story.type(door, ALICE, words)
        case "calls":
            story.expected[name, ALICE, "done"] += 1
            return lambda: story.type(door, ALICE, "calls dm")
        case "reload":
            story.expected[name, "policy", "done"] += 1
            return lambda: story.type(door, ALICE, name)
        case _:
            raise AssertionError(f"{command.usage} records something, and is not tried here")


@pytest.mark.longest(LONGEST)
@postgres_in_full
@pytest.mark.slow
async def test_each_button_form_and_shortcut_that_records_survives(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with story(slack, secmaster, database_url, tmp_path) as it:
        presses = [
            await press(it, "task.approve"),
            await press(it, "instance.retry", user=CAROL),
            await press(it, "snooze.1h", user=CAROL),
            await press(it, "snooze.1h", user=CAROL),
            await press(it, "snooze.0h", user=CAROL, before="snooze.1h"),
            await press(it, "assign.take"),
            await press_request(it, "withdraw", BOB),
            await press_request(it, "refuse", ALICE),
            await submit(it, "task.terminate", {"reason": "a decoy"}),
            await submit(it, "task.comment", {"comment": "seen"}),
            await submit(it, "instance.debug", {"task_id": ID, "input_dataobject": "[]"}, CAROL),
            await submit_break_glass(it),
            await submit_shortcut(it),
            await confirm_batch(it),
            await choose_on_home(it),
        ]
        it.bot.stop_after_ack()
        for each in presses:
            await each()
        await kill_and_restart(it)
        with it.engine.connect() as connection:
            options = connection.execute(sa.select(home_views.c.options)).scalar_one()
            snoozed = connection.execute(
                sa.select(tracked_objects.c.ref).where(tracked_objects.c.snoozed_until.is_not(None))
            ).all()
        assert options["tasks"] == "all"
        assert len(snoozed) == 2
        for text in ("snoozed this for everyone until", "ended the snooze"):
            await slack.until(lambda text=text: text in everything(slack))
        await slack.until(lambda: everything(slack).count("😴 Snoozed by") == 2)


Press = Callable[[], Awaitable[None]]


def everything(slack: SlackRecorder) -> str:
    return json.dumps([*slack.workspace.messages[SOC]], ensure_ascii=False)


async def press(story: Story, action_id: str, *, user: str = ALICE, before: str = "") -> Press:
    """Return what presses a button, or picks an entry of the menu, on the card of a new object."""
    kind: ObjectKind = "instance" if action_id.startswith(("instance.", "snooze.")) else "task"
    object_id = story.new_object(kind)
    ts = await story.card(kind, object_id)
    ref = f"1:{kind}:main:{object_id}"

    async def pick(entry: str) -> None:
        await story.slack.press(user, SOC, ts, "more", value=f"{entry}|{ref}")

    if before:
        await pick(before)
        await story.recorded(("snooze", ref, "done"))
        await story.slack.until(lambda: "snooze.0h" in json.dumps(message(story, ts)))
    if action_id.startswith("snooze."):
        story.expected["wake" if action_id == "snooze.0h" else "snooze", ref, "done"] += 1
        return lambda: pick(action_id)
    is_claim = action_id == "assign.take"
    story.expected[("claim", ref, "done") if is_claim else (action_id, ref, "allowed")] += 1

    async def do() -> None:
        delivered = await story.slack.press(user, SOC, ts, action_id)
        story.acknowledged.append(delivered.status)

    return do


def message(story: Story, ts: str) -> dict[str, Any]:
    return next(m for m in story.slack.messages(SOC) if m["ts"] == ts)


async def press_request(story: Story, action_id: str, user: str) -> Press:
    """Return what presses a button about a request that waits for a second person."""
    object_id, ts = await story.request("task")
    await story.slack.until(lambda: action_id in json.dumps(message(story, ts)))
    story.expected["task.terminate", f"1:task:main:{object_id}", action_id] += 1

    async def do() -> None:
        delivered = await story.slack.press(user, SOC, ts, action_id)
        if action_id == "refuse":
            await submit_top(story, user, {"reason": "not now"})
        else:
            story.acknowledged.append(delivered.status)

    return do


async def submit(story: Story, action: str, values: Any, user: str = ALICE) -> Press:
    """Return what opens the form of an action on a new object's card, and submits it."""
    kind: ObjectKind = "instance" if action.startswith("instance.") else "task"
    object_id = story.new_object(kind)
    ts = await story.card(kind, object_id)
    story.expected[action, f"1:{kind}:main:{object_id}", "allowed"] += 1

    async def do() -> None:
        await story.slack.press(user, SOC, ts, action)
        await submit_top(story, user, values)

    return do


async def submit_break_glass(story: Story) -> Press:
    object_id, _ = await story.request("task")
    ref = Ref(kind="task", id=object_id)
    value = f"task.terminate|{ButtonValue(ref=ref)}"
    button = ButtonElement(text="Emergency override", action_id="break-glass", value=value)
    client = AsyncWebClient("xoxb-demo", base_url=f"{story.slack.url}/api/")
    blocks = [ActionsBlock(elements=[button])]
    posted = await client.chat_postMessage(channel=SOC, text="request", blocks=blocks)
    ts = str(posted["ts"])
    story.expected["task.terminate", f"1:task:main:{object_id}", "allowed"] += 1

    async def do() -> None:
        await story.slack.press(ALICE, SOC, ts, "break-glass")
        await submit_top(story, ALICE, {"reason": "nobody is awake"})

    return do


async def submit_shortcut(story: Story) -> Press:
    object_id = story.new_object("task")
    ts = await story.card("task", object_id)
    said = await story.slack.say(ALICE, SOC, "the host is a decoy", ts)
    story.expected["task.comment", f"1:task:main:{object_id}", "allowed"] += 1

    async def do() -> None:
        await story.slack.shortcut(ALICE, "task.comment", SOC, said["ts"])
        await submit_top(story, ALICE, {})

    return do


async def submit_top(story: Story, user: str, values: Any) -> None:
    view = await top_view(story, user, "form")
    delivered = await story.slack.submit(user, view["id"], values)
    assert not delivered.error
    story.acknowledged.append(delivered.status)


async def confirm_batch(story: Story) -> Press:
    """Choose two tasks, and return what confirms them."""
    ids = [story.new_object("task", name="Door in a batch") for _ in range(2)]
    await story.slack.command(BOB, SOC, "/secmaster task several Door in a batch")
    view = await top_view(story, BOB, "choosing")
    values = [f"1:task:main:{id_}" for id_ in ids]
    options = [o["value"] for o in element(view, "objects")["options"]]
    assert len(options) == 2
    await story.slack.submit(BOB, view["id"], {"action": "task.approve", "objects": options})
    question = await top_view(story, BOB, "confirming")
    for value in values:
        story.expected["task.approve", value, "allowed"] += 1

    async def do() -> None:
        delivered = await story.slack.submit(BOB, question["id"], {})
        story.acknowledged.append(delivered.status)

    return do


async def top_view(story: Story, user: str, callback: str) -> dict[str, Any]:
    def top() -> dict[str, Any] | None:
        views = story.slack.views(user)
        return views[-1] if views and views[-1]["callback_id"] == callback else None

    view = await story.slack.until(top)
    assert view
    return view


def element(view: dict[str, Any], block_id: str) -> dict[str, Any]:
    [block] = [b["element"] for b in view["blocks"] if b.get("block_id") == block_id]
    return dict(block)


async def choose_on_home(story: Story) -> Press:
    """Open a Home, and return what chooses to see all tasks there."""
    await story.slack.open_home(DAVE)
    home = await story.slack.until(lambda: story.slack.home(DAVE))
    assert home
    select = next(each["accessory"] for each in home["blocks"] if "initial_option" in str(each))
    value = next(o["value"] for o in select["options"] if '"all"' in o["value"])

    async def do() -> None:
        delivered = await story.slack.press_in_view(DAVE, home["id"], "home.tasks", value)
        story.acknowledged.append(delivered.status)

    return do
