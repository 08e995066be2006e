"""Time: reminders before what is due, escalation, a snooze, quiet hours; all over restarts."""

import json
from typing import Any

import pytest

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.secmaster.values import stamp
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment, policy, settings_for
from tests.support.people import ALICE, BOB, DAVE, ONCALL, SOC
from tests.support.timeouts import QUICK_TIMEOUTS
from tests.support.watch import (
    EVERA,
    card_of,
    first_poll_finished,
    ignore_seeded_tasks,
    snooze,
    task_id_of,
)

ROUTES = """
[watch]
every = 0.02

[[routes]]
name = "soc"
channel = "C0SOC"
tasks = true
mention = ["S0ONCALL"]
remind = ["4h", "30m"]
escalate = { after = "6h", to = "managers" }

[[routes]]
name = "managers"
channel = "C0ONCALL"
tasks = true
when = { name = "never by itself" }
"""
QUIET = """
[watch]
every = 0.02

[[routes]]
channel = "C0SOC"
tasks = true
quiet = { from = "00:00", until = "23:59" }
"""


@pytest.fixture
def rules() -> str:
    return POLICY + ROUTES


@postgres_in_full
async def test_reminders_come_before_it_is_due_and_call_those_on_call(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages("", channel=ONCALL)  # it is escalated meanwhile
    ts = await waiting(environment, due_in=8, due_handle="INTERRUPT")
    environment.clock.forward(hours=4, seconds=1)
    [first] = await environment.replies(ts)
    assert first.startswith(
        "<!subteam^S0ONCALL> ⏰ *Check a sign-in* will be cancelled automatically"
    )
    environment.clock.forward(hours=3, minutes=30)
    assert "unless someone decides" in (await environment.replies(ts, 2))[-1]


TWO = """
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
expires = "24h"
"""
PEOPLE = ROUTES.replace('mention = ["S0ONCALL"]', f'mention = ["{ALICE}", "{BOB}"]')


@pytest.mark.parametrize("rules", [TWO + POLICY + PEOPLE], ids=["people"])
async def test_whoever_has_approved_already_is_not_reminded(environment: BotEnvironment) -> None:
    environment.ignore_messages("", channel=ONCALL)
    ts = await waiting(environment, due_in=8, due_handle="INTERRUPT")
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    environment.clock.forward(hours=4, seconds=1)
    reminder = (await environment.replies(ts, 2))[-1]
    assert reminder.startswith(f"<@{BOB}> ⏰ *Check a sign-in* will be cancelled automatically")


async def test_what_silence_approves_is_said_louder_and_in_the_channel(
    environment: BotEnvironment,
) -> None:
    ts = await waiting(environment, due_in=1, due_handle="CONTINUE")
    environment.clock.forward(minutes=31)
    [text] = await environment.replies(ts)
    assert "will be auto-approved" in text
    [reply] = environment.slack.thread(SOC, ts)[1:]
    assert reply["subtype"] == "thread_broadcast"


async def test_no_reminder_comes_once_it_is_settled(environment: BotEnvironment) -> None:
    ts = await waiting(environment, due_in=8)
    task = task_id_of(environment, ts)
    environment.secmaster.world.update_task(task, {"action": "TERMINATE"}, EVERA)
    await environment.slack.until(lambda: not environment.buttons(ts))
    environment.clock.forward(hours=7, minutes=45)
    await environment.polls(3)
    assert environment.slack.thread(SOC, ts)[1:] == []


async def test_what_was_missed_while_the_bot_was_down_is_said_once_and_as_it_is_now(
    environment: BotEnvironment, database_url: str
) -> None:
    ts = await waiting(environment, due_in=5)
    await environment.app.__aexit__()
    environment.clock.forward(hours=4, minutes=40)
    settings = settings_for(environment.slack.url, environment.secmaster.url, database_url)
    async with App(settings, policy(POLICY + ROUTES), QUICK_TIMEOUTS, environment.clock) as app:
        again = BotEnvironment(environment.slack, environment.secmaster, app, environment.clock)
        [reply] = await again.replies(ts)
        assert "*Check a sign-in* is due" in reply
        await again.polls(3)
        assert len(environment.slack.thread(SOC, ts)) == 2


async def test_another_due_date_is_another_reminder(environment: BotEnvironment) -> None:
    environment.ignore_messages("", channel=ONCALL)  # it is escalated meanwhile
    ts = await waiting(environment, due_in=5)
    environment.clock.forward(hours=1, minutes=1)
    await environment.replies(ts)
    task = environment.secmaster.world.tasks[task_id_of(environment, ts)]
    later = environment.clock.now().timestamp() + 9 * 3600
    task["due_date"] = stamp(
        environment.clock.now().fromtimestamp(later, environment.clock.now().tzinfo)
    )
    environment.secmaster.world.update_task(
        task["id"], {"action": "ADD_COMMENT", "comment": "more time"}, EVERA
    )
    await environment.slack.until(lambda: "more time" in json.dumps(environment.message(ts)))
    environment.clock.forward(hours=5, minutes=1)
    replies = await environment.replies(ts, 2)
    assert "*Check a sign-in* is due" in replies[-1]


async def test_what_nobody_decides_is_escalated_to_the_other_route(
    environment: BotEnvironment,
) -> None:
    ts = await waiting(environment, due_in=100, name="Isolate host x")
    assert not card_of(environment, ONCALL, "Isolate host x")
    environment.clock.forward(hours=6, seconds=1)
    other = await environment.slack.until(lambda: card_of(environment, ONCALL, "Isolate host x"))
    text = json.dumps(environment.message(other, channel=ONCALL), ensure_ascii=False)
    assert "Escalated from <#C0SOC>: no decision after 6 hr." in text
    await environment.polls(2)  # by then the card is on record as well
    await environment.slack.press(ALICE, ONCALL, other, "task.approve")
    await environment.slack.until(lambda: not environment.buttons(ts))
    await environment.slack.until(lambda: not environment.buttons(other, channel=ONCALL))
    redrawn = json.dumps(environment.message(other, channel=ONCALL), ensure_ascii=False)
    assert "Escalated from <#C0SOC>" in redrawn
    assert "*Approved by" in (await environment.replies(other, channel=ONCALL))[0]


@postgres_in_full
async def test_a_snooze_keeps_reminders_back_and_ends_with_a_word(
    environment: BotEnvironment,
) -> None:
    ts = await waiting(environment, due_in=4.5)
    await snooze(environment, ALICE, ts)
    [reply] = await environment.replies(ts)
    assert reply.startswith("😴 <@U0ALICE> snoozed this for everyone until")
    await environment.slack.until(lambda: "😴 Snoozed by <@U0ALICE>" in text_of(environment, ts))
    environment.clock.forward(minutes=45)
    await environment.polls(3)
    assert len(environment.slack.thread(SOC, ts)) == 2
    environment.clock.forward(minutes=20)
    assert "Snooze over" in (await environment.replies(ts, 2))[-1]
    await environment.slack.until(lambda: "Snoozed by" not in text_of(environment, ts))
    [entry] = environment.app.services.store.audit.entries(
        f"1:task:main:{task_id_of(environment, ts)}"
    )
    assert (entry["action"], entry["actor"]["id"]) == ("snooze", ALICE)


async def test_a_snooze_ends_before_the_last_reminder_of_what_silence_approves(
    environment: BotEnvironment,
) -> None:
    ts = await waiting(environment, due_in=0.75, due_handle="CONTINUE")
    await snooze(environment, ALICE, ts)
    [reply] = await environment.replies(ts)
    assert "It auto-approves <!date^" in reply
    environment.clock.forward(minutes=20)
    replies = await environment.replies(ts, 3)
    assert sum("will be auto-approved" in each for each in replies) == 1


async def test_what_comes_with_less_time_than_any_reminder_is_reminded_of_at_once(
    environment: BotEnvironment,
) -> None:
    ts = await waiting(environment, due_in=0.25, due_handle="CONTINUE")
    [reply] = await environment.replies(ts)
    assert reply.startswith("🚨 *Check a sign-in* will be auto-approved ")  # its card has called
    assert environment.slack.thread(SOC, ts)[1].get("subtype") is None
    # Of tasks that come while those on call were called for another they are called once more.
    fields = {"due_date": due_date(environment, minutes=20), "due_handle": "CONTINUE"}
    for number in range(3):
        environment.secmaster.world.add_task(name=f"Urgent {number}", **fields)
    [broadcast] = await environment.slack.until(
        lambda: (
            [m for m in environment.slack.messages(SOC) if "decision:" in m["text"]]
            if any("3 of 3 are waiting." in m["text"] for m in environment.slack.messages(SOC))
            else []
        )
    )
    assert broadcast["text"].startswith("<!subteam^S0ONCALL> ")
    assert broadcast["text"].count("will be auto-approved") in (2, 3)


async def test_a_due_date_that_is_moved_close_is_reminded_of_at_once(
    environment: BotEnvironment,
) -> None:
    ts = await waiting(environment, due_in=8)
    environment.clock.forward(minutes=5)
    task = environment.secmaster.world.tasks[task_id_of(environment, ts)]
    task["due_date"] = due_date(environment, minutes=10)
    comment = {"action": "ADD_COMMENT", "comment": "sooner"}
    environment.secmaster.world.update_task(task["id"], comment, EVERA)
    [reply] = await environment.replies(ts)
    assert reply.startswith("<!subteam^S0ONCALL> ⏰ *Check a sign-in* ")


async def test_whoever_may_decide_nothing_about_it_may_not_snooze_it(
    environment: BotEnvironment,
) -> None:
    ts = await waiting(environment, due_in=8)
    await snooze(environment, DAVE, ts)
    [answer] = environment.slack.views(DAVE)
    assert "You can't snooze this for everyone: only *approver*" in json.dumps(answer["blocks"])
    assert environment.slack.thread(SOC, ts)[1:] == []


@pytest.mark.parametrize("rules", [POLICY + QUIET], ids=["quiet"])
async def test_quiet_hours_hold_cards_back_and_end_with_a_summary(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    names = ["Isolate host a", "Isolate host b", "Isolate host c"]
    tasks = [environment.secmaster.world.add_task(name=name) for name in names]
    await environment.polls(3)
    assert not any(card_of(environment, SOC, name) for name in names)
    environment.secmaster.world.update_task(tasks[1]["id"], {"action": "TERMINATE"}, EVERA)
    await environment.polls(3)
    environment.clock.forward(hours=24)
    [message] = await environment.slack.until(lambda: summaries(environment))
    assert "2 of 3 new items are still open." in message["text"]
    assert "Isolate host b" not in json.dumps(message)


@pytest.mark.parametrize("rules", [POLICY + QUIET], ids=["quiet"])
async def test_what_is_due_before_quiet_hours_end_does_not_wait_for_it(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    now = environment.clock.now()
    soon = now.fromtimestamp(now.timestamp() + 60, now.tzinfo)
    environment.secmaster.world.add_task(name="Isolate host now", due_date=stamp(soon))
    await environment.slack.until(lambda: card_of(environment, SOC, "Isolate host now"))


async def waiting(environment: BotEnvironment, *, due_in: float, **fields: Any) -> str:
    """Let a task come that is due in so many hours, and wait for its card."""
    ignore_seeded_tasks(environment)
    await first_poll_finished(environment)
    now = environment.clock.now()
    due = now.fromtimestamp(now.timestamp() + due_in * 3600, now.tzinfo)
    task_fields = {"name": "Check a sign-in", "due_date": stamp(due), **fields}
    environment.secmaster.world.add_task(**task_fields)
    return await environment.slack.until(lambda: card_of(environment, SOC, task_fields["name"]))


def due_date(environment: BotEnvironment, *, minutes: float) -> str:
    now = environment.clock.now()
    return stamp(now.fromtimestamp(now.timestamp() + minutes * 60, now.tzinfo))


def text_of(environment: BotEnvironment, ts: str) -> str:
    return json.dumps(environment.message(ts), ensure_ascii=False)


def summaries(environment: BotEnvironment) -> list[dict[str, Any]]:
    return [m for m in environment.slack.messages(SOC) if "Quiet hours are over" in m["text"]]
