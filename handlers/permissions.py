"""Answers about the policy itself: explain it, show the audit, delegate rights, reload the file."""

import asyncio
import logging
from dataclasses import dataclass, replace
from functools import partial

from bot.domain.actions import TABLE, Action
from bot.domain.delegations import Delegation
from bot.domain.objects import OBJECT_KINDS, ObjectId, ObjectKind, Ref
from bot.domain.slack import Actor, Requester
from bot.domain.snapshots import Snapshot
from bot.messages import Message, command_help, command_problems
from bot.messages import permissions as permission_messages
from bot.messages import whoami as whoami_messages
from bot.messages.catalogue import Sentence
from bot.notifications.kinds import DelegationNotification
from bot.operations import authorization
from bot.operations.around import attach_recent
from bot.operations.authorization import Right, audit_record
from bot.operations.forecast import forecast
from bot.operations.policy_reload import reload_policy
from bot.operations.reading import open_reader
from bot.policy.config import ConfigError
from bot.policy.decide import decide_read
from bot.policy.rules import asks_evidence, covers
from bot.services import Services
from bot.slack.directory import require_identified
from handlers import audit
from handlers.command_row import (
    AnswersLater,
    AnyCommand,
    Arguments,
    Command,
    Delivery,
    RecordsChange,
    complete,
)
from handlers.context import AppContext, Recorder, attempt_id, stable_id
from handlers.errors import UserError
from handlers.parsing import PERSON, ParseError, refuse_more, split, take_id
from handlers.queries import find_object
from handlers.time_parsing import DELEGATE_USAGE, parse_moment

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExplainPolicy:
    """Show which rules allow or refuse the requester an object's actions.

    Where the command names no kind, the id may be that of either.
    """

    id: ObjectId
    kinds: tuple[ObjectKind, ...] = OBJECT_KINDS


@dataclass(frozen=True, slots=True)
class Whoami:
    """Show the requester their roles, and what they may do."""


@dataclass(frozen=True, slots=True)
class CreateDelegation:
    """Delegate the requester's rights; ``until`` is the moment as they wrote it."""

    delegate: str
    until: str


@dataclass(frozen=True, slots=True)
class RevokeDelegation:
    """End what the requester delegated to one person."""

    delegate: str


@dataclass(frozen=True, slots=True)
class ListDelegations:
    """Show what the requester delegated, and what was delegated to them."""


@dataclass(frozen=True, slots=True)
class ReloadPolicy:
    """Reload the policy from its file."""


def parse_why(arguments: Arguments) -> ExplainPolicy:
    return ExplainPolicy(*read_object(arguments))


def read_object(arguments: Arguments) -> tuple[ObjectId, tuple[ObjectKind, ...]]:
    """Return an id, with or without a kind before it, and the kinds that it may be of."""
    words, thread_object = arguments.words, arguments.thread_object
    first, rest = split(words)
    kinds: tuple[ObjectKind, ...] = tuple(kind for kind in OBJECT_KINDS if kind == first.lower())
    words = rest if kinds else words
    if not words and thread_object:
        return thread_object.id, kinds or (thread_object.kind,)
    object_id, rest = take_id(kinds[0] if kinds else None, words)
    refuse_more(rest)
    return object_id, kinds or OBJECT_KINDS


def parse_delegate(arguments: Arguments) -> CreateDelegation:
    """Parse to whom, and until when."""
    delegate, until = take_person(arguments, command_problems.WHO_GETS_RIGHTS)
    if not until:
        raise ParseError(command_problems.UNTIL_WHEN)
    return CreateDelegation(delegate, until)


def parse_revoke(arguments: Arguments) -> RevokeDelegation:
    delegate, rest = take_person(arguments, command_problems.WHOSE_RIGHTS)
    refuse_more(rest)
    return RevokeDelegation(delegate)


