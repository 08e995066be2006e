"""Who may do what: the first rule that matches decides, and none means no."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.actions import BY_NAME, TABLE
from bot.config import Rule, parse
from bot.policy import Allowed, Member, Refused, covers, decide, needs_facts
from bot.secmaster import Instance, Task

APPROVE, RETRY, COMMENT = (
    BY_NAME["task.approve"],
    BY_NAME["instance.retry"],
    BY_NAME["task.comment"],
)
ALICE = Member("U0ALICE", frozenset({"approver"}))
CAROL = Member("U0CAROL", frozenset({"oncall"}))
DAVE = Member("U0DAVE")
ROLES = "[roles.approver]\nusers = ['U0ALICE']\n[roles.oncall]\nusers = ['U0CAROL']\n"
every_action = pytest.mark.parametrize("action", TABLE, ids=list(BY_NAME))


def rules(*lines):
    """Rules as the file has them: the keys of one rule in each argument."""
    return parse(ROLES + "".join(f"\n[[rules]]\n{line}\n" for line in lines)).rules


def rule(actions, roles, **more):
    return Rule(actions=actions, roles=roles, **more)


# First match decides.


@every_action
def test_with_no_rules_nobody_may_do_anything(action):
    assert decide((), ALICE, action, None) == Refused("no-rule")


def test_the_first_rule_that_speaks_of_an_action_decides():
    allowed = rules(
        "actions = ['task.*']\nroles = ['approver']",
        "actions = ['*']\nroles = ['oncall']",
    )
    assert decide(allowed, ALICE, APPROVE, None) == Allowed("rule 1")
    assert decide(allowed, CAROL, APPROVE, None) == Refused("rule", "rule 1", ("approver",))
    assert decide(allowed, CAROL, RETRY, None) == Allowed("rule 2")
    assert decide(allowed, ALICE, RETRY, None) == Refused("rule", "rule 2", ("oncall",))


def test_the_same_rules_in_the_other_order_are_another_policy():
    strict = "actions = ['task.approve']\nroles = ['approver']"
    loose = "actions = ['task.*']\nroles = ['approver', 'oncall']"
    assert decide(rules(strict, loose), CAROL, APPROVE, None) == Refused(
        "rule", "rule 1", ("approver",)
    )
    assert decide(rules(loose, strict), CAROL, APPROVE, None) == Allowed("rule 1")


def test_an_action_that_no_rule_names_is_refused():
    only = rules("actions = ['task.approve']\nroles = ['approver']")
    assert decide(only, ALICE, COMMENT, None) == Refused("no-rule")


def test_somebody_without_any_role_is_refused():
    only = rules("actions = ['*']\nroles = ['approver', 'oncall']")
    assert decide(only, DAVE, APPROVE, None) == Refused("rule", "rule 1", ("approver", "oncall"))


@pytest.mark.parametrize(
    ("written", "covered"),
    [
        ("*", set(BY_NAME)),
        ("task.*", {name for name in BY_NAME if name.startswith("task.")}),
        ("instance.*", {name for name in BY_NAME if name.startswith("instance.")}),
        ("task.approve", {"task.approve"}),
    ],
)
def test_a_rule_covers_what_it_names(written, covered):
    assert {a.name for a in TABLE if covers(rule((written,), ("any",)), a)} == covered


@pytest.mark.parametrize("reason", ["required", "optional", "none"])
def test_the_rule_that_allows_says_whether_a_reason_is_needed(reason):
    only = rules(f"actions = ['*']\nroles = ['approver']\nreason = '{reason}'")
    assert decide(only, ALICE, APPROVE, None) == Allowed("rule 1", reason)


# Guests and people of other organisations.


@every_action
@pytest.mark.parametrize(
    ("stranger", "why"),
    [
        (Member("U0GUEST", frozenset({"approver"}), guest=True), "guest"),
        (Member("U0OUT", frozenset({"approver"}), outsider=True), "outsider"),
        (Member("U0OUT", frozenset({"approver"}), guest=True, outsider=True), "outsider"),
    ],
)
def test_guests_and_outsiders_are_refused_whatever_their_roles(action, stranger, why):
    everything = rules("actions = ['*']\nroles = ['approver']")
    assert decide(everything, stranger, action, None) == Refused(why)


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
def test_a_rule_with_when_speaks_only_of_what_matches_it(when, applies):
    limited = rules(f"actions = ['*']\nroles = ['approver']\nwhen = {when}")
    expected = Allowed("rule 1") if applies else Refused("no-rule")
    assert decide(limited, ALICE, APPROVE, ISOLATE) == expected


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


@pytest.mark.parametrize("unseen", UNSEEN.values(), ids=list(UNSEEN))
@pytest.mark.parametrize("limit", ["name", "related_object"])
def test_nothing_unseen_before_a_name_hides_it_from_a_rule(limit, unseen):
    strict = rules(
        f"actions = ['task.approve']\nroles = ['approver']\nwhen = {{ {limit} = 'Isolate' }}",
        "actions = ['*']\nroles = ['oncall']",
    )
    for before in (unseen, unseen * 3, f" {unseen} "):
        hidden = Task(**{limit: f"{before}Isolate host 7"})
        assert decide(strict, CAROL, APPROVE, hidden) == Refused("rule", "rule 1", ("approver",))


ZERO_WIDTH = [name for name in UNSEEN if "space" not in name and name not in ("tab", "line")]


@pytest.mark.parametrize("name", [*ZERO_WIDTH, "zero-width space"])
def test_nothing_without_width_in_a_name_hides_it_from_a_rule(name):
    limited = rules("actions = ['*']\nroles = ['approver']\nwhen = { name = 'Isolate host' }")
    hidden = Task(name=f"Iso{UNSEEN[name]}late host 7")
    assert decide(limited, ALICE, APPROVE, hidden) == Allowed("rule 1")


def test_a_rule_that_does_not_apply_leaves_it_to_the_next():
    both = rules(
        "actions = ['task.approve']\nroles = ['approver']\nwhen = { name = 'isolate' }",
        "actions = ['task.approve']\nroles = ['oncall']",
    )
    assert decide(both, CAROL, APPROVE, ISOLATE) == Refused("rule", "rule 1", ("approver",))
    assert decide(both, CAROL, APPROVE, Task(name="harmless")) == Allowed("rule 2")


def test_for_an_instance_the_related_object_is_its_workflow():
    run = Instance(name="run 1", workflow={"name": "isolate-host"})
    limited = rules("actions = ['*']\nroles = ['approver']\nwhen = { related_object = 'isolate' }")
    assert decide(limited, ALICE, RETRY, run) == Allowed("rule 1")
    other = Instance(name="isolate", workflow={"name": "block"})
    assert decide(limited, ALICE, RETRY, other) == Refused("no-rule")


def test_where_secmaster_does_not_state_what_a_rule_asks_nobody_is_allowed():
    strict = "actions = ['*']\nroles = ['approver']\nwhen = { name = 'isolate' }"
    both = rules(strict, "actions = ['*']\nroles = ['approver', 'oncall']")
    assert decide(both, CAROL, APPROVE, Task(name="")) == Refused("unstated", "rule 1")


def test_a_rule_about_a_business_type_never_speaks_of_an_instance():
    limited = rules(
        "actions = ['*']\nroles = ['approver']\nwhen = { business_type = ['WORKFLOWPUBLISH'] }"
    )
    run = Instance(name="run", workflow={"name": "WORKFLOWPUBLISH"})
    assert decide(limited, ALICE, RETRY, run) == Refused("no-rule")


def test_facts_are_needed_only_where_a_rule_for_the_action_asks_for_them():
    mixed = rules(
        "actions = ['task.approve']\nroles = ['approver']\nwhen = { name = 'isolate' }",
        "actions = ['*']\nroles = ['oncall']",
    )
    assert needs_facts(mixed, APPROVE)
    assert not needs_facts(mixed, COMMENT)
    assert not needs_facts(mixed, RETRY)
    assert not needs_facts((), APPROVE)


def test_a_rule_about_an_object_is_never_passed_over_for_want_of_the_object():
    mixed = rules(
        "actions = ['task.approve']\nroles = ['approver']\nwhen = { name = 'isolate' }",
        "actions = ['*']\nroles = ['oncall']",
    )
    with pytest.raises(ValueError, match="when"):
        decide(mixed, CAROL, APPROVE, None)


# Whatever the rules.

NAMES = st.lists(st.sampled_from(["*", "task.*", "instance.*", *BY_NAME]), min_size=1, max_size=3)
ROLE = st.sampled_from(["a", "b", "c"])
REASONS = st.sampled_from(["required", "optional", "none"])
RULES = st.lists(
    st.builds(rule, NAMES, st.lists(ROLE, min_size=1, max_size=2), reason=REASONS), max_size=6
).map(tuple)
MEMBERS = st.builds(
    Member, st.just("U0X"), st.frozensets(ROLE), guest=st.booleans(), outsider=st.booleans()
)
FACTS = st.sampled_from([None, ISOLATE, Instance(name="run")])


@given(MEMBERS, st.sampled_from(TABLE), FACTS)
def test_without_rules_nobody_whatsoever_may_do_anything(member, action, facts):
    assert isinstance(decide((), member, action, facts), Refused)


@given(RULES, MEMBERS, st.sampled_from(TABLE))
def test_only_the_first_rule_that_covers_an_action_matters(some, member, action):
    answer = decide(some, member, action, None)
    covering = [(number, each) for number, each in enumerate(some, 1) if covers(each, action)]
    if member.guest or member.outsider or not covering:
        assert isinstance(answer, Refused)
        return
    number, first = covering[0]
    may = not member.roles.isdisjoint(first.roles)
    named = f"rule {number}"
    assert answer == (Allowed(named, first.reason) if may else Refused("rule", named, first.roles))


@given(RULES, RULES, MEMBERS, st.sampled_from(TABLE))
def test_rules_added_at_the_end_never_change_an_answer_already_given(some, more, member, action):
    before = decide(some, member, action, None)
    assert before == Refused("no-rule") or decide(some + more, member, action, None) == before
