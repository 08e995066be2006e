"""What may have been posted already is found again: ours alone, however much came after it."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.slack import SlackLocation
from bot.messages.blocks import text_message
from bot.sandbox.faults import Fault
from bot.sandbox.slack.workspace import BOT, BOT_USER
from bot.services import Services
from bot.slack.gateway import MessageRefused
from tests.support.clock import FakeClock
from tests.support.people import ALICE, SOC
from tests.support.slack_recorder import SlackRecorder

METADATA = {"part": "outcome", "operation": "abc123"}
MANY = 1100  # messages: more than Slack gives on one page
OTHER_APP = {"user": "U0OTHER", "bot_id": "B0OTHER", "app_id": "A0OTHER", "text": "ours, not yours"}


async def post(services: Services, *, again: bool = False, thread: str = "") -> str:
    """Post a message, or post it once more after a crash; return its ts."""
    since = services.clock.now() - timedelta(seconds=5) if again else None
    return await services.slack.post(
        SOC, text_message("It is done."), METADATA, thread=thread, posted_since=since
    )


def talk(slack: SlackRecorder, thread: str = "", count: int = MANY) -> None:
    for _ in range(count):
        slack.workspace.post(SOC, {"user": ALICE, "text": "Any news?"}, thread)


def ours(slack: SlackRecorder, thread: str = "") -> list[dict[str, Any]]:
    """Return what the bot has posted: into the channel, or into a thread."""
    messages = slack.thread(SOC, thread)[1:] if thread else slack.messages(SOC)
    return [message for message in messages if message["user"] == BOT_USER]


@pytest.mark.parametrize("in_thread", [False, True], ids=["channel", "thread"])
async def test_a_message_is_found_among_many_others(
    services: Services, slack: SlackRecorder, *, in_thread: bool
) -> None:
    thread = slack.workspace.post(SOC, {"user": ALICE, "text": "A task"})["ts"] if in_thread else ""
    talk(slack, thread)  # a thread is read from its beginning, a channel from its end
    ts = await post(services, thread=thread)
    talk(slack, thread)
    assert await post(services, again=True, thread=thread) == ts
    assert len(ours(slack, thread)) == 1


@pytest.mark.parametrize("minutes", [-4, 4])
async def test_a_message_is_found_by_a_clock_that_is_off(
    services: Services, slack: SlackRecorder, clock: FakeClock, minutes: int
) -> None:
    slack.workspace.clock = lambda: clock.now().timestamp() + minutes * 60
    ts = await post(services)
    assert await post(services, again=True) == ts
    assert len(ours(slack)) == 1


async def test_what_another_app_has_posted_is_not_ours(
    services: Services, slack: SlackRecorder
) -> None:
    guess = {"event_type": "secmaster_bot", "event_payload": METADATA}
    slack.workspace.post(SOC, OTHER_APP | {"metadata": guess})
    ts = await post(services, again=True)
    [message] = ours(slack)
    assert message["ts"] == ts
    # It can copy the mark, once that stands in a channel where it is.
    slack.workspace.delete(SOC, slack.stored(SOC, ts))
    slack.workspace.post(SOC, OTHER_APP | {"metadata": message["metadata"]})
    assert await post(services, again=True) != ts
    assert len(ours(slack)) == 1


async def test_a_mark_is_ours_to_make_and_says_nothing_of_what_it_marks(
    services: Services, slack: SlackRecorder
) -> None:
    guess = {"event_type": "secmaster_bot", "event_payload": METADATA}
    slack.workspace.post(SOC, {"user": BOT_USER, "bot_id": BOT, "text": "x", "metadata": guess})
    await post(services, again=True)
    guessed, posted = ours(slack)
    payload = posted["metadata"]["event_payload"]
    assert list(payload) == ["mark"]
    assert len(payload["mark"]) == 64
    # Another kind of metadata is not read as ours, whoever has written it.
    copied = {"event_type": "other", "event_payload": payload}
    slack.stored(SOC, guessed["ts"])["metadata"] = copied
    slack.workspace.delete(SOC, slack.stored(SOC, posted["ts"]))
    await post(services, again=True)
    assert len(ours(slack)) == 2


@pytest.mark.parametrize("minutes", [-4, 4])
async def test_a_file_is_found_among_many_messages_by_a_clock_that_is_off(
    services: Services, slack: SlackRecorder, clock: FakeClock, minutes: int
) -> None:
    slack.workspace.clock = lambda: clock.now().timestamp() + minutes * 60
    since, thread = clock.now(), slack.workspace.post(SOC, {"user": ALICE, "text": "A run"})["ts"]
    talk(slack, thread)
    file = {"id": "F1", "title": "node.txt"}
    slack.workspace.post(SOC, {"user": ALICE, "text": "", "files": [file]}, thread)
    assert not await services.slack.has_file(SOC, thread, "node.txt", since)
    slack.workspace.post(SOC, {"user": BOT_USER, "text": "", "files": [file]}, thread)
    assert await services.slack.has_file(SOC, thread, "node.txt", since)


CARD = text_message("Isolate *203.0.113.77*")
REASON = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"


def refused(slack: SlackRecorder, method: str) -> list[bool]:
    """Return of each call of a method, in order, whether it was refused."""
    return [not call.ok for call in slack.calls if call.method == method]


async def test_what_slack_does_not_take_is_sent_as_its_text_and_not_tried_again(
    services: Services, slack: SlackRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    slack.refuse_blocks(reasons=[REASON])
    ts = await services.slack.post(SOC, CARD, METADATA)
    await services.slack.update(SOC, ts, CARD)
    location = SlackLocation(channel=SOC)
    await services.slack.send_private(location, ALICE, CARD)
    [message] = ours(slack)
    assert message["text"] == CARD.text
    assert not message.get("blocks")
    assert list(message["metadata"]["event_payload"]) == ["mark"]
    assert [each["text"] for each in slack.ephemerals(ALICE)] == [CARD.text]
    assert refused(slack, "chat.postMessage") == [True, False]
    assert refused(slack, "chat.update") == [False]
    assert refused(slack, "chat.postEphemeral") == [False]
    [line] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not line.exc_info
    assert vars(line)["reasons"] == [f"[ERROR] {REASON}", REASON]
    assert "Isolate" not in str(vars(line))


async def test_a_card_with_other_content_is_tried_in_full(
    services: Services, slack: SlackRecorder
) -> None:
    ts = await services.slack.post(SOC, CARD, METADATA)
    slack.refuse_blocks()
    await services.slack.update(SOC, ts, CARD)
    [message] = ours(slack)
    assert not message.get("blocks")  # what an update leaves out would stay
    slack.refuse_blocks("")
    await services.slack.update(SOC, ts, text_message("Isolated"))
    [message] = ours(slack)
    assert message["blocks"]


async def test_a_text_that_slack_does_not_take_either_is_refused(
    services: Services, slack: SlackRecorder
) -> None:
    await slack.faults.set(Fault(on="chat.postMessage", status=200, code="msg_too_long"))
    with pytest.raises(MessageRefused):
        await services.slack.post(SOC, CARD, METADATA)
    assert refused(slack, "chat.postMessage") == [True, True]
