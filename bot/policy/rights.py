"""What a person may do by the rules alone: for each action the cases that the policy tells apart.

Knows no object: whether the conditions of a case hold is left open. ``decide`` answers about one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.actions import Action
from bot.policy.decide import Principal, is_for, rules_in_order
from bot.policy.rules import Effect, Read, Rule


class Answer(StrEnum):
    """What a rule answers a person: it allows, leaves the action to other roles, or denies it."""

    ALLOWED = "allowed"
    OTHERS = "others"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Case:
    """What one rule answers where its conditions hold, and no earlier case applies.

    ``title`` is the rule's; ``delegator`` is the id of the person whose right is used, "" for the
    person's own.
    """

    title: str
    rule: Rule
    answer: Answer
    delegator: str = ""


def cases(rules: Sequence[Rule], principal: Principal, action: Action | Read) -> tuple[Case, ...]:
    """Return what the rules about an action answer a person, in the order in which they are asked.

    The first case whose conditions hold is the policy's answer, and none means no. Nothing follows
    a case without conditions. There are none for guests and outsiders.
    """
    if principal.guest or principal.outsider:
        return ()
    delegators = [each for each in principal.delegators if not (each.guest or each.outsider)]
    answers: list[Case] = []
    for title, rule in rules_in_order(rules, action):
        case = _case(title, rule, principal, delegators)
        if case is None:
            continue
        if case.answer is Answer.DENIED and case.delegator:
            # Their right is of no use where this holds; said of all is safer than of none.
            delegators = [each for each in delegators if each.id != case.delegator]
            continue
        answers.append(case)
        if not rule.when:
            break
    return tuple(answers)


def _case(
    title: str, rule: Rule, principal: Principal, delegators: Sequence[Principal]
) -> Case | None:
    """Return what a rule answers a person; None for one that denies, and is not about them."""
    holders = [(principal, ""), *((each, each.id) for each in delegators)]
    holder = next((id_ for each, id_ in holders if is_for(rule, each)), None)
    if rule.effect is Effect.DENY:
        return None if holder is None else Case(title, rule, Answer.DENIED, holder)
    if holder is None:
        return Case(title, rule, Answer.OTHERS)
    return Case(title, rule, Answer.ALLOWED, holder)
