"""With ``decide = "confirm"`` a command about what its writer does not see asks before it acts."""

import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.secmaster import seed
from tests.support.deliveries import forget_answers
from tests.support.environment import BotEnvironment, buttons, restarted
from tests.support.people import ALICE, BOB, CAROL, DAVE, ONCALL, RANDOM, SOC

TASK, OTHER, RUN = seed.TASK_ISOLATE, seed.TASK_BLOCK_IP, seed.INSTANCE_FAILED
CONFIRM = POLICY + f'\n[commands]\ndecide = "confirm"\n[channels]\nallow = ["{SOC}", "{ONCALL}"]\n'


@pytest.fixture
def rules() -> str:
    return CONFIRM


async def test_the_card_comes_with_the_question_and_nothing_is_recorded_before_the_answer(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK} it is the decoy")
    ts = await environment.slack.until(lambda: environment.new_card(SOC, set()))
    text = await environment.ephemeral(ALICE, "*Approve this task?* “Isolate host")
    assert "Nothing is recorded until you press the button." in text
    [question] = environment.slack.ephemerals(ALICE)
    assert buttons(question) == ["answer"]
    assert "it is the decoy" in json.dumps(question)
    assert acts(environment) == []
    await environment.slack.press(ALICE, SOC, question["ts"], "answer")
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0ALICE>" in reply
    assert "> it is the decoy" in reply
    await environment.ephemeral(ALICE, "Approving…")
    [answered] = environment.slack.ephemerals(ALICE)
    assert buttons(answered) == []
    # Its card is in this channel by now: a command is direct, and told that it came too late.
    await environment.slack.command(BOB, SOC, f"/task terminate {TASK}")
    await environment.ephemeral(BOB, "Finished")


@pytest.mark.parametrize(
    "rules",
    [CONFIRM.replace('task.terminate"]', 'task.terminate"]\napprovals = 2')],
    ids=["two"],
)
async def test_a_question_says_that_others_must_follow(
    environment: BotEnvironment, rules: str
) -> None:
    assert rules != CONFIRM
    follows = "You will be 1 of 2. Nothing is sent until 2 people have approved."
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK}")
    await environment.ephemeral(ALICE, "*Approve this task?* “Isolate host", follows)
    environment.ignore_messages("Isolate host", channel=SOC)
    assert acts(environment) == []


async def test_elsewhere_the_card_is_part_of_the_question_and_forms_keep_what_was_typed(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(DAVE, RANDOM, f"/task terminate {TASK}")
    await environment.ephemeral(DAVE, "approver", "can do this (rule 1)")
    await environment.slack.command(ALICE, RANDOM, f"/task terminate {TASK} not ours")
    await environment.ephemeral(ALICE, "*Terminate this task?* “Isolate host")
    [question] = environment.slack.ephemerals(ALICE)
    assert buttons(question) == ["answer"]
    assert f"`{TASK}`" in json.dumps(question)
    # It has changed since: what was asked is not what is decided.
    environment.secmaster.world.tasks[TASK]["name"] = "Isolate another host"
    await environment.slack.press(ALICE, RANDOM, question["ts"], "answer")
    await environment.ephemeral(ALICE, "Terminating…", "direct messages")
    await environment.ephemeral(ALICE, "Changed since you looked")
    assert acts(environment) == []
    assert environment.slack.messages(RANDOM) == []
    # A node's parameters are carried; those that are too long are asked for in the form.
    long_input = json.dumps([{"name": "ip", "value": "x" * 2500}])
    for typed, opened in (('[{"name": "ip"}]', False), (long_input, True)):
        await environment.slack.command(CAROL, RANDOM, f"/instance debug {RUN} node-1 {typed}")
        await environment.ephemeral(CAROL, "*Debug this run?* “")
        question = environment.slack.ephemerals(CAROL)[-1]
        assert ("too long for a button" in json.dumps(question)) is opened
        await environment.slack.press(CAROL, RANDOM, question["ts"], "answer")
        assert bool(environment.slack.views(CAROL)) is opened
    await environment.ephemeral(CAROL, "Sending the debug parameters…")
    await environment.secmaster.until(lambda: acts(environment))
    [sent] = acts(environment)
    assert (sent.body["task_id"], sent.body["input_dataobject"]) == ("node-1", '[{"name": "ip"}]')
    environment.ignore_messages(channel="D0CAROL")
    environment.ignore_messages(channel="D0ALICE")


async def test_a_mention_that_slack_delivers_again_decides_nothing_though_its_card_is_there(
    environment: BotEnvironment, database_url: str
) -> None:
    await environment.slack.say(ALICE, SOC, f"@secmaster task approve {TASK} seen")
    await environment.slack.until(lambda: environment.new_card(SOC, set()))
    await environment.ephemeral(ALICE, "*Approve this task?* “Isolate host")
    event_id = environment.slack.sent[-1].payload["event_id"]
    await environment.slack.redeliver(event_id)
    await environment.app.services.background.drain()
    assert len(environment.slack.ephemerals(ALICE)) == 1
    async with restarted(environment, database_url, CONFIRM) as successor:
        await successor.slack.redeliver(event_id)
        await successor.app.services.background.drain()
        assert len(successor.slack.ephemerals(ALICE)) == 1
        forget_answers(successor.app.engine)
        await successor.slack.redeliver(event_id)  # as if nobody had answered: it asks again
        await successor.ephemeral(ALICE, "*Approve this task?* “Isolate host")
        await successor.app.services.background.drain()
        assert acts(successor) == []
        successor.ignore_messages("Isolate host", channel=SOC)  # the second question's card


async def test_what_is_in_sight_or_decides_nothing_is_direct(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK)
    await environment.slack.say(ALICE, SOC, "@secmaster approve", ts)
    [_asked, reply] = await environment.replies(ts, 2)
    assert "*Approved by <@U0ALICE>" in reply
    await environment.slack.command(ALICE, SOC, f"/task comment {OTHER} seen before")
    ts = await environment.slack.until(lambda: environment.new_card(SOC, {ts}))
    assert "> seen before" in (await environment.replies(ts))[0]
    # In direct messages the question is a message as well, and never becomes a card.
    await environment.slack.say(CAROL, "D0CAROL", f"instance retry {RUN}")
    await environment.posted("D0CAROL", "*Retry this run?* “")
    messages = environment.slack.messages("D0CAROL")
    [question] = [message for message in messages if "answer" in buttons(message)]
    [card] = [message for message in messages if "instance.retry" in buttons(message)]
    await environment.slack.press(CAROL, "D0CAROL", question["ts"], "answer")
    [reply] = await environment.replies(card["ts"], channel="D0CAROL")
    assert "*Retry started by <@U0CAROL>" in reply
    await environment.posted("D0CAROL", "Starting the retry…")
    cards = environment.app.services.store.cards.cards_at("D0CAROL", question["ts"])
    assert cards == []


def acts(environment: BotEnvironment) -> list[Any]:
    """What was sent to SecMaster."""
    return [request for request in environment.secmaster.requests if request.method == "PUT"]