def take_person(arguments: Arguments, question: Sentence) -> tuple[str, str]:
    """Split off the mention of a person; return their user id with the words after it.

    Where there are no words, ``question`` asks for whom.
    """
    first, rest = split(arguments.words)
    person = PERSON.fullmatch(first)
    if person is None:
        raise ParseError(command_problems.not_a_person(first) if first else question)
    return person[1], rest


async def why(app: AppContext, request: ExplainPolicy, delivery: Delivery) -> Message:
    """Return for each action whether a press would be accepted now, and which roles could."""
    services, requester = app.services, delivery.requester
    reader = await open_reader(services, requester.actor)
    ref, snapshot = await find_object(app, reader, request.id, request.kinds)
    if asks_evidence(reader.config.rules, ref.kind):
        snapshot = await attach_recent(services, ref, snapshot)
    context = authorization.policy_context(services, ref, snapshot)
    read = decide_read(reader.config.rules, reader.principal, ref.kind, context)
    actions = [action for action in TABLE if action.kind == ref.kind]
    forecasts = [
        await _with_override(services, requester, ref, snapshot, action) for action in actions
    ]
    now = services.clock.now()
    requests = await asyncio.to_thread(services.store.claims.approval_requests, ref, now)
    explained = permission_messages.Explained(ref, snapshot, requests, requester.actor.id)
    return permission_messages.why(app.catalogue, explained, read, forecasts, reader.config.roles)


async def _with_override(
    services: Services, requester: Requester, ref: Ref, snapshot: Snapshot, action: Action
) -> permission_messages.ActionForecast:
    """Return what would come of a press, and whether the emergency override would be accepted."""
    usual = await forecast(services, requester, action, ref, snapshot)
    rules = services.policy.current.rules
    if not any(rule.break_glass and covers(rule, action) for rule in rules):
        return usual
    alone = await forecast(services, requester, action, ref, snapshot, break_glass=True)
    return replace(usual, may_override=alone.accepted)


async def whoami(app: AppContext, _request: Whoami, delivery: Delivery) -> Message:
    """Return who a person is to the policy, and what they may do."""
    services, actor = app.services, delivery.requester.actor
    config = app.config
    principal = await services.directory.principal(actor, config.roles)
    name = await services.directory.name(actor.id)
    now = services.clock.now()
    received = await asyncio.to_thread(services.store.delegations.received, principal.id, now)
    # Whose rights can't be looked up now, or are of no use, is not said to help.
    delegators = {each.id for each in principal.delegators}
    helpful = [each for each in received if each.delegator in delegators]
    person = whoami_messages.Person(principal, name, helpful)
    return whoami_messages.whoami(app.catalogue, person, config)


async def reload(recorder: Recorder, _request: ReloadPolicy, delivery: Delivery) -> Message:
    """Reload the policy, for every replica; a file that can't be used leaves the one before."""
    app = recorder.app
    requester, id_ = delivery.requester, stable_id(delivery.dedupe_key)
    attempt = attempt_id(delivery.dedupe_key)
    await authorization.require_right(app.services, requester, Right.RELOAD, attempt_id=attempt)
    record = audit_record(app.services, requester, "reload", "done", id_)
    before = app.config
    try:
        config = app.services.policy.read()
    except ConfigError as error:
        log.warning("policy not reloaded", extra={"problems": str(error)})
        return permission_messages.not_reloaded(recorder.app.catalogue, str(error))
    await recorder.record(partial(reload_policy, app.services, config, record))
    return permission_messages.reloaded(recorder.app.catalogue, before, config)


