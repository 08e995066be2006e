"""Who may do what: no rule means no, a doubt means no, and a refusal says whose it is."""

from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.environment import (
    BotEnvironment,
    buttons,
    on_card,
    policy,
    waits_two_seconds,
)
from tests.support.people import ALICE, BOB, CAROL, DAVE, GUEST, OUTSIDER, SOC, SOLO

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
LAX_AND_GRAVE = f"""{ROLES}
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
when = {{ name = "Isolate.*" }}
approvals = 2
reason = "required"

[[rules]]
actions = ["task.approve"]
roles = ["approver"]
when = {{ name = "Look.*" }}
"""
DENYING = f"""{ROLES}
[break_glass]
channel = "C0ONCALL"

[rights]
delegate = ["approver"]

[[rules]]
actions = ["task.approve", "task.terminate"]
roles = ["approver"]
when = {{ name = "(?i).*isolate host" }}
approvals = 2
break_glass = ["oncall"]

[[rules]]
actions = ["task.*"]
roles = ["approver", "oncall"]

[[rules]]
name = "freeze"
effect = "deny"
actions = ["task.approve"]
when = {{ name = "(?i).*isolate host" }}
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
    """The environment's policy, or that of a story that has its own."""
    return str(getattr(request, "param", POLICY))


@pytest.mark.parametrize("rules", [NO_RULES, NOTHING], indirect=True, ids=["no rules", "nothing"])
async def test_without_a_rule_nobody_may_do_anything(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    for text in EVERY_WRITE:
        before = len(environment.slack.ephemerals(ALICE))
        delivered = await environment.slack.command(ALICE, SOC, text)
        assert (delivered.status, delivered.error) == (200, "")
        [posted] = environment.slack.ephemerals(ALICE)[before:]
        assert "No rule allows" in posted["text"]
        assert "was not sent" in posted["text"]
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.slack.press(ALICE, SOC, ts, "task.comment")
    await environment.slack.until(
        lambda: len(environment.slack.ephemerals(ALICE)) == len(EVERY_WRITE) + 2
    )
    await environment.ephemeral(ALICE, "No rule allows `task.approve`")
    await environment.ephemeral(ALICE, "No rule allows `task.comment`")
    assert environment.slack.views(ALICE) == []
    nothing_was_sent(environment)
    assert environment.buttons(ts)
    assert [message["ts"] for message in environment.slack.messages(SOC)] == [ts]


@pytest.mark.parametrize(
    ("user", "why"),
    [
        (GUEST, "Guests can't read or change anything here."),
        (SOLO, "Guests can't read or change anything here."),
        (
            OUTSIDER,
            "People from other organisations or workspaces can't read or change anything here.",
        ),
    ],
)
@pytest.mark.parametrize(
    "rules",
    [POLICY.replace('usergroups = ["S0SOC"]', f'users = ["{GUEST}", "{SOLO}", "{OUTSIDER}"]')],
    indirect=True,
    ids=["roles"],
)
async def test_guests_and_outsiders_read_and_change_nothing_whatever_their_role(
    environment: BotEnvironment, user: str, why: str
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE, user=DAVE)
    for text in EVERY_WRITE:
        before = len(environment.slack.ephemerals(user))
        await environment.slack.command(user, SOC, text)
        [refusal] = environment.slack.ephemerals(user)[before:]
        assert why in refusal["text"]
    for button in ("task.approve", "task.terminate", "task.comment"):
        before = len(environment.slack.ephemerals(user))
        await environment.slack.press(user, SOC, ts, button)
        await environment.slack.until(
            lambda before=before: len(environment.slack.ephemerals(user)) == before + 1
        )
        assert why in environment.slack.ephemerals(user)[-1]["text"]
    await environment.slack.say(user, SOC, "@secmaster approve", ts)
    await environment.ephemeral(user, why)
    assert len(environment.slack.ephemerals(user)) == len(EVERY_WRITE) + 4
    assert environment.slack.views(user) == []
    nothing_was_sent(environment)
    await environment.slack.command(user, SOC, "/task list")
    await environment.ephemeral(user, why)


async def test_a_refusal_names_the_rule_and_who_may_and_is_in_the_audit(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    text = await environment.ephemeral(DAVE, "approver", "can do this (rule 1)")
    assert "<!subteam^S0SOC>" in text
    assert "The approval was not sent." in text
    await environment.slack.command(CAROL, SOC, f"/task terminate {seed.TASK_ISOLATE} no")
    await environment.ephemeral(
        CAROL, "approver", "can do this (rule 1)", "termination was not sent"
    )
    await environment.slack.press(DAVE, SOC, ts, "task.comment")
    await environment.ephemeral(DAVE, "approver", "can do this (rule 2)", "or *oncall*")
    assert environment.slack.views(DAVE) == []
    await environment.slack.command(ALICE, SOC, f"/instance retry {seed.INSTANCE_FAILED}")
    await environment.ephemeral(ALICE, "oncall", "can do this (rule 3)", "<!subteam^S0ONCALL>")
    nothing_was_sent(environment)
    assert environment.buttons(ts) == [*on_card("task", "waiting"), "more"]
    assert environment.slack.thread(SOC, ts)[1:] == []
    rows = audit(environment, "task", seed.TASK_ISOLATE)
    assert [(row["outcome"], row["action"], row["actor"]["id"], row["rule"]) for row in rows] == [
        ("refused", "task.approve", DAVE, "rule 1"),
        ("refused", "task.terminate", CAROL, "rule 1"),
        ("refused", "task.comment", DAVE, "rule 2"),
    ]
    assert {row["location"]["channel"] for row in rows} == {SOC}
    [row] = audit(environment, "instance", seed.INSTANCE_FAILED)
    assert (row["outcome"], row["rule"]) == ("refused", "rule 3")
    await environment.slack.command(CAROL, SOC, f"/task comment {seed.TASK_ISOLATE} this one I may")
    await environment.replies(ts)


@pytest.mark.parametrize("lookup", ["usergroups.list", "users.info"])
async def test_when_slack_cannot_say_who_somebody_is_they_are_refused(
    environment: BotEnvironment, lookup: str
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    environment.clock.forward(minutes=11)  # what Slack said of her is not used any more
    troubles = [
        Fault(on=lookup, status=200, code="internal_error"),
        Fault(on=lookup, status=500),
        Fault(on=lookup, hang_up=True),
        Fault(on=lookup, html=True),
        Fault(on=lookup, code="ratelimited", status=503),
    ]
    for fault in troubles:
        await environment.slack.faults.set(fault)
        before = len(environment.slack.ephemerals(ALICE))
        delivered = await environment.slack.press(ALICE, SOC, ts, "task.approve")
        assert (delivered.status, delivered.error) == (200, "")
        await environment.slack.until(
            lambda before=before: len(environment.slack.ephemerals(ALICE)) == before + 1
        )
        text = environment.slack.ephemerals(ALICE)[-1]["text"]
        assert "Slack could not confirm who you are." in text
        assert "The approval was not sent." in text
        await environment.slack.faults.clear()
    nothing_was_sent(environment)
    rows = audit(environment, "task", seed.TASK_ISOLATE)
    assert [(row["outcome"], row["detail"]) for row in rows] == [("refused", "unknown")] * 5
    told = environment.slack.ephemerals(ALICE)[-1]
    assert buttons(told) == ["try-again"]
    await environment.slack.press(ALICE, SOC, told["ts"], "try-again")
    assert "*Approved by <@U0ALICE>" in (await environment.replies(ts))[0]
    # It is the same press: of what her card showed, carried out once, and its button is gone.
    assert audit(environment, "task", seed.TASK_ISOLATE)[-1]["decision_fingerprint"]
    answered = await environment.slack.until(
        lambda: [m for m in environment.slack.ephemerals(ALICE) if "Approving…" in m["text"]]
    )
    assert [buttons(message) for message in answered] == [[]]


@waits_two_seconds
async def test_when_slack_is_slow_to_say_who_somebody_is_they_are_refused_in_time(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    environment.clock.forward(minutes=11)  # what Slack said for the card is not used any more
    await environment.slack.faults.set(Fault(on="usergroups.list", hold=True))
    delivered = await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert (delivered.status, delivered.error) == (200, "")
    await environment.slack.faults.clear()
    await environment.ephemeral(ALICE, "Slack could not confirm who you are")
    nothing_was_sent(environment)


@pytest.mark.parametrize("rules", [BY_OBJECT], indirect=True, ids=["when"])
async def test_the_first_rule_that_fits_the_object_decides(environment: BotEnvironment) -> None:
    await environment.slack.command(ALICE, SOC, f"/task approve {seed.TASK_ISOLATE}")
    await environment.ephemeral(ALICE, "*lead* (<@U0BOB>) can do this (rule 1)")
    await environment.slack.command(CAROL, SOC, f"/task approve {seed.TASK_BLOCK_IP} why")
    await environment.ephemeral(CAROL, "approver", "can do this (rule 2)")
    await environment.slack.command(BOB, SOC, f"/task approve {seed.TASK_PLAYBOOK} why")
    await environment.ephemeral(BOB, "oncall", "can do this (rule 3)")
    await environment.slack.command(CAROL, SOC, f"/task approve {seed.TASK_PLAYBOOK}")
    await environment.ephemeral(CAROL, "This requires a reason", "&lt;reason&gt;", "was not sent.")
    nothing_was_sent(environment)
    await environment.slack.command(ALICE, SOC, "/secmaster whoami")
    text = await environment.ephemeral(ALICE, "☑️ *Approve tasks*: only in some cases")
    assert ": no, only *lead* (<@U0BOB>)" in text
    assert "      • otherwise: no, only *oncall* (" in text
    allowed = [
        (BOB, seed.TASK_ISOLATE, "", "rule 1"),
        (ALICE, seed.TASK_BLOCK_IP, "", "rule 2"),
        (CAROL, seed.TASK_PLAYBOOK, "seen it", "rule 3"),
    ]
    for user, task, reason, rule in allowed:
        ts = await environment.card("task", task)
        await environment.slack.command(user, SOC, f"/task approve {task} {reason}")
        assert f"*Approved by <@{user}>" in (await environment.replies(ts))[0]
        assert audit(environment, "task", task)[-1]["rule"] == rule


@pytest.mark.parametrize("rules", [DENYING], indirect=True, ids=["deny"])
async def test_nothing_leads_past_a_deny_nor_a_name_past_its_rule(
    environment: BotEnvironment,
) -> None:
    task, world = seed.TASK_ISOLATE, environment.secmaster.world
    approve, terminate = f"task approve {task} now", f"task terminate {task} now"
    denied = "Rule 3 “freeze” denies this. No other rule can allow it."
    await environment.slack.command(ALICE, SOC, f"/{approve}")
    await environment.ephemeral(ALICE, denied, "The approval was not sent.")
    await environment.slack.command(CAROL, SOC, f"/secmaster break-glass {approve}")
    await environment.ephemeral(CAROL, denied)
    await environment.slack.command(ALICE, SOC, "/secmaster delegate @dave for 1h")
    await environment.ephemeral(ALICE, "has your permissions until")
    await environment.posted("D0DAVE", "You have <@U0ALICE>'s permissions")
    await environment.slack.command(DAVE, SOC, f"/{approve}")
    await environment.ephemeral(DAVE, denied)
    world.task(task)["name"] = "Please\nＩｓｏｌａｔｅ host"
    await environment.slack.command(CAROL, SOC, f"/{terminate}")
    await environment.ephemeral(CAROL, "approver", "can do this (rule 1)")
    world.task(task)["name"] = "Isоlate host"
    await environment.slack.command(CAROL, SOC, f"/{terminate}")
    letter = "letters that look like others: о is Cyrillic small letter o. Rename it"
    await environment.ephemeral(CAROL, "Rule 1 checks a name", letter, "decide in the console")
    await environment.slack.command(CAROL, SOC, f"/{approve}")
    await environment.ephemeral(CAROL, "Rule 3 “freeze” may deny this", "could not be read")
    nothing_was_sent(environment)
    details = [row["detail"] for row in audit(environment, "task", task)]
    assert details == ["denied"] * 3 + ["rule", "look-alike", "denied-unread"]
    await environment.slack.command(CAROL, SOC, f"/secmaster why {task}")
    await environment.ephemeral(
        CAROL, "▫️ *Terminate*\nThe rule asks for a name", "(rule 3 “freeze”)"
    )
    world.task(task)["name"] = "Заблокировать хост"
    ts = await environment.card("task", task)
    await environment.slack.command(CAROL, SOC, f"/{terminate}")
    assert "*Terminated by <@U0CAROL>" in (await environment.replies(ts))[0]
    assert audit(environment, "task", task)[-1]["rule"] == "rule 2"


@waits_two_seconds
@pytest.mark.parametrize("rules", [BY_OBJECT], indirect=True, ids=["when"])
async def test_an_object_that_cannot_be_read_lets_no_rule_allow_it(
    environment: BotEnvironment,
) -> None:
    approve = f"/task approve {seed.TASK_ISOLATE}"
    await environment.secmaster.faults.set(Fault(on="ShowTask", html=True))
    await environment.slack.command(BOB, SOC, approve)
    await environment.ephemeral(BOB, "⏳ SecMaster is not responding properly", "was not sent")
    await environment.secmaster.faults.clear()
    await environment.secmaster.faults.set(Fault(on="ShowTask", hold=True))
    delivered = await environment.slack.command(BOB, SOC, approve)
    assert (delivered.status, delivered.error) == (200, "")
    await environment.ephemeral(BOB, "⏳ SecMaster is not responding properly", "was not sent")
    await environment.secmaster.faults.clear()
    nothing_was_sent(environment)
    assert [row["detail"] for row in audit(environment, "task", seed.TASK_ISOLATE)] == [
        "unread"
    ] * 2


@pytest.mark.parametrize("rules", [BY_OBJECT], indirect=True, ids=["when"])
async def test_what_trouble_kept_from_being_checked_is_tried_again_by_a_button_as_it_was_typed(
    environment: BotEnvironment,
) -> None:
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=401, code="APIGW.0301"))
    await environment.slack.command(BOB, SOC, f"/task approve {seed.TASK_ISOLATE} it is ours")
    text = await environment.ephemeral(BOB, "⏳ SecMaster does not accept the bot's credentials")
    assert "The approval was not sent." in text
    assert "`HTTP 401 APIGW.0301`" in text
    [message] = environment.slack.ephemerals(BOB)
    await environment.secmaster.faults.clear()
    await environment.slack.press(BOB, SOC, message["ts"], "try-again")
    ts = await environment.slack.until(lambda: environment.new_card(SOC, set()))
    [reply] = await environment.replies(ts)
    assert f"*Approved by <@{BOB}>" in reply
    assert "> it is ours" in reply
    await environment.ephemeral(BOB, "Approving…")


@pytest.mark.parametrize("rules", [BY_OBJECT], indirect=True, ids=["when"])
async def test_what_a_card_showed_is_decided_once_the_object_can_be_read(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=503))
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    assert "The bot keeps trying for up to" in (await environment.replies(ts))[0]
    nothing_was_sent(environment)
    await environment.secmaster.faults.clear()
    assert "*Approved by <@U0BOB>" in (await environment.replies(ts, 2))[1]


@pytest.mark.parametrize("rules", [LAX_AND_GRAVE], indirect=True, ids=["lax-and-grave"])
async def test_a_name_that_stands_for_a_single_read_gives_nobody_the_lax_rule(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    task = environment.secmaster.world.tasks[seed.TASK_ISOLATE]
    name, task["name"] = task["name"], "Look at a log"
    await environment.secmaster.faults.set(Fault(on="ShowTask", times=1))  # the first is answered
    await environment.secmaster.faults.set(Fault(on="ShowTask", hold=True))
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    task["name"] = name
    await environment.secmaster.faults.clear()
    [form] = environment.slack.views(BOB)  # the card's own rule asks for a reason
    await environment.slack.submit(BOB, form["id"], {"reason": "seen"})
    assert "Approvals to approve: 1 of 2" in (await environment.replies(ts))[0]
    nothing_was_sent(environment)


@pytest.mark.parametrize("rules", [BY_OBJECT], indirect=True, ids=["when"])
async def test_a_right_that_is_lost_after_the_acknowledgement_is_not_used(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.set(Fault(on="ShowTask", hold=True))
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    await environment.secmaster.faults.until_held("ShowTask")
    environment.app.services.policy.current = policy(ROLES)
    await environment.secmaster.faults.clear()
    await environment.ephemeral(BOB, "No rule allows `task.approve`", "was not sent")
    nothing_was_sent(environment)
    [row] = audit(environment, "task", seed.TASK_ISOLATE)
    assert (row["outcome"], row["detail"]) == ("refused", "no-rule")


def nothing_was_sent(environment: BotEnvironment) -> None:
    assert [one for one in environment.secmaster.requests if one.method == "PUT"] == []


def audit(environment: BotEnvironment, noun: str, object_id: str) -> list[dict[str, Any]]:
    return environment.app.services.store.audit.entries(Ref(kind=noun, id=object_id))
