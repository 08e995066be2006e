"""Whether somebody may: asked of what their card showed, and again of what SecMaster says.

A test's name begins with the function that it is about.
"""

import asyncio
import secrets
from dataclasses import replace

import pytest

from bot.domain.actions import BY_NAME
from bot.domain.approvals import Approval, ApprovalIntent
from bot.domain.objects import Ref
from bot.domain.operations import Operation, PolicyRefusal
from bot.domain.reasons import RefusalReason
from bot.domain.slack import Actor
from bot.domain.snapshots import Snapshot
from bot.operations.authorization import (
    Grant,
    NoRight,
    NotAllowed,
    Right,
    authorize,
    authorize_again,
    policy_context,
    require_right,
    revoked_approvals,
)
from bot.policy.decide import Refused
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.services import Services
from bot.slack.directory import LookupFailed
from tests.support.operations import (
    ALLOW_ALL,
    RUN,
    SAME_WORKFLOW_RUN,
    TASK,
    OperationStage,
    requester,
    rule,
)
from tests.support.people import ALICE, BOB, CAROL, DAVE, GUEST, ONCALL, OUTSIDER

APPROVE = BY_NAME["task.approve"]
ISOLATE = rule("task.approve", more="when = {name = 'Isolate'}")
TWO_APPROVERS = rule("task.approve", roles=("approver", "oncall"), more="approvals = 2")
BREAK_GLASS = f'[break_glass]\nchannel = "{ONCALL}"\n' + rule(
    "task.approve", more="approvals = 2\nbreak_glass = ['oncall']"
)
BRAKE = '[brake]\nretries = 3\nwithin = "2h"\n'


async def ask(
    stage: OperationStage,
    user: str = ALICE,
    *,
    fingerprint: str = "",
    services: Services | None = None,
    ref: Ref = TASK,
    break_glass: bool = False,
) -> Grant:
    """Ask whether somebody may approve, as before an acknowledgement."""
    return await authorize(
        services or stage.services,
        requester(user),
        APPROVE,
        ref,
        attempt_id=secrets.token_hex(16),
        break_glass=break_glass,
        decision_fingerprint=fingerprint,
    )


async def refused(
    stage: OperationStage,
    user: str = ALICE,
    *,
    services: Services | None = None,
    fingerprint: str = "",
    break_glass: bool = False,
) -> Refused:
    """Ask, and return why not; the attempt must be on record with the same reason."""
    with pytest.raises(NotAllowed) as raised:
        await ask(stage, user, services=services, fingerprint=fingerprint, break_glass=break_glass)
    assert (raised.value.action, raised.value.ref) == (APPROVE, TASK)
    record = stage.services.store.audit.entries(TASK)[-1]
    assert (record["actor"]["id"], record["outcome"]) == (user, "refused")
    assert record["detail"] == raised.value.refused.reason
    return raised.value.refused


async def again(stage: OperationStage, operation: Operation) -> Operation | PolicyRefusal:
    """Ask about an operation on what SecMaster says of its object."""
    snapshot = await stage.services.workspaces.read(operation.ref)
    return await authorize_again(stage.services, stage.services.policy.current, operation, snapshot)


async def allowed_again(stage: OperationStage, operation: Operation) -> Operation:
    answer = await again(stage, operation)
    assert isinstance(answer, Operation)
    return answer


# authorize.


async def test_authorize_asks_nobody_about_the_object_where_no_rule_does(
    stage: OperationStage,
) -> None:
    grant = await ask(stage)
    assert (grant.allowed.rule, grant.snapshot) == ("rule 1", None)
    assert stage.secmaster.requests == []


async def test_authorize_asks_the_rules_about_what_the_card_showed(stage: OperationStage) -> None:
    stage.set_policy(ISOLATE)
    fingerprint = await stage.shown(TASK)
    stage.record(TASK)["name"] = "Delete host"
    grant = await ask(stage, fingerprint=fingerprint)
    assert grant.snapshot is not None
    assert grant.snapshot.name == "Isolate host ecs-web-07"
    assert stage.requests("GET") == 1  # by the card


