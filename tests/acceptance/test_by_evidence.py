"""Rules and routes that ask about the alert behind a task: read anew, refused, routed later."""

import json
from collections import Counter

import pytest

from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.findings import ALERT, resource_ref
from bot.watch.completion import complete_unfinished
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment, buttons
from tests.support.people import ALICE, BOB, CAROL, ONCALL, SOC
from tests.support.timeouts import COMPLETING_TIMEOUTS
from tests.support.watch import card_of, first_poll_finished

RULES = """
[[rules]]
name = "test assets"
actions = ["task.approve"]
roles = ["approver"]
when = { severity = ["High", "Fatal"], asset_level = ["test"] }

[[rules]]
name = "key assets"
actions = ["task.approve"]
roles = ["approver"]
when.asset_level = ["key"]
approvals = 2

[[rules]]
name = "grave playbooks"
actions = ["playbook.retry"]
roles = ["oncall"]
when.severity = ["High", "Fatal"]

"""
ASKING = POLICY.replace("[[rules]]", f"{RULES}[[rules]]", 1)
ROUTES = """
[watch]
every = 0.02

[[routes]]
name = "fatal"
channel = "C0ONCALL"
tasks = true
when = { severity = ["Fatal"] }
mention = ["U0CAROL"]

[[routes]]
name = "soc"
channel = "C0SOC"
tasks = true
group = "none"
"""


@pytest.fixture(params=[COMPLETING_TIMEOUTS], ids=["completing"])
def timeouts(request: pytest.FixtureRequest) -> object:
    return request.param


@postgres_in_full
@pytest.mark.parametrize("rules", [ASKING], ids=["asking"])
async def test_what_a_rule_asks_for_is_read_anew_for_each_asset_and_refuses_where_it_can_not_be(
    environment: BotEnvironment,
) -> None:
    task = arrive(environment, "Isolate two hosts", "Fatal", seed.RESOURCE_TEST, seed.RESOURCE_KEY)
    ts = await environment.card("task", task)
    await environment.slack.until(lambda: "*Alert*" in shown(environment, ts))

    # No answer: nothing is counted, and the same may be pressed again.
    await environment.secmaster.faults.set(Fault(on="ShowResource", status=503))
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    text = await environment.ephemeral(
        BOB, "An affected resource can't be read. SecMaster answered HTTP 503."
    )
    assert "Rule 1 “test assets” checks the alert or incident behind this. Try again." in text
    refused = environment.slack.ephemerals(BOB)[-1]
    assert buttons(refused) == ["try-again"]
    # Nor may it be read: that is no use to press again.
    await environment.secmaster.faults.clear()
    await environment.secmaster.faults.set(Fault(on="ShowResource", status=403))
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    text = await environment.ephemeral(
        BOB, "An affected resource can't be read. SecMaster answered HTTP 403"
    )
    assert "Decide in the console." in text
    assert buttons(environment.slack.ephemerals(BOB)[-1]) == []
    await environment.secmaster.faults.clear()

    # A task about a test host and a key host is no task about a test host.
    before = reads(environment)
    await environment.slack.press(BOB, SOC, refused["ts"], "try-again")
    [text] = await environment.replies(ts)
    assert "Approvals to approve: 1 of 2." in text
    counted = reads(environment) - before
    assert counted["ShowAlert"] == 1
    assert counted["ShowResource"] == 2
    assert environment.secmaster.writes("UpdateTask", task) == []

    # What has become another since is asked about again: a count is not.
    environment.secmaster.world.findings.change(f"alert-{task}", count=99)
    environment.secmaster.world.findings.resources[seed.RESOURCE_KEY]["level"] = 0
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    text = await environment.ephemeral(ALICE, "Changed since you looked")
    message = json.dumps(environment.slack.ephemerals(ALICE)[-1], ensure_ascii=False)
    assert "*Levels of assets*" in message, text
    assert environment.secmaster.writes("UpdateTask", task) == []

    # Why says what holds now.
    answer = await environment.answer(ALICE, f"/secmaster why {task}")
    assert "Allowed by rule 1 “test assets”" in answer


