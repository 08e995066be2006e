"""Decide whether a person may take an action: rules, principal and context to Allowed or Refused.

Pure. The bot holds one SecMaster credential, so this answer is the only check there is. Rules that
deny are asked first. No rule that matches means no, and so does whatever can't be known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import chain

from bot.domain.actions import Action
from bot.domain.approvals import ApprovalRequest
from bot.domain.objects import ObjectKind
from bot.domain.reasons import RefusalReason
from bot.domain.snapshots import Snapshot
from bot.domain.stages import ONE, Stages, one_stage, stage_at, total, with_at_least
from bot.policy.config import Identities
from bot.policy.evidence import EVIDENCE_KEYS, unread_fact
from bot.policy.patterns import lookalikes, normalize
from bot.policy.rules import (
    ConfirmRule,
    Effect,
    Read,
    ReasonRule,
    Rule,
    RuleConditions,
    apart,
    covers,
    facts_for,
    matches,
    numbered,
)
from bot.secmaster import Task, Unread


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a person is in SecMaster: the names it may be, in small letters; none where unknown."""

    names: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Return the longest name, for display; "" where unknown."""
        return max(self.names, key=lambda name: (len(name), name), default="")


def identify(identities: Identities, user: str, email: str) -> Identity:
    """Return who a Slack person is in SecMaster: as the policy maps them, or else by e-mail.

    A name that the policy maps to somebody else is never guessed to be theirs.
    """
    if name := identities.users.get(user):
        return Identity(_normalized(name))
    address = normalize(email).casefold()
    local_part, _, domain = address.rpartition("@")
    if not local_part or domain != identities.email_domain:
        return Identity()
    names = _normalized(local_part, address)
    mapped = _normalized(*identities.users.values())
    return Identity(names) if names.isdisjoint(mapped) else Identity()


def _normalized(*names: str) -> frozenset[str]:
    """Return names as they are compared, without those that have no visible character."""
    return frozenset(normalize(name).casefold() for name in names) - {""}


@dataclass(frozen=True, slots=True)
class Principal:
    """A person as the policy sees them now: roles, identities, and whether they belong here.

    ``delegators`` delegated their rights to this person; ``delegator`` is the id of the one whose
    roles these are, "" for the person's own.
    """

    id: str
    roles: frozenset[str] = frozenset()
    guest: bool = False
    outsider: bool = False
    identities: tuple[Identity, ...] = (Identity(),)
    delegators: tuple["Principal", ...] = ()
    delegator: str = ""

    def acting_for(self, delegator: "Principal") -> "Principal":
        """Return this person with the roles of a delegator, and the restrictions of both."""
        return replace(
            self,
            roles=delegator.roles,
            guest=self.guest or delegator.guest,
            outsider=self.outsider or delegator.outsider,
            identities=self.identities + delegator.identities,
            delegator=delegator.id,
        )


@dataclass(frozen=True, slots=True)
class PolicyContext:
    """What an action is taken on, and when: the workspace, by all of its names, and the object.

    ``snapshot`` is None where the object was not read: then a rule that asks about it refuses.
    """

    workspaces: frozenset[str]
    now: datetime
    snapshot: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """The action is allowed: by which rule, under which terms.

    ``expires`` is in seconds; ``break_glass`` means that the person decides alone;
    ``stages`` are the approvals that it needs; ``delegator`` is whose right is used; ``roles`` are
    those that the rule allows this to, and ``own_roles`` those of them by which this is allowed.
    """

    rule: str
    reason: ReasonRule = ReasonRule.OPTIONAL
    confirm: ConfirmRule = ConfirmRule.NOTHING
    stages: Stages = ONE
    expires: float = 3600
    break_glass_allowed: bool = False
    break_glass: bool = False
    delegator: str = ""
    roles: tuple[str, ...] = ()
    # The answer is the same, whichever of their roles it is by.
    own_roles: tuple[str, ...] = field(default=(), compare=False)

    @property
    def approvals(self) -> int:
        """How many people must ask for the same, in all of the stages."""
        return total(self.stages)

    def may_fill(self, turn: int) -> bool:
        """Whether an approval by this right fills the stage of this number, from 0."""
        return stage_at(self.stages, turn).is_for(self.own_roles)


@dataclass(frozen=True, slots=True)
class Refused:
    """The action is refused: why, by which rule, and which roles could take it.

    ``letters`` of the object's names look like others, or ``unread`` could not be read around it,
    where that is why.
    """

    reason: RefusalReason
    rule: str = ""
    roles: tuple[str, ...] = field(default=())
    letters: str = ""
    unread: Unread | None = None


Decision = Allowed | Refused

# A delegated right helps where one's own was missing, and nowhere else.
DELEGABLE = (RefusalReason.RULE,)


def needs_snapshot(rules: Sequence[Rule], action: Action | Read) -> bool:
    """Whether any rule for this action depends on the object that it is taken on."""
    return any(
        (rule.when.needs_snapshot or not rule.creator_allowed) and covers(rule, action)
        for rule in rules
    )


def decide(  # noqa: PLR0913 - who does what, and what is asked for
    rules: Sequence[Rule],
    principal: Principal,
    action: Action | Read,
    context: PolicyContext,
    *,
    break_glass: bool = False,
    turn: int = 0,
) -> Decision:
    """Decide by the person's own right, or else by that of a delegator.

    ``break_glass`` asks to decide alone what needs several people: that can't be delegated.
    ``turn`` is the number of the stage, from 0, whose approvals are asked for now: a right that
    fills it comes before one that does not.
    """
    decision = _decide(rules, principal, action, context, break_glass=break_glass)
    if break_glass or (isinstance(decision, Refused) and decision.reason not in DELEGABLE):
        return decision
    if isinstance(decision, Allowed) and decision.may_fill(turn):
        return decision
    decisions = [decision]
    for delegator in principal.delegators:
        acting = principal.acting_for(delegator)
        decisions.append(_decide(rules, acting, action, context, break_glass=False))
    allowed = [each for each in decisions if isinstance(each, Allowed)]
    return next((each for each in allowed if each.may_fill(turn)), next(iter(allowed), decision))


def decide_by_one_right(
    rules: Sequence[Rule],
    principal: Principal,
    action: Action,
    context: PolicyContext,
    delegator: str,
) -> Decision:
    """Decide by one right alone: that of the delegator with this id, or for "" the person's own."""
    decision = _decide(rules, principal, action, context, break_glass=False)
    if not delegator or (isinstance(decision, Refused) and decision.reason not in DELEGABLE):
        return decision
    for each in principal.delegators:
        if each.id == delegator:
            acting = principal.acting_for(each)
            return _decide(rules, acting, action, context, break_glass=False)
    return Refused(RefusalReason.RULE)


