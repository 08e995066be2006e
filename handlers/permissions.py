"""Answers about the policy itself: explain it, show the audit, delegate rights, reload the file."""

import asyncio
import logging

from bot.domain.actions import TABLE
from bot.domain.delegations import Delegation
from bot.domain.objects import Ref
from bot.domain.slack import Actor, Requester
from bot.messages import Message, audit_history
from bot.messages import permissions as permission_messages
from bot.operations import authorization
from bot.operations.authorization import Right, audit_record
from bot.operations.policy_reload import reload_policy
from bot.policy.config import ConfigError
from bot.policy.decide import Allowed, decide
from bot.slack.gateway import SlackFailed
from handlers.context import AppContext, stable_id
from handlers.errors import UserError
from handlers.queries import find_object
from handlers.requests import CreateDelegation, ExplainPolicy, RevokeDelegation, ShowAudit
from handlers.time_parsing import parse_moment

log = logging.getLogger(__name__)


async def why(app: AppContext, request: ExplainPolicy, actor: Actor) -> Message:
    """Return which rule allows or refuses the person each action, and which roles could."""
    ref, snapshot = await find_object(app, request.id, request.kinds)
    principal = await app.services.directory.principal(actor)
    rules, context = app.config.rules, authorization.policy_context(app.services, ref, snapshot)
    answers = []
    for action in TABLE:
        if action.kind == ref.kind:
            decision = decide(rules, principal, action, context)
            alone = decide(rules, principal, action, context, break_glass=True)
            answers.append((action, decision, isinstance(alone, Allowed)))
    return permission_messages.why(ref, answers, app.config.roles)


async def audit(app: AppContext, request: ShowAudit, requester: Requester) -> Message:
    """Return the history of one object, if the requester has the right to read the audit."""
    await authorization.require_right(app.services, requester, Right.AUDIT)
    store = app.services.store
    for kind in request.kinds:
        ref = Ref(kind=kind, id=request.id, workspace=app.workspace)
        if entries := await asyncio.to_thread(store.audit.entries, ref):
            return audit_history.history(ref, entries)
    return permission_messages.no_history(request.id)


async def reload(app: AppContext, requester: Requester, dedupe_key: str) -> Message:
    """Reload the policy; a file that can't be used leaves the one before in force."""
    await authorization.require_right(app.services, requester, Right.RELOAD)
    record = audit_record(app.services, requester, "reload", "done", stable_id(dedupe_key))
    try:
        before = await reload_policy(app.services, record)
    except ConfigError as error:
        log.warning("policy not reloaded", extra={"problems": str(error)})
        return permission_messages.not_reloaded(str(error))
    return permission_messages.reloaded(before, app.config)


async def create_delegation(
    app: AppContext, request: CreateDelegation, requester: Requester, dedupe_key: str
) -> Message:
    """Delegate the requester's own rights to one person for a stated time, on record.

    Raises UserError where it is too long, or the delegate may not act at all.
    """
    delegator = await authorization.require_right(app.services, requester, Right.DELEGATE)
    now, user = app.services.clock.now(), request.delegate
    zone = await app.services.directory.time_zone(requester.actor.id)
    until = parse_moment(request.until, now, zone)
    longest = app.config.delegation.longest
    if until - app.services.clock.now() > longest:
        raise UserError(permission_messages.delegation_too_long(longest))
    if user in (requester.actor.id, app.services.slack.bot_user):
        raise UserError(permission_messages.cannot_delegate_to(user))
    delegate = await app.services.directory.principal(Actor(id=user))
    if delegate.guest or delegate.outsider:
        raise UserError(permission_messages.cannot_delegate_to(user))
    delegation = Delegation(delegator=delegator.id, delegate=user, until=until)
    roles, id_ = sorted(delegator.roles), stable_id(dedupe_key)
    record = audit_record(app.services, requester, "delegate", "done", id_) | {
        "target": user,
        "until": until.isoformat(),
        "roles": roles,
    }
    await asyncio.to_thread(app.services.store.delegations.create, id_, delegation, now, record)
    _notify(app, user, permission_messages.delegation_received(delegation))
    return permission_messages.delegation_created(delegation, roles)


async def revoke_delegation(
    app: AppContext, request: RevokeDelegation, requester: Requester, dedupe_key: str
) -> Message:
    """End the requester's delegation to one person, on record; nobody needs a right for that."""
    now, delegator, delegate = app.services.clock.now(), requester.actor.id, request.delegate
    record = audit_record(app.services, requester, "revoke", "done", stable_id(dedupe_key)) | {
        "target": delegate
    }
    delegations = app.services.store.delegations
    if not await asyncio.to_thread(delegations.revoke, delegator, delegate, now, record):
        return permission_messages.no_delegation(delegate)
    _notify(app, delegate, permission_messages.delegation_withdrawn(delegator))
    return permission_messages.delegation_revoked(delegate)


async def list_delegations(app: AppContext, actor: Actor) -> Message:
    """Return what a person delegates now, and what is delegated to them."""
    delegations, now = app.services.store.delegations, app.services.clock.now()
    granted = await asyncio.to_thread(delegations.granted, actor.id, now)
    received = await asyncio.to_thread(delegations.received, actor.id, now)
    return permission_messages.delegations(granted, received)


def _notify(app: AppContext, user: str, message: Message) -> None:
    """Send somebody a direct message in the background; one that fails is only logged."""

    async def send() -> None:
        await app.services.slack.post(await app.services.slack.open_dm(user), message, {})

    async def log_failure(error: Exception) -> None:
        if not isinstance(error, SlackFailed):
            raise error
        log.warning(
            "a delegation notice was not delivered", extra={"user": user, "code": error.code}
        )

    app.services.background.start(send(), log_failure)
