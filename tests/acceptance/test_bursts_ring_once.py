"""Tasks that come together call people once, and share a card whose rows can be decided."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.audit import AuditQuery
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox
from bot.secmaster.values import stamp
from tests.support.databases import both_databases, postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, SOC
from tests.support.process import bot_process
from tests.support.slack_recorder import SlackRecorder
from tests.support.watch import EVERA, ROUTES, first_poll_finished

MENTION = "<!subteam^S0SOC>"
FIFTEEN = [f"Block address {number}" for number in range(1, 16)]
ALONE = POLICY + ROUTES  # in which each task has a card of its own
RULES = ALONE.replace('group = "none"\n', "") + '\n[rights]\naudit = ["approver"]\n'


@pytest.fixture
def rules() -> str:
    return RULES


@postgres_in_full
async def test_fifteen_tasks_at_once_are_two_messages_and_one_mention(
    environment: BotEnvironment,
) -> None:
    first, group = await fifteen(environment)
    assert {"task.approve", "task.terminate"} <= set(environment.buttons(first["ts"]))
    text = json.dumps(group, ensure_ascii=False)
    assert "14 of 14 are waiting." in text
    assert "and 7 more: `/secmaster task list`" in text
    assert len(rows(group)) == 7
    assert [json.dumps(each).count(MENTION) for each in (first, group)] == [1, 0]

    # A row is decided by its own button, and the thread says which one it was.
    task, place = rows(group)[0]
    await environment.slack.press(ALICE, SOC, group["ts"], "task.approve", block_id=place)
    [reply] = await environment.replies(group["ts"])
    assert environment.secmaster.world.tasks[task]["name"] in reply
    [write] = environment.secmaster.writes("UpdateTask")
    assert (write.path.rpartition("/")[2], write.body["action"]) == (task, "CONTINUE")
    await environment.slack.until(lambda: "13 of 14 are waiting." in text_of(environment, group))

    # What is decided elsewhere leaves its row, and one that comes joins.
    other, _ = rows(environment.message(group["ts"]))[0]
    environment.secmaster.world.update_task(other, {"action": "TERMINATE"}, EVERA)
    await environment.slack.until(lambda: "12 of 14 are waiting." in text_of(environment, group))
    environment.secmaster.world.add_task(name="Block address 16")
    await environment.slack.until(lambda: "13 of 15 are waiting." in text_of(environment, group))
    assert len(cards(environment)) == 2

    # Show posts a row's own card.
    shown, place = rows(environment.message(group["ts"]))[0]
    await environment.slack.press(ALICE, SOC, group["ts"], "show", block_id=place)
    name = environment.secmaster.world.tasks[shown]["name"]
    await environment.slack.until(
        lambda: [each for each in cards(environment)[2:] if each["text"].startswith(name)]
    )

    # Once the time is over the next one calls people again, with a card of its own.
    environment.clock.forward(minutes=3)
    environment.secmaster.world.add_task(name="Block address 17")
    await environment.slack.until(
        lambda: [each for each in cards(environment) if "address 17" in each["text"]]
    )
    assert MENTION in json.dumps(cards(environment)[-1])


@pytest.mark.parametrize("rules", [RULES + '\n[commands]\ndecide = "confirm"\n'], ids=["confirm"])
async def test_a_command_about_a_task_without_a_row_asks_first_and_about_one_with_it_does_not(
    environment: BotEnvironment,
) -> None:
    first, group = await fifteen(environment)
    shown = [task for task, _place in rows(group)]
    decidable = {*shown, *(task for task, _place in rows(first))}  # whichever came first
    names = {task["name"]: id_ for id_, task in environment.secmaster.world.tasks.items()}
    hidden = [names[name] for name in FIFTEEN if names[name] not in decidable]
    await environment.slack.command(ALICE, SOC, f"/secmaster task approve {hidden[0]}")
    await environment.ephemeral(ALICE, "Nothing is recorded until you press the button.")
    assert environment.secmaster.writes("UpdateTask") == []
    await environment.slack.until(lambda: len(cards(environment)) == 3)  # its own, to be seen
    await environment.slack.command(ALICE, SOC, f"/secmaster task approve {shown[0]}")
    await environment.replies(group["ts"])
    assert len(environment.secmaster.writes("UpdateTask")) == 1


async def test_a_second_task_has_a_full_card_and_calls_nobody(environment: BotEnvironment) -> None:
    await first_poll_finished(environment)
    for name in FIFTEEN[:2]:
        environment.secmaster.world.add_task(name=name)
    await environment.slack.until(lambda: len(cards(environment)) == 2)
    texts = [json.dumps(each) for each in cards(environment)]
    assert [text.count(MENTION) for text in texts] == [1, 0]
    assert all("Waiting" in text for text in texts)


@both_databases
async def test_what_runs_out_is_told_once_in_the_thread_of_a_shared_card_and_in_the_audit(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    world, now = environment.secmaster.world, environment.clock.now()
    due = stamp(now + timedelta(hours=3))
    for name, due_handle in (
        ("Alone", "CONTINUE"),
        ("Goes on", "CONTINUE"),
        ("Stops", "INTERRUPT"),
        ("By hand", "CONTINUE"),
    ):
        world.add_task(name=name, due_date=due, due_handle=due_handle)
        await environment.slack.until(
            lambda name=name: [each for each in cards(environment) if name in json.dumps(each)]
        )
    first, group = cards(environment)
    by_hand = next(task for task in world.tasks.values() if task["name"] == "By hand")
    world.update_task(by_hand["id"], {"action": "CONTINUE"}, EVERA)
    environment.clock.forward(hours=3, seconds=1)
    audit = environment.app.services.store.audit

    def told() -> str:
        """What the thread was told: those that are read in one poll share a message."""
        return "\n".join(each["text"] for each in environment.slack.thread(SOC, group["ts"])[1:])

    await environment.slack.until(lambda: told().count("⌛") == 2)
    await environment.polls(3)
    text = told()
    assert text.count("⌛") == 2
    assert "⌛ *Goes on* was auto-approved by SecMaster, <!date^" in text
    assert "nobody decided" in text
    assert "⌛ *Stops* expired: cancelled automatically by SecMaster, <!date^" in text
    assert "By hand" not in text
    # Its own card says it of the first, which has no thread.
    assert "approved automatically" in json.dumps(environment.message(first["ts"]))
    assert environment.slack.thread(SOC, first["ts"])[1:] == []
    names = ("Alone", "Goes on", "Stops", "By hand")
    records = [each for each in audit.latest(AuditQuery()) if each["object_name"] in names]
    assert sorted((record["action"], record["object_name"]) for record in records) == [
        ("auto-approve", "Alone"),
        ("auto-approve", "Goes on"),
        ("auto-cancel", "Stops"),
    ]
    await environment.slack.command(ALICE, SOC, "/secmaster audit auto-approve")
    await environment.ephemeral(ALICE, "Audit records")
    records_text = json.dumps(environment.slack.ephemerals(ALICE)[-1], ensure_ascii=False)
    assert "SecMaster auto-approved *Goes on* at its due date: nobody decided." in records_text
    assert "Waiting" in records_text  # as the card showed it last


@pytest.mark.parametrize("rules", [ALONE], ids=["none"])
async def test_where_the_route_says_so_each_has_its_own_card(environment: BotEnvironment) -> None:
    await first_poll_finished(environment)
    for name in FIFTEEN[:3]:
        environment.secmaster.world.add_task(name=name)
    await environment.slack.until(lambda: len(cards(environment)) == 3)
    assert all(MENTION in json.dumps(each) for each in cards(environment))


@pytest.mark.slow
@both_databases
async def test_killed_while_the_card_of_several_is_drawn_all_are_on_it_once(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    slack.ignore_messages("👋")
    async with bot_process(slack, secmaster, database_url, tmp_path, rules=RULES) as bot:
        await slack.until(lambda: [m for m in slack.messages(SOC) if "👋" in m["text"]])
        await slack.faults.set(Fault(on="chat.update", hold=True))
        for name in FIFTEEN:
            secmaster.world.add_task(name=name)
        await slack.faults.until_held("chat.update")
        await bot.kill()
        await slack.faults.clear()
        await bot.start()
        await slack.until(lambda: "14 of 14 are waiting." in json.dumps(slack.messages(SOC)))
    messages = [m for m in slack.messages(SOC) if "👋" not in m["text"]]
    assert len(messages) == 2
    assert json.dumps(messages).count(MENTION) == 1


async def fifteen(environment: BotEnvironment) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let fifteen tasks come; returns the first one's card and that of the others."""
    await first_poll_finished(environment)
    for name in FIFTEEN:
        environment.secmaster.world.add_task(name=name)
    await environment.slack.until(
        lambda: any("14 of 14 are waiting." in each["text"] for each in cards(environment))
    )
    first, group = cards(environment)
    return first, group


def cards(environment: BotEnvironment) -> list[dict[str, Any]]:
    """Return the channel's messages that bring tasks."""
    messages = environment.slack.messages(SOC)
    return [m for m in messages if "👋" not in m["text"] and m["user"] != ALICE]


def rows(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the task and the block of buttons of each row that can be decided."""
    return [
        (element["value"].split(":")[3], block["block_id"])
        for block in message["blocks"]
        for element in block.get("elements", [])
        if element.get("action_id") == "task.approve"
    ]


def text_of(environment: BotEnvironment, message: dict[str, Any]) -> str:
    return json.dumps(environment.message(message["ts"]), ensure_ascii=False)
