"""Forms: what they ask, what they refuse, and what they send once."""

import asyncio
import json
from typing import Any

import pytest

from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.wire import Person
from tests.town import ALICE, CAROL, POLICY, SOC, Town

NODE = "b5848121-79a5-11f0-9f91-fa163e807002"  # the one that failed in INSTANCE_FAILED
LIN = Person("user-lin", "Lin Yue")
ROLES = POLICY.partition("[[rules]]")[0]
REASON_REQUIRED = f"""{ROLES}
[[rules]]
actions = ["task.*", "instance.*"]
roles = ["approver", "oncall"]
reason = "required"
"""
REASON_NONE = REASON_REQUIRED.replace("required", "none")
ONLY_ISOLATION = f"""{ROLES}
[[rules]]
actions = ["task.terminate"]
roles = ["approver"]
when = {{ name = "Isolate.*" }}

[[rules]]
actions = ["task.comment"]
roles = ["approver"]
"""


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    """The town's policy, or that of a story that has its own."""
    return str(getattr(request, "param", POLICY))


async def test_terminate_asks_for_its_reason_and_repeats_what_it_is_about(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await form(town, ALICE, ts, "task.terminate")
    assert view["title"]["text"] == "Terminate task"
    asked = json.dumps(view["blocks"])
    assert "Isolate host ecs-web-07" in asked
    assert seed.TASK_ISOLATE in asked
    assert "demo-workspace" in asked
    assert inputs(view) == ["reason"]
    await town.slack.close(ALICE, view["id"])
    assert puts(town) == []
    view = await form(town, ALICE, ts, "task.terminate")
    await town.slack.submit(ALICE, view["id"], {"reason": "a decoy"})
    [said] = await town.replies(ts)
    assert "*Terminated* by <@U0ALICE>" in said
    assert "> a decoy" in said


async def test_an_optional_reason_may_be_left_out_of_the_form(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await form(town, ALICE, ts, "task.terminate")
    submitted = await town.slack.submit(ALICE, view["id"], {})
    assert (submitted.status, submitted.error) == (200, "")
    [said] = await town.replies(ts)
    assert "*Terminated* by <@U0ALICE>" in said
    assert [one.body["action"] for one in puts(town)] == ["TERMINATE"]


@pytest.mark.parametrize("rules", [REASON_REQUIRED], indirect=True, ids=["required"])
async def test_a_required_reason_is_asked_for_and_not_taken_empty(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.command(ALICE, SOC, f"/task approve {seed.TASK_ISOLATE}")
    await town.whispered(ALICE, "This needs a reason", "&lt;reason&gt;", "Nothing was sent")
    view = await form(town, ALICE, ts, "task.approve")
    empty = await town.slack.submit(ALICE, view["id"], {})
    assert empty.error == "missing_input"
    await town.slack.submit(ALICE, view["id"], {"reason": "   \n "})
    assert town.slack.views(ALICE)[-1]["errors"] == {"reason": "A reason is required."}
    assert puts(town) == []
    await town.slack.submit(ALICE, view["id"], {"reason": "seen by two"})
    assert town.slack.views(ALICE) == []
    [said] = await town.replies(ts)
    assert "*Approved* by <@U0ALICE>" in said
    assert [one.body["action"] for one in puts(town)] == ["ADD_COMMENT", "CONTINUE"]
    run = await town.card("instance", seed.INSTANCE_FAILED)
    view = await form(town, CAROL, run, "instance.retry")
    await town.slack.submit(CAROL, view["id"], {"reason": "quota raised"})
    assert "> quota raised" in (await town.replies(run))[0]
    await town.slack.command(ALICE, SOC, f"/task comment {seed.TASK_BLOCK_IP} needs no reason")
    await town.slack.until(lambda: len(town.slack.messages(SOC)) == 3)


@pytest.mark.parametrize("rules", [REASON_NONE], indirect=True, ids=["none"])
async def test_a_rule_without_reasons_asks_for_none(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await form(town, ALICE, ts, "task.terminate")
    assert inputs(view) == []
    await town.slack.submit(ALICE, view["id"], {})
    [said] = await town.replies(ts)
    assert "*Terminated* by <@U0ALICE>" in said
    assert [one.body["action"] for one in puts(town)] == ["TERMINATE"]


async def test_a_form_sent_twice_is_one_write(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await form(town, ALICE, ts, "task.comment")
    sent = [town.slack.submit(ALICE, view["id"], {"comment": "just once"}) for _ in range(2)]
    for each in await asyncio.gather(*sent):
        assert (each.status, each.error) == (200, "")
    await town.replies(ts)
    view = await form(town, ALICE, ts, "task.terminate")
    sent = [town.slack.submit(ALICE, view["id"], {"reason": "a decoy"}) for _ in range(2)]
    await asyncio.gather(*sent)
    said = await town.replies(ts, 2)
    await town.slack.until(lambda: not town.buttons(ts))
    assert len(said) == 2
    assert [one.body["action"] for one in puts(town)] == [
        "ADD_COMMENT",
        "ADD_COMMENT",
        "TERMINATE",
    ]
    assert "\na decoy\n" in puts(town)[1].body["comment"]
    outcomes = [row["outcome"] for row in audit(town, "task", seed.TASK_ISOLATE)]
    assert outcomes == ["allowed", "done"] * 2


async def test_the_debug_form_offers_the_node_that_failed(town: Town):
    ts = await town.card("instance", seed.INSTANCE_FAILED)
    view = await form(town, CAROL, ts, "instance.debug")
    assert inputs(view) == ["task_id", "input_dataobject"]
    await town.slack.until(lambda: NODE in json.dumps(town.slack.views(CAROL)[-1]["blocks"]))
    # The person leaves the offered node as it is.
    typed = {"input_dataobject": '[{"key": "ip"}]'}
    submitted = await town.slack.submit(CAROL, view["id"], typed)
    assert (submitted.status, submitted.error) == (200, "")
    [said] = await town.replies(ts)
    assert "*Debug input sent* by <@U0CAROL>" in said
    [write] = town.secmaster.writes("UpdateWorkflowInstance", seed.INSTANCE_FAILED)
    assert write.body["task_id"] == NODE
    assert json.loads(write.body["input_dataobject"]) == [{"key": "ip"}]


async def test_what_was_typed_before_the_node_is_offered_stays(town: Town):
    ts = await town.card("instance", seed.INSTANCE_FAILED)
    await town.secmaster.faults.set(Fault(on="ShowAopWorkflowInstance", hold=True))
    view = await form(town, CAROL, ts, "instance.debug")
    await town.slack.press_in_view(CAROL, view["id"], "input_dataobject", "[1, 2]")
    await town.secmaster.faults.clear()
    await town.slack.until(lambda: NODE in json.dumps(town.slack.views(CAROL)[-1]["blocks"]))
    await town.slack.submit(CAROL, view["id"], {"task_id": NODE})
    await town.replies(ts)
    [write] = town.secmaster.writes("UpdateWorkflowInstance", seed.INSTANCE_FAILED)
    assert json.loads(write.body["input_dataobject"]) == [1, 2]


async def test_json_that_is_none_is_told_at_its_input_and_can_be_mended(town: Town):
    ts = await town.card("instance", seed.INSTANCE_FAILED)
    view = await form(town, CAROL, ts, "instance.debug")
    await town.slack.until(lambda: NODE in json.dumps(town.slack.views(CAROL)[-1]["blocks"]))
    told = []
    for typed in ('[{"key": ', '{"key": 1}', "[1, "):
        await town.slack.submit(CAROL, view["id"], {"task_id": NODE, "input_dataobject": typed})
        told.append(town.slack.views(CAROL)[-1]["errors"])
    assert told[0] == {"input_dataobject": "That is not JSON."}
    assert "array" in told[1]["input_dataobject"]
    assert told[2] == told[0]
    assert puts(town) == []
    smart = "```[{“key”: “ip”}]```"
    await town.slack.submit(CAROL, view["id"], {"task_id": NODE, "input_dataobject": smart})
    assert town.slack.views(CAROL) == []
    assert "*Debug input sent*" in (await town.replies(ts))[0]
    assert json.loads(puts(town)[0].body["input_dataobject"]) == [{"key": "ip"}]


async def test_a_comment_is_written_in_a_form_and_blank_ones_are_refused(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await form(town, CAROL, ts, "task.comment")
    blank = await town.slack.submit(CAROL, view["id"], {"comment": "  "})
    assert blank.error == ""
    assert town.slack.views(CAROL)[-1]["errors"] == {"comment": "The text is missing."}
    await town.slack.submit(CAROL, view["id"], {"comment": "two\nlines & <tags> 🐝"})
    [said] = await town.replies(ts)
    assert "> two\n> lines &amp; &lt;tags&gt; 🐝" in said
    [write] = puts(town)
    assert write.body["comment"].startswith("two\nlines & <tags> 🐝")
    await town.slack.until(lambda: "two lines &amp;" in json.dumps(town.message(ts)))


@pytest.mark.parametrize("rules", [ONLY_ISOLATION], indirect=True, ids=["when"])
async def test_a_right_that_went_while_the_form_was_open_refuses_it(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await form(town, ALICE, ts, "task.terminate")
    town.secmaster.world.tasks[seed.TASK_ISOLATE]["name"] = "Something else by now"
    submitted = await town.slack.submit(ALICE, view["id"], {"reason": "a decoy"})
    assert (submitted.status, submitted.error) == (200, "")
    shown = json.dumps(town.slack.views(ALICE)[-1]["blocks"])
    assert "No rule allows `task.terminate`" in shown
    assert "was not sent" in shown
    assert puts(town) == []
    [row] = audit(town, "task", seed.TASK_ISOLATE)
    assert (row["outcome"], row["actor"]["id"]) == ("refused", ALICE)


async def test_a_form_about_what_was_decided_meanwhile_sends_nothing(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    view = await form(town, ALICE, ts, "task.terminate")
    town.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "CONTINUE"}, LIN)
    await town.slack.submit(ALICE, view["id"], {"reason": "a decoy"})
    await town.whispered(ALICE, "was already decided", "✅ Finished", "was not sent")
    await town.slack.until(lambda: not town.buttons(ts))
    assert puts(town) == []
    assert town.slack.thread(SOC, ts)[1:] == []


async def form(town: Town, user: str, ts: str, action: str) -> dict[str, Any]:
    """Press a button that opens a form, and return the form."""
    delivered = await town.slack.press(user, SOC, ts, action)
    assert (delivered.status, delivered.error) == (200, "")
    return town.slack.views(user)[-1]


def inputs(view: dict[str, Any]) -> list[str]:
    return [block["block_id"] for block in view["blocks"] if block["type"] == "input"]


def puts(town: Town) -> list[Any]:
    return [one for one in town.secmaster.requests if one.method == "PUT"]


def audit(town: Town, noun: str, object_id: str) -> list[dict[str, Any]]:
    return town.app.services.store.audit_entries(Ref(kind=noun, id=object_id))
