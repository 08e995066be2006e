"""The hand-over comes to its channel at its times, once, and to whoever asks for it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.notifications.digests import stale_since
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.watch.poller import DISPATCH_INTERVAL
from tests.support.clock import FakeClock
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment, policy, settings_for
from tests.support.people import ALICE, BOB, CAROL, DAVE, ONCALL, SOC
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS
from tests.support.watch import EVERA, first_poll_finished


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


@postgres_in_full
async def test_a_hand_over_says_who_did_what_and_what_still_waits(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    card = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, card, "task.approve")
    await environment.replies(card)
    environment.secmaster.world.update_task(seed.TASK_BLOCK_IP, {"action": "TERMINATE"}, EVERA)
    run = await environment.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    await environment.slack.press(CAROL, SOC, run, "instance.retry")
    await environment.slack.until(lambda: "Finished" in environment.message(run)["text"])
    await settled(environment, 10)
    assert handed_over(environment) == []
    environment.clock.forward(minutes=3)
    [report] = await reports(environment, 1)
    assert "1 task was decided in Slack. Alice approved 1 task." in report
    assert "1 task was decided in SecMaster, outside Slack." in report
    assert "Median time to a decision: " in report
    assert "(2 tasks)" in report
    assert "10 tasks are waiting." in report
    assert "🔴 2 failed runs." in report  # those of playbooks follow it
    assert "Carol retried 1, which recovered." in report
    assert "<@" not in report
    started, ended = await environment.replies(run, 2)
    assert "*Retry started by" in started
    assert "*Retry finished*" in ended


@pytest.mark.slow
async def test_a_hand_over_waits_out_a_moment_of_trouble_so_that_nothing_is_left_out(
    environment: BotEnvironment,
) -> None:
    await unreadable(environment)
    environment.secmaster.world.update_task(seed.TASK_BLOCK_IP, {"action": "TERMINATE"}, EVERA)
    environment.clock.forward(minutes=2.5)
    await rounds(environment)
    assert handed_over(environment) == []
    await environment.slack.command(DAVE, SOC, "/secmaster oncall")
    await environment.ephemeral(DAVE, "SecMaster can't be read. This is as of")
    await environment.secmaster.faults.clear()
    await environment.answer(ALICE, "/secmaster task list")  # answered, so it is polled at once
    [report] = await reports(environment, 1)
    assert "1 task was decided in SecMaster, outside Slack." in report
    assert "11 tasks are waiting." in report
    assert "can't be read" not in report


async def test_a_hand_over_comes_in_time_though_secmaster_asks_for_a_day_and_says_since_when(
    environment: BotEnvironment,
) -> None:
    await unreadable(environment, retry_after=86_400)
    environment.clock.forward(minutes=4)
    [report] = await reports(environment, 1)
    assert "12 tasks are waiting." in report
    assert "⚠️ SecMaster can't be read." in report


@postgres_in_full
async def test_a_hand_over_is_told_once_over_restarts_and_by_its_time(
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    clock: FakeClock,
    database_url: str,
    rules: str,
) -> None:
    settings = settings_for(slack.url, secmaster.url, database_url)
    for _ in range(3):
        async with App(settings, policy(rules), QUICK_TIMEOUTS, clock) as app:
            environment = BotEnvironment(slack, secmaster, app, clock)
            await first_poll_finished(environment)
            clock.forward(minutes=3)
            await reports(environment, 1)
            await rounds(environment)
    assert len(handed_over(environment)) == 1
    async with App(settings, policy(rules), QUICK_TIMEOUTS, clock) as app:
        environment = BotEnvironment(slack, secmaster, app, clock)
        clock.forward(hours=24)
        await reports(environment, 2)
        assert len(written(environment)) == 2


@pytest.mark.parametrize("rules", [handing_over(minutes=-3)], ids=["just-missed"])
async def test_what_was_missed_before_the_watch_began_is_not_told(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await rounds(environment)
    assert written(environment) == []
    environment.clock.forward(hours=24)
    await reports(environment, 1)


async def test_what_was_missed_by_more_than_six_hours_is_not_told(
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    clock: FakeClock,
    database_url: str,
    rules: str,
) -> None:
    settings = settings_for(slack.url, secmaster.url, database_url)
    for hours in (0, 7, 20):
        clock.forward(hours=hours)
        async with App(settings, policy(rules), QUICK_TIMEOUTS, clock) as app:
            environment = BotEnvironment(slack, secmaster, app, clock)
            await first_poll_finished(environment)
            await rounds(environment)
            assert len(written(environment)) == (hours == 20)
            if hours == 20:  # it is posted while the bot runs
                assert "Shift summary" in (await reports(environment, 1))[0]
    assert len(handed_over(environment)) == 1


async def test_whoever_asks_is_told_what_would_be_handed_over_now(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    card = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(BOB, SOC, card, "task.approve")
    await environment.replies(card)
    await settled(environment, 11)
    await environment.slack.command(DAVE, SOC, "/secmaster digest")
    text = await environment.ephemeral(DAVE, "Shift summary")
    assert "Bob approved 1 task." in text
    assert "11 tasks are waiting." in text
    assert handed_over(environment) == []


async def test_who_broke_the_glass_is_named(environment: BotEnvironment) -> None:
    at = environment.clock.now()
    entry = {
        "at": at,
        "operation_id": "a" * 32,
        "outcome": "done",
        "action": "task.approve",
        "target": f"1:task:main:{seed.TASK_ISOLATE}",
        "actor": {"id": CAROL, "name": "Carol"},
        "terms": {"break_glass_channel": ONCALL},
    }
    await asyncio.to_thread(environment.app.services.store.audit.record, entry)
    await environment.slack.command(DAVE, SOC, "/secmaster digest")
    text = await environment.ephemeral(DAVE, "Shift summary")
    assert "🔨 1 emergency override (Carol)." in text


async def test_who_is_on_call_is_told_with_what_presses_most(environment: BotEnvironment) -> None:
    await first_poll_finished(environment)
    await environment.slack.command(DAVE, SOC, "/secmaster oncall")
    text = await environment.ephemeral(DAVE, "On call now")
    assert "<@U0ALICE>, <@U0BOB>, and <@U0CAROL>" in text
    assert "12 tasks waiting · " in text
    assert "3 failed runs" in text
    [message] = environment.slack.ephemerals(DAVE)
    shows = [part for part in message["blocks"] if part.get("accessory")]
    assert len(shows) == 3
    await environment.slack.press(DAVE, SOC, message["ts"], "show", block_id=shows[0]["block_id"])
    [card] = await environment.slack.until(lambda: environment.slack.ephemerals(DAVE)[1:])
    assert card["blocks"][0]["text"]["text"] == shows[0]["text"]["text"]


@pytest.mark.parametrize("rules", [POLICY], ids=["unwatched"])
@pytest.mark.parametrize("words", ["digest", "oncall"])
async def test_where_nothing_watches_nothing_is_made_up(
    environment: BotEnvironment, words: str
) -> None:
    await environment.slack.command(DAVE, SOC, f"/secmaster {words}")
    await environment.ephemeral(DAVE, "Sync with SecMaster is off")


async def unreadable(environment: BotEnvironment, *, retry_after: int | None = None) -> None:
    """Let SecMaster be in trouble after a good round, and the watch know it."""
    await first_poll_finished(environment)
    await environment.secmaster.faults.set(Fault(on="*", status=503, retry_after=retry_after))
    failing = asyncio.Event()

    async def note() -> None:
        if stale_since(environment.app.services):
            failing.set()

    environment.app.poller.subscribe(note)
    await failing.wait()
    await environment.clock.until_waiting(DISPATCH_INTERVAL)  # for a poll or that long


async def settled(environment: BotEnvironment, waiting: int) -> None:
    """Wait until the watch knows that only so many wait."""
    tracked = environment.app.services.store.tracked
    await environment.secmaster.until(lambda: tracked.count("main", "task") == waiting)


async def rounds(environment: BotEnvironment) -> None:
    """Wait until all that a round says has been said, twice."""
    for _ in range(2):
        through = asyncio.Event()

        async def heard(through: asyncio.Event = through) -> None:
            through.set()

        environment.app.poller.subscribe(heard)
        await through.wait()


async def reports(environment: BotEnvironment, number: int) -> list[str]:
    """Wait for so many hand-overs in the channel."""
    return await environment.slack.until(
        lambda: len(handed_over(environment)) >= number and handed_over(environment)
    )


def handed_over(environment: BotEnvironment) -> list[str]:
    texts = [message["text"] for message in environment.slack.messages(ONCALL)]
    return [text for text in texts if "Shift summary" in text or "Quiet shift" in text]


def written(environment: BotEnvironment) -> list[str]:
    """The digests that were ever to be posted."""
    outbox = environment.app.services.store.outbox
    with outbox.engine.begin() as connection:
        query = sa.text(
            "SELECT dedupe_key FROM outbox WHERE dedupe_key LIKE 'digest:%' ORDER BY number"
        )
        return [row.dedupe_key for row in connection.execute(query)]
