"""Many at once: chosen from a list, confirmed once, each decided on its own, told in one table."""

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.batches import BatchQuery
from bot.messages.batch_forms import batch_button
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, SecMasterSandbox, seed
from bot.sandbox.secmaster.runs import Script
from tests.support.batch import (
    choose,
    id_of,
    objects_element,
    open_from_list,
    open_view,
    option_values,
)
from tests.support.database_faults import Fault as DatabaseFault
from tests.support.database_faults import broken, each_fault
from tests.support.databases import both_databases, postgres_in_full
from tests.support.environment import BotEnvironment, policy
from tests.support.people import ALICE, BOB, CAROL, DAVE, PRIVATE, SOC
from tests.support.process import BotProcess, bot_process
from tests.support.samples import ENGLISH
from tests.support.slack_recorder import SlackRecorder

LIN = Person("user-lin", "Lin Yue")
THREE = [seed.TASK_ISOLATE, seed.TASK_BLOCK_IP, seed.TASK_CHINESE]
SPECIAL = f"""
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
when = {{ name = "Isolate" }}
approvals = 2

[[rules]]
actions = ["task.approve"]
roles = ["approver"]
when = {{ name = "Block" }}
confirm = "type-name"
{POLICY}
"""
BRAKE = f"""{POLICY}
[brake]
retries = 1
within = "1h"

[watch]
every = 0
admins = ["{DAVE}"]
"""
SHARED_BRAKE = BRAKE.replace(
    'actions = ["instance.*", "playbook.*"]\nroles = ["oncall"]',
    'actions = ["instance.*", "playbook.*"]\nroles = ["approver", "oncall"]\ncall = "mention"',
)
REASONS = f"""
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
reason = "required"
{POLICY}
"""


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", POLICY))


@postgres_in_full
async def test_three_of_a_list_are_approved_with_one_confirmation(
    environment: BotEnvironment,
) -> None:
    view = await open_from_list(environment, ALICE, "task")
    assert picked(view) == []
    question = await choose(environment, ALICE, view, "task.approve", THREE)
    assert question["title"]["text"] == "Approve 3 tasks"
    text = json.dumps(question["blocks"], ensure_ascii=False)
    assert "Isolate host ecs-web-07" in text
    assert "In demo-workspace. Each is decided on its own." in text
    assert decided(environment) == []
    await confirm(environment, ALICE, question)
    table = await results(environment)
    assert "*<@U0ALICE> approved 3 of 3 tasks.*" in table["text"]
    assert [row[1] for row in rows(table)] == ["Approved"] * 3
    assert "Isolate host ecs-web-07" in rows(table)[0][0]
    assert sorted(decided(environment)) == sorted(THREE)
    assert environment.slack.views(ALICE) == []
    assert len(environment.slack.messages(SOC)) == 1
    replies = await environment.replies(table["ts"], 3)
    assert all("✅ *Approved by <@U0ALICE>" in each for each in replies)
    assert any(each.startswith("*Isolate host ecs-web-07") for each in replies)


async def test_the_progress_is_told_while_it_is_under_way(environment: BotEnvironment) -> None:
    question = await tasks(environment, ALICE, THREE)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hold=True, times=1))
    await confirm(environment, ALICE, question)
    progress = await environment.slack.until(lambda: message_with(environment, "3 tasks: 2 done"))
    assert progress["text"] == "⏳ <@U0ALICE> is approving 3 tasks: 2 done."
    await environment.secmaster.faults.clear()
    table = await results(environment)
    assert table["ts"] == progress["ts"]


@pytest.mark.slow
@each_fault
async def test_a_fault_of_the_database_in_the_middle_leaves_none_out_and_each_is_told_once(
    environment: BotEnvironment, fault: DatabaseFault
) -> None:
    question = await tasks(environment, ALICE, THREE)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hold=True, applied=True))
    await confirm(environment, ALICE, question)
    await environment.secmaster.faults.until_held("UpdateTask", 3)
    async with broken(fault, environment.app.engine) as met:
        await environment.secmaster.faults.clear()
        await met.wait()
    table = await results(environment)
    assert [row[1] for row in rows(table)] == ["Approved"] * 3
    assert sorted(decided(environment)) == sorted(THREE)
    assert len(await environment.replies(table["ts"], 3)) == 3


