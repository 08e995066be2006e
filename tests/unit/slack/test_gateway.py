"""What may have been posted already is found again: ours alone, however much came after it."""

from datetime import timedelta
from typing import Any

import pytest

from bot.messages.blocks import text_message
from bot.sandbox.slack.workspace import BOT, BOT_USER
from bot.services import Services
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