def may_add_approval(
    rules: Sequence[Rule],
    principal: Principal,
    action: Action,
    context: PolicyContext,
    request: ApprovalRequest,
) -> bool:
    """Whether a person may give the next approval of a request: by a right that counts once."""
    return bool(added_authority(rules, principal, action, context, request))


def added_authority(
    rules: Sequence[Rule],
    principal: Principal,
    action: Action,
    context: PolicyContext,
    request: ApprovalRequest,
) -> str:
    """Return the id of the person by whose right somebody may give the next approval; "" if none.

    That is their own, or a delegator's, and it fills the stage whose turn it is; each counts once.
    """
    decision = decide(rules, principal, action, context, turn=request.turn)
    if not isinstance(decision, Allowed) or not decision.may_fill(request.turn):
        return ""
    authority = decision.delegator or principal.id
    return "" if request.has_approval_of(principal.id, authority) else authority


class ReadScope(StrEnum):
    """How much of a kind somebody may read in a workspace, who may read anything of it."""

    EVERYTHING = "everything"
    SOME = "some"  # it depends on the object


def decide_read(
    rules: Sequence[Rule], principal: Principal, kind: ObjectKind, context: PolicyContext
) -> Decision:
    """Decide whether a person may read an object of this kind, by the rules about that alone."""
    return decide(rules, principal, Read(kind), context)


