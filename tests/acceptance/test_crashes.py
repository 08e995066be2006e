"""The process is killed at the worst moments: after the restart all is done once and told once."""

from pathlib import Path

import pytest

from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from tests.support.databases import both_databases, postgres_in_full
from tests.support.people import ALICE, SOC
from tests.support.process import bot_process, post_card
from tests.support.slack_recorder import SlackRecorder


async def the_reply(slack: SlackRecorder, ts: str) -> str:
    """The reply under the card, once the card is redrawn as well and all calls are through."""
    await slack.until(lambda: "Finished" in slack.thread(SOC, ts)[0]["text"])
    [reply] = await slack.until(lambda: slack.thread(SOC, ts)[1:])
    return str(reply["text"])


@postgres_in_full
async def test_killed_after_the_acknowledgement_and_before_the_write(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path) as bot:
        ts = await post_card(slack)
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True))
        acknowledged = await slack.press(ALICE, SOC, ts, "task.approve")
        assert acknowledged.status == 200
        await secmaster.faults.until_held("UpdateTask")
        await bot.kill()
        await secmaster.faults.clear()
        assert secmaster.writes("UpdateTask") == []
        await bot.start()
        assert f"*Approved by <@{ALICE}>" in await the_reply(slack, ts)
    assert len(secmaster.writes("UpdateTask")) == 1
    assert len(slack.thread(SOC, ts)) == 2


@both_databases
async def test_killed_after_the_write_and_before_the_reply(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path) as bot:
        ts = await post_card(slack)
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True, applied=True))
        await slack.press(ALICE, SOC, ts, "task.approve")
        await secmaster.faults.until_held("UpdateTask")
        await bot.kill()
        await secmaster.faults.clear()
        assert len(secmaster.writes("UpdateTask")) == 1
        await bot.start()
        assert f"*Approved by <@{ALICE}>" in await the_reply(slack, ts)
    assert len(secmaster.writes("UpdateTask")) == 1
    assert len(slack.thread(SOC, ts)) == 2


@pytest.mark.slow
@both_databases
async def test_killed_after_slack_took_the_reply_and_before_that_was_known(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path) as bot:
        ts = await post_card(slack)
        await slack.faults.set(Fault(on="chat.postMessage", hold=True, applied=True))
        await slack.press(ALICE, SOC, ts, "task.approve")
        await slack.faults.until_held("chat.postMessage")
        await bot.kill()
        await slack.faults.clear()
        await bot.start()
        await slack.until(
            lambda: any(call.method == "conversations.replies" for call in slack.calls)
        )
        assert "*Approved by" in await the_reply(slack, ts)
    assert len(secmaster.writes("UpdateTask")) == 1
    assert len(slack.thread(SOC, ts)) == 2


@pytest.mark.slow
@both_databases
async def test_killed_after_slack_took_the_card_and_before_that_was_known(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path) as bot:
        await slack.faults.set(Fault(on="chat.postMessage", hold=True, applied=True))
        await slack.command(ALICE, SOC, f"/task approve {seed.TASK_ISOLATE}")
        await slack.faults.until_held("chat.postMessage")
        await bot.kill()
        await slack.faults.clear()
        await bot.start()
        [message] = await slack.until(lambda: slack.messages(SOC))
        assert "*Approved by" in await the_reply(slack, message["ts"])
    assert len(slack.messages(SOC)) == 1
    assert len(secmaster.writes("UpdateTask")) == 1


@pytest.mark.slow
@both_databases
async def test_told_to_stop_it_leaves_what_waits_to_the_next_start(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path) as bot:
        ts = await post_card(slack)
        await secmaster.faults.set(Fault(on="ShowTask", status=503))
        await slack.press(ALICE, SOC, ts, "task.approve")
        await slack.until(lambda: len(slack.thread(SOC, ts)) == 2)
        await bot.stop()
        await secmaster.faults.clear()
        await bot.start()
        await slack.until(lambda: len(slack.thread(SOC, ts)) == 3)
    _card, delay, result = slack.thread(SOC, ts)
    assert "The bot keeps trying for up to" in delay["text"]
    assert "*Approved by" in result["text"]
    assert len(secmaster.writes("UpdateTask")) == 1
