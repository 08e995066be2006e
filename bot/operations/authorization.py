"""May they? Asked at the click and again at the submission; no answer means no."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

from bot.domain.actions import Action
from bot.domain.approvals import Approval
from bot.domain.objects import Ref
from bot.domain.operations import Operation, PolicyTerms
from bot.domain.reasons import RefusalReason
from bot.domain.slack import Requester
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import failure_group
from bot.policy.config import Config
from bot.policy.decide import (
    Allowed,
    Decision,
    PolicyContext,
    Principal,
    Refused,
    decide,
    needs_snapshot,
)
from bot.secmaster import NotFound, SecMasterError
from bot.slack.directory import LookupFailed
from handlers.context import AppContext


class NotAllowed(Exception):
    """The policy said no."""

    def __init__(self, action: Action, ref: Ref, refused: Refused) -> None:
        super().__init__(action.name, ref, refused)
        self.action = action
        self.ref = ref
        self.refused = refused


class NoRight(Exception):
    """A command that is not about a task or an instance is left to others, by their ``roles``."""

    def __init__(self, right: str, roles: tuple[str, ...]) -> None:
        super().__init__(right, roles)
        self.right = right
        self.roles = roles


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer that allows it, the terms that are recorded with it, and on what it was given.

    ``about`` is the object as it was asked about, None where no rule asks for it.
    """

    allowed: Allowed
    terms: PolicyTerms
    snapshot: Snapshot | None = None


async def authorize(
    app: AppContext, requester: Requester, action: Action, ref: Ref, *, glass: bool = False
) -> Grant:
    """Return what allows it, or raise NotAllowed and leave a record of the attempt."""
    config = app.config  # one policy from the question to the record, whatever is read anew
    member, about = Principal(requester.actor.id), None
    answer: Decision = Refused(RefusalReason.UNKNOWN_PERSON)
    try:
        member = await app.directory.principal(requester.actor)
        about = await _facts(app, config, action, ref)
        answer = decide(
            config.rules, member, action, policy_context(app, ref, about), break_glass=glass
        )
    except LookupFailed:
        pass
    except NotFound:
        answer = Refused(RefusalReason.GONE)
    except (SecMasterError, TimeoutError):
        answer = Refused(RefusalReason.UNREAD)
    terms = _terms(config, member, answer)
    if isinstance(answer, Allowed):
        return Grant(answer, _braked(config, action, about, terms), about)
    await _refused(app, requester, (action, ref), answer, terms)
    raise NotAllowed(action, ref, answer)


async def _facts(app: AppContext, config: Config, action: Action, ref: Ref) -> Snapshot | None:
    """The object, if any rule asks what it is."""
    braked = config.brake is not None and action.is_retry
    if not (braked or needs_snapshot(config.rules, action)):
        return None
    async with asyncio.timeout(app.services.timeouts.before_ack):
        return await app.services.read(ref)


async def _refused(
    app: AppContext,
    requester: Requester,
    what: tuple[Action, Ref],
    answer: Refused,
    terms: PolicyTerms,
) -> None:
    now, (action, ref) = app.services.clock(), what
    attempt = Operation(
        id=secrets.token_hex(16),
        action=action.name,
        ref=ref,
        actor=requester.actor,
        location=requester.location,
        rule=answer.rule,
        terms=terms,
        accepted_at=now,
    )
    await asyncio.to_thread(app.services.store.record_refusal, attempt, answer.reason, now)


async def revoked_approvals(
    app: AppContext, action: Action, ref: Ref, about: Snapshot | None
) -> tuple[Approval, ...]:
    """Whoever has said yes to this and may not any more; raises LookupFailed."""
    ballots = await asyncio.to_thread(
        app.services.store.approval_requests, ref, app.services.clock()
    )
    votes = [vote for each in ballots if each.action == action.name for vote in each.approvals]
    members = await asyncio.gather(*(app.directory.principal(vote.actor) for vote in votes))
    rules, asked = app.config.rules, policy_context(app, ref, about)
    return tuple(
        vote
        for vote, member in zip(votes, members, strict=True)
        if isinstance(decide(rules, member, action, asked), Refused)
    )


def policy_context(app: AppContext, ref: Ref, about: Snapshot | None) -> PolicyContext:
    """What the policy must know of an object; a workspace goes by its alias and by its name."""
    names = frozenset({ref.workspace, app.services.workspace_name(ref)})
    return PolicyContext(names, app.services.clock(), about)


def _terms(config: Config, member: Principal, answer: Decision) -> PolicyTerms:
    terms = PolicyTerms(
        comment=config.attribution.comment,
        policy=config.fingerprint,
        identity=str(member.identities[0]),
    )
    if isinstance(answer, Refused):
        return terms
    given = {
        "approvals": answer.approvals,
        "expires": answer.expires,
        "break_glass_allowed": answer.break_glass_allowed,
        "break_glass_channel": config.break_glass.channel if answer.break_glass else "",
        "delegator": answer.delegator,
    }
    return terms.model_copy(update=given)


def _braked(
    config: Config, action: Action, about: Snapshot | None, terms: PolicyTerms
) -> PolicyTerms:
    """The terms of a retry, which ask for a second person where there were too many of late."""
    workflow = failure_group(about) if about else ""
    if config.brake is None or not action.is_retry or not workflow:
        return terms
    within = config.brake.within.total_seconds()
    brake = {
        "failure_group": workflow,
        "brake_retries": config.brake.retries,
        "brake_within": within,
    }
    return terms.model_copy(update=brake)


async def require_right(app: AppContext, requester: Requester, name: str) -> Principal:
    """Return who asks, if one of their roles has this right.

    Raises NoRight, and leaves a record of the attempt; or LookupFailed.
    """
    roles: tuple[str, ...] = getattr(app.config.rights, name)
    member = await app.directory.principal(requester.actor)
    if member.guest or member.outsider or member.roles.isdisjoint(roles):
        refused = audit_entry(app, requester, name, "refused", secrets.token_hex(16))
        await asyncio.to_thread(app.services.store.record, refused)
        raise NoRight(name, roles)
    return member


def audit_entry(
    app: AppContext, requester: Requester, action: str, outcome: str, id_: str
) -> dict[str, Any]:
    """What the audit keeps of what is about no task and no instance."""
    return {
        "at": app.services.clock(),
        "operation_id": id_,
        "outcome": outcome,
        "action": action,
        "target": "policy",
        "actor": requester.actor.model_dump(),
        "location": requester.location.model_dump(exclude={"response_url"}),
        "terms": {"policy": app.config.fingerprint},
    }
