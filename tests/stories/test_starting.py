"""A second process that would do the first one's work: it is refused before it touches any."""

import pytest

from bot.app import App, StartError
from bot.runtime.timeouts import Timeouts
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.store import NameInUse
from tests.town import ALICE, SOC, Town, both_databases, policy

pytestmark = both_databases


async def test_a_second_bot_of_the_same_name_is_refused_and_what_is_pending_is_written_once(
    town: Town,
):
    ts = await pending(town)
    with pytest.raises(NameInUse, match="main"):
        await start(town, bot_port=0)
    await is_done_once(town, ts)


async def test_a_second_bot_on_the_same_port_is_refused_and_what_is_pending_is_written_once(
    town: Town,
):
    ts = await pending(town)
    port = int(town.app.url.rpartition(":")[2])
    for name in ("main", "other"):
        with pytest.raises(StartError, match="BOT_PORT") as caught:
            await start(town, bot_port=port, bot_replica=name)
        assert f"127.0.0.1:{port}" in str(caught.value)
    await is_done_once(town, ts)


async def test_a_name_and_a_port_are_free_again_after_a_start_that_was_refused(town: Town):
    port = int(town.app.url.rpartition(":")[2])
    for _ in range(2):
        with pytest.raises(StartError):
            await start(town, bot_port=port, bot_replica="other")
        with pytest.raises(NameInUse):
            await start(town, bot_port=0)
    await is_done_once(town, await pending(town))


async def test_after_its_end_the_same_bot_starts_again_on_the_same_port(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    port = int(town.app.url.rpartition(":")[2])
    await town.app.__aexit__(None, None, None)
    async with App(settings(town, bot_port=port), policy(), Timeouts()) as again:
        assert again.url == town.app.url
        await town.slack.press(ALICE, SOC, ts, "task.approve")
        await town.replies(ts)
    assert len(town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)) == 1


async def pending(town: Town) -> str:
    """Have an approval wait at SecMaster's door; returns the card's ts."""
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.secmaster.faults.until_held("UpdateTask")
    return ts


async def start(town: Town, **changed: object) -> None:
    async with App(settings(town, **changed), policy(), Timeouts()):
        raise AssertionError("a second bot started")


def settings(town: Town, **changed: object):
    return town.app.settings.model_copy(update=changed)


async def is_done_once(town: Town, ts: str) -> None:
    """Let SecMaster take it: nobody else has begun it meanwhile, and nobody does afterwards."""
    before = [each.endpoint for each in town.secmaster.requests]
    await town.secmaster.faults.clear()
    [said] = await town.replies(ts)
    assert f"*Approved* by <@{ALICE}>" in said
    await town.slack.until(lambda: not town.buttons(ts))
    assert "UpdateTask" not in before
    puts = [each for each in town.secmaster.requests if each.method == "PUT"]
    assert len(puts) == 1
    assert len(town.slack.thread(SOC, ts)) == 2
    assert await town.app.readiness.parts() == {"database": "ok"}
