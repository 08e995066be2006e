"""Whoever may give the next approval is called, once, in the thread or alone, and reminded once."""

import asyncio
import functools
import json
from datetime import timedelta
from pathlib import Path

import pytest

from bot.cli.demo_story import POLICY
from bot.messages.text import ago_token, date_token
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.secmaster.wire import stamp
from tests.support.databases import Databases, postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, DAVE, ONCALL, RANDOM, SOC
from tests.support.process import bot_process, post_card
from tests.support.slack_recorder import SlackRecorder
from tests.support.watch import first_poll_finished

NAME = "Isolate host ecs-web-07"
TWO = f"""
[[rules]]
name = "grave"
actions = ["task.approve", "task.terminate"]
roles = ["approver", "oncall"]
approvals = 2
call = "mention"
{POLICY}
[rights]
delegate = ["approver", "oncall"]
"""
DIRECT = TWO.replace('"mention"', '"direct"')
NOBODY = TWO.replace('"mention"', '"none"')
THREE = TWO.replace("approvals = 2", "approvals = 3")
MANY = DIRECT.replace('usergroups = ["S0ONCALL"]', f'usergroups = ["S0ONCALL"]\nusers = ["{BOB}"]')
HOME = f"""
[[rules]]
name = "grave"
actions = ["task.approve", "task.terminate"]
roles = ["approver"]
approvals = 2
call = "none"
break_glass = ["oncall"]
{POLICY}
[break_glass]
channel = "{ONCALL}"

[watch]
every = 0.02
"""
with_rules = functools.partial(pytest.mark.parametrize, "rules", indirect=True)


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", TWO))


