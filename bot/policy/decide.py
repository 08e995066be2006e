"""May this person do this? Pure: (rules, who, what, about what) to Allowed or Refused.

The bot holds one SecMaster credential, so this answer is the only check there is. No rule that
matches means no, and so does whatever can't be known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.domain.actions import Action
from bot.domain.reasons import RefusalReason
from bot.domain.snapshots import Snapshot
from bot.policy.config import Identities
from bot.policy.rules import (
    ConfirmRule,
    ReasonRule,
    Rule,
    RuleConditions,
    covers,
    matches,
    normalize,
    numbered,
    stated_values,
)
from bot.secmaster import Task


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is in SecMaster, in small letters: the names it may be; none, unknown."""

    names: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return max(self.names, key=lambda name: (len(name), name), default="")


def identify(identities: Identities, user: str, email: str) -> Identity:
    """Who a person of Slack is in SecMaster: as the policy says, or else by their e-mail.

    A name that the policy gives to somebody else is not guessed to be theirs.
    """
    if given := identities.users.get(user):
        return Identity(_names(given))
    address = normalize(email).casefold()
    local, _, domain = address.rpartition("@")
    if not local or domain != identities.email_domain:
        return Identity()
    names = _names(local, address)
    taken = not names.isdisjoint(_names(*identities.users.values()))
    return Identity() if taken else Identity(names)


def _names(*names: str) -> frozenset[str]:
    """Names as they are compared; one of which nothing can be seen is none."""
    return frozenset(normalize(name).casefold() for name in names) - {""}


@dataclass(frozen=True, slots=True)
class Principal:
    """What is known of a person now: their roles, who they are, and whether they are one of us.

    ``lenders`` lent them their rights; ``lender`` is whose roles these are, if not their own.
    """

    id: str
    roles: frozenset[str] = frozenset()
    guest: bool = False
    outsider: bool = False
    identities: tuple[Identity, ...] = (Identity(),)
    delegators: tuple["Principal", ...] = ()
    delegator: str = ""

    def acting_for(self, lender: "Principal") -> "Principal":
        """Return them with another's roles, and with what keeps either of the two from acting."""
        return replace(
            self,
            roles=lender.roles,
            guest=self.guest or lender.guest,
            outsider=self.outsider or lender.outsider,
            identities=self.identities + lender.identities,
            delegator=lender.id,
        )


@dataclass(frozen=True, slots=True)
class PolicyContext:
    """What something is done about: in which workspace, by whichever of its names, and when.

    ``snapshot`` may be None only where ``needs_facts`` says no.
    """

    workspaces: frozenset[str]
    now: datetime
    snapshot: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Allowed:
    """Under which rule, and what it asks for; ``may`` are the roles it leaves this to."""

    rule: str
    reason: ReasonRule = "optional"
    confirm: ConfirmRule = ""
    approvals: int = 1
    expires: float = 3600
    break_glass_allowed: bool = False
    break_glass: bool = False
    delegator: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """``why`` names the kind of no, and ``may`` the roles that could.

    guest, outsider, rule (it leaves it to others), self (the creator may not), glass (not by
    this person), no-glass (there is none to break), no-rule; or what could not be found out:
    unknown (who asks), unmapped (who that is in SecMaster), unread (what it is about), unstated
    (what the rule asks of it), gone (there is no such thing).
    """

    reason: RefusalReason
    rule: str = ""
    roles: tuple[str, ...] = field(default=())


Decision = Allowed | Refused

# A right that somebody lent helps where one's own was missing, and nowhere else.
DELEGABLE = (RefusalReason.RULE,)


def needs_snapshot(rules: Sequence[Rule], action: Action) -> bool:
    """Whether any rule for this action depends on what it is taken on."""
    return any(
        (rule.when.asks_the_object or not rule.creator_allowed) and covers(rule, action)
        for rule in rules
    )


