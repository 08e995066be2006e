"""What asks for several people is sent once so many have said yes, and told to all on the way."""

import asyncio
import functools
import json

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, seed
from tests.town import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    GUEST,
    ONCALL,
    RANDOM,
    SOC,
    Town,
    both_databases,
    policy,
)

TWO = f"""
[[rules]]
name = "grave"
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
break_glass = ["oncall"]
{POLICY}
[break_glass]
channel = "{ONCALL}"
"""

THREE = TWO.replace("approvals = 2", "approvals = 3").replace(
    'usergroups = ["S0SOC"]', f'usergroups = ["S0SOC"]\nusers = ["{CAROL}"]'
)
ALSO_CAROL = THREE.replace("approvals = 3", "approvals = 2")
BRIEF = ALSO_CAROL.replace("approvals = 2", 'approvals = 2\nexpires = "1s"')
REASONS = TWO.replace("approvals = 2", 'approvals = 2\nreason = "required"')
RETRY = f"""
[[rules]]
actions = ["instance.retry"]
roles = ["oncall", "approver"]
approvals = 2
{POLICY}
"""
with_rules = functools.partial(pytest.mark.parametrize, "rules", indirect=True)


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", TWO))


@both_databases
async def test_the_second_persons_yes_sends_it_and_both_are_named(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*1 of 2 said yes* to the approval: now <@U0ALICE>" in said
    await town.slack.until(lambda: "1 of 2 said yes" in texts(town, ts))
    assert {"withdraw", "refuse", "break-glass"} < set(town.buttons(ts))
    assert decisions(town) == []
    await town.slack.press(BOB, SOC, ts, "task.approve")
    said = (await town.replies(ts, 2))[-1]
    assert "*Approved* by <@U0BOB>, with <@U0ALICE>" in said
    assert "rule 1 (grave)" in said
    await town.slack.until(lambda: not town.buttons(ts))
    assert decisions(town) == ["CONTINUE"]


async def test_pressing_twice_is_one_yes(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.replies(ts)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert "one more must say so" in await town.whispered(ALICE, "You have said yes")
    assert decisions(town) == []


async def test_a_yes_can_be_taken_back_before_the_last(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.slack.until(lambda: "withdraw" in town.buttons(ts))
    await town.slack.press(ALICE, SOC, ts, "withdraw")
    assert "<@U0ALICE> took their yes" in (await town.replies(ts, 2))[-1]
    await town.slack.until(lambda: "withdraw" not in town.buttons(ts))
    await town.slack.press(BOB, SOC, ts, "task.approve")
    assert "*1 of 2 said yes* to the approval: now <@U0BOB>" in (await town.replies(ts, 3))[-1]
    assert decisions(town) == []


async def test_breaking_the_glass_needs_a_reason_and_is_announced(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.slack.until(lambda: "break-glass" in town.buttons(ts))
    await town.slack.press(CAROL, SOC, ts, "break-glass")
    [view] = town.slack.views(CAROL)
    refused = await town.slack.submit(CAROL, view["id"], {"reason": " "})
    assert "A reason is required." in json.dumps(refused.body)
    await town.slack.submit(CAROL, view["id"], {"reason": "it spreads"})
    said = (await town.replies(ts, 2))[-1]
    assert "*Approved* by <@U0CAROL>, who broke the glass, with <@U0ALICE>" in said
    told = await town.slack.until(
        lambda: [m["text"] for m in town.slack.messages(ONCALL) if "broke the glass" in m["text"]]
    )
    assert "it spreads" in told[0]
    assert decisions(town) == ["CONTINUE"]


@with_rules([THREE], ids=["three"])
async def test_three_of_three(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    assert "2 more people must say so" in (await say_yes(town, ALICE, ts, 1)).lower()
    assert "*2 of 3 said yes*" in await say_yes(town, BOB, ts, 2)
    assert decisions(town) == []
    said = await say_yes(town, CAROL, ts, 3)
    assert "*Approved* by <@U0CAROL>, with <@U0ALICE> and <@U0BOB>" in said
    assert decisions(town) == ["CONTINUE"]


async def test_one_person_on_two_cards_is_one_yes(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    other = await town.card("task", seed.TASK_ISOLATE, channel=RANDOM)
    await say_yes(town, ALICE, ts, 1)
    await town.slack.until(lambda: "1 of 2 said yes" in texts(town, other, channel=RANDOM))
    await town.slack.press(ALICE, RANDOM, other, "task.approve")
    assert await town.whispered(ALICE, "You have said yes")
    assert decisions(town) == []
    assert "with <@U0ALICE>" in await say_yes(town, BOB, ts, 2)
    await town.slack.until(lambda: not town.buttons(other, channel=RANDOM))
    assert decisions(town) == ["CONTINUE"]


async def test_another_approver_ends_it_and_it_is_told_whose_yes_no_longer_counts(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await say_yes(town, ALICE, ts, 1)
    await town.slack.until(lambda: "refuse" in town.buttons(ts))
    await town.slack.press(BOB, SOC, ts, "refuse")
    said = (await town.replies(ts, 2))[-1]
    assert "*<@U0BOB> refused the approval.* The yes of <@U0ALICE> no longer counts." in said
    await town.slack.until(lambda: "refuse" not in town.buttons(ts))
    assert "*1 of 2 said yes*" in await say_yes(town, BOB, ts, 3)
    assert decisions(town) == []


async def test_refusing_needs_the_right_and_taking_back_only_touches_ones_own(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await say_yes(town, ALICE, ts, 1)
    await town.slack.until(lambda: "refuse" in town.buttons(ts))
    await town.slack.press(DAVE, SOC, ts, "refuse")
    assert await town.whispered(DAVE, "rule 1 (grave) leaves it to *approver*")
    await town.slack.press(DAVE, SOC, ts, "withdraw")
    assert await town.whispered(DAVE, "no approval that waits for a yes of yours")
    assert "with <@U0ALICE>" in await say_yes(town, BOB, ts, 2)


async def test_guests_neither_say_yes_nor_refuse(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await say_yes(town, ALICE, ts, 1)
    await town.slack.until(lambda: "refuse" in town.buttons(ts))
    for button in ("task.approve", "refuse", "break-glass"):
        await town.slack.press(GUEST, SOC, ts, button)
    told = await town.slack.until(lambda: town.slack.ephemerals(GUEST)[2:] and guest(town))
    assert all("Guests may look, and change nothing." in each for each in told)
    assert "1 of 2 said yes" in texts(town, ts)
    assert decisions(town) == []


async def test_to_want_the_opposite_ends_it(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await say_yes(town, ALICE, ts, 1)
    await town.slack.press(BOB, SOC, ts, "task.terminate")
    await town.slack.submit(BOB, town.slack.views(BOB)[-1]["id"], {"reason": "a drill"})
    said = (await town.replies(ts, 2))[-1]
    assert "by <@U0BOB>" in said
    assert "This ended the approval that <@U0ALICE> had said yes to." in said
    assert decisions(town) == ["TERMINATE"]


@both_databases
@with_rules([BRIEF], ids=["brief"])
async def test_what_too_few_wanted_in_time_lapses_and_a_later_yes_starts_anew(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await say_yes(town, ALICE, ts, 1)
    said = (await town.replies(ts, 2))[-1]
    assert "*The approval lapsed*: 1 of 2 said yes in time (<@U0ALICE>)" in said
    await town.slack.until(lambda: "said yes" not in texts(town, ts))
    assert "*1 of 2 said yes* to the approval: now <@U0BOB>" in await say_yes(town, BOB, ts, 3)
    assert decisions(town) == []


@with_rules([BRIEF], ids=["brief"])
async def test_a_yes_that_is_kept_longer_than_it_lasts_is_never_enough(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.secmaster.faults.set(Fault(on="ShowTask", delay=1.2, times=1))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert "too long ago to still be meant" in (await town.replies(ts))[0]
    assert decisions(town) == []


@with_rules([TWO + "[watch]\nevery = 0.05\n"], ids=["watched"])
async def test_a_decision_in_the_console_ends_it_with_the_next_look(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await say_yes(town, ALICE, ts, 1)
    evera = Person("console-evera", "Evera")
    town.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "TERMINATE"}, evera)
    await town.slack.until(lambda: "Decided outside Slack by Evera" in texts(town, ts))
    assert "said yes" not in texts(town, ts)
    await town.slack.command(BOB, SOC, f"/task approve {seed.TASK_ISOLATE}")
    assert await town.whispered(BOB, "already decided", "outside Slack by Evera")
    assert decisions(town) == []


@both_databases
async def test_what_secmaster_refused_is_asked_for_anew_by_all(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await say_yes(town, ALICE, ts, 1)
    await town.secmaster.faults.set(Fault(on="UpdateTask", status=403, times=1))
    assert "SecMaster refused the approval" in await say_yes(town, BOB, ts, 2)
    await town.slack.until(lambda: "withdraw" not in town.buttons(ts))
    assert "*1 of 2 said yes*" in await say_yes(town, ALICE, ts, 3)
    assert "*Approved* by <@U0BOB>, with <@U0ALICE>" in await say_yes(town, BOB, ts, 4)
    assert decisions(town)[-1:] == ["CONTINUE"]


async def test_by_command_and_by_mention_in_the_thread(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.command(ALICE, SOC, f"/task approve {seed.TASK_ISOLATE} it spreads")
    assert "*1 of 2 said yes*" in (await town.replies(ts))[-1]
    await town.slack.until(lambda: "it spreads" in texts(town, ts))
    await town.slack.say(BOB, SOC, "@secmaster approve seen it too", ts)
    said = (await town.replies(ts, 3))[-1]
    assert "*Approved* by <@U0BOB>, with <@U0ALICE>" in said


async def test_taking_back_and_refusing_by_command(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.command(ALICE, SOC, f"/task withdraw {seed.TASK_ISOLATE}")
    assert await town.whispered(ALICE, "Nothing about task", "waits for more people")
    await say_yes(town, ALICE, ts, 1)
    await town.slack.command(ALICE, SOC, f"/task withdraw {seed.TASK_ISOLATE}")
    assert "<@U0ALICE> took their yes to the approval back" in (await town.replies(ts, 2))[-1]
    await say_yes(town, ALICE, ts, 3)
    await town.slack.command(BOB, SOC, f"/task refuse {seed.TASK_ISOLATE} it is the decoy")
    said = (await town.replies(ts, 4))[-1]
    assert "*<@U0BOB> refused the approval.*" in said
    assert "> it is the decoy" in said
    assert decisions(town) == []


@with_rules([RETRY], ids=["retry"])
async def test_a_retry_by_two(town: Town):
    ts = await town.card("instance", seed.INSTANCE_FAILED)
    await town.slack.press(CAROL, SOC, ts, "instance.retry")
    assert "*1 of 2 said yes* to the retry" in (await town.replies(ts))[-1]
    assert town.secmaster.writes("UpdateWorkflowInstance") == []
    await town.slack.press(ALICE, SOC, ts, "instance.retry")
    said = (await town.replies(ts, 2))[-1]
    assert "*Retry started* by <@U0ALICE>, with <@U0CAROL>" in said
    assert len(town.secmaster.writes("UpdateWorkflowInstance")) == 1


@with_rules([REASONS], ids=["reasons"])
async def test_the_reasons_of_all_reach_secmaster(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    for number, (who, why) in enumerate(((ALICE, "it spreads"), (BOB, "host is drained")), 1):
        await town.slack.press(who, SOC, ts, "task.approve")
        await town.slack.submit(who, town.slack.views(who)[-1]["id"], {"reason": why})
        await town.replies(ts, number)
    bodies = [one.body for one in town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)]
    assert [body["action"] for body in bodies] == ["ADD_COMMENT", "CONTINUE"]
    assert "host is drained" in bodies[0]["comment"]
    assert f"(Slack {ALICE}): it spreads" in bodies[0]["comment"]


@both_databases
@with_rules([ALSO_CAROL], ids=["also-carol"])
async def test_of_two_last_votes_at_once_one_sends_and_the_other_is_told_so(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await say_yes(town, ALICE, ts, 1)
    await asyncio.gather(
        town.slack.press(BOB, SOC, ts, "task.approve"),
        town.slack.press(CAROL, SOC, ts, "task.approve"),
    )
    said = (await town.replies(ts, 2))[-1]
    assert "with <@U0ALICE>" in said
    winner, loser = (BOB, CAROL) if f"*Approved* by <@{BOB}>" in said else (CAROL, BOB)
    assert f"*Approved* by <@{winner}>" in said
    assert "Your approval was not sent" in await town.whispered(loser, f"<@{winner}>")
    assert decisions(town) == ["CONTINUE"]


@both_databases
async def test_ten_clicks_of_two_people_are_one_write(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    presses = [town.slack.press(who, SOC, ts, "task.approve") for who in (ALICE, BOB) * 5]
    await asyncio.gather(*presses)
    # Each is told by a flow of its own, so either may come first.
    said = " ".join(await town.replies(ts, 2))
    assert "*1 of 2 said yes*" in said
    assert "*Approved*" in said
    await town.slack.until(
        lambda: len(town.slack.ephemerals(ALICE)) + len(town.slack.ephemerals(BOB)) == 8
    )
    assert len(await town.replies(ts, 2)) == 2
    assert decisions(town) == ["CONTINUE"]


async def test_whoever_has_lost_the_right_is_counted_no_longer(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await say_yes(town, ALICE, ts, 1)
    without_alice = TWO.replace('usergroups = ["S0SOC"]', f'users = ["{BOB}", "{CAROL}"]')
    town.app.policy.current = policy(without_alice)
    said = await say_yes(town, BOB, ts, 2)
    assert "*1 of 2 said yes*" in said
    assert "The yes of <@U0ALICE> no longer counts: they may not say it any more." in said
    assert decisions(town) == []
    assert "*Approved* by <@U0CAROL>, with <@U0BOB>" in await say_yes(town, CAROL, ts, 3)
    assert decisions(town) == ["CONTINUE"]
    rows = town.app.services.store.audit_entries(Ref(kind="task", id=seed.TASK_ISOLATE))
    [struck] = [row for row in rows if row["outcome"] == "struck"]
    assert struck["actor"]["id"] == ALICE


async def test_a_refusal_is_of_what_its_button_says_and_of_nothing_else(town: Town):
    both = TWO.replace('actions = ["task.approve"]', 'actions = ["task.approve", "task.terminate"]')
    town.app.policy.current = policy(both)
    ts = await town.card("task", seed.TASK_ISOLATE)
    await say_yes(town, ALICE, ts, 1)
    await town.slack.until(lambda: "refuse" in town.buttons(ts))
    await town.slack.faults.set(Fault(on="chat.update", hold=True))
    await town.slack.press(BOB, SOC, ts, "task.terminate")
    await town.slack.submit(BOB, town.slack.views(BOB)[-1]["id"], {"reason": "a decoy"})
    assert "This ended the approval" in (await town.replies(ts, 2))[-1]
    await town.slack.press(ALICE, SOC, ts, "refuse")  # of the approval: it is over already
    assert "Nothing was changed" in await town.whispered(ALICE, "There is no approval that waits")
    await town.slack.faults.clear()
    await town.slack.until(lambda: "Termination: 1 of 2 said yes" in texts(town, ts))


def guest(town: Town) -> list[str]:
    return [message["text"] for message in town.slack.ephemerals(GUEST)]


async def say_yes(town: Town, user: str, ts: str, replies: int, *, channel: str = SOC) -> str:
    """Somebody approves by the card's button; returns the newest of so many replies."""
    await town.slack.press(user, channel, ts, "task.approve")
    return (await town.replies(ts, replies, channel=channel))[-1]


def decisions(town: Town) -> list[str]:
    writes = town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    return [one.body["action"] for one in writes if one.body["action"] != "ADD_COMMENT"]


def texts(town: Town, ts: str, *, channel: str = SOC) -> str:
    return json.dumps(town.message(ts, channel=channel), ensure_ascii=False)
