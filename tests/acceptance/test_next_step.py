"""Whoever decides reads what it leads to: the next node, the asset, and what a version changes."""

import base64
import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, CAROL, SOC
from tests.support.timeouts import COMPLETING_TIMEOUTS

ROLES = POLICY.partition("[[rules]]")[0]
ONLY_TASKS = f"""{ROLES}
[[rules]]
actions = ["task.approve", "task.terminate"]
roles = ["approver", "oncall"]

[[rules]]
actions = ["task.read"]
roles = ["approver"]

[[rules]]
actions = ["instance.read"]
roles = ["oncall"]
"""


@pytest.fixture(params=[COMPLETING_TIMEOUTS], ids=["completing"])
def timeouts(request: pytest.FixtureRequest) -> object:
    return request.param


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    """The environment's policy, or that of a story that has its own."""
    return str(getattr(request, "param", POLICY))


async def test_the_card_the_question_and_the_form_say_what_a_decision_leads_to(
    environment: BotEnvironment,
) -> None:
    await environment.secmaster.faults.set(Fault(on="ShowAlert", hold=True))
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.until_held("ShowAlert")
    # A form that is opened now says it once it is known.
    await environment.slack.press(ALICE, SOC, ts, "task.terminate")
    view = environment.slack.views(ALICE)[-1]
    assert "The task is terminated." in texts(view)
    assert "ecs-web-07 and" not in texts(view)
    await environment.slack.press_in_view(ALICE, view["id"], "reason", "a decoy")
    await environment.secmaster.faults.clear()
    about = "The alert names ecs-web-07 and 203[.]0[.]113[.]7."
    await environment.slack.until(lambda: about in texts(environment.slack.views(ALICE)[-1]))
    assert "Workflow type: containment" in texts(environment.slack.views(ALICE)[-1])
    assert "a decoy" in json.dumps(environment.slack.views(ALICE)[-1]["state"])
    await environment.slack.close(ALICE, view["id"])

    await environment.slack.until(lambda: "If approved" in card(environment, ts))
    text = card(environment, ts)
    for sentence in (
        "➡️ If approved, the workflow continues with *Isolate host*.",
        "Workflow type: containment (isolates or blocks).",
        "The run belongs to the playbook *Alert response*.",
        "“Contain ecs-web-07” (",
    ):
        assert sentence in text
    question = confirmation(environment, ts, "task.approve")
    assert question.splitlines()[:3] == [
        "The workflow continues with “Isolate host”.",
        about,
        "Workflow type: containment (isolates or blocks).",
    ]
    assert question.endswith("“Isolate host ecs-web-07”")
    assert len(question) <= 300

    # A form reads what is older than a minute, and so do the cards.
    environment.clock.forward(minutes=2)
    hosts = [{"id": seed.RESOURCE_KEY, "name": "ecs-web-08"}]
    environment.secmaster.world.findings.change(seed.ALERT_WEB_SHELL, resource_list=hosts)
    await environment.slack.press(ALICE, SOC, ts, "task.terminate")
    await environment.slack.until(lambda: "ecs-web-08" in texts(environment.slack.views(ALICE)[-1]))
    await environment.slack.until(
        lambda: "ecs-web-08" in confirmation(environment, ts, "task.approve")
    )


async def test_a_publication_says_which_version_replaces_which_and_what_differs(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_PUBLISH_WORKFLOW_SOON)
    await environment.slack.until(lambda: "Submitted" in card(environment, ts))
    for sentence in (
        "🆕 Submitted version: *v2* (`PENDING_APPROVE`), by Ana Sousa.",
        "Active version: *v1* (`APPROVED`).",
        "➖ Nodes removed: *Approval*.",
    ):
        assert sentence in card(environment, ts)
    question = confirmation(environment, ts, "task.approve")
    assert question.startswith("Version v2 is published.\nNodes removed: Approval.\n")

    other = await environment.card("task", seed.TASK_PUBLISH_PLAYBOOK)
    await environment.slack.until(lambda: "Submitted" in card(environment, other))
    assert "➕ Actions added: *Block malicious address*." in card(environment, other)
    question = confirmation(environment, other, "task.approve")
    assert question.startswith("Version v3 is published.\n")


async def test_a_version_that_looks_alike_and_does_something_else_is_not_called_the_same(
    environment: BotEnvironment,
) -> None:
    definitions = environment.secmaster.world.definitions
    playbook = definitions.playbooks[seed.PLAYBOOK_RESPONSE]
    active = definitions.playbook_versions[playbook["version_id"]]
    submitted = definitions.playbook_versions[playbook["unaudited_version_id"]]
    anyone = {"id": "rule-v3", "rule": '{"severity": "any"}'}
    pointed = [action | {"action_id": seed.WORKFLOW_BLOCKING} for action in active["actions"]]
    submitted |= {"actions": pointed, "rules": anyone}
    ts = await environment.card("task", seed.TASK_PUBLISH_PLAYBOOK)
    await environment.slack.until(lambda: "Submitted" in card(environment, ts))
    assert "✏️ Actions changed: *Alert enrichment*." in card(environment, ts)
    assert "✏️ The rules that start the playbook differ." in card(environment, ts)

    workflow = definitions.workflows[seed.WORKFLOW_BLOCKING]
    id_ = environment.secmaster.world.task(seed.TASK_PUBLISH_WORKFLOW_SOON)["action_version_id"]
    nodes = [{"id": name, "name": name} for name in ("Approval", "Block")]
    edge = {"source": "Approval", "target": "Block"}
    for version_id, condition in ((workflow["version_id"], "${approved}"), (id_, "${any}")):
        flow = {"nodes": nodes, "edges": [edge | {"condition": condition}]}
        encoded = base64.b64encode(json.dumps(flow).encode()).decode()
        definitions.workflow_versions[version_id]["taskflow"] = encoded
    ts = await environment.card("task", seed.TASK_PUBLISH_WORKFLOW_SOON)
    await environment.slack.until(lambda: "Submitted" in card(environment, ts))
    assert "the connections between them or their conditions differ" in card(environment, ts)


@pytest.mark.parametrize("rules", [ONLY_TASKS], indirect=True, ids=["only tasks"])
async def test_a_run_is_not_named_by_what_was_read_around_a_task_where_not_all_may_read_it(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.until(lambda: "If approved" in card(environment, ts))
    assert "Contain ecs-web-07" not in card(environment, ts)
    assert f"`{seed.INSTANCE_ISOLATE}`" in card(environment, ts)
    # A form says what a decision is about to those alone who may read the task.
    for user, is_said in ((ALICE, True), (CAROL, False)):
        await environment.slack.press(user, SOC, ts, "task.terminate")
        view = environment.slack.views(user)[-1]
        assert "The task is terminated." in texts(view)
        assert ("The alert names" in texts(view)) is is_said


def card(environment: BotEnvironment, ts: str) -> str:
    return json.dumps(environment.message(ts)["blocks"], ensure_ascii=False)


def texts(view: dict[str, Any]) -> str:
    return json.dumps(view["blocks"], ensure_ascii=False)


def confirmation(environment: BotEnvironment, ts: str, action: str) -> str:
    """Return what the button of an action asks before it does anything."""
    [question] = [
        element["confirm"]["text"]["text"]
        for block in environment.message(ts)["blocks"]
        for element in block.get("elements", [])
        if element.get("action_id") == action and "confirm" in element
    ]
    return str(question)
