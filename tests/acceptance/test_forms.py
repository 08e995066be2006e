"""Forms: what they ask, what they refuse, and what they send once."""

import asyncio
import json
from typing import Any

import pytest
import sqlalchemy as sa

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.wire import Person
from bot.store.tables import snapshots
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, CAROL, DAVE, SOC

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
AUDITED = f"""{POLICY}
[rights]
audit = ["approver"]
"""
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
    """The environment's policy, or that of a story that has its own."""
    return str(getattr(request, "param", POLICY))


async def test_terminate_asks_for_its_reason_and_repeats_what_it_is_about(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await form(environment, ALICE, ts, "task.terminate")
    assert view["title"]["text"] == "Terminate this task?"
    assert view["close"]["text"] == "Cancel"
    text = json.dumps(view["blocks"])
    assert "Isolate host ecs-web-07" in text
    assert seed.TASK_ISOLATE in text
    assert "demo-workspace" in text
    assert inputs(view) == ["reason"]
    await environment.slack.close(ALICE, view["id"])
    assert puts(environment) == []
    view = await form(environment, ALICE, ts, "task.terminate")
    await environment.slack.submit(ALICE, view["id"], {"reason": "a decoy"})
    [reply] = await environment.replies(ts)
    assert "*Terminated by <@U0ALICE>" in reply
    assert "> a decoy" in reply


async def test_an_optional_reason_may_be_left_out_of_the_form(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await form(environment, ALICE, ts, "task.terminate")
    submitted = await environment.slack.submit(ALICE, view["id"], {})
    assert (submitted.status, submitted.error) == (200, "")
    [reply] = await environment.replies(ts)
    assert "*Terminated by <@U0ALICE>" in reply
    assert [one.body["action"] for one in puts(environment)] == ["TERMINATE"]


@pytest.mark.parametrize("rules", [REASON_REQUIRED], indirect=True, ids=["required"])
async def test_a_required_reason_is_asked_for_and_not_taken_empty(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.command(ALICE, SOC, f"/task approve {seed.TASK_ISOLATE}")
    await environment.ephemeral(ALICE, "This requires a reason", "&lt;reason&gt;", "was not sent")
    view = await form(environment, ALICE, ts, "task.approve")
    empty = await environment.slack.submit(ALICE, view["id"], {})
    assert empty.error == "missing_input"
    await environment.slack.submit(ALICE, view["id"], {"reason": "   \n "})
    assert environment.slack.views(ALICE)[-1]["errors"] == {"reason": "A reason is required."}
    assert puts(environment) == []
    await environment.slack.submit(ALICE, view["id"], {"reason": "seen by two"})
    assert environment.slack.views(ALICE) == []
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0ALICE>" in reply
    assert [one.body["action"] for one in puts(environment)] == ["ADD_COMMENT", "CONTINUE"]
    run = await environment.card("instance", seed.INSTANCE_FAILED)
    view = await form(environment, CAROL, run, "instance.retry")
    await environment.slack.submit(CAROL, view["id"], {"reason": "quota raised"})
    assert "> quota raised" in (await environment.replies(run))[0]
    await environment.slack.command(
        ALICE, SOC, f"/task comment {seed.TASK_BLOCK_IP} needs no reason"
    )
    await environment.slack.until(lambda: len(environment.slack.messages(SOC)) == 3)
    card = environment.new_card(SOC, {ts, run})
    assert "*Comment added by" in (await environment.replies(card))[0]


@pytest.mark.parametrize("rules", [REASON_NONE], indirect=True, ids=["none"])
async def test_a_rule_without_reasons_asks_for_none(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await form(environment, ALICE, ts, "task.terminate")
    assert inputs(view) == []
    await environment.slack.submit(ALICE, view["id"], {})
    [reply] = await environment.replies(ts)
    assert "*Terminated by <@U0ALICE>" in reply
    assert [one.body["action"] for one in puts(environment)] == ["TERMINATE"]


async def test_a_form_sent_twice_is_one_write(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await form(environment, ALICE, ts, "task.comment")
    sent = [environment.slack.submit(ALICE, view["id"], {"comment": "just once"}) for _ in range(2)]
    for each in await asyncio.gather(*sent):
        assert (each.status, each.error) == (200, "")
    await environment.replies(ts)
    view = await form(environment, ALICE, ts, "task.terminate")
    sent = [environment.slack.submit(ALICE, view["id"], {"reason": "a decoy"}) for _ in range(2)]
    await asyncio.gather(*sent)
    replies = await environment.replies(ts, 2)
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert len(replies) == 2
    assert [one.body["action"] for one in puts(environment)] == [
        "ADD_COMMENT",
        "ADD_COMMENT",
        "TERMINATE",
    ]
    assert "\na decoy\n" in puts(environment)[1].body["comment"]
    outcomes = [row["outcome"] for row in audit(environment, "task", seed.TASK_ISOLATE)]
    assert outcomes == ["allowed", "done"] * 2


async def test_the_debug_form_offers_the_nodes_by_name_with_their_parameters(
    environment: BotEnvironment,
) -> None:
    nodes = environment.secmaster.world.instances[seed.INSTANCE_FAILED]["topology"]["audit_logs"]
    nodes[0]["input"] = '[{"key":"host","value":"web-07"}]'
    ts = await environment.card("instance", seed.INSTANCE_FAILED)
    view = await form(environment, CAROL, ts, "instance.debug")
    assert inputs(view) == ["task_id", "input_dataobject"]
    menu, typed = view["blocks"][-2]["element"], view["blocks"][-1]["element"]
    assert menu["initial_option"]["value"] == NODE
    assert [option["text"]["text"] for option in menu["options"]] == [
        "🔴 Respond",
        "Get alert",
        "Query intelligence",
    ]
    assert json.loads(typed["initial_value"])[0]["key"] == "alert_id"
    assert typed["initial_value"].startswith("[\n  {")
    # Another node brings its own parameters.
    await environment.slack.press_in_view(CAROL, view["id"], "nodes", nodes[0]["action_id"])
    await environment.slack.until(
        lambda: "web-07" in json.dumps(environment.slack.views(CAROL)[-1]["blocks"])
    )
    submitted = await environment.slack.submit(CAROL, view["id"], {})
    assert (submitted.status, submitted.error) == (200, "")
    [reply] = await environment.replies(ts)
    assert "*Debug parameters sent by <@U0CAROL>" in reply
    [write] = environment.secmaster.writes("UpdateWorkflowInstance", seed.INSTANCE_FAILED)
    assert write.body["task_id"] == nodes[0]["action_id"]
    assert json.loads(write.body["input_dataobject"]) == [{"key": "host", "value": "web-07"}]


async def test_what_was_typed_stays_whichever_node_is_chosen(environment: BotEnvironment) -> None:
    nodes = environment.secmaster.world.instances[seed.INSTANCE_FAILED]["topology"]["audit_logs"]
    ts = await environment.card("instance", seed.INSTANCE_FAILED)
    view = await form(environment, CAROL, ts, "instance.debug")
    element = view["blocks"][-1]["element"]["action_id"]
    await environment.slack.press_in_view(CAROL, view["id"], element, "[1, 2]")
    await environment.slack.press_in_view(CAROL, view["id"], "nodes", nodes[1]["action_id"])
    await environment.slack.until(
        lambda: "[1, 2]" in json.dumps(environment.slack.views(CAROL)[-1]["blocks"])
    )
    await environment.slack.submit(CAROL, view["id"], {})
    await environment.replies(ts)
    [write] = environment.secmaster.writes("UpdateWorkflowInstance", seed.INSTANCE_FAILED)
    assert json.loads(write.body["input_dataobject"]) == [1, 2]


async def test_a_button_that_does_not_say_what_it_showed_gets_the_nodes_once_they_are_read(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("instance", seed.INSTANCE_FAILED)
    value = str(Ref(kind="instance", id=seed.INSTANCE_FAILED))
    await environment.secmaster.faults.set(Fault(on="ShowAopWorkflowInstance", hold=True))
    press = environment.slack.press
    await press(CAROL, SOC, ts, "instance.debug", value=value, forge_value=True)
    view = environment.slack.views(CAROL)[-1]
    assert view["blocks"][-2]["element"]["type"] == "plain_text_input"
    await environment.slack.press_in_view(CAROL, view["id"], "input_dataobject", "[1, 2]")
    await environment.secmaster.faults.clear()
    await environment.slack.until(
        lambda: "Respond" in json.dumps(environment.slack.views(CAROL)[-1]["blocks"])
    )
    await environment.slack.submit(CAROL, view["id"], {})
    await environment.replies(ts)
    [write] = environment.secmaster.writes("UpdateWorkflowInstance", seed.INSTANCE_FAILED)
    assert (write.body["task_id"], write.body["input_dataobject"]) == (NODE, "[1, 2]")


async def test_the_details_open_a_form_in_which_an_approval_has_a_reason(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    option = f"details|{Ref(kind='task', id=seed.TASK_ISOLATE)}"
    await environment.slack.press(ALICE, SOC, ts, "more", value=option)
    await environment.slack.until(
        lambda: "fill.task.approve" in json.dumps(environment.slack.views(ALICE)[-1])
    )
    details = environment.slack.views(ALICE)[-1]
    assert "fill.task.comment" in json.dumps(details)
    await environment.slack.press_in_view(ALICE, details["id"], "fill.task.approve")
    view = environment.slack.views(ALICE)[-1]
    assert view["title"]["text"] == "Approve this task?"
    assert inputs(view) == ["reason"]
    await environment.slack.submit(ALICE, view["id"], {"reason": "seen by two"})
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0ALICE>" in reply
    assert "> seen by two" in reply
    assert "seen by two" in puts(environment)[0].body["comment"]


@pytest.mark.parametrize("rules", [AUDITED], indirect=True, ids=["audit"])
async def test_the_details_tell_what_was_done_to_whoever_may_read_the_audit(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(CAROL, SOC, ts, "task.approve")
    await environment.ephemeral(CAROL, "Only *approver*")
    option = f"details|{Ref(kind='task', id=seed.TASK_ISOLATE)}"
    shown = {}
    for user in (ALICE, DAVE):
        await environment.slack.press(user, SOC, ts, "more", value=option)
        await environment.slack.until(
            lambda user=user: "workflow approval" in json.dumps(environment.slack.views(user)[-1])
        )
        shown[user] = json.dumps(environment.slack.views(user)[-1])
    assert "<@U0CAROL> was not allowed to approve *Isolate host ecs-web-07*." in shown[ALICE]
    assert "Done from Slack" not in shown[DAVE]
    # To open the Details is no attempt to read the audit.
    assert environment.app.services.store.audit.entries("policy") == []


async def test_a_cards_menu_takes_a_reason_for_what_its_button_does_at_once(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    run = await environment.card("instance", seed.INSTANCE_FAILED)
    views = {}
    for user, card, action in ((ALICE, ts, "task.approve"), (CAROL, run, "instance.retry")):
        [menu] = [
            element
            for block in environment.message(card)["blocks"]
            for element in block.get("elements", [])
            if element.get("action_id") == "more"
        ]
        option = menu["options"][0]["value"]
        assert option.startswith(f"fill.{action}|2:")  # with the fingerprint of what is shown
        await environment.slack.press(user, SOC, card, "more", value=option)
        views[user] = environment.slack.views(user)[-1]
        assert inputs(views[user]) == ["reason"]
    world = environment.secmaster.world
    world.tasks[seed.TASK_ISOLATE]["view_parameters"] = '[{"key": "host", "value": "db-01"}]'
    await environment.slack.submit(ALICE, views[ALICE]["id"], {"reason": "seen by two"})
    await environment.slack.submit(CAROL, views[CAROL]["id"], {"reason": "the peer is back"})
    await environment.ephemeral(ALICE, "Changed since you looked")
    assert environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE) == []
    [reply, *_] = await environment.replies(run)
    assert "*Retry started by <@U0CAROL>" in reply
    assert "> the peer is back" in reply


async def test_json_that_is_none_is_told_at_its_input_and_can_be_mended(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("instance", seed.INSTANCE_FAILED)
    view = await form(environment, CAROL, ts, "instance.debug")
    await environment.slack.until(
        lambda: NODE in json.dumps(environment.slack.views(CAROL)[-1]["blocks"])
    )
    errors = []
    for typed in ('[{"key": ', '{"key": 1}', '[\n  {"key": "ip"\n   "value": 1}\n]'):
        await environment.slack.submit(
            CAROL, view["id"], {"task_id": NODE, "input_dataobject": typed}
        )
        errors.append(environment.slack.views(CAROL)[-1]["errors"])
        assert environment.slack.views(CAROL)[-1]["id"] == view["id"]  # with what was typed
    texts = [error["input_dataobject"] for error in errors]
    assert texts == [
        "Not JSON at line 1, column 9: a value is missing.",
        "The JSON must be an array: [ … ].",
        "Not JSON at line 3, column 4: a comma or a closing bracket is missing.",
    ]
    assert puts(environment) == []
    smart = "```[{“key”: “ip”}]```"
    await environment.slack.submit(CAROL, view["id"], {"task_id": NODE, "input_dataobject": smart})
    assert environment.slack.views(CAROL) == []
    assert "*Debug parameters sent by" in (await environment.replies(ts))[0]
    assert json.loads(puts(environment)[0].body["input_dataobject"]) == [{"key": "ip"}]


async def test_a_comment_is_written_in_a_form_and_blank_ones_are_refused(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await form(environment, CAROL, ts, "task.comment")
    blank = await environment.slack.submit(CAROL, view["id"], {"comment": "  "})
    assert blank.error == ""
    assert environment.slack.views(CAROL)[-1]["errors"] == {"comment": "This can't be empty."}
    await environment.slack.submit(CAROL, view["id"], {"comment": "two\nlines & <tags> 🐝"})
    [reply] = await environment.replies(ts)
    assert "> two\n> lines &amp; &lt;tags&gt; 🐝" in reply
    [write] = puts(environment)
    assert write.body["comment"].startswith("two\nlines & <tags> 🐝")
    await environment.slack.until(lambda: "two lines &amp;" in json.dumps(environment.message(ts)))


@pytest.mark.parametrize("rules", [ONLY_ISOLATION], indirect=True, ids=["when"])
async def test_a_right_that_went_while_the_form_was_open_refuses_it(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await form(environment, ALICE, ts, "task.terminate")
    environment.secmaster.world.tasks[seed.TASK_ISOLATE]["name"] = "Something else by now"
    submitted = await environment.slack.submit(ALICE, view["id"], {"reason": "a decoy"})
    assert (submitted.status, submitted.error) == (200, "")
    await environment.ephemeral(ALICE, "Changed since you looked", "was not sent")
    await environment.slack.command(ALICE, SOC, f"/task terminate {seed.TASK_ISOLATE} a decoy")
    await environment.ephemeral(ALICE, "No rule allows `task.terminate`", "was not sent")
    assert puts(environment) == []
    rows = audit(environment, "task", seed.TASK_ISOLATE)
    assert [(row["outcome"], row["actor"]["id"]) for row in rows] == [
        ("failed", ALICE),
        ("refused", ALICE),
    ]


async def test_a_form_about_what_was_decided_meanwhile_sends_nothing(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await form(environment, ALICE, ts, "task.terminate")
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "CONTINUE"}, LIN)
    await environment.slack.submit(ALICE, view["id"], {"reason": "a decoy"})
    await environment.ephemeral(ALICE, "no longer open", "✅ Finished", "was not sent")
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert puts(environment) == []
    assert environment.slack.thread(SOC, ts)[1:] == []


async def form(environment: BotEnvironment, user: str, ts: str, action: str) -> dict[str, Any]:
    """Press a button that opens a form, and return the form."""
    delivered = await environment.slack.press(user, SOC, ts, action)
    assert (delivered.status, delivered.error) == (200, "")
    return environment.slack.views(user)[-1]


def inputs(view: dict[str, Any]) -> list[str]:
    return [block["block_id"] for block in view["blocks"] if block["type"] == "input"]


def puts(environment: BotEnvironment) -> list[Any]:
    return [one for one in environment.secmaster.requests if one.method == "PUT"]


def audit(environment: BotEnvironment, noun: str, object_id: str) -> list[dict[str, Any]]:
    return environment.app.services.store.audit.entries(Ref(kind=noun, id=object_id))


@pytest.mark.parametrize("rules", [ONLY_ISOLATION], indirect=True, ids=["when"])
async def test_a_form_that_cannot_be_checked_now_stays_open_with_what_was_typed(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    view = await form(environment, ALICE, ts, "task.terminate")
    # What the card showed is no longer kept, and the rule asks for the task.
    with environment.app.engine.begin() as connection:
        connection.execute(sa.delete(snapshots))
    await environment.secmaster.faults.set(Fault(on="*", status=503))
    await environment.slack.submit(ALICE, view["id"], {"reason": "a decoy"})
    [still_open] = environment.slack.views(ALICE)
    error = still_open["errors"]["reason"]
    assert error.startswith("⏳ SecMaster is not responding properly.")
    assert "The termination was not sent." in error
    assert "`" not in error
    await environment.secmaster.faults.clear()
    await environment.slack.submit(ALICE, view["id"], {"reason": "a decoy"})
    assert environment.slack.views(ALICE) == []
    [reply] = await environment.replies(ts)
    assert "*Terminated by <@U0ALICE>" in reply
    assert len(puts(environment)) == 2  # the comment that names her, and the decision
