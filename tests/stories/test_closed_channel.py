"""A channel is closed while cards wait: nothing is lost, said twice, or reported for ever."""

import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster.arrivals import WORKFLOWS
from bot.sandbox.secmaster.wire import stamp
from tests.stories.test_arrivals import began, card_of
from tests.stories.test_due import EVERA
from tests.town import ALICE, BOB, CAROL, ONCALL, SOC, Town, both_databases

ROUTES = """
[[routes]]
name = "soc"
channel = "C0SOC"
tasks = true
remind = ["1h"]

[[routes]]
name = "failures"
channel = "C0SOC"
instances = ["FAILED"]
"""
REPORTED = f"""
[watch]
every = 0.02
fallback = "{ONCALL}"
admins = ["{ALICE}", "{BOB}"]
"""
ALONE = f'\n[watch]\nevery = 0.02\nadmins = ["{ALICE}"]\n'
alone = pytest.mark.parametrize("rules", [POLICY + ALONE + ROUTES], ids=["alone"], indirect=True)


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", POLICY + REPORTED + ROUTES))


@both_databases
async def test_cards_go_to_the_fallback_and_each_admin_is_told_once(town: Town):
    await began(town)
    town.slack.archive(SOC)
    names = tasks(town, "Isolate a", "Isolate b", "Isolate c")
    await town.slack.until(lambda: all(card_of(town, ONCALL, name) for name in names))
    await town.rounds(4)
    for name in names:
        [card] = named(town, ONCALL, name)
        assert "Meant for <#C0SOC>, where I can't post." in json.dumps(card)
    [card] = named(town, ONCALL, names[0])
    task = card["metadata"]["event_payload"]["ref"].rpartition(":")[2]
    town.secmaster.world.update_task(task, {"action": "CONTINUE"}, EVERA)
    await town.slack.until(lambda: not town.buttons(card["ts"], channel=ONCALL))
    assert "Meant for <#C0SOC>" in json.dumps(named(town, ONCALL, names[0]))
    for admin in (ALICE, BOB):
        [report] = reports(town, admin)
        assert report.startswith("⚠️ I can't post in <#C0SOC> any more (`is_archived`).")
    assert reports(town, CAROL) == []


@both_databases
async def test_an_hour_later_the_channel_is_tried_again_and_another_closure_is_reported(
    town: Town,
):
    await began(town)
    town.slack.archive(SOC)
    tasks(town, "Isolate a")
    await town.slack.until(lambda: card_of(town, ONCALL, "Isolate a"))
    town.slack.unarchive(SOC)
    tasks(town, "Isolate b")
    await town.slack.until(lambda: card_of(town, ONCALL, "Isolate b"))
    town.hands.forward(minutes=61)
    tasks(town, "Isolate c")
    await town.slack.until(lambda: card_of(town, SOC, "Isolate c"))
    assert not card_of(town, ONCALL, "Isolate c")
    await town.rounds(4)
    assert town.app.services.store.closed_channels.all() == []
    town.slack.archive(SOC)
    tasks(town, "Isolate d")
    await town.slack.until(lambda: card_of(town, ONCALL, "Isolate d"))
    await town.slack.until(lambda: len(reports(town, ALICE)) == 2)
    assert not named(town, SOC, "Isolate a")


async def test_while_it_stays_closed_it_is_tried_each_hour_and_reported_once(town: Town):
    await began(town)
    town.slack.archive(SOC)
    for name in ("Isolate a", "Isolate b", "Isolate c"):
        tasks(town, name)
        await town.slack.until(lambda name=name: card_of(town, ONCALL, name))
        town.hands.forward(minutes=61)
    await town.rounds(4)
    assert len(reports(town, ALICE)) == 1
    tried = [call for call in posts(town) if call.args["channel"] == SOC and not call.ok]
    assert len(tried) == 3


async def test_a_reminder_that_is_posted_tells_that_the_channel_is_open_again(town: Town):
    await began(town)
    now = town.hands.now()
    due = now.fromtimestamp(now.timestamp() + 3 * 3600, now.tzinfo)
    town.secmaster.world.add_task(name="Isolate early", due_date=stamp(due))
    ts = await town.slack.until(lambda: card_of(town, SOC, "Isolate early"))
    town.slack.archive(SOC)
    tasks(town, "Isolate a")
    await town.slack.until(lambda: card_of(town, ONCALL, "Isolate a"))
    town.slack.unarchive(SOC)
    town.hands.forward(hours=2, minutes=1)
    await town.replies(ts)
    await town.rounds(4)
    assert town.app.services.store.closed_channels.all() == []


