"""Many at once: chosen from a list, confirmed once, each decided on its own, told in one table."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.batches import BatchQuery
from bot.messages.batch_forms import batch_button
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, SecMasterSandbox, seed
from bot.sandbox.slack import SlackSandbox
from tests.stories.test_crashes import Process, process
from tests.town import ALICE, CAROL, GUEST, PRIVATE, SOC, Town, both_databases, policy

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
"""
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


@both_databases
async def test_three_of_a_list_are_approved_with_one_confirmation(town: Town):
    view = await from_list(town, ALICE, "task")
    assert picked(view) == []
    question = await ask(town, ALICE, view, "task.approve", THREE)
    assert question["title"]["text"] == "Approve 3 tasks"
    shown = json.dumps(question["blocks"], ensure_ascii=False)
    assert "Isolate host ecs-web-07" in shown
    assert "The flow goes on from here. · demo-workspace" in shown
    assert decided(town) == []
    await confirm(town, ALICE, question)
    table = await results(town)
    assert "*Approved: 3 of 3 tasks* for <@U0ALICE>" in table["text"]
    assert [row[1] for row in rows(table)] == ["Approved"] * 3
    assert "Isolate host ecs-web-07" in rows(table)[0][0]
    assert sorted(decided(town)) == sorted(THREE)
    assert town.slack.views(ALICE) == []
    assert len(town.slack.messages(SOC)) == 1
    said = await town.replies(table["ts"], 3)
    assert all("✅ *Approved* by <@U0ALICE>" in each for each in said)
    assert any(each.startswith("*Isolate host ecs-web-07") for each in said)


async def test_the_progress_is_told_while_it_is_under_way(town: Town):
    question = await tasks(town, ALICE, THREE)
    await town.secmaster.faults.set(Fault(on="UpdateTask", hold=True, times=1))
    await confirm(town, ALICE, question)
    told = await town.slack.until(lambda: said(town, "2 of 3 done"))
    assert told["text"] == "⏳ Approving 3 tasks for <@U0ALICE>: 2 of 3 done"
    await town.secmaster.faults.clear()
    table = await results(town)
    assert table["ts"] == told["ts"]


async def test_no_more_than_five_are_under_way_at_once(town: Town):
    view = await from_list(town, ALICE, "task")
    eight = [id_of(value) for value in values(view)[:8]]
    question = await ask(town, ALICE, view, "task.approve", eight)
    await town.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    await confirm(town, ALICE, question)
    await town.secmaster.faults.until_held("UpdateTask", 5)
    assert [bool(audit(town, each)) for each in eight] == [True] * 5 + [False] * 3
    await town.secmaster.faults.clear()
    await results(town)
    assert sorted(decided(town)) == sorted(eight)


async def test_what_somebody_decided_meanwhile_has_its_row_and_the_others_are_done(town: Town):
    question = await tasks(town, ALICE, THREE)
    town.secmaster.world.update_task(seed.TASK_BLOCK_IP, {"action": "CONTINUE"}, LIN)
    await confirm(town, ALICE, question)
    table = await results(town)
    assert "Approved: 2 of 3 tasks" in table["text"]
    told = {row[0]: row[1] for row in rows(table)}
    [closed] = [result for name, result in told.items() if name.startswith("Block")]
    assert closed == "Already decided by Lin Yue: finished"
    assert list(told.values()).count("Approved") == 2
    assert sorted(decided(town)) == sorted({*THREE} - {seed.TASK_BLOCK_IP})


async def test_what_changed_since_it_was_confirmed_is_not_decided(town: Town):
    question = await tasks(town, ALICE, THREE)
    comment = {"action": "ADD_COMMENT", "comment": "wait for the owner"}
    town.secmaster.world.update_task(seed.TASK_ISOLATE, comment, LIN)
    await confirm(town, ALICE, question)
    table = await results(town)
    assert rows(table)[0][1] == "Changed since you looked"
    assert seed.TASK_ISOLATE not in decided(town)
    await town.whispered(ALICE, "Changed since you looked")


