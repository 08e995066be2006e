"""The bot is spoken to: in channels, in threads, in direct messages, and not by machines."""

import json
from typing import Any

from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOT, CAROL, DAVE, GUEST, SOC

DM = "D0ALICE"
ISOLATE = Ref(kind="task", id=seed.TASK_ISOLATE)


async def test_a_mention_takes_the_same_words_as_the_command(environment: BotEnvironment) -> None:
    await environment.slack.say(
        ALICE, SOC, f"@secmaster task approve {seed.TASK_ISOLATE} confirmed"
    )
    ts = await environment.slack.until(lambda: bots(environment, SOC))
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0ALICE>" in reply
    assert "> confirmed" in reply
    await environment.slack.until(lambda: not environment.buttons(ts))
    await environment.slack.say(DAVE, SOC, "Hey @SecMaster help")
    await environment.ephemeral(DAVE, "How to use /secmaster")
    await environment.slack.say(DAVE, SOC, "@secmaster task list handled")
    await environment.ephemeral(DAVE, "Handled tasks · 4")
    await environment.slack.say(DAVE, SOC, "@secmaster whoami")
    await environment.ephemeral(DAVE, "Roles: *reader*")
    await environment.slack.say(DAVE, SOC, "@secmaster")
    await environment.ephemeral(DAVE, "How to use /secmaster")


async def test_a_refused_or_wrong_mention_is_told_where_it_was_made(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.say(DAVE, SOC, "@secmaster approve", ts)
    await environment.ephemeral(DAVE, "approver", "can do this (rule 1)")
    await environment.slack.say(DAVE, SOC, "@secmaster aprove", ts)
    await environment.ephemeral(DAVE, "Did you mean `@SecMaster task approve`?")
    assert [one["thread_ts"] for one in environment.slack.ephemerals(DAVE)] == [ts, ts]
    await environment.slack.say(GUEST, SOC, f"@secmaster task approve {seed.TASK_ISOLATE}")
    await environment.ephemeral(GUEST, "Guests can't read or change anything here.")
    assert [one for one in environment.secmaster.requests if one.method == "PUT"] == []


async def test_in_the_thread_of_a_card_the_id_and_the_noun_may_be_left_out(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.say(ALICE, SOC, "@secmaster comment 这台主机 can go 👍", ts)
    [_asked, reply] = await environment.replies(ts, 2)
    assert "> 这台主机 can go 👍" in reply
    await environment.slack.say(ALICE, SOC, "@secmaster task approve it is the decoy", ts)
    reply = (await environment.replies(ts, 4))[-1]
    assert "*Approved by <@U0ALICE>" in reply
    assert "> it is the decoy" in reply
    bodies = [one.body for one in environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)]
    assert [body["action"] for body in bodies] == ["ADD_COMMENT", "ADD_COMMENT", "CONTINUE"]
    assert bodies[0]["comment"].startswith("这台主机 can go 👍")
    run = await environment.card("instance", seed.INSTANCE_FAILED)
    await environment.slack.say(CAROL, SOC, "@secmaster retry", run)
    assert "*Retry started by <@U0CAROL>" in (await environment.replies(run, 2))[-1]
    await environment.slack.say(CAROL, SOC, "@secmaster approve", run)
    await environment.ephemeral(CAROL, "Which task? Add its ID.")
    await environment.slack.say(CAROL, SOC, "@secmaster task approve", run)
    await environment.ephemeral(CAROL, "Which task? Add its ID.")
    assert len(environment.slack.messages(SOC)) == 2


async def test_a_task_named_in_the_thread_of_another_is_answered_under_its_own_card(
    environment: BotEnvironment,
) -> None:
    other = await environment.card("task", seed.TASK_ISOLATE)
    own_card = await environment.card("task", seed.TASK_BLOCK_IP)
    text = f"@secmaster task approve {seed.TASK_BLOCK_IP}"
    await environment.slack.say(ALICE, SOC, text, other)
    await environment.slack.until(lambda: not environment.buttons(own_card))
    await environment.slack.until(lambda: "Approved" in json.dumps(environment.slack.messages(SOC)))
    await environment.slack.until(
        lambda: any("*Approved by" in line for line in everything(environment))
    )
    assert [one["text"] for one in environment.slack.thread(SOC, other)[2:]] == []
    [reply] = [one["text"] for one in environment.slack.thread(SOC, own_card)[1:]]
    assert "*Approved by <@U0ALICE>" in reply
    assert environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE) == []