def decide(
    rules: Sequence[Rule],
    member: Principal,
    action: Action,
    matter: PolicyContext,
    *,
    break_glass: bool = False,
) -> Decision:
    """Answer by one's own right, or else by that of whoever lent theirs.

    ``glass`` asks to decide alone what asks for several people: nobody can lend that.
    """
    own = _decide(rules, member, action, matter, glass=break_glass)
    if isinstance(own, Allowed) or own.reason not in DELEGABLE or break_glass:
        return own
    for lender in member.delegators:
        lent = _decide(rules, member.acting_for(lender), action, matter, glass=False)
        if isinstance(lent, Allowed):
            return lent
    return own


def _decide(
    rules: Sequence[Rule], member: Principal, action: Action, matter: PolicyContext, *, glass: bool
) -> Decision:
    """Answer by the first rule that covers the action and what it is about."""
    if member.outsider:
        return Refused(RefusalReason.OUTSIDER)
    if member.guest:
        return Refused(RefusalReason.GUEST)
    for title, rule in titled_rules(rules):
        if not covers(rule, action):
            continue
        fits = _fits(rule.when, matter)
        if fits is None:
            return Refused(RefusalReason.UNSTATED, title)
        if fits:
            return _by(rule, title, member, matter.snapshot, glass=glass)
    return Refused(RefusalReason.NO_RULE)


def titled_rules(rules: Sequence[Rule]) -> Iterator[tuple[str, Rule]]:
    """Each rule with what it is called: its number, and its name if it has one."""
    return numbered("rule", rules)


def _by(
    rule: Rule, title: str, member: Principal, about: Snapshot | None, *, glass: bool
) -> Decision:
    """Answer by the rule that decides."""
    may = rule.break_glass if glass else rule.roles
    if glass and not may:
        return Refused(RefusalReason.NO_BREAK_GLASS, title, rule.roles)
    if member.roles.isdisjoint(may):
        return Refused(RefusalReason.BREAK_GLASS if glass else RefusalReason.RULE, title, may)
    if not rule.creator_allowed and (why := _own(member, about)):
        return Refused(why, title, rule.roles)
    return Allowed(
        title,
        "required" if glass else rule.reason,
        rule.confirm,
        approvals=1 if glass else rule.approvals,
        expires=rule.expires.total_seconds(),
        break_glass_allowed=bool(rule.break_glass),
        break_glass=glass,
        delegator=member.delegator,
        roles=rule.roles,
    )


def _own(member: Principal, about: Snapshot | None) -> RefusalReason | None:
    """Return why this may be the person's own task, or None where it is somebody else's."""
    if not isinstance(about, Task):
        return RefusalReason.UNSTATED
    known = _names(about.creator_id, about.creator_name)
    if any(known & identity.names for identity in member.identities):
        return RefusalReason.SELF
    # An identity is a name: an id that differs from it says nothing.
    if not _names(about.creator_name):
        return RefusalReason.UNSTATED
    if all(identity.names for identity in member.identities):
        return None
    return RefusalReason.UNMAPPED


def _fits(when: RuleConditions, matter: PolicyContext) -> bool | None:
    """Whether a rule's conditions hold; None where SecMaster does not state what they ask."""
    if not when.includes_workspace(matter.workspaces):
        return False
    if not when.asks_the_object:
        return True
    if matter.snapshot is None:
        raise ValueError("a rule with `when` was asked without the object it is about")
    return _holds(when, matter.snapshot, matter.now)


def _holds(when: RuleConditions, about: Snapshot, now: datetime) -> bool | None:
    facts = stated_values(about)
    if not facts.keys() >= set(when.object_keys):
        return False
    if not all(facts[key] for key in when.object_keys):
        return None
    late = isinstance(about, Task) and about.due_date is not None and about.due_date < now
    in_time = when.overdue is None or when.overdue is late
    return in_time and all(matches(when, key, facts[key]) for key in when.object_keys)
