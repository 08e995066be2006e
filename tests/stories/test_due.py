"""Time: reminders before what is due, escalation, a snooze, quiet hours; all over restarts."""

import json
from typing import Any

import pytest

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.sandbox.secmaster import Person
from bot.secmaster.values import stamp
from tests.stories.test_arrivals import began, card_of
from tests.town import ALICE, DAVE, ONCALL, QUICK, SOC, Town, both_databases, policy, settings_for

EVERA = Person("console-evera", "Evera")
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


@both_databases
async def test_reminders_come_before_it_is_due_and_call_those_on_call(town: Town):
    ts = await waiting(town, due_in=8, due_handle="INTERRUPT")
    town.hands.forward(hours=4, seconds=1)
    [first] = await town.replies(ts)
    assert first.startswith("<!subteam^S0ONCALL> ⏰ Due ")
    assert "(in 3 h)" in first
    assert "Then it is interrupted." in first
    town.hands.forward(hours=3, minutes=30)
    said = await town.replies(ts, 2)
    assert "in 29 min" in said[-1]


async def test_what_silence_approves_is_said_louder_and_in_the_channel(town: Town):
    ts = await waiting(town, due_in=1, due_handle="CONTINUE")
    town.hands.forward(minutes=31)
    [said] = await town.replies(ts)
    assert "🚨 *Goes on by itself" in said
    [reply] = town.slack.thread(SOC, ts)[1:]
    assert reply["subtype"] == "thread_broadcast"


async def test_no_reminder_comes_once_it_is_settled(town: Town):
    ts = await waiting(town, due_in=8)
    task = ref_of(town, ts)
    town.secmaster.world.update_task(task, {"action": "TERMINATE"}, EVERA)
    await town.slack.until(lambda: not town.buttons(ts))
    town.hands.forward(hours=7, minutes=45)
    await town.rounds(3)
    assert town.slack.thread(SOC, ts)[1:] == []


async def test_what_was_missed_while_the_bot_was_down_is_said_once_and_as_it_is_now(
    town: Town, database_url: str
):
    ts = await waiting(town, due_in=5)
    await town.app.__aexit__()
    town.hands.forward(hours=4, minutes=40)
    settings = settings_for(town.slack, town.secmaster, database_url)
    async with App(settings, policy(POLICY + ROUTES), QUICK, town.hands) as app:
        again = Town(town.slack, town.secmaster, app, town.hands)
        [said] = await again.replies(ts)
        assert "in 19 min" in said
        await again.rounds(3)
        assert len(town.slack.thread(SOC, ts)) == 2
    town.app._stack.push_async_callback(nothing)


async def test_another_due_date_is_another_reminder(town: Town):
    ts = await waiting(town, due_in=5)
    town.hands.forward(hours=1, minutes=1)
    await town.replies(ts)
    task = town.secmaster.world.tasks[ref_of(town, ts)]
    later = town.hands.now().timestamp() + 9 * 3600
    task["due_date"] = stamp(town.hands.now().fromtimestamp(later, town.hands.now().tzinfo))
    town.secmaster.world.update_task(
        task["id"], {"action": "ADD_COMMENT", "comment": "more time"}, EVERA
    )
    await town.slack.until(lambda: "more time" in json.dumps(town.message(ts)))
    town.hands.forward(hours=5, minutes=1)
    said = await town.replies(ts, 2)
    assert "(in 3 h)" in said[-1]


async def test_what_nobody_decides_is_escalated_to_the_other_route(town: Town):
    ts = await waiting(town, due_in=100, name="Isolate host x")
    assert not card_of(town, ONCALL, "Isolate host x")
    town.hands.forward(hours=6, seconds=1)
    other = await town.slack.until(lambda: card_of(town, ONCALL, "Isolate host x"))
    shown = json.dumps(town.message(other, channel=ONCALL), ensure_ascii=False)
    assert "Escalated from soc" in shown
    await town.slack.press(ALICE, ONCALL, other, "task.approve")
    await town.slack.until(lambda: not town.buttons(ts))
    await town.slack.until(lambda: not town.buttons(other, channel=ONCALL))
    redrawn = json.dumps(town.message(other, channel=ONCALL), ensure_ascii=False)
    assert "Escalated from soc" in redrawn


