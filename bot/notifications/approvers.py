"""Find who may give the next approval of a request, and who of them is called.

They are asked about when a call is posted: until then people approve, requests end and policies
change.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from typing import assert_never

from bot import messages
from bot.domain.actions import BY_NAME, Action, is_contrary
from bot.domain.approvals import ApprovalRequest, CallPreference, OpenRequest
from bot.domain.objects import Ref, Value
from bot.domain.slack import Actor
from bot.domain.snapshots import Snapshot
from bot.domain.stages import Stage, stage_at
from bot.policy.config import Config
from bot.policy.decide import Allowed, PolicyContext, added_authority, decide_read
from bot.policy.requirements import deciding_rule
from bot.policy.rules import READS, CallRule, Role, Rule
from bot.secmaster import NotFound, SecMasterError
from bot.services import Services
from bot.slack.directory import LookupFailed

MOST_MENTIONED = 5  # people in one message: more are called in direct messages, or as a group
MOST_ASKED = 50  # people of one group of whom it is asked whether they may approve


class CalledRequest(Value):
    """An approval request that somebody is called for, its object, and the stage, from 0."""

    ref: Ref
    id: str
    stage: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A request that waits for approvals of what its object is like now, and who may give them.

    The ``request`` has the approvals that still count, ``origin`` all of them.
    """

    origin: OpenRequest
    request: ApprovalRequest
    snapshot: Snapshot
    config: Config
    rule: Rule
    context: PolicyContext

    @property
    def action(self) -> Action:
        """What is asked for."""
        return BY_NAME[self.request.action]

    @property
    def stage(self) -> Stage:
        """The stage whose turn it is, as the rule has it now."""
        return stage_at(self.rule.stages, self.request.turn)

    @property
    def roles(self) -> list[Role]:
        """The roles whose people may give the next approval."""
        return [self.config.roles[name] for name in self.stage.roles]

    @property
    def called(self) -> CalledRequest:
        """The request, as notifications name it."""
        return CalledRequest(ref=self.origin.ref, id=self.request.id, stage=self.request.turn)

    def ends_otherwise(self, now: datetime) -> bool:
        """Whether SecMaster does the contrary of what is asked for, if nobody approves in time."""
        _at, due_handle = self.request.deadline(self.snapshot, now)
        return due_handle is not None and is_contrary(self.action, due_handle)


@dataclass(frozen=True, slots=True)
class Callees:
    """The people and user groups to be mentioned, and the people to be told alone."""

    mentions: Sequence[str] = ()
    direct: Collection[str] = field(default_factory=frozenset)


async def read_call(services: Services, ref: Ref, request_id: str) -> Call | None:
    """Return a request that still waits for approvals; None where it is over, however it ended.

    While SecMaster can't be read its object is taken for what was approved.
    """
    store, now = services.store, services.clock.now()
    requests = await asyncio.to_thread(store.claims.open_requests, now)
    origin = next((each for each in requests if each.request.id == request_id), None)
    if origin is None:
        return None
    action, snapshot = BY_NAME[origin.request.action], None
    try:
        async with asyncio.timeout(services.timeouts.read):
            snapshot = await services.cards.read_and_track(ref)
    except NotFound:
        return None
    except (SecMasterError, TimeoutError):
        fingerprint = origin.request.approvals[-1].decision_fingerprint
        snapshot = await asyncio.to_thread(store.snapshots.get, ref, fingerprint)
    else:  # what rules may ask about, and what was approved
        snapshot = (await asyncio.to_thread(store.evidence.attach, {ref: snapshot}))[ref]
    if snapshot is None or snapshot.status not in action.allowed_statuses:
        return None
    config, request = services.policy.current, origin.request.counted_for(snapshot)
    context = PolicyContext(services.workspaces.all_names(ref.workspace), now, snapshot)
    rule = deciding_rule(config.rules, action, context)
    if rule is None or not request.approvals or request.missing < 1:
        return None
    return Call(origin, request, snapshot, config, rule, context)


async def may_approve(services: Services, call: Call, user: str, *, reads: bool = False) -> bool:
    """Whether somebody may give the next approval; with ``reads``, and read the object as well.

    Raises LookupFailed where Slack can't say who they are.
    """
    return bool(await authority_of(services, call, user, reads=reads))


