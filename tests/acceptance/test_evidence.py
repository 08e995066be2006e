"""A card is posted at once, and completed with the alert behind its task as soon as it was read."""

import json
from collections import Counter
from datetime import timedelta

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.secmaster.findings import ALERT
from bot.sandbox.secmaster.wire import stamp
from bot.watch.completion import complete_unfinished
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment, policy
from tests.support.people import ALICE, BOB, CAROL, ONCALL, SOC
from tests.support.timeouts import COMPLETING_TIMEOUTS
from tests.support.watch import EVERA, first_poll_finished

ISOLATE = Ref(kind="task", id=seed.TASK_ISOLATE)
AROUND = {"ShowAopWorkflowInstance", "ShowAlert", "ShowResource", "ShowAopWorkflow"}
WATCHED = pytest.mark.parametrize("rules", [POLICY + "[watch]\nevery = 0.02\n"], ids=["watched"])


@pytest.fixture(params=[COMPLETING_TIMEOUTS], ids=["completing"])
def timeouts(request: pytest.FixtureRequest) -> object:
    return request.param


@postgres_in_full
async def test_a_card_is_posted_at_once_and_edited_with_the_alert_and_nothing_is_read_again(
    environment: BotEnvironment,
) -> None:
    await environment.secmaster.faults.set(Fault(on="ShowAlert", hold=True))
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.until_held("ShowAlert")
    assert environment.buttons(ts)  # and the alert has not been read yet
    assert "*Alert*" not in shown(environment, ts)
    await environment.secmaster.faults.clear()
    await environment.slack.until(lambda: "*Alert*" in shown(environment, ts))
    assert "Fatal" in shown(environment, ts) or "High" in shown(environment, ts)
    # Another card of the same object needs no other read, and has it from the beginning.
    other = await environment.card("task", seed.TASK_ISOLATE, channel=ONCALL, user=CAROL)
    assert "*Alert*" in shown(environment, other, channel=ONCALL)
    counts = reads(environment)
    assert {name: counts[name] for name in AROUND} == dict.fromkeys(AROUND, 1)

    # An approval makes no other calls than before: no rule asks about the alert, which has changed.
    environment.secmaster.world.findings.change(seed.ALERT_WEB_SHELL, severity="Low")
    before, calls = len(environment.secmaster.requests), len(environment.slack.calls)
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    assert "*Approved by" in (await environment.replies(ts))[0]
    await environment.slack.until(lambda: not environment.buttons(ts))
    made = [request.endpoint for request in environment.secmaster.requests[before:]]
    assert made == ["ShowTask", "UpdateTask"]  # this policy leaves no comment
    posted = [call.method for call in environment.slack.calls[calls:]]
    assert posted.count("chat.postMessage") == 1
    assert "*Alert*" in shown(environment, ts)  # no drawing loses what is known


async def test_an_alert_that_may_not_be_read_is_said_on_the_card_and_asked_for_once(
    environment: BotEnvironment,
) -> None:
    await environment.secmaster.faults.set(Fault(on="ShowAlert", status=403))
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.until(
        lambda: "The alert can't be read. SecMaster answered HTTP 403" in shown(environment, ts)
    )
    assert environment.buttons(ts)
    before = reads(environment)["ShowAlert"]
    other = await environment.card("task", seed.TASK_BLOCK_IP)
    await environment.slack.until(lambda: "HTTP 403" in shown(environment, other))
    assert reads(environment)["ShowAlert"] == before  # alerts can't be read here

    # Later it is tried again by itself, and the cards are drawn.
    await environment.secmaster.faults.clear()
    environment.clock.forward(minutes=6)
    await complete_unfinished(environment.app.services)
    for card in (ts, other):
        await environment.slack.until(lambda card=card: "*Alert*" in shown(environment, card))