@pytest.mark.parametrize("fingerprint", ["", "of-what-nobody-saved"])
async def test_authorize_reads_what_no_card_is_known_to_have_shown(
    stage: OperationStage, fingerprint: str
) -> None:
    stage.set_policy(ISOLATE)
    grant = await ask(stage, fingerprint=fingerprint)
    assert grant.snapshot == await stage.services.workspaces.read(TASK)


async def test_authorize_records_the_terms_of_the_rule(stage: OperationStage) -> None:
    identities = '[identities]\nemail_domain = "example.com"\n'
    stage.set_policy(identities, rule("task.approve", more="approvals = 3\nexpires = '30m'"))
    terms = (await ask(stage)).terms
    assert (terms.approvals, terms.expires) == (3, 1800)
    assert terms.policy == stage.services.policy.current.fingerprint
    assert terms.identity == "alice@example.com"


async def test_authorize_adds_the_brake_to_the_terms_of_a_retry(stage: OperationStage) -> None:
    stage.set_policy(BRAKE, ALLOW_ALL)
    terms = (
        await authorize(stage.services, requester(), BY_NAME["instance.retry"], RUN, attempt_id="a")
    ).terms
    assert terms.failure_group == seed.WORKFLOW_ENRICHMENT
    assert (terms.brake_retries, terms.brake_within) == (3, 7200)
    terms = (
        await authorize(stage.services, requester(), BY_NAME["instance.debug"], RUN, attempt_id="a")
    ).terms
    assert (terms.failure_group, terms.brake_retries) == ("", 0)


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        (DAVE, RefusalReason.RULE),
        (GUEST, RefusalReason.GUEST),
        (OUTSIDER, RefusalReason.OUTSIDER),
    ],
)
async def test_authorize_refuses_and_records_the_attempt(
    stage: OperationStage, user: str, reason: RefusalReason
) -> None:
    assert (await refused(stage, user)).reason is reason


async def test_authorize_refuses_where_no_rule_covers_it(stage: OperationStage) -> None:
    stage.set_policy(rule("task.comment"))
    assert (await refused(stage)).reason is RefusalReason.NO_RULE


async def test_authorize_refuses_what_is_gone(stage: OperationStage) -> None:
    stage.set_policy(ISOLATE)
    stage.secmaster.world.delete_task(TASK.id)
    assert (await refused(stage)).reason is RefusalReason.GONE


@pytest.mark.parametrize("status", [404, 503])
async def test_authorize_refuses_what_can_not_be_read(stage: OperationStage, status: int) -> None:
    stage.set_policy(ISOLATE)
    await stage.secmaster.faults.set(Fault(on="ShowTask", status=status))
    assert (await refused(stage)).reason is RefusalReason.UNREAD


async def test_authorize_refuses_what_is_not_read_in_time(stage: OperationStage) -> None:
    stage.set_policy(ISOLATE)
    await stage.secmaster.faults.set(Fault(on="ShowTask", hold=True))
    quick = replace(stage.services, timeouts=replace(stage.services.timeouts, before_ack=0.1))
    assert (await refused(stage, services=quick)).reason is RefusalReason.UNREAD


async def test_authorize_names_the_deny_that_holds_as_long_as_the_object_can_not_be_read(
    stage: OperationStage,
) -> None:
    deny = "[[rules]]\neffect = 'deny'\nactions = ['task.approve']\n"
    stage.set_policy(ALLOW_ALL, deny, "when = {name = 'Disable'}\n")
    assert (await ask(stage)).allowed.rule == "rule 1"
    await stage.secmaster.faults.set(Fault(on="ShowTask", status=503))
    assert await refused(stage) == Refused(RefusalReason.DENIED_UNREAD, "rule 2")
    stage.set_policy(ALLOW_ALL, deny, "roles = ['oncall']\nwhen = {name = 'Disable'}\n")
    assert await refused(stage) == Refused(RefusalReason.UNREAD), "it is not about Alice"
    assert await refused(stage, CAROL) == Refused(RefusalReason.DENIED_UNREAD, "rule 2")


