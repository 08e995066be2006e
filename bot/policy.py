"""May this person do this? Pure: (rules, actor, action, facts) to Allowed or Refused.

The bot holds one SecMaster credential, so this answer is the only check there is. No rule that
matches means no.
"""

import re
from dataclasses import dataclass

from bot.actions import Action, Snapshot
from bot.config import ReasonRule, Rule, When
from bot.models import visible
from bot.secmaster import Task


@dataclass(frozen=True, slots=True)
class Member:
    """What Slack says of a person now: their roles here, and whether they are one of us."""

    id: str
    roles: frozenset[str] = frozenset()
    guest: bool = False
    outsider: bool = False


@dataclass(frozen=True, slots=True)
class Allowed:
    rule: str
    reason: ReasonRule = "optional"


@dataclass(frozen=True, slots=True)
class Refused:
    """``why`` names the kind of no, and ``may`` the roles that could.

    guest, outsider, rule (it leaves it to others), no-rule; or what could not be found out:
    unknown (who asks), unread (what it is about), unstated (what the rule asks of it), gone
    (there is no such thing).
    """

    why: str
    rule: str = ""
    may: tuple[str, ...] = ()


Decision = Allowed | Refused


def needs_facts(rules: tuple[Rule, ...], action: Action) -> bool:
    """Whether any rule for this action depends on what it is taken on."""
    return any(rule.when and covers(rule, action) for rule in rules)


def decide(
    rules: tuple[Rule, ...], member: Member, action: Action, facts: Snapshot | None
) -> Decision:
    """Answer by the first rule that covers the action and its object.

    ``facts`` may be None only where ``needs_facts`` says no: to pass over a rule because its
    object is unknown could let a laxer one decide.
    """
    if member.outsider:
        return Refused("outsider")
    if member.guest:
        return Refused("guest")
    for number, rule in enumerate(rules, 1):
        if not covers(rule, action):
            continue
        fits = _fits(rule.when, facts)
        name = f"rule {number}"
        if fits is None:
            return Refused("unstated", name)
        if fits:
            lacking = member.roles.isdisjoint(rule.roles)
            return Refused("rule", name, rule.roles) if lacking else Allowed(name, rule.reason)
    return Refused("no-rule")


def covers(rule: Rule, action: Action) -> bool:
    return not {"*", f"{action.noun}.*", action.name}.isdisjoint(rule.actions)


def _fits(when: When, facts: Snapshot | None) -> bool | None:
    """Whether a rule's conditions hold; None where SecMaster does not state what they ask."""
    if not when:
        return True
    if facts is None:
        raise ValueError("a rule with `when` was asked without the object it is about")
    if isinstance(facts, Task):
        kind, related = facts.business_type, facts.related_object
    elif when.business_type:
        return False
    else:
        kind, related = "", facts.workflow.name
    stated = {
        "business_type": kind,
        "name": _plain(facts.name),
        "related_object": _plain(related),
    }
    asked = [key for key in stated if getattr(when, key)]
    if not all(stated[key] for key in asked):
        return None
    return all(_holds(when, key, stated[key]) for key in asked)


def _plain(text: str) -> str:
    """What a pattern is held against: what hides in a name must not hide it from a rule."""
    return visible(text.replace("\u200d", ""))


def _holds(when: When, key: str, value: str) -> bool:
    if key == "business_type":
        return value in when.business_type
    return re.match(getattr(when, key), value) is not None