async def test_no_more_than_five_are_under_way_at_once(environment: BotEnvironment) -> None:
    view = await open_from_list(environment, ALICE, "task")
    eight = [id_of(value) for value in option_values(view)[:8]]
    question = await choose(environment, ALICE, view, "task.approve", eight)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    await confirm(environment, ALICE, question)
    await environment.secmaster.faults.until_held("UpdateTask", 5)
    assert [bool(audit(environment, each)) for each in eight] == [True] * 5 + [False] * 3
    await environment.secmaster.faults.clear()
    await results(environment)
    assert sorted(decided(environment)) == sorted(eight)


async def test_each_that_ends_makes_room_for_one_more_at_secmaster(
    environment: BotEnvironment,
) -> None:
    question, seven = await first_tasks(environment, ALICE, 7)
    faults = environment.secmaster.faults
    await faults.set(Fault(on="UpdateTask", hold=True, times=1))
    [first] = [fault["number"] for fault in faults.listed()]
    await faults.set(Fault(on="UpdateTask", hold=True))
    await confirm(environment, ALICE, question)
    await faults.until_held("UpdateTask", 5)
    assert (faults.held["UpdateTask"], decided(environment)) == (5, [])
    await faults.switch_off(first)
    await environment.slack.until(lambda: message_with(environment, "7 tasks: 1 done"))
    await faults.until_held("UpdateTask", 5)
    assert (faults.held["UpdateTask"], len(decided(environment))) == (5, 1)
    await faults.clear()
    table = await results(environment)
    assert [row[1] for row in rows(table)] == ["Approved"] * 7
    assert sorted(decided(environment)) == sorted(seven)


async def test_a_reply_that_slack_does_not_take_keeps_no_other_from_secmaster(
    environment: BotEnvironment,
) -> None:
    question, seven = await first_tasks(environment, ALICE, 7)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    await confirm(environment, ALICE, question)
    await environment.secmaster.faults.until_held("UpdateTask", 5)
    await environment.slack.faults.set(Fault(on="chat.postMessage", hold=True))
    await environment.secmaster.faults.clear()
    table = await results(environment)
    assert [row[1] for row in rows(table)] == ["Approved"] * 7
    assert sorted(decided(environment)) == sorted(seven)
    assert environment.slack.thread(SOC, table["ts"])[1:] == []
    await environment.slack.faults.clear()
    await environment.replies(table["ts"], 7)


async def test_what_somebody_decided_meanwhile_has_its_row_and_the_others_are_done(
    environment: BotEnvironment,
) -> None:
    question = await tasks(environment, ALICE, THREE)
    environment.secmaster.world.update_task(seed.TASK_BLOCK_IP, {"action": "CONTINUE"}, LIN)
    await confirm(environment, ALICE, question)
    table = await results(environment)
    assert "approved 2 of 3 tasks" in table["text"]
    outcomes = {row[0]: row[1] for row in rows(table)}
    [closed] = [result for name, result in outcomes.items() if name.startswith("Block")]
    assert closed == "Already decided by Lin Yue: ✅ Finished"
    assert list(outcomes.values()).count("Approved") == 2
    assert sorted(decided(environment)) == sorted({*THREE} - {seed.TASK_BLOCK_IP})


async def test_what_changed_since_it_was_confirmed_is_not_decided(
    environment: BotEnvironment,
) -> None:
    question = await tasks(environment, ALICE, THREE)
    comment = {"action": "ADD_COMMENT", "comment": "wait for the owner"}
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, comment, LIN)
    await confirm(environment, ALICE, question)
    table = await results(environment)
    assert rows(table)[0][1] == "Not sent: changed since you looked"
    assert seed.TASK_ISOLATE not in decided(environment)
    await environment.ephemeral(ALICE, "Changed since you looked")


async def test_what_was_decided_or_changed_since_it_was_listed_is_left_out(
    environment: BotEnvironment,
) -> None:
    view = await open_from_list(environment, ALICE, "task")
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "CONTINUE"}, LIN)
    environment.secmaster.world.tasks[seed.TASK_BLOCK_IP]["description"] = "another address"
    question = await choose(environment, ALICE, view, "task.approve", THREE)
    text = json.dumps(question["blocks"])
    assert "Left out: 2" in text
    assert "No longer open to this." in text
    assert "Changed since it was listed" in text
    assert question["submit"]["text"] == "Approve 1 task"
    await confirm(environment, ALICE, question)
    assert len(rows(await results(environment))) == 1
    assert decided(environment) == [seed.TASK_CHINESE]


