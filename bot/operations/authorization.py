"""Ask the policy about an action before the acknowledgement, and again right before the write.

The first answer is about what the card showed, and spares people the wait for a refusal; the
second is about what SecMaster says then, and it alone lets anything be sent. No answer means no.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from itertools import compress
from typing import Any

from bot.domain.actions import BY_NAME, Action
from bot.domain.approvals import Approval, ApprovalIntent
from bot.domain.objects import Ref
from bot.domain.operations import Operation, PolicyRefusal, PolicyTerms
from bot.domain.reasons import RefusalReason
from bot.domain.slack import Actor, Requester
from bot.domain.snapshots import Snapshot, StoredSnapshot, stored
from bot.domain.tracking import ObjectChange, failure_group
from bot.domain.watch_status import FailedAnswer
from bot.messages import denials
from bot.messages.blocks import Viewer
from bot.operations.around import attach_recent, attach_stored, is_all_read
from bot.policy.config import Config
from bot.policy.decide import (
    Allowed,
    Decision,
    PolicyContext,
    Principal,
    Refused,
    decide,
    decide_by_one_right,
    needs_snapshot,
)
from bot.policy.rules import ReasonRule, asks_evidence, covers
from bot.secmaster import NotFound, SecMasterError
from bot.services import Services
from bot.slack.directory import LookupFailed, require_identified


class Right(StrEnum):
    """The rights that the policy's ``[rights]`` give to roles, beside those to actions."""

    AUDIT = "audit"
    RELOAD = "reload"
    DELEGATE = "delegate"
    WATCH = "watch"
    MUTE = "mute"


class NotAllowed(Exception):
    """The policy refused an action on an object; the attempt is on record under its id, if any.

    ``answer`` is what SecMaster said where that is why: the object could not be read.
    """

    def __init__(
        self,
        action: Action,
        ref: Ref,
        refused: Refused,
        attempt_id: str = "",
        answer: FailedAnswer | None = None,
    ) -> None:
        super().__init__(action.name, ref, refused)
        self.action = action
        self.ref = ref
        self.refused = refused
        self.attempt_id = attempt_id
        self.answer = answer

    @property
    def may_pass(self) -> bool:
        """Whether the same may be allowed in a moment: Slack or SecMaster could not be asked."""
        return self.is_unread or denials.may_pass(self.refused)

    @property
    def is_unread(self) -> bool:
        """Whether nobody was refused a right: SecMaster could not be asked what the object is."""
        return self.answer is not None and self.refused.reason in {
            RefusalReason.UNREAD,
            RefusalReason.DENIED_UNREAD,
        }


class ChangeNotAllowed(Exception):
    """The policy refused a change of an object to somebody who may decide nothing about it."""

    def __init__(self, change: ObjectChange, ref: Ref, refused: Refused) -> None:
        super().__init__(change, ref, refused)
        self.change = change
        self.ref = ref
        self.refused = refused

    @property
    def may_pass(self) -> bool:
        """Whether the same may be allowed in a moment: SecMaster could not be asked."""
        return denials.may_pass(self.refused)