@WATCHED
async def test_the_alert_is_in_lists_forms_and_details_and_found_by_its_host(
    environment: BotEnvironment,
) -> None:
    slack, findings = environment.slack, environment.secmaster.world.findings
    findings.change(seed.ALERT_WEB_SHELL, severity="Fatal")
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await slack.until(
        lambda: "🔥 *Fatal* · *Alert* Web shell" in str(environment.message(ts)["blocks"])
    )
    assert environment.message(ts)["text"].startswith("🔥 Fatal · Isolate host")
    await environment.polls()
    for search in ("severity:fatal", "203.0.113.7 web shell"):
        await environment.answer(BOB, f"/task list {search}")
        rows = str(slack.ephemerals(BOB)[-1]["blocks"])
        assert "🔥 Fatal · `ecs-web-07` · Due" in rows
        assert seed.TASK_BLOCK_IP not in rows
    await open_details(environment, ts)
    await slack.until(lambda: "SHA-256" in str(slack.views(ALICE)))
    await slack.command(BOB, SOC, "/task several")
    await slack.until(lambda: "🔥 Fatal · ecs-web-07 · " in str(slack.views(BOB)))
    await slack.open_home(BOB)
    await slack.until(lambda: "🔥 Fatal · `ecs-web-07`" in str(slack.home(BOB)))


@WATCHED
async def test_polls_read_nothing_around_what_has_not_changed(environment: BotEnvironment) -> None:
    await backlog_read(environment)
    ts = await environment.card("task", seed.TASK_BLOCK_IP)
    await environment.slack.until(lambda: "*Alert*" in shown(environment, ts))
    await environment.polls()  # the card is completed by then
    before, drawn = reads(environment), updates(environment)
    environment.clock.forward(minutes=2)  # the scan was seen twice more
    await environment.polls()
    after = reads(environment)
    assert {name: after[name] for name in AROUND} == {name: before[name] for name in AROUND}
    assert updates(environment) == drawn

    # What has changed itself may have changed around as well.
    comment = {"action": "ADD_COMMENT", "comment": "seen again"}
    environment.secmaster.world.findings.change(seed.ALERT_SCAN, severity="Fatal")
    environment.secmaster.world.update_task(seed.TASK_BLOCK_IP, comment, EVERA)
    await environment.slack.until(lambda: "Fatal" in shown(environment, ts))
    assert reads(environment)["ShowAlert"] == before["ShowAlert"] + 1


@pytest.fixture
async def fatal_tasks(secmaster: SecMasterSandbox) -> list[str]:
    """Have tasks wait before the bot starts whose alerts are fatal, and can't be read yet."""
    ids = [f"5e4c170e-7cc9-11f0-9216-{number:012d}" for number in range(5)]
    created = stamp(secmaster.world.clock() - timedelta(days=2))
    fields = {"business_type": "WORKFLOWNODEAPPROVE", "create_time": created}
    for id_ in ids:
        alert = secmaster.world.add_finding(ALERT, id=f"alert-{id_}", severity="Fatal")
        secmaster.world.add_task(alert, id=id_, name="Backlog", **fields)
    await secmaster.faults.set(Fault(on="ShowAlert", hold=True))
    return ids


@postgres_in_full
@WATCHED
async def test_what_was_open_before_the_first_poll_is_listed_by_its_severity_after_some_polls(
    fatal_tasks: list[str], environment: BotEnvironment
) -> None:
    await first_poll_finished(environment)
    rows = await list_rows(environment, "severity:high Backlog")
    assert "5 more tasks are not listed: how severe they are has not been read." in rows
    await environment.secmaster.faults.clear()
    await backlog_read(environment)
    rows = await list_rows(environment, "severity:high Backlog")
    assert all(id_ in rows for id_ in fatal_tasks)
    assert "has not been read" not in rows
    # Others are about nothing that has a severity, and of those all is known.
    assert "has not been read" not in await list_rows(environment, "severity:high")
    # And then the polls ask for nothing but the lists.
    before = reads(environment)
    await environment.polls()
    assert all(name.startswith("List") for name in reads(environment) - before)


async def list_rows(environment: BotEnvironment, search: str) -> str:
    await environment.answer(BOB, f"/task list {search}")
    return str(environment.slack.ephemerals(BOB)[-1]["blocks"])


async def backlog_read(environment: BotEnvironment) -> None:
    """Wait until all is read around what was open before the first poll."""
    await first_poll_finished(environment)
    find, now = environment.app.services.store.tracked.without_evidence, environment.clock.now()
    await environment.secmaster.until(lambda: not find("main", now, now, 1))


async def test_a_crash_before_the_card_was_completed_is_made_up_for(
    environment: BotEnvironment,
) -> None:
    services = environment.app.services
    snapshot = await services.workspaces.read(ISOLATE)
    await services.cards.post_new(ISOLATE, snapshot, SOC)
    services.cards.incomplete.get_nowait()  # as if the process had died here
    assert services.store.evidence.get(ISOLATE) is None
    ts = environment.new_card(SOC, set())
    await complete_unfinished(services)
    assert services.cards.incomplete.empty()  # it may be under way still
    environment.clock.forward(minutes=6)
    await complete_unfinished(services)
    await environment.slack.until(lambda: "*Alert*" in shown(environment, ts))


