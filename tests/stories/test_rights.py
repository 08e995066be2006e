"""Who may do what: no rule means no, a doubt means no, and a refusal says whose it is."""

from typing import Any

import pytest

from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.town import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    GUEST,
    OUTSIDER,
    POLICY,
    SOC,
    SOLO,
    Town,
    in_time,
    on_card,
)

ROLES = POLICY.partition("[[rules]]")[0]
NO_RULES = ROLES
NOTHING = ""
BY_OBJECT = f"""{ROLES}
[roles.lead]
users = ["U0BOB"]

[[rules]]
actions = ["task.approve"]
roles = ["lead"]
when = {{ name = "Isolate.*", related_object = "Host" }}

[[rules]]
actions = ["task.approve"]
roles = ["approver"]
when = {{ business_type = ["WORKFLOWNODEAPPROVE"] }}

[[rules]]
actions = ["task.approve"]
roles = ["oncall"]
reason = "required"
"""
EVERY_WRITE = [
    f"/task approve {seed.TASK_ISOLATE}",
    f"/task terminate {seed.TASK_ISOLATE} why",
    f"/task comment {seed.TASK_ISOLATE} hello",
    f"/task uncomment {seed.TASK_DISABLE_USER} {seed.COMMENT_FIRST}",
    f"/task attach {seed.TASK_ISOLATE} {seed.ATTACHMENT_REPORT}",
    f"/task detach {seed.TASK_DISABLE_USER} {seed.ATTACHMENT_REPORT}",
    f"/instance retry {seed.INSTANCE_FAILED}",
    f"/instance terminate {seed.INSTANCE_FAILED}",
    f"/instance debug {seed.INSTANCE_FAILED} node [1]",
]


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    """The town's policy, or that of a story that has its own."""
    return str(getattr(request, "param", POLICY))


