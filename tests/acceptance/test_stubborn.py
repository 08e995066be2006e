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
from tests.support.batch import choose, open_from_list
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, ONCALL, SOC
from tests.support.timeouts import QUICK_TIMEOUTS
from tests.support.watch import EVERA, card_of, first_poll_finished, snooze, task_id_of

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
async def test_a_date_at_the_edge_of_the_calendar_is_none(
    environment: BotEnvironment, due: str
) -> None:
    await first_poll_finished(environment)
    environment.secmaster.world.add_task(name="Edge", due_date=due)
    environment.secmaster.world.add_task(name="Other")
    for name in ("Edge", "Other"):
        await environment.slack.until(lambda name=name: card_of(environment, SOC, name))


@under(GROUP, SOC_ROUTE)
async def test_a_group_that_can_not_be_asked_keeps_no_card_from_others(
    environment: BotEnvironment,
) -> None:
    no = Fault(on="usergroups.users.list", status=200, code="missing_scope")
    await environment.slack.faults.set(no)
    await first_poll_finished(environment)
    environment.secmaster.world.add_task(name="Page me")
    await environment.slack.until(lambda: card_of(environment, SOC, "Page me"))
    await environment.slack.faults.clear()
    environment.slack.workspace.groups["S0GONE"] = {"id": "S0GONE", "users": [ALICE]}
    environment.clock.forward(minutes=2)  # what is known of the group is too old by then
    await environment.slack.until(lambda: card_of(environment, "D0ALICE", "Page me"))


