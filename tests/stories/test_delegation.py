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
from tests.town import ALICE, BOB, CAROL, DAVE, GUEST, OUTSIDER, SOC, Town, both_databases

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


@both_databases
@with_policy(ALWAYS)
async def test_the_borrower_may_what_the_lender_may_and_everything_names_both(town: Town):
    ts = await town.card("task", TASK.id)
    await town.slack.press(DAVE, SOC, ts, "task.approve")
    await town.whispered(DAVE, "rule 1 leaves it to *approver*")
    await lend(town, "@dave for 2h")
    assert "<@U0DAVE> may do until" in town.slack.ephemerals(ALICE)[-1]["text"]
    assert "(roles: approver)" in town.slack.ephemerals(ALICE)[-1]["text"]
    told = await town.slack.until(lambda: direct(town, DAVE))
    assert "<@U0ALICE> lends you their rights until" in told[0]
    await town.slack.press(DAVE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved* by <@U0DAVE> (by the right of <@U0ALICE>)" in said
    left = town.secmaster.world.task(TASK.id)["comments"][-1]["message"]
    assert "— Dave (Slack U0DAVE), ref " in left
    assert "by the right of Slack U0ALICE" in left
    await town.slack.until(lambda: not town.buttons(ts))
    assert "by the right of <@U0ALICE>" in json.dumps(town.message(ts))
    done = town.app.services.store.audit_entries(TASK)[-1]
    assert (done["outcome"], done["actor"]["id"], done["terms"]["delegator"]) == (
        "done",
        DAVE,
        ALICE,
    )
    [loan] = town.app.services.store.audit_entries(DAVE)
    assert (loan["action"], loan["actor"]["id"], loan["roles"]) == ("delegate", ALICE, ["approver"])


async def test_rights_are_lent_by_mention_too(town: Town):
    await town.slack.say(ALICE, SOC, "@secmaster delegate @dave for 2h")
    await town.whispered(ALICE, "<@U0DAVE> may do until")
    await town.slack.say(DAVE, SOC, "@secmaster delegations")
    await town.whispered(DAVE, "You have <@U0ALICE>'s rights until")
    await town.slack.say(ALICE, SOC, "@secmaster revoke @dave")
    await town.whispered(ALICE, "<@U0DAVE> has your rights no longer")


async def test_until_is_a_time_of_the_lenders_own_day(town: Town):
    town.slack.workspace.users[ALICE]["tz_offset"] = 5 * 3600 + 1800
    now = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
    town.app.services.clock = lambda: now
    await lend(town, "@dave until 03:00")
    [loan] = loans(town, DAVE, now)
    assert loan.until == datetime(2026, 3, 1, 21, 30, tzinfo=UTC)


async def test_a_borrower_may_nothing_that_the_lender_may_not(town: Town):
    await lend(town, "@dave for 2h")
    ts = await town.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    await town.slack.press(DAVE, SOC, ts, "instance.retry")
    await town.whispered(DAVE, "rule 3 leaves it to *oncall*")
    assert town.secmaster.writes("UpdateWorkflowInstance") == []


async def test_ones_own_right_is_used_before_a_lent_one(town: Town):
    await lend(town, "@bob for 2h")
    ts = await town.card("task", TASK.id)
    await town.slack.press(BOB, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved* by <@U0BOB>" in said
    assert "by the right of" not in said


async def test_what_is_taken_back_is_gone_at_once(town: Town):
    await lend(town, "@dave for 2h")
    await town.slack.command(ALICE, SOC, "/secmaster revoke @dave")
    await town.whispered(ALICE, "<@U0DAVE> has your rights no longer")
    await town.slack.until(lambda: len(direct(town, DAVE)) == 2)
    assert any("<@U0ALICE> has taken their rights back" in text for text in direct(town, DAVE))
    ts = await town.card("task", TASK.id)
    await town.slack.press(DAVE, SOC, ts, "task.approve")
    await town.whispered(DAVE, "rule 1 leaves it to *approver*")
    assert [row["action"] for row in town.app.services.store.audit_entries(DAVE)] == [
        "delegate",
        "revoke",
    ]
    await town.slack.command(ALICE, SOC, "/secmaster revoke @dave")
    await town.whispered(ALICE, "You lend nothing to <@U0DAVE>")


async def test_a_loan_ends_by_itself(town: Town):
    await lend(town, "@dave for 2h")
    clock = town.app.services.clock
    town.app.services.clock = lambda: clock() + timedelta(hours=2, seconds=1)
    ts = await town.card("task", TASK.id)
    await town.slack.press(DAVE, SOC, ts, "task.approve")
    await town.whispered(DAVE, "rule 1 leaves it to *approver*")
    await town.slack.command(DAVE, SOC, "/secmaster delegations")
    await town.whispered(DAVE, "nobody lends you theirs")


async def test_a_form_opened_by_a_lent_right_is_not_sent_once_that_is_gone(town: Town):
    await lend(town, "@dave for 2h")
    ts = await town.card("task", TASK.id)
    await town.slack.press(DAVE, SOC, ts, "task.terminate")
    [view] = town.slack.views(DAVE)
    await town.slack.command(ALICE, SOC, "/secmaster revoke @dave")
    await town.slack.submit(DAVE, view["id"], {"reason": "a decoy"})
    assert "leaves it to *approver*" in json.dumps(town.slack.views(DAVE)[-1])
    assert town.secmaster.writes("UpdateTask") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("@dave for 9h", "Rights can be lent for 8 h at most"),
        ("@dave for 30d", "Rights can be lent for 8 h at most"),
        ("@dave until 9999-12-31 10:00", "Rights can be lent for 8 h at most"),
        ("@dave until 2020-01-01 10:00", "is over"),
        ("@alice for 2h", "Rights can't be lent to <@U0ALICE>"),
        ("@guest for 2h", f"Rights can't be lent to <@{GUEST}>"),
        ("@solo for 2h", "Rights can't be lent to <@U0SOLO>"),
        ("@outsider for 2h", f"Rights can't be lent to <@{OUTSIDER}>"),
        ("@secmaster for 2h", "Rights can't be lent to <@U0BOT>"),
        ("@dave", "Until when?"),
        ("@dave until then", "is no time that I know"),
        ("@dave for 25:00", "is no time that I know"),
        ("@dave for 0h", "is no time that I know"),
        ("dave for 2h", "is nobody I know"),
        ("", "Whom?"),
        ("@soc-team for 2h", "is nobody I know"),
    ],
)
async def test_what_cannot_be_lent_is_refused_and_nothing_is_changed(
    town: Town, text: str, told: str
):
    await town.slack.command(ALICE, SOC, f"/secmaster delegate {text}")
    await town.whispered(ALICE, told)
    await town.slack.command(ALICE, SOC, "/secmaster delegations")
    await town.whispered(ALICE, "You lend nobody your rights")


