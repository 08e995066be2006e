"""Rights are lent: for a time, by whoever has them, and everywhere with both names."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.delegations import Delegation
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.store import RequestedChange, RequestedChanges
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, DAVE, GUEST, OUTSIDER, SOC

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
LENDING = f"""
{POLICY}
[rights]
delegate = ["approver"]
[delegation]
longest = "8h"
"""
TWO = f"""
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
break_glass = ["approver"]
{LENDING}
[break_glass]
channel = "C0ONCALL"
"""
NOT_SELF = f"""
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
self = false
{LENDING}
[identities]
email_domain = "example.com"
"""
ALWAYS = LENDING + '[attribution]\ncomment = "always"\n'


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", LENDING))


def with_policy(text: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rules", [text], indirect=True, ids=["policy"])


@postgres_in_full
@with_policy(ALWAYS)
async def test_the_borrower_may_what_the_lender_may_and_everything_names_both(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    await environment.ephemeral(DAVE, "approver", "can do this (rule 1)")
    await lend(environment, "@dave for 2h")
    assert "<@U0DAVE> has your permissions until" in environment.slack.ephemerals(ALICE)[-1]["text"]
    assert "Your roles: approver" in environment.slack.ephemerals(ALICE)[-1]["text"]
    text = await environment.slack.until(lambda: direct(environment, DAVE))
    assert "You have <@U0ALICE>'s permissions until" in text[0]
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0DAVE> (on behalf of <@U0ALICE>)" in reply
    left = environment.secmaster.world.task(TASK.id)["comments"][-1]["message"]
    assert "— Dave (Slack U0DAVE), ref " in left
    assert "on behalf of Slack U0ALICE" in left
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert "on behalf of <@U0ALICE>" in json.dumps(environment.message(ts))
    done = environment.app.services.store.audit.entries(TASK)[-1]
    assert (done["outcome"], done["actor"]["id"], done["terms"]["delegator"]) == (
        "done",
        DAVE,
        ALICE,
    )
    [loan] = environment.app.services.store.audit.entries(DAVE)
    assert (loan["action"], loan["actor"]["id"], loan["roles"]) == ("delegate", ALICE, ["approver"])


async def test_rights_are_lent_by_mention_too(environment: BotEnvironment) -> None:
    await environment.slack.say(ALICE, SOC, "@secmaster delegate @dave for 2h")
    await environment.ephemeral(ALICE, "<@U0DAVE> has your permissions until")
    await environment.slack.say(DAVE, SOC, "@secmaster delegations")
    await environment.ephemeral(DAVE, "You have <@U0ALICE>'s permissions until")
    await environment.slack.say(ALICE, SOC, "@secmaster revoke @dave")
    await environment.ephemeral(ALICE, "<@U0DAVE> no longer has your permissions")
    await environment.posted("D0DAVE", "You have <@U0ALICE>'s permissions")
    await environment.posted("D0DAVE", "You no longer have <@U0ALICE>'s permissions")


async def test_until_is_a_time_of_the_lenders_own_day(environment: BotEnvironment) -> None:
    environment.slack.workspace.users[ALICE] |= {"tz": "Asia/Kolkata", "tz_offset": 19800}
    now = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
    environment.clock.set(now)
    await lend(environment, "@dave until 03:00")
    [loan] = loans(environment, DAVE, now)
    assert loan.until == datetime(2026, 3, 1, 21, 30, tzinfo=UTC)


async def test_a_night_in_which_clocks_go_forward_lends_no_hour_too_much(
    environment: BotEnvironment,
) -> None:
    environment.slack.workspace.users[ALICE] |= {"tz": "Europe/Berlin", "tz_offset": 3600}
    now = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    environment.clock.set(now)
    await lend(environment, "@dave until 8:00")
    [loan] = loans(environment, DAVE, now)
    assert loan.until == datetime(2026, 3, 29, 6, 0, tzinfo=UTC)


async def test_a_borrower_may_nothing_that_the_lender_may_not(environment: BotEnvironment) -> None:
    await lend(environment, "@dave for 2h")
    ts = await environment.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    await environment.slack.press(DAVE, SOC, ts, "instance.retry")
    await environment.ephemeral(DAVE, "oncall", "can do this (rule 3)")
    assert environment.secmaster.writes("UpdateWorkflowInstance") == []


async def test_ones_own_right_is_used_before_a_lent_one(environment: BotEnvironment) -> None:
    await lend(environment, "@bob for 2h")
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0BOB>" in reply
    assert "on behalf of" not in reply


async def test_what_is_taken_back_is_gone_at_once(environment: BotEnvironment) -> None:
    await lend(environment, "@dave for 2h")
    await environment.slack.command(ALICE, SOC, "/secmaster revoke @dave")
    await environment.ephemeral(ALICE, "<@U0DAVE> no longer has your permissions")
    await environment.slack.until(lambda: len(direct(environment, DAVE)) == 2)
    assert any(
        "You no longer have <@U0ALICE>'s permissions" in text for text in direct(environment, DAVE)
    )
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    await environment.ephemeral(DAVE, "approver", "can do this (rule 1)")
    assert [row["action"] for row in environment.app.services.store.audit.entries(DAVE)] == [
        "delegate",
        "revoke",
    ]
    await environment.slack.command(ALICE, SOC, "/secmaster revoke @dave")
    await environment.ephemeral(ALICE, "<@U0DAVE> does not have your permissions")


async def test_a_loan_ends_by_itself(environment: BotEnvironment) -> None:
    await lend(environment, "@dave for 2h")
    environment.clock.forward(hours=2, seconds=1)
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    await environment.ephemeral(DAVE, "approver", "can do this (rule 1)")
    await environment.slack.command(DAVE, SOC, "/secmaster delegations")
    await environment.ephemeral(DAVE, "you have nobody else's")


async def test_a_form_opened_by_a_lent_right_is_not_sent_once_that_is_gone(
    environment: BotEnvironment,
) -> None:
    await lend(environment, "@dave for 2h")
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(DAVE, SOC, ts, "task.terminate")
    [view] = environment.slack.views(DAVE)
    await environment.slack.command(ALICE, SOC, "/secmaster revoke @dave")
    await environment.slack.submit(DAVE, view["id"], {"reason": "a decoy"})
    assert "can do this (rule" in json.dumps(environment.slack.views(DAVE)[-1])
    assert environment.secmaster.writes("UpdateTask") == []
    await environment.ephemeral(ALICE, "<@U0DAVE> no longer has your permissions")
    await environment.posted("D0DAVE", "You no longer have <@U0ALICE>'s permissions")


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("@dave for 9h", "You can delegate for 8 hr at most"),
        ("@dave for 30d", "You can delegate for 8 hr at most"),
        ("@dave until 9999-12-31 10:00", "You can delegate for 8 hr at most"),
        ("@dave until 2020-01-01 10:00", "is in the past"),
        ("@alice for 2h", "You can't delegate to <@U0ALICE>"),
        ("@guest for 2h", f"You can't delegate to <@{GUEST}>"),
        ("@solo for 2h", "You can't delegate to <@U0SOLO>"),
        ("@outsider for 2h", f"You can't delegate to <@{OUTSIDER}>"),
        ("@secmaster for 2h", "You can't delegate to <@U0BOT>"),
        ("@dave", "Until when?"),
        ("@dave until then", "is not a time or a duration (use 18:00, 30m, 1h)"),
        ("@dave for 25:00", "is not a time or a duration (use 18:00, 30m, 1h)"),
        ("@dave for 0h", "is not a time or a duration (use 18:00, 30m, 1h)"),
        ("dave for 2h", "isn't a person. Mention them with @."),
        ("", "Who should get your rights?"),
        ("@soc-team for 2h", "isn't a person. Mention them with @."),
    ],
)
async def test_what_cannot_be_lent_is_refused_and_nothing_is_changed(
    environment: BotEnvironment, text: str, refusal: str
) -> None:
    await environment.slack.command(ALICE, SOC, f"/secmaster delegate {text}")
    await environment.ephemeral(ALICE, refusal)
    await environment.slack.command(ALICE, SOC, "/secmaster delegations")
    await environment.ephemeral(ALICE, "nobody has your permissions")


async def test_without_the_right_to_lend_nobody_lends(environment: BotEnvironment) -> None:
    for user in (CAROL, DAVE, GUEST, OUTSIDER):
        await environment.slack.command(user, SOC, "/secmaster delegate @bob for 2h")
        await environment.ephemeral(
            user, "Only *approver*", "can delegate their permissions. Nothing was changed."
        )
    assert loans(environment, BOB) == []


async def test_what_was_lent_is_not_lent_on(environment: BotEnvironment) -> None:
    await lend(environment, "@dave for 2h")
    await environment.slack.command(DAVE, SOC, "/secmaster delegate @carol for 1h")
    await environment.ephemeral(DAVE, "can delegate their permissions")
    assert loans(environment, CAROL) == []


async def test_a_loan_of_a_borrower_does_not_carry_what_they_were_lent(
    environment: BotEnvironment,
) -> None:
    await lend(environment, "@carol for 2h")
    await lent(environment, CAROL, DAVE)
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    await environment.ephemeral(DAVE, "approver", "can do this (rule 1)")
    assert environment.secmaster.writes("UpdateTask") == []


async def test_a_lender_who_lost_the_role_lends_nothing_any_more(
    environment: BotEnvironment,
) -> None:
    environment.slack.workspace.users[ALICE]["deleted"] = True
    await lent(environment, ALICE, DAVE)
    ts = await environment.card("task", TASK.id, user=BOB)
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    await environment.ephemeral(DAVE, "approver", "can do this (rule 1)")
    assert environment.secmaster.writes("UpdateTask") == []


@with_policy(TWO)
async def test_both_saying_yes_counts_once(environment: BotEnvironment) -> None:
    await lend(environment, "@dave for 2h")
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    await environment.ephemeral(ALICE, "*Approvals to approve: 1 of 2.* Your approval is recorded.")
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    await environment.ephemeral(
        DAVE, "<@U0ALICE> already approved this, and you would approve on their behalf"
    )
    assert environment.secmaster.writes("UpdateTask") == []
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    assert "*Approved by <@U0BOB> and <@U0ALICE>" in (await environment.replies(ts, 2))[1]


@with_policy(TWO)
async def test_the_borrowers_yes_counts_and_names_the_lender_wherever_it_is_told(
    environment: BotEnvironment,
) -> None:
    await lend(environment, "@dave for 2h")
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "The approval by <@U0DAVE> (on behalf of <@U0ALICE>)" in reply
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.ephemeral(ALICE, "<@U0DAVE> already approved on your behalf, so your")
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    reply = (await environment.replies(ts, 2))[1]
    assert "and <@U0DAVE> (on behalf of <@U0ALICE>)" in reply


@postgres_in_full
@with_policy(TWO)
async def test_an_approval_by_a_delegation_that_is_over_is_shown_and_counted_no_more(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    for number, revokes in enumerate((True, False), 1):
        await lend(environment, "@dave for 30m")
        await environment.slack.press(DAVE, SOC, ts, "task.approve")
        await environment.slack.until(lambda: "withdraw" in environment.buttons(ts))
        assert "Approvals to approve: 1 of 2" in json.dumps(environment.message(ts))
        await environment.replies(ts, 2 * number - 1)
        if revokes:
            await environment.slack.command(ALICE, SOC, "/secmaster revoke @dave")
            await environment.ephemeral(ALICE, "no longer has your permissions")
            await environment.posted("D0DAVE", "You no longer have")
        else:  # long before the request would expire
            environment.clock.forward(minutes=31)
            await environment.app.poller.dispatcher.dispatch()
        news = (await environment.replies(ts, 2 * number))[-1]
        assert f"the approval by <@{DAVE}> (on behalf of <@{ALICE}>) no longer counts" in news
        assert "Approvals to approve: 0 of 2." in news
        await environment.slack.until(lambda: "withdraw" not in environment.buttons(ts))
        requests = environment.app.services.store.claims.approval_requests
        assert requests(TASK, environment.clock.now()) == ()
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    assert "*Approvals to approve: 1 of 2.*" in (await environment.replies(ts, 5))[-1]
    await environment.ephemeral(BOB, "you may also decide alone")
    assert environment.secmaster.writes("UpdateTask") == []


@with_policy(TWO)
async def test_breaking_the_glass_is_not_lent(environment: BotEnvironment) -> None:
    await lend(environment, "@dave for 2h")
    await environment.card("task", TASK.id)
    await environment.slack.command(DAVE, SOC, f"/secmaster break-glass task approve {TASK.id} now")
    await environment.ephemeral(DAVE, "can use the emergency override")
    assert environment.secmaster.writes("UpdateTask") == []


@with_policy(NOT_SELF)
@pytest.mark.parametrize("creator", ["alice", "dave"])
async def test_neither_the_borrowers_own_nor_the_lenders_own_task_is_decided(
    environment: BotEnvironment, creator: str
) -> None:
    await lend(environment, "@dave for 2h")
    environment.secmaster.world.task(TASK.id)["creator_name"] = creator
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    await environment.slack.until(lambda: environment.slack.ephemerals(DAVE))
    assert "The approval was not sent." in environment.slack.ephemerals(DAVE)[-1]["text"]
    assert environment.secmaster.writes("UpdateTask") == []


async def test_a_second_loan_to_the_same_person_takes_the_firsts_place(
    environment: BotEnvironment,
) -> None:
    await lend(environment, "@dave for 2h")
    await environment.slack.command(ALICE, SOC, "/secmaster delegate @dave for 1h")
    await environment.slack.until(lambda: len(environment.slack.ephemerals(ALICE)) == 2)
    assert len(loans(environment, DAVE)) == 1
    await environment.ephemeral(ALICE, "<@U0DAVE> has your permissions until")
    await environment.posted("D0DAVE", "You have <@U0ALICE>'s permissions")


async def test_a_command_that_is_delivered_twice_is_one_loan(environment: BotEnvironment) -> None:
    await environment.slack.say(ALICE, SOC, "@secmaster delegate @dave for 2h")
    await environment.ephemeral(ALICE, "<@U0DAVE> has your permissions until")
    await environment.slack.redeliver(environment.slack.sent[-1].payload["event_id"])
    assert len(environment.app.services.store.audit.entries(DAVE)) == 1
    await environment.posted("D0DAVE", "You have <@U0ALICE>'s permissions")


async def test_when_the_borrower_can_not_be_told_the_loan_stands(
    environment: BotEnvironment,
) -> None:
    await environment.slack.faults.set(
        Fault(on="conversations.open", status=200, code="user_disabled")
    )
    await environment.slack.command(ALICE, SOC, "/secmaster delegate @dave for 2h")
    await environment.ephemeral(ALICE, "has your permissions until")
    assert len(loans(environment, DAVE)) == 1


async def lend(environment: BotEnvironment, text: str) -> None:
    """Have Alice lend her rights, ``text`` being to whom and for how long; both are told."""
    await environment.slack.command(ALICE, SOC, f"/secmaster delegate {text}")
    await environment.ephemeral(ALICE, "has your permissions until")
    delegate = text.split(maxsplit=1)[0].removeprefix("@")
    await environment.posted(f"D0{delegate.upper()}", "You have <@U0ALICE>'s permissions")


async def lent(environment: BotEnvironment, lender: str, borrower: str) -> None:
    """A loan as it stands in the database, whoever was allowed to make it."""
    now = environment.app.services.clock.now()
    loan = Delegation(delegator=lender, delegate=borrower, until=now + timedelta(hours=2))
    entry = {"at": now, "operation_id": "x", "outcome": "done", "target": borrower}
    changes = RequestedChanges(environment.app.engine)
    await asyncio.to_thread(changes.create_delegation, loan, RequestedChange(now, entry))


def loans(environment: BotEnvironment, borrower: str, at: datetime | None = None) -> list[Any]:
    return environment.app.services.store.delegations.received(
        borrower, at or environment.app.services.clock.now()
    )


def direct(environment: BotEnvironment, user: str) -> list[str]:
    """What the bot said to somebody in their chat."""
    return [one["text"] for one in environment.slack.messages(f"D0{user[2:]}")]
