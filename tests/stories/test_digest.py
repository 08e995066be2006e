"""The hand-over comes to its channel at its times, once, and to whoever asks for it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.notifications.digests import stale_since
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, SecMasterSandbox, seed
from bot.sandbox.slack import SlackSandbox
from tests.stories.test_arrivals import began
from tests.town import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ONCALL,
    QUICK,
    SOC,
    Hands,
    Town,
    both_databases,
    policy,
    settings_for,
)

EVERA = Person("console-evera", "Evera")


def handing_over(*, minutes: float) -> str:
    """A policy with a digest every day, the next or the last so many minutes from now."""
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    return f"""{POLICY}
[watch]
every = 0.02
oncall = ["S0ONCALL", "S0SOC"]

[[digests]]
channel = "C0ONCALL"
at = ["{at:%H:%M}"]
"""


@pytest.fixture
def rules() -> str:
    return handing_over(minutes=2)


@both_databases
async def test_a_hand_over_says_who_did_what_and_what_still_waits(town: Town):
    await began(town)
    card = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(ALICE, SOC, card, "task.approve")
    await town.replies(card)
    town.secmaster.world.update_task(seed.TASK_BLOCK_IP, {"action": "TERMINATE"}, EVERA)
    run = await town.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    await town.slack.press(CAROL, SOC, run, "instance.retry")
    await town.slack.until(lambda: "Finished" in town.message(run)["text"])
    await settled(town, 10)
    assert handed_over(town) == []
    town.hands.forward(minutes=3)
    [said] = await told(town, 1)
    assert "1 task was decided here: Alice approved 1." in said
    assert "1 task was decided outside Slack, or ended by itself" in said
    assert "The median time to a decision was" in said
    assert "over 2 tasks" in said
    assert "10 tasks still wait" in said
    assert "2 runs are failed now. Carol retried 1; 1 of 1 run is no longer failed." in said
    assert "<@" not in said


async def test_a_hand_over_waits_for_secmaster_so_that_nothing_is_left_out(town: Town):
    await unreadable(town)
    town.secmaster.world.update_task(seed.TASK_BLOCK_IP, {"action": "TERMINATE"}, EVERA)
    town.hands.forward(minutes=3)
    await rounds(town)
    assert handed_over(town) == []
    await town.slack.command(DAVE, SOC, "/secmaster oncall")
    await town.whispered(DAVE, "SecMaster can't be read now; this is as of")
    await town.secmaster.faults.clear()
    town.hands.forward(minutes=6)
    [said] = await told(town, 1)
    assert "1 task was decided outside Slack, or ended by itself" in said
    assert "11 tasks still wait" in said
    assert "can't be read" not in said


async def test_a_hand_over_that_waited_for_an_hour_says_that_it_may_be_old(town: Town):
    await unreadable(town)
    town.hands.forward(minutes=63)
    [said] = await told(town, 1)
    assert "12 tasks still wait" in said
    assert "⚠️ SecMaster can't be read now" in said


@both_databases
async def test_a_hand_over_is_told_once_over_restarts_and_by_its_time(
    slack: SlackSandbox, secmaster: SecMasterSandbox, hands: Hands, database_url: str, rules: str
):
    settings = settings_for(slack, secmaster, database_url)
    for _ in range(3):
        async with App(settings, policy(rules), QUICK, hands) as app:
            town = Town(slack, secmaster, app, hands)
            await began(town)
            hands.forward(minutes=3)
            await told(town, 1)
            await rounds(town)
    assert len(handed_over(town)) == 1
    async with App(settings, policy(rules), QUICK, hands) as app:
        town = Town(slack, secmaster, app, hands)
        hands.forward(hours=24)
        await told(town, 2)
        assert len(written(town)) == 2


@pytest.mark.parametrize("rules", [handing_over(minutes=-3)], ids=["just-missed"])
async def test_what_was_missed_before_the_watch_began_is_not_told(town: Town):
    await began(town)
    await rounds(town)
    assert written(town) == []
    town.hands.forward(hours=24)
    await told(town, 1)


async def test_what_was_missed_by_more_than_six_hours_is_not_told(
    slack: SlackSandbox, secmaster: SecMasterSandbox, hands: Hands, database_url: str, rules: str
):
    settings = settings_for(slack, secmaster, database_url)
    for hours in (0, 7, 20):
        hands.forward(hours=hours)
        async with App(settings, policy(rules), QUICK, hands) as app:
            town = Town(slack, secmaster, app, hands)
            await began(town)
            await rounds(town)
            assert len(written(town)) == (hours == 20)


async def test_whoever_asks_is_told_what_would_be_handed_over_now(town: Town):
    await began(town)
    card = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(BOB, SOC, card, "task.approve")
    await town.replies(card)
    await settled(town, 11)
    await town.slack.command(DAVE, SOC, "/secmaster digest")
    told = await town.whispered(DAVE, "Hand-over")
    assert "Bob approved 1." in told
    assert "11 tasks still wait" in told
    assert handed_over(town) == []


async def test_who_broke_the_glass_is_named(town: Town):
    at = town.hands.now()
    entry = {
        "at": at,
        "operation_id": "a" * 32,
        "outcome": "done",
        "action": "task.approve",
        "target": f"1:task:main:{seed.TASK_ISOLATE}",
        "actor": {"id": CAROL, "name": "Carol"},
        "terms": {"break_glass_channel": ONCALL},
    }
    await asyncio.to_thread(town.app.services.store.record, entry)
    await town.slack.command(DAVE, SOC, "/secmaster digest")
    told = await town.whispered(DAVE, "Hand-over")
    assert "The glass was broken once: by Carol." in told


async def test_who_is_on_call_is_told_with_what_presses_most(town: Town):
    await began(town)
    await town.slack.command(DAVE, SOC, "/secmaster oncall")
    told = await town.whispered(DAVE, "On call now")
    assert "<@U0ALICE>, <@U0BOB>, <@U0CAROL>" in told
    assert "*12* waiting" in told
    assert "*3* failed" in told
    [said] = town.slack.ephemerals(DAVE)
    shows = [part for part in said["blocks"] if part.get("accessory")]
    assert len(shows) == 3
    await town.slack.press(DAVE, SOC, said["ts"], "show", block_id=shows[0]["block_id"])
    card = await town.slack.until(lambda: town.new_card(SOC, set()))
    assert town.message(card)["blocks"][0]["text"]["text"] == shows[0]["text"]["text"]


@pytest.mark.parametrize("rules", [POLICY], ids=["unwatched"])
@pytest.mark.parametrize("words", ["digest", "oncall"])
async def test_where_nothing_watches_nothing_is_made_up(town: Town, words: str):
    await town.slack.command(DAVE, SOC, f"/secmaster {words}")
    await town.whispered(DAVE, "Nothing watches SecMaster here")


async def unreadable(town: Town) -> None:
    """Let SecMaster be in trouble after a good round, and the watch know it."""
    await began(town)
    await town.secmaster.faults.set(Fault(on="*", status=503))
    await town.secmaster.until(lambda: stale_since(town.app.services) is not None)


async def settled(town: Town, waiting: int) -> None:
    """Wait until the watch knows that only so many wait."""
    known = town.app.services.store.tracked
    await town.secmaster.until(lambda: known.count("main", "task") == waiting)


async def rounds(town: Town) -> None:
    """Wait until all that a round says has been said, twice."""
    for _ in range(2):
        through = asyncio.Event()

        async def heard(through: asyncio.Event = through) -> None:
            through.set()

        town.app.poller.subscribe(heard)
        await through.wait()


async def told(town: Town, number: int) -> list[str]:
    """Wait for so many hand-overs in the channel."""
    return await town.slack.until(lambda: len(handed_over(town)) >= number and handed_over(town))


def handed_over(town: Town) -> list[str]:
    said = [message["text"] for message in town.slack.messages(ONCALL)]
    return [text for text in said if "Hand-over" in text or "quiet shift" in text]


def written(town: Town) -> list[str]:
    """The digests that were ever to be posted."""
    outbox = town.app.services.store.outbox
    with outbox.engine.begin() as connection:
        query = sa.text(
            "SELECT dedupe_key FROM outbox WHERE dedupe_key LIKE 'digest:%' ORDER BY number"
        )
        return [row.dedupe_key for row in connection.execute(query)]
