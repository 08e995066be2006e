"""Tell what the policy asks for before an action is sent, without a person who asks for it.

Pure. The first rule whose conditions hold decides about everybody, so its terms are known before
anybody presses; whom it allows this to is known by its roles.
"""

from collections.abc import Iterable, Mapping, Sequence

from bot.domain.actions import Action
from bot.policy.decide import (
    PolicyContext,
    condition_answers,
    contexts_apart,
    rules_in_order,
)
from bot.policy.rules import Effect, Role, Rule

# What doctor and the check of a policy say of a stage that its people can't fill.
UNFILLED = (
    "its stage of {count} by {roles} can't be filled: nobody fills two stages, and too few have "
    "the roles"
)


def deciding_rule(rules: Sequence[Rule], action: Action, context: PolicyContext) -> Rule | None:
    """Return the rule that decides about an action on an object, and that allows it to somebody.

    Of an object with several assets it is the one that asks for most people. None where no rule
    allows it, or where it can't be told which rule decides. A rule that denies it to some roles
    takes nothing from what the others need.
    """
    contexts = contexts_apart(rules, action, context)
    deciding = [rule for each in contexts if (rule := _deciding_rule(rules, action, each))]
    if len(deciding) < len(contexts):
        return None
    return max(deciding, key=lambda rule: rule.approvals)


def _deciding_rule(rules: Sequence[Rule], action: Action, context: PolicyContext) -> Rule | None:
    for _title, rule in rules_in_order(rules, action):
        answers = tuple(condition_answers(rule.when, context))
        unmet = next((answer for answer in answers if answer is not True), None)
        if rule.effect is Effect.DENY:
            if not rule.roles and False not in answers:
                return None
        elif unmet is not False:
            return rule if unmet is None else None
    return None


def members(roles: Mapping[str, Role], names: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of the user groups and people that have one of these roles, each once."""
    chosen = [roles[name] for name in names if name in roles]
    groups = [usergroup for role in chosen for usergroup in role.usergroups]
    people = [user for role in chosen for user in role.users]
    return tuple(dict.fromkeys([*groups, *people]))
