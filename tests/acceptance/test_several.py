"""What asks for several people is sent once so many have said yes, and told to all on the way."""

import asyncio
import functools
import json
from datetime import timedelta

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.messages.blocks import Viewer
from bot.messages.text import date_token
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, seed
from bot.sandbox.secmaster.wire import stamp
from tests.support.databases import both_databases
from tests.support.environment import BotEnvironment, buttons, policy
from tests.support.people import ALICE, BOB, CAROL, DAVE, GUEST, ONCALL, RANDOM, SOC

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
OVERRIDES = Viewer(may_override=frozenset({"task.approve"}))
TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
with_rules = functools.partial(pytest.mark.parametrize, "rules", indirect=True)


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", TWO))


@both_databases
async def test_the_second_persons_yes_sends_it_and_both_are_named(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approvals to approve: 1 of 2.* The approval by <@U0ALICE>" in reply
    await environment.slack.until(lambda: "Approvals to approve: 1 of 2" in texts(environment, ts))
    assert {"withdraw", "refuse"} < set(environment.buttons(ts))
    assert "break-glass" not in environment.buttons(ts)
    assert decisions(environment) == []
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    reply = (await environment.replies(ts, 2))[-1]
    assert "*Approved by <@U0BOB> and <@U0ALICE>" in reply
    assert "rule 1 “grave”" in reply
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert decisions(environment) == ["CONTINUE"]


async def test_pressing_twice_is_one_yes(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert "ℹ️" in await environment.ephemeral(ALICE, "already approved this. Waiting for 1 more.")
    assert decisions(environment) == []
    # What can be done about it is one press away.
    [told] = environment.slack.ephemerals(ALICE)
    assert buttons(told) == ["withdraw"]
    await environment.slack.press(ALICE, SOC, told["ts"], "withdraw")
    await environment.replies(ts, 2)
    await environment.slack.until(lambda: "withdraw" not in environment.buttons(ts))


async def test_a_yes_can_be_taken_back_before_the_last(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.slack.until(lambda: "withdraw" in environment.buttons(ts))
    await environment.slack.press(ALICE, SOC, ts, "withdraw")
    assert "<@U0ALICE> withdrew their approval. 0 of 2." in (await environment.replies(ts, 2))[-1]
    await environment.slack.until(lambda: "withdraw" not in environment.buttons(ts))
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    assert (
        "*Approvals to approve: 1 of 2.* The approval by <@U0BOB>"
        in (await environment.replies(ts, 3))[-1]
    )
    assert decisions(environment) == []


async def test_breaking_the_glass_needs_a_reason_and_is_announced(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    private = await environment.private_card(CAROL, TASK, OVERRIDES)
    await environment.slack.press(CAROL, SOC, private, "break-glass")
    [view] = environment.slack.views(CAROL)
    refused = await environment.slack.submit(CAROL, view["id"], {"reason": " "})
    assert "A reason is required." in json.dumps(refused.body)
    await environment.slack.submit(CAROL, view["id"], {"reason": "it spreads"})
    reply = (await environment.replies(ts, 2))[-1]
    assert "*Approved by <@U0CAROL> (emergency override); <@U0ALICE> had agreed" in reply
    lines = await environment.slack.until(
        lambda: [
            m["text"]
            for m in environment.slack.messages(ONCALL)
            if "emergency override" in m["text"]
        ]
    )
    assert (
        "|Isolate host ecs-web-07> in demo-workspace: *emergency override* by <@U0CAROL>"
        in lines[0]
    )
    assert "rule 1 “grave”, which requires several people" in lines[0]
    assert "it spreads" in lines[0]
    assert decisions(environment) == ["CONTINUE"]


@with_rules([THREE], ids=["three"])
async def test_three_of_three(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    assert "2 more are needed before" in await say_yes(environment, ALICE, ts, 1)
    assert "*Approvals to approve: 2 of 3.*" in await say_yes(environment, BOB, ts, 2)
    assert decisions(environment) == []
    reply = await say_yes(environment, CAROL, ts, 3)
    assert "*Approved by <@U0CAROL>, <@U0ALICE>, and <@U0BOB>" in reply
    assert decisions(environment) == ["CONTINUE"]


async def test_one_person_on_two_cards_is_one_yes(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    other = await environment.card("task", seed.TASK_ISOLATE, channel=RANDOM)
    await say_yes(environment, ALICE, ts, 1)
    await environment.slack.until(
        lambda: "Approvals to approve: 1 of 2" in texts(environment, other, channel=RANDOM)
    )
    await environment.slack.press(ALICE, RANDOM, other, "task.approve")
    assert await environment.ephemeral(ALICE, "You already approved this.")
    assert decisions(environment) == []
    assert "<@U0BOB> and <@U0ALICE>" in await say_yes(environment, BOB, ts, 2)
    await environment.slack.until(lambda: not environment.buttons(other, channel=RANDOM))
    assert decisions(environment) == ["CONTINUE"]


async def test_another_approver_ends_it_and_it_is_told_whose_yes_no_longer_counts(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await say_yes(environment, ALICE, ts, 1)
    await environment.slack.until(lambda: "refuse" in environment.buttons(ts))
    await environment.decline(BOB, ts)
    reply = (await environment.replies(ts, 2))[-1]
    assert "*<@U0BOB> declined the request to approve this task.*" in reply
    assert "The approval by <@U0ALICE> no longer counts." in reply
    await environment.slack.until(lambda: "refuse" not in environment.buttons(ts))
    assert "*Approvals to approve: 1 of 2.*" in await say_yes(environment, BOB, ts, 3)
    assert decisions(environment) == []


async def test_refusing_needs_the_right_and_taking_back_only_touches_ones_own(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await say_yes(environment, ALICE, ts, 1)
    await environment.slack.until(lambda: "refuse" in environment.buttons(ts))
    await environment.slack.press(DAVE, SOC, ts, "refuse")
    assert environment.slack.views(DAVE) == []
    assert await environment.ephemeral(DAVE, "*approver*", "rule 1 “grave”")
    await environment.slack.press(DAVE, SOC, ts, "withdraw")
    assert await environment.ephemeral(DAVE, "You have no pending approval here to withdraw")
    assert "<@U0BOB> and <@U0ALICE>" in await say_yes(environment, BOB, ts, 2)


async def test_declining_asks_for_a_reason_that_only_the_requester_may_leave_out(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await say_yes(environment, ALICE, ts, 1)
    await environment.slack.until(lambda: "refuse" in environment.buttons(ts))
    await environment.slack.press(BOB, SOC, ts, "refuse")
    [view] = environment.slack.views(BOB)
    assert (view["title"]["text"], view["close"]["text"]) == ("Decline request", "Cancel")
    text = json.dumps(view["blocks"])
    assert "This cancels all approvals given so far." in text
    assert "Isolate host ecs-web-07" in text
    assert "Up to 1,000 characters." in text
    refused = await environment.slack.submit(BOB, view["id"], {})
    assert refused.error == "missing_input"
    await environment.slack.submit(BOB, view["id"], {"reason": "a decoy"})
    reply = (await environment.replies(ts, 2))[-1]
    assert "<@U0BOB>" in reply
    assert reply.count("> a decoy") == 1
    await environment.slack.until(lambda: "refuse" not in environment.buttons(ts))
    audited = environment.app.services.store.audit.entries(Ref(kind="task", id=seed.TASK_ISOLATE))[
        -1
    ]
    assert (audited["outcome"], audited["reason"]) == ("refuse", "a decoy")
    await say_yes(environment, ALICE, ts, 3)
    await environment.slack.until(lambda: "refuse" in environment.buttons(ts))
    await environment.slack.press(ALICE, SOC, ts, "refuse")
    await environment.slack.submit(ALICE, environment.slack.views(ALICE)[-1]["id"], {})
    assert "<@U0ALICE>" in (await environment.replies(ts, 4))[-1]
    assert decisions(environment) == []


@with_rules([ALSO_CAROL], ids=["also Carol"])
async def test_an_override_is_offered_to_those_alone_who_may_and_have_approved(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await say_yes(environment, ALICE, ts, 1)  # she may not: nobody expects a message to her alone
    await environment.slack.until(lambda: "withdraw" in environment.buttons(ts))
    await environment.slack.press(ALICE, SOC, ts, "withdraw")
    await environment.replies(ts, 2)
    await say_yes(environment, CAROL, ts, 3)
    await environment.ephemeral(
        CAROL, "*Approvals to approve: 1 of 2.* Your approval is recorded. In an emergency"
    )
    [offer] = environment.slack.ephemerals(CAROL)
    assert buttons(offer) == ["withdraw", "break-glass"]
    await environment.slack.press(CAROL, SOC, offer["ts"], "break-glass")
    [view] = environment.slack.views(CAROL)
    assert f"Emergency override: you decide alone. <#{ONCALL}> is notified." in json.dumps(view)
    await environment.slack.submit(CAROL, view["id"], {"reason": "it spreads"})
    assert "*Approved by <@U0CAROL>" in (await environment.replies(ts, 4))[-1]
    assert decisions(environment) == ["CONTINUE"]
    await environment.posted(ONCALL, "emergency override")


async def test_guests_neither_say_yes_nor_refuse(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await say_yes(environment, ALICE, ts, 1)
    await environment.slack.until(lambda: "refuse" in environment.buttons(ts))
    for button in ("task.approve", "refuse"):
        await environment.slack.press(GUEST, SOC, ts, button)
    messages = await environment.slack.until(
        lambda: guest(environment) if environment.slack.ephemerals(GUEST)[1:] else None
    )
    assert all("Guests can't read or change anything here." in each for each in messages)
    assert "Approvals to approve: 1 of 2" in texts(environment, ts)
    assert decisions(environment) == []


@both_databases
async def test_how_many_must_approve_and_who_declined_stand_on_the_card(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    card = texts(environment, ts)
    assert "Approvals to approve: 0 of 2*\\nNeeded from *approver*." in card
    assert "You will be 1 of 2. Nothing is sent until 2 people have approved." in card
    await say_yes(environment, ALICE, ts, 1)
    await environment.slack.until(lambda: "1 of 2*" in texts(environment, ts))
    assert "1 more approval needed: <!subteam^S0SOC>" in texts(environment, ts)
    await environment.slack.command(BOB, SOC, f"/task refuse {seed.TASK_ISOLATE} it is a decoy")
    declined = "*<@U0BOB> declined the request to approve this task.*"
    await environment.slack.until(lambda: declined in texts(environment, ts))
    assert "> it is a decoy" in texts(environment, ts)
    assert "0 of 2*" in texts(environment, ts)
    await say_yes(environment, ALICE, ts, 3)
    await environment.slack.until(lambda: "1 of 2*" in texts(environment, ts))
    assert "declined" not in texts(environment, ts)


async def test_to_want_the_opposite_ends_it(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await say_yes(environment, ALICE, ts, 1)
    await environment.slack.press(BOB, SOC, ts, "task.terminate")
    await environment.slack.submit(
        BOB, environment.slack.views(BOB)[-1]["id"], {"reason": "a drill"}
    )
    reply = (await environment.replies(ts, 2))[-1]
    assert "by <@U0BOB>" in reply
    assert "This cancelled the request to approve, which <@U0ALICE> had agreed to." in reply
    assert decisions(environment) == ["TERMINATE"]


@both_databases
@with_rules([TWO.replace("task.approve", "task.terminate")], ids=["terminate"])
async def test_where_silence_does_the_contrary_form_thread_and_card_say_so(
    environment: BotEnvironment,
) -> None:
    slack, due = environment.slack, environment.clock.now() + timedelta(minutes=10)
    task = environment.secmaster.world.tasks[seed.TASK_ISOLATE]
    task.update(due_date=stamp(due), due_handle="CONTINUE")
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = slack.views(ALICE)
    warning = (
        f"If approvals are missing at {date_token(due)}, SecMaster approves the task automatically."
    )
    assert warning in json.dumps(view, ensure_ascii=False)
    await slack.submit(ALICE, view["id"], {"reason": "false alarm"})
    assert warning in (await environment.replies(ts))[0]
    await slack.until(lambda: warning in texts(environment, ts))
    assert f"The request expires {date_token(due)}" in texts(environment, ts)


@both_databases
@with_rules([BRIEF], ids=["brief"])
async def test_what_too_few_wanted_in_time_lapses_and_a_later_yes_starts_anew(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await say_yes(environment, ALICE, ts, 1)
    reply = (await environment.replies(ts, 2))[-1]
    assert (
        "*The request to approve this task expired.* Approvals to approve: 1 of 2 (<@U0ALICE>)"
        in reply
    )
    await environment.slack.until(lambda: "Approvals to approve: 0 of 2" in texts(environment, ts))
    assert "*Approvals to approve: 1 of 2.* The approval by <@U0BOB>" in await say_yes(
        environment, BOB, ts, 3
    )
    assert decisions(environment) == []


@pytest.mark.parametrize("status", [403, pytest.param(503, marks=pytest.mark.slow)])
@with_rules([BRIEF], ids=["brief"])
async def test_what_lapses_is_told_though_the_task_can_not_be_read(
    environment: BotEnvironment, status: int
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.set(Fault(on="ShowTask", times=1))  # it is read and counted
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=status))
    await say_yes(environment, ALICE, ts, 1)
    assert "*The request to approve this task expired.*" in (await environment.replies(ts, 2))[-1]
    await environment.slack.until(lambda: "can't be read now" in texts(environment, ts))
    await environment.slack.until(lambda: "Approvals to approve: 0 of 2" in texts(environment, ts))


@with_rules([BRIEF], ids=["brief"])
async def test_a_yes_that_is_kept_longer_than_it_lasts_is_never_enough(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.set(Fault(on="ShowTask", delay=1.2, times=1))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert "That is too long ago to carry it out now" in (await environment.replies(ts))[0]
    assert decisions(environment) == []


@with_rules([TWO + "[watch]\nevery = 0.05\n"], ids=["watched"])
async def test_a_decision_in_the_console_ends_it_with_the_next_look(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await say_yes(environment, ALICE, ts, 1)
    evera = Person("console-evera", "Evera")
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "TERMINATE"}, evera)
    await environment.slack.until(
        lambda: "Decided outside Slack by Evera" in texts(environment, ts)
    )
    assert "Approvals to approve" not in texts(environment, ts)
    await environment.slack.command(BOB, SOC, f"/task approve {seed.TASK_ISOLATE}")
    assert await environment.ephemeral(BOB, "no longer open", "outside Slack by Evera")
    assert decisions(environment) == []


@both_databases
async def test_what_secmaster_refused_is_asked_for_anew_by_all(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await say_yes(environment, ALICE, ts, 1)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", status=403, times=1))
    assert "SecMaster refused the approval" in await say_yes(environment, BOB, ts, 2)
    await environment.slack.until(lambda: "withdraw" not in environment.buttons(ts))
    assert "*Approvals to approve: 1 of 2.*" in await say_yes(environment, ALICE, ts, 3)
    assert "*Approved by <@U0BOB> and <@U0ALICE>" in await say_yes(environment, BOB, ts, 4)
    assert decisions(environment)[-1:] == ["CONTINUE"]


async def test_by_command_and_by_mention_in_the_thread(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.command(ALICE, SOC, f"/task approve {seed.TASK_ISOLATE} it spreads")
    assert "*Approvals to approve: 1 of 2.*" in (await environment.replies(ts))[-1]
    await environment.slack.until(lambda: "it spreads" in texts(environment, ts))
    await environment.slack.say(BOB, SOC, "@secmaster approve seen it too", ts)
    reply = (await environment.replies(ts, 3))[-1]
    assert "*Approved by <@U0BOB> and <@U0ALICE>" in reply


async def test_taking_back_and_refusing_by_command(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.command(ALICE, SOC, f"/task withdraw {seed.TASK_ISOLATE}")
    assert await environment.ephemeral(ALICE, "No pending approval on this task.")
    await say_yes(environment, ALICE, ts, 1)
    await environment.slack.command(ALICE, SOC, f"/task withdraw {seed.TASK_ISOLATE}")
    assert "<@U0ALICE> withdrew their approval. 0 of 2." in (await environment.replies(ts, 2))[-1]
    await say_yes(environment, ALICE, ts, 3)
    await environment.slack.command(BOB, SOC, f"/task refuse {seed.TASK_ISOLATE} it is the decoy")
    reply = (await environment.replies(ts, 4))[-1]
    assert "*<@U0BOB> declined the request to approve this task.*" in reply
    assert "> it is the decoy" in reply
    assert decisions(environment) == []


@with_rules([RETRY], ids=["retry"])
async def test_a_retry_by_two(environment: BotEnvironment) -> None:
    ts = await environment.card("instance", seed.INSTANCE_FAILED)
    await environment.slack.press(CAROL, SOC, ts, "instance.retry")
    assert "*Approvals to retry: 1 of 2.*" in (await environment.replies(ts))[-1]
    assert environment.secmaster.writes("UpdateWorkflowInstance") == []
    await environment.slack.press(ALICE, SOC, ts, "instance.retry")
    reply = (await environment.replies(ts, 2))[-1]
    assert "*Retry started by <@U0ALICE> and <@U0CAROL>" in reply
    assert len(environment.secmaster.writes("UpdateWorkflowInstance")) == 1


@with_rules([REASONS], ids=["reasons"])
async def test_the_reasons_of_all_reach_secmaster(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    for number, (who, why) in enumerate(((ALICE, "it spreads"), (BOB, "host is drained")), 1):
        await environment.slack.press(who, SOC, ts, "task.approve")
        await environment.slack.submit(who, environment.slack.views(who)[-1]["id"], {"reason": why})
        await environment.replies(ts, number)
    bodies = [one.body for one in environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)]
    assert [body["action"] for body in bodies] == ["ADD_COMMENT", "CONTINUE"]
    assert "host is drained" in bodies[0]["comment"]
    assert f"(Slack {ALICE}): it spreads" in bodies[0]["comment"]


@both_databases
@with_rules([ALSO_CAROL], ids=["also-carol"])
async def test_of_two_last_votes_at_once_one_sends_and_the_other_is_told_so(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await say_yes(environment, ALICE, ts, 1)
    await asyncio.gather(
        environment.slack.press(BOB, SOC, ts, "task.approve"),
        environment.slack.press(CAROL, SOC, ts, "task.approve"),
    )
    reply = (await environment.replies(ts, 2))[-1]
    assert "and <@U0ALICE>" in reply
    winner, loser = (BOB, CAROL) if f"*Approved by <@{BOB}>" in reply else (CAROL, BOB)
    assert f"*Approved by <@{winner}>" in reply
    # "Your" where the winner still holds the decision, "The" where it can be read already.
    assert "approval was not sent" in await environment.ephemeral(loser, f"<@{winner}>")
    assert decisions(environment) == ["CONTINUE"]


@both_databases
async def test_ten_clicks_of_two_people_are_one_write(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    presses = [environment.slack.press(who, SOC, ts, "task.approve") for who in (ALICE, BOB) * 5]
    await asyncio.gather(*presses)
    # Each is told by a flow of its own, so either may come first.
    text = " ".join(await environment.replies(ts, 2))
    assert "*Approvals to approve: 1 of 2.*" in text
    assert "*Approved by" in text
    await environment.slack.until(
        lambda: (
            len(environment.slack.ephemerals(ALICE)) + len(environment.slack.ephemerals(BOB)) == 8
        )
    )
    assert len(await environment.replies(ts, 2)) == 2
    assert decisions(environment) == ["CONTINUE"]
    for user in (ALICE, BOB):
        assert all(message["text"][0] in "✋❌ℹ" for message in environment.slack.ephemerals(user))


async def test_whoever_has_lost_the_right_is_counted_no_longer(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await say_yes(environment, ALICE, ts, 1)
    without_alice = TWO.replace('usergroups = ["S0SOC"]', f'users = ["{BOB}", "{CAROL}"]')
    environment.app.policy.current = policy(without_alice)
    reply = await say_yes(environment, BOB, ts, 2)
    assert "*Approvals to approve: 1 of 2.*" in reply
    assert (
        "The approval by <@U0ALICE> no longer counts: they may not approve this any more." in reply
    )
    assert decisions(environment) == []
    assert "*Approved by <@U0CAROL> and <@U0BOB>" in await say_yes(environment, CAROL, ts, 3)
    assert decisions(environment) == ["CONTINUE"]
    rows = environment.app.services.store.audit.entries(Ref(kind="task", id=seed.TASK_ISOLATE))
    [struck] = [row for row in rows if row["outcome"] == "struck"]
    assert struck["actor"]["id"] == ALICE


async def test_a_refusal_is_of_what_its_button_says_and_of_nothing_else(
    environment: BotEnvironment,
) -> None:
    both = TWO.replace('actions = ["task.approve"]', 'actions = ["task.approve", "task.terminate"]')
    environment.app.policy.current = policy(both)
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await say_yes(environment, ALICE, ts, 1)
    await environment.slack.until(lambda: "refuse" in environment.buttons(ts))
    await environment.slack.faults.set(Fault(on="chat.update", hold=True))
    await environment.slack.press(BOB, SOC, ts, "task.terminate")
    await environment.slack.submit(
        BOB, environment.slack.views(BOB)[-1]["id"], {"reason": "a decoy"}
    )
    assert "This cancelled the request to approve" in (await environment.replies(ts, 2))[-1]
    await environment.slack.press(ALICE, SOC, ts, "refuse")  # of the approval: it is over already
    assert await environment.ephemeral(ALICE)
    assert environment.slack.views(ALICE) == []
    await environment.slack.faults.clear()
    await environment.slack.until(
        lambda: "Approvals to terminate: 1 of 2" in texts(environment, ts)
    )


def guest(environment: BotEnvironment) -> list[str]:
    return [message["text"] for message in environment.slack.ephemerals(GUEST)]


async def say_yes(
    environment: BotEnvironment, user: str, ts: str, replies: int, *, channel: str = SOC
) -> str:
    """Somebody approves by the card's button; returns the newest of so many replies."""
    await environment.slack.press(user, channel, ts, "task.approve")
    return (await environment.replies(ts, replies, channel=channel))[-1]


def decisions(environment: BotEnvironment) -> list[str]:
    writes = environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    return [one.body["action"] for one in writes if one.body["action"] != "ADD_COMMENT"]


def texts(environment: BotEnvironment, ts: str, *, channel: str = SOC) -> str:
    return json.dumps(environment.message(ts, channel=channel), ensure_ascii=False)