async def test_the_details_read_what_is_older_than_a_minute_and_the_cards_follow(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.until(lambda: "*Alert*" in shown(environment, ts))
    environment.secmaster.world.findings.change(seed.ALERT_WEB_SHELL, severity="Low")
    await open_details(environment, ts)
    await environment.slack.until(lambda: "Isolate host" in views(environment))
    assert reads(environment)["ShowAlert"] == 1  # a minute has not passed
    environment.clock.forward(minutes=2)
    await open_details(environment, ts)
    await environment.slack.until(lambda: "Low" in shown(environment, ts))
    assert reads(environment)["ShowAlert"] == 2


def shown(environment: BotEnvironment, ts: str, *, channel: str = SOC) -> str:
    return json.dumps(environment.message(ts, channel=channel)["blocks"])


async def open_details(environment: BotEnvironment, ts: str) -> None:
    elements = [
        element
        for block in environment.message(ts)["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"] == "more"
    ]
    details = [each["value"] for each in elements[0]["options"] if "details" in each["value"]]
    await environment.slack.press(ALICE, SOC, ts, "more", value=details[0])


def views(environment: BotEnvironment) -> str:
    return json.dumps(environment.slack.views(ALICE))


def updates(environment: BotEnvironment) -> int:
    return len([call for call in environment.slack.calls if call.method == "chat.update"])


def reads(environment: BotEnvironment) -> Counter[str]:
    return Counter(request.endpoint for request in environment.secmaster.requests)


ASKING = POLICY.replace(
    "[[rules]]",
    """[[rules]]
actions = ["task.approve"]
roles = ["approver"]
when = { severity = ["Fatal", "High", "Low"] }

[[rules]]""",
    1,
)


@postgres_in_full
@pytest.mark.parametrize("rules", [ASKING], ids=["asking"])
async def test_where_a_rule_asks_the_alert_is_read_anew_with_the_task_and_compared(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.until(lambda: "*Alert*" in shown(environment, ts))
    environment.secmaster.world.findings.change(seed.ALERT_WEB_SHELL, count=99)
    environment.secmaster.world.findings.change(seed.ALERT_WEB_SHELL, severity="Low")
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    text = await environment.ephemeral(BOB, "Changed since you looked")
    message = json.dumps(environment.slack.ephemerals(BOB)[-1], ensure_ascii=False)
    assert "*Severity*" in message, text
    assert "→ Low" in message
    assert reads(environment)["ShowAlert"] == 2
    assert environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE) == []
    # The card follows, and whoever decides on what it shows now is not refused for the count.
    await environment.slack.until(lambda: "Low" in shown(environment, ts))
    environment.secmaster.world.findings.change(seed.ALERT_WEB_SHELL, count=100)
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    assert "*Approved by" in (await environment.replies(ts))[0]
    assert reads(environment)["ShowAlert"] == 3


async def test_a_rule_that_asks_since_a_card_was_posted_stops_only_who_saw_nothing_of_the_alert(
    environment: BotEnvironment,
) -> None:
    complete = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.until(lambda: "*Alert*" in shown(environment, complete))
    await environment.secmaster.faults.set(Fault(on="ShowAlert", status=503))
    silent = await environment.card("task", seed.TASK_BLOCK_IP)
    await environment.slack.until(lambda: "The alert can't be read." in shown(environment, silent))
    await environment.secmaster.faults.clear()
    environment.app.policy.current = policy(ASKING)
    # What the first card shows is what is read now.
    await environment.slack.press(BOB, SOC, complete, "task.approve")
    assert "*Approved by" in (await environment.replies(complete))[0]
    # Nobody could decide on what the second one did not show.
    await environment.slack.press(BOB, SOC, silent, "task.approve")
    await environment.ephemeral(BOB, "Changed since you looked")
    message = json.dumps(environment.slack.ephemerals(BOB)[-1], ensure_ascii=False)
    assert "*Severity*: nothing → " in message
    assert environment.secmaster.writes("UpdateTask", seed.TASK_BLOCK_IP) == []