@pytest.mark.parametrize("rules", [ASKING], ids=["asking"])
async def test_a_playbook_run_is_retried_by_what_its_alert_is_now(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("playbook", seed.PLAYBOOK_INSTANCE_FAILED, user=CAROL)
    await environment.slack.until(lambda: "*Alert*" in shown(environment, ts))
    await environment.secmaster.faults.set(Fault(on="ShowAlert", status=503))
    await environment.slack.press(CAROL, SOC, ts, "playbook.retry")
    text = await environment.ephemeral(CAROL, "The alert can't be read.")
    assert "“grave playbooks” checks the alert or incident behind this. Try again." in text
    await environment.secmaster.faults.clear()
    environment.secmaster.world.findings.change(seed.ALERT_WEB_SHELL, severity="Low")
    await environment.slack.press(CAROL, SOC, ts, "playbook.retry")
    await environment.ephemeral(CAROL, "Changed since you looked")
    changed = json.dumps(environment.slack.ephemerals(CAROL)[-1], ensure_ascii=False)
    assert "*Severity*: " in changed
    assert environment.secmaster.writes("ChangePlaybookInstance") == []


@postgres_in_full
@pytest.mark.parametrize("rules", [POLICY + ROUTES], ids=["routed"])
async def test_a_new_task_goes_where_its_alert_leads_and_once_that_is_fatal_there_as_well(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    fatal = arrive(environment, "Isolate one", "Fatal")
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Isolate one"))
    arrive(environment, "Isolate other", "Low")
    await environment.slack.until(lambda: card_of(environment, SOC, "Isolate other"))
    assert not card_of(environment, SOC, "Isolate one")
    assert not card_of(environment, ONCALL, "Isolate other")
    assert "matches" in await environment.answer(CAROL, f"/secmaster routes test {fatal}")

    # What can't be read is hidden from nobody; once it is read it goes where it belongs as well.
    await environment.secmaster.faults.set(Fault(on="ShowAlert", status=503))
    unread = arrive(environment, "Isolate third", "Fatal")
    await environment.slack.until(lambda: card_of(environment, SOC, "Isolate third"))
    assert not card_of(environment, ONCALL, "Isolate third")
    answer = await environment.answer(ALICE, f"/secmaster routes test {unread}")
    assert "What it asks about the alert or incident can't be read." in answer
    await environment.secmaster.faults.clear()
    environment.clock.forward(minutes=6)
    await complete_unfinished(environment.app.services)
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Isolate third"))
    assert len(cards(environment, SOC, "Isolate third")) == 1
    assert len(cards(environment, ONCALL, "Isolate third")) == 1


def arrive(environment: BotEnvironment, name: str, severity: str, *resources: str) -> str:
    """Let a task arrive whose run is about an alert with these assets; returns its id."""
    world = environment.secmaster.world
    id_ = f"3e4c170e-7cc9-11f0-9216-{len(world.tasks):012d}"
    refs = [resource_ref(each, world.findings.resources[each]["name"]) for each in resources]
    alert = world.add_finding(
        ALERT, id=f"alert-{id_}", title="Web shell", severity=severity, resource_list=refs
    )
    world.add_task(alert, id=id_, name=name, business_type="WORKFLOWNODEAPPROVE")
    return id_


def cards(environment: BotEnvironment, channel: str, name: str) -> list[str]:
    return [
        message["ts"]
        for message in environment.slack.messages(channel)
        if message["text"].partition(": ")[0].endswith(name)
    ]


def shown(environment: BotEnvironment, ts: str) -> str:
    return json.dumps(environment.message(ts)["blocks"])


def reads(environment: BotEnvironment) -> Counter[str]:
    return Counter(request.endpoint for request in environment.secmaster.requests)
