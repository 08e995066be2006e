"""A second process that would do the first one's work: it is refused before it touches any."""

import pytest

from bot.app import App, StartError
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.settings import Settings
from bot.store import NameInUse
from tests.support.databases import both_databases
from tests.support.environment import BotEnvironment, policy
from tests.support.people import ALICE, SOC
from tests.support.timeouts import QUICK_TIMEOUTS

pytestmark = both_databases


async def test_a_second_bot_of_the_same_name_is_refused_and_what_is_pending_is_written_once(
    environment: BotEnvironment,
) -> None:
    ts = await pending(environment)
    with pytest.raises(NameInUse, match="main"):
        await start(environment, bot_port=0)
    await is_done_once(environment, ts)


async def test_a_second_bot_on_the_same_port_is_refused_and_what_is_pending_is_written_once(
    environment: BotEnvironment,
) -> None:
    ts = await pending(environment)
    port = int(environment.app.url.rpartition(":")[2])
    for name in ("main", "other"):
        with pytest.raises(StartError, match="BOT_PORT") as caught:
            await start(environment, bot_port=port, bot_replica=name)
        assert f"127.0.0.1:{port}" in str(caught.value)
    await is_done_once(environment, ts)


async def test_a_name_and_a_port_are_free_again_after_a_start_that_was_refused(
    environment: BotEnvironment,
) -> None:
    port = int(environment.app.url.rpartition(":")[2])
    for _ in range(2):
        with pytest.raises(StartError):
            await start(environment, bot_port=port, bot_replica="other")
        with pytest.raises(NameInUse):
            await start(environment, bot_port=0)
    await is_done_once(environment, await pending(environment))


async def test_after_its_end_the_same_bot_starts_again_on_the_same_port(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    port = int(environment.app.url.rpartition(":")[2])
    await environment.app.__aexit__(None, None, None)
    async with App(settings(environment, bot_port=port), policy(), QUICK_TIMEOUTS) as again:
        assert again.url == environment.app.url
        await environment.slack.press(ALICE, SOC, ts, "task.approve")
        await environment.replies(ts)
    assert len(environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)) == 1


async def pending(environment: BotEnvironment) -> str:
    """Have an approval wait at SecMaster's door; returns the card's ts."""
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.secmaster.faults.until_held("UpdateTask")
    return ts


async def start(environment: BotEnvironment, **changed: object) -> None:
    async with App(settings(environment, **changed), policy(), QUICK_TIMEOUTS):
        raise AssertionError("a second bot started")


def settings(environment: BotEnvironment, **changed: object) -> Settings:
    return environment.app.settings.model_copy(update=changed)


async def is_done_once(environment: BotEnvironment, ts: str) -> None:
    """Let SecMaster take it: nobody else has begun it meanwhile, and nobody does afterwards."""
    before = [each.endpoint for each in environment.secmaster.requests]
    await environment.secmaster.faults.clear()
    [reply] = await environment.replies(ts)
    assert f"*Approved by <@{ALICE}>" in reply
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert "UpdateTask" not in before
    puts = [each for each in environment.secmaster.requests if each.method == "PUT"]
    assert len(puts) == 1
    assert len(environment.slack.thread(SOC, ts)) == 2
    assert (await environment.app.readiness.parts())["database"] == "ok"
