"""Rules and routes that ask about the alert behind an object: stated, unstated or unreadable."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME
from bot.domain.objects import OBJECT_KINDS
from bot.domain.reasons import RefusalReason
from bot.policy.config import ConfigError, parse
from bot.policy.decide import (
    Allowed,
    Decision,
    Identity,
    PolicyContext,
    Principal,
    Refused,
    decide,
)
from bot.policy.evidence import ASSET_KEYS, EVIDENCE_KEYS, MAX_ASSETS
from bot.policy.requirements import deciding_rule
from bot.policy.routes import awaits_evidence, explain_routes, matching_routes
from bot.policy.rules import Rule, asks_evidence
from bot.secmaster import Evidence, Instance, PlaybookInstance, Task, Unread

APPROVE, TERMINATE = BY_NAME["task.approve"], BY_NAME["task.terminate"]
ALICE = Principal("U0ALICE", frozenset({"approver"}), identities=(Identity(frozenset({"alice"})),))
JUNIOR = Principal("U0BOB", frozenset({"junior"}), identities=(Identity(frozenset({"bob"})),))
ROLES = """
[roles.approver]
users = ['U0ALICE']
[roles.junior]
users = ['U0BOB']
[roles.chief]
users = ['U0FRANK']
[break_glass]
channel = "C0GLASS"
"""
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MAIN = frozenset({"main"})
FINDING: dict[str, Any] = {
    "id": "a1",
    "type": "DATA_SOURCE",
    "severity": "Fatal",
    "verification_state": "Unknown",
    "simulation": "false",
    "data_source": {"product_name": "HSS", "company_name": "Huawei"},
    "category": {"category": "Malware", "type": "Ransomware"},
}
KEY = {"id": "h1", "name": "prod-db", "type": "cloudservers", "ep_name": "payments"}
TEST = {"id": "h2", "name": "test-web", "type": "cloudservers", "ep_name": "lab"}
LEVELS = [{"id": "h1", "level": 2}, {"id": "h2", "level": 0}]
# Each key, with what holds of the task about KEY and what does not.
CONDITIONS = {
    "severity": ("['High', 'Fatal']", "['Low']"),
    "verification": ("['Unknown']", "['True_Positive']"),
    "drill": ("false", "true"),
    "source": ("'HSS/'", "'WAF'"),
    "category": ("'Malware/Ransom'", "'Ransomware'"),
    "asset": ("'prod-'", "'test-'"),
    "asset_type": ("'cloud'", "'bucket'"),
    "asset_level": ("['key', 'general']", "['test']"),
    "enterprise_project": ("'pay'", "'lab'"),
    "workflow_kind": ("['HEMOSTASIS']", "['NORMAL', 'SURVEY']"),
}
every_key = pytest.mark.parametrize("key", EVIDENCE_KEYS)


def rules(*lines: str) -> tuple[Rule, ...]:
    return parse(ROLES + "".join(f"\n[[rules]]\n{line}\n" for line in lines)).rules


def evidence(*assets: dict[str, str], unread: str = "", **finding: Any) -> Evidence:
    return Evidence(
        finding=FINDING | {"resources": assets} | finding,
        other_resources=LEVELS,
        workflow={"aop_type": "HEMOSTASIS"},
        unread=[{"subject": unread, "status": 503}] if unread else [],
    )


def task(around: Evidence | None, business_type: str = "WORKFLOWNODEAPPROVE") -> Task:
    return Task(
        id="t1", name="Isolate", status="waiting", business_type=business_type, evidence=around
    )


ABOUT_KEY = task(evidence(KEY))


def answer(rule_set: tuple[Rule, ...], person: Principal, about: Task | Instance) -> Decision:
    return decide(rule_set, person, APPROVE, PolicyContext(MAIN, NOW, about))


def limited(key: str, value: str, effect: str = "allow") -> tuple[Rule, ...]:
    terms = "roles = ['approver']" if effect == "allow" else ""
    return rules(
        f"actions = ['task.approve']\neffect = '{effect}'\n{terms}\nwhen.{key} = {value}",
        "actions = ['task.approve']\nroles = ['approver']\nreason = 'required'",
    )


@every_key
def test_a_rule_is_limited_to_what_the_alert_its_asset_and_the_workflow_are(key: str) -> None:
    holds, fails = (answer(limited(key, value), ALICE, ABOUT_KEY) for value in CONDITIONS[key])
    assert isinstance(holds, Allowed)
    assert holds.rule == "rule 1"
    assert isinstance(fails, Allowed)
    assert fails.rule == "rule 2"
    denied, passed = (answer(limited(key, v, "deny"), ALICE, ABOUT_KEY) for v in CONDITIONS[key])
    assert denied == Refused(RefusalReason.DENIED, "rule 1")
    assert isinstance(passed, Allowed)
    assert asks_evidence(limited(key, CONDITIONS[key][0]), "task")
    assert not asks_evidence(limited(key, CONDITIONS[key][0]), TERMINATE)


@every_key
@pytest.mark.parametrize("around", [None, Evidence(unread=[{"subject": "run", "status": 403}])])
def test_what_was_not_read_refuses_whatever_is_asked(key: str, around: Evidence | None) -> None:
    for value in CONDITIONS[key]:
        refused = answer(limited(key, value), ALICE, task(around))
        unread = around.unread[0] if around else Unread()
        assert refused == Refused(RefusalReason.EVIDENCE_UNREAD, "rule 1", unread=unread)
        denied = answer(limited(key, value, "deny"), ALICE, task(around))
        assert denied == Refused(RefusalReason.DENIED_UNREAD, "rule 1", unread=unread)
        run = Instance(id="i1", status="FAILED", evidence=around)
        retry = rules(f"actions = ['instance.retry']\nroles = ['approver']\nwhen.{key} = {value}")
        context = PolicyContext(MAIN, NOW, run)
        refused = decide(retry, ALICE, BY_NAME["instance.retry"], context)
        assert refused == Refused(RefusalReason.EVIDENCE_UNREAD, "rule 1", unread=unread)


@every_key
def test_a_run_of_a_playbook_is_decided_by_its_alert_and_is_of_no_workflow(key: str) -> None:
    retry, value = BY_NAME["playbook.retry"], CONDITIONS[key][0]
    rule_set = rules(f"actions = ['playbook.retry']\nroles = ['approver']\nwhen.{key} = {value}")
    around = evidence(KEY).model_copy(update={"workflow": None})
    run = PlaybookInstance(id="p1", status="FAILED", evidence=around)
    decision = decide(rule_set, ALICE, retry, PolicyContext(MAIN, NOW, run))
    if key == "workflow_kind":
        assert decision == Refused(RefusalReason.UNSTATED, "rule 1")
    else:
        assert isinstance(decision, Allowed)
    unread = PolicyContext(MAIN, NOW, PlaybookInstance(id="p1", status="FAILED"))
    refused = decide(rule_set, ALICE, retry, unread)
    if key != "workflow_kind":
        assert refused == Refused(RefusalReason.EVIDENCE_UNREAD, "rule 1", unread=Unread())
    assert asks_evidence(rule_set, "playbook")
    assert not asks_evidence(rule_set, "instance")


@pytest.mark.parametrize(
    ("key", "around"),
    [
        ("severity", evidence(KEY, severity="")),
        ("severity", evidence(KEY, severity="Critical")),  # nobody can compare it
        ("verification", evidence(KEY, verification_state="true_positive")),
        ("drill", evidence(KEY, simulation="")),
        ("drill", evidence(KEY, type="SIMULATION")),  # stated both ways
        ("source", evidence(KEY, data_source={"company_name": "Huawei"})),
        ("category", evidence(KEY, category={})),
        *((key, evidence()) for key in ASSET_KEYS),
        ("asset_level", evidence(KEY | {"id": "h3"})),
        ("workflow_kind", evidence(KEY).model_copy(update={"workflow": None})),
        ("severity", Evidence()),
    ],
)
def test_what_secmaster_does_not_state_refuses(key: str, around: Evidence) -> None:
    for value in CONDITIONS[key]:
        refused = answer(limited(key, value), ALICE, task(around))
        assert refused == Refused(RefusalReason.UNSTATED, "rule 1")
        denied = answer(limited(key, value, "deny"), ALICE, task(around))
        assert denied == Refused(RefusalReason.DENIED_UNREAD, "rule 1")


@every_key
def test_a_rule_that_is_certainly_about_others_refuses_nothing(key: str) -> None:
    when = f"when = {{ {key} = {CONDITIONS[key][0]}, name = 'x' }}"
    rule_set = rules(
        f"actions = ['task.approve']\nroles = ['approver']\n{when}",
        "actions = ['task.approve']\nroles = ['approver']",
    )
    for around in (None, Evidence(), evidence(KEY)):
        decision = answer(rule_set, ALICE, task(around))
        assert isinstance(decision, Allowed)
        assert decision.rule == "rule 2"


def test_a_drill_is_what_says_so_in_either_way() -> None:
    drills = limited("drill", "true")
    for around in (evidence(simulation="true"), evidence(simulation="", type="SIMULATION")):
        decision = answer(drills, ALICE, task(around))
        assert isinstance(decision, Allowed)
        assert decision.rule == "rule 1"


@every_key
def test_a_version_to_be_published_is_about_no_finding(key: str) -> None:
    for type_ in ("WORKFLOWPUBLISH", "PLAYBOOKPUBLISH"):
        about = task(Evidence(workflow={"aop_type": "HEMOSTASIS"}), type_)
        decision = answer(limited(key, CONDITIONS[key][0]), ALICE, about)
        assert isinstance(decision, Allowed)
        is_known = key == "workflow_kind" and type_ == "WORKFLOWPUBLISH"
        assert decision.rule == ("rule 1" if is_known else "rule 2")


def test_a_task_of_a_playbook_does_not_say_what_its_workflows_are() -> None:
    about = task(evidence(KEY).model_copy(update={"workflow": None}), "PLAYBOOKNODEAPPROVE")
    assert isinstance(answer(limited("severity", "['Fatal']"), ALICE, about), Allowed)
    refused = answer(limited("workflow_kind", "['EASE']"), ALICE, about)
    assert refused == Refused(RefusalReason.UNSTATED, "rule 1")


def test_an_asset_whose_name_looks_like_another_refuses_and_says_which_letters() -> None:
    lookalike = task(evidence(KEY | {"name": "tеst-web"}))  # with a Cyrillic letter
    refused = answer(limited("asset", "'test'"), ALICE, lookalike)
    assert refused == Refused(RefusalReason.LOOKALIKE, "rule 1", letters="е")
    folded = task(evidence(KEY | {"name": "\u200bＴest-web"}))
    assert isinstance(answer(limited("asset", "'Test'"), ALICE, folded), Allowed)


# Several assets.

JUNIORS_MAY_TEST = rules(
    "actions = ['task.approve']\nroles = ['junior', 'approver']\nwhen.asset_level = ['test']",
    "actions = ['task.approve']\nroles = ['approver']\nwhen.asset_level = ['key']\napprovals = 2\n"
    "expires = '10m'\nbreak_glass = ['chief']",
    "actions = ['task.approve']\nroles = ['approver']\nreason = 'required'",
)


@pytest.mark.parametrize("assets", [(KEY, TEST), (TEST, KEY), (TEST, TEST, KEY)])
def test_a_task_about_a_test_host_and_a_key_host_is_decided_as_one_about_both(
    assets: tuple[dict[str, str], ...],
) -> None:
    both = task(evidence(*assets))
    assert isinstance(answer(JUNIORS_MAY_TEST, JUNIOR, task(evidence(TEST))), Allowed)
    refused = Refused(RefusalReason.RULE, "rule 2", ("approver",))
    assert answer(JUNIORS_MAY_TEST, JUNIOR, both) == refused
    allowed = answer(JUNIORS_MAY_TEST, ALICE, both)
    assert isinstance(allowed, Allowed)
    assert (allowed.rule, allowed.approvals, allowed.expires) == ("rule 2", 2, 600)
    assert allowed.break_glass_allowed
    rule = deciding_rule(JUNIORS_MAY_TEST, APPROVE, PolicyContext(MAIN, NOW, both))
    assert rule is JUNIORS_MAY_TEST[1]


def test_the_strictest_of_each_term_holds() -> None:
    third = {"id": "h3", "name": "other"}
    levels = [*LEVELS, {"id": "h3", "level": 1}]
    around = evidence(TEST, third, KEY).model_copy(
        update={"other_resources": Evidence(other_resources=levels).other_resources}
    )
    allowed = answer(JUNIORS_MAY_TEST, ALICE, task(around))
    assert isinstance(allowed, Allowed)
    assert (allowed.approvals, allowed.reason) == (2, "required")


def test_an_order_of_stages_gives_way_to_no_number() -> None:
    ordered = "[{ role = 'approver', count = 1 }, { role = 'chief', count = 1 }]"
    rule_set = rules(
        "actions = ['task.approve']\nroles = ['approver', 'chief']\n"
        f"approvals = {ordered}\nwhen.asset_level = ['key']",
        "actions = ['task.approve']\nroles = ['approver', 'chief']\napprovals = 3",
    )
    allowed = answer(rule_set, ALICE, task(evidence(TEST, KEY)))
    assert isinstance(allowed, Allowed)
    assert [(each.count, each.roles) for each in allowed.stages] == [
        (1, ("approver",)),
        (2, ("chief",)),
    ]
    assert allowed.may_fill(0)
    assert not allowed.may_fill(1)


def test_the_emergency_override_is_for_those_that_ask_for_several_people() -> None:
    chief = Principal("U0FRANK", frozenset({"chief", "approver"}))
    about = task(evidence(TEST, KEY))
    context = PolicyContext(MAIN, NOW, about)
    decision = decide(JUNIORS_MAY_TEST, chief, APPROVE, context, break_glass=True)
    assert isinstance(decision, Allowed)
    assert (decision.break_glass, decision.approvals, decision.reason) == (True, 1, "required")
    refused = decide(JUNIORS_MAY_TEST, ALICE, APPROVE, context, break_glass=True)
    assert refused == Refused(RefusalReason.BREAK_GLASS, "rule 2", ("chief",))
    only_test = PolicyContext(MAIN, NOW, task(evidence(TEST)))
    refused = decide(JUNIORS_MAY_TEST, chief, APPROVE, only_test, break_glass=True)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.NO_BREAK_GLASS


def test_a_deny_holds_for_any_asset_that_fulfils_all_of_its_conditions() -> None:
    deny = rules(
        "actions = ['task.approve']\neffect = 'deny'\n"
        "when = { asset = 'prod', asset_level = ['test'] }",
        "actions = ['task.approve']\nroles = ['approver']",
    )
    assert isinstance(answer(deny, ALICE, task(evidence(KEY, TEST))), Allowed)
    prod_test = TEST | {"name": "prod-test"}
    denied = answer(deny, ALICE, task(evidence(KEY, prod_test)))
    assert denied == Refused(RefusalReason.DENIED, "rule 1")


def test_an_asset_that_could_not_be_read_refuses_beside_one_that_was() -> None:
    unread = task(evidence(TEST, TEST | {"id": "h9"}, unread="resource"))
    refused = answer(JUNIORS_MAY_TEST, ALICE, unread)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.EVIDENCE_UNREAD
    assert refused.unread is not None
    assert refused.unread.subject == "resource"


def test_of_more_assets_than_anybody_looks_at_nobody_can_tell() -> None:
    many = [KEY | {"id": f"h{n}", "name": f"prod-{n}"} for n in range(MAX_ASSETS + 1)]
    allowed = answer(limited("asset", "'prod-'"), ALICE, task(evidence(*many[:-1])))
    assert isinstance(allowed, Allowed)
    refused = answer(limited("asset", "'prod-'"), ALICE, task(evidence(*many)))
    assert refused == Refused(RefusalReason.UNSTATED, "rule 1")


ASSETS = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from(["h1", "h2", "h9"]), "name": st.sampled_from(["prod", "test", ""])}
    ),
    max_size=4,
)
WHENS = st.sampled_from(["asset = 'prod'", "asset = 'test'", "asset_level = ['key']", ""])


@given(ASSETS, ASSETS, st.lists(WHENS, min_size=1, max_size=4), st.booleans())
def test_no_asset_that_is_added_ever_lets_anybody_do_more(
    some: list[dict[str, str]], more: list[dict[str, str]], whens: list[str], denies: bool
) -> None:
    terms = [
        f"roles = ['{role}']\napprovals = {count}"
        for role, count in [("junior", 1), ("approver", 2), ("approver", 1), ("junior", 3)]
    ]
    lines = [
        f"actions = ['task.approve']\n{term}\n" + (f"when.{when}" if when else "")
        for term, when in zip(terms, whens, strict=False)
    ]
    if denies:
        lines[-1] = "actions = ['task.approve']\neffect = 'deny'\nwhen.asset = 'test'"
    rule_set = rules(*lines)
    for person in (ALICE, JUNIOR):
        few = answer(rule_set, person, task(evidence(*some)))
        all_of_them = answer(rule_set, person, task(evidence(*some, *more)))
        if some and isinstance(all_of_them, Allowed):
            assert isinstance(few, Allowed)
            assert few.approvals <= all_of_them.approvals


# What is refused at load.


@every_key
def test_who_reads_can_not_depend_on_it(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key} is not said by a list"):
        rules(f"actions = ['task.read']\nroles = ['approver']\nwhen.{key} = {CONDITIONS[key][0]}")


@pytest.mark.parametrize(
    "when",
    [
        "severity = ['Critical']",
        "severity = []",
        "verification = ['maybe']",
        "drill = 'yes'",
        "asset = '('",
        "asset = ''",
        "asset_level = ['2']",
        "workflow_kind = ['isolates']",
    ],
)
def test_what_nothing_could_fulfil_is_refused_at_load(when: str) -> None:
    for section in ("[[rules]]\nactions = ['*']\nroles = ['approver']", "[[routes]]\nuser = 'U0X'"):
        with pytest.raises(ConfigError):
            parse(f"{ROLES}{section}\nwhen.{when}")


# Routes.


def route_answers(about: Task, *whens: str) -> list[str]:
    lines = [
        f"[[routes]]\nchannel = 'C0A{n}'\ntasks = true\n{when}\n" for n, when in enumerate(whens)
    ]
    routes = parse("".join(lines)).routes
    explained = explain_routes(routes, about, MAIN)
    taken = matching_routes(routes, about, MAIN)
    assert [route for route, match in explained if match in {"matches", "remaining"}] == [*taken]
    return [match.value for _route, match in explained]


@every_key
def test_a_route_is_limited_likewise_and_one_of_several_assets_is_enough(key: str) -> None:
    holds, fails = (f"when.{key} = {value}" for value in CONDITIONS[key])
    assert route_answers(ABOUT_KEY, fails, holds, "") == [key, "matches", "passed"]
    several = task(evidence(TEST, KEY))
    assert route_answers(several, holds)[0] == "matches"


def test_what_can_not_be_read_leaves_a_card_to_another_route_and_loses_none() -> None:
    fatal, other = "when.severity = ['Fatal']", "when = { severity = ['Fatal'], name = 'x' }"
    unread = task(Evidence(unread=[{"subject": "alert", "status": 403}]))
    for about in (task(None), unread):
        assert route_answers(about, other, fatal, "", "") == ["name", "unread", "matches", "passed"]
        assert route_answers(about, other, fatal, fatal) == ["name", "remaining", "unread"]
        assert route_answers(about, "", fatal) == ["matches", "passed"]
    assert route_answers(task(evidence(severity="")), fatal) == ["severity"]


def test_of_more_assets_than_are_read_none_is_lost() -> None:
    """The one whose level was not read may be the one that the route is for."""
    assets = [TEST | {"id": f"h{number}", "ep_name": ""} for number in range(25)]
    levels = [{"id": f"h{number}", "level": 0, "ep_name": "lab"} for number in range(20)]
    around = evidence(*assets).model_copy(
        update={"other_resources": Evidence(other_resources=levels).other_resources}
    )
    keys, projects = "when.asset_level = ['key']", "when.enterprise_project = 'payments'"
    for when in (keys, projects):
        assert route_answers(task(around), when) == ["remaining"]
        assert route_answers(task(around), when, "") == ["unread", "matches"]
    assert route_answers(task(around), "when.asset = 'prod-'") == ["asset"]
    few = around.model_copy(update={"finding": evidence(*assets[:20]).finding})
    assert route_answers(task(few), keys) == ["asset_level"]


def test_only_a_route_that_could_take_an_object_has_anything_read() -> None:
    asking = "[[routes]]\nchannel = 'C0A1'\ntasks = true\nwhen.severity = ['Fatal']\n"
    plain = "[[routes]]\nchannel = 'C0A2'\ntasks = true\n"
    named = asking + "when.name = 'x'\n"
    assert awaits_evidence(parse(asking + plain).routes, task(None), MAIN)
    assert awaits_evidence(parse(asking).routes, task(None), MAIN)
    for text in (plain + asking, named + plain, plain, ""):
        assert not awaits_evidence(parse(text).routes, task(None), MAIN)
    assert not awaits_evidence(parse(asking).routes, ABOUT_KEY, MAIN)
    assert not awaits_evidence(parse(asking).routes, Instance(status="FAILED"), MAIN)
    playbooks = asking.replace("tasks = true", "playbooks = ['FAILED']")
    run = PlaybookInstance(status="FAILED")
    assert awaits_evidence(parse(playbooks).routes, run, MAIN)
    assert not awaits_evidence(parse(asking).routes, run, MAIN)
    levels = parse(playbooks.replace("severity = ['Fatal']", "asset_level = ['key']"))
    asking_kinds = [kind for kind in OBJECT_KINDS if levels.asks_each_resource(kind)]
    assert asking_kinds == ["playbook"]
