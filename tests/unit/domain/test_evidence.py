"""What is read around an object, what is asked for again, and what of it a decision depends on."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.evidence import READ_AT_ONCE, class_path, is_complete, merged
from bot.domain.objects import Ref
from bot.domain.snapshots import changes, decision_fingerprint, rendered_fingerprint
from bot.policy.config import parse
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.secmaster.findings import resource_ref
from bot.secmaster import (
    Connection,
    Evidence,
    Finding,
    FindingResource,
    Instance,
    Named,
    Resource,
    Task,
    Unread,
    VersionChanges,
    WorkflowVersion,
)
from bot.services import Services
from tests.support.clock import FakeClock
from tests.support.examples import examples

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FINDING = Finding(
    id="a1",
    title="Web shell",
    severity="High",
    handle_status="Open",
    verification_state="Unknown",
    count=3,
    resources=(FindingResource(id="r1"), FindingResource(id="r2")),
    connections=(Connection(src_ip="203.0.113.7", dest_ip="10.0.0.8"),),
)
texts = st.text(max_size=20)
times = st.none() | st.datetimes(timezones=st.just(UTC)).map(
    lambda at: at.replace(year=2026, day=1)
)
findings = st.builds(
    Finding,
    title=texts,
    severity=texts,
    handle_status=texts,
    verification_state=texts,
    count=st.integers(0, 10**9),
    resources=st.lists(st.builds(FindingResource, id=texts), max_size=3).map(tuple),
    connections=st.lists(st.builds(Connection, src_ip=texts, dest_ip=texts), max_size=3).map(tuple),
)
evidences = st.builds(
    Evidence,
    read_at=times,
    finding=st.none() | findings,
    run_status=texts,
    decisive=st.booleans(),
    unread=st.lists(st.builds(Unread, subject=texts, request_id=texts), max_size=2).map(tuple),
)


# What a decision depends on.


@given(evidences, st.integers(0, 10**9), times, times)
@examples(100)
def test_nothing_that_ticks_belongs_to_a_decision_or_has_a_card_drawn_again(
    evidence: Evidence, count: int, observed: datetime | None, read_at: datetime | None
) -> None:
    ticked = {"count": count, "last_observed_time": observed, "update_time": read_at}
    finding = evidence.finding and evidence.finding.model_copy(update=ticked)
    later = evidence.model_copy(update={"finding": finding, "read_at": read_at})
    before, after = task(evidence), task(later)
    assert decision_fingerprint(before) == decision_fingerprint(after)
    assert rendered_fingerprint(before) == rendered_fingerprint(after)
    assert changes(before, after) == ()


@given(findings, texts, st.booleans())
@examples(100)
def test_the_severity_belongs_to_a_decision_where_a_rule_asks_about_it(
    finding: Finding, severity: str, decisive: bool
) -> None:
    before = Evidence(finding=finding, decisive=decisive)
    other = finding.model_copy(update={"severity": severity})
    after = before.model_copy(update={"finding": other})
    differs = decisive and severity != finding.severity
    assert (decision_fingerprint(task(before)) != decision_fingerprint(task(after))) is differs
    assert [each.label for each in changes(task(before), task(after))] == ["severity"] * differs
    # A card is drawn again in any case.
    drawn_again = rendered_fingerprint(task(before)) != rendered_fingerprint(task(after))
    assert drawn_again is (severity != finding.severity)


@given(evidences)
@examples(40)
def test_evidence_that_no_rule_asks_about_is_part_of_no_decision(evidence: Evidence) -> None:
    quiet = evidence.model_copy(update={"decisive": False})
    assert decision_fingerprint(task(quiet)) == decision_fingerprint(task(None))


@pytest.mark.parametrize(
    ("field", "value", "label"),
    [
        ("handle_status", "Closed", "handle_status"),
        ("verification_state", "False_Positive", "verification_state"),
        ("resources", (FindingResource(id="r3"),), "resources"),
        ("connections", (Connection(src_ip="203.0.113.9"),), "addresses"),
    ],
)
def test_each_fact_that_matters_is_named_where_it_has_changed(
    field: str, value: object, label: str
) -> None:
    before = task(Evidence(finding=FINDING, decisive=True))
    finding = FINDING.model_copy(update={field: value})
    after = task(Evidence(finding=finding, decisive=True))
    assert [each.label for each in changes(before, after)] == [label]
    assert decision_fingerprint(before) != decision_fingerprint(after)


def test_a_rule_that_asks_since_a_card_was_posted_finds_what_the_card_showed() -> None:
    shown = task(Evidence(finding=FINDING))
    assert changes(shown, task(Evidence(finding=FINDING, decisive=True))) == ()
    # Whoever saw nothing of the alert has not decided on it.
    unseen = changes(task(None), task(Evidence(finding=FINDING, decisive=True)))
    assert ("severity", "", "High") in [(each.label, each.before, each.after) for each in unseen]
    # Nor has whoever saw the level of the first asset alone decided on that of the second.
    first, second = Resource(id="r1", name="a", level="0"), Resource(id="r2", name="b", level="2")
    shown = task(Evidence(finding=FINDING, resource=first))
    both = Evidence(finding=FINDING, resource=first, other_resources=(second,), decisive=True)
    assert [(each.label, each.after) for each in changes(shown, task(both))] == [
        ("asset_levels", "a: 0, b: 2")
    ]


def test_what_can_not_be_read_now_has_not_changed() -> None:
    before = task(Evidence(finding=FINDING, decisive=True))
    unread = Evidence(unread=(Unread(subject="alert", status=503),), decisive=True)
    assert changes(before, task(unread)) == ()


def test_the_order_of_resources_and_addresses_does_not_matter() -> None:
    before = task(Evidence(finding=FINDING, decisive=True))
    turned = FINDING.model_copy(update={"resources": FINDING.resources[::-1]})
    assert decision_fingerprint(before) == decision_fingerprint(
        task(Evidence(finding=turned, decisive=True))
    )


# What a reading that failed leaves of the one before.


def test_what_could_not_be_read_stays_as_it_was_and_says_so() -> None:
    before = Evidence(read_at=NOW, finding=FINDING, run=Named(id="i1"))
    later = NOW.replace(day=2)
    unread = Unread(subject="alert", status=503)
    after = merged(before, Evidence(read_at=later, run=Named(id="i1"), unread=(unread,)))
    assert (after.finding, after.read_at, after.unread) == (FINDING, NOW, (unread,))
    run_unread = Unread(subject="run", code="timeout")
    after = merged(before, Evidence(read_at=later, unread=(run_unread,)))
    assert (after.finding, after.run, after.read_at) == (FINDING, Named(id="i1"), NOW)
    assert not is_complete(after)


def test_what_is_known_of_a_resource_stays_with_that_resource_alone() -> None:
    web, mail = Resource(id="r1", level="2"), Resource(id="r2", level="0")
    before = Evidence(read_at=NOW, finding=FINDING, resource=web, other_resources=(mail,))
    unread = Unread(subject="resource", status=503)
    assert merged(before, Evidence(finding=FINDING, unread=(unread,))).resources == (web, mail)
    moved = FINDING.model_copy(update={"resources": (FindingResource(id="r3"),)})
    after = merged(before, Evidence(finding=moved, unread=(unread,)))
    assert (after.resource, after.resources) == (None, ())
    turned = FINDING.model_copy(update={"resources": FINDING.resources[::-1]})
    after = merged(before, Evidence(finding=turned, unread=(unread,)))
    assert (after.resource, after.other_resources) == (mail, (web,))
    anew = web.model_copy(update={"level": "1"})
    after = merged(before, Evidence(finding=FINDING, resource=anew, unread=(unread,)))
    assert after.resources == (anew, mail)


def test_what_is_gone_is_not_tried_again() -> None:
    before = Evidence(read_at=NOW, finding=FINDING)
    gone = Evidence(
        read_at=NOW,
        unread=(Unread(subject="alert", status=404, code="SecMaster.20010004"),),
    )
    assert is_complete(gone)
    assert merged(before, gone) == gone
    unrouted = Evidence(
        read_at=NOW, unread=(Unread(subject="alert", status=404, code="APIGW.0101"),)
    )
    assert is_complete(unrouted)
    assert merged(before, unrouted).finding == FINDING


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Alert", "alerts"),
        ("INCIDENT", "incidents"),
        ("Vulnerability", "vulnerabilities"),
        ("indicators", "indicators"),
        ("../x", ""),
        ("告警", ""),
        ("", ""),
    ],
)
def test_a_class_is_asked_for_in_small_letters_and_the_plural(name: str, path: str) -> None:
    assert class_path(Named(name=name)) == path
    assert class_path(Named(name="告警", en_name=name)) == (path if name else "")


# Reading, over HTTP.


async def test_a_card_costs_two_reads_and_its_resource_and_definition_for_longer(
    services: Services, secmaster: SecMasterSandbox, clock: FakeClock
) -> None:
    isolate = await services.workspaces.client("main").show_task(seed.TASK_ISOLATE)
    evidence = await services.evidence.read("main", isolate)
    assert evidence.finding is not None
    assert (evidence.finding.id, evidence.unread) == (seed.ALERT_WEB_SHELL, ())
    assert evidence.resource is not None
    assert evidence.workflow is not None
    assert evidence.run.id == seed.INSTANCE_ISOLATE
    assert evidence.run_status
    assert evidence.playbook.name
    counted = reads(secmaster)
    assert counted == {
        "ShowTask": 1,
        "ShowAopWorkflowInstance": 1,
        "ShowAlert": 1,
        "ShowResource": 1,
        "ShowAopWorkflow": 1,
        "ShowAopWorkflowVersion": 1,
    }
    assert evidence.upcoming == ("Isolate host",)
    assert await services.evidence.read("main", isolate) == evidence
    assert reads(secmaster) == counted
    await services.evidence.read("main", isolate, fresh=True)
    clock.forward(minutes=2)
    await services.evidence.read("main", isolate)
    assert reads(secmaster)["ShowAlert"] == 3
    assert reads(secmaster)["ShowAopWorkflowInstance"] == 3
    # A decision takes nothing for what it was; a card does, for ten minutes.
    assert reads(secmaster)["ShowResource"] == reads(secmaster)["ShowAopWorkflow"] == 2
    assert reads(secmaster)["ShowAopWorkflowVersion"] == 1


async def test_each_type_of_task_and_each_run_has_its_own_way(
    services: Services, secmaster: SecMasterSandbox
) -> None:
    client = services.workspaces.client("main")
    records = secmaster.world.tasks.values()
    types = {record["id"]: record["business_type"] for record in records}
    for id_, business_type in types.items():
        evidence = await services.evidence.read("main", await client.show_task(id_))
        match business_type:
            case "WORKFLOWPUBLISH":
                assert evidence.workflow or evidence.unread
                for version in (evidence.workflow_version, evidence.active_workflow_version):
                    assert not (version and (version.taskflow or version.taskconfig))
            case "PLAYBOOKPUBLISH":
                assert evidence.playbook_definition or evidence.unread
            case "PLAYBOOKNODEAPPROVE":
                assert evidence.run.id
                assert evidence.finding
            case _:
                assert evidence.run.id
    failed = await client.show_workflow_instance(seed.INSTANCE_FAILED)
    before = reads(secmaster)["ShowAopWorkflowInstance"]
    assert (await services.evidence.read("main", failed)).finding
    assert reads(secmaster)["ShowAopWorkflowInstance"] == before  # it is the run itself


async def test_a_run_of_a_playbook_is_read_around_and_a_rule_about_such_runs_decides_by_it(
    services: Services, secmaster: SecMasterSandbox
) -> None:
    run = await services.workspaces.read(Ref(kind="playbook", id=seed.PLAYBOOK_INSTANCE_FAILED))
    before = reads(secmaster)
    evidence = await services.evidence.read("main", run)
    assert evidence.finding is not None
    assert evidence.finding.id == seed.ALERT_WEB_SHELL
    assert (evidence.workflow, evidence.unread, evidence.decisive) == (None, (), False)
    assert reads(secmaster) - before == {"ShowAlert": 1, "ShowResource": 1}
    rule = "[[rules]]\nactions = ['playbook.retry']\nroles = ['x']\nwhen.severity = ['Low']\n"
    services.policy.current = parse(f"[roles.x]\nusers = ['U0ALICE']\n{rule}")
    decided_on = [
        (await services.evidence.read("main", snapshot)).decisive
        for snapshot in (run, Instance(id="i1"), task(None))
    ]
    assert decided_on == [True, False, False]


async def test_what_a_publication_changes_is_known_by_both_versions_which_are_read_once(
    services: Services, secmaster: SecMasterSandbox
) -> None:
    client = services.workspaces.client("main")
    changes = {}
    publish = (seed.TASK_PUBLISH_WORKFLOW, seed.TASK_PUBLISH_WORKFLOW_SOON)
    for id_ in (*publish, seed.TASK_PUBLISH_PLAYBOOK):
        evidence = await services.evidence.read("main", await client.show_task(id_))
        assert evidence.unread == ()
        assert evidence.changes
        changes[id_] = (evidence.changes.added, evidence.changes.removed, evidence.changes.changed)
    assert changes == {
        seed.TASK_PUBLISH_WORKFLOW: (("Query asset",), (), ()),
        seed.TASK_PUBLISH_WORKFLOW_SOON: ((), ("Approval",), ()),
        seed.TASK_PUBLISH_PLAYBOOK: (("Block malicious address",), (), ()),
    }
    before = reads(secmaster)
    assert before["ShowAopWorkflowVersion"] == 4
    await services.evidence.read("main", await client.show_task(seed.TASK_PUBLISH_WORKFLOW))
    assert reads(secmaster) == before + Counter({"ShowTask": 1})


async def test_a_flow_that_can_not_be_read_says_nothing_of_what_is_next_or_differs(
    services: Services, secmaster: SecMasterSandbox
) -> None:
    client = services.workspaces.client("main")
    for version in secmaster.world.definitions.workflow_versions.values():
        version["taskflow"] = "bm90IEpTT04="
    isolate = await services.evidence.read("main", await client.show_task(seed.TASK_ISOLATE))
    assert (isolate.upcoming, isolate.unread) == ((), ())
    publish = await client.show_task(seed.TASK_PUBLISH_WORKFLOW)
    evidence = await services.evidence.read("main", publish)
    assert evidence.changes is None
    assert evidence.workflow_version
    assert evidence.active_workflow_version
    assert evidence.workflow_version.status == "PENDING_APPROVE"


def test_what_a_publication_changes_stays_where_a_version_can_not_be_read() -> None:
    version = WorkflowVersion(id="v2", version="v2")
    changes_before = VersionChanges(removed=("Approval",))
    before = Evidence(read_at=NOW, workflow_version=version, changes=changes_before)
    unread = Unread(subject="workflow_version", status=503)
    after = merged(before, Evidence(read_at=NOW, unread=(unread,)))
    assert (after.workflow_version, after.changes) == (version, changes_before)
    waiting = Evidence(read_at=NOW, upcoming=("Isolate host",))
    assert merged(waiting, Evidence(read_at=NOW, unread=(unread,))).upcoming == ("Isolate host",)


async def test_readers_share_a_read_and_one_that_is_cancelled_does_not_break_it(
    services: Services, secmaster: SecMasterSandbox
) -> None:
    isolate = await services.workspaces.client("main").show_task(seed.TASK_ISOLATE)
    await secmaster.faults.set(Fault(on="ShowAopWorkflowInstance", hold=True))
    first, second, fresh = (
        asyncio.create_task(services.evidence.read("main", isolate, fresh=fresh))
        for fresh in (False, False, True)
    )
    await secmaster.faults.until_held("ShowAopWorkflowInstance")
    first.cancel()
    await secmaster.faults.clear()
    assert (await second).finding
    assert (await fresh).finding
    assert reads(secmaster)["ShowAopWorkflowInstance"] == 1


@pytest.mark.parametrize(
    ("fault", "status", "is_remembered"),
    [
        (Fault(on="ShowAlert", status=403), 403, True),
        (Fault(on="ShowAlert", status=404, code="APIGW.0101"), 404, True),
        (Fault(on="ShowAlert", status=404, code="SecMaster.20010004"), 404, False),
        (Fault(on="ShowAlert", status=503), 503, False),
        (Fault(on="ShowAlert", hang_up=True), 0, False),
    ],
    ids=["no right", "no such route", "gone", "unavailable", "lost"],
)
async def test_what_can_not_be_read_is_said_and_a_class_that_can_not_be_read_here_is_remembered(
    services: Services,
    secmaster: SecMasterSandbox,
    clock: FakeClock,
    *,
    fault: Fault,
    status: int,
    is_remembered: bool,
) -> None:
    client = services.workspaces.client("main")
    isolate = await client.show_task(seed.TASK_ISOLATE)
    block = await client.show_task(seed.TASK_BLOCK_IP)
    await secmaster.faults.set(fault)
    evidence = await services.evidence.read("main", isolate)
    assert [(each.subject, each.status) for each in evidence.unread] == [("alert", status)]
    assert evidence.finding is None
    assert evidence.run.id
    assert (await services.evidence.read("main", block)).unread
    assert reads(secmaster)["ShowAlert"] == (1 if is_remembered else 2)
    # A decision asks all the same, and later everybody does.
    await secmaster.faults.clear()
    if is_remembered:
        assert (await services.evidence.read("main", block)).unread
        clock.forward(minutes=6)
    assert (await services.evidence.read("main", isolate)).finding


async def test_the_assets_of_one_alert_are_read_side_by_side_and_stay_in_their_order(
    services: Services, secmaster: SecMasterSandbox
) -> None:
    isolate, ids = await about_assets(services, secmaster, 6)
    await secmaster.faults.set(Fault(on="ShowResource", hold=True))
    reading = asyncio.create_task(services.evidence.read("main", isolate, fresh=True))
    await secmaster.faults.until_held("ShowResource", READ_AT_ONCE)
    await services.workspaces.client("main").show_task(seed.TASK_ISOLATE)
    assert secmaster.faults.held["ShowResource"] == READ_AT_ONCE  # and no more at once
    await secmaster.faults.clear()
    evidence = await reading
    assert [each.id for each in evidence.resources] == ids
    assert reads(secmaster)["ShowResource"] == len(ids)

    # What can't be read is said in the same order, whichever answer comes first.
    for number in (1, 4):
        del secmaster.world.findings.resources[ids[number]]
    evidence = await services.evidence.read("main", isolate, fresh=True)
    assert [each.id for each in evidence.resources] == [ids[n] for n in (0, 2, 3, 5)]
    assert [(each.subject, each.status) for each in evidence.unread] == [("resource", 404)] * 2
    assert reads(secmaster)["ShowResource"] == 2 * len(ids)


async def test_assets_that_may_not_be_read_are_asked_for_once_but_for_a_decision(
    services: Services, secmaster: SecMasterSandbox
) -> None:
    isolate, ids = await about_assets(services, secmaster, 6)
    await secmaster.faults.set(Fault(on="ShowResource", status=403))
    evidence = await services.evidence.read("main", isolate)
    assert [each.status for each in evidence.unread] == [403] * len(ids)
    assert reads(secmaster)["ShowResource"] == 1
    await services.evidence.read("main", isolate, fresh=True)
    assert reads(secmaster)["ShowResource"] == 1 + len(ids)


async def about_assets(
    services: Services, secmaster: SecMasterSandbox, count: int
) -> tuple[Task, list[str]]:
    """Have a task be about so many assets, and a rule ask for the level of each."""
    rule = "[[rules]]\nactions = ['task.approve']\nroles = ['x']\nwhen.asset_level = ['key']\n"
    services.policy.current = parse(f"[roles.x]\nusers = ['U0ALICE']\n{rule}")
    findings = secmaster.world.findings
    ids = [f"asset-{number}" for number in range(count)]
    for id_ in ids:
        findings.resources[id_] = findings.resources[seed.RESOURCE_KEY] | {"id": id_, "name": id_}
    refs = [resource_ref(id_, id_) for id_ in ids]
    findings.change(seed.ALERT_WEB_SHELL, resource_list=refs)
    return await services.workspaces.client("main").show_task(seed.TASK_ISOLATE), ids


async def test_a_workspace_that_is_not_configured_is_unread_and_raises_nothing(
    services: Services,
) -> None:
    run = Instance(id="i1", dataobject_id="a1", dataclass_=Named(name="Alert"))
    evidence = await services.evidence.read("gone", run)
    assert [each.subject for each in evidence.unread] == ["alert"]


def task(evidence: Evidence | None) -> Task:
    return Task(id="t1", name="Isolate", status="waiting", evidence=evidence)


def reads(secmaster: SecMasterSandbox) -> Counter[str]:
    return Counter(request.endpoint for request in secmaster.requests)