class NoRight(Exception):
    """The policy leaves a right to other ``roles``."""

    def __init__(self, right: Right, roles: tuple[str, ...]) -> None:
        super().__init__(right, roles)
        self.right = right
        self.roles = roles


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission: the policy's answer, the terms that are recorded with it, and on what.

    ``snapshot`` is the object that the rules were asked about, None where none asks for it.
    """

    allowed: Allowed
    terms: PolicyTerms
    snapshot: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class PolicyAnswer:
    """What the policy says of an action, under which terms, and what it was asked about.

    ``snapshot`` is None where no rule asks for the object, or it could not be read; ``failure`` is
    then what SecMaster said.
    """

    decision: Decision
    terms: PolicyTerms
    snapshot: Snapshot | None = None
    failure: FailedAnswer | None = None


async def ask_policy(  # noqa: PLR0913 - who asks for what, on what they saw, and how
    services: Services,
    config: Config,
    actor: Actor,
    action: Action,
    ref: Ref,
    *,
    read: Callable[[], Awaitable[Snapshot | None]],
    break_glass: bool = False,
) -> PolicyAnswer:
    """Ask a policy about an action before it is recorded; nothing is recorded of the question.

    ``read`` returns the object that the rules are asked about, None where none asks for it.
    """
    principal, snapshot, failure = Principal(actor.id), None, None
    decision: Decision = Refused(RefusalReason.UNKNOWN_PERSON)
    try:
        require_identified(actor)
        # Side by side: there is no time for one slow answer after the other.
        lookup, reading = await asyncio.gather(
            services.directory.principal(actor, config.roles_about(action)),
            read(),
            return_exceptions=True,
        )
        if isinstance(lookup, BaseException):
            raise lookup
        principal = lookup
        if isinstance(reading, BaseException):
            raise reading
        snapshot = reading
        context = policy_context(services, ref, snapshot)
        turn = await _turn(services, config, action, ref)
        decision = decide(
            config.rules, principal, action, context, break_glass=break_glass, turn=turn
        )
    except LookupFailed:
        pass
    except NotFound:
        decision = Refused(RefusalReason.GONE)
    except (SecMasterError, TimeoutError) as error:
        failure = FailedAnswer.of(error)
        # What is refused whatever the object is like, or as long as it is not known, says by which
        # rule; the others, and the retry brake, would have needed it.
        context = policy_context(services, ref, None)
        unread = decide(config.rules, principal, action, context, break_glass=break_glass)
        decision = unread if isinstance(unread, Refused) else Refused(RefusalReason.UNREAD)
    terms = _terms(config, principal, decision)
    if isinstance(decision, Allowed):
        terms = _with_brake(config, action, snapshot, terms)
    return PolicyAnswer(decision, terms, snapshot, failure)


async def authorize(  # noqa: PLR0913 - who asks for what, on what they saw, and how
    services: Services,
    requester: Requester,
    action: Action,
    ref: Ref,
    *,
    attempt_id: str,
    break_glass: bool = False,
    decision_fingerprint: str = "",
    intent: ApprovalIntent = ApprovalIntent.GIVE,
) -> Grant:
    """Return the grant for an action, or raise NotAllowed and leave a record of the attempt.

    That is made once for an ``attempt_id``: Slack, or a proxy, may deliver the attempt again.
    ``break_glass`` asks to decide alone what needs several people. The rules are asked about the
    snapshot that ``decision_fingerprint`` names, which is what the person decides on; where it
    names none, the object is read. ``intent`` is for the record.
    """
    # One policy from the question to the record, whatever is reloaded meanwhile.
    config = services.policy.current
    read = partial(_decided_object, services, config, action, ref, decision_fingerprint)
    answer = await ask_policy(
        services, config, requester.actor, action, ref, read=read, break_glass=break_glass
    )
    decision = answer.decision
    if isinstance(decision, Allowed):
        return Grant(decision, answer.terms, answer.snapshot)
    now = services.clock.now()
    attempt = Operation(
        id=attempt_id,
        action=action.name,
        ref=ref,
        actor=requester.actor,
        location=requester.location,
        rule=decision.rule,
        terms=answer.terms,
        intent=intent,
        break_glass=break_glass,
        decision_fingerprint=decision_fingerprint,
        delivery=requester.trace.kind,
        accepted_at=now,
    )
    refusal, stored_snapshot = PolicyRefusal(**asdict(decision)), StoredSnapshot()
    if answer.snapshot is not None:
        stored_snapshot = stored(answer.snapshot)
        if not decision_fingerprint:
            fingerprint = stored_snapshot.fingerprint
            attempt = attempt.model_copy(update={"decision_fingerprint": fingerprint})
    record_refusal = services.store.audit.record_refusal
    await asyncio.to_thread(record_refusal, attempt, refusal, now, stored_snapshot)
    raise NotAllowed(action, ref, decision, attempt_id, answer.failure)


async def _decided_object(
    services: Services, config: Config, action: Action, ref: Ref, decision_fingerprint: str
) -> Snapshot | None:
    """Return the object that the rules are to be asked about; None where none asks for it.

    Raises SecMasterError, or TimeoutError where it can't be read before the acknowledgement.
    """
    if not needs_object(config, action):
        return None
    stored_snapshot = services.store.snapshots.get
    snapshot = await asyncio.to_thread(stored_snapshot, ref, decision_fingerprint)
    asks = asks_evidence(config.rules, action)
    # What a card could not show is tried again: else the button would be of no use until it can.
    if snapshot is not None and (not asks or is_all_read(snapshot)):
        return snapshot
    async with asyncio.timeout(services.timeouts.before_ack):
        snapshot = snapshot or await services.workspaces.read(ref)
        attach = attach_recent if asks else attach_stored
        return await attach(services, ref, snapshot)


def needs_object(config: Config, action: Action) -> bool:
    """Whether a rule for this action, or the retry brake, depends on the object."""
    return needs_snapshot(config.rules, action) or (config.brake is not None and action.is_retry)


async def authorize_again(
    services: Services, config: Config, operation: Operation, snapshot: Snapshot | None
) -> Operation | PolicyRefusal:
    """Ask a policy as `ask_again` does, and take back the approvals that no longer count."""
    answer = await ask_again(services, config, operation, snapshot)
    if isinstance(answer, Operation) and answer.revoked_approvals:
        revoke, now = services.store.claims.revoke_approvals, services.clock.now()
        await asyncio.to_thread(revoke, operation.ref, answer.revoked_approvals, now)
    return answer


async def ask_again(
    services: Services, config: Config, operation: Operation, snapshot: Snapshot | None
) -> Operation | PolicyRefusal:
    """Ask a policy about an operation on what its object is like now; nothing is changed.

    Returns the operation under the rule and the terms that hold now, with the approvals of people
    who may not give them any more; or why it is refused. Raises LookupFailed.
    """
    action = BY_NAME[operation.action]
    roles = config.roles_about(action)
    principal = await services.directory.principal(operation.actor, roles)
    context = policy_context(services, operation.ref, snapshot)
    turn = await _turn(services, config, action, operation.ref)
    decision = decide(
        config.rules, principal, action, context, break_glass=operation.break_glass, turn=turn
    )
    if isinstance(decision, Refused):
        return PolicyRefusal(**asdict(decision))
    if operation.intent is ApprovalIntent.DECLINE:  # a reason and a name are for what is sent
        return operation
    lacks_reason = decision.reason is ReasonRule.REQUIRED and action.takes_reason
    if lacks_reason and not operation.reason:
        return PolicyRefusal(reason=RefusalReason.NEEDS_REASON, rule=decision.rule)
    if decision.confirm and not operation.confirmed:
        return PolicyRefusal(reason=RefusalReason.NEEDS_NAME, rule=decision.rule)
    terms = _with_brake(config, action, snapshot, _terms(config, principal, decision))
    revoked: tuple[Approval, ...] = ()
    try:
        if action.claim_group:  # nothing else can have approvals
            revoked = await revoked_approvals(services, config, operation, context)
    except LookupFailed:
        # Whoever decides alone does not wait until Slack tells who the others are.
        if terms.approvals > 1 or terms.brake_retries:
            raise
    return operation.model_copy(
        update={"rule": decision.rule, "terms": terms, "revoked_approvals": revoked}
    )


async def _turn(services: Services, config: Config, action: Action, ref: Ref) -> int:
    """Return the number of the stage whose approvals an action needs next; 0 where none has begun.

    It only chooses between somebody's rights: the claim looks again whose turn it is.
    """
    if not any(len(rule.stages) > 1 for rule in config.rules if covers(rule, action)):
        return 0
    requests = await asyncio.to_thread(
        services.store.claims.approval_requests, ref, services.clock.now()
    )
    return next((request.turn for request in requests if request.action == action.name), 0)


def _terms(config: Config, principal: Principal, decision: Decision) -> PolicyTerms:
    """Return the terms that are recorded with a decision of the policy."""
    terms = PolicyTerms(
        comment=config.attribution.comment,
        policy=config.fingerprint,
        identity=str(principal.identities[0]),
    )
    if isinstance(decision, Refused):
        return terms
    conditions = {
        "stages": decision.stages,
        "roles": decision.own_roles,
        "expires": decision.expires,
        "break_glass_allowed": decision.break_glass_allowed,
        "break_glass_channel": config.break_glass.channel if decision.break_glass else "",
        "delegator": decision.delegator,
    }
    return terms.model_copy(update=conditions)


def _with_brake(
    config: Config, action: Action, snapshot: Snapshot | None, terms: PolicyTerms
) -> PolicyTerms:
    """Add to a retry's terms after how many of late a second person is asked for."""
    group = failure_group(snapshot) if snapshot else ""
    if config.brake is None or not action.is_retry or not group:
        return terms
    brake = {
        "failure_group": group,
        "brake_retries": config.brake.retries,
        "brake_within": config.brake.within.total_seconds(),
    }
    return terms.model_copy(update=brake)