@under(SOC_ROUTE)
async def test_a_card_that_was_deleted_does_not_close_its_channel(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    due = stamp(environment.clock.now() + timedelta(hours=3))
    environment.secmaster.world.add_task(name="Deleted", due_date=due)
    ts = await environment.slack.until(lambda: card_of(environment, SOC, "Deleted"))
    await environment.polls(2)
    environment.slack.workspace.delete(SOC, environment.slack.stored(SOC, ts))
    environment.clock.forward(hours=2, minutes=1)
    await environment.slack.until(lambda: card_of(environment, SOC, "Deleted"))
    assert environment.app.services.store.closed_channels.all() == []


@under(BOSS)
async def test_what_was_for_a_person_who_has_left_goes_to_the_fallback(
    environment: BotEnvironment,
) -> None:
    gone = Fault(on="conversations.open", status=200, code="user_disabled", times=1)
    await environment.slack.faults.set(gone)
    await first_poll_finished(environment)
    environment.secmaster.world.add_task(name="For the boss")
    ts = await environment.slack.until(lambda: cards_with(environment, ONCALL, "For the boss"))
    assert "Meant for" in json.dumps(environment.message(ts[0], channel=ONCALL), ensure_ascii=False)
    await environment.posted("D0ALICE", "Can't send messages to <@U0DAVE>", "user_disabled")


@under(SOC_ROUTE)
async def test_whose_answer_was_lost_is_found_however_long_slack_was_in_trouble(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    lost = Fault(on="chat.postMessage", hang_up=True, applied=True, times=1)
    await environment.slack.faults.set(lost)
    trouble = Fault(on="conversations.history", status=503, code="service_unavailable")
    await environment.slack.faults.set(trouble)
    environment.secmaster.world.add_task(name="Once")
    await environment.slack.until(lambda: card_of(environment, SOC, "Once"))
    for _ in range(4):
        environment.clock.forward(minutes=1)
        await environment.polls(2)
    await environment.slack.faults.clear()
    environment.clock.forward(minutes=2)
    waiting = environment.app.services.store.outbox.count
    await environment.secmaster.until(lambda: waiting() == 0)
    assert len(cards_with(environment, SOC, "Once")) == 1


@under(SOC_ROUTE)
@pytest.mark.parametrize(
    "timeouts", [replace(QUICK_TIMEOUTS, post=0.5)], indirect=True, ids=["post"]
)
@pytest.mark.slow
async def test_while_slack_asks_to_wait_for_long_nothing_is_kept_in_hand(
    environment: BotEnvironment,
) -> None:
    """Another replica may take over what this one would post in ten minutes."""
    await first_poll_finished(environment)
    await environment.slack.faults.set(
        Fault(on="chat.postMessage", status=429, retry_after=600, times=1)
    )
    environment.secmaster.world.add_task(name="Once")
    await environment.slack.until(
        lambda: [one for one in environment.slack.calls if "history" in one.method]
    )
    await environment.slack.until(lambda: card_of(environment, SOC, "Once"))
    await environment.polls(2)
    assert len(cards_with(environment, SOC, "Once")) == 1


@under(SOC_ROUTE)
async def test_what_was_settled_long_ago_is_forgotten_and_what_waits_is_not(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    refs = []
    for name in ("Decided", "Waits"):
        environment.secmaster.world.add_task(name=name)
        ts = await environment.slack.until(lambda name=name: card_of(environment, SOC, name))
        refs.append(Ref(kind="task", id=task_id_of(environment, ts)))
    environment.secmaster.world.update_task(refs[0].id, {"action": "CONTINUE"}, EVERA)
    tracked = environment.app.services.store.tracked
    of = tracked.get
    # What a list only says is stale until the task itself was read, and is not deleted before.
    await environment.secmaster.until(lambda: not (of(refs)[0].open or tracked.stale(1)))
    environment.clock.forward(days=91)
    await environment.secmaster.until(lambda: [each.ref for each in of(refs)] == refs[1:])
    await environment.polls(3)
    assert [each.ref for each in of(refs)] == refs[1:]
    assert len(cards_with(environment, SOC, "Waits")) == 1
    [reminder] = await environment.replies(ts)
    assert "is still waiting" in reminder


@under(ESCALATES)
async def test_the_rows_of_a_gathered_card_stand_still_the_latest_first(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    for number in range(6):
        run(environment, number)
        await environment.slack.until(
            lambda number=number: rows(environment)[:1] == [f"Run {number}"]
        )
        environment.clock.forward(seconds=10)
    await environment.polls(5)
    assert rows(environment) == ["Run 5", "Run 4", "Run 3", "Run 2"]


@under(ESCALATES)
async def test_a_run_that_fails_again_is_waited_for_anew(environment: BotEnvironment) -> None:
    await first_poll_finished(environment)
    failed = run(environment, 1)
    await environment.slack.until(lambda: card_of(environment, SOC, "Run 1"))
    world, tracked = environment.secmaster.world, environment.app.services.store.tracked
    world.update_instance(failed["id"], {"command_type": "ActionInstanceRetryCommand"}, EVERA)
    await environment.secmaster.until(lambda: failed["status"] == "FINISHED")
    ref = Ref(kind="instance", id=failed["id"])
    await environment.polls(
        3
    )  # a list that was read before the retry says once more that it failed
    await environment.secmaster.until(lambda: not tracked.get([ref])[0].open)
    environment.clock.forward(minutes=40)
    failed.update(status="FAILED", retry_count=1, end_time=stamp(environment.clock.now()))
    world.add_task(name="Something changes")
    await environment.secmaster.until(lambda: tracked.get([ref])[0].open)
    await environment.polls(3)
    assert not environment.slack.messages(ONCALL)
    environment.clock.forward(minutes=31)
    [card] = await environment.slack.until(lambda: environment.slack.messages(ONCALL))
    assert card["text"].startswith("Run 1")


@under(SOC_ROUTE)
async def test_the_end_of_a_snooze_is_told_once(environment: BotEnvironment) -> None:
    await first_poll_finished(environment)
    environment.secmaster.world.add_task(name="Check it")
    ts = await environment.slack.until(lambda: card_of(environment, SOC, "Check it"))
    await snooze(environment, ALICE, ts)
    await environment.slack.until(lambda: "snooze.0h" in json.dumps(environment.message(ts)))
    ref = f"1:task:main:{task_id_of(environment, ts)}"
    await environment.slack.press(ALICE, SOC, ts, "more", value=f"snooze.0h|{ref}")
    await environment.replies(ts, 2)
    await environment.polls(5)
    assert len(environment.slack.thread(SOC, ts)) == 3


async def test_of_many_one_that_was_commented_on_since_the_list_is_left_out(
    environment: BotEnvironment,
) -> None:
    view = await open_from_list(environment, ALICE, "task")
    comment = {"action": "ADD_COMMENT", "comment": "STOP: wrong host"}
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, comment, EVERA)
    question = await choose(environment, ALICE, view, "task.approve", [seed.TASK_ISOLATE])
    assert "Changed since it was listed" in json.dumps(question)


def run(environment: BotEnvironment, number: int) -> dict[str, Any]:
    """One more failure of the same workflow."""
    now = stamp(environment.clock.now())
    return environment.secmaster.world.add_instance(
        name=f"Run {number}", status="FAILED", end_time=now, workflow=dict(WORKFLOWS[0])
    )


def rows(environment: BotEnvironment) -> list[str]:
    """The runs on the only card in the channel, from the top."""
    cards = [m for m in environment.slack.messages(SOC) if "watching SecMaster" not in m["text"]]
    texts = [
        (block.get("text") or {}).get("text", "") for card in cards for block in card["blocks"]
    ]
    return [text.split("*")[1] for text in texts if text.startswith("*Run")] or [
        card["text"].split(":")[0] for card in cards
    ]


def cards_with(environment: BotEnvironment, channel: str, name: str) -> list[str]:
    """The messages of a channel that begin with this name."""
    return [m["ts"] for m in environment.slack.messages(channel) if m["text"].startswith(name)]
