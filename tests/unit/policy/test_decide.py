"""Who may do what: the first rule that matches decides, and none means no."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, TABLE, Action
from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.reasons import RefusalReason
from bot.domain.slack import Actor
from bot.domain.snapshots import Snapshot, decision_fingerprint
from bot.domain.stages import one_stage
from bot.policy.config import Identities, parse
from bot.policy.decide import (
    Allowed,
    Decision,
    Identity,
    PolicyContext,
    Principal,
    ReadScope,
    Refused,
    decide,
    decide_read,
    identify,
    may_add_approval,
    may_ever,
    needs_snapshot,
    read_scope,
)
from bot.policy.rules import READS, ConfirmRule, ReasonRule, Rule, covers
from bot.secmaster import Instance, Named, Task, WorkflowRef

APPROVE, RETRY, COMMENT = (
    BY_NAME["task.approve"],
    BY_NAME["instance.retry"],
    BY_NAME["task.comment"],
)
ALICE = Principal("U0ALICE", frozenset({"approver"}), identities=(Identity(frozenset({"alice"})),))
CAROL = Principal("U0CAROL", frozenset({"oncall"}), identities=(Identity(frozenset({"carol"})),))
FRANK = Principal("U0FRANK", frozenset({"chief"}), identities=(Identity(frozenset({"frank"})),))
DAVE = Principal("U0DAVE", identities=(Identity(frozenset({"dave"})),))
ROLES = """
[roles.approver]
users = ['U0ALICE']
[roles.oncall]
users = ['U0CAROL']
[roles.chief]
users = ['U0FRANK']
[identities]
email_domain = "example.com"
[break_glass]
channel = "C0GLASS"
"""
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RuleSet = tuple[Rule, ...]
every_action = pytest.mark.parametrize("action", TABLE, ids=list(BY_NAME))


def rules(*lines: str) -> RuleSet:
    """Rules as the file has them: the keys of one rule in each argument."""
    return parse(ROLES + "".join(f"\n[[rules]]\n{line}\n" for line in lines)).rules


def rule(actions: Sequence[str], roles: Sequence[str], **more: Any) -> Rule:
    return Rule(actions=actions, roles=roles, **more)


def on(snapshot: Snapshot | None = None, *workspaces: str) -> PolicyContext:
    """What something is done about, in a workspace that goes by these names."""
    return PolicyContext(frozenset(workspaces or ("main",)), NOW, snapshot)


def answer(
    rule_set: RuleSet,
    principal: Principal,
    action: Action,
    snapshot: Snapshot | None = None,
    **more: Any,
) -> Decision:
    return decide(rule_set, principal, action, on(snapshot), **more)


def by(number: int, *roles: str, reason: str = "optional", **more: Any) -> Allowed:
    """Allowed by this rule, which leaves it to these roles."""
    more = {"stages": one_stage(1, roles)} | more
    return Allowed(f"rule {number}", ReasonRule(reason), roles=roles, **more)


# First match decides.


@every_action
def test_with_no_rules_nobody_may_do_anything(action: Action) -> None:
    assert answer((), ALICE, action) == Refused(RefusalReason.NO_RULE)


def test_the_first_rule_that_speaks_of_an_action_decides() -> None:
    allowed = rules(
        "actions = ['task.*']\nroles = ['approver']",
        "actions = ['*']\nroles = ['oncall']",
    )
    assert answer(allowed, ALICE, APPROVE) == by(1, "approver")
    assert answer(allowed, CAROL, APPROVE) == Refused(RefusalReason.RULE, "rule 1", ("approver",))
    assert answer(allowed, CAROL, RETRY) == by(2, "oncall")
    assert answer(allowed, ALICE, RETRY) == Refused(RefusalReason.RULE, "rule 2", ("oncall",))


def test_the_same_rules_in_the_other_order_are_another_policy() -> None:
    strict = "actions = ['task.approve']\nroles = ['approver']"
    loose = "actions = ['task.*']\nroles = ['approver', 'oncall']"
    assert answer(rules(strict, loose), CAROL, APPROVE) == Refused(
        RefusalReason.RULE, "rule 1", ("approver",)
    )
    assert answer(rules(loose, strict), CAROL, APPROVE) == by(1, "approver", "oncall")


def test_an_action_that_no_rule_names_is_refused() -> None:
    only = rules("actions = ['task.approve']\nroles = ['approver']")
    assert answer(only, ALICE, COMMENT) == Refused(RefusalReason.NO_RULE)


def test_somebody_without_any_role_is_refused() -> None:
    only = rules("actions = ['*']\nroles = ['approver', 'oncall']")
    assert answer(only, DAVE, APPROVE) == Refused(
        RefusalReason.RULE, "rule 1", ("approver", "oncall")
    )


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [
        ("*", set(BY_NAME)),
        ("task.*", {name for name in BY_NAME if name.startswith("task.")}),
        ("instance.*", {name for name in BY_NAME if name.startswith("instance.")}),
        ("task.approve", {"task.approve"}),
    ],
)
def test_a_rule_covers_what_it_names(pattern: str, covered: set[str]) -> None:
    assert {a.name for a in TABLE if covers(rule((pattern,), ("any",)), a)} == covered


# Reading.

READ_TASKS = "actions = ['task.read']\nroles = ['approver']"
READ_BLOCKS = "actions = ['task.read']\nroles = ['oncall']\nwhen = { name = 'Block' }"
NOBODY = Refused(RefusalReason.NO_RULE)
BLOCK, ISOLATE = Task(id="t", name="Block 1.2.3.4"), Task(id="t", name="Isolate web-01")


@pytest.mark.parametrize("pattern", ["*", "task.*", "instance.*"])
def test_no_wildcard_lets_anybody_read(pattern: str) -> None:
    wide = rule((pattern,), ("approver",))
    assert not any(covers(wide, read) for read in READS)
    assert not any(covers(rule((read.name,), ("approver",)), a) for read in READS for a in TABLE)


def test_reading_is_decided_by_its_own_rules_and_for_each_kind() -> None:
    rule_set = rules("actions = ['*']\nroles = ['oncall']", READ_TASKS)
    assert decide_read(rule_set, ALICE, "task", on()) == by(2, "approver")
    assert decide_read(rule_set, ALICE, "instance", on()) == Refused(RefusalReason.NO_RULE)
    refusal = Refused(RefusalReason.RULE, "rule 2", ("approver",))
    assert decide_read(rule_set, CAROL, "task", on()) == refusal
    assert answer(rule_set, ALICE, APPROVE) == Refused(RefusalReason.RULE, "rule 1", ("oncall",))


@pytest.mark.parametrize(
    ("stranger", "reason"),
    [
        (replace(ALICE, guest=True), RefusalReason.GUEST),
        (replace(ALICE, outsider=True), RefusalReason.OUTSIDER),
    ],
)
def test_guests_and_outsiders_read_nothing_whatever_their_role(
    stranger: Principal, reason: RefusalReason
) -> None:
    for rule_set in (rules(READ_TASKS), rules(READ_TASKS + "\nwhen = { name = 'Block' }")):
        assert decide_read(rule_set, stranger, "task", on(BLOCK)) == Refused(reason)
        assert read_scope(rule_set, stranger, "task", on()) == Refused(reason)


def test_a_delegate_reads_what_the_delegator_may() -> None:
    delegate = replace(DAVE, delegators=(ALICE,))
    assert decide_read(rules(READ_TASKS), delegate, "task", on()) == by(
        1, "approver", delegator=ALICE.id
    )
    assert read_scope(rules(READ_TASKS), delegate, "task", on()) is ReadScope.EVERYTHING
    borrowed = replace(DAVE, delegators=(CAROL,))
    assert read_scope(rules(READ_BLOCKS), borrowed, "task", on()) is ReadScope.SOME


def test_a_rule_about_reading_may_depend_on_what_a_list_says() -> None:
    rule_set = rules(READ_BLOCKS, READ_TASKS)
    assert decide_read(rule_set, CAROL, "task", on(BLOCK)) == by(1, "oncall")
    refusal = Refused(RefusalReason.RULE, "rule 2", ("approver",))
    assert decide_read(rule_set, CAROL, "task", on(ISOLATE)) == refusal
    assert isinstance(decide_read(rule_set, CAROL, "task", on(Task(id="t"))), Refused)


@pytest.mark.parametrize(
    ("lines", "principal", "scope"),
    [
        ([READ_TASKS, READ_BLOCKS], ALICE, ReadScope.EVERYTHING),
        ([READ_BLOCKS, READ_TASKS], CAROL, ReadScope.SOME),
        ([READ_BLOCKS, READ_TASKS], ALICE, ReadScope.SOME),
        ([READ_TASKS, READ_BLOCKS], CAROL, Refused(RefusalReason.RULE, "rule 1", ("approver",))),
        (
            [READ_BLOCKS.replace("'oncall'", "'oncall', 'approver'"), READ_TASKS],
            ALICE,
            ReadScope.EVERYTHING,
        ),
        ([READ_BLOCKS.replace("'oncall'", "'approver'")], ALICE, ReadScope.SOME),
        ([READ_BLOCKS], ALICE, Refused(RefusalReason.RULE, "rule 1", ("oncall",))),
        ([READ_TASKS + "\nwhen = { workspace = ['other'] }"], ALICE, NOBODY),
        ([READ_TASKS + "\nwhen = { workspace = ['main'] }"], ALICE, ReadScope.EVERYTHING),
        (["actions = ['task.*']\nroles = ['approver']"], ALICE, NOBODY),
    ],
)
def test_how_much_somebody_may_read_is_known_without_any_object(
    lines: list[str], principal: Principal, scope: ReadScope | Refused
) -> None:
    assert read_scope(rules(*lines), principal, "task", on()) == scope


@pytest.mark.parametrize("reason", ["required", "optional", "none"])
def test_the_rule_that_allows_says_whether_a_reason_is_needed(reason: str) -> None:
    only = rules(f"actions = ['*']\nroles = ['approver']\nreason = '{reason}'")
    assert answer(only, ALICE, APPROVE) == by(1, "approver", reason=reason)


# Guests and people of other organisations.


@every_action
@pytest.mark.parametrize(
    ("stranger", "reason"),
    [
        (Principal("U0GUEST", frozenset({"approver"}), guest=True), "guest"),
        (Principal("U0OUT", frozenset({"approver"}), outsider=True), "outsider"),
        (Principal("U0OUT", frozenset({"approver"}), guest=True, outsider=True), "outsider"),
    ],
)
def test_guests_and_outsiders_are_refused_whatever_their_roles(
    action: Action, stranger: Principal, reason: str
) -> None:
    everything = rules("actions = ['*']\nroles = ['approver']")
    assert answer(everything, stranger, action) == Refused(RefusalReason(reason))


# What a rule is limited to.

ISOLATE = Task(
    name="isolate host 7", business_type="PLAYBOOKNODEAPPROVE", related_object="Ransomware (v3)"
)


@pytest.mark.parametrize(
    ("when", "applies"),
    [
        ("{ business_type = ['PLAYBOOKNODEAPPROVE'] }", True),
        ("{ business_type = ['WORKFLOWPUBLISH', 'PLAYBOOKNODEAPPROVE'] }", True),
        ("{ business_type = ['WORKFLOWPUBLISH'] }", False),
        ("{ name = 'isolate.*' }", True),
        ("{ name = 'isolate' }", True),
        ("{ name = 'host' }", False),
        ("{ name = '.*host' }", True),
        ("{ name = 'isolate$' }", False),
        ("{ name = 'ISOLATE' }", False),
        ("{ name = '(?i)ISOLATE' }", True),
        ("{ related_object = 'Ransomware' }", True),
        ("{ related_object = 'Phishing' }", False),
        ("{ name = 'isolate', related_object = 'Phishing' }", False),
        ("{ name = 'isolate', business_type = ['WORKFLOWPUBLISH'] }", False),
        ("{}", True),
    ],
)
def test_a_rule_with_when_speaks_only_of_what_matches_it(when: str, applies: bool) -> None:
    limited = rules(f"actions = ['*']\nroles = ['approver']\nwhen = {when}")
    expected = by(1, "approver") if applies else Refused(RefusalReason.NO_RULE)
    assert answer(limited, ALICE, APPROVE, ISOLATE) == expected


UNSEEN = {
    "space": " ",
    "no-break space": "\u00a0",
    "ideographic space": "\u3000",
    "tab": "\t",
    "line": "\n",
    "nothing": "\0",
    "soft hyphen": "\u00ad",
    "zero-width space": "\u200b",
    "zero-width non-joiner": "\u200c",
    "zero-width joiner": "\u200d",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "right to left": "\u202e",
    "tag": "\U000e0041",
}


@pytest.mark.parametrize("invisible", UNSEEN.values(), ids=list(UNSEEN))
@pytest.mark.parametrize("limit", ["name", "related_object"])
def test_nothing_unseen_before_a_name_hides_it_from_a_rule(limit: str, invisible: str) -> None:
    strict = rules(
        f"actions = ['task.approve']\nroles = ['approver']\nwhen = {{ {limit} = 'Isolate' }}",
        "actions = ['*']\nroles = ['oncall']",
    )
    for before in (invisible, invisible * 3, f" {invisible} "):
        hidden = Task(**{limit: f"{before}Isolate host 7"})
        assert answer(strict, CAROL, APPROVE, hidden) == Refused(
            RefusalReason.RULE, "rule 1", ("approver",)
        )


ZERO_WIDTH = [name for name in UNSEEN if "space" not in name and name not in ("tab", "line")]


@pytest.mark.parametrize("name", [*ZERO_WIDTH, "zero-width space"])
def test_nothing_without_width_in_a_name_hides_it_from_a_rule(name: str) -> None:
    limited = rules("actions = ['*']\nroles = ['approver']\nwhen = { name = 'Isolate host' }")
    hidden = Task(name=f"Iso{UNSEEN[name]}late host 7")
    assert answer(limited, ALICE, APPROVE, hidden) == by(1, "approver")


STRICT_THEN_LAX = rules(
    "actions = ['task.comment']\nroles = ['oncall']",
    "actions = ['*']\nroles = ['approver']\nwhen = { name = '(?i).*isolate host' }",
    "actions = ['*']\nroles = ['approver', 'oncall']",
)


@pytest.mark.parametrize(
    "name",
    [
        "Please\nisolate host",
        "Please isolate\u2028host",
        "Ｉｓｏｌａｔｅ ｈｏｓｔ",
        "I\u0301so\u0336late host",
        "ɪsᴏʟᴀᴛᴇ ħost",
    ],
)
def test_no_way_of_writing_a_name_leads_past_a_strict_rule_to_a_lax_one(name: str) -> None:
    refused = Refused(RefusalReason.RULE, "rule 2", ("approver",))
    assert answer(STRICT_THEN_LAX, CAROL, APPROVE, Task(name=name)) == refused


@pytest.mark.parametrize(
    ("name", "letters"), [("Isоlаte host", "оа"), ("іѕоӏате һоѕт", "іѕоӏатеһ")]
)
def test_where_a_name_is_unclear_neither_its_rule_nor_a_later_one_decides(
    name: str, letters: str
) -> None:
    task = Task(name=name)
    refused = Refused(RefusalReason.LOOKALIKE, "rule 2", letters=letters)
    for principal in (ALICE, CAROL, replace(DAVE, delegators=(ALICE,))):
        assert answer(STRICT_THEN_LAX, principal, APPROVE, task) == refused
    assert answer(STRICT_THEN_LAX, CAROL, COMMENT, task) == by(1, "oncall"), "a rule before it"
    plain = Task(name="Заблокировать хост web-01")
    assert answer(STRICT_THEN_LAX, CAROL, APPROVE, plain) == by(3, "approver", "oncall")


def test_an_unclear_name_matters_only_where_the_rule_would_hold_otherwise() -> None:
    limited = rules(
        "actions = ['*']\nroles = ['approver']\n"
        "when = { name = 'isolate', business_type = ['WORKFLOWPUBLISH'] }",
        "actions = ['*']\nroles = ['oncall']",
    )
    other = Task(name="Isоlаte", business_type="PLAYBOOKNODEAPPROVE")
    assert answer(limited, CAROL, APPROVE, other) == by(2, "oncall")


def test_a_rule_that_does_not_apply_leaves_it_to_the_next() -> None:
    both = rules(
        "actions = ['task.approve']\nroles = ['approver']\nwhen = { name = 'isolate' }",
        "actions = ['task.approve']\nroles = ['oncall']",
    )
    assert answer(both, CAROL, APPROVE, ISOLATE) == Refused(
        RefusalReason.RULE, "rule 1", ("approver",)
    )
    assert answer(both, CAROL, APPROVE, Task(name="harmless")) == by(2, "oncall")


def test_for_an_instance_the_related_object_is_its_workflow() -> None:
    run = Instance(name="run 1", workflow={"name": "isolate-host"})
    limited = rules("actions = ['*']\nroles = ['approver']\nwhen = { related_object = 'isolate' }")
    assert answer(limited, ALICE, RETRY, run) == by(1, "approver")
    other = Instance(name="isolate", workflow={"name": "block"})
    assert answer(limited, ALICE, RETRY, other) == Refused(RefusalReason.NO_RULE)


def test_where_secmaster_does_not_state_what_a_rule_asks_nobody_is_allowed() -> None:
    strict = "actions = ['*']\nroles = ['approver']\nwhen = { name = 'isolate' }"
    both = rules(strict, "actions = ['*']\nroles = ['approver', 'oncall']")
    assert answer(both, CAROL, APPROVE, Task(name="")) == Refused(RefusalReason.UNSTATED, "rule 1")


def test_a_rule_about_a_business_type_never_speaks_of_an_instance() -> None:
    limited = rules(
        "actions = ['*']\nroles = ['approver']\nwhen = { business_type = ['WORKFLOWPUBLISH'] }"
    )
    run = Instance(name="run", workflow={"name": "WORKFLOWPUBLISH"})
    assert answer(limited, ALICE, RETRY, run) == Refused(RefusalReason.NO_RULE)


def test_facts_are_needed_only_where_a_rule_for_the_action_asks_for_them() -> None:
    mixed = rules(
        "actions = ['task.approve']\nroles = ['approver']\nwhen = { name = 'isolate' }",
        "actions = ['*']\nroles = ['oncall']",
    )
    assert needs_snapshot(mixed, APPROVE)
    assert not needs_snapshot(mixed, COMMENT)
    assert not needs_snapshot(mixed, RETRY)
    assert not needs_snapshot((), APPROVE)


def test_a_rule_about_an_object_is_never_passed_over_for_want_of_the_object() -> None:
    mixed = rules(
        "actions = ['task.approve']\nroles = ['approver']\nwhen = { name = 'isolate' }",
        "actions = ['*']\nroles = ['oncall']",
    )
    assert answer(mixed, CAROL, APPROVE) == Refused(RefusalReason.UNREAD, "rule 1")


@pytest.mark.parametrize(
    ("names", "applies"),
    [(["main"], True), (["main", "other"], True), (["soc"], True), (["x"], False)],
)
def test_a_rule_about_a_workspace_takes_it_by_any_of_its_names(
    names: Collection[str], applies: bool
) -> None:
    limited = rules(f"actions = ['*']\nroles = ['approver']\nwhen = {{ workspace = {names} }}")
    expected = by(1, "approver") if applies else Refused(RefusalReason.NO_RULE)
    assert decide(limited, ALICE, APPROVE, on(None, "main", "soc")) == expected
    assert not needs_snapshot(limited, APPROVE)


@pytest.mark.parametrize(
    ("due", "late"),
    [
        (NOW - timedelta(seconds=1), True),
        (NOW, False),
        (NOW + timedelta(seconds=1), False),
        (None, False),
    ],
    ids=["past", "now", "to come", "none"],
)
@pytest.mark.parametrize("condition", [True, False])
def test_a_rule_about_overdue_tasks_goes_by_the_due_date(
    due: datetime | None, late: bool, condition: bool
) -> None:
    limited = rules(
        f"actions = ['*']\nroles = ['approver']\nwhen = {{ overdue = {str(condition).lower()} }}"
    )
    expected = by(1, "approver") if condition is late else Refused(RefusalReason.NO_RULE)
    assert answer(limited, ALICE, APPROVE, Task(due_date=due)) == expected
    assert needs_snapshot(limited, APPROVE)
    assert limited[0].when, "the help says that it is limited"


def test_an_instance_is_never_overdue() -> None:
    late = rules("actions = ['*']\nroles = ['approver']\nwhen = { overdue = true }")
    assert answer(late, ALICE, RETRY, Instance(name="run")) == Refused(RefusalReason.NO_RULE)


def test_all_that_a_rule_is_limited_to_must_match() -> None:
    limited = rules(
        "actions = ['*']\nroles = ['approver']\n"
        "when = { name = 'isolate', overdue = true, workspace = ['main'] }"
    )
    late = Task(name="isolate", due_date=NOW - timedelta(days=1))
    assert answer(limited, ALICE, APPROVE, late) == by(1, "approver")
    for other in (late.model_copy(update={"name": "x"}), late.model_copy(update={"due_date": NOW})):
        assert answer(limited, ALICE, APPROVE, other) == Refused(RefusalReason.NO_RULE)
    assert decide(limited, ALICE, APPROVE, on(late, "soc")) == Refused(RefusalReason.NO_RULE)


# What is denied.

EVERYTHING = "actions = ['*']\nroles = ['approver', 'oncall', 'chief']"
DENY_CHIEF = "effect = 'deny'\nactions = ['task.*']\nroles = ['chief']"
DENY_ISOLATE = "effect = 'deny'\nactions = ['task.*']\nwhen = { name = '(?i).*isolate' }"


def denied(number: int, reason: RefusalReason = RefusalReason.DENIED) -> Refused:
    return Refused(reason, f"rule {number}")


@pytest.mark.parametrize("place", [1, 2])
def test_a_deny_wins_wherever_it_stands(place: int) -> None:
    deny = "effect = 'deny'\nactions = ['task.approve']"
    rule_set = rules(*([deny, EVERYTHING] if place == 1 else [EVERYTHING, deny]))
    for principal in (ALICE, CAROL, FRANK, DAVE):
        assert answer(rule_set, principal, APPROVE) == denied(place)
    assert isinstance(answer(rule_set, ALICE, COMMENT), Allowed)


def test_a_deny_with_roles_is_for_those_alone() -> None:
    rule_set = rules(EVERYTHING, DENY_CHIEF)
    assert answer(rule_set, FRANK, APPROVE) == denied(2)
    assert isinstance(answer(rule_set, ALICE, APPROVE), Allowed)
    both = replace(ALICE, roles=frozenset({"approver", "chief"}))
    assert answer(rule_set, both, APPROVE) == denied(2)


def test_nobody_breaks_the_glass_past_a_deny() -> None:
    glass = "actions = ['task.*']\nroles = ['approver']\napprovals = 2\nbreak_glass = ['chief']"
    decisions = "['task.approve', 'task.terminate']"
    glass = glass.replace("['task.*']", decisions)
    assert isinstance(answer(rules(glass), FRANK, APPROVE, break_glass=True), Allowed)
    assert answer(rules(glass, DENY_CHIEF), FRANK, APPROVE, break_glass=True) == denied(2)


def test_no_lent_right_leads_past_a_deny_on_either_side() -> None:
    rule_set = rules(
        "actions = ['task.*']\nroles = ['approver', 'chief']",
        DENY_CHIEF,
    )
    delegate = replace(DAVE, delegators=(FRANK,))
    refused = Refused(RefusalReason.RULE, "rule 1", ("approver", "chief"))
    assert answer(rule_set, delegate, APPROVE) == refused, "the lender is denied it"
    assert answer(rule_set, replace(delegate, delegators=(FRANK, ALICE)), APPROVE) == by(
        1, "approver", "chief", delegator="U0ALICE"
    )
    denied_delegate = replace(FRANK, delegators=(ALICE,))
    assert answer(rule_set, denied_delegate, APPROVE) == denied(2), "the borrower is denied it"


def test_a_deny_with_conditions_holds_where_they_hold() -> None:
    rule_set = rules(EVERYTHING, DENY_ISOLATE)
    assert needs_snapshot(rule_set, APPROVE)
    assert answer(rule_set, ALICE, APPROVE, ISOLATE) == denied(2)
    assert isinstance(answer(rule_set, ALICE, APPROVE, Task(name="Block")), Allowed)


@pytest.mark.parametrize(
    "snapshot",
    [None, Task(name=""), Task(name="\u200b"), Task(name="Isоlаte"), Task(name="іѕоӏате")],
    ids=["not read", "not stated", "invisible", "two alphabets", "another alphabet"],
)
def test_what_a_deny_asks_and_cannot_be_read_counts_as_matching(snapshot: Task | None) -> None:
    rule_set = rules(EVERYTHING, DENY_ISOLATE)
    unread = denied(2, RefusalReason.DENIED_UNREAD)
    assert answer(rule_set, ALICE, APPROVE, snapshot) == unread
    for_others = rules(EVERYTHING, f"{DENY_ISOLATE}\nroles = ['chief']")
    assert isinstance(answer(for_others, ALICE, APPROVE, snapshot), Allowed)
    assert answer(for_others, FRANK, APPROVE, snapshot) == unread


@pytest.mark.parametrize(
    ("when", "snapshot"),
    [
        ("business_type = ['WORKFLOWPUBLISH'], name = 'x'", Task(business_type="OTHER")),
        ("business_type = ['WORKFLOWPUBLISH']", Instance(name="run")),
        ("workspace = ['soc'], name = 'x'", None),
        ("overdue = true, name = 'x'", Task()),
    ],
    ids=["another type", "an instance", "another workspace", "not overdue"],
)
def test_a_deny_that_certainly_is_about_something_else_does_not_hold(
    when: str, snapshot: Snapshot | None
) -> None:
    deny = f"effect = 'deny'\nactions = ['*']\nwhen = {{ {when} }}"
    action = RETRY if isinstance(snapshot, Instance) else APPROVE
    assert isinstance(answer(rules(deny, EVERYTHING), ALICE, action, snapshot), Allowed)


def test_a_guest_is_told_of_being_a_guest_and_of_no_deny() -> None:
    guest = replace(FRANK, guest=True)
    assert answer(rules(DENY_CHIEF), guest, APPROVE) == Refused(RefusalReason.GUEST)


# The terms.


def test_the_answer_says_what_the_rule_asks_for() -> None:
    strict = rules(
        "name = 'two of us'\nactions = ['task.approve']\nroles = ['approver']\napprovals = 2\n"
        "expires = '30m'\nconfirm = 'type-name'\nreason = 'required'\nbreak_glass = ['chief']"
    )
    assert answer(strict, ALICE, APPROVE) == Allowed(
        "rule 1 (two of us)",
        ReasonRule.REQUIRED,
        ConfirmRule.TYPE_NAME,
        stages=one_stage(2, ("approver",)),
        expires=1800,
        break_glass_allowed=True,
        roles=("approver",),
    )
    assert answer(strict, CAROL, APPROVE) == Refused(
        RefusalReason.RULE, "rule 1 (two of us)", ("approver",)
    )


# Not by whoever created it.

NOT_OWN = rules("actions = ['task.*']\nroles = ['approver']\nself = false")


@pytest.mark.parametrize(
    ("creator", "expected"),
    [
        ({"creator_name": "alice"}, Refused(RefusalReason.SELF, "rule 1", ("approver",))),
        ({"creator_name": "ALICE"}, Refused(RefusalReason.SELF, "rule 1", ("approver",))),
        (
            {"creator_name": " al\u200dice\u200b"},
            Refused(RefusalReason.SELF, "rule 1", ("approver",)),
        ),
        ({"creator_id": "alice"}, Refused(RefusalReason.SELF, "rule 1", ("approver",))),
        (
            {"creator_name": "bob", "creator_id": "alice"},
            Refused(RefusalReason.SELF, "rule 1", ("approver",)),
        ),
        ({"creator_name": "bob"}, by(1, "approver")),
        ({"creator_name": "bob", "creator_id": "5f3c"}, by(1, "approver")),
        ({"creator_id": "5f3c"}, Refused(RefusalReason.UNSTATED, "rule 1", ("approver",))),
        ({"creator_name": "\u200b "}, Refused(RefusalReason.UNSTATED, "rule 1", ("approver",))),
        ({}, Refused(RefusalReason.UNSTATED, "rule 1", ("approver",))),
    ],
    ids=str,
)
def test_where_the_creator_may_not_it_must_be_known_that_it_is_somebody_else(
    creator: dict[str, str], expected: Decision
) -> None:
    assert answer(NOT_OWN, ALICE, APPROVE, Task(**creator)) == expected
    assert needs_snapshot(NOT_OWN, APPROVE)


def test_somebody_who_is_not_known_in_secmaster_may_be_the_creator() -> None:
    unmapped = replace(ALICE, identities=(Identity(),))
    refused = Refused(RefusalReason.UNMAPPED, "rule 1", ("approver",))
    assert answer(NOT_OWN, unmapped, APPROVE, Task(creator_name="bob")) == refused


def test_who_has_no_role_is_told_that_first() -> None:
    refused = Refused(RefusalReason.RULE, "rule 1", ("approver",))
    assert answer(NOT_OWN, CAROL, APPROVE, Task(creator_name="carol")) == refused


# Breaking the glass.

GLASS = rules(
    "actions = ['task.approve']\nroles = ['approver']\napprovals = 2\nbreak_glass = ['chief']",
    "actions = ['task.terminate']\nroles = ['approver']",
)


def test_who_may_break_the_glass_decides_alone_and_must_say_why() -> None:
    broken = answer(GLASS, FRANK, APPROVE, break_glass=True)
    assert isinstance(broken, Allowed)
    assert (broken.approvals, broken.reason, broken.break_glass) == (1, "required", True)


def test_the_right_to_break_the_glass_and_the_rules_own_are_two() -> None:
    assert answer(GLASS, FRANK, APPROVE) == Refused(RefusalReason.RULE, "rule 1", ("approver",))
    assert answer(GLASS, ALICE, APPROVE, break_glass=True) == Refused(
        RefusalReason.BREAK_GLASS, "rule 1", ("chief",)
    )


def test_where_a_rule_has_no_glass_nobody_breaks_it() -> None:
    terminate = BY_NAME["task.terminate"]
    for principal in (ALICE, FRANK):
        refused = Refused(RefusalReason.NO_BREAK_GLASS, "rule 2", ("approver",))
        assert answer(GLASS, principal, terminate, break_glass=True) == refused


def test_nobody_can_lend_the_right_to_break_the_glass() -> None:
    delegate = replace(ALICE, delegators=(FRANK,))
    assert answer(GLASS, delegate, APPROVE, break_glass=True) == Refused(
        RefusalReason.BREAK_GLASS, "rule 1", ("chief",)
    )


def test_the_creator_does_not_break_the_glass_where_the_creator_may_not() -> None:
    both = rules(
        "actions = ['task.approve']\nroles = ['approver']\napprovals = 2\nself = false\n"
        "break_glass = ['chief']"
    )
    task, other = Task(creator_name="frank"), Task(creator_name="bob")
    assert answer(both, FRANK, APPROVE, task, break_glass=True).reason is RefusalReason.SELF
    assert isinstance(answer(both, FRANK, APPROVE, other, break_glass=True), Allowed)


@pytest.mark.parametrize("kind", ["guest", "outsider"])
def test_guests_and_outsiders_do_not_break_the_glass(kind: str) -> None:
    stranger = replace(FRANK, guest=kind == "guest", outsider=kind == "outsider")
    assert answer(GLASS, stranger, APPROVE, break_glass=True) == Refused(RefusalReason(kind))


# Rights that somebody lent.

BORROWER = replace(DAVE, delegators=(ALICE,))
APPROVER = rules("actions = ['task.approve']\nroles = ['approver']")


def test_a_lent_right_helps_where_ones_own_is_missing_and_names_the_lender() -> None:
    assert answer(APPROVER, DAVE, APPROVE) == Refused(RefusalReason.RULE, "rule 1", ("approver",))
    assert answer(APPROVER, BORROWER, APPROVE) == by(1, "approver", delegator="U0ALICE")


def test_who_has_the_right_does_not_use_the_lent_one() -> None:
    assert answer(APPROVER, replace(ALICE, delegators=(FRANK,)), APPROVE) == by(1, "approver")


def test_nobody_lends_what_they_do_not_have() -> None:
    delegate = replace(DAVE, delegators=(CAROL, FRANK))
    assert answer(APPROVER, delegate, APPROVE) == Refused(
        RefusalReason.RULE, "rule 1", ("approver",)
    )
    assert answer(APPROVER, BORROWER, COMMENT) == Refused(RefusalReason.NO_RULE)


def test_any_of_the_lenders_will_do() -> None:
    delegate = replace(DAVE, delegators=(CAROL, FRANK, ALICE))
    assert answer(APPROVER, delegate, APPROVE) == by(1, "approver", delegator="U0ALICE")


def test_what_somebody_was_lent_they_cannot_lend_on() -> None:
    second = replace(CAROL, delegators=(BORROWER,))
    assert answer(APPROVER, second, APPROVE) == Refused(RefusalReason.RULE, "rule 1", ("approver",))


@pytest.mark.parametrize("kind", ["guest", "outsider"])
def test_a_guest_or_outsider_neither_borrows_nor_lends(kind: str) -> None:
    delegate = replace(BORROWER, guest=kind == "guest", outsider=kind == "outsider")
    assert answer(APPROVER, delegate, APPROVE) == Refused(RefusalReason(kind))
    delegator = replace(ALICE, guest=kind == "guest", outsider=kind == "outsider")
    lent = replace(DAVE, delegators=(delegator,))
    assert answer(APPROVER, lent, APPROVE) == Refused(RefusalReason.RULE, "rule 1", ("approver",))


@pytest.mark.parametrize(
    ("creator", "allowed"), [("dave", False), ("alice", False), ("bob", True)], ids=str
)
def test_where_the_creator_may_not_neither_borrower_nor_lender_may_be_it(
    creator: str, allowed: bool
) -> None:
    task = Task(creator_name=creator)
    expected = (
        by(1, "approver", delegator="U0ALICE")
        if allowed
        else Refused(RefusalReason.RULE, "rule 1", ("approver",))
    )
    assert answer(NOT_OWN, BORROWER, APPROVE, task) == expected


@pytest.mark.parametrize("unknown", ["borrower", "lender"])
def test_where_the_creator_may_not_both_must_be_known_in_secmaster(unknown: str) -> None:
    nobody = (Identity(),)
    delegator = replace(ALICE, identities=nobody) if unknown == "lender" else ALICE
    delegate = replace(DAVE, identities=nobody) if unknown == "borrower" else DAVE
    lent = replace(delegate, delegators=(delegator,))
    assert answer(NOT_OWN, lent, APPROVE, Task(creator_name="bob")).reason is RefusalReason.RULE


def test_the_creator_does_not_pass_by_a_lent_right() -> None:
    delegate = replace(
        ALICE, delegators=(replace(ALICE, id="U0ERIN", identities=FRANK.identities),)
    )
    assert (
        answer(NOT_OWN, delegate, APPROVE, Task(creator_name="alice")).reason is RefusalReason.SELF
    )


# Who is who in SecMaster.

WHO = Identities(users={"U0ALICE": "A.Liddell", "U0BOB": "bobby"}, email_domain="example.com")


@pytest.mark.parametrize(
    ("user", "email", "names"),
    [
        ("U0ALICE", "", {"a.liddell"}),
        ("U0ALICE", "alice@example.com", {"a.liddell"}),
        ("U0CAROL", "Carol@Example.com", {"carol", "carol@example.com"}),
        ("U0CAROL", "carol@other.example.com", set()),
        ("U0CAROL", "carol@notexample.com", set()),
        (
            "U0CAROL",
            "carol@evil.example@example.com",
            {"carol@evil.example", "carol@evil.example@example.com"},
        ),
        ("U0CAROL", "@example.com", set()),
        ("U0CAROL", "example.com", set()),
        ("U0CAROL", "", set()),
        ("U0CAROL", "bobby@example.com", set()),
        ("U0CAROL", "BOBBY@example.com", set()),
        ("U0CAROL", "a.liddell@example.com", set()),
    ],
)
def test_who_somebody_is_stands_in_the_policy_or_follows_from_their_address(
    user: str, email: str, names: Collection[str]
) -> None:
    assert identify(WHO, user, email) == Identity(frozenset(names))


def test_a_whole_address_that_is_somebody_elses_name_is_not_guessed() -> None:
    identities = Identities(users={"U0BOB": "carol@example.com"}, email_domain="example.com")
    assert identify(identities, "U0CAROL", "carol@example.com") == Identity()


def test_without_a_domain_nobody_is_known_by_their_address() -> None:
    assert identify(Identities(), "U0CAROL", "carol@example.com") == Identity()
    assert identify(Identities(), "U0CAROL", "") == Identity()


# Whatever the rules.

NAMES = st.lists(st.sampled_from(["*", "task.*", "instance.*", *BY_NAME]), min_size=1, max_size=3)
ROLE = st.sampled_from(["a", "b", "c"])
REASONS = st.sampled_from(["required", "optional", "none"])
ONE_OF = st.lists(ROLE, min_size=1, max_size=2)
DECISIONS = st.sampled_from(["task.approve", "task.terminate"]).map(lambda name: [name])
WHENS = st.sampled_from(
    [
        {},
        {"name": "isolate"},
        {"business_type": ["WORKFLOWPUBLISH"]},
        {"overdue": True},
        {"workspace": ["main"]},
        {"workspace": ["elsewhere"]},
    ]
)
PLAIN_RULES = st.lists(st.builds(rule, NAMES, ONE_OF, reason=REASONS), max_size=6).map(tuple)
STRICT = st.builds(
    lambda actions, roles, when, own, approvals, glass: rule(
        actions,
        roles,
        when=when,
        approvals=approvals,
        self=own,
        **({"break_glass": glass} if approvals > 1 else {}),
    ),
    DECISIONS,
    ONE_OF,
    WHENS,
    st.booleans(),
    st.integers(1, 3),
    ONE_OF,
)
LIMITED = st.builds(rule, NAMES, ONE_OF, reason=REASONS, when=WHENS)
RULES = st.lists(STRICT | LIMITED, max_size=6).map(tuple)
DENIES = st.builds(
    lambda actions, roles, when: (
        rule(actions, roles, when=when, effect="deny")
        if roles
        else Rule(actions=actions, when=when, effect="deny")
    ),
    NAMES,
    st.none() | ONE_OF,
    WHENS,
)
IDENTITIES = st.frozensets(st.sampled_from(["alice", "bob", "carol"]), max_size=1).map(
    lambda names: (Identity(names),)
)
RARELY = st.sampled_from([False, False, False, False, True])
ALONE = st.builds(
    Principal,
    st.sampled_from(["U0X", "U0Y", "U0Z"]),
    st.frozensets(ROLE),
    guest=RARELY,
    outsider=RARELY,
    identities=IDENTITIES,
)
MEMBERS = st.builds(
    lambda member, lenders: replace(member, delegators=tuple(lenders)),
    ALONE,
    st.lists(ALONE, max_size=3, unique_by=lambda each: each.id),
)
# Without a role of their own, so that it is often a delegated right that allows something.
DELEGATES = st.builds(
    lambda principal, delegators: replace(
        principal, roles=frozenset(), guest=False, outsider=False, delegators=tuple(delegators)
    ),
    ALONE,
    st.lists(ALONE, min_size=1, max_size=3, unique_by=lambda principal: principal.id),
)
TASKS = st.builds(
    Task,
    name=st.sampled_from(["", "isolate host 7", "other"]),
    business_type=st.sampled_from(["", "PLAYBOOKNODEAPPROVE", "WORKFLOWPUBLISH"]),
    creator_name=st.sampled_from(["", "alice", "bob"]),
    creator_id=st.sampled_from(["", "carol", "5f3c"]),
    due_date=st.sampled_from([None, NOW - timedelta(days=1), NOW + timedelta(days=1)]),
)
FACTS = TASKS | st.just(Instance(name="run")) | st.just(Instance(name="isolate"))
ACTIONS = st.sampled_from(TABLE)
GLASSES = st.booleans()


@given(MEMBERS, ACTIONS, st.none() | FACTS, GLASSES)
def test_without_rules_nobody_whatsoever_may_do_anything(
    principal: Principal, action: Action, snapshot: Snapshot | None, break_glass: bool
) -> None:
    assert isinstance(answer((), principal, action, snapshot, break_glass=break_glass), Refused)


@given(RULES, MEMBERS, ACTIONS, FACTS, GLASSES)
def test_where_no_rule_covers_an_action_nobody_may(
    rule_set: RuleSet,
    principal: Principal,
    action: Action,
    snapshot: Snapshot | None,
    break_glass: bool,
) -> None:
    others = tuple(each for each in rule_set if not covers(each, action))
    assert isinstance(answer(others, principal, action, snapshot, break_glass=break_glass), Refused)


@given(PLAIN_RULES, ALONE, ACTIONS)
def test_only_the_first_rule_that_covers_an_action_matters(
    rule_set: RuleSet, principal: Principal, action: Action
) -> None:
    decision = answer(rule_set, principal, action)
    covering = [(number, each) for number, each in enumerate(rule_set, 1) if covers(each, action)]
    if principal.guest or principal.outsider or not covering:
        assert isinstance(decision, Refused)
        return
    number, first = covering[0]
    roles = not principal.roles.isdisjoint(first.roles)
    refused = Refused(RefusalReason.RULE, f"rule {number}", first.roles)
    assert decision == (by(number, *first.roles, reason=first.reason) if roles else refused)


@given(st.tuples(RULES, RULES), MEMBERS, ACTIONS, FACTS, GLASSES)
def test_rules_added_at_the_end_never_change_an_answer_already_given(
    both: tuple[RuleSet, RuleSet],
    principal: Principal,
    action: Action,
    snapshot: Snapshot | None,
    break_glass: bool,
) -> None:
    rule_set, more = both
    before = answer(rule_set, principal, action, snapshot, break_glass=break_glass)
    if before != Refused(RefusalReason.NO_RULE):
        assert (
            answer(rule_set + more, principal, action, snapshot, break_glass=break_glass) == before
        )


@given(st.tuples(RULES, RULES), DENIES, MEMBERS, ACTIONS, st.tuples(st.none() | FACTS, GLASSES))
def test_a_deny_wins_in_any_place_and_changes_nothing_for_others(
    both: tuple[RuleSet, RuleSet],
    deny: Rule,
    principal: Principal,
    action: Action,
    question: tuple[Snapshot | None, bool],
) -> None:
    (before, after), (snapshot, break_glass) = both, question

    def ask(rule_set: RuleSet, person: Principal) -> Decision:
        return answer(rule_set, person, action, snapshot, break_glass=break_glass)

    verdict, denying = ask((deny,), principal), (*before, deny, *after)
    if verdict.rule:
        assert ask(denying, principal) == replace(verdict, rule=f"rule {len(before) + 1}")
    else:
        alone = replace(principal, delegators=())
        allowed = isinstance(ask(before + after, alone), Allowed)
        assert isinstance(ask(denying, alone), Allowed) == allowed


@given(RULES, DELEGATES | MEMBERS, ACTIONS, FACTS, GLASSES)
def test_whoever_is_allowed_by_a_lent_right_has_it_from_one_lender_alone(
    rule_set: RuleSet,
    principal: Principal,
    action: Action,
    snapshot: Snapshot | None,
    break_glass: bool,
) -> None:
    decision = answer(rule_set, principal, action, snapshot, break_glass=break_glass)
    alone = replace(principal, delegators=())
    if isinstance(decision, Refused) or not decision.delegator:
        assert decision == answer(rule_set, alone, action, snapshot, break_glass=break_glass)
        return
    delegators = [each for each in principal.delegators if each.id == decision.delegator]
    expected = replace(decision, delegator="")
    assert expected in [
        answer(rule_set, each, action, snapshot, break_glass=break_glass) for each in delegators
    ]
    # What keeps the borrower from acting keeps them from it with every role there is.
    anything = replace(alone, roles=frozenset("abc"))
    assert isinstance(
        answer(rule_set, anything, action, snapshot, break_glass=break_glass), Allowed
    )
    assert not break_glass


@given(RULES, DELEGATES | MEMBERS, ACTIONS, FACTS)
def test_whoever_is_allowed_something_may_ever_do_it(
    rule_set: RuleSet, principal: Principal, action: Action, snapshot: Snapshot | None
) -> None:
    if isinstance(answer(rule_set, principal, action, snapshot), Allowed):
        assert may_ever(rule_set, principal, action)


def test_whoever_no_rule_could_allow_something_may_never_do_it() -> None:
    isolate = "actions = ['task.approve']\nroles = ['approver']\nwhen = { name = 'isolate' }"
    to_all = "actions = ['task.*']\nroles = ['oncall']"
    forbidden = "effect = 'deny'\nactions = ['task.approve']\nroles = ['oncall']"
    rule_set = rules(isolate, to_all, forbidden)
    assert may_ever(rule_set, ALICE, APPROVE)
    assert not may_ever(rule_set, ALICE, COMMENT)
    assert not may_ever(rule_set, CAROL, APPROVE)
    assert may_ever(rule_set, CAROL, COMMENT)
    assert may_ever(rule_set, replace(DAVE, delegators=(ALICE,)), APPROVE)
    assert not may_ever(rule_set, replace(DAVE, guest=True, delegators=(ALICE,)), APPROVE)
    # A rule for everybody decides before any that comes after it.
    assert not may_ever(rules(to_all, isolate), ALICE, APPROVE)


@given(RULES, MEMBERS, ACTIONS, FACTS, GLASSES)
def test_guests_and_outsiders_never_may(
    rule_set: RuleSet,
    principal: Principal,
    action: Action,
    snapshot: Snapshot | None,
    break_glass: bool,
) -> None:
    for stranger in (replace(principal, guest=True), replace(principal, outsider=True)):
        assert isinstance(
            answer(rule_set, stranger, action, snapshot, break_glass=break_glass), Refused
        )
        delegate = replace(principal, roles=frozenset(), delegators=(stranger,))
        assert isinstance(
            answer(rule_set, delegate, action, snapshot, break_glass=break_glass), Refused
        )


@given(RULES, MEMBERS, TASKS, GLASSES)
def test_no_lent_right_and_no_glass_lets_a_creator_pass_a_rule_that_refuses_them(
    rule_set: RuleSet, principal: Principal, task: Task, break_glass: bool
) -> None:
    decision = answer(rule_set, principal, APPROVE, task, break_glass=break_glass)
    if (
        isinstance(decision, Allowed)
        and not rule_set[int(decision.rule.split()[1]) - 1].creator_allowed
    ):
        for each in [
            principal,
            *(one for one in principal.delegators if one.id == decision.delegator),
        ]:
            names = each.identities[0].names
            assert names
            assert names.isdisjoint({task.creator_name, task.creator_id})


@pytest.mark.parametrize(
    ("snapshot", "change"),
    [
        (Task(id="t", name="a", business_type="b", related_object="c", creator_name="d"), change)
        for change in (
            {"name": "x"},
            {"business_type": "x"},
            {"related_object": "x"},
            {"creator_name": "x"},
            {"due_date": NOW},
        )
    ]
    + [
        (Instance(id="i", name="a"), change)
        for change in (
            {"name": "x"},
            {"workflow": WorkflowRef(name="x")},
            {"playbook": Named(name="x")},
        )
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else type(value).__name__,
)
def test_what_a_rule_may_ask_for_is_bound_into_the_decision_fingerprint(
    snapshot: Snapshot, change: dict[str, Any]
) -> None:
    other = snapshot.model_copy(update=change)
    assert decision_fingerprint(snapshot) != decision_fingerprint(other)


# Stages of approvals.

STAGED = rules(
    "actions = ['task.approve']\nroles = ['approver', 'chief']\n"
    "approvals = [{ role = 'approver', count = 1 }, { role = 'chief', count = 1 }]"
)


@pytest.mark.parametrize(
    ("roles", "may"),
    [
        (["approver"], (True, False)),
        (["chief"], (False, True)),
        (["approver", "chief"], (True, True)),
    ],
)
def test_an_approval_is_asked_for_of_the_roles_whose_turn_it_is(
    roles: list[str], may: tuple[bool, bool]
) -> None:
    person = Principal("U0X", frozenset(roles))
    for turn, expected in enumerate(may):
        assert may_fill(person, turn) is expected


def test_a_delegated_right_fills_the_stage_that_ones_own_does_not() -> None:
    chief = Principal("U0CHIEF", frozenset({"chief"}))
    person = Principal("U0X", frozenset({"approver"}), delegators=(chief,))
    for turn, delegator in enumerate(["", "U0CHIEF"]):
        decision = decide(STAGED, person, APPROVE, on(), turn=turn)
        assert isinstance(decision, Allowed)
        assert (decision.delegator, decision.may_fill(turn)) == (delegator, True)


def may_fill(person: Principal, turn: int) -> bool:
    """Whether somebody may give the approval of a stage, those before it being full."""
    request = ApprovalRequest(
        id="o",
        action="task.approve",
        approvals=tuple(
            Approval(
                operation_id=f"o{number}",
                actor=Actor(id=f"U{number}"),
                at=NOW,
                stage=number,
            )
            for number in range(turn)
        ),
        stages=STAGED[0].stages,
        expires_at=NOW,
    )
    return may_add_approval(STAGED, person, APPROVE, on(), request)
