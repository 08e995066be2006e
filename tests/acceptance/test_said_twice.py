"""A message reaches the bot again: edited, late, by two events, on two replicas. It acts once."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest

from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.slack.delivery import Delivered
from bot.store import connect
from tests.support.databases import both_databases
from tests.support.deliveries import forget_answers
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, DAVE, SOC
from tests.support.process import BotProcess, bot_process
from tests.support.slack_recorder import SlackRecorder

DM = "D0ALICE"
TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
NOT_ACTED_ON = "Edits are ignored"


def last_event(slack: SlackRecorder) -> str:
    return list(slack.delivery.events)[-1]


def comments(secmaster: SecMasterSandbox) -> list[str]:
    return [write.body["comment"] for write in secmaster.writes("UpdateTask", TASK.id)]


async def redelivered(environment: BotEnvironment, times: int = 3) -> None:
    """Have the last event delivered again, and wait for whatever that starts."""
    event_id = last_event(environment.slack)
    for _ in range(times):
        assert (await environment.slack.redeliver(event_id)).status == 200
    await environment.app.services.background.drain()


async def test_an_edited_mention_does_nothing_and_says_so_once(environment: BotEnvironment) -> None:
    slack = environment.slack
    ts = await environment.card("task", TASK.id)
    said = await slack.say(ALICE, SOC, "@secmaster comment first", ts)
    await environment.replies(ts, 2)
    delivered = await slack.edit(ALICE, SOC, said["ts"], "@secmaster comment second")
    assert delivered
    assert delivered.status == 200
    await environment.ephemeral(ALICE, NOT_ACTED_ON, "your original message still counts")
    await slack.edit(ALICE, SOC, said["ts"], "@secmaster approve")
    await redelivered(environment)
    # Nor does one that was no mention before.
    said = await slack.say(DAVE, SOC, "nothing for the app")
    await slack.edit(DAVE, SOC, said["ts"], f"@secmaster task approve {TASK.id}")
    await environment.ephemeral(DAVE, NOT_ACTED_ON)
    # Slack tells of an edited direct message as it tells of a link's preview: that is not heard.
    said = await slack.say(ALICE, DM, "task aprove")
    await environment.posted(DM, "I don't know")
    await slack.edit(ALICE, DM, said["ts"], f"task approve {TASK.id}")
    await environment.app.services.background.drain()
    assert [comment[:5] for comment in comments(environment.secmaster)] == ["first"]
    assert environment.app.services.store.audit.entries(TASK)[-1]["action"] == "task.comment"


async def test_what_slack_delivers_too_late_does_nothing_and_says_so_once(
    environment: BotEnvironment,
) -> None:
    slack, url = environment.slack, environment.slack.request_url
    slack.request_url = "http://127.0.0.1:9/"  # the bot is away, and nobody hears this
    late = await slack.say(ALICE, SOC, f"@secmaster task comment {TASK.id} too late")
    late_event = last_event(slack)
    environment.clock.forward(minutes=3)
    await slack.say(ALICE, DM, f"task comment {TASK.id} just in time")
    slack.request_url = url
    environment.clock.forward(minutes=8)
    await redelivered(environment)
    await slack.until(lambda: comments(environment.secmaster))
    for _ in range(2):
        assert (await slack.redeliver(late_event)).status == 200
    await environment.ephemeral(ALICE, "more than ten minutes late")
    await slack.delivery.event(slack.delivery.events[late_event]["event"])
    await environment.app.services.background.drain()
    assert late["ts"]
    assert [comment[:12] for comment in comments(environment.secmaster)] == ["just in time"]
    slack.ignore_messages(channel=DM)


async def test_what_was_done_before_a_crash_is_not_called_undone_when_it_comes_late(
    environment: BotEnvironment,
) -> None:
    slack = environment.slack
    await slack.say(ALICE, SOC, f"@secmaster task comment {TASK.id} once")
    await environment.secmaster.until(lambda: comments(environment.secmaster))
    await environment.app.services.background.drain()
    environment.clock.forward(minutes=61)
    forget_answers(environment.app.engine, "of a process that died")
    await redelivered(environment)
    await environment.ephemeral(ALICE, "may have been carried out the first time")
    assert len(comments(environment.secmaster)) == 1
    slack.ignore_messages(channel=SOC)


@both_databases
async def test_a_mistype_a_refusal_and_a_question_are_answered_and_recorded_once(
    environment: BotEnvironment,
) -> None:
    slack = environment.slack
    await slack.say(DAVE, SOC, "@secmaster aprove")
    await redelivered(environment)
    await environment.ephemeral(DAVE, "I don't know “aprove”")
    await slack.say(DAVE, SOC, f"@secmaster task approve {TASK.id}")
    event = slack.delivery.events[last_event(slack)]["event"]
    # By a second subscription it comes under another id; all of them at the same moment.
    await asyncio.gather(*(slack.delivery.event(event) for _ in range(5)))
    await redelivered(environment)
    await environment.ephemeral(DAVE, "approver", "can do this (rule 1)")
    await slack.say(DAVE, SOC, "@secmaster whoami")
    await redelivered(environment)
    await environment.ephemeral(DAVE, "Roles:")
    assert len(slack.ephemerals(DAVE)) == 3
    [entry] = environment.app.services.store.audit.entries(TASK)
    assert entry["outcome"] == "refused"


async def test_a_refusal_that_a_proxy_delivers_twice_is_recorded_once(
    environment: BotEnvironment,
) -> None:
    slack = environment.slack
    ts = await environment.card("task", TASK.id)
    await slack.command(DAVE, SOC, f"/secmaster task approve {TASK.id}")
    await slack.delivery.command(slack.sent[-1].payload)
    await environment.ephemeral(DAVE, "approver", "can do this (rule 1)")
    await slack.press(DAVE, SOC, ts, "task.approve")
    await slack.delivery.interaction(slack.sent[-1].payload)
    for _ in range(2):
        await environment.ephemeral(DAVE, "approver", "can do this (rule 1)")
    entries = environment.app.services.store.audit.entries(TASK)
    assert [entry["outcome"] for entry in entries] == ["refused", "refused"]


async def delivered_to(
    slack: SlackRecorder, bot: BotProcess, event_id: str
) -> Awaitable[Delivered]:
    """Start to deliver an event again to one of the replicas."""
    slack.request_url = f"{bot.url}/slack/events"
    delivering = asyncio.create_task(slack.redeliver(event_id))
    await asyncio.sleep(0)
    return delivering


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_of_two_replicas_one_answers_and_takes_over_what_the_other_died_over(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    engine = connect(database_url)
    (tmp_path / "two").mkdir()
    async with (
        bot_process(slack, secmaster, database_url, tmp_path / "two", replica="two") as second,
        bot_process(slack, secmaster, database_url, tmp_path, replica="one") as first,
    ):
        await slack.say(ALICE, SOC, "@secmaster whoami")
        event_id = last_event(slack)
        deliveries = [await delivered_to(slack, bot, event_id) for bot in (first, second) * 4]
        assert {delivered.status for delivered in await asyncio.gather(*deliveries)} <= {200, 503}
        await slack.until(lambda: slack.ephemerals(ALICE))
        slack.request_url = f"{first.url}/slack/events"
        await slack.faults.set(Fault(on="conversations.info", hold=True))
        text = f"@secmaster task comment {TASK.id} not lost"
        saying = asyncio.create_task(slack.say(ALICE, SOC, text))
        await slack.faults.until_held("conversations.info")
        await first.kill()
        await saying
        await slack.faults.clear()
        # What the other did not answer it may still be at: Slack is to try again later.
        event_id = last_event(slack)
        assert (await (await delivered_to(slack, second, event_id))).status == 503
        assert comments(secmaster) == []
        forget_answers(engine)
        for _ in range(3):
            assert (await (await delivered_to(slack, second, event_id))).status == 200
        await slack.until(lambda: [m for m in slack.messages(SOC) if m["user"] == "U0BOT"])
        await secmaster.until(lambda: comments(secmaster))
        assert len(comments(secmaster)) == 1
        assert len(slack.ephemerals(ALICE)) == 1
    slack.ignore_messages(channel=SOC)
    engine.dispose()