async def revoked_approvals(
    services: Services, config: Config, operation: Operation, context: PolicyContext
) -> tuple[Approval, ...]:
    """Return the approvals of an operation's action whose givers may not give them any more.

    Raises LookupFailed.
    """
    ref, action, now = operation.ref, BY_NAME[operation.action], services.clock.now()
    requests = await asyncio.to_thread(services.store.claims.approval_requests, ref, now)
    approvals = [
        approval
        for request in requests
        if request.action == action.name
        for approval in request.approvals
    ]
    return await no_longer_allowed(services, config, action, approvals, context)


async def no_longer_allowed(
    services: Services,
    config: Config,
    action: Action,
    approvals: Sequence[Approval],
    context: PolicyContext,
) -> tuple[Approval, ...]:
    """Return those of these approvals whose givers may not give them any more.

    Each counts by the right that it was given by, and by no other: that one may be behind another
    approval already. Whoever has lost the role of the stage that they filled may not, whatever else
    they have, nor may somebody whom Slack does not know any more. Raises LookupFailed.
    """
    roles = config.roles_about(action)

    async def is_revoked(approval: Approval) -> bool:
        try:
            principal = await services.directory.principal(approval.actor, roles)
        except LookupFailed as error:
            if error.is_nobody:
                return True
            raise
        decision = decide_by_one_right(config.rules, principal, action, context, approval.delegator)
        return not isinstance(decision, Allowed) or not decision.may_fill(approval.stage)

    revoked = await asyncio.gather(*map(is_revoked, approvals))
    return tuple(compress(approvals, revoked))