def read_scope(
    rules: Sequence[Rule], principal: Principal, kind: ObjectKind, context: PolicyContext
) -> ReadScope | Refused:
    """Return how much of a kind a person may read, without asking about any object.

    ``SOME`` may turn out to be nothing; a refusal holds for every object.
    """
    conditional = [rule for rule in rules if covers(rule, Read(kind)) and rule.when.needs_snapshot]

    def decide_if(holding: Rule | None) -> Decision:
        """Decide about an object that fulfils the conditions of this rule and of no other."""
        assumed = []
        for rule in rules:
            when = RuleConditions.model_construct(workspace=rule.when.workspace)
            change: dict[str, object] = {"when": when} if rule is holding else {"actions": ()}
            assumed.append(rule.model_copy(update=change) if rule in conditional else rule)
        return decide_read(assumed, principal, kind, context)

    decisions = [decide_if(None), *map(decide_if, conditional)]
    refusals = [decision for decision in decisions if isinstance(decision, Refused)]
    if not refusals:
        return ReadScope.EVERYTHING
    if len(refusals) < len(decisions):
        return ReadScope.SOME
    return next((refusal for refusal in refusals if refusal.roles), refusals[0])


def task_readers_read_runs(rules: Sequence[Rule], kind: ObjectKind, context: PolicyContext) -> bool:
    """Whether every role that may read a task may read every run of a kind, by the rules."""
    roles = {
        role
        for rule in rules
        if rule.effect is Effect.ALLOW and covers(rule, Read("task"))
        for role in rule.roles
    }
    return all(
        read_scope(rules, Principal("", frozenset({role})), kind, context) is ReadScope.EVERYTHING
        for role in roles
    )


def _decide(
    rules: Sequence[Rule],
    principal: Principal,
    action: Action | Read,
    context: PolicyContext,
    *,
    break_glass: bool,
) -> Decision:
    """Decide about each asset of the object by itself: all must be allowed, on the strictest terms.

    The emergency override is for those that ask for several people; the others are decided as usual
    beside them.
    """
    contexts = contexts_apart(rules, action, context)
    decisions = [
        _decide_one(rules, principal, action, each, break_glass=break_glass) for each in contexts
    ]
    if any(isinstance(each, Allowed) and each.break_glass for each in decisions):
        for number, decision in enumerate(decisions):
            if isinstance(decision, Refused) and decision.reason is RefusalReason.NO_BREAK_GLASS:
                usual = _decide_one(rules, principal, action, contexts[number], break_glass=False)
                asks_several = isinstance(usual, Allowed) and usual.approvals > 1
                decisions[number] = decision if asks_several else usual
    refusals = [each for each in decisions if isinstance(each, Refused)]
    if refusals:
        # What nobody gets past says most; that one asset has nothing to override says least.
        return min(
            refusals,
            key=lambda each: (
                each.reason is RefusalReason.NO_BREAK_GLASS,
                each.reason in DELEGABLE,
            ),
        )
    return _strictest([each for each in decisions if isinstance(each, Allowed)])


def contexts_apart(
    rules: Sequence[Rule], action: Action | Read, context: PolicyContext
) -> list[PolicyContext]:
    """Return the contexts that an action is decided in: one for each asset, where a rule asks."""
    if context.snapshot is None:
        return [context]
    conditions = [rule.when for rule in rules if covers(rule, action)]
    return [replace(context, snapshot=each) for each in apart(conditions, context.snapshot)]