@both_databases
async def test_a_snooze_keeps_reminders_back_and_ends_with_a_word(town: Town):
    ts = await waiting(town, due_in=4.5)
    await snooze(town, ALICE, ts)
    [said] = await town.replies(ts)
    assert said.startswith("😴 <@U0ALICE> snoozed this until")
    await town.slack.until(lambda: "😴 Snoozed by <@U0ALICE>" in text_of(town, ts))
    town.hands.forward(minutes=45)
    await town.rounds(3)
    assert len(town.slack.thread(SOC, ts)) == 2
    town.hands.forward(minutes=20)
    said = await town.replies(ts, 2)
    assert "The snooze is over" in said[-1]
    await town.slack.until(lambda: "Snoozed by" not in text_of(town, ts))
    [entry] = town.app.services.store.audit_entries(f"1:task:main:{ref_of(town, ts)}")
    assert (entry["action"], entry["actor"]["id"]) == ("snooze", ALICE)


async def test_a_snooze_does_not_let_silence_approve(town: Town):
    ts = await waiting(town, due_in=0.75, due_handle="CONTINUE")
    await snooze(town, ALICE, ts)
    [said] = await town.replies(ts)
    assert "It goes on by itself before" in said
    town.hands.forward(minutes=20)
    said = await town.replies(ts, 2)
    assert "🚨 *Goes on by itself" in said[-1]


async def test_whoever_may_decide_nothing_about_it_may_not_snooze_it(town: Town):
    ts = await waiting(town, due_in=8)
    await snooze(town, DAVE, ts)
    assert "leaves it to" in await town.whispered(DAVE, "🚫")
    assert town.slack.thread(SOC, ts)[1:] == []


@pytest.mark.parametrize("rules", [POLICY + QUIET], ids=["quiet"])
async def test_quiet_hours_hold_cards_back_and_end_with_a_summary(town: Town):
    await began(town)
    names = ["Isolate host a", "Isolate host b", "Isolate host c"]
    tasks = [town.secmaster.world.add_task(name=name) for name in names]
    await town.rounds(3)
    assert not any(card_of(town, SOC, name) for name in names)
    town.secmaster.world.update_task(tasks[1]["id"], {"action": "TERMINATE"}, EVERA)
    await town.rounds(3)
    town.hands.forward(hours=24)
    [said] = await town.slack.until(lambda: summaries(town))
    assert "3 came; 2 still wait." in said["text"]
    assert "Isolate host b" not in json.dumps(said)


@pytest.mark.parametrize("rules", [POLICY + QUIET], ids=["quiet"])
async def test_what_is_due_before_quiet_hours_end_does_not_wait_for_it(town: Town):
    await began(town)
    now = town.hands.now()
    soon = now.fromtimestamp(now.timestamp() + 60, now.tzinfo)
    town.secmaster.world.add_task(name="Isolate host now", due_date=stamp(soon))
    await town.slack.until(lambda: card_of(town, SOC, "Isolate host now"))


async def waiting(town: Town, *, due_in: float, **fields: Any) -> str:
    """Let a task come that is due in so many hours, and wait for its card."""
    await began(town)
    now = town.hands.now()
    due = now.fromtimestamp(now.timestamp() + due_in * 3600, now.tzinfo)
    given = {"name": "Check a sign-in", "due_date": stamp(due), **fields}
    town.secmaster.world.add_task(**given)
    return await town.slack.until(lambda: card_of(town, SOC, given["name"]))


async def snooze(town: Town, who: str, ts: str) -> None:
    """Pick "Snooze 1 h" from the card's menu."""
    ref = f"1:task:main:{ref_of(town, ts)}"
    await town.slack.press(who, SOC, ts, "more", value=f"snooze.1h|{ref}")


def ref_of(town: Town, ts: str) -> str:
    return str(town.message(ts)["metadata"]["event_payload"]["ref"].rpartition(":")[2])


def text_of(town: Town, ts: str) -> str:
    return json.dumps(town.message(ts), ensure_ascii=False)


def summaries(town: Town) -> list[dict[str, Any]]:
    return [m for m in town.slack.messages(SOC) if "During quiet hours" in m["text"]]


async def nothing() -> None:
    """The town's own end has nothing left to do."""