async def test_authorize_again_refuses_what_came_under_a_deny_and_says_which_letters(
    stage: OperationStage,
) -> None:
    operation, deny = stage.operation("task.approve"), "[[rules]]\neffect = 'deny'\n"
    stage.set_policy(ISOLATE, ALLOW_ALL)
    assert (await allowed_again(stage, operation)).rule == "rule 1"
    stage.record(TASK)["name"] = "Isоlаte host"
    assert await again(stage, operation) == PolicyRefusal(
        reason=RefusalReason.LOOKALIKE, rule="rule 1", letters="оа"
    )
    stage.set_policy(ISOLATE, ALLOW_ALL, deny, "actions = ['task.*']\n")
    assert await again(stage, operation) == PolicyRefusal(
        reason=RefusalReason.DENIED, rule="rule 3"
    )


async def test_authorize_again_revokes_the_approvals_of_whoever_is_denied_it_meanwhile(
    stage: OperationStage,
) -> None:
    stage.set_policy(TWO_APPROVERS)
    await stage.preflight(await stage.pressed("task.approve", CAROL))
    operation = await stage.pressed("task.approve", ALICE)
    assert (await allowed_again(stage, operation)).revoked_approvals == ()
    deny = "[[rules]]\neffect = 'deny'\nactions = ['task.approve']\nroles = ['oncall']\n"
    stage.set_policy(TWO_APPROVERS, deny)
    (approval,) = (await allowed_again(stage, operation)).revoked_approvals
    assert approval.actor.id == CAROL


async def test_authorize_refuses_whom_slack_does_not_tell(stage: OperationStage) -> None:
    await stage.close_directory()
    assert (await refused(stage)).reason is RefusalReason.UNKNOWN_PERSON


@pytest.mark.parametrize(("user", "reason"), [(ALICE, RefusalReason.BREAK_GLASS), (CAROL, None)])
async def test_authorize_lets_only_some_break_the_glass(
    stage: OperationStage, user: str, reason: RefusalReason | None
) -> None:
    stage.set_policy(BREAK_GLASS)
    if reason:
        assert (await refused(stage, user, break_glass=True)).reason is reason
        return
    terms = (await ask(stage, user, break_glass=True)).terms
    assert (terms.approvals, terms.break_glass_channel) == (1, ONCALL)


@pytest.mark.parametrize("previous", [ISOLATE, ALLOW_ALL], ids=["with when", "without"])
async def test_authorize_asks_one_policy_whatever_is_reloaded_meanwhile(
    stage: OperationStage, previous: str
) -> None:
    stage.set_policy(previous)
    await stage.slack.faults.set(Fault(on="users.info", hold=True))
    asking = asyncio.create_task(ask(stage))
    await stage.slack.faults.until_held("users.info")
    fingerprint = stage.services.policy.current.fingerprint
    stage.set_policy(ALLOW_ALL if previous == ISOLATE else ISOLATE)
    await stage.slack.faults.clear()
    assert (await asking).terms.policy == fingerprint
    assert stage.requests("GET") == (1 if previous == ISOLATE else 0)


# authorize_again.


async def test_authorize_again_returns_the_operation_under_the_terms_that_hold_now(
    stage: OperationStage,
) -> None:
    operation = await stage.pressed("task.approve")
    stage.set_policy(rule("task.approve", more="name = 'hosts'\napprovals = 2"))
    authorized = await allowed_again(stage, operation)
    assert (authorized.rule, authorized.terms.approvals) == ("rule 1 (hosts)", 2)
    assert authorized.terms.policy == stage.services.policy.current.fingerprint
    changes = {"rule": operation.rule, "terms": operation.terms}
    assert authorized.model_copy(update=changes) == operation