@pytest.mark.parametrize(
    "come",
    [
        {"notes": "DO NOT APPROVE: wrong host"},
        {"handle_parameters": '{"host": "prod-db"}'},
        {"attachment_id_list": ["proof-1"]},
        {"due_handle": "CONTINUE"},
    ],
    ids=lambda come: next(iter(come)),
)
async def test_what_was_empty_when_it_was_listed_and_is_not_now_is_left_out(
    environment: BotEnvironment, come: dict[str, Any]
) -> None:
    [field] = come
    task = environment.secmaster.world.tasks[seed.TASK_CHINESE]
    task |= {"notes": "", "note": "", field: [] if field == "attachment_id_list" else ""}
    view = await open_from_list(environment, ALICE, "task")
    task |= come
    question = await choose(environment, ALICE, view, "task.approve", THREE)
    text = json.dumps(question["blocks"])
    assert "Left out: 1" in text
    assert "Changed since it was listed" in text
    assert seed.TASK_CHINESE in text


@pytest.mark.parametrize("rules", [SPECIAL], indirect=True, ids=["special"])
async def test_what_asks_for_more_than_a_press_is_left_out_and_told(
    environment: BotEnvironment,
) -> None:
    question = await tasks(environment, ALICE, THREE)
    text = json.dumps(question["blocks"])
    assert "Requires several people" in text
    assert "Requires its name to be typed" in text
    await confirm(environment, ALICE, question)
    assert [row[1] for row in rows(await results(environment))] == ["Approved"]
    assert decided(environment) == [seed.TASK_CHINESE]


@pytest.mark.parametrize("rules", [REASONS], indirect=True, ids=["reasons"])
async def test_a_reason_that_is_required_is_asked_for_and_goes_with_each(
    environment: BotEnvironment,
) -> None:
    view = await open_from_list(environment, ALICE, "task")
    question = await choose(environment, ALICE, view, "task.approve", THREE[:2])
    assert "Requires a reason: go back and give one." in json.dumps(question["blocks"])
    assert question["submit"] is None
    await environment.slack.close(ALICE, question["id"])
    question = await choose(environment, ALICE, view, "task.approve", THREE[:2], "seen by two")
    assert "seen by two" in json.dumps(question["blocks"])
    await confirm(environment, ALICE, question)
    table = await results(environment)
    assert "seen by two" in json.dumps(table["blocks"])
    comments = [
        one.body["comment"] for one in puts(environment) if one.body["action"] == "ADD_COMMENT"
    ]
    assert len(comments) == 2
    assert all("seen by two" in each for each in comments)


async def test_whoever_only_reads_is_refused_for_each_of_them_and_it_is_on_record(
    environment: BotEnvironment,
) -> None:
    view = await open_from_list(environment, DAVE, "task")
    question = await choose(environment, DAVE, view, "task.terminate", THREE)
    assert question["title"]["text"] == "Select several"
    text = json.dumps(question["blocks"])
    assert text.count("can do this (rule 1)") == 3
    assert question["submit"] is None
    assert puts(environment) == []
    for each in THREE:
        assert [one["outcome"] for one in audit(environment, each)] == ["refused"]


async def test_a_right_that_is_gone_by_the_confirmation_is_told_in_the_table(
    environment: BotEnvironment,
) -> None:
    question = await tasks(environment, ALICE, THREE)
    strict = POLICY.replace("[[rules]]", SPECIAL.partition(POLICY)[0].strip() + "\n\n[[rules]]", 1)
    environment.app.policy.current = policy(strict)
    await confirm(environment, ALICE, question)
    table = await results(environment)
    assert "approved 1 of 3 tasks" in table["text"]
    assert "Left out: requires several people" in [row[1] for row in rows(table)]
    assert decided(environment) == [seed.TASK_CHINESE]