async def authority_of(services: Services, call: Call, user: str, *, reads: bool = False) -> str:
    """Return the id of the person by whose right somebody may give the next approval; "" if none.

    With ``reads`` they must be able to read the object as well. Raises LookupFailed.
    """
    rules, ref = call.config.rules, call.origin.ref
    roles = call.config.roles_about(call.action, *READS)
    try:
        principal = await services.directory.principal(Actor(id=user), roles)
    except LookupFailed as error:
        if error.is_nobody:
            return ""
        raise
    if reads and not isinstance(decide_read(rules, principal, ref.kind, call.context), Allowed):
        return ""
    return added_authority(rules, principal, call.action, call.context, call.request)


async def find_shortage(services: Services, call: Call) -> messages.approval_calls.Shortage | None:
    """Return that fewer people can approve now than the stage lacks; None where enough can.

    Each right counts once, whoever uses it. Nobody's wish not to be called matters here. Where
    there are many people they are taken for enough. Raises LookupFailed.
    """
    members = await group_members_of(services, call)
    people = sorted(await people_asked(services, call, members))
    if len(people) > MOST_ASKED:
        return None
    authorities: set[str] = set()
    for user in people:
        if authority := await authority_of(services, call, user):
            authorities.add(authority)
        if len(authorities) >= call.request.missing_now:
            return None
    override = call.rule.break_glass if call.request.break_glass_allowed else ()
    return messages.approval_calls.Shortage(len(authorities), call.stage.roles, override)


async def find_callees(services: Services, call: Call, *, in_channel: bool) -> Callees:
    """Return who is called for the next approval, and how; raises LookupFailed.

    Those are people of the roles of the stage whose turn it is, and their delegates, without
    whoever approved. A user group is mentioned as a whole where all of its people may approve, or
    more than five of them.
    """
    if call.rule.call is CallRule.NONE:
        return Callees()
    members = await group_members_of(services, call)
    people = await people_asked(services, call, members)
    choices = await asyncio.to_thread(services.store.preferences.calls_of, people)
    people -= {user for user, choice in choices.items() if choice is CallPreference.OFF}
    direct = {user for user in people if choices.get(user) is CallPreference.DIRECT}
    match call.rule.call:
        case CallRule.MENTION if in_channel:
            return await _mentioned(services, call, members, people - direct, direct)
        case CallRule.MENTION | CallRule.DIRECT:
            return Callees(direct=people)
        case _:
            assert_never(call.rule.call)


async def group_members_of(services: Services, call: Call) -> dict[str, frozenset[str]]:
    """Return the people of each user group of the stage's roles; raises LookupFailed."""
    groups = {group for role in call.roles for group in role.usergroups}
    return {group: await services.directory.group_members(group) for group in sorted(groups)}


async def people_asked(
    services: Services, call: Call, members: Mapping[str, frozenset[str]]
) -> set[str]:
    """Return the people of the stage's roles and their delegates, without whoever approved.

    ``members`` are the people of the roles' user groups. The rules may refuse some of them.
    """
    people = {user for role in call.roles for user in role.users}.union(*members.values())
    now = services.clock.now()
    people |= {
        delegation.delegate
        for delegation in await asyncio.to_thread(services.store.delegations.all, now)
        if delegation.delegator in people
    }
    people -= {services.slack.bot_user}
    return {user for user in people if not call.request.has_approval_of(user, user)}


async def _mentioned(
    services: Services,
    call: Call,
    members: dict[str, frozenset[str]],
    people: set[str],
    direct: set[str],
) -> Callees:
    """Return how ``people`` are called in a channel, besides those who are told alone."""
    groups: list[str] = []
    names: set[str] = set()
    for group, group_people in members.items():
        allowed = await _few_who_may(services, call, sorted(group_people & people))
        if allowed is None or (allowed and group_people == allowed):
            groups.append(group)
        else:
            names |= allowed
        people = people - group_people
    names -= {user for group in groups for user in members[group]}
    if len(names | people) > MOST_MENTIONED:
        return Callees(groups, direct | names | people)
    outside = sorted(people)
    allowed_outside = await asyncio.gather(*(may_approve(services, call, user) for user in outside))
    return Callees([*groups, *sorted(names.union(compress(outside, allowed_outside)))], direct)


async def _few_who_may(services: Services, call: Call, people: Sequence[str]) -> set[str] | None:
    """Return who of a user group may give the next approval; None for more than can be named.

    They are asked about a few at a time, and about fifty at most: more are taken for many.
    """
    allowed: set[str] = set()
    for start in range(0, len(people), MOST_MENTIONED + 1):
        if len(allowed) > MOST_MENTIONED or start >= MOST_ASKED:
            return None
        some = people[start : start + MOST_MENTIONED + 1]
        answers = await asyncio.gather(*(may_approve(services, call, user) for user in some))
        allowed.update(compress(some, answers))
    return allowed if len(allowed) <= MOST_MENTIONED else None