async def test_what_was_decided_or_changed_since_it_was_listed_is_left_out(town: Town):
    view = await from_list(town, ALICE, "task")
    town.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "CONTINUE"}, LIN)
    town.secmaster.world.tasks[seed.TASK_BLOCK_IP]["description"] = "another address"
    question = await ask(town, ALICE, view, "task.approve", THREE)
    told = json.dumps(question["blocks"])
    assert "Left out: 2" in told
    assert "It is no longer open to this." in told
    assert "It has changed since it was listed" in told
    assert question["submit"]["text"] == "Approve 1"
    await confirm(town, ALICE, question)
    assert len(rows(await results(town))) == 1
    assert decided(town) == [seed.TASK_CHINESE]


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
    town: Town, come: dict[str, Any]
):
    [field] = come
    task = town.secmaster.world.tasks[seed.TASK_CHINESE]
    task |= {"notes": "", "note": "", field: [] if field == "attachment_id_list" else ""}
    view = await from_list(town, ALICE, "task")
    task |= come
    question = await ask(town, ALICE, view, "task.approve", THREE)
    told = json.dumps(question["blocks"])
    assert "Left out: 1" in told
    assert "It has changed since it was listed" in told
    assert seed.TASK_CHINESE in told


@pytest.mark.parametrize("rules", [SPECIAL], indirect=True, ids=["special"])
async def test_what_asks_for_more_than_a_press_is_left_out_and_told(town: Town):
    question = await tasks(town, ALICE, THREE)
    told = json.dumps(question["blocks"])
    assert "It asks for several people" in told
    assert "It asks for its name to be typed" in told
    await confirm(town, ALICE, question)
    assert [row[1] for row in rows(await results(town))] == ["Approved"]
    assert decided(town) == [seed.TASK_CHINESE]


@pytest.mark.parametrize("rules", [REASONS], indirect=True, ids=["reasons"])
async def test_a_reason_that_is_required_is_asked_for_and_goes_with_each(town: Town):
    view = await from_list(town, ALICE, "task")
    question = await ask(town, ALICE, view, "task.approve", THREE[:2])
    assert "It needs a reason: go back and give one." in json.dumps(question["blocks"])
    assert question["submit"] is None
    await town.slack.close(ALICE, question["id"])
    question = await ask(town, ALICE, view, "task.approve", THREE[:2], "seen by two")
    assert "seen by two" in json.dumps(question["blocks"])
    await confirm(town, ALICE, question)
    table = await results(town)
    assert "seen by two" in json.dumps(table["blocks"])
    comments = [one.body["comment"] for one in puts(town) if one.body["action"] == "ADD_COMMENT"]
    assert len(comments) == 2
    assert all("seen by two" in each for each in comments)


async def test_a_guest_is_refused_for_each_of_them_and_it_is_on_record(town: Town):
    view = await from_list(town, GUEST, "task")
    question = await ask(town, GUEST, view, "task.terminate", THREE)
    assert question["title"]["text"] == "Select several"
    told = json.dumps(question["blocks"])
    assert told.count("Guests may look, and change nothing.") == 3
    assert question["submit"] is None
    assert puts(town) == []
    for each in THREE:
        assert [one["outcome"] for one in audit(town, each)] == ["refused"]


async def test_a_right_that_is_gone_by_the_confirmation_is_told_in_the_table(town: Town):
    question = await tasks(town, ALICE, THREE)
    strict = POLICY.replace("[[rules]]", SPECIAL.partition(POLICY)[0].strip() + "\n\n[[rules]]", 1)
    town.app.policy.current = policy(strict)
    await confirm(town, ALICE, question)
    table = await results(town)
    assert "Approved: 1 of 3 tasks" in table["text"]
    assert "Left out: asks for several people" in [row[1] for row in rows(table)]
    assert decided(town) == [seed.TASK_CHINESE]


async def test_more_than_twenty_or_none_are_refused_in_the_form(town: Town):
    for number in range(20):
        town.secmaster.world.add_task(name=f"Block address {number}")
    view = await from_list(town, ALICE, "task")
    everything = values(view)
    assert len(everything) > 20
    typed = {"action": "task.approve", "objects": everything[:21]}
    await town.slack.submit(ALICE, view["id"], typed)
    told = {"objects": "21 are selected; 20 are possible at once."}
    assert town.slack.views(ALICE)[-1]["errors"] == told
    none = await town.slack.submit(ALICE, view["id"], {"objects": []})
    assert none.error == "missing_input"
    question = await ask(town, ALICE, view, "task.approve", [id_of(v) for v in everything[:20]])
    assert question["title"]["text"] == "Approve 20 tasks"
    await confirm(town, ALICE, question)
    assert len(rows(await results(town))) == 20
    assert len(decided(town)) == 20


