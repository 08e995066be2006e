"""A file of Slack's becomes an attachment of a task, whatever happens on its way."""

import json
import random
from typing import Any

import pytest

from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, CAROL, DAVE, SOC

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
    assert all("*Attachment added* by <@U0CAROL>" in one for one in replies)
    assert any("📎 事件 &lt;report&gt;.pdf" in one for one in replies)
    assert attached(environment) == {"事件 <report>.pdf": CONTENT, "notes.txt": b"x"}
    await environment.slack.until(
        lambda: "📎" in json.dumps(environment.message(ts), ensure_ascii=False)
    )


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
    assert "Slack does not hand out the file at the moment." in text
    assert "*Attachment added*" in reply
    assert attached(environment) == {"a.txt": CONTENT}


async def test_a_file_of_many_pieces_arrives_whole(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await attach_form(environment, ts)
    content = random.Random(1).randbytes(3 * 1024**2)
    file = environment.slack.files.upload(CAROL, "memory.dmp", content)
    await environment.slack.submit(CAROL, view["id"], {"attachment_id": [file.id]})
    assert "*Attachment added*" in (await environment.replies(ts))[-1]
    assert attached(environment) == {"memory.dmp": content}


async def test_of_several_files_the_one_that_failed_is_named(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await attach_form(environment, ts)
    files = [environment.slack.files.upload(CAROL, name, CONTENT) for name in sorted(NAMES)]
    await environment.slack.faults.set(Fault(on="url_private", html=True, status=200, times=1))
    await environment.slack.submit(
        CAROL, view["id"], {"attachment_id": [file.id for file in files]}
    )
    failed, done = sorted(await environment.replies(ts, 2), key=lambda reply: "added" in reply)
    assert "(`no_permission`), so it was not attached" in failed
    assert {name for reply in (failed, done) for name in NAMES if f"📎 {name}" in reply} == NAMES


async def test_more_files_than_one_form_takes_are_refused_and_none_is_left_out_unsaid(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    files = [environment.slack.files.upload(DAVE, f"{number}.txt", CONTENT) for number in range(11)]
    message = await environment.slack.say(DAVE, SOC, "", ts, files=[file.id for file in files])
    await environment.slack.shortcut(CAROL, "task.attach", SOC, message["ts"])
    await environment.ephemeral(CAROL, "This message has 11 files; 10 can be attached at once.")


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
    assert "*Approved*" in (await environment.replies(ts))[-1]
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
    await environment.slack.until(lambda: "*Attachment added*" in last(environment, ts))
    assert attached(environment) == {"a.txt": CONTENT}
    assert "waits" in (await environment.replies(ts, 2))[0]


async def test_a_file_that_slack_does_not_hand_out_is_told_and_nothing_is_attached(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await attach_form(environment, ts)
    file = environment.slack.files.upload(CAROL, "a.txt", CONTENT)
    await environment.slack.faults.set(Fault(on="url_private", html=True, status=200))
    await environment.slack.submit(CAROL, view["id"], {"attachment_id": [file.id]})
    reply = (await environment.replies(ts))[-1]
    assert "Slack did not hand out the file (`no_permission`), so it was not attached." in reply
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
    await environment.ephemeral(DAVE, "leaves it to")
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