async def test_authorize_again_refuses_whom_the_rule_no_longer_allows_it(
    stage: OperationStage,
) -> None:
    operation = await stage.pressed("task.approve")
    stage.set_policy(rule("task.approve", roles=("oncall",), more="name = 'hosts'"))
    assert await again(stage, operation) == PolicyRefusal(
        reason=RefusalReason.RULE, rule="rule 1 (hosts)", roles=("oncall",)
    )


async def test_authorize_again_leaves_no_record_of_a_refusal(stage: OperationStage) -> None:
    await again(stage, stage.operation("task.approve", DAVE))
    assert stage.audited() == []  # how the operation ended is recorded when it is concluded


async def test_authorize_again_can_not_answer_while_slack_does_not(stage: OperationStage) -> None:
    await stage.close_directory()
    with pytest.raises(LookupFailed):
        await again(stage, stage.operation("task.approve"))


async def test_authorize_again_asks_for_a_reason_where_the_rule_does_now(
    stage: OperationStage,
) -> None:
    operation = await stage.pressed("task.approve")
    stage.set_policy(rule("task.*", more="reason = 'required'"))
    assert await again(stage, operation) == PolicyRefusal(
        reason=RefusalReason.NEEDS_REASON, rule="rule 1"
    )
    with_reason = operation.model_copy(update={"reason": "checked"})
    assert isinstance(await again(stage, with_reason), Operation)
    comment = stage.operation("task.comment", params={"comment": "hm"})  # takes none
    assert isinstance(await again(stage, comment), Operation)


async def test_authorize_again_asks_for_the_name_where_the_rule_does_now(
    stage: OperationStage,
) -> None:
    operation = await stage.pressed("task.approve")
    stage.set_policy(rule("task.*", more="confirm = 'type-name'"))
    assert await again(stage, operation) == PolicyRefusal(
        reason=RefusalReason.NEEDS_NAME, rule="rule 1"
    )
    confirmed = operation.model_copy(update={"confirmed": True})
    assert isinstance(await again(stage, confirmed), Operation)


async def test_authorize_again_asks_for_neither_where_somebody_declines(
    stage: OperationStage,
) -> None:
    stage.set_policy(rule("task.*", more="reason = 'required'\nconfirm = 'type-name'"))
    operation = stage.operation("task.approve", intent=ApprovalIntent.DECLINE)
    assert await again(stage, operation) == operation


async def test_authorize_again_allows_a_broken_glass_to_whom_the_rule_does(
    stage: OperationStage,
) -> None:
    stage.set_policy(BREAK_GLASS)
    operation = stage.operation("task.approve", CAROL, break_glass=True, reason="on fire")
    terms = (await allowed_again(stage, operation)).terms
    assert (terms.approvals, terms.break_glass_channel) == (1, ONCALL)


@pytest.mark.parametrize(
    ("policy", "user", "reason"),
    [
        (BREAK_GLASS, ALICE, RefusalReason.BREAK_GLASS),
        (TWO_APPROVERS, CAROL, RefusalReason.NO_BREAK_GLASS),
        (ISOLATE, CAROL, RefusalReason.NO_BREAK_GLASS),
    ],
    ids=["another role", "no glass", "another rule"],
)
async def test_authorize_again_refuses_a_glass_that_is_not_to_be_broken_any_more(
    stage: OperationStage, policy: str, user: str, reason: RefusalReason
) -> None:
    stage.set_policy(policy)
    operation = stage.operation("task.approve", user, break_glass=True, reason="on fire")
    answer = await again(stage, operation)
    assert isinstance(answer, PolicyRefusal)
    assert answer.reason is reason


