"""The bot is spoken to: in channels, in threads, in direct messages, and not by machines."""

import json

from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.town import ALICE, BOT, CAROL, DAVE, GUEST, SOC, Town

DM = "D0ALICE"
ISOLATE = Ref(kind="task", id=seed.TASK_ISOLATE)


async def test_a_mention_takes_the_same_words_as_the_command(town: Town):
    await town.slack.say(ALICE, SOC, f"@secmaster task approve {seed.TASK_ISOLATE} confirmed")
    ts = await town.slack.until(lambda: bots(town, SOC))
    [said] = await town.replies(ts)
    assert "*Approved* by <@U0ALICE>" in said
    assert "> confirmed" in said
    await town.slack.until(lambda: not town.buttons(ts))
    await town.slack.say(DAVE, SOC, "Hey @SecMaster help")
    await town.slack.say(DAVE, SOC, "@secmaster task list handled")
    await town.whispered(DAVE, "of 4 handled tasks")
    await town.slack.say(DAVE, SOC, "@secmaster whoami")
    await town.whispered(DAVE, "roles: *none*")
    await town.slack.say(DAVE, SOC, "@secmaster")
    await town.whispered(DAVE, "How to use /secmaster")


async def test_a_refused_or_wrong_mention_is_told_where_it_was_made(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.say(DAVE, SOC, "@secmaster approve", ts)
    await town.whispered(DAVE, "rule 1 leaves it to *approver*")
    await town.slack.say(DAVE, SOC, "@secmaster aprove", ts)
    await town.whispered(DAVE, "Did you mean `@SecMaster task approve`?")
    assert [one["thread_ts"] for one in town.slack.ephemerals(DAVE)] == [ts, ts]
    await town.slack.say(GUEST, SOC, f"@secmaster task approve {seed.TASK_ISOLATE}")
    await town.whispered(GUEST, "Guests may look, and change nothing.")
    assert [one for one in town.secmaster.requests if one.method == "PUT"] == []


async def test_in_the_thread_of_a_card_the_id_and_the_noun_may_be_left_out(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.say(ALICE, SOC, "@secmaster comment 这台主机 can go 👍", ts)
    [_asked, said] = await town.replies(ts, 2)
    assert "> 这台主机 can go 👍" in said
    await town.slack.say(ALICE, SOC, "@secmaster task approve it is the decoy", ts)
    said = (await town.replies(ts, 4))[-1]
    assert "*Approved* by <@U0ALICE>" in said
    assert "> it is the decoy" in said
    bodies = [one.body for one in town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)]
    assert [body["action"] for body in bodies] == ["ADD_COMMENT", "ADD_COMMENT", "CONTINUE"]
    assert bodies[0]["comment"].startswith("这台主机 can go 👍")
    run = await town.card("instance", seed.INSTANCE_FAILED)
    await town.slack.say(CAROL, SOC, "@secmaster retry", run)
    assert "*Retry started* by <@U0CAROL>" in (await town.replies(run, 2))[-1]
    await town.slack.say(CAROL, SOC, "@secmaster approve", run)
    await town.whispered(CAROL, "Did you mean")
    await town.slack.say(CAROL, SOC, "@secmaster task approve", run)
    await town.whispered(CAROL, "The id is missing.")
    assert len(town.slack.messages(SOC)) == 2


async def test_a_task_named_in_the_thread_of_another_is_answered_under_its_own_card(town: Town):
    other = await town.card("task", seed.TASK_ISOLATE)
    own = await town.card("task", seed.TASK_BLOCK_IP)
    text = f"@secmaster task approve {seed.TASK_BLOCK_IP}"
    await town.slack.say(ALICE, SOC, text, other)
    await town.slack.until(lambda: not town.buttons(own))
    await town.slack.until(lambda: "Approved" in json.dumps(town.slack.messages(SOC)))
    await town.slack.until(lambda: any("*Approved*" in line for line in everything(town)))
    assert [one["text"] for one in town.slack.thread(SOC, other)[2:]] == []
    [said] = [one["text"] for one in town.slack.thread(SOC, own)[1:]]
    assert "*Approved* by <@U0ALICE>" in said
    assert town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE) == []


async def test_in_a_thread_that_is_no_cards_the_card_is_posted_in_the_channel(town: Town):
    said = await town.slack.say(ALICE, SOC, "what about this host?")
    await town.slack.say(ALICE, SOC, "@secmaster approve", said["ts"])
    await town.whispered(ALICE, "I don't know “approve”")
    text = f"@secmaster task approve {seed.TASK_ISOLATE}"
    await town.slack.say(ALICE, SOC, text, said["ts"])
    ts = await town.slack.until(lambda: bots(town, SOC))
    assert "*Approved*" in (await town.replies(ts))[0]