async def create_delegation(
    recorder: Recorder, request: CreateDelegation, delivery: Delivery
) -> Message:
    """Delegate the requester's own rights to one person for a stated time, on record.

    Raises UserError where it is too long, or the delegate may not act at all.
    """
    app, requester = recorder.app, delivery.requester
    attempt = attempt_id(delivery.dedupe_key)
    await authorization.require_right(app.services, requester, Right.DELEGATE, attempt_id=attempt)
    delegator = await app.services.directory.principal(requester.actor, app.config.roles)
    now, user = app.services.clock.now(), request.delegate
    zone = await app.services.directory.time_zone(requester.actor.id)
    until = parse_moment(request.until, now, zone)
    longest = app.config.delegation.longest
    if until - app.services.clock.now() > longest:
        raise UserError(permission_messages.delegation_too_long(recorder.app.catalogue, longest))
    delegate = await app.services.directory.principal(Actor(id=user), {})
    is_nobody_else = delegate.id in (delegator.id, app.services.slack.bot_user)
    if is_nobody_else or delegate.guest or delegate.outsider:
        raise UserError(permission_messages.cannot_delegate_to(recorder.app.catalogue, user))
    delegation = Delegation(delegator=delegator.id, delegate=delegate.id, until=until)
    roles = sorted(delegator.roles)
    change = recorder.change(
        requester,
        delivery.dedupe_key,
        "delegate",
        {"target": delegate.id, "until": until.isoformat(), "roles": roles},
        (delegate.id, DelegationNotification(delegator=delegator.id, until=until)),
    )
    create = partial(recorder.changes.create_delegation, delegation, change)
    await recorder.record_change(create)
    return permission_messages.delegation_created(app.catalogue, delegation, roles, app.root)


async def revoke_delegation(
    recorder: Recorder, request: RevokeDelegation, delivery: Delivery
) -> Message:
    """End the requester's delegation to one person, on record; nobody needs a right for that."""
    require_identified(delivery.requester.actor)
    delegator = delivery.requester.actor.id
    delegate = await recorder.app.services.directory.canonical_id(request.delegate)
    change = recorder.change(
        delivery.requester,
        delivery.dedupe_key,
        "revoke",
        {"target": delegate},
        (delegate, DelegationNotification(delegator=delegator)),
    )
    revoke = partial(recorder.changes.revoke_delegation, delegator, delegate, change)
    if not await recorder.record_change(revoke):
        return permission_messages.no_delegation(recorder.app.catalogue, delegate)
    return permission_messages.delegation_revoked(recorder.app.catalogue, delegate)


async def list_delegations(
    app: AppContext, _request: ListDelegations, delivery: Delivery
) -> Message:
    """Return what a person delegates now, and what is delegated to them."""
    delegations, now = app.services.store.delegations, app.services.clock.now()
    require_identified(delivery.requester.actor)
    user = delivery.requester.actor.id
    granted = await asyncio.to_thread(delegations.granted, user, now)
    received = await asyncio.to_thread(delegations.received, user, now)
    return permission_messages.delegations(app.catalogue, granted, received)


COMMANDS: tuple[AnyCommand, ...] = (
    Command(
        name="why",
        usage="why <id>",
        help=command_help.WHY,
        parse=parse_why,
        handler=AnswersLater(why),
    ),
    Command(
        name="whoami",
        usage="whoami",
        help=command_help.WHOAMI,
        parse=complete(Whoami()),
        handler=AnswersLater(whoami),
    ),
    Command(
        name="delegate",
        usage=DELEGATE_USAGE,
        help=command_help.DELEGATE,
        parse=parse_delegate,
        handler=RecordsChange(create_delegation),
    ),
    Command(
        name="revoke",
        usage="revoke @person",
        help=command_help.REVOKE,
        parse=parse_revoke,
        handler=RecordsChange(revoke_delegation),
    ),
    Command(
        name="delegations",
        usage="delegations",
        help=command_help.DELEGATIONS,
        parse=complete(ListDelegations()),
        handler=AnswersLater(list_delegations),
    ),
    audit.COMMAND,
)
RELOAD = Command(
    name="reload",
    usage="reload",
    help=command_help.RELOAD,
    parse=complete(ReloadPolicy()),
    handler=RecordsChange(reload),
)