async def test_more_than_twenty_or_none_are_refused_in_the_form(
    environment: BotEnvironment,
) -> None:
    for number in range(20):
        environment.secmaster.world.add_task(name=f"Block address {number}")
    view = await open_from_list(environment, ALICE, "task")
    everything = option_values(view)
    assert len(everything) > 20
    typed: dict[str, str | list[str]] = {
        "action": "task.approve",
        "objects": everything[:21],
    }
    await environment.slack.submit(ALICE, view["id"], typed)
    errors = {"objects": "21 selected; at most 20 at once."}
    assert environment.slack.views(ALICE)[-1]["errors"] == errors
    none = await environment.slack.submit(ALICE, view["id"], {"objects": []})
    assert none.error == "missing_input"
    question = await choose(
        environment, ALICE, view, "task.approve", [id_of(v) for v in everything[:20]]
    )
    assert question["title"]["text"] == "Approve 20 tasks"
    await confirm(environment, ALICE, question)
    assert len(rows(await results(environment))) == 20
    assert len(decided(environment)) == 20


async def test_all_failed_runs_of_one_workflow_are_chosen_and_retried(
    environment: BotEnvironment,
) -> None:
    workflow = environment.secmaster.world.instances[seed.INSTANCE_FAILED]["workflow"]["id"]
    failed = failed_of(environment, workflow)
    ts = await button(environment, BatchQuery(kind="instance", definition_id=workflow))
    await environment.slack.press(CAROL, SOC, ts, "several")
    view = await open_view(environment, CAROL, "choosing")
    assert {id_of(value) for value in picked(view)} == failed
    question = await choose(environment, CAROL, view, "instance.retry")
    assert "The workflow runs again from the node that failed." in json.dumps(question["blocks"])
    await confirm(environment, CAROL, question)
    table = await environment.slack.until(lambda: message_with(environment, "*<@U0"))
    assert [row[1] for row in rows(table)] == ["Retry started"] * len(failed)
    wrote = environment.secmaster.writes("UpdateWorkflowInstance")
    assert {target(one) for one in wrote} == failed


@pytest.mark.parametrize("rules", [BRAKE], indirect=True, ids=["brake"])
async def test_what_the_retry_brake_stops_waits_for_a_second_person(
    environment: BotEnvironment,
) -> None:
    workflow = environment.secmaster.world.instances[seed.INSTANCE_FAILED]["workflow"]["id"]
    failed = failed_of(environment, workflow)
    assert len(failed) > 1
    ts = await button(environment, BatchQuery(kind="instance", definition_id=workflow))
    await environment.slack.press(CAROL, SOC, ts, "several")
    view = await open_view(environment, CAROL, "choosing")
    await confirm(environment, CAROL, await choose(environment, CAROL, view, "instance.retry"))
    table = await environment.slack.until(lambda: message_with(environment, "*<@U0"))
    outcomes = sorted(row[1] for row in rows(table))
    assert outcomes == ["1 more approval needed"] * (len(failed) - 1) + ["Retry started"]
    assert len(environment.secmaster.writes("UpdateWorkflowInstance")) == 1
    # Carol alone is on call: the thread says so once for all, and so do messages to others.
    replies = await environment.replies(table["ts"], len(failed) + 1)
    [stuck] = [reply for reply in replies if "Nobody else can give an approval" in reply]
    names = [environment.secmaster.world.instances[id_]["name"] for id_ in failed]
    assert sum(name in stuck for name in names) == len(failed) - 1
    assert "• Add somebody to *oncall*, in the Slack user group or in the policy." in stuck
    assert "The admins of this bot were notified." in stuck
    alone = await environment.posted(
        environment.slack.chat_with(DAVE), "Nobody else can give an approval"
    )
    assert "notified" not in alone
    assert not any(f"<@{CAROL}>" in text for text in (stuck, alone))


@postgres_in_full
@pytest.mark.parametrize("rules", [SHARED_BRAKE], indirect=True, ids=["shared"])
async def test_the_next_approver_is_called_once_for_all_that_a_batch_left_waiting(
    environment: BotEnvironment,
) -> None:
    assert "direct message" in await environment.answer(BOB, "/secmaster calls dm")
    run = environment.secmaster.world.instances[seed.INSTANCE_FAILED]
    workflow = run["workflow"]["id"]
    fields = ("workflow", "status", "end_time", "topology")
    copied = copy.deepcopy({name: run[name] for name in fields})
    environment.secmaster.world.add_instance(Script(), name="Scan", **copied)
    waiting = len(failed_of(environment, workflow)) - 1
    assert waiting > 1
    ts = await button(environment, BatchQuery(kind="instance", definition_id=workflow))
    await environment.slack.press(CAROL, SOC, ts, "several")
    view = await open_view(environment, CAROL, "choosing")
    await confirm(environment, CAROL, await choose(environment, CAROL, view, "instance.retry"))
    table = await environment.slack.until(lambda: message_with(environment, "*<@U0"))
    [call] = await environment.slack.until(lambda: calls_in(environment, table["ts"]))
    assert call.startswith(f"<@{ALICE}> 🗳️ {waiting} runs need another approval.")
    assert call.count("Approvals to retry: 1 of 2") == waiting
    chat = environment.slack.chat_with(BOB)
    alone = await environment.posted(chat, "another approval")
    assert alone.count("Approvals to retry: 1 of 2") == waiting
    [message] = environment.slack.messages(chat)
    rows_of_buttons = [row for row in message["blocks"] if row["type"] == "actions"]
    assert len(rows_of_buttons) == waiting
    await environment.slack.press(
        BOB, chat, message["ts"], "instance.retry", block_id=rows_of_buttons[0]["block_id"]
    )
    assert "Retry started by" in (await environment.replies(message["ts"], channel=chat))[0]
    assert calls_in(environment, table["ts"]) == [call]