async def may_override(
    services: Services, actor: Actor, action: Action, ref: Ref, snapshot: Snapshot | None
) -> bool:
    """Whether a person may decide alone what asks for several; False while that is not known."""
    config = services.policy.current
    try:
        principal = await services.directory.principal(actor, config.roles_about(action))
    except LookupFailed:
        return False
    context = policy_context(services, ref, snapshot)
    decision = decide(config.rules, principal, action, context, break_glass=True)
    return isinstance(decision, Allowed)


async def viewer_of(services: Services, actor: Actor, ref: Ref, snapshot: Snapshot) -> Viewer:
    """Return what an object's card depends on that one person alone reads."""
    requests = await asyncio.to_thread(
        services.store.claims.approval_requests, ref, services.clock.now()
    )
    overridable = [
        request.action
        for request in requests
        if request.break_glass_allowed
        and await may_override(services, actor, BY_NAME[request.action], ref, snapshot)
    ]
    approved = [
        request.action
        for request in requests
        if any(approval.actor.id == actor.id for approval in request.approvals)
    ]
    snoozes = await asyncio.to_thread(
        services.store.personal_snoozes.of, actor.id, services.clock.now()
    )
    return Viewer(frozenset(approved), frozenset(overridable), snoozed_until=snoozes.get(ref))


def policy_context(services: Services, ref: Ref, snapshot: Snapshot | None) -> PolicyContext:
    """Return what the policy must know of an object."""
    names = services.workspaces.all_names(ref.workspace)
    return PolicyContext(names, services.clock.now(), snapshot)


async def require_right(
    services: Services, requester: Requester, right: Right, *, attempt_id: str
) -> Principal:
    """Return who asks, with those of their roles that have this right.

    Raises NoRight, and leaves a record of the attempt, once for its id; or LookupFailed.
    """
    principal = await _right_holder(services, requester.actor, right)
    if principal is None:
        record = audit_record(services, requester, right, "refused", attempt_id)
        await asyncio.to_thread(services.store.audit.record, record)
        raise NoRight(right, getattr(services.policy.current.rights, right))
    return principal


async def has_right(services: Services, actor: Actor, right: Right) -> bool:
    """Whether a person has this right; raises LookupFailed."""
    return await _right_holder(services, actor, right) is not None


async def _right_holder(services: Services, actor: Actor, right: Right) -> Principal | None:
    """Return a person with those of their roles that have this right; None without any."""
    config = services.policy.current
    roles: tuple[str, ...] = getattr(config.rights, right)
    # What other roles' user groups are like does not matter, and may not be known.
    asked_for = {name: role for name, role in config.roles.items() if name in roles}
    principal = await services.directory.principal(actor, asked_for)
    may_not = principal.guest or principal.outsider or not principal.roles
    return None if may_not else principal


def audit_record(
    services: Services, requester: Requester, action: str, outcome: str, operation_id: str
) -> dict[str, Any]:
    """Return the audit's record of something that is about no task and no instance."""
    return {
        "at": services.clock.now(),
        "operation_id": operation_id,
        "outcome": outcome,
        "action": action,
        "target": "policy",
        "actor": requester.actor.model_dump(),
        "location": requester.location.model_dump(exclude={"response_url"}),
        "terms": {"policy": services.policy.current.fingerprint},
    }
