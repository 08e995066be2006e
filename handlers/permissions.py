"""Rights themselves are asked about: why, by whom lent, what was decided, and the policy anew."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from bot.domain.actions import TABLE, Action
from bot.domain.delegations import Delegation
from bot.domain.objects import ObjectKind, Ref
from bot.domain.slack import Actor, Requester
from bot.domain.snapshots import Snapshot
from bot.messages import Message, audit_history
from bot.messages import permissions as said
from bot.operations import authorization
from bot.operations.policy_reload import reload_policy
from bot.policy.config import ConfigError
from bot.policy.decide import Allowed, PolicyContext, Principal, decide
from bot.policy.rules import Rule
from bot.secmaster import NotFound
from bot.slack.gateway import SlackFailed
from handlers.context import AppContext, stable_id
from handlers.errors import UserError
from handlers.requests import (
    CreateDelegation,
    ExplainPolicy,
    ListDelegations,
    Request,
    RevokeDelegation,
    ShowAudit,
)
from handlers.time_parsing import parse_moment

log = logging.getLogger(__name__)


async def answer(app: AppContext, request: Request, requester: Requester, once: str) -> Message:
    """Do what is asked about rights, and say what came of it; it is on record by then.

    ``once`` names this very command: delivered again, it is the same.
    """
    match request:
        case ExplainPolicy():
            return await why(app, request, requester.actor)
        case ShowAudit():
            return await audit(app, request, requester)
        case ListDelegations():
            return await list_delegations(app, requester.actor)
        case CreateDelegation():
            return await create_delegation(app, request, requester, once)
        case RevokeDelegation():
            return await revoke_delegation(app, request.delegate, requester, once)
        case _:
            return await reload(app, requester, once)


async def why(app: AppContext, wanted: ExplainPolicy, actor: Actor) -> Message:
    """Which rule lets or stops the person for each action, and who could."""
    ref, about = await find_object(app, wanted.id, wanted.kinds)
    member = await app.services.directory.principal(actor)
    rules, matter = app.config.rules, authorization.policy_context(app.services, ref, about)
    answers = [
        (action, decide(rules, member, action, matter), _may_break(rules, member, action, matter))
        for action in TABLE
        if action.kind == ref.kind
    ]
    return said.why(ref, answers, app.config.roles)


def _may_break(
    rules: Sequence[Rule], member: Principal, action: Action, about: PolicyContext
) -> bool:
    return isinstance(decide(rules, member, action, about, break_glass=True), Allowed)


async def audit(app: AppContext, wanted: ShowAudit, requester: Requester) -> Message:
    """One object's story, for those who may read it."""
    await authorization.require_right(app.services, requester, authorization.Right.AUDIT)
    store = app.services.store
    for noun in wanted.kinds:
        ref = Ref(kind=noun, id=wanted.id, workspace=app.workspace)
        if entries := await asyncio.to_thread(store.audit_entries, ref):
            return audit_history.history(ref, entries)
    return said.no_history(wanted.id)


async def find_object(
    app: AppContext, object_id: str, nouns: tuple[ObjectKind, ...]
) -> tuple[Ref, Snapshot]:
    """The task or the instance of that id, whichever there is."""
    *others, last = (Ref(kind=noun, id=object_id, workspace=app.workspace) for noun in nouns)
    for ref in others:
        try:
            return ref, await app.services.workspaces.read(ref)
        except NotFound:
            continue
    return last, await app.services.workspaces.read(last)


async def reload(app: AppContext, requester: Requester, once: str) -> Message:
    """Reload the policy; a file that can't be used leaves the one before in force."""
    await authorization.require_right(app.services, requester, authorization.Right.RELOAD)
    record = authorization.audit_record(app.services, requester, "reload", "done", stable_id(once))
    try:
        before = await reload_policy(app.services, record)
    except ConfigError as error:
        log.warning("policy not reloaded", extra={"problems": str(error)})
        return said.not_reloaded(str(error))
    return said.reloaded(before, app.config)


async def create_delegation(
    app: AppContext, wanted: CreateDelegation, requester: Requester, once: str
) -> Message:
    """Lend one's own rights to somebody for a stated time."""
    lender = await authorization.require_right(
        app.services, requester, authorization.Right.DELEGATE
    )
    now, lending = app.services.clock.now(), app.services.store.delegations
    until = parse_moment(
        wanted.until, now, await app.services.directory.time_zone(requester.actor.id)
    )
    await _check_loan(app, requester.actor, wanted.delegate, until)
    loan = Delegation(delegator=lender.id, delegate=wanted.delegate, until=until)
    done = authorization.audit_record(app.services, requester, "delegate", "done", stable_id(once))
    lent = {"target": wanted.delegate, "until": until.isoformat(), "roles": sorted(lender.roles)}
    await asyncio.to_thread(lending.create, stable_id(once), loan, now, done | lent)
    _tell(app, wanted.delegate, said.delegation_received(loan))
    return said.delegation_created(loan, sorted(lender.roles))


async def _check_loan(app: AppContext, lender: Actor, borrower: str, until: datetime) -> None:
    """Refuse what would be beyond what may be lent, or to nobody who may act."""
    longest = app.config.delegation.longest
    if until - app.services.clock.now() > longest:
        raise UserError(said.delegation_too_long(longest))
    if borrower in (lender.id, app.services.slack.bot_user):
        raise UserError(said.cannot_delegate_to(borrower))
    member = await app.services.directory.principal(Actor(id=borrower))
    if member.guest or member.outsider:
        raise UserError(said.cannot_delegate_to(borrower))


async def revoke_delegation(
    app: AppContext, borrower: str, requester: Requester, once: str
) -> Message:
    """End a loan; nobody needs a right for that."""
    now, lender = app.services.clock.now(), requester.actor.id
    done = authorization.audit_record(
        app.services, requester, "revoke", "done", stable_id(once)
    ) | {"target": borrower}
    lending = app.services.store.delegations
    if not await asyncio.to_thread(lending.revoke, lender, borrower, now, done):
        return said.no_delegation(borrower)
    _tell(app, borrower, said.delegation_withdrawn(lender))
    return said.delegation_revoked(borrower)


async def list_delegations(app: AppContext, actor: Actor) -> Message:
    """What somebody lent and was lent."""
    lending, now = app.services.store.delegations, app.services.clock.now()
    by = await asyncio.to_thread(lending.granted, actor.id, now)
    return said.delegations(by, await asyncio.to_thread(lending.received, actor.id, now))


def _tell(app: AppContext, user: str, message: Message) -> None:
    """Tell somebody in our chat with them, in their own time."""

    async def tell() -> None:
        await app.services.slack.post(await app.services.slack.open_dm(user), message, {})

    async def untold(error: Exception) -> None:
        if not isinstance(error, SlackFailed):
            raise error
        log.warning("a loan could not be told", extra={"user": user, "code": error.code})

    app.services.background.start(tell(), untold)
