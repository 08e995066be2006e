"""What is asked for before an action is sent is known before anybody asks for it."""

from datetime import UTC, datetime

import pytest

from bot.domain.actions import BY_NAME
from bot.policy.config import parse
from bot.policy.decide import PolicyContext
from bot.policy.requirements import deciding_rule, members
from bot.policy.rules import Role
from bot.secmaster import Task

ROLES = """
[roles.approver]
users = ["U0ALICE"]
[roles.oncall]
users = ["U0CAROL"]
[break_glass]
channel = "C0GLASS"
"""
ALLOW = 'actions = ["task.*"]\nroles = ["approver"]'
TWO = """actions = ["task.approve"]
roles = ["approver"]
approvals = 2
reason = "required"
break_glass = ["oncall"]"""
DENY = 'effect = "deny"\nactions = ["task.approve"]'
FIREWALL = 'when = { name = "Firewall" }'
APPROVE = BY_NAME["task.approve"]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def needed(name: str | None, *rules: str) -> int | None:
    """Return how many approvals a task of this name needs by these rules; None if not known."""
    config = parse(ROLES + "".join(f"\n[[rules]]\n{rule}\n" for rule in rules))
    task = None if name is None else Task(id="t-1", name=name, status="waiting")
    found = deciding_rule(config.rules, APPROVE, PolicyContext(frozenset({"main"}), NOW, task))
    return found.needed if found else None


@pytest.mark.parametrize(
    ("name", "rules", "approvals"),
    [
        ("x", [TWO, ALLOW], 2),
        ("x", [ALLOW, TWO], 1),
        ("x", [f"{TWO}\n{FIREWALL}", ALLOW], 1),
        ("Firewall", [f"{TWO}\n{FIREWALL}", ALLOW], 2),
        (None, [f"{TWO}\n{FIREWALL}", ALLOW], None),  # which rule decides is not known
        ("Fіrewall", [f"{TWO}\n{FIREWALL}", ALLOW], None),  # nor with a Cyrillic letter
        ("x", [f'{TWO}\nwhen = {{ workspace = ["other"] }}', ALLOW], 1),
        ("x", [TWO, DENY], None),  # nobody may
        ("x", [TWO, f'{DENY}\nroles = ["oncall"]'], 2),  # the others may
        ("x", [TWO, f"{DENY}\n{FIREWALL}"], 2),
        (None, [TWO, f"{DENY}\n{FIREWALL}"], None),
        ("x", [], None),
    ],
)
def test_the_first_rule_that_fits_says_how_many(
    name: str | None, rules: list[str], approvals: int | None
) -> None:
    assert needed(name, *rules) == approvals


def test_a_requirement_says_who_and_what_else() -> None:
    config = parse(f"{ROLES}\n[[rules]]\nname = 'grave'\n{TWO}\n")
    task = Task(id="t-1", name="x", status="waiting")
    found = deciding_rule(config.rules, APPROVE, PolicyContext(frozenset({"main"}), NOW, task))
    assert found is not None
    assert (found.name, found.roles, found.break_glass) == (
        "grave",
        ("approver",),
        ("oncall",),
    )
    assert found.reason == "required"


def test_the_members_of_roles_are_named_once_and_groups_first() -> None:
    roles = {
        "a": Role(users=("U0ALICE", "U0BOB"), usergroups=("S0SOC",)),
        "b": Role(users=("U0BOB", "U0CAROL"), usergroups=("S0SOC",)),
    }
    assert members(roles, ("a", "b", "gone")) == ("S0SOC", "U0ALICE", "U0BOB", "U0CAROL")