@both_databases
@alone
async def test_without_a_fallback_they_wait_and_come_in_order_once_it_opens(town: Town):
    await began(town)
    town.slack.archive(SOC)
    names = ["Isolate a", "Isolate b", "Isolate c"]
    for name in names:
        tasks(town, name)
        await town.rounds(2)
    assert len(reports(town, ALICE)) == 1
    town.slack.unarchive(SOC)
    await town.rounds(4)
    assert not any(card_of(town, SOC, name) for name in names)
    town.hands.forward(minutes=61)
    await town.slack.until(lambda: all(card_of(town, SOC, name) for name in names))
    said = [m["text"].partition(":")[0] for m in town.slack.messages(SOC)]
    assert [text for text in said if text in names] == names
    assert len(reports(town, ALICE)) == 1


async def test_where_the_fallback_is_closed_too_nothing_is_lost_nor_said_for_ever(town: Town):
    await began(town)
    town.slack.archive(SOC)
    town.slack.archive(ONCALL)
    names = tasks(town, "Isolate a", "Isolate b")
    for admin in (ALICE, BOB):
        await town.slack.until(lambda admin=admin: len(reports(town, admin)) == 2)
    before = len(posts(town))
    await town.rounds(10)
    assert len(posts(town)) == before
    assert len(reports(town, ALICE)) == 2
    town.slack.unarchive(ONCALL)
    town.hands.forward(minutes=61)
    await town.slack.until(lambda: all(card_of(town, ONCALL, name) for name in names))
    assert [len(named(town, ONCALL, name)) for name in names] == [1, 1]


async def test_a_private_channel_without_the_bot_is_closed_as_well(town: Town):
    await began(town)
    town.slack.workspace.channels[SOC].is_private = True
    town.slack.remove_bot(SOC)
    tasks(town, "Isolate a")
    await town.slack.until(lambda: card_of(town, ONCALL, "Isolate a"))
    town.slack.add_bot(SOC)
    town.hands.forward(minutes=61)
    tasks(town, "Isolate b")
    await town.slack.until(lambda: card_of(town, SOC, "Isolate b"))


async def test_a_failure_whose_gathering_card_is_in_a_closed_channel_goes_to_the_fallback(
    town: Town,
):
    await began(town)
    failure(town, "Run 1")
    await town.slack.until(lambda: card_of(town, SOC, "Run 1"))
    town.slack.archive(SOC)
    failure(town, "Run 2")
    await town.slack.until(lambda: card_of(town, ONCALL, "Run 2"))
    assert len(reports(town, ALICE)) == 1


async def test_one_that_slack_refuses_for_another_reason_does_not_stand_before_the_others(
    town: Town,
):
    await began(town)
    no = Fault(on="chat.postMessage", status=200, code="invalid_blocks", times=1)
    await town.slack.faults.set(no)
    tasks(town, "Isolate a")
    await town.slack.until(lambda: [call for call in posts(town) if not call.ok])
    tasks(town, "Isolate b")
    await town.slack.until(lambda: card_of(town, SOC, "Isolate b"))
    assert not card_of(town, SOC, "Isolate a")
    town.hands.forward(minutes=11)
    await town.slack.until(lambda: card_of(town, SOC, "Isolate a"))


async def test_one_that_secmaster_refuses_to_show_does_not_stand_before_the_others(town: Town):
    await began(town)
    await town.secmaster.faults.set(Fault(on="ShowTask", status=403, times=1))
    tasks(town, "Isolate a")
    shown = "ShowTask", 403
    await town.secmaster.until(
        lambda: shown in [(one.endpoint, one.status) for one in town.secmaster.requests]
    )
    tasks(town, "Isolate b")
    await town.slack.until(lambda: card_of(town, SOC, "Isolate b"))
    assert not card_of(town, SOC, "Isolate a")
    town.hands.forward(minutes=11)
    await town.slack.until(lambda: card_of(town, SOC, "Isolate a"))


def tasks(town: Town, *names: str) -> list[str]:
    for name in names:
        town.secmaster.world.add_task(name=name)
    return list(names)


def failure(town: Town, name: str) -> None:
    run = {"name": name, "status": "FAILED", "workflow": dict(WORKFLOWS[0])}
    town.secmaster.world.add_instance(**run)


def named(town: Town, channel: str, name: str) -> list[dict[str, Any]]:
    return [m for m in town.slack.messages(channel) if m["text"].startswith(f"{name}:")]


def reports(town: Town, who: str) -> list[str]:
    """What the bot said by itself in its chat with somebody of closed channels."""
    chat = town.slack.workspace.dm(who)
    assert chat
    return [m["text"] for m in town.slack.messages(chat.id) if "I can't post in" in m["text"]]


def posts(town: Town) -> list[Any]:
    return [call for call in town.slack.calls if call.method == "chat.postMessage"]