async def test_all_failed_runs_of_one_workflow_are_chosen_and_retried(town: Town):
    workflow = town.secmaster.world.instances[seed.INSTANCE_FAILED]["workflow"]["id"]
    failed = failed_of(town, workflow)
    ts = await button(town, BatchQuery(kind="instance", workflow_id=workflow))
    await town.slack.press(CAROL, SOC, ts, "several")
    view = await filled(town, CAROL, "choosing")
    assert {id_of(value) for value in picked(view)} == failed
    question = await ask(town, CAROL, view, "instance.retry")
    assert "The workflow runs again from what failed." in json.dumps(question["blocks"])
    await confirm(town, CAROL, question)
    table = await town.slack.until(lambda: said(town, "*Retry started:"))
    assert [row[1] for row in rows(table)] == ["Retry started"] * len(failed)
    wrote = town.secmaster.writes("UpdateWorkflowInstance")
    assert {target(one) for one in wrote} == failed


@pytest.mark.parametrize("rules", [BRAKE], indirect=True, ids=["brake"])
async def test_what_the_retry_brake_stops_waits_for_a_second_person(town: Town):
    workflow = town.secmaster.world.instances[seed.INSTANCE_FAILED]["workflow"]["id"]
    failed = failed_of(town, workflow)
    assert len(failed) > 1
    ts = await button(town, BatchQuery(kind="instance", workflow_id=workflow))
    await town.slack.press(CAROL, SOC, ts, "several")
    view = await filled(town, CAROL, "choosing")
    await confirm(town, CAROL, await ask(town, CAROL, view, "instance.retry"))
    table = await town.slack.until(lambda: said(town, "*Retry started:"))
    told = sorted(row[1] for row in rows(table))
    assert told == ["Retry started"] + ["Waits for a second person"] * (len(failed) - 1)
    assert len(town.secmaster.writes("UpdateWorkflowInstance")) == 1


async def test_confirming_twice_is_one_batch(town: Town):
    question = await tasks(town, ALICE, THREE)
    sent = [town.slack.submit(ALICE, question["id"], {}) for _ in range(2)]
    for each in await asyncio.gather(*sent):
        assert each.status == 200
    table = await results(town)
    await town.replies(table["ts"], 3)
    assert sorted(decided(town)) == sorted(THREE)
    assert len(town.slack.messages(SOC)) == 1
    assert len(town.slack.thread(SOC, table["ts"])) == 4


async def test_through_a_storm_of_503_each_is_told_and_written_once(town: Town):
    question = await tasks(town, ALICE, THREE)
    await town.secmaster.faults.set(Fault(on="*", status=503, times=11))
    await confirm(town, ALICE, question)
    table = await results(town)
    assert [row[1] for row in rows(table)] == ["Approved"] * 3
    assert sorted(decided(town)) == sorted(THREE)
    told = [m["text"] for m in town.slack.thread(SOC, table["ts"])[1:]]
    assert sum("✅ *Approved*" in each for each in told) == 3
    assert sum("waits." in each for each in told) == 3