def _strictest(decisions: Sequence[Allowed]) -> Allowed:
    """Return what is asked of whoever needs all of these: of each term the strictest."""
    first, *others = sorted(
        decisions,
        key=lambda each: (each.approvals, bool(each.confirm), each.reason is ReasonRule.REQUIRED),
        reverse=True,
    )
    if not others:
        return first
    shared = [each for each in decisions if each.approvals > 1]
    # Each order of stages is kept whole, one after the other: none gives way to a number.
    plans = dict.fromkeys(each.stages for each in decisions if len(each.stages) > 1)
    stages = tuple(chain.from_iterable(plans)) or first.stages
    return replace(
        first,
        stages=with_at_least(stages, first.approvals),
        own_roles=tuple(dict.fromkeys(role for each in decisions for role in each.own_roles)),
        reason=min((each.reason for each in decisions), key=list(ReasonRule).index),
        confirm=max(each.confirm for each in decisions),
        expires=min((each.expires for each in shared), default=first.expires),
        break_glass_allowed=bool(shared) and all(each.break_glass_allowed for each in shared),
        break_glass=any(each.break_glass for each in decisions),
    )


def _decide_one(
    rules: Sequence[Rule],
    principal: Principal,
    action: Action | Read,
    context: PolicyContext,
    *,
    break_glass: bool,
) -> Decision:
    """Decide by the first rule that covers the action and whose conditions hold.

    A deny holds unless it certainly does not; any other rule refuses where that can't be told.
    """
    if principal.outsider:
        return Refused(RefusalReason.OUTSIDER)
    if principal.guest:
        return Refused(RefusalReason.GUEST)
    for title, rule in rules_in_order(rules, action):
        answers = tuple(condition_answers(rule.when, context))
        unmet = next((answer for answer in answers if answer is not True), None)
        if rule.effect is Effect.DENY:
            if is_for(rule, principal) and False not in answers:
                reason = RefusalReason.DENIED if unmet is None else RefusalReason.DENIED_UNREAD
                return Refused(reason, title, unread=_unread_fact(rule.when, context.snapshot))
        elif unmet is None:
            return _decide_by(rule, title, principal, context.snapshot, break_glass=break_glass)
        elif isinstance(unmet, RefusalReason):
            unclear = unmet is RefusalReason.LOOKALIKE
            letters = _unclear_letters(rule.when, context.snapshot) if unclear else ""
            unread = _unread_fact(rule.when, context.snapshot)
            return Refused(unmet, title, letters=letters, unread=unread)
    return Refused(RefusalReason.NO_RULE)


def rules_in_order(rules: Sequence[Rule], action: Action | Read) -> list[tuple[str, Rule]]:
    """Return the rules about an action, with their titles, in the order in which they are asked.

    Those that deny come first. A title is a rule's number in the file, and its name if it has one.
    """
    entries = (entry for entry in numbered("rule", rules) if covers(entry[1], action))
    return sorted(entries, key=lambda entry: entry[1].effect is not Effect.DENY)


def may_ever(rules: Sequence[Rule], principal: Principal, action: Action | Read) -> bool:
    """Whether the rules could allow a person this for some object; they need not for any."""

    def may(person: Principal) -> bool:
        """Whether a rule could, by this person's own roles."""
        for _title, rule in rules_in_order(rules, action):
            if rule.effect is Effect.ALLOW and not person.roles.isdisjoint(rule.roles):
                return True
            if not rule.when and (rule.effect is Effect.ALLOW or is_for(rule, person)):
                return False
        return False

    people = (principal, *map(principal.acting_for, principal.delegators))
    return any(may(person) for person in people if not person.guest and not person.outsider)


def is_for(rule: Rule, principal: Principal) -> bool:
    """Whether a rule is about a person, by one of their roles or because it names none."""
    return not rule.roles or not principal.roles.isdisjoint(rule.roles)


