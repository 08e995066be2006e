"""People write as people do: an id or a link alone, a verb without its noun, a greeting."""

import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.environment import BotEnvironment, buttons
from tests.support.people import ALICE, CAROL, DAVE, GUEST, SOC

TASK, RUN = seed.TASK_ISOLATE, seed.INSTANCE_FAILED
UNKNOWN = "3e4c170e-7cc9-11f0-9216-fa163e2fffff"
LINK = "https://console.huaweicloud.com/secmaster/?region=cn-north-4#/x/{}"
DM = "D0ALICE"
NONE_OF_EITHER = "No task or run with that ID in this workspace."


@pytest.fixture
def rules() -> str:
    return POLICY + '\n[commands]\ndecide = "confirm"\n'


async def test_an_id_or_a_link_alone_shows_the_card_of_whatever_it_is(
    environment: BotEnvironment,
) -> None:
    slack = environment.slack
    await slack.command(ALICE, SOC, f"/secmaster {TASK}")
    await environment.posted(SOC, "Isolate host ecs-web-07")
    await slack.say(ALICE, SOC, f"@secmaster {LINK.format(RUN)}")
    card = await slack.until(lambda: newest(environment, SOC, "instance.retry"))
    assert "instance.retry" in buttons(card)
    slack.mark_read(card["ts"])
    await slack.say(ALICE, DM, f"`{TASK.upper()}`")
    await environment.posted(DM, "Isolate host ecs-web-07")
    await slack.command(ALICE, SOC, f"/task {LINK.format(seed.TASK_BLOCK_IP)}")
    await environment.posted(SOC, "Block IP")
    await slack.command(ALICE, SOC, f"/secmaster show {RUN}")
    await environment.posted(SOC, card["text"][:20])
    await slack.command(ALICE, SOC, f"/secmaster {UNKNOWN}")
    assert "SecMaster." not in await environment.ephemeral(ALICE, NONE_OF_EITHER)
    await slack.command(GUEST, SOC, f"/secmaster {TASK}")
    await environment.ephemeral(GUEST, "Guests")
    assert acts(environment) == []


async def test_what_people_ask_in_their_own_words_is_a_list(environment: BotEnvironment) -> None:
    slack = environment.slack
    for words in ("What is waiting?", "list", "waiting", "hi, what's waiting"):
        text = await environment.answer(ALICE, f"/secmaster {words}")
        assert "Waiting tasks" in text
        assert "of 12" in text
    for words in (
        "search Isolate host",
        "show Isolate host",
        "task show Isolate host",
        "show ecs-web-07",
    ):
        assert "Waiting tasks" in await environment.answer(ALICE, f"/secmaster {words}")
        found = json.dumps(slack.ephemerals(ALICE)[-1])
        assert "Isolate host ecs-web-07" in found
        assert "Block IP" not in found
    for words in ("overdue", "What's overdue?", "task list overdue"):
        assert "Waiting tasks · 2" in await environment.answer(ALICE, f"/secmaster {words}")
    assert "Failed runs" in await environment.answer(ALICE, "/secmaster failed")
    await slack.say(ALICE, DM, "Thanks! 👍🏽")
    await environment.posted(DM, "You are welcome.")
    await slack.say(ALICE, DM, "你好！")
    await environment.posted(DM, "Hello!")
    [greeting] = [one for one in slack.messages(DM) if "Hello!" in one["text"]]
    assert buttons(greeting) == ["start.waiting", "start.oncall", "start.help"]
    ts = await environment.card("task", TASK)
    await slack.say(ALICE, SOC, "@secmaster 👍", ts)
    await environment.ephemeral(
        ALICE, "You are welcome.", "Nothing was sent to SecMaster: to decide"
    )
    await slack.say(ALICE, DM, "could you look at the firewall for me?")
    text = await environment.posted(DM, "I only understand commands.")
    assert "SecMaster" not in text
    for button, answer in (("start.waiting", "Waiting tasks"), ("start.help", "How to use")):
        await slack.press(ALICE, DM, greeting["ts"], button)
        await environment.ephemeral(ALICE, answer)
    assert acts(environment) == []


async def test_an_unknown_word_never_leads_to_a_write(environment: BotEnvironment) -> None:
    for words, said in (
        ("mnie", "I don't know “mnie”."),
        ("approval", "I don't know “approval”."),
        ("searhc", "I don't know “searhc”."),
    ):
        text = await environment.answer(ALICE, f"/secmaster {words}")
        assert said in text
        assert "Did you mean" not in text
        assert "Nothing was sent" not in text
    text = await environment.answer(ALICE, f"/secmaster teminate {TASK} a decoy")
    assert f"Did you mean `/secmaster terminate {TASK} a decoy`?" in text
    assert "Nothing was sent to SecMaster." in text
    assert buttons(environment.slack.ephemerals(ALICE)[-1]) == []
    assert environment.secmaster.requests == []


