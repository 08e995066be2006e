"""One thing goes wrong while something is brought: the rest still comes, once, and drawn."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster.arrivals import TRACEBACK
from bot.watch import reconcile
from tests.stories.test_arrivals import began, card_of
from tests.stories.test_oncall import failed
from tests.town import ALICE, ONCALL, SOC, Town

RANDOM = "C0RANDOM"  # public, and the bot is not in it
WATCH = '\n[watch]\nevery = 0.02\nadmins = ["U0ALICE"]\n'
FALLBACK = f'{WATCH}fallback = "C0ONCALL"\n'
FAILURES = '\n[[routes]]\nname = "all"\nchannel = "{}"\ninstances = ["FAILED"]\n'
BOTH = '\n[[routes]]\nchannel = "C0SOC"\ntasks = true\ninstances = ["FAILED"]\n'
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
async def test_an_excerpt_that_can_not_be_shared_does_not_close_its_channel(town: Town):
    await failed(town, error=TRACEBACK)
    await town.slack.until(lambda: card_of(town, RANDOM, "Run 0"))
    await failed(town, number=1, workflow=1)
    await town.slack.until(lambda: card_of(town, RANDOM, "Run 1"))
    await through(town)
    assert town.app.services.store.closed_channels.all() == []


@under(WATCH, BOTH)
async def test_however_many_can_not_be_read_what_comes_after_them_is_brought(town: Town):
    await began(town)
    await town.secmaster.faults.set(Fault(on="ShowTask", status=503))
    for number in range(7):
        town.secmaster.world.add_task(name=f"Odd {number}")
    await town.rounds(3)
    await failed(town)
    minutes = 0
    while not card_of(town, SOC, "Run 0"):  # each keeps its place for a minute, and no longer
        town.hands.forward(seconds=6)
        await town.rounds(1)
        minutes += 0.1
        assert minutes < 15
    await town.secmaster.faults.clear()
    town.hands.forward(minutes=6)
    for number in range(7):
        await town.slack.until(lambda number=number: card_of(town, SOC, f"Odd {number}"))


@under(WATCH, FAILURES.format(ONCALL))
async def test_a_failure_that_joined_a_card_which_could_not_be_drawn_is_drawn_later(
    town: Town, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reconcile, "LISTED", 0)  # or a look that is nobody's turn would mend it
    await failed(town)
    await town.slack.until(lambda: card_of(town, ONCALL, "Run 0"))
    await through(town)
    await town.slack.faults.set(Fault(on="chat.update", times=1, **SLACK_DOWN))
    await failed(town, number=1)
    await town.slack.until(lambda: town.slack.faults.listed() == [])
    town.hands.forward(seconds=6)
    await town.slack.until(lambda: showing(town, ONCALL, "Run 1"))
    assert len(showing(town, ONCALL, "Run 0")) == 1
    await through(town)


@under(WATCH, FAILURES.format(ONCALL))
async def test_a_failure_whose_answer_was_lost_is_found_before_it_joins_another(town: Town):
    await began(town)
    lost = Fault(on="chat.postMessage", hang_up=True, applied=True, times=1)
    await town.slack.faults.set(lost)
    await town.slack.faults.set(Fault(on="conversations.history", **SLACK_DOWN))
    await failed(town)
    ts = await town.slack.until(lambda: card_of(town, ONCALL, "Run 0"))
    for _ in range(12):
        town.hands.forward(seconds=6)
        await town.rounds(2)
    await failed(town, number=1)
    await town.slack.until(lambda: card_of(town, ONCALL, "Run 1"))
    await town.slack.faults.clear()
    town.hands.forward(minutes=11)
    await through(town)
    assert showing(town, ONCALL, "Run 0") == [ts]


@under(FALLBACK, GROUP)
async def test_what_is_for_a_group_that_nobody_is_in_goes_to_the_fallback(town: Town):
    await began(town)
    town.secmaster.world.add_task(name="Page")
    ts = await town.slack.until(lambda: card_of(town, ONCALL, "Page"))
    meant = json.dumps(town.message(ts, channel=ONCALL), ensure_ascii=False)
    assert "Meant for <!subteam^S0GONE>, which nobody is in." in meant
    chat = town.slack.workspace.dm(ALICE)
    assert chat
    report = "Nobody is in <!subteam^S0GONE> (`no_members`)."
    await town.slack.until(lambda: report in json.dumps(town.slack.messages(chat.id)))
    town.slack.workspace.groups["S0GONE"] = {"id": "S0GONE", "users": [ALICE]}
    town.hands.forward(seconds=61)
    town.hands.forward(minutes=2)
    town.secmaster.world.add_task(name="Next")
    await town.slack.until(lambda: card_of(town, chat.id, "Next"))
    assert not card_of(town, ONCALL, "Next")


@under(FALLBACK, FAILURES.format(SOC))
async def test_a_file_whose_channel_was_closed_before_it_came_is_not_posted_elsewhere(town: Town):
    await began(town)
    await town.slack.faults.set(Fault(on="files.getUploadURLExternal", **SLACK_DOWN))
    await failed(town, error=TRACEBACK)
    await town.slack.until(lambda: card_of(town, SOC, "Run 0"))
    town.slack.archive(SOC)
    await failed(town, number=1, workflow=1)
    for _ in range(12):
        town.hands.forward(seconds=6)
        await town.rounds(2)
    await town.slack.until(lambda: card_of(town, ONCALL, "Run 1"))
    await town.slack.faults.clear()
    town.hands.forward(minutes=11)
    await through(town)
    assert [m for m in town.slack.messages(ONCALL) if m.get("files")] == []


@under(WATCH, ESCALATES)
async def test_a_failure_of_its_own_does_not_join_one_that_was_escalated(town: Town):
    await failed(town)
    await town.slack.until(lambda: card_of(town, SOC, "Run 0"))
    town.hands.forward(minutes=31)
    await town.slack.until(lambda: card_of(town, ONCALL, "Run 0"))
    await failed(town, number=1)
    ts = await town.slack.until(lambda: card_of(town, ONCALL, "Run 1"))
    assert "Escalated from" not in json.dumps(town.message(ts, channel=ONCALL))


def showing(town: Town, channel: str, name: str) -> list[str]:
    """The messages in a channel that show this name."""
    return [m["ts"] for m in town.slack.messages(channel) if name in json.dumps(m)]


async def through(town: Town) -> None:
    """Wait until nothing is left to be posted."""
    waiting = town.app.services.store.outbox.count
    await town.secmaster.until(lambda: waiting() == 0)