@postgres_in_full
async def test_a_group_and_the_others_of_the_first_approvers_group_are_mentioned_in_the_thread(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    reply, call = await thread(environment, ts, 2)
    assert f"<@{ALICE}>" in reply
    assert call.startswith(f"<!subteam^S0ONCALL> <@{BOB}> 🗳️ 1 more approval needed for *{NAME}*.")
    assert "Approvals to approve: 1 of 2" in call
    expires_at = environment.clock.now() + timedelta(hours=1)
    assert "Expires <!date^" in call
    assert ago_token(expires_at).partition("^")[2].partition("^")[0][:-2] in call
    # Neither a second card nor the clock calls anybody again.
    other = await environment.card("task", seed.TASK_ISOLATE, channel=RANDOM)
    await environment.slack.press(CAROL, RANDOM, other, "task.approve")
    await environment.replies(other, channel=RANDOM)
    assert calls(environment, ts) == [call]


@with_rules([THREE], ids=["three"])
async def test_a_request_calls_once_and_one_that_is_opened_again_calls_again(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await thread(environment, ts, 2)
    assert "2 more approvals needed" in calls(environment, ts)[0]
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    await thread(environment, ts, 3)
    for user in (BOB, ALICE):
        await environment.slack.press(user, SOC, ts, "withdraw")
    await thread(environment, ts, 5)
    assert len(calls(environment, ts)) == 1
    await environment.slack.press(CAROL, SOC, ts, "task.approve")
    await thread(environment, ts, 7)
    first, second = calls(environment, ts)
    assert first.startswith(f"<!subteam^S0ONCALL> <@{BOB}>")
    assert second.startswith("<!subteam^S0SOC> 🗳️ 2 more")


@with_rules([DIRECT], ids=["direct"])
async def test_a_direct_call_has_the_button_and_a_link_and_its_press_is_the_last_approval(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    for user in (BOB, CAROL):
        text = await direct_call(environment, user)
        assert f"1 more approval needed for *{NAME}*" in text
        assert f"✅ <@{ALICE}>" in text
    chat = environment.slack.chat_with(BOB)
    [message] = environment.slack.messages(chat)
    assert f"/archives/{SOC}/p" in json.dumps(message["blocks"])
    await environment.slack.press(BOB, chat, message["ts"], "task.approve")
    assert "Approved" in (await environment.replies(message["ts"], channel=chat))[0]
    assert [one.body["action"] for one in environment.secmaster.writes("UpdateTask")] == [
        "CONTINUE"
    ]
    assert chat_of(environment, ALICE) == []


@with_rules([NOBODY], ids=["none"])
async def test_where_the_rule_says_so_nobody_is_called(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    await environment.slack.until(lambda: "withdraw" in environment.buttons(ts))
    await dispatched(environment)
    assert calls(environment, ts) == []


async def test_where_no_channel_shows_the_task_all_are_called_alone(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages(channel="D0ALICE")
    await environment.slack.command(ALICE, "D0ALICE", f"/task approve {seed.TASK_ISOLATE}")
    for user in (BOB, CAROL):
        assert "1 more approval needed" in await direct_call(environment, user)
    await dispatched(environment)
    assert all("needed for" not in json.dumps(m) for m in chat_of(environment, ALICE))


async def test_people_choose_how_they_are_called_and_a_delegate_is_called_for_their_delegator(
    environment: BotEnvironment,
) -> None:
    assert "direct message" in await environment.answer(BOB, "/secmaster calls dm")
    assert "not notified" in await environment.answer(CAROL, "/secmaster calls off")
    assert "not notified" in await environment.answer(CAROL, "/secmaster calls")
    await environment.answer(BOB, "/secmaster delegate @dave for 2h")
    await environment.posted(environment.slack.chat_with(DAVE), f"<@{BOB}>")
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await thread(environment, ts, 2)
    assert calls(environment, ts)[0].startswith(f"<@{DAVE}> 🗳️")
    assert "1 more approval needed" in await direct_call(environment, BOB)
    assert chat_of(environment, CAROL) == []
    # The right that a delegate used is not called for.
    await environment.slack.until(lambda: "withdraw" in environment.buttons(ts))
    await environment.slack.press(ALICE, SOC, ts, "withdraw")
    await environment.answer(BOB, "/secmaster calls rule")
    await environment.answer(CAROL, "/secmaster calls rule")
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    await thread(environment, ts, 5)
    assert calls(environment, ts)[1].startswith(f"<!subteam^S0ONCALL> <@{ALICE}> 🗳️")


@postgres_in_full
async def test_people_are_reminded_once_before_the_due_date_louder_where_silence_approves(
    environment: BotEnvironment,
) -> None:
    due = environment.clock.now() + timedelta(minutes=20)
    task = environment.secmaster.world.tasks[seed.TASK_ISOLATE]
    task.update(due_date=stamp(due), due_handle="CONTINUE")
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = environment.slack.views(ALICE)
    await environment.slack.submit(ALICE, view["id"], {"reason": "false alarm"})
    await thread(environment, ts, 2)
    [call] = calls(environment, ts)
    assert f"Expires {date_token(due)}" in call
    texts = [message["text"] for message in environment.slack.thread(SOC, ts)]
    assert sum("SecMaster approves the task automatically" in text for text in texts[1:]) == 1
    environment.clock.forward(minutes=14)
    await dispatched(environment)
    assert len(calls(environment, ts)) == 1
    environment.clock.forward(minutes=1.1)
    reply = (await environment.replies(ts, 3))[-1]
    assert f"<@{BOB}> ⏰ 1 approval is still missing for *{NAME}*." in reply
    assert "*⚠️ If approvals are missing" in reply
    reminder = environment.slack.thread(SOC, ts)[-1]
    assert reminder["subtype"] == "thread_broadcast"
    environment.clock.forward(minutes=3)
    await dispatched(environment)
    assert len(environment.slack.thread(SOC, ts)) == 4


async def test_nobody_is_called_or_reminded_of_what_is_over(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await thread(environment, ts, 2)
    await environment.slack.command(BOB, SOC, f"/task refuse {seed.TASK_ISOLATE} a drill")
    await thread(environment, ts, 3)
    environment.clock.forward(minutes=51)
    await dispatched(environment)
    assert len(environment.slack.thread(SOC, ts)) == 4


@postgres_in_full
@with_rules([HOME], ids=["home"])
async def test_what_waits_for_ones_approval_stands_first_on_home_and_ones_own_after_it(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    due = environment.clock.now() + timedelta(minutes=20)
    task = environment.secmaster.world.tasks[seed.TASK_ISOLATE]
    task.update(due_date=stamp(due), due_handle="CONTINUE")
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = environment.slack.views(ALICE)
    await environment.slack.submit(ALICE, view["id"], {"reason": "false alarm"})
    await environment.replies(ts)
    text, buttons = await first_of_home(environment, BOB, "Waiting for your approval: 1")
    assert "*Approvals to terminate: 1 of 2*" in text
    assert f"Expires {date_token(due)}" in text
    assert "SecMaster approves the task automatically" in text
    assert f"✅ <@{ALICE}>" in text
    assert "> false alarm" in text
    assert "auto-approves" not in text  # it has been said
    assert buttons == ["task.terminate", "task.approve", "details"]
    home = environment.slack.home(BOB)
    assert home
    texts = [block["text"]["text"] for block in home["blocks"] if block["type"] == "section"]
    assert sum(NAME in text for text in texts) == 1  # it is not among the tasks once more
    text, buttons = await first_of_home(environment, ALICE, "Waiting for others' approval: 1")
    assert "*Approvals to terminate: 1 of 2*\n⏳ 1 more approval needed: <!subteam^S0SOC>." in text
    assert buttons == ["withdraw", "details"]
    _text, buttons = await first_of_home(environment, CAROL, "Waiting for others' approval: 1")
    assert buttons == ["break-glass", "details"]
    await environment.slack.open_home(DAVE)
    await environment.slack.until(lambda: "Your tasks" in json.dumps(environment.slack.home(DAVE)))
    assert "approval: 1" not in json.dumps(environment.slack.home(DAVE))
    # Both are decided there.
    await environment.slack.press_in_view(BOB, home["id"], "task.terminate")
    [form] = environment.slack.views(BOB)
    await environment.slack.submit(BOB, form["id"], {"reason": "seen"})
    await environment.slack.until(
        lambda: "approval: 1" not in json.dumps(environment.slack.home(ALICE))
    )
    environment.ignore_messages(channel="D0BOB")
    writes = environment.secmaster.writes
    await environment.secmaster.until(
        lambda: "TERMINATE" in [write.body["action"] for write in writes("UpdateTask")]
    )


@with_rules([HOME], ids=["home"])
async def test_an_approval_is_withdrawn_and_calls_are_chosen_on_home(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    environment.ignore_messages(channel="D0ALICE")
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    await first_of_home(environment, ALICE, "Waiting for others' approval: 1")
    home = environment.slack.home(ALICE)
    assert home
    await environment.slack.press_in_view(ALICE, home["id"], "withdraw")
    await environment.slack.until(
        lambda: "approval: 1" not in json.dumps(environment.slack.home(ALICE))
    )
    await environment.slack.press_in_view(ALICE, home["id"], "calls", "calls|direct")
    await environment.slack.until(lambda: chosen_calls(environment, ALICE) == "calls|direct")
    assert "direct message" in await environment.answer(ALICE, "/secmaster calls")


@postgres_in_full
async def test_killed_while_a_call_is_posted_it_is_posted_once(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path, rules=TWO) as bot:
        ts = await post_card(slack)
        await slack.faults.set(Fault(on="chat.postMessage", hold=True, applied=True))
        await slack.press(ALICE, SOC, ts, "task.approve")
        await slack.faults.until_held("chat.postMessage", 2)  # the reply, and the call
        await bot.kill()
        await slack.faults.clear()
        await bot.start()
        await slack.until(lambda: "withdraw" in str(slack.thread(SOC, ts)[0]))
        # The reply and the call are looked for, each by itself.
        await slack.until(
            lambda: sum(call.method == "conversations.replies" for call in slack.calls) > 1
        )
        await slack.press(BOB, SOC, ts, "task.approve")
        await slack.until(lambda: len(slack.thread(SOC, ts)) > 3)
    texts = [message["text"] for message in slack.thread(SOC, ts)[1:]]
    assert sum("1 more approval needed" in text for text in texts) == 1


@pytest.mark.slow
async def test_three_replicas_call_once(
    slack: SlackRecorder, secmaster: SecMasterSandbox, databases: Databases, tmp_path: Path
) -> None:
    url = databases.with_tables("postgres", tmp_path)
    rules = TWO + "[watch]\nevery = 0.05\n"
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    one, two, three = (
        bot_process(slack, secmaster, url, folder, rules=rules, replica=folder.name)
        for folder in folders
    )
    async with one, two, three:
        ts = await post_card(slack)
        await slack.press(ALICE, SOC, ts, "task.approve")
        await slack.until(lambda: len(slack.thread(SOC, ts)) == 3)
        polls = len(secmaster.requests)
        await secmaster.until(lambda: len(secmaster.requests) > polls + 20)
    texts = [message["text"] for message in slack.thread(SOC, ts)[1:]]
    assert sum("1 more approval needed" in text for text in texts) == 1


async def thread(environment: BotEnvironment, ts: str, count: int) -> list[str]:
    """Wait for so many replies, and return them: those that call nobody come first."""
    texts = await environment.replies(ts, count)
    return sorted(texts, key=lambda text: "approval" in text and "needed" in text)


def calls(environment: BotEnvironment, ts: str) -> list[str]:
    """The calls in a card's thread."""
    texts = [str(message["text"]) for message in environment.slack.thread(SOC, ts)[1:]]
    return [text for text in texts if "more approval" in text and "needed for" in text]


async def direct_call(environment: BotEnvironment, user: str) -> str:
    """Wait for the call in somebody's chat with the bot."""
    return await environment.posted(environment.slack.chat_with(user), "more approval")


async def first_of_home(
    environment: BotEnvironment, user: str, title: str
) -> tuple[str, list[str]]:
    """Open somebody's Home until it begins with a title; return its first row and its buttons."""
    await environment.slack.open_home(user)

    def first_row() -> tuple[str, list[str]] | None:
        home = environment.slack.home(user)
        if not home or home["blocks"][0].get("text", {}).get("text") != title:
            return None
        _title, text, buttons = home["blocks"][:3]
        assert text["text"]["text"].startswith(f"*{NAME}*\n")
        return text["text"]["text"], [each["action_id"] for each in buttons["elements"]]

    return await environment.slack.until(first_row)


def chosen_calls(environment: BotEnvironment, user: str) -> str:
    """The option of the menu of how somebody is called, on their Home."""
    home = environment.slack.home(user) or {"blocks": []}
    accessories = [block.get("accessory", {}) for block in home["blocks"]]
    menus = [each for each in accessories if each.get("action_id") == "calls"]
    return str(menus[0]["initial_option"]["value"]) if menus else ""


def chat_of(environment: BotEnvironment, user: str) -> list[dict[str, object]]:
    return environment.slack.messages(environment.slack.chat_with(user))


async def dispatched(environment: BotEnvironment) -> None:
    """Have everything dispatched that is due by now."""
    dispatcher = environment.app.poller.dispatcher
    outbox, clock = environment.app.services.store.outbox, environment.clock
    await dispatcher.dispatch()
    while outbox.ready_destinations(clock.now()):  # noqa: ASYNC110 - the workers tell nobody
        await asyncio.sleep(0.02)