async def test_an_answer_stands_under_the_objects_own_card_where_there_is_one(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    question = await tasks(town, ALICE, THREE[:2])
    await confirm(town, ALICE, question)
    [own] = await town.replies(ts)
    assert own.startswith("✅ *Approved* by <@U0ALICE>")
    await town.slack.until(lambda: "Finished" in town.message(ts)["text"])
    table = await results(town)
    assert len(await town.replies(table["ts"])) == 1


async def test_a_channel_that_is_closed_to_us_is_told_in_our_chat(town: Town):
    await town.slack.command(ALICE, PRIVATE, "/secmaster task several Isolate")
    view = await filled(town, ALICE, "choosing")
    question = await ask(town, ALICE, view, "task.approve", THREE[:1])
    await confirm(town, ALICE, question)
    chat = town.slack.workspace.dm(ALICE).id
    table = await town.slack.until(lambda: said(town, "*Approved: 1 of 1 task*", channel=chat))
    assert [row[1] for row in rows(table)] == ["Approved"]


async def test_a_text_narrows_what_is_offered_and_a_mention_is_told_how(town: Town):
    await town.slack.command(ALICE, SOC, "/secmaster task several Isolate host")
    view = await filled(town, ALICE, "choosing")
    assert {id_of(value) for value in values(view)} == {seed.TASK_ISOLATE}
    assert "1 task waits for a decision with" in json.dumps(view["blocks"])
    await town.slack.command(ALICE, SOC, "/secmaster task several nothing like it")
    empty = await town.slack.until(
        lambda: [v for v in town.slack.views(ALICE) if "No tasks wait" in json.dumps(v["blocks"])]
    )
    assert empty[-1]["submit"] is None
    await town.slack.say(ALICE, SOC, "<@U0BOT> task several")
    await town.whispered(ALICE, "Slack opens no form for a mention", "/secmaster task several")
    await town.slack.command(ALICE, SOC, "/secmaster instance severl")
    await town.whispered(ALICE, "Did you mean `/secmaster instance several`?")
    await town.slack.command(ALICE, SOC, "/secmaster help")
    [shown] = [m for m in town.slack.ephemerals(ALICE) if "How to use" in m["text"]]
    assert "/secmaster task several [text]" in json.dumps(shown["blocks"])


async def test_more_than_a_hundred_are_said_to_be_more(town: Town):
    for number in range(100):
        town.secmaster.world.add_task(name=f"Block address {number}")
    view = await from_list(town, ALICE, "task")
    assert len(values(view)) == 100
    assert "112 tasks wait for a decision; 100 of them are here." in json.dumps(view["blocks"])


async def test_a_newer_button_is_told_and_trouble_while_listing_too(town: Town):
    ts = await button(town, BatchQuery(kind="task"))
    for value in ("2|task|main||", "1|task|elsewhere||", "1|tasks|main||", "1|task"):
        await town.slack.press(ALICE, SOC, ts, "several", value=value, forge_value=True)
        await town.whispered(ALICE, "This button is from another version")
        assert town.slack.views(ALICE) == []
    await town.secmaster.faults.set(Fault(on="ListTasks", status=503))
    await town.slack.press(ALICE, SOC, ts, "several")
    await town.slack.until(
        lambda: "not answering properly" in json.dumps(town.slack.views(ALICE)[-1]["blocks"])
    )


@both_databases
async def test_killed_once_slack_took_the_progress_it_is_not_posted_twice(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
):
    async with process(slack, secmaster, database_url, tmp_path) as bot:
        town = outside(slack, secmaster)
        question = await tasks(town, ALICE, THREE)
        await slack.faults.set(Fault(on="chat.postMessage", hold=True, applied=True))
        await confirm(town, ALICE, question)
        await slack.faults.until_held("chat.postMessage")
        await killed(bot, town)
        await all_told_once(town)


@both_databases
async def test_killed_while_some_are_written_each_is_written_once(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
):
    async with process(slack, secmaster, database_url, tmp_path) as bot:
        town = outside(slack, secmaster)
        question = await tasks(town, ALICE, THREE)
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True, applied=True, times=1))
        await secmaster.faults.set(Fault(on="UpdateTask", hold=True))
        await confirm(town, ALICE, question)
        await secmaster.faults.until_held("UpdateTask", 3)
        await killed(bot, town)
        await all_told_once(town)


@both_databases
async def test_killed_once_slack_took_the_table_it_is_still_the_same_message(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
):
    async with process(slack, secmaster, database_url, tmp_path) as bot:
        town = outside(slack, secmaster)
        question = await tasks(town, ALICE, THREE)
        await slack.faults.set(Fault(on="chat.update", hold=True, applied=True))
        await confirm(town, ALICE, question)
        await slack.faults.until_held("chat.update")
        before = updates(slack)
        await killed(bot, town)
        await slack.until(lambda: updates(slack) > before)
        await all_told_once(town)


async def test_told_to_stop_in_the_middle_it_leaves_the_rest_to_the_next_start(
    slack: SlackSandbox, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
):
    async with process(slack, secmaster, database_url, tmp_path) as bot:
        town = outside(slack, secmaster)
        question = await tasks(town, ALICE, THREE)
        await secmaster.faults.set(Fault(on="ShowTask", status=503))
        await confirm(town, ALICE, question)
        progress = await slack.until(lambda: said(town, "0 of 3 done"))
        await town.replies(progress["ts"], 3)
        await bot.stop()
        await secmaster.faults.clear()
        await bot.start()
        table = await results(town)
        assert [row[1] for row in rows(table)] == ["Approved"] * 3
    assert sorted(decided(town)) == sorted(THREE)
    assert len(slack.messages(SOC)) == 1


def outside(slack: SlackSandbox, secmaster: SecMasterSandbox) -> Town:
    """The town of a bot in a process of its own, into which nobody looks."""
    return Town(slack, secmaster, None)


async def killed(bot: Process, town: Town) -> None:
    """The bot is killed and started again, and nothing is held any more."""
    await bot.kill()
    await town.slack.faults.clear()
    await town.secmaster.faults.clear()
    await bot.start()