async def test_without_the_right_to_lend_nobody_lends(town: Town):
    for user in (CAROL, DAVE, GUEST, OUTSIDER):
        await town.slack.command(user, SOC, "/secmaster delegate @bob for 2h")
        await town.whispered(user, "`delegate` is for *approver*", "Nothing was done.")
    assert loans(town, BOB) == []


async def test_what_was_lent_is_not_lent_on(town: Town):
    await lend(town, "@dave for 2h")
    await town.slack.command(DAVE, SOC, "/secmaster delegate @carol for 1h")
    await town.whispered(DAVE, "`delegate` is for *approver*")
    assert loans(town, CAROL) == []


async def test_a_loan_of_a_borrower_does_not_carry_what_they_were_lent(town: Town):
    await lend(town, "@carol for 2h")
    await lent(town, CAROL, DAVE)
    ts = await town.card("task", TASK.id)
    await town.slack.press(DAVE, SOC, ts, "task.approve")
    await town.whispered(DAVE, "rule 1 leaves it to *approver*")
    assert town.secmaster.writes("UpdateTask") == []


async def test_a_lender_who_lost_the_role_lends_nothing_any_more(town: Town):
    town.slack.workspace.users[ALICE]["deleted"] = True
    await lent(town, ALICE, DAVE)
    ts = await town.card("task", TASK.id, user=BOB)
    await town.slack.press(DAVE, SOC, ts, "task.approve")
    await town.whispered(DAVE, "rule 1 leaves it to *approver*")
    assert town.secmaster.writes("UpdateTask") == []


