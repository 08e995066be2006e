"""One odd thing stands before no other: a date, a group, a card that is gone, or a person."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.arrivals import WORKFLOWS
from bot.secmaster.values import stamp
from tests.stories.test_arrivals import began, card_of
from tests.stories.test_due import EVERA, ref_of, snooze
from tests.stories.test_many import ask, from_list
from tests.town import ALICE, ONCALL, QUICK, SOC, Town

WATCH = '\n[watch]\nevery = 0.02\nfallback = "C0ONCALL"\nadmins = ["U0ALICE"]\n'
SOC_ROUTE = '\n[[routes]]\nname = "soc"\nchannel = "C0SOC"\ntasks = true\nremind = ["1h"]\n'
GROUP = """
[[routes]]
usergroup = "S0GONE"
tasks = true
when = { name = "Page" }
continue = true
"""
BOSS = '\n[[routes]]\nuser = "U0DAVE"\ntasks = true\n'
ESCALATES = """
[[routes]]
name = "first"
channel = "C0SOC"
instances = ["FAILED"]
escalate = { after = "30m", to = "boss" }

[[routes]]
name = "boss"
channel = "C0ONCALL"
mention = ["U0DAVE"]
instances = ["FAILED"]
"""


def under(*routes: str) -> Callable[..., Any]:
    text = POLICY + WATCH + "".join(routes)
    return pytest.mark.parametrize("rules", [text], ids=["routes"])


@pytest.mark.parametrize("due", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z+0800"])
@under(SOC_ROUTE)
async def test_a_date_at_the_edge_of_the_calendar_is_none(town: Town, due: str):
    await began(town)
    town.secmaster.world.add_task(name="Edge", due_date=due)
    town.secmaster.world.add_task(name="Other")
    for name in ("Edge", "Other"):
        await town.slack.until(lambda name=name: card_of(town, SOC, name))


@under(GROUP, SOC_ROUTE)
async def test_a_group_that_can_not_be_asked_keeps_no_card_from_others(town: Town):
    no = Fault(on="usergroups.users.list", status=200, code="missing_scope")
    await town.slack.faults.set(no)
    await began(town)
    town.secmaster.world.add_task(name="Page me")
    await town.slack.until(lambda: card_of(town, SOC, "Page me"))
    await town.slack.faults.clear()
    town.slack.workspace.groups["S0GONE"] = {"id": "S0GONE", "users": [ALICE]}
    town.hands.forward(seconds=61)
    town.hands.forward(minutes=2)
    await town.slack.until(lambda: card_of(town, "D0ALICE", "Page me"))


@under(SOC_ROUTE)
async def test_a_card_that_was_deleted_does_not_close_its_channel(town: Town):
    await began(town)
    due = stamp(town.hands.now() + timedelta(hours=3))
    town.secmaster.world.add_task(name="Deleted", due_date=due)
    ts = await town.slack.until(lambda: card_of(town, SOC, "Deleted"))
    await town.rounds(2)
    town.slack.workspace.delete(SOC, town.slack.workspace.message(SOC, ts))
    town.hands.forward(hours=2, minutes=1)
    await town.slack.until(lambda: card_of(town, SOC, "Deleted"))
    assert town.app.services.store.closed_channels.all() == []


@under(BOSS)
async def test_what_was_for_a_person_who_has_left_goes_to_the_fallback(town: Town):
    gone = Fault(on="conversations.open", status=200, code="user_disabled", times=1)
    await town.slack.faults.set(gone)
    await began(town)
    town.secmaster.world.add_task(name="For the boss")
    ts = await town.slack.until(lambda: cards_with(town, ONCALL, "For the boss"))
    assert "Meant for" in json.dumps(town.message(ts[0], channel=ONCALL), ensure_ascii=False)


@under(SOC_ROUTE)
async def test_whose_answer_was_lost_is_found_however_long_slack_was_in_trouble(town: Town):
    await began(town)
    lost = Fault(on="chat.postMessage", hang_up=True, applied=True, times=1)
    await town.slack.faults.set(lost)
    trouble = Fault(on="conversations.history", status=503, code="service_unavailable")
    await town.slack.faults.set(trouble)
    town.secmaster.world.add_task(name="Once")
    await town.slack.until(lambda: card_of(town, SOC, "Once"))
    for _ in range(4):
        town.hands.forward(minutes=1)
        await town.rounds(2)
    await town.slack.faults.clear()
    town.hands.forward(minutes=2)
    waiting = town.app.services.store.outbox.count
    await town.secmaster.until(lambda: waiting() == 0)
    assert len(cards_with(town, SOC, "Once")) == 1


@under(SOC_ROUTE)
@pytest.mark.parametrize("patience", [replace(QUICK, post=0.5)], indirect=True, ids=["post"])
async def test_while_slack_asks_to_wait_for_long_nothing_is_kept_in_hand(town: Town):
    """Another replica may take over what this one would post in ten minutes."""
    await began(town)
    await town.slack.faults.set(Fault(on="chat.postMessage", status=429, retry_after=600, times=1))
    town.secmaster.world.add_task(name="Once")
    await town.slack.until(lambda: [one for one in town.slack.calls if "history" in one.method])
    await town.slack.until(lambda: card_of(town, SOC, "Once"))
    await town.rounds(2)
    assert len(cards_with(town, SOC, "Once")) == 1


@under(SOC_ROUTE)
async def test_what_was_settled_long_ago_is_forgotten_and_what_waits_is_not(town: Town):
    await began(town)
    refs = []
    for name in ("Decided", "Waits"):
        town.secmaster.world.add_task(name=name)
        ts = await town.slack.until(lambda name=name: card_of(town, SOC, name))
        refs.append(Ref(kind="task", id=ref_of(town, ts)))
    town.secmaster.world.update_task(refs[0].id, {"action": "CONTINUE"}, EVERA)
    of = town.app.services.store.tracked.get
    await town.secmaster.until(lambda: not of(refs)[0].open)
    town.hands.forward(days=91)
    await town.secmaster.until(lambda: [each.ref for each in of(refs)] == refs[1:])
    await town.rounds(3)
    assert [each.ref for each in of(refs)] == refs[1:]
    assert len(cards_with(town, SOC, "Waits")) == 1


@under(ESCALATES)
async def test_the_rows_of_a_gathered_card_stand_still_the_latest_first(town: Town):
    await began(town)
    for number in range(6):
        run(town, number)
        await town.slack.until(lambda number=number: rows(town)[:1] == [f"Run {number}"])
        town.hands.forward(seconds=10)
    await town.rounds(5)
    assert rows(town) == ["Run 5", "Run 4", "Run 3", "Run 2"]


@under(ESCALATES)
async def test_a_run_that_fails_again_is_waited_for_anew(town: Town):
    await began(town)
    failed = run(town, 1)
    await town.slack.until(lambda: card_of(town, SOC, "Run 1"))
    world, known = town.secmaster.world, town.app.services.store.tracked
    world.update_instance(failed["id"], {"command_type": "ActionInstanceRetryCommand"}, EVERA)
    await town.secmaster.until(lambda: failed["status"] == "FINISHED")
    ref = Ref(kind="instance", id=failed["id"])
    await town.rounds(3)  # a list that was read before the retry says once more that it failed
    await town.secmaster.until(lambda: not known.get([ref])[0].open)
    town.hands.forward(minutes=40)
    failed.update(status="FAILED", retry_count=1, end_time=stamp(town.hands.now()))
    world.add_task(name="Something changes")
    await town.secmaster.until(lambda: known.get([ref])[0].open)
    await town.rounds(3)
    assert not town.slack.messages(ONCALL)
    town.hands.forward(minutes=31)
    await town.slack.until(lambda: town.slack.messages(ONCALL))


@under(SOC_ROUTE)
async def test_the_end_of_a_snooze_is_told_once(town: Town):
    await began(town)
    town.secmaster.world.add_task(name="Check it")
    ts = await town.slack.until(lambda: card_of(town, SOC, "Check it"))
    await snooze(town, ALICE, ts)
    await town.slack.until(lambda: "snooze.0h" in json.dumps(town.message(ts)))
    ref = f"1:task:main:{ref_of(town, ts)}"
    await town.slack.press(ALICE, SOC, ts, "more", value=f"snooze.0h|{ref}")
    await town.replies(ts, 2)
    await town.rounds(5)
    assert len(town.slack.thread(SOC, ts)) == 3


async def test_of_many_one_that_was_commented_on_since_the_list_is_left_out(town: Town):
    view = await from_list(town, ALICE, "task")
    said = {"action": "ADD_COMMENT", "comment": "STOP: wrong host"}
    town.secmaster.world.update_task(seed.TASK_ISOLATE, said, EVERA)
    question = await ask(town, ALICE, view, "task.approve", [seed.TASK_ISOLATE])
    assert "It has changed since it was listed" in json.dumps(question)


def run(town: Town, number: int) -> dict[str, Any]:
    """One more failure of the same workflow."""
    now = stamp(town.hands.now())
    return town.secmaster.world.add_instance(
        name=f"Run {number}", status="FAILED", end_time=now, workflow=dict(WORKFLOWS[0])
    )


def rows(town: Town) -> list[str]:
    """The runs on the only card in the channel, from the top."""
    cards = [m for m in town.slack.messages(SOC) if "watch SecMaster" not in m["text"]]
    texts = [
        (block.get("text") or {}).get("text", "") for card in cards for block in card["blocks"]
    ]
    return [text.split("*")[1] for text in texts if text.startswith("*Run")] or [
        card["text"].split(":")[0] for card in cards
    ]


def cards_with(town: Town, channel: str, name: str) -> list[str]:
    """The messages of a channel that begin with this name."""
    return [m["ts"] for m in town.slack.messages(channel) if m["text"].startswith(name)]