async def test_a_card_that_was_posted_and_not_remembered_is_known_by_what_it_carries(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    async with town.app.services.cards.card_lock(ISOLATE, SOC):  # it is remembered by then
        [card] = town.app.services.store.cards_of(ISOLATE)
        town.app.services.store.forget_card(card)
    await town.slack.say(ALICE, SOC, "@secmaster approve it is the decoy", ts)
    assert "*Approved* by <@U0ALICE>" in (await town.replies(ts, 2))[-1]
    await town.slack.until(lambda: not town.buttons(ts))
    assert len([one for one in town.slack.messages(SOC) if one["user"] == BOT]) == 1


async def test_a_thread_that_slack_does_not_let_us_look_at_is_no_cards(town: Town):
    said = await town.slack.say(ALICE, SOC, "what about this host?")
    await town.slack.faults.set(Fault(on="conversations.replies", code="missing_scope", status=200))
    await town.slack.say(ALICE, SOC, "@secmaster approve", said["ts"])
    await town.whispered(ALICE, "I don't know “approve”")


async def test_a_direct_message_needs_no_mention(town: Town):
    await town.slack.say(ALICE, DM, "task list")
    await town.slack.until(lambda: said_in(town, "1-8 of 12 waiting tasks"))
    await town.slack.say(ALICE, DM, f"task approve {seed.TASK_ISOLATE}")
    ts = await town.slack.until(lambda: card_in(town, "Isolate host ecs-web-07"))
    [said] = await town.replies(ts, channel=DM)
    assert "*Approved* by <@U0ALICE>" in said
    await town.slack.until(lambda: not town.buttons(ts, channel=DM))
    await town.slack.say(ALICE, DM, "hello there")
    await town.slack.until(lambda: said_in(town, "I don't know “hello”"))
    await town.slack.command(ALICE, DM, f"/task comment {seed.TASK_ISOLATE} from my phone")
    assert "*Comment added*" in (await town.replies(ts, 2, channel=DM))[-1]
    await town.slack.say(ALICE, DM, "comment from the thread", ts)
    await town.replies(ts, 4, channel=DM)
    writes = town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    assert [one.body["action"] for one in writes] == ["CONTINUE", "ADD_COMMENT", "ADD_COMMENT"]


async def test_what_bots_say_and_what_is_edited_is_not_heard(town: Town):
    text = f"<@{BOT}> task approve {seed.TASK_ISOLATE}"
    plain = {"text": text, "channel": DM, "channel_type": "im", "type": "message"}
    heard = [
        plain | {"ts": "1.1", "user": BOT, "bot_id": "B0BOT"},
        plain | {"ts": "1.2", "user": "U0OTHERBOT", "bot_id": "B0OTHER"},
        plain | {"ts": "1.3", "subtype": "bot_message", "bot_id": "B0OTHER"},
        plain | {"ts": "1.4", "subtype": "message_changed", "message": {"user": ALICE}},
        plain | {"ts": "1.5", "subtype": "message_deleted", "deleted_ts": "1.1"},
        {"type": "app_mention", "text": text, "channel": SOC, "ts": "1.6", "bot_id": "B0OTHER"},
        plain | {"ts": "1.7", "user": ALICE, "channel": SOC, "channel_type": "channel"},
    ]
    for event in heard:
        delivered = await town.slack.delivery.event(event)
        assert (delivered.status, delivered.error) == (200, "")
    await town.slack.say(ALICE, SOC, f"@secmaster task comment {seed.TASK_ISOLATE} now")
    ts = await town.slack.until(lambda: bots(town, SOC))
    await town.replies(ts)
    [write] = town.secmaster.writes("UpdateTask")
    assert write.body["action"] == "ADD_COMMENT"
    assert town.slack.messages(DM) == []
    assert town.slack.ephemerals(ALICE) == []


async def test_an_action_delivered_again_is_done_once(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.say(ALICE, SOC, "@secmaster comment only once", ts)
    await town.replies(ts, 2)
    event = list(town.slack.delivery.events)[-1]
    for _ in range(3):
        delivered = await town.slack.redeliver(event)
        assert (delivered.status, delivered.error) == (200, "")
    await town.slack.say(ALICE, SOC, "@secmaster approve", ts)
    said = await town.replies(ts, 4)
    assert ["Comment added" in one for one in said] == [False, True, False, False]
    writes = town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    assert [one.body["action"] for one in writes] == ["ADD_COMMENT", "CONTINUE"]


async def test_a_request_to_show_delivered_again_posts_no_second_card(town: Town):
    await town.slack.say(ALICE, SOC, f"@secmaster task show {seed.TASK_ISOLATE}")
    await town.slack.until(lambda: bots(town, SOC))
    await town.slack.redeliver(list(town.slack.delivery.events)[-1])
    await town.slack.say(ALICE, SOC, f"@secmaster task show {seed.TASK_BLOCK_IP}")
    await town.slack.until(lambda: "Block IP" in json.dumps(town.slack.messages(SOC)))
    names = [one["text"] for one in town.slack.messages(SOC) if one["user"] == BOT]
    assert len([name for name in names if name.startswith("Isolate host")]) == 1


async def test_a_question_delivered_again_is_answered_once(town: Town):
    await town.slack.say(ALICE, SOC, "@secmaster whoami")
    await town.whispered(ALICE, "roles:")
    await town.slack.redeliver(list(town.slack.delivery.events)[-1])
    await town.slack.say(ALICE, SOC, "@secmaster help")
    await town.whispered(ALICE, "How to use")
    assert len([one for one in town.slack.ephemerals(ALICE) if "roles:" in one["text"]]) == 1


def bots(town: Town, channel: str) -> str:
    """The ts of the bot's first message in a channel."""
    own = [one["ts"] for one in town.slack.messages(channel) if one["user"] == BOT]
    return str(own[0]) if own else ""


def card_in(town: Town, name: str) -> str:
    found = [one["ts"] for one in town.slack.messages(DM) if one["text"].startswith(name)]
    return str(found[0]) if found else ""


def said_in(town: Town, text: str) -> bool:
    return any(text in one["text"] for one in town.slack.messages(DM))


def everything(town: Town) -> list[str]:
    """What was said in every thread of the channel."""
    cards = [one["ts"] for one in town.slack.messages(SOC)]
    return [one["text"] for ts in cards for one in town.slack.thread(SOC, ts)[1:]]