@with_policy(TWO)
async def test_both_saying_yes_counts_once(town: Town):
    await lend(town, "@dave for 2h")
    ts = await town.card("task", TASK.id)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.replies(ts)
    await town.slack.press(DAVE, SOC, ts, "task.approve")
    await town.whispered(DAVE, "it counts once, whoever uses it", "The approval was not sent.")
    assert town.secmaster.writes("UpdateTask") == []
    await town.slack.press(BOB, SOC, ts, "task.approve")
    assert "*Approved* by <@U0BOB>, with <@U0ALICE>" in (await town.replies(ts, 2))[1]


@with_policy(TWO)
async def test_the_borrowers_yes_counts_and_names_the_lender_wherever_it_is_told(town: Town):
    await lend(town, "@dave for 2h")
    ts = await town.card("task", TASK.id)
    await town.slack.press(DAVE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "now <@U0DAVE> (by the right of <@U0ALICE>)" in said
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.whispered(ALICE, "it counts once, whoever uses it")
    await town.slack.press(BOB, SOC, ts, "task.approve")
    said = (await town.replies(ts, 2))[1]
    assert "with <@U0DAVE> (by the right of <@U0ALICE>)" in said


@with_policy(TWO)
async def test_breaking_the_glass_is_not_lent(town: Town):
    await lend(town, "@dave for 2h")
    await town.card("task", TASK.id)
    await town.slack.command(DAVE, SOC, f"/secmaster break-glass task approve {TASK.id} now")
    await town.whispered(DAVE, "You may not break the glass")
    assert town.secmaster.writes("UpdateTask") == []


@with_policy(NOT_SELF)
@pytest.mark.parametrize("creator", ["alice", "dave"])
async def test_neither_the_borrowers_own_nor_the_lenders_own_task_is_decided(
    town: Town, creator: str
):
    await lend(town, "@dave for 2h")
    town.secmaster.world.task(TASK.id)["creator_name"] = creator
    ts = await town.card("task", TASK.id)
    await town.slack.press(DAVE, SOC, ts, "task.approve")
    await town.slack.until(lambda: town.slack.ephemerals(DAVE))
    assert "The approval was not sent." in town.slack.ephemerals(DAVE)[-1]["text"]
    assert town.secmaster.writes("UpdateTask") == []


async def test_a_second_loan_to_the_same_person_takes_the_firsts_place(town: Town):
    await lend(town, "@dave for 2h")
    await town.slack.command(ALICE, SOC, "/secmaster delegate @dave for 1h")
    await town.slack.until(lambda: len(town.slack.ephemerals(ALICE)) == 2)
    assert len(loans(town, DAVE)) == 1


async def test_a_command_that_is_delivered_twice_is_one_loan(town: Town):
    await town.slack.say(ALICE, SOC, "@secmaster delegate @dave for 2h")
    await town.whispered(ALICE, "<@U0DAVE> may do until")
    await town.slack.redeliver(town.slack.sent[-1].payload["event_id"])
    assert len(town.app.services.store.audit_entries(DAVE)) == 1


async def test_when_the_borrower_can_not_be_told_the_loan_stands(town: Town):
    await town.slack.faults.set(Fault(on="conversations.open", status=200, code="user_disabled"))
    await lend(town, "@dave for 2h")
    assert len(loans(town, DAVE)) == 1


async def lend(town: Town, text: str) -> None:
    await town.slack.command(ALICE, SOC, f"/secmaster delegate {text}")
    await town.whispered(ALICE, "may do until")


async def lent(town: Town, lender: str, borrower: str) -> None:
    """A loan as it stands in the database, whoever was allowed to make it."""
    now = town.app.services.clock.now()
    loan = Delegation(delegator=lender, delegate=borrower, until=now + timedelta(hours=2))
    entry = {"at": now, "operation_id": "x", "outcome": "done", "target": borrower}
    await asyncio.to_thread(town.app.services.store.delegations.create, "x", loan, now, entry)


def loans(town: Town, borrower: str, at: datetime | None = None) -> list[Any]:
    return town.app.services.store.delegations.received(
        borrower, at or town.app.services.clock.now()
    )


def direct(town: Town, user: str) -> list[str]:
    """What the bot said to somebody in their chat."""
    return [one["text"] for one in town.slack.messages(f"D0{user[2:]}")]