async def test_in_a_thread_that_is_no_cards_the_card_is_posted_in_the_channel(
    environment: BotEnvironment,
) -> None:
    message = await environment.slack.say(ALICE, SOC, "what about this host?")
    await environment.slack.say(ALICE, SOC, "@secmaster approve", message["ts"])
    await environment.ephemeral(ALICE, "Which task? Add its ID.")
    text = f"@secmaster task approve {seed.TASK_ISOLATE}"
    await environment.slack.say(ALICE, SOC, text, message["ts"])
    ts = await environment.slack.until(lambda: bots(environment, SOC))
    assert "*Approved by" in (await environment.replies(ts))[0]
    await environment.slack.until(lambda: not environment.buttons(ts))


async def test_a_card_that_was_posted_and_not_remembered_is_known_by_what_it_carries(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    async with environment.app.services.cards.card_lock(ISOLATE, SOC):  # it is remembered by then
        [card] = environment.app.services.store.cards.cards_of(ISOLATE)
        environment.app.services.store.cards.forget_card(card)
    await environment.slack.say(ALICE, SOC, "@secmaster approve it is the decoy", ts)
    assert "*Approved by <@U0ALICE>" in (await environment.replies(ts, 2))[-1]
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert len([one for one in environment.slack.messages(SOC) if one["user"] == BOT]) == 1


async def test_a_thread_that_slack_does_not_let_us_look_at_is_no_cards(
    environment: BotEnvironment,
) -> None:
    message = await environment.slack.say(ALICE, SOC, "what about this host?")
    await environment.slack.faults.set(
        Fault(on="conversations.replies", code="missing_scope", status=200)
    )
    await environment.slack.say(ALICE, SOC, "@secmaster approve", message["ts"])
    await environment.ephemeral(ALICE, "Which task? Add its ID.")


async def test_a_direct_message_needs_no_mention(environment: BotEnvironment) -> None:
    await environment.slack.say(ALICE, DM, "task list")
    await environment.slack.until(lambda: said_in(environment, "Waiting tasks · 1–8 of 12"))
    await environment.slack.say(ALICE, DM, f"task approve {seed.TASK_ISOLATE}")
    ts = await environment.slack.until(lambda: card_in(environment, "Isolate host ecs-web-07"))
    [reply] = await environment.replies(ts, channel=DM)
    assert "*Approved by <@U0ALICE>" in reply
    await environment.slack.until(lambda: not environment.buttons(ts, channel=DM))
    await environment.slack.say(ALICE, DM, "hello there")
    await environment.slack.until(lambda: said_in(environment, "Hello! I show SecMaster's tasks"))
    await environment.slack.command(ALICE, DM, f"/task comment {seed.TASK_ISOLATE} from my phone")
    assert "*Comment added by" in (await environment.replies(ts, 2, channel=DM))[-1]
    await environment.slack.say(ALICE, DM, "comment from the thread", ts)
    await environment.replies(ts, 4, channel=DM)
    writes = environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    assert [one.body["action"] for one in writes] == ["CONTINUE", "ADD_COMMENT", "ADD_COMMENT"]


async def test_what_bots_say_and_what_is_edited_is_not_heard(environment: BotEnvironment) -> None:
    text = f"<@{BOT}> task approve {seed.TASK_ISOLATE}"
    plain: dict[str, Any] = {"text": text, "channel": DM, "channel_type": "im", "type": "message"}
    events: list[dict[str, Any]] = [
        plain | {"ts": "1.1", "user": BOT, "bot_id": "B0BOT"},
        plain | {"ts": "1.2", "user": "U0OTHERBOT", "bot_id": "B0OTHER"},
        plain | {"ts": "1.3", "subtype": "bot_message", "bot_id": "B0OTHER"},
        plain | {"ts": "1.4", "subtype": "message_changed", "message": {"user": ALICE}},
        plain | {"ts": "1.5", "subtype": "message_deleted", "deleted_ts": "1.1"},
        {"type": "app_mention", "text": text, "channel": SOC, "ts": "1.6", "bot_id": "B0OTHER"},
        plain | {"ts": "1.7", "user": ALICE, "channel": SOC, "channel_type": "channel"},
    ]
    for event in events:
        delivered = await environment.slack.delivery.event(event)
        assert (delivered.status, delivered.error) == (200, "")
    await environment.slack.say(ALICE, SOC, f"@secmaster task comment {seed.TASK_ISOLATE} now")
    ts = await environment.slack.until(lambda: bots(environment, SOC))
    await environment.replies(ts)
    [write] = environment.secmaster.writes("UpdateTask")
    assert write.body["action"] == "ADD_COMMENT"
    assert environment.slack.messages(DM) == []
    assert environment.slack.ephemerals(ALICE) == []
    assert "task.approve" in environment.buttons(ts)


async def test_an_action_delivered_again_is_done_once(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.say(ALICE, SOC, "@secmaster comment only once", ts)
    await environment.replies(ts, 2)
    event = list(environment.slack.delivery.events)[-1]
    for _ in range(3):
        delivered = await environment.slack.redeliver(event)
        assert (delivered.status, delivered.error) == (200, "")
    await environment.slack.say(ALICE, SOC, "@secmaster approve", ts)
    replies = await environment.replies(ts, 4)
    assert ["Comment added" in one for one in replies] == [False, True, False, False]
    writes = environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    assert [one.body["action"] for one in writes] == ["ADD_COMMENT", "CONTINUE"]


async def test_a_request_to_show_delivered_again_posts_no_second_card(
    environment: BotEnvironment,
) -> None:
    await environment.slack.say(ALICE, SOC, f"@secmaster task show {seed.TASK_ISOLATE}")
    await environment.slack.until(lambda: bots(environment, SOC))
    await environment.slack.redeliver(list(environment.slack.delivery.events)[-1])
    await environment.slack.say(ALICE, SOC, f"@secmaster task show {seed.TASK_BLOCK_IP}")
    await environment.slack.until(lambda: "Block IP" in json.dumps(environment.slack.messages(SOC)))
    names = [one["text"] for one in environment.slack.messages(SOC) if one["user"] == BOT]
    assert len([name for name in names if name.startswith("Isolate host")]) == 1


async def test_a_question_delivered_again_is_answered_once(environment: BotEnvironment) -> None:
    await environment.slack.say(ALICE, SOC, "@secmaster whoami")
    await environment.ephemeral(ALICE, "Roles:")
    await environment.slack.redeliver(list(environment.slack.delivery.events)[-1])
    await environment.slack.say(ALICE, SOC, "@secmaster help")
    await environment.ephemeral(ALICE, "How to use")
    assert len([one for one in environment.slack.ephemerals(ALICE) if "Roles:" in one["text"]]) == 1


def bots(environment: BotEnvironment, channel: str) -> str:
    """The ts of the bot's first message in a channel."""
    messages = [one["ts"] for one in environment.slack.messages(channel) if one["user"] == BOT]
    return str(messages[0]) if messages else ""


def card_in(environment: BotEnvironment, name: str) -> str:
    messages = [one["ts"] for one in environment.slack.messages(DM) if one["text"].startswith(name)]
    return str(messages[0]) if messages else ""


def said_in(environment: BotEnvironment, text: str) -> bool:
    return any(text in one["text"] for one in environment.slack.messages(DM))


def everything(environment: BotEnvironment) -> list[str]:
    """What was said in every thread of the channel."""
    cards = [one["ts"] for one in environment.slack.messages(SOC)]
    return [one["text"] for ts in cards for one in environment.slack.thread(SOC, ts)[1:]]