async def test_authorize_again_asks_for_a_reason_to_break_the_glass(
    stage: OperationStage,
) -> None:
    stage.set_policy(BREAK_GLASS)
    answer = await again(stage, stage.operation("task.approve", CAROL, break_glass=True))
    assert isinstance(answer, PolicyRefusal)
    assert answer.reason is RefusalReason.NEEDS_REASON


async def test_authorize_again_has_no_glass_broken_by_a_delegate(stage: OperationStage) -> None:
    stage.set_policy(BREAK_GLASS)
    stage.delegate(CAROL, DAVE)
    answer = await again(
        stage, stage.operation("task.approve", DAVE, break_glass=True, reason="on fire")
    )
    assert isinstance(answer, PolicyRefusal)
    assert answer.reason is RefusalReason.BREAK_GLASS


# Approvals of people who may not give them any more.


async def test_authorize_again_revokes_approvals_whose_givers_may_not_give_them_any_more(
    stage: OperationStage,
) -> None:
    stage.set_policy(TWO_APPROVERS)
    await stage.preflight(stage.operation("task.approve", CAROL))
    stage.set_policy(rule("task.approve", more="approvals = 2"))
    authorized = await allowed_again(stage, stage.operation("task.approve", BOB))
    assert [approval.actor.id for approval in authorized.revoked_approvals] == [CAROL]
    now = stage.clock.now()
    assert stage.services.store.claims.approval_requests(TASK, now) == ()
    assert stage.audited() == [(CAROL, "counted"), (CAROL, "struck")]


async def test_authorize_again_revokes_what_was_approved_by_a_right_that_was_lent(
    stage: OperationStage,
) -> None:
    stage.set_policy(TWO_APPROVERS)
    stage.delegate(ALICE, DAVE)
    await stage.preflight(stage.operation("task.approve", DAVE))
    stage.revoke_delegation(ALICE, DAVE)
    authorized = await allowed_again(stage, stage.operation("task.approve", BOB))
    assert [approval.actor.id for approval in authorized.revoked_approvals] == [DAVE]


async def test_authorize_again_revokes_what_the_brake_alone_asks_for(
    stage: OperationStage,
) -> None:
    stage.set_policy(BRAKE.replace("retries = 3", "retries = 1"), ALLOW_ALL)
    await stage.preflight(stage.operation("instance.retry", ref=SAME_WORKFLOW_RUN))
    await stage.preflight(stage.operation("instance.retry", CAROL))
    stage.set_policy(BRAKE, rule("*"))
    authorized = await allowed_again(stage, stage.operation("instance.retry", BOB))
    assert authorized.terms.approvals == 1
    assert [approval.actor.id for approval in authorized.revoked_approvals] == [CAROL]


@pytest.mark.parametrize(
    ("policy", "break_glass"),
    [
        (BREAK_GLASS.replace("['oncall']", "['approver']"), True),
        (rule("task.approve"), False),
    ],
    ids=["by breaking the glass", "since the rule asks for no more"],
)
async def test_authorize_again_revokes_them_also_for_whoever_may_decide_alone(
    stage: OperationStage, policy: str, *, break_glass: bool
) -> None:
    stage.set_policy(TWO_APPROVERS)
    await stage.preflight(stage.operation("task.approve", CAROL))
    stage.set_policy(policy)
    operation = stage.operation("task.approve", BOB, break_glass=break_glass, reason="on fire")
    result = await stage.preflight(operation)
    assert result.operation is not None
    assert result.operation.co_approvers == ()


async def test_authorize_again_leaves_the_approvals_of_those_who_may(
    stage: OperationStage,
) -> None:
    stage.set_policy(TWO_APPROVERS)
    await stage.preflight(stage.operation("task.approve", CAROL))
    authorized = await allowed_again(stage, stage.operation("task.approve", BOB))
    assert authorized.revoked_approvals == ()
    now = stage.clock.now()
    [request] = stage.services.store.claims.approval_requests(TASK, now)
    assert [approval.actor.id for approval in request.approvals] == [CAROL]