async def all_told_once(town: Town) -> None:
    """All three are written once, and told in one message and in its thread."""
    table = await results(town)
    assert [row[1] for row in rows(table)] == ["Approved"] * 3
    told = await town.replies(table["ts"], 3)
    assert sum("✅ *Approved*" in each for each in told) == 3
    assert sorted(decided(town)) == sorted(THREE)
    assert len(town.slack.messages(SOC)) == 1


async def from_list(town: Town, user: str, noun: str) -> dict[str, Any]:
    """The choosing view, opened with the button under a list."""
    await town.slack.command(user, SOC, f"/secmaster {noun} list")
    page = await town.slack.until(lambda: town.slack.ephemerals(user)[-1:])
    await town.slack.press(user, SOC, page[0]["ts"], "several")
    return await filled(town, user, "choosing")


async def tasks(town: Town, user: str, ids: list[str]) -> dict[str, Any]:
    """The question whether to approve these tasks."""
    view = await from_list(town, user, "task")
    return await ask(town, user, view, "task.approve", ids)


async def ask(  # noqa: PLR0917
    town: Town,
    user: str,
    view: dict[str, Any],
    action: str,
    ids: list[str] | None = None,
    reason: str = "",
) -> dict[str, Any]:
    """The confirming view for what is chosen."""
    typed: dict[str, Any] = {"action": action}
    if ids is not None:
        typed["objects"] = [value for id_ in ids for value in values(view) if id_of(value) == id_]
    if reason:
        typed["reason"] = reason
    sent = await town.slack.submit(user, view["id"], typed)
    assert (sent.status, sent.error) == (200, "")
    return await filled(town, user, "confirming")


async def filled(town: Town, user: str, callback: str) -> dict[str, Any]:
    """The view that somebody looks at, once it is there."""

    def there() -> dict[str, Any] | None:
        views = town.slack.views(user)
        return views[-1] if views and views[-1]["callback_id"] == callback else None

    found: dict[str, Any] = await town.slack.until(there)
    return found


async def confirm(town: Town, user: str, question: dict[str, Any]) -> None:
    sent = await town.slack.submit(user, question["id"], {})
    assert (sent.status, sent.error) == (200, "")


async def results(town: Town) -> dict[str, Any]:
    """The table that takes the place of the progress."""
    found: dict[str, Any] = await town.slack.until(lambda: said(town, "*Approved:"))
    return found


def said(town: Town, text: str, *, channel: str = SOC) -> dict[str, Any] | None:
    return next((m for m in town.slack.messages(channel) if text in m["text"]), None)


async def button(town: Town, wanted: BatchQuery) -> str:
    """A message of the bot with the button; returns its ts."""
    block = {"type": "actions", "elements": [batch_button(wanted).to_dict()]}
    posted = await town.app.services.slack.client.chat_postMessage(
        channel=SOC, text="many", blocks=[block]
    )
    return str(posted["ts"])


def updates(slack: SlackSandbox) -> int:
    return sum(1 for call in slack.calls if call.method == "chat.update")


def rows(table: dict[str, Any]) -> list[list[str]]:
    """The cells of the table, without its head."""
    [found] = [block for block in table["blocks"] if block["type"] == "table"]
    return [[cell["text"] for cell in row] for row in found["rows"][1:]]


def element(view: dict[str, Any]) -> dict[str, Any]:
    [found] = [b["element"] for b in view["blocks"] if b.get("block_id") == "objects"]
    return dict(found)


def values(view: dict[str, Any]) -> list[str]:
    return [option["value"] for option in element(view)["options"]]


def picked(view: dict[str, Any]) -> list[str]:
    return [option["value"] for option in element(view).get("initial_options", [])]


def id_of(value: str) -> str:
    return value.split(":")[3]


def failed_of(town: Town, workflow: str) -> set[str]:
    runs = town.secmaster.world.instances.values()
    return {
        each["id"]
        for each in runs
        if each["status"] == "FAILED" and each["workflow"]["id"] == workflow
    }


def puts(town: Town) -> list[Any]:
    return [one for one in town.secmaster.requests if one.method == "PUT"]


def decided(town: Town) -> list[str]:
    """The tasks that were approved from here, in the order of the writes."""
    wrote = town.secmaster.writes("UpdateTask")
    return [target(one) for one in wrote if one.body["action"] == "CONTINUE"]


def target(write: Any) -> str:
    return str(write.path.rpartition("/")[2])


def audit(town: Town, task_id: str) -> list[dict[str, Any]]:
    return town.app.services.store.audit_entries(f"1:task:main:{task_id}")
