"""A file of Slack's becomes an attachment of a task, whatever happens on its way."""

import json
import random
from typing import Any

import pytest

from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOT, CAROL, DAVE, SOC

DM = "D0CAROL"
NAMES = {"one.txt", "two.txt"}
CONTENT = b"%PDF-1.7 \x00\xff evidence"


@postgres_in_full
async def test_files_chosen_in_the_form_are_uploaded_and_listed_with_the_task(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await attach_form(environment, ts)
    first = environment.slack.files.upload(CAROL, "事件 <report>.pdf", CONTENT)
    second = environment.slack.files.upload(CAROL, "notes.txt", b"x")
    await environment.slack.submit(CAROL, view["id"], {"attachment_id": [first.id, second.id]})
    replies = await environment.replies(ts, 2)
    assert all("*File attached by <@U0CAROL>" in one for one in replies)
    assert any("📎 事件 &lt;report&gt;.pdf" in one for one in replies)
    assert attached(environment) == {"事件 <report>.pdf": CONTENT, "notes.txt": b"x"}
    names = ("事件 &lt;report&gt;.pdf", "notes.txt")

    def card_names_both() -> bool:
        text = json.dumps(environment.message(ts), ensure_ascii=False)
        return all(f"📎 {name} (`" in text for name in names) and text.count("📎") == 2

    await environment.slack.until(card_names_both)


async def test_a_form_without_a_file_is_refused_at_the_input(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await attach_form(environment, ts)
    refused = await environment.slack.submit(CAROL, view["id"], {"attachment_id": []})
    assert refused.error == "missing_input"
    assert [one for one in environment.secmaster.requests if one.method != "GET"] == []


async def test_the_files_of_a_message_under_a_card_are_attached_from_its_menu(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    file = environment.slack.files.upload(DAVE, "memory.dmp", CONTENT)
    message = await environment.slack.say(DAVE, SOC, "", ts, files=[file.id])
    await environment.slack.shortcut(CAROL, "task.attach", SOC, message["ts"])
    [view] = await environment.slack.until(lambda: environment.slack.views(CAROL))
    assert "memory.dmp" in json.dumps(view["blocks"])
    assert [one["type"] for one in view["blocks"] if one["type"] == "input"] == []
    await environment.slack.submit(CAROL, view["id"], {})
    assert "📎 memory.dmp" in (await environment.replies(ts, 2))[-1]
    assert attached(environment) == {"memory.dmp": CONTENT}


async def test_a_message_without_files_asks_for_some(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.shortcut(CAROL, "task.attach", SOC, ts)
    [view] = await environment.slack.until(lambda: environment.slack.views(CAROL))
    [input_type] = [one["element"]["type"] for one in view["blocks"] if one["type"] == "input"]
    assert input_type == "file_input"


@pytest.mark.parametrize(("fault", "status"), [("files.info", 503), ("url_private", 429)])
async def test_while_slack_is_in_trouble_the_file_waits(
    environment: BotEnvironment, fault: str, status: int
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.faults.set(Fault(on=fault, status=status, retry_after=1, times=1))
    await attach(environment, ts, "a.txt")
    text, reply = await environment.replies(ts, 2)
    assert "Slack does not deliver the file at the moment (`" in text
    assert "*File attached" in reply
    assert attached(environment) == {"a.txt": CONTENT}


async def test_a_file_of_many_pieces_arrives_whole(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await attach_form(environment, ts)
    content = random.Random(1).randbytes(3 * 1024**2)
    file = environment.slack.files.upload(CAROL, "memory.dmp", content)
    await environment.slack.submit(CAROL, view["id"], {"attachment_id": [file.id]})
    assert "*File attached by" in (await environment.replies(ts))[-1]
    assert attached(environment) == {"memory.dmp": content}


async def test_of_several_files_the_one_that_failed_is_named(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await attach_form(environment, ts)
    files = [environment.slack.files.upload(CAROL, name, CONTENT) for name in sorted(NAMES)]
    await environment.slack.faults.set(Fault(on="url_private", html=True, status=200, times=1))
    await environment.slack.submit(
        CAROL, view["id"], {"attachment_id": [file.id for file in files]}
    )
    failed, done = sorted(
        await environment.replies(ts, 2), key=lambda reply: "File attached by" in reply
    )
    assert "Slack did not provide it (`no_permission`)" in failed
    assert {name for reply in (failed, done) for name in NAMES if f"📎 {name}" in reply} == NAMES


async def test_more_files_than_one_form_takes_are_refused_and_none_is_left_out_unsaid(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    files = [environment.slack.files.upload(DAVE, f"{number}.txt", CONTENT) for number in range(11)]
    message = await environment.slack.say(DAVE, SOC, "", ts, files=[file.id for file in files])
    await environment.slack.shortcut(CAROL, "task.attach", SOC, message["ts"])
    await environment.ephemeral(
        CAROL, "This message has 11 files; up to 10 can be attached at once."
    )


async def test_uploads_leave_room_for_a_decision(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await attach_form(environment, ts)
    files = [
        environment.slack.files.upload(CAROL, f"{number}.txt", CONTENT) for number in range(10)
    ]
    await environment.secmaster.faults.set(Fault(on="UploadAttachment", hold=True))
    await environment.slack.submit(
        CAROL, view["id"], {"attachment_id": [file.id for file in files]}
    )
    await environment.secmaster.faults.until_held("UploadAttachment", 2)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert "*Approved by" in (await environment.replies(ts))[-1]
    await environment.secmaster.faults.clear()
    await environment.replies(ts, 11)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(on="UploadAttachment", status=503, times=2),
        Fault(on="UploadAttachment", hang_up=True, times=1),
    ],
)
async def test_while_secmaster_is_in_trouble_the_file_waits(
    environment: BotEnvironment, fault: Fault
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.set(fault)
    await attach(environment, ts, "a.txt")
    await environment.slack.until(lambda: "*File attached by" in last(environment, ts))
    assert attached(environment) == {"a.txt": CONTENT}
    assert "has not been sent yet" in (await environment.replies(ts, 2))[0]


async def test_a_file_that_slack_does_not_hand_out_is_told_and_nothing_is_attached(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await attach_form(environment, ts)
    file = environment.slack.files.upload(CAROL, "a.txt", CONTENT)
    await environment.slack.faults.set(Fault(on="url_private", html=True, status=200))
    await environment.slack.submit(CAROL, view["id"], {"attachment_id": [file.id]})
    reply = (await environment.replies(ts))[-1]
    assert "The file was not attached: Slack did not provide it (`no_permission`)." in reply
    assert environment.secmaster.writes("UpdateTask") == []


async def test_what_secmaster_says_no_to_is_told_in_its_words(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.set(Fault(on="UploadAttachment", status=400))
    await attach(environment, ts, "a.txt")
    assert "SecMaster refused the attachment by <@U0CAROL>" in (await environment.replies(ts))[-1]
    assert environment.secmaster.writes("UpdateTask") == []


async def test_the_right_to_attach_is_asked_for(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.shortcut(DAVE, "task.attach", SOC, ts)
    await environment.ephemeral(DAVE, "can do this (rule")
    assert environment.slack.views(DAVE) == []


async def attach_form(environment: BotEnvironment, ts: str) -> dict[str, Any]:
    [menu] = [
        each
        for block in environment.message(ts)["blocks"]
        if block["type"] == "actions"
        for each in block["elements"]
        if each["type"] == "overflow"
    ]
    [choice] = [one["value"] for one in menu["options"] if one["value"].startswith("task.attach")]
    await environment.slack.press(CAROL, SOC, ts, "more", value=choice)
    [view] = await environment.slack.until(lambda: environment.slack.views(CAROL))
    return view


async def attach(environment: BotEnvironment, ts: str, name: str) -> None:
    view = await attach_form(environment, ts)
    file = environment.slack.files.upload(CAROL, name, CONTENT)
    await environment.slack.submit(CAROL, view["id"], {"attachment_id": [file.id]})


def attached(environment: BotEnvironment) -> dict[str, bytes]:
    """What the task lists beyond what it first_poll_finished with, by name."""
    world = environment.secmaster.world
    listed = world.task(seed.TASK_ISOLATE)["attachment_id_list"]
    fresh = [one for one in listed if one != seed.ATTACHMENT_REPORT]
    return {world.attachment(one)["file_name"]: world.contents[one] for one in fresh}


def last(environment: BotEnvironment, ts: str) -> str:
    return str(environment.slack.thread(SOC, ts)[-1]["text"])


# Files that come with the words of a command.


async def test_a_direct_message_with_the_words_and_a_file_attaches_it(
    environment: BotEnvironment,
) -> None:
    await say_with_file(environment, f"task attach {seed.TASK_ISOLATE}", "host.png")
    [sent] = [sent for sent in environment.slack.sent if sent.kind == "events_api"]
    assert sent.payload["event"]["subtype"] == "file_share"
    ts = await environment.slack.until(lambda: card_in_chat(environment))
    assert "*File attached by <@U0CAROL>" in (await environment.replies(ts, channel=DM))[0]
    assert attached(environment) == {"host.png": CONTENT}
    await environment.slack.redeliver(list(environment.slack.delivery.events)[-1])
    await say_with_file(environment, "attach", "again.png", thread=ts)
    assert "*File attached by" in (await environment.replies(ts, 3, channel=DM))[2]
    assert attached(environment) == {"host.png": CONTENT, "again.png": CONTENT}


async def test_a_mention_in_a_cards_thread_attaches_its_files(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    files = [environment.slack.files.upload(CAROL, name, CONTENT) for name in ("a.txt", "b.txt")]
    await environment.slack.say(CAROL, SOC, "@secmaster attach", ts, files=[f.id for f in files])
    replies = await environment.replies(ts, 3)
    assert all("*File attached by" in reply for reply in replies[1:])
    assert attached(environment) == {"a.txt": CONTENT, "b.txt": CONTENT}


async def test_a_file_without_words_is_answered_with_how_to_attach_it(
    environment: BotEnvironment,
) -> None:
    await say_with_file(environment, "", "host.png")
    await environment.slack.redeliver(list(environment.slack.delivery.events)[-1])
    answer = await environment.posted(DM, "`host.png` was not attached to any task.")
    assert "`task attach &lt;id&gt;`" in answer
    await say_with_file(environment, "@secmaster", "scan.pdf", channel=SOC)
    await environment.ephemeral(CAROL, "`scan.pdf` was not attached to any task.")
    assert attached(environment) == {}


async def test_a_command_that_takes_no_file_is_carried_out_and_says_that_it_took_none(
    environment: BotEnvironment,
) -> None:
    await say_with_file(environment, "whoami", "host.png")
    await environment.posted(DM, "Roles: *oncall*")
    assert "`host.png` was not attached" in shown_in(environment)[-1]
    await say_with_file(environment, f"task comment {seed.TASK_ISOLATE} see the picture", "b.png")
    await environment.posted(DM, "`b.png` was not attached to any task.")
    ts = await environment.slack.until(lambda: card_in_chat(environment))
    assert "*Comment added by" in (await environment.replies(ts, channel=DM))[0]
    await say_with_file(environment, "hello", "c.png")
    await environment.posted(DM, "Hello!", "`c.png` was not attached to any task.")
    await say_with_file(environment, "evidence", "e.png")
    await environment.posted(DM, "I don't know “evidence”", "`e.png` was not attached to any task.")
    await say_with_file(
        environment, f"task attach {seed.TASK_ISOLATE} {seed.TASK_ISOLATE}", "d.png"
    )
    await environment.posted(DM, "I didn't expect “")
    assert attached(environment) == {}


async def test_more_files_than_can_be_attached_at_once_are_refused_in_a_message_too(
    environment: BotEnvironment,
) -> None:
    names = [f"{number}.txt" for number in range(11)]
    files = [environment.slack.files.upload(CAROL, name, CONTENT).id for name in names]
    await environment.slack.say(CAROL, DM, f"task attach {seed.TASK_ISOLATE}", files=files)
    await environment.posted(DM, "This message has 11 files; up to 10 can be attached at once.")
    await environment.slack.say(DAVE, "D0DAVE", f"task attach {seed.TASK_ISOLATE}", files=[])
    await environment.posted("D0DAVE", "“&lt;attachment id&gt;” is missing.")
    assert attached(environment) == {}


async def test_whatever_a_person_writes_to_us_is_answered_once(
    environment: BotEnvironment,
) -> None:
    message = await environment.slack.say(CAROL, DM, "whoami")
    await environment.posted(DM, "Roles: *oncall*")
    await environment.slack.say(CAROL, DM, "delegations", message["ts"], broadcast=True)
    answer = (await environment.replies(message["ts"], 2, channel=DM))[1]
    assert "nobody has your permissions" in answer
    now = environment.clock.now().timestamp()
    chat = {"type": "message", "channel": DM, "channel_type": "im", "text": "whoami"}
    mine = chat | {"subtype": "me_message", "user": CAROL, "ts": f"{now:.6f}"}
    for _ in range(2):
        await environment.slack.delivery.event(mine)
    # Our own file in a chat comes without a bot's id, as a person's does.
    ours = chat | {"subtype": "file_share", "user": BOT, "ts": f"{now + 1:.6f}"}
    await environment.slack.delivery.event(ours)
    await environment.posted(DM, "Roles: *oncall*")


async def say_with_file(
    environment: BotEnvironment, text: str, name: str, *, channel: str = DM, thread: str = ""
) -> None:
    file = environment.slack.files.upload(CAROL, name, CONTENT)
    await environment.slack.say(CAROL, channel, text, thread or None, files=[file.id])


def card_in_chat(environment: BotEnvironment) -> str:
    cards = [m["ts"] for m in environment.slack.messages(DM) if m["text"].startswith("Isolate")]
    return str(cards[-1]) if cards else ""


def shown_in(environment: BotEnvironment) -> list[str]:
    """All that the bot's messages in the chat show."""
    messages = environment.slack.messages(DM)
    return [json.dumps(m["blocks"]) for m in messages if m["user"] == BOT]