async def test_revoked_approvals_asks_the_rule_about_the_object_as_it_is_read(
    stage: OperationStage,
) -> None:
    stage.set_policy(
        TWO_APPROVERS.replace("approvals = 2", "approvals = 2\nwhen = {name = 'Isolate'}"),
        rule("task.approve", more="approvals = 2"),
    )
    await stage.preflight(stage.operation("task.approve", CAROL))
    stage.record(TASK)["name"] = "Delete host"
    snapshot = await stage.services.workspaces.read(TASK)
    [approval] = await revoked(stage, "task.approve", snapshot)
    assert approval.actor == Actor(id=CAROL)


async def test_revoked_approvals_are_those_of_people_who_are_gone_and_of_nobody_unanswered(
    stage: OperationStage,
) -> None:
    stage.set_policy(TWO_APPROVERS)
    await stage.preflight(stage.operation("task.approve", CAROL))
    snapshot = await stage.services.workspaces.read(TASK)
    stage.clock.forward(minutes=11)  # what Slack said of Carol is too old
    await stage.slack.faults.set(Fault(on="users.info", status=500))
    with pytest.raises(LookupFailed):
        await revoked(stage, "task.approve", snapshot)
    await stage.slack.faults.clear()
    await stage.slack.faults.set(Fault(on="users.info", status=200, code="user_not_visible"))
    [approval] = await revoked(stage, "task.approve", snapshot)
    assert approval.actor == Actor(id=CAROL)


async def test_revoked_approvals_are_of_this_action_alone(stage: OperationStage) -> None:
    stage.set_policy(TWO_APPROVERS)
    await stage.preflight(stage.operation("task.approve", CAROL))
    stage.set_policy()
    snapshot = await stage.services.workspaces.read(TASK)
    assert await revoked(stage, "task.terminate", snapshot) == ()
    assert len(await revoked(stage, "task.approve", snapshot)) == 1


async def revoked(stage: OperationStage, action: str, snapshot: Snapshot) -> tuple[Approval, ...]:
    """Return the revoked approvals of an action on the task, as it is in this snapshot."""
    services = stage.services
    context = policy_context(services, TASK, snapshot)
    operation = stage.operation(action)
    return await revoked_approvals(services, services.policy.current, operation, context)


# require_right.


async def test_require_right_returns_who_has_a_role_for_it(stage: OperationStage) -> None:
    stage.set_policy("[rights]\naudit = ['approver']\n")
    principal = await require_right(stage.services, requester(), Right.AUDIT, attempt_id="a")
    assert principal.id == ALICE
    assert principal.roles == {"approver"}


@pytest.mark.parametrize("user", [CAROL, GUEST, OUTSIDER])
@pytest.mark.parametrize("right", [Right.AUDIT, Right.RELOAD])
async def test_require_right_refuses_everybody_else_and_records_the_attempt(
    stage: OperationStage, user: str, right: Right
) -> None:
    stage.set_policy("[rights]\naudit = ['approver']\n")
    with pytest.raises(NoRight) as raised:
        await require_right(stage.services, requester(user), right, attempt_id="a")
    roles = ("approver",) if right is Right.AUDIT else ()
    assert (raised.value.right, raised.value.roles) == (right, roles)
    [record] = stage.services.store.audit.entries("policy")
    assert (record["actor"]["id"], record["action"], record["outcome"]) == (user, right, "refused")


async def test_require_right_gives_no_right_to_a_guest_with_a_role(stage: OperationStage) -> None:
    stage.set_policy("[rights]\naudit = ['visitor']\n", f"[roles.visitor]\nusers = ['{GUEST}']\n")
    with pytest.raises(NoRight):
        await require_right(stage.services, requester(GUEST), Right.AUDIT, attempt_id="a")
