"""A file of Slack's becomes an attachment of a task, whatever happens on its way."""

import json
import random
from typing import Any

import pytest

from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.town import ALICE, CAROL, DAVE, SOC, Town, both_databases

NAMES = {"one.txt", "two.txt"}
CONTENT = b"%PDF-1.7 \x00\xff evidence"


@both_databases
async def test_files_chosen_in_the_form_are_uploaded_and_listed_with_the_task(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await attach_form(town, ts)
    first = town.slack.files.upload(CAROL, "事件 <report>.pdf", CONTENT)
    second = town.slack.files.upload(CAROL, "notes.txt", b"x")
    await town.slack.submit(CAROL, view["id"], {"attachment_id": [first.id, second.id]})
    said = await town.replies(ts, 2)
    assert all("*Attachment added* by <@U0CAROL>" in one for one in said)
    assert any("📎 事件 &lt;report&gt;.pdf" in one for one in said)
    assert attached(town) == {"事件 <report>.pdf": CONTENT, "notes.txt": b"x"}
    await town.slack.until(lambda: "📎" in json.dumps(town.message(ts), ensure_ascii=False))


async def test_a_form_without_a_file_is_refused_at_the_input(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await attach_form(town, ts)
    refused = await town.slack.submit(CAROL, view["id"], {"attachment_id": []})
    assert refused.error == "missing_input"
    assert [one for one in town.secmaster.requests if one.method != "GET"] == []


async def test_the_files_of_a_message_under_a_card_are_attached_from_its_menu(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    file = town.slack.files.upload(DAVE, "memory.dmp", CONTENT)
    said = await town.slack.say(DAVE, SOC, "", ts, files=[file.id])
    await town.slack.shortcut(CAROL, "task.attach", SOC, said["ts"])
    [view] = await town.slack.until(lambda: town.slack.views(CAROL))
    assert "memory.dmp" in json.dumps(view["blocks"])
    assert [one["type"] for one in view["blocks"] if one["type"] == "input"] == []
    await town.slack.submit(CAROL, view["id"], {})
    assert "📎 memory.dmp" in (await town.replies(ts, 2))[-1]
    assert attached(town) == {"memory.dmp": CONTENT}


async def test_a_message_without_files_asks_for_some(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.shortcut(CAROL, "task.attach", SOC, ts)
    [view] = await town.slack.until(lambda: town.slack.views(CAROL))
    [asked] = [one["element"]["type"] for one in view["blocks"] if one["type"] == "input"]
    assert asked == "file_input"


@pytest.mark.parametrize(("fault", "status"), [("files.info", 503), ("url_private", 429)])
async def test_while_slack_is_in_trouble_the_file_waits(town: Town, fault: str, status: int):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.faults.set(Fault(on=fault, status=status, retry_after=1, times=1))
    await attach(town, ts, "a.txt")
    told, said = await town.replies(ts, 2)
    assert "Slack does not hand out the file at the moment." in told
    assert "*Attachment added*" in said
    assert attached(town) == {"a.txt": CONTENT}


async def test_a_file_of_many_pieces_arrives_whole(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await attach_form(town, ts)
    content = random.Random(1).randbytes(3 * 1024**2)
    file = town.slack.files.upload(CAROL, "memory.dmp", content)
    await town.slack.submit(CAROL, view["id"], {"attachment_id": [file.id]})
    assert "*Attachment added*" in (await town.replies(ts))[-1]
    assert attached(town) == {"memory.dmp": content}


async def test_of_several_files_the_one_that_failed_is_named(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await attach_form(town, ts)
    files = [town.slack.files.upload(CAROL, name, CONTENT) for name in sorted(NAMES)]
    await town.slack.faults.set(Fault(on="url_private", html=True, status=200, times=1))
    await town.slack.submit(CAROL, view["id"], {"attachment_id": [file.id for file in files]})
    failed, done = sorted(await town.replies(ts, 2), key=lambda said: "added" in said)
    assert "(`no_permission`), so it was not attached" in failed
    assert {name for said in (failed, done) for name in NAMES if f"📎 {name}" in said} == NAMES


async def test_more_files_than_one_form_takes_are_refused_and_none_is_left_out_unsaid(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    files = [town.slack.files.upload(DAVE, f"{number}.txt", CONTENT) for number in range(11)]
    said = await town.slack.say(DAVE, SOC, "", ts, files=[file.id for file in files])
    await town.slack.shortcut(CAROL, "task.attach", SOC, said["ts"])
    await town.whispered(CAROL, "This message has 11 files; 10 can be attached at once.")


async def test_uploads_leave_room_for_a_decision(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await attach_form(town, ts)
    files = [town.slack.files.upload(CAROL, f"{number}.txt", CONTENT) for number in range(10)]
    await town.secmaster.faults.set(Fault(on="UploadAttachment", hold=True))
    await town.slack.submit(CAROL, view["id"], {"attachment_id": [file.id for file in files]})
    await town.secmaster.faults.until_held("UploadAttachment", 2)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert "*Approved*" in (await town.replies(ts))[-1]
    await town.secmaster.faults.clear()
    await town.replies(ts, 11)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(on="UploadAttachment", status=503, times=2),
        Fault(on="UploadAttachment", hang_up=True, times=1),
    ],
)
async def test_while_secmaster_is_in_trouble_the_file_waits(town: Town, fault: Fault):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.secmaster.faults.set(fault)
    await attach(town, ts, "a.txt")
    await town.slack.until(lambda: "*Attachment added*" in last(town, ts))
    assert attached(town) == {"a.txt": CONTENT}


async def test_a_file_that_slack_does_not_hand_out_is_told_and_nothing_is_attached(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await attach_form(town, ts)
    file = town.slack.files.upload(CAROL, "a.txt", CONTENT)
    await town.slack.faults.set(Fault(on="url_private", html=True, status=200))
    await town.slack.submit(CAROL, view["id"], {"attachment_id": [file.id]})
    said = (await town.replies(ts))[-1]
    assert "Slack did not hand out the file (`no_permission`), so it was not attached." in said
    assert town.secmaster.writes("UpdateTask") == []


async def test_what_secmaster_says_no_to_is_told_in_its_words(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.secmaster.faults.set(Fault(on="UploadAttachment", status=400))
    await attach(town, ts, "a.txt")
    assert "SecMaster refused the attachment by <@U0CAROL>" in (await town.replies(ts))[-1]
    assert town.secmaster.writes("UpdateTask") == []


async def test_the_right_to_attach_is_asked_for(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.shortcut(DAVE, "task.attach", SOC, ts)
    await town.whispered(DAVE, "leaves it to")
    assert town.slack.views(DAVE) == []


async def attach_form(town: Town, ts: str) -> dict[str, Any]:
    [menu] = [
        each
        for block in town.message(ts)["blocks"]
        if block["type"] == "actions"
        for each in block["elements"]
        if each["type"] == "overflow"
    ]
    [choice] = [one["value"] for one in menu["options"] if one["value"].startswith("task.attach")]
    await town.slack.press(CAROL, SOC, ts, "more", value=choice)
    [view] = await town.slack.until(lambda: town.slack.views(CAROL))
    return view


async def attach(town: Town, ts: str, name: str) -> None:
    view = await attach_form(town, ts)
    file = town.slack.files.upload(CAROL, name, CONTENT)
    await town.slack.submit(CAROL, view["id"], {"attachment_id": [file.id]})


def attached(town: Town) -> dict[str, bytes]:
    """What the task lists beyond what it began with, by name."""
    world = town.secmaster.world
    listed = world.task(seed.TASK_ISOLATE)["attachment_id_list"]
    fresh = [one for one in listed if one != seed.ATTACHMENT_REPORT]
    return {world.attachment(one)["file_name"]: world.contents[one] for one in fresh}


def last(town: Town, ts: str) -> str:
    return str(town.slack.thread(SOC, ts)[-1]["text"])
