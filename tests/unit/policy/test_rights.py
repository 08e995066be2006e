"""What a person may do by the rules alone agrees with what the policy decides of an object."""

import itertools
from dataclasses import replace

import pytest

from bot.domain.actions import BY_NAME
from bot.policy.config import Config, parse
from bot.policy.decide import Allowed, PolicyContext, Principal, decide
from bot.policy.rights import Answer, cases
from bot.policy.rules import RuleConditions
from tests.support.people import ALICE, BOB, DAVE
from tests.support.samples import NOW, WAITING

ROLES = "[roles.approver]\n[roles.oncall]\n[roles.lead]\n"
RULES = (
    "[[rules]]\nactions = ['task.approve']\nroles = ['approver']\nwhen = { name = 'Isolate.*' }\n",
    "[[rules]]\nactions = ['task.*']\nroles = ['oncall']\nwhen = { name = 'Block.*' }\n",
    "[[rules]]\neffect = 'deny'\nactions = ['*']\nroles = ['lead']\nwhen = { name = 'Block.*' }\n",
    "[[rules]]\neffect = 'deny'\nactions = ['task.approve']\nroles = ['oncall']\n",
    "[[rules]]\nactions = ['*']\nroles = ['approver', 'lead']\n",
)
PEOPLE = {
    "approver": Principal(ALICE, frozenset({"approver"})),
    "lead": Principal(ALICE, frozenset({"lead"})),
    "both": Principal(ALICE, frozenset({"approver", "oncall"})),
    "nobody": Principal(DAVE),
    "delegate": Principal(
        DAVE,
        delegators=(
            Principal(BOB, frozenset({"oncall"})),
            Principal(ALICE, frozenset({"approver"})),
        ),
    ),
}
SAMPLES = [
    (policy, person, name)
    for size in (1, 2, 3)
    for policy in itertools.permutations(RULES, size)
    for person in PEOPLE
    for name in ("Isolate host", "Block IP", "Other")
]


def holds(conditions: RuleConditions, name: str) -> bool:
    return not conditions.name or name.startswith(conditions.name.removesuffix(".*"))


def policy_of(rules: tuple[str, ...]) -> Config:
    return parse(ROLES + "".join(rules))


@pytest.mark.parametrize("person", PEOPLE)
def test_the_first_case_that_holds_is_what_the_policy_decides(person: str) -> None:
    principal, approve = PEOPLE[person], BY_NAME["task.approve"]
    for rules, name in {(policy, name) for policy, each, name in SAMPLES if each == person}:
        config = policy_of(rules)
        snapshot = WAITING.model_copy(update={"name": name})
        context = PolicyContext(frozenset({"main"}), NOW, snapshot)
        decision = decide(config.rules, principal, approve, context)
        answers = cases(config.rules, principal, approve)
        case = next((each for each in answers if holds(each.rule.when, name)), None)
        allowed = case is not None and case.answer is Answer.ALLOWED
        assert (rules, name, allowed) == (rules, name, isinstance(decision, Allowed))
        if case is not None and isinstance(decision, Allowed):
            assert (case.title, case.delegator) == (decision.rule, decision.delegator)


@pytest.mark.parametrize(
    "principal",
    [replace(PEOPLE["approver"], guest=True), replace(PEOPLE["approver"], outsider=True)],
)
def test_guests_and_outsiders_have_no_cases(principal: Principal) -> None:
    assert cases(policy_of(RULES[-1:]).rules, principal, BY_NAME["task.approve"]) == ()