def condition_answers(
    conditions: RuleConditions, context: PolicyContext
) -> Iterator[bool | RefusalReason]:
    """Yield for the conditions of a rule whether they hold, or why that can't be told.

    The first that is not True says what becomes of a rule that allows.
    """
    yield conditions.includes_workspace(context.workspaces)
    if not conditions.needs_snapshot:
        return
    snapshot = context.snapshot
    if snapshot is None:
        yield RefusalReason.UNREAD
        return
    facts, keys = facts_for(conditions, snapshot), conditions.object_keys
    yield facts.keys() >= set(keys)
    texts = {key: fact for key in keys if isinstance(fact := facts.get(key, ""), str)}
    unstated = [key for key, text in texts.items() if not text]
    if not set(EVIDENCE_KEYS).issuperset(unstated):
        yield RefusalReason.UNSTATED
    due = snapshot.due_date if isinstance(snapshot, Task) else None
    overdue = due is not None and due < context.now
    yield conditions.overdue in {None, overdue}
    fits = [matches(conditions, key, text) for key, text in texts.items() if text]
    yield False not in fits
    if None in fits:
        yield RefusalReason.LOOKALIKE
    # What could not be read matters only where nothing else says that the rule is about others.
    if unread_fact(facts, keys):
        yield RefusalReason.EVIDENCE_UNREAD
    elif unstated:
        yield RefusalReason.UNSTATED


def _unclear_letters(conditions: RuleConditions, snapshot: Snapshot | None) -> str:
    """Return the letters for which it can't be told whether these conditions hold."""
    facts = facts_for(conditions, snapshot) if snapshot else {}
    values = ((key, facts.get(key)) for key in conditions.object_keys)
    texts = ((key, value) for key, value in values if isinstance(value, str))
    unclear = (text for key, text in texts if matches(conditions, key, text) is None)
    return "".join(dict.fromkeys("".join(map(lookalikes, unclear))))


def _unread_fact(conditions: RuleConditions, snapshot: Snapshot | None) -> Unread | None:
    """Return why something that these conditions ask for could not be read; None where all was."""
    if snapshot is None:
        return None
    return unread_fact(facts_for(conditions, snapshot), conditions.object_keys)


def _decide_by(
    rule: Rule, title: str, principal: Principal, snapshot: Snapshot | None, *, break_glass: bool
) -> Decision:
    """Decide by one rule, whose conditions hold."""
    roles = rule.break_glass if break_glass else rule.roles
    if break_glass and not roles:
        return Refused(RefusalReason.NO_BREAK_GLASS, title, rule.roles)
    if principal.roles.isdisjoint(roles):
        reason = RefusalReason.BREAK_GLASS if break_glass else RefusalReason.RULE
        return Refused(reason, title, roles)
    if not rule.creator_allowed and (creator := _creator_refusal(principal, snapshot)):
        return Refused(creator, title, rule.roles)
    return Allowed(
        title,
        ReasonRule.REQUIRED if break_glass else rule.reason,
        rule.confirm,
        stages=one_stage(1, roles) if break_glass else rule.stages,
        expires=rule.expires.total_seconds(),
        break_glass_allowed=bool(rule.break_glass),
        break_glass=break_glass,
        delegator=principal.delegator,
        roles=rule.roles,
        own_roles=tuple(role for role in roles if role in principal.roles),
    )


def _creator_refusal(principal: Principal, snapshot: Snapshot | None) -> RefusalReason | None:
    """Return why this may be a task that the person created; None if somebody else created it."""
    if snapshot is None:
        return RefusalReason.UNREAD
    if not isinstance(snapshot, Task):
        return RefusalReason.UNSTATED
    creator = _normalized(snapshot.creator_id, snapshot.creator_name)
    if any(creator & identity.names for identity in principal.identities):
        return RefusalReason.SELF
    # An identity is a name: an id that differs from it says nothing.
    if not _normalized(snapshot.creator_name):
        return RefusalReason.UNSTATED
    if all(identity.names for identity in principal.identities):
        return None
    return RefusalReason.UNMAPPED
