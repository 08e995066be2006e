"""One thing goes wrong while something is brought: the rest still comes, once, and drawn."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster.arrivals import TRACEBACK
from bot.watch import reconcile
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, ONCALL, SOC
from tests.support.watch import add_failure, card_of, first_poll_finished

RANDOM = "C0RANDOM"  # public, and the bot is not in it
WATCH = '\n[watch]\nevery = 0.02\nadmins = ["U0ALICE"]\n'
FALLBACK = f'{WATCH}fallback = "C0ONCALL"\n'
FAILURES = '\n[[routes]]\nname = "all"\nchannel = "{}"\ninstances = ["FAILED"]\n'
BOTH = '\n[[routes]]\nchannel = "C0SOC"\ntasks = true\ninstances = ["FAILED"]\ngroup = "none"\n'
GROUP = '\n[[routes]]\nusergroup = "S0GONE"\ntasks = true\n'
ESCALATES = """
[[routes]]
name = "first"
channel = "C0SOC"
instances = ["FAILED"]
when = { name = "Run 0" }
escalate = { after = "30m", to = "boss" }

[[routes]]
name = "boss"
channel = "C0ONCALL"
instances = ["FAILED"]
"""
SLACK_DOWN = {"status": 503, "code": "service_unavailable"}


def under(*parts: str) -> Callable[..., Any]:
    return pytest.mark.parametrize("rules", [POLICY + "".join(parts)], ids=["routes"])


@under(WATCH, FAILURES.format(RANDOM))
async def test_an_excerpt_that_can_not_be_shared_does_not_close_its_channel(
    environment: BotEnvironment,
) -> None:
    await add_failure(environment, error=TRACEBACK)
    await environment.slack.until(lambda: card_of(environment, RANDOM, "Run 0"))
    await add_failure(environment, number=1, workflow=1)
    await environment.slack.until(lambda: card_of(environment, RANDOM, "Run 1"))
    await through(environment)
    assert environment.app.services.store.closed_channels.all() == []


@pytest.mark.slow
@under(WATCH, BOTH)
async def test_however_many_can_not_be_read_what_comes_after_them_is_brought(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=503))
    for number in range(7):
        environment.secmaster.world.add_task(name=f"Odd {number}")
    await environment.polls(3)
    await add_failure(environment)
    turns = 0
    while not card_of(environment, SOC, "Run 0"):  # each keeps its place for a minute at most
        environment.clock.forward(seconds=15)
        # A poll that failed is followed by a pause, which ends only as the clock goes on.
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await environment.polls(1)
        turns += 1
        assert turns < 150
    await environment.secmaster.faults.clear()
    environment.clock.forward(minutes=6)
    for number in range(7):
        await environment.slack.until(
            lambda number=number: card_of(environment, SOC, f"Odd {number}")
        )


@under(WATCH, FAILURES.format(ONCALL))
@pytest.mark.slow
async def test_a_failure_that_joined_a_card_which_could_not_be_drawn_is_drawn_later(
    environment: BotEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "LISTED", 0)  # or a look that is nobody's turn would mend it
    await add_failure(environment)
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Run 0"))
    await through(environment)
    await environment.slack.faults.set(Fault(on="chat.update", times=1, **SLACK_DOWN))
    await add_failure(environment, number=1)
    await environment.slack.until(lambda: environment.slack.faults.listed() == [])
    environment.clock.forward(seconds=15)
    await environment.slack.until(lambda: showing(environment, ONCALL, "Run 1"))
    assert len(showing(environment, ONCALL, "Run 0")) == 1
    await through(environment)


@under(WATCH, FAILURES.format(ONCALL))
async def test_a_failure_whose_answer_was_lost_is_found_before_it_joins_another(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    lost = Fault(on="chat.postMessage", hang_up=True, applied=True, times=1)
    await environment.slack.faults.set(lost)
    await environment.slack.faults.set(Fault(on="conversations.history", **SLACK_DOWN))
    await add_failure(environment)
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, "Run 0"))
    for _ in range(12):
        environment.clock.forward(seconds=15)
        await environment.polls(2)
    await add_failure(environment, number=1)
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Run 1"))
    await environment.slack.faults.clear()
    environment.clock.forward(minutes=11)
    await through(environment)
    assert showing(environment, ONCALL, "Run 0") == [ts]


@under(FALLBACK, GROUP)
async def test_what_is_for_a_group_that_nobody_is_in_goes_to_the_fallback(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    environment.secmaster.world.add_task(name="Page")
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, "Page"))
    meant = json.dumps(environment.message(ts, channel=ONCALL), ensure_ascii=False)
    assert "Meant for <!subteam^S0GONE>, which has no members." in meant
    chat = environment.slack.workspace.dm(ALICE)
    assert chat
    report = "<!subteam^S0GONE> has no members (`no_members`)."
    await environment.slack.until(lambda: report in json.dumps(environment.slack.messages(chat.id)))
    environment.slack.workspace.groups["S0GONE"] = {"id": "S0GONE", "users": [ALICE]}
    environment.clock.forward(minutes=2)
    environment.secmaster.world.add_task(name="Next")
    await environment.slack.until(lambda: card_of(environment, chat.id, "Next"))
    assert not card_of(environment, ONCALL, "Next")


@under(FALLBACK, FAILURES.format(SOC))
async def test_a_file_whose_channel_was_closed_before_it_came_is_not_posted_elsewhere(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await environment.slack.faults.set(Fault(on="files.getUploadURLExternal", **SLACK_DOWN))
    await add_failure(environment, error=TRACEBACK)
    await environment.slack.until(lambda: card_of(environment, SOC, "Run 0"))
    environment.slack.archive(SOC)
    await add_failure(environment, number=1, workflow=1)
    for _ in range(12):
        environment.clock.forward(seconds=15)
        await environment.polls(2)
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Run 1"))
    await environment.slack.faults.clear()
    environment.clock.forward(minutes=11)
    await through(environment)
    assert [m for m in environment.slack.messages(ONCALL) if m.get("files")] == []
    await environment.posted("D0ALICE", "Can't post in <#C0SOC>", "is_archived")


@under(WATCH, ESCALATES)
async def test_a_failure_of_its_own_does_not_join_one_that_was_escalated(
    environment: BotEnvironment,
) -> None:
    await add_failure(environment)
    await environment.slack.until(lambda: card_of(environment, SOC, "Run 0"))
    environment.clock.forward(minutes=31)
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Run 0"))
    await add_failure(environment, number=1)
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, "Run 1"))
    assert "Escalated from" not in json.dumps(environment.message(ts, channel=ONCALL))


def showing(environment: BotEnvironment, channel: str, name: str) -> list[str]:
    """The messages in a channel that show this name."""
    return [m["ts"] for m in environment.slack.messages(channel) if name in json.dumps(m)]


async def through(environment: BotEnvironment) -> None:
    """Wait until nothing is left to be posted, however often it has to be tried until then."""

    def is_posted() -> bool:
        environment.clock.forward(seconds=15)  # a pause that began late is not waited for
        return environment.app.services.store.outbox.count() == 0

    await environment.secmaster.until(is_posted)