async def test_confirming_twice_is_one_batch(environment: BotEnvironment) -> None:
    question = await tasks(environment, ALICE, THREE)
    sent = [environment.slack.submit(ALICE, question["id"], {}) for _ in range(2)]
    for each in await asyncio.gather(*sent):
        assert each.status == 200
    table = await results(environment)
    await environment.replies(table["ts"], 3)
    assert sorted(decided(environment)) == sorted(THREE)
    assert len(environment.slack.messages(SOC)) == 1
    assert len(environment.slack.thread(SOC, table["ts"])) == 4


async def test_through_a_storm_of_503_each_is_told_and_written_once(
    environment: BotEnvironment,
) -> None:
    question = await tasks(environment, ALICE, THREE)
    await environment.secmaster.faults.set(Fault(on="*", status=503, times=11))
    await confirm(environment, ALICE, question)
    table = await results(environment)
    assert [row[1] for row in rows(table)] == ["Approved"] * 3
    assert sorted(decided(environment)) == sorted(THREE)
    texts = [m["text"] for m in environment.slack.thread(SOC, table["ts"])[1:]]
    assert sum("✅ *Approved by" in each for each in texts) == 3
    assert sum("has not been sent yet." in each for each in texts) == 3


async def test_an_answer_stands_under_the_objects_own_card_where_there_is_one(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    question = await tasks(environment, ALICE, THREE[:2])
    await confirm(environment, ALICE, question)
    [reply] = await environment.replies(ts)
    assert reply.startswith("✅ *Approved by <@U0ALICE>")
    await environment.slack.until(lambda: "Finished" in environment.message(ts)["text"])
    table = await results(environment)
    assert len(await environment.replies(table["ts"])) == 1


@pytest.mark.slow
async def test_a_channel_that_is_closed_to_us_is_told_in_our_chat(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(ALICE, PRIVATE, "/secmaster task several Isolate")
    view = await open_view(environment, ALICE, "choosing")
    question = await choose(environment, ALICE, view, "task.approve", THREE[:1])
    await confirm(environment, ALICE, question)
    chat = environment.slack.chat_with(ALICE)
    table = await environment.slack.until(
        lambda: message_with(environment, "approved 1 of 1 task.*", channel=chat)
    )
    assert [row[1] for row in rows(table)] == ["Approved"]
    assert "*Approved by" in (await environment.replies(table["ts"], channel=chat))[0]


async def test_a_text_narrows_what_is_offered_and_a_mention_is_told_how(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(ALICE, SOC, "/secmaster task several Isolate host")
    view = await open_view(environment, ALICE, "choosing")
    assert {id_of(value) for value in option_values(view)} == {seed.TASK_ISOLATE}
    assert "1 task is waiting for a decision." in json.dumps(view["blocks"])
    await environment.slack.command(ALICE, SOC, "/secmaster task several nothing like it")
    empty = await environment.slack.until(
        lambda: [
            v
            for v in environment.slack.views(ALICE)
            if "No tasks are waiting" in json.dumps(v["blocks"])
        ]
    )
    assert empty[-1]["submit"] is None
    await environment.slack.say(ALICE, SOC, "<@U0BOT> task several")
    await environment.ephemeral(ALICE, "A mention can't open a form.", "/secmaster task several")
    await environment.slack.command(ALICE, SOC, "/secmaster instance severl")
    await environment.ephemeral(ALICE, "Did you mean `/secmaster instance several`?")
    await environment.slack.command(ALICE, SOC, "/secmaster help tasks")
    [message] = [m for m in environment.slack.ephemerals(ALICE) if "How to use" in m["text"]]
    assert "/secmaster task several [text]" in json.dumps(message["blocks"])


async def test_more_than_a_hundred_are_said_to_be_more(environment: BotEnvironment) -> None:
    for number in range(100):
        environment.secmaster.world.add_task(name=f"Block address {number}")
    view = await open_from_list(environment, ALICE, "task")
    assert len(option_values(view)) == 100
    assert "112 tasks are waiting for a decision. Only 100 are listed here" in json.dumps(view)


async def test_a_newer_button_is_told_and_trouble_while_listing_too(
    environment: BotEnvironment,
) -> None:
    ts = await button(environment, BatchQuery(kind="task"))
    for value in ("2|task|main||", "1|task|elsewhere||", "1|tasks|main||", "1|task"):
        await environment.slack.press(ALICE, SOC, ts, "several", value=value, forge_value=True)
        await environment.ephemeral(ALICE, "This button is from another version")
        assert environment.slack.views(ALICE) == []
    await environment.secmaster.faults.set(Fault(on="ListTasks", status=503))
    await environment.slack.press(ALICE, SOC, ts, "several")
    await environment.slack.until(
        lambda: (
            "not responding properly" in json.dumps(environment.slack.views(ALICE)[-1]["blocks"])
        )
    )


@pytest.mark.slow
@both_databases
async def test_killed_once_slack_took_the_progress_it_is_not_posted_twice(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path) as bot:
        environment = outside(slack, secmaster)
        question = await tasks(environment, ALICE, THREE)
        await slack.faults.set(Fault(on="chat.postMessage", hold=True, applied=True))
        await confirm(environment, ALICE, question)
        await slack.faults.until_held("chat.postMessage")
        await killed(bot, environment)
        await all_told_once(environment)


@postgres_in_full
@pytest.mark.slow
async def test_killed_while_some_are_written_each_is_written_once(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path) as bot:
        environment = outside(slack, secmaster)
        question = await tasks(environment, ALICE, THREE)
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True, applied=True, times=1))
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True))
        await confirm(environment, ALICE, question)
        await secmaster.faults.until_held("UpdateTask", 3)
        await killed(bot, environment)
        await all_told_once(environment)


