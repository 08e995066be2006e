"""A channel is closed while cards wait: nothing is lost, said twice, or reported for ever."""

import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster.arrivals import WORKFLOWS
from bot.sandbox.secmaster.wire import stamp
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, ONCALL, SOC
from tests.support.watch import EVERA, card_of, first_poll_finished, ignore_seeded_tasks

ROUTES = """
[[routes]]
name = "soc"
channel = "C0SOC"
tasks = true
remind = ["1h"]
group = "none"

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


@pytest.fixture
async def environment(environment: BotEnvironment) -> BotEnvironment:
    """One in which both admins are told, and a story looks at what Alice is."""
    environment.ignore_messages("Can't post in", channel="D0BOB")
    return environment


@postgres_in_full
async def test_cards_go_to_the_fallback_and_each_admin_is_told_once(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    environment.slack.archive(SOC)
    names = tasks(environment, "Isolate a", "Isolate b", "Isolate c")
    await environment.slack.until(lambda: all(card_of(environment, ONCALL, name) for name in names))
    await environment.polls(4)
    for name in names:
        [card] = messages_about(environment, ONCALL, name)
        assert "Meant for <#C0SOC>, where the bot can't post." in json.dumps(card)
    [card] = messages_about(environment, ONCALL, names[0])
    task = card["metadata"]["event_payload"]["ref"].rpartition(":")[2]
    environment.secmaster.world.update_task(task, {"action": "CONTINUE"}, EVERA)
    await environment.slack.until(lambda: not environment.buttons(card["ts"], channel=ONCALL))
    assert "Meant for <#C0SOC>" in json.dumps(messages_about(environment, ONCALL, names[0]))
    for admin in (ALICE, BOB):
        [report] = reports(environment, admin)
        assert report.startswith("⚠️ Can't post in <#C0SOC> (`is_archived`).")
    assert reports(environment, CAROL) == []


@postgres_in_full
async def test_an_hour_later_the_channel_is_tried_again_and_another_closure_is_reported(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    environment.slack.archive(SOC)
    tasks(environment, "Isolate a")
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Isolate a"))
    environment.slack.unarchive(SOC)
    tasks(environment, "Isolate b")
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Isolate b"))
    environment.clock.forward(minutes=61)
    tasks(environment, "Isolate c")
    await environment.slack.until(lambda: card_of(environment, SOC, "Isolate c"))
    assert not card_of(environment, ONCALL, "Isolate c")
    await environment.polls(4)
    assert environment.app.services.store.closed_channels.all() == []
    environment.slack.archive(SOC)
    tasks(environment, "Isolate d")
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Isolate d"))
    await environment.slack.until(lambda: len(reports(environment, ALICE)) == 2)
    assert not messages_about(environment, SOC, "Isolate a")


async def test_while_it_stays_closed_it_is_tried_each_hour_and_reported_once(
    environment: BotEnvironment,
) -> None:
    ignore_seeded_tasks(environment)
    await first_poll_finished(environment)
    environment.slack.archive(SOC)
    for name in ("Isolate a", "Isolate b", "Isolate c"):
        tasks(environment, name)
        await environment.slack.until(lambda name=name: card_of(environment, ONCALL, name))
        environment.clock.forward(minutes=61)
    await environment.polls(4)
    assert len(reports(environment, ALICE)) == 1
    tried = [call for call in posts(environment) if call.args["channel"] == SOC and not call.ok]
    assert len(tried) == 3


async def test_a_reminder_that_is_posted_tells_that_the_channel_is_open_again(
    environment: BotEnvironment,
) -> None:
    # A seed is due soon after: it is reminded of too where the story takes its time.
    environment.ignore_messages("Publish workflow", channel=SOC)
    await first_poll_finished(environment)
    now = environment.clock.now()
    due = now.fromtimestamp(now.timestamp() + 3 * 3600, now.tzinfo)
    environment.secmaster.world.add_task(name="Isolate early", due_date=stamp(due))
    ts = await environment.slack.until(lambda: card_of(environment, SOC, "Isolate early"))
    environment.slack.archive(SOC)
    tasks(environment, "Isolate a")
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Isolate a"))
    environment.slack.unarchive(SOC)
    environment.clock.forward(hours=2, minutes=1)
    await environment.replies(ts)
    await environment.polls(4)
    assert environment.app.services.store.closed_channels.all() == []
    await environment.posted("D0ALICE", "Can't post in <#C0SOC>", "is_archived")


@postgres_in_full
@alone
async def test_without_a_fallback_they_wait_and_come_in_order_once_it_opens(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    environment.slack.archive(SOC)
    names = ["Isolate a", "Isolate b", "Isolate c"]
    for name in names:
        tasks(environment, name)
        await environment.polls(2)
    assert len(reports(environment, ALICE)) == 1
    environment.slack.unarchive(SOC)
    await environment.polls(4)
    assert not any(card_of(environment, SOC, name) for name in names)
    environment.clock.forward(minutes=61)
    await environment.slack.until(lambda: all(card_of(environment, SOC, name) for name in names))
    texts = [m["text"].partition(":")[0] for m in environment.slack.messages(SOC)]
    assert [text for text in texts if text in names] == names
    assert len(reports(environment, ALICE)) == 1


async def test_where_the_fallback_is_closed_too_nothing_is_lost_nor_said_for_ever(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    environment.slack.archive(SOC)
    environment.slack.archive(ONCALL)
    names = tasks(environment, "Isolate a", "Isolate b")
    for admin in (ALICE, BOB):
        await environment.slack.until(lambda admin=admin: len(reports(environment, admin)) == 2)
    before = len(posts(environment))
    await environment.polls(10)
    assert len(posts(environment)) == before
    assert len(reports(environment, ALICE)) == 2
    environment.slack.unarchive(ONCALL)
    environment.clock.forward(minutes=61)
    await environment.slack.until(lambda: all(card_of(environment, ONCALL, name) for name in names))
    assert [len(messages_about(environment, ONCALL, name)) for name in names] == [1, 1]


@pytest.mark.slow
async def test_a_private_channel_without_the_bot_is_closed_as_well(
    environment: BotEnvironment,
) -> None:
    ignore_seeded_tasks(environment)
    await first_poll_finished(environment)
    environment.slack.workspace.channels[SOC].is_private = True
    environment.slack.remove_bot(SOC)
    tasks(environment, "Isolate a")
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Isolate a"))
    environment.slack.add_bot(SOC)
    environment.clock.forward(minutes=61)
    tasks(environment, "Isolate b")
    await environment.slack.until(lambda: card_of(environment, SOC, "Isolate b"))
    await environment.posted("D0ALICE", "Can't post in <#C0SOC>", "channel_not_found")


async def test_a_failure_whose_gathering_card_is_in_a_closed_channel_goes_to_the_fallback(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    failure(environment, "Run 1")
    await environment.slack.until(lambda: card_of(environment, SOC, "Run 1"))
    environment.slack.archive(SOC)
    failure(environment, "Run 2")
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Run 2"))
    assert len(reports(environment, ALICE)) == 1


async def test_one_that_slack_refuses_for_another_reason_does_not_stand_before_the_others(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    no = Fault(on="chat.postMessage", status=200, code="invalid_arguments", times=1)
    await environment.slack.faults.set(no)
    tasks(environment, "Isolate a")
    await environment.slack.until(lambda: [call for call in posts(environment) if not call.ok])
    tasks(environment, "Isolate b")
    await environment.slack.until(lambda: card_of(environment, SOC, "Isolate b"))
    assert not card_of(environment, SOC, "Isolate a")
    environment.clock.forward(minutes=11)
    await environment.slack.until(lambda: card_of(environment, SOC, "Isolate a"))


async def test_one_that_secmaster_refuses_to_show_does_not_stand_before_the_others(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=403, times=1))
    tasks(environment, "Isolate a")
    refused_read = "ShowTask", 403
    await environment.secmaster.until(
        lambda: (
            refused_read in [(one.endpoint, one.status) for one in environment.secmaster.requests]
        )
    )
    tasks(environment, "Isolate b")
    await environment.slack.until(lambda: card_of(environment, SOC, "Isolate b"))
    assert not card_of(environment, SOC, "Isolate a")
    environment.clock.forward(minutes=11)
    await environment.slack.until(lambda: card_of(environment, SOC, "Isolate a"))


def tasks(environment: BotEnvironment, *names: str) -> list[str]:
    for name in names:
        environment.secmaster.world.add_task(name=name)
    return list(names)


def failure(environment: BotEnvironment, name: str) -> None:
    environment.secmaster.world.add_instance(
        name=name, status="FAILED", workflow=dict(WORKFLOWS[0])
    )


def messages_about(environment: BotEnvironment, channel: str, name: str) -> list[dict[str, Any]]:
    return [m for m in environment.slack.messages(channel) if m["text"].startswith(f"{name}:")]


def reports(environment: BotEnvironment, who: str) -> list[str]:
    """What the bot said by itself in its chat with somebody of closed channels."""
    chat = environment.slack.workspace.dm(who)
    assert chat
    return [m["text"] for m in environment.slack.messages(chat.id) if "Can't post in" in m["text"]]


def posts(environment: BotEnvironment) -> list[Any]:
    return [call for call in environment.slack.calls if call.method == "chat.postMessage"]