async def test_a_decision_needs_no_noun_and_asks_first(environment: BotEnvironment) -> None:
    slack = environment.slack
    await slack.command(ALICE, SOC, f"/secmaster approve {TASK} it is the decoy")
    ts = await slack.until(lambda: environment.new_card(SOC, set()))
    await environment.ephemeral(ALICE, "*Approve this task?* “Isolate host")
    [question] = slack.ephemerals(ALICE)
    assert buttons(question) == ["answer"]
    assert acts(environment) == []
    await slack.press(ALICE, SOC, question["ts"], "answer")
    [reply] = await environment.replies(ts)
    assert "it is the decoy" in reply
    assert [sent.body["action"] for sent in acts(environment)] == ["ADD_COMMENT", "CONTINUE"]
    text = await environment.answer(ALICE, f"/secmaster approve {TASK} {UNKNOWN}")
    assert "One task at a time. For several tasks: `/secmaster task several`" in text
    environment.ignore_messages(user=ALICE)


async def test_what_may_be_of_both_kinds_is_sent_to_what_the_id_is_or_to_nothing(
    environment: BotEnvironment,
) -> None:
    slack, seen = environment.slack, set[str]()
    for user, object_id, name in (
        (ALICE, seed.TASK_BLOCK_IP, "*Terminate this task?* “Block IP"),
        (CAROL, RUN, "*Terminate this run?* “"),
    ):
        await slack.command(user, SOC, f"/secmaster terminate {object_id} not ours")
        seen.add(await slack.until(lambda: environment.new_card(SOC, seen)))
        await environment.ephemeral(user, name)
    actions = [json.dumps(slack.ephemerals(user)) for user in (ALICE, CAROL)]
    assert "task.terminate" in actions[0]
    assert "instance.terminate" in actions[1]
    assert NONE_OF_EITHER in await environment.answer(ALICE, f"/secmaster terminate {UNKNOWN}")
    # In the thread of a card too the id decides that is written.
    await slack.say(CAROL, SOC, f"@secmaster terminate {UNKNOWN} not ours", min(seen))
    await environment.ephemeral(CAROL, NONE_OF_EITHER)
    # What can't be read can't be told apart: which one is meant is asked, by commands to copy.
    before = len(environment.secmaster.requests)
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=503))
    other = seed.TASK_DISABLE_USER
    text = await environment.answer(ALICE, f"/secmaster terminate {other} not ours")
    assert "Is that a task or a run?" in text
    assert f"`/secmaster task terminate {other} not ours`" in text
    assert f"`/secmaster instance terminate {other} not ours`" in text
    assert "Nothing was sent to SecMaster." in text
    assert len(environment.secmaster.requests) > before
    await environment.secmaster.faults.clear()
    # Whoever may terminate neither is refused as ever, and learns nothing of what it is.
    for user, said in ((GUEST, "Guests can't"), (DAVE, "*approver*")):
        text = await environment.answer(user, f"/secmaster terminate {other}")
        assert said in text
        assert "was not sent" in text
    assert acts(environment) == []


async def test_where_secmaster_has_no_playbook_runs_an_id_is_of_what_there_is(
    environment: BotEnvironment,
) -> None:
    gone = Fault(on="ShowPlaybookInstance", status=404, code="APIGW.0101")
    await environment.secmaster.faults.set(gone)
    for words in (UNKNOWN, f"show {UNKNOWN}", f"why {UNKNOWN}", f"retry {UNKNOWN}"):
        assert NONE_OF_EITHER in await environment.answer(CAROL, f"/secmaster {words}")
    assert "Waiting tasks" in await environment.answer(CAROL, "/secmaster show ecs-web-07")
    text = await environment.answer(CAROL, f"/secmaster playbook show {UNKNOWN}")
    assert "before it reached SecMaster" in text
    await environment.slack.command(CAROL, SOC, f"/secmaster retry {RUN}")
    await environment.slack.until(lambda: environment.new_card(SOC, set()))
    await environment.ephemeral(CAROL, "*Retry this run?* “")
    environment.ignore_messages(user=CAROL)


def newest(environment: BotEnvironment, channel: str, button: str) -> dict[str, Any]:
    """The newest message of a channel that has this button; empty if there is none."""
    messages = [m for m in environment.slack.messages(channel) if button in buttons(m)]
    return dict(messages[-1]) if messages else {}


def acts(environment: BotEnvironment) -> list[Any]:
    """What was sent to SecMaster."""
    return [request for request in environment.secmaster.requests if request.method == "PUT"]
