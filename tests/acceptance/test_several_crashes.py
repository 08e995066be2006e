"""Killed while several people say yes: all is counted once, sent once and told once."""

from pathlib import Path

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from tests.support.databases import both_databases, postgres_in_full
from tests.support.people import ALICE, BOB, SOC
from tests.support.process import bot_process, post_card
from tests.support.slack_recorder import SlackRecorder

TWO = f"""
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
{POLICY}
"""
BRIEF = TWO.replace("approvals = 2", 'approvals = 2\nexpires = "2s"')


@postgres_in_full
@pytest.mark.slow
async def test_killed_while_a_first_yes_is_being_counted(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path, rules=TWO) as bot:
        ts = await post_card(slack)
        await secmaster.faults.set(Fault(on="ShowTask", hold=True))
        await slack.press(ALICE, SOC, ts, "task.approve")
        await secmaster.faults.until_held("ShowTask")
        await bot.kill()
        await secmaster.faults.clear()
        await bot.start()
        [counted] = await replies(slack, ts, 1)
        assert "*Approvals to approve: 1 of 2.* The approval by <@U0ALICE>" in counted
        await sent_by_bob(slack, ts, 2)
    assert told_and_sent(slack, secmaster, ts) == (2, 1)


@pytest.mark.slow
@both_databases
async def test_killed_after_a_first_yes_was_counted_and_before_that_was_told(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path, rules=TWO) as bot:
        ts = await post_card(slack)
        await slack.faults.set(Fault(on="chat.postMessage", hold=True, applied=True))
        await slack.press(ALICE, SOC, ts, "task.approve")
        await slack.faults.until_held("chat.postMessage")
        await bot.kill()
        await slack.faults.clear()
        await bot.start()
        await slack.until(lambda: "withdraw" in str(slack.thread(SOC, ts)[0]))
        await sent_by_bob(slack, ts, 2)
    assert told_and_sent(slack, secmaster, ts) == (2, 1)


@pytest.mark.slow
@both_databases
async def test_killed_after_it_was_counted_and_before_its_card_was_there(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path, rules=TWO) as bot:
        await slack.faults.set(Fault(on="chat.postMessage", hold=True))
        await slack.command(ALICE, SOC, f"/task approve {seed.TASK_ISOLATE}")
        await slack.faults.until_held("chat.postMessage")
        await bot.kill()
        await slack.faults.clear()
        await bot.start()
        [message] = await slack.until(lambda: slack.messages(SOC))
        ts = str(message["ts"])
        assert "*Approvals to approve: 1 of 2.*" in (await replies(slack, ts, 1))[0]
        await slack.until(lambda: "withdraw" in str(slack.thread(SOC, ts)[0]))
        await sent_by_bob(slack, ts, 2)
    assert len(slack.messages(SOC)) == 1
    assert told_and_sent(slack, secmaster, ts) == (2, 1)


@both_databases
async def test_killed_between_the_last_yes_and_the_write(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path, rules=TWO) as bot:
        ts = await first_yes(slack)
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True))
        await slack.press(BOB, SOC, ts, "task.approve")
        await secmaster.faults.until_held("UpdateTask")
        await bot.kill()
        await secmaster.faults.clear()
        assert secmaster.writes("UpdateTask") == []
        await bot.start()
        reply = (await replies(slack, ts, 2))[-1]
        assert "*Approved by <@U0BOB> and <@U0ALICE>" in reply
        await settled(slack, ts)
    assert told_and_sent(slack, secmaster, ts) == (2, 1)


@pytest.mark.slow
@both_databases
async def test_killed_while_a_ballot_waits_for_its_end(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path, rules=BRIEF) as bot:
        ts = await first_yes(slack)
        await bot.kill()
        await bot.start()
        assert (
            "*The request to approve this task expired.* Approvals to approve: 1 of 2"
            in (await replies(slack, ts, 2))[-1]
        )
        await slack.until(lambda: "withdraw" not in str(slack.thread(SOC, ts)[0]))
    assert told_and_sent(slack, secmaster, ts) == (2, 0)


@pytest.mark.slow
@both_databases
async def test_what_waits_is_there_after_a_restart_and_the_second_yes_sends_it(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path, rules=TWO) as bot:
        ts = await first_yes(slack)
        await bot.stop()
        await bot.start()
        other = await slack_card(slack)
        assert "Approvals to approve: 1 of 2" in str(slack.thread(SOC, other)[0])
        assert f"✅ <@{ALICE}>" in str(slack.thread(SOC, other)[0])
        await sent_by_bob(slack, ts, 2)
    assert told_and_sent(slack, secmaster, ts) == (2, 1)


async def first_yes(slack: SlackRecorder) -> str:
    """Alice's yes is counted, and told and shown to the end."""
    ts = await post_card(slack)
    await slack.press(ALICE, SOC, ts, "task.approve")
    await replies(slack, ts, 1)
    await slack.until(lambda: "withdraw" in str(slack.thread(SOC, ts)[0]))
    return ts


async def slack_card(slack: SlackRecorder) -> str:
    """One more card of the same task."""
    before = len(slack.messages(SOC))
    await slack.command(BOB, SOC, f"/task show {seed.TASK_ISOLATE}")
    posted = await slack.until(lambda: slack.messages(SOC)[before:])
    return str(posted[-1]["ts"])


async def sent_by_bob(slack: SlackRecorder, ts: str, count: int) -> None:
    await slack.press(BOB, SOC, ts, "task.approve")
    reply = (await replies(slack, ts, count))[-1]
    assert "*Approved by <@U0BOB> and <@U0ALICE>" in reply
    await settled(slack, ts)


async def settled(slack: SlackRecorder, ts: str) -> None:
    await slack.until(lambda: "Finished" in slack.thread(SOC, ts)[0]["text"])


async def replies(slack: SlackRecorder, ts: str, count: int) -> list[str]:
    """What is said under the card, once so many have been posted."""
    messages = await slack.until(
        lambda: slack.thread(SOC, ts)[count:] and slack.thread(SOC, ts)[1:]
    )
    return [str(message["text"]) for message in messages]


def told_and_sent(slack: SlackRecorder, secmaster: SecMasterSandbox, ts: str) -> tuple[int, int]:
    """How much was said under the card, and how often SecMaster was written to."""
    return len(slack.thread(SOC, ts)) - 1, len(secmaster.writes("UpdateTask"))