@pytest.mark.parametrize("rules", [NO_RULES, NOTHING], indirect=True, ids=["no rules", "nothing"])
async def test_without_a_rule_nobody_may_do_anything(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    for text in EVERY_WRITE:
        before = len(town.slack.ephemerals(ALICE))
        delivered = await town.slack.command(ALICE, SOC, text)
        assert (delivered.status, delivered.error) == (200, "")
        [told] = town.slack.ephemerals(ALICE)[before:]
        assert "No rule allows" in told["text"]
        assert "was not sent" in told["text"]
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.slack.press(ALICE, SOC, ts, "task.comment")
    await town.slack.until(lambda: len(town.slack.ephemerals(ALICE)) == len(EVERY_WRITE) + 2)
    assert town.slack.views(ALICE) == []
    nothing_was_sent(town)
    assert town.buttons(ts)
    assert [message["ts"] for message in town.slack.messages(SOC)] == [ts]


@pytest.mark.parametrize(
    ("user", "why"),
    [
        (GUEST, "Guests may look, and change nothing."),
        (SOLO, "Guests may look, and change nothing."),
        (OUTSIDER, "People of other organisations may look, and change nothing."),
    ],
)
@pytest.mark.parametrize(
    "rules",
    [POLICY.replace('usergroups = ["S0SOC"]', f'users = ["{GUEST}", "{SOLO}", "{OUTSIDER}"]')],
    indirect=True,
    ids=["roles"],
)
async def test_guests_and_outsiders_look_and_change_nothing_whatever_their_role(
    town: Town, user: str, why: str
):
    ts = await town.card("task", seed.TASK_ISOLATE, user=user)
    for text in EVERY_WRITE:
        before = len(town.slack.ephemerals(user))
        await town.slack.command(user, SOC, text)
        [told] = town.slack.ephemerals(user)[before:]
        assert why in told["text"]
    for button in ("task.approve", "task.terminate", "task.comment"):
        before = len(town.slack.ephemerals(user))
        await town.slack.press(user, SOC, ts, button)
        await town.slack.until(lambda before=before: len(town.slack.ephemerals(user)) == before + 1)
        assert why in town.slack.ephemerals(user)[-1]["text"]
    await town.slack.say(user, SOC, "@secmaster approve", ts)
    told = len(EVERY_WRITE) + 4
    await town.slack.until(lambda: len(town.slack.ephemerals(user)) == told)
    assert town.slack.views(user) == []
    nothing_was_sent(town)
    await town.slack.command(user, SOC, "/task list")
    await town.whispered(user, "1-8 of 12 waiting tasks")
    await town.slack.press(user, SOC, town.slack.ephemerals(user)[-1]["ts"], "page.next")
    await town.whispered(user, "9-12 of 12 waiting tasks")


async def test_a_refusal_names_the_rule_and_who_may_and_is_in_the_audit(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.press(DAVE, SOC, ts, "task.approve")
    told = await town.whispered(DAVE, "rule 1 leaves it to *approver*")
    assert "<!subteam^S0SOC>" in told
    assert "The approval was not sent." in told
    await town.slack.command(CAROL, SOC, f"/task terminate {seed.TASK_ISOLATE} no")
    await town.whispered(CAROL, "rule 1 leaves it to *approver*", "termination was not sent")
    await town.slack.press(DAVE, SOC, ts, "task.comment")
    await town.whispered(DAVE, "rule 2 leaves it to *approver*", "or *oncall*")
    assert town.slack.views(DAVE) == []
    await town.slack.command(ALICE, SOC, f"/instance retry {seed.INSTANCE_FAILED}")
    await town.whispered(ALICE, "rule 3 leaves it to *oncall*", "<!subteam^S0ONCALL>")
    nothing_was_sent(town)
    assert town.buttons(ts) == [*on_card("task", "waiting"), "more"]
    assert town.slack.thread(SOC, ts)[1:] == []
    rows = audit(town, "task", seed.TASK_ISOLATE)
    assert [(row["outcome"], row["action"], row["actor"]["id"], row["rule"]) for row in rows] == [
        ("refused", "task.approve", DAVE, "rule 1"),
        ("refused", "task.terminate", CAROL, "rule 1"),
        ("refused", "task.comment", DAVE, "rule 2"),
    ]
    assert {row["location"]["channel"] for row in rows} == {SOC}
    [row] = audit(town, "instance", seed.INSTANCE_FAILED)
    assert (row["outcome"], row["rule"]) == ("refused", "rule 3")
    await town.slack.command(CAROL, SOC, f"/task comment {seed.TASK_ISOLATE} this one I may")
    await town.replies(ts)


@pytest.mark.parametrize("lookup", ["usergroups.users.list", "users.info"])
async def test_when_slack_cannot_say_who_somebody_is_they_are_refused(town: Town, lookup: str):
    ts = await town.card("task", seed.TASK_ISOLATE)
    troubles = [
        Fault(on=lookup, status=200, code="internal_error"),
        Fault(on=lookup, status=500),
        Fault(on=lookup, hang_up=True),
        Fault(on=lookup, html=True),
        Fault(on=lookup, code="ratelimited", status=503),
    ]
    for fault in troubles:
        await town.slack.faults.set(fault)
        before = len(town.slack.ephemerals(ALICE))
        delivered = await town.slack.press(ALICE, SOC, ts, "task.approve")
        assert (delivered.status, delivered.error) == (200, "")
        await town.slack.until(
            lambda before=before: len(town.slack.ephemerals(ALICE)) == before + 1
        )
        told = town.slack.ephemerals(ALICE)[-1]["text"]
        assert "Slack could not be asked who you are, so nothing may be allowed." in told
        assert "The approval was not sent." in told
        await town.slack.faults.clear()
    nothing_was_sent(town)
    rows = audit(town, "task", seed.TASK_ISOLATE)
    assert [(row["outcome"], row["detail"]) for row in rows] == [("refused", "unknown")] * 5
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert "*Approved* by <@U0ALICE>" in (await town.replies(ts))[0]


@in_time
async def test_when_slack_is_slow_to_say_who_somebody_is_they_are_refused_in_time(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.faults.set(Fault(on="usergroups.users.list", hold=True))
    delivered = await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert (delivered.status, delivered.error) == (200, "")
    await town.slack.faults.clear()
    await town.whispered(ALICE, "Slack could not be asked who you are")
    nothing_was_sent(town)


@pytest.mark.parametrize("rules", [BY_OBJECT], indirect=True, ids=["when"])
async def test_the_first_rule_that_fits_the_object_decides(town: Town):
    await town.slack.command(ALICE, SOC, f"/task approve {seed.TASK_ISOLATE}")
    await town.whispered(ALICE, "rule 1 leaves it to *lead* (<@U0BOB>)")
    await town.slack.command(CAROL, SOC, f"/task approve {seed.TASK_BLOCK_IP} why")
    await town.whispered(CAROL, "rule 2 leaves it to *approver*")
    await town.slack.command(BOB, SOC, f"/task approve {seed.TASK_PLAYBOOK} why")
    await town.whispered(BOB, "rule 3 leaves it to *oncall*")
    await town.slack.command(CAROL, SOC, f"/task approve {seed.TASK_PLAYBOOK}")
    await town.whispered(CAROL, "This needs a reason", "&lt;reason&gt;", "Nothing was sent.")
    nothing_was_sent(town)
    await town.slack.command(ALICE, SOC, "/secmaster whoami")
    told = await town.whispered(ALICE, "✅ `task.approve` no by rule 1 where its conditions fit")
    assert "otherwise yes by rule 2 where its conditions fit, otherwise no by rule 3" in told
    allowed = [
        (BOB, seed.TASK_ISOLATE, "", "rule 1"),
        (ALICE, seed.TASK_BLOCK_IP, "", "rule 2"),
        (CAROL, seed.TASK_PLAYBOOK, "seen it", "rule 3"),
    ]
    for user, task, reason, rule in allowed:
        ts = await town.card("task", task)
        await town.slack.command(user, SOC, f"/task approve {task} {reason}")
        assert f"*Approved* by <@{user}>" in (await town.replies(ts))[0]
        assert audit(town, "task", task)[-1]["rule"] == rule


@in_time
@pytest.mark.parametrize("rules", [BY_OBJECT], indirect=True, ids=["when"])
async def test_an_object_that_cannot_be_read_lets_no_rule_allow_it(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.secmaster.faults.set(Fault(on="ShowTask", html=True))
    await town.slack.press(BOB, SOC, ts, "task.approve")
    await town.whispered(BOB, "SecMaster could not be asked what this is", "was not sent")
    await town.secmaster.faults.clear()
    await town.secmaster.faults.set(Fault(on="ShowTask", hold=True))
    delivered = await town.slack.press(BOB, SOC, ts, "task.approve")
    assert (delivered.status, delivered.error) == (200, "")
    await town.slack.until(lambda: len(town.slack.ephemerals(BOB)) == 2)
    await town.secmaster.faults.clear()
    nothing_was_sent(town)
    assert [row["detail"] for row in audit(town, "task", seed.TASK_ISOLATE)] == ["unread"] * 2
    await town.slack.press(BOB, SOC, ts, "task.approve")
    assert "*Approved* by <@U0BOB>" in (await town.replies(ts))[0]


def nothing_was_sent(town: Town) -> None:
    assert [one for one in town.secmaster.requests if one.method == "PUT"] == []


def audit(town: Town, noun: str, object_id: str) -> list[dict[str, Any]]:
    return town.app.services.store.audit_entries(Ref(kind=noun, id=object_id))