@postgres_in_full
@pytest.mark.slow
async def test_killed_while_five_of_six_are_under_way_each_is_written_once(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path) as bot:
        environment = outside(slack, secmaster)
        question, six = await first_tasks(environment, ALICE, 6)
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True, applied=True, times=2))
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True))
        await confirm(environment, ALICE, question)
        await secmaster.faults.until_held("UpdateTask", 5)
        assert secmaster.faults.held["UpdateTask"] == 5
        await killed(bot, environment)
        await all_told_once(environment, six)


@pytest.mark.slow
@both_databases
async def test_killed_once_slack_took_the_table_it_is_still_the_same_message(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path) as bot:
        environment = outside(slack, secmaster)
        question = await tasks(environment, ALICE, THREE)
        await slack.faults.set(Fault(on="chat.update", hold=True, applied=True))
        await confirm(environment, ALICE, question)
        await slack.faults.until_held("chat.update")
        before = updates(slack)
        await killed(bot, environment)
        await slack.until(lambda: updates(slack) > before)
        await all_told_once(environment)


@pytest.mark.slow
async def test_told_to_stop_in_the_middle_it_leaves_the_rest_to_the_next_start(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    async with bot_process(slack, secmaster, database_url, tmp_path) as bot:
        environment = outside(slack, secmaster)
        question = await tasks(environment, ALICE, THREE)
        await secmaster.faults.set(Fault(on="ShowTask", status=503))
        await confirm(environment, ALICE, question)
        progress = await slack.until(lambda: message_with(environment, "3 tasks: 0 done"))
        await environment.replies(progress["ts"], 3)
        await bot.stop()
        await secmaster.faults.clear()
        await bot.start()
        table = await results(environment)
        assert [row[1] for row in rows(table)] == ["Approved"] * 3
    assert sorted(decided(environment)) == sorted(THREE)
    assert len(slack.messages(SOC)) == 1


def outside(slack: SlackRecorder, secmaster: SecMasterSandbox) -> BotEnvironment:
    """The environment of a bot in a process of its own, into which nobody looks."""
    return BotEnvironment(slack, secmaster, None)


async def killed(bot: BotProcess, environment: BotEnvironment) -> None:
    """The bot is killed and started again, and nothing is held any more."""
    await bot.kill()
    await environment.slack.faults.clear()
    await environment.secmaster.faults.clear()
    await bot.start()


async def all_told_once(environment: BotEnvironment, ids: list[str] | None = None) -> None:
    """All of them, the three by default, are written once, and told in one message's thread."""
    ids = ids or THREE
    table = await results(environment)
    assert [row[1] for row in rows(table)] == ["Approved"] * len(ids)
    replies = await environment.replies(table["ts"], len(ids))
    assert sum("✅ *Approved by" in each for each in replies) == len(ids)
    assert sorted(decided(environment)) == sorted(ids)
    assert len(environment.slack.messages(SOC)) == 1


async def tasks(environment: BotEnvironment, user: str, ids: list[str]) -> dict[str, Any]:
    """The question whether to approve these tasks."""
    view = await open_from_list(environment, user, "task")
    return await choose(environment, user, view, "task.approve", ids)


async def first_tasks(
    environment: BotEnvironment, user: str, number: int
) -> tuple[dict[str, Any], list[str]]:
    """The question whether to approve the first tasks of the list, and their ids."""
    view = await open_from_list(environment, user, "task")
    ids = [id_of(value) for value in option_values(view)[:number]]
    return await choose(environment, user, view, "task.approve", ids), ids


async def confirm(environment: BotEnvironment, user: str, question: dict[str, Any]) -> None:
    """Confirm; that each object has a reply of its own too is another story's subject."""
    environment.ignore_messages("*\n✅ *")
    environment.ignore_messages("*\n🗳️ *")
    sent = await environment.slack.submit(user, question["id"], {})
    assert (sent.status, sent.error) == (200, "")


async def results(environment: BotEnvironment) -> dict[str, Any]:
    """The table that takes the place of the progress."""
    table: dict[str, Any] = await environment.slack.until(
        lambda: message_with(environment, "*<@U0")
    )
    return table


def message_with(
    environment: BotEnvironment, text: str, *, channel: str = SOC
) -> dict[str, Any] | None:
    return next((m for m in environment.slack.messages(channel) if text in m["text"]), None)


async def button(environment: BotEnvironment, query: BatchQuery) -> str:
    """A message of the bot with the button; returns its ts."""
    block = {"type": "actions", "elements": [batch_button(ENGLISH, query).to_dict()]}
    posted = await environment.app.services.slack.client.chat_postMessage(
        channel=SOC, text="many", blocks=[block]
    )
    return str(posted["ts"])


def updates(slack: SlackRecorder) -> int:
    return sum(1 for call in slack.calls if call.method == "chat.update")


def rows(table: dict[str, Any]) -> list[list[str]]:
    """The cells of the table, without its head."""
    [table_block] = [block for block in table["blocks"] if block["type"] == "table"]
    return [[cell["text"] for cell in row] for row in table_block["rows"][1:]]


def picked(view: dict[str, Any]) -> list[str]:
    return [option["value"] for option in objects_element(view).get("initial_options", [])]


def calls_in(environment: BotEnvironment, ts: str) -> list[str]:
    """The calls for approvals in a thread."""
    texts = [str(message["text"]) for message in environment.slack.thread(SOC, ts)[1:]]
    return [text for text in texts if "another approval" in text or "more approval" in text]


def failed_of(environment: BotEnvironment, workflow: str) -> set[str]:
    runs = environment.secmaster.world.instances.values()
    return {
        each["id"]
        for each in runs
        if each["status"] == "FAILED" and each["workflow"]["id"] == workflow
    }


def puts(environment: BotEnvironment) -> list[Any]:
    return [one for one in environment.secmaster.requests if one.method == "PUT"]


def decided(environment: BotEnvironment) -> list[str]:
    """The tasks that were approved from here, in the order of the writes."""
    wrote = environment.secmaster.writes("UpdateTask")
    return [target(one) for one in wrote if one.body["action"] == "CONTINUE"]


def target(write: Any) -> str:
    return str(write.path.rpartition("/")[2])


def audit(environment: BotEnvironment, task_id: str) -> list[dict[str, Any]]:
    return environment.app.services.store.audit.entries(f"1:task:main:{task_id}")
