"""What a card, a question and a form say of what a decision leads to."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME
from bot.domain.slack import SlackLocation
from bot.domain.snapshots import Snapshot
from bot.domain.stages import one_stage
from bot.messages import RenderContext, card, details, modals, next_step
from bot.messages.blocks import Tally, confirm
from bot.messages.modals import FormContent, FormState
from bot.policy.rules import ReasonRule
from bot.secmaster import (
    Connection,
    Evidence,
    Finding,
    FindingResource,
    Named,
    Playbook,
    PlaybookVersion,
    Task,
    Unread,
    VersionChanges,
    Workflow,
    WorkflowVersion,
)
from tests.support.rendered import read
from tests.support.samples import ENGLISH, FAILED, NOW, RUN, TASK, WAITING
from tests.support.slack_limits import assert_slack_opens, assert_slack_takes
from tests.support.strategies import SOME, words

ALERT = Finding(
    dataclass_=Named(name="Alert"),
    resources=(FindingResource(id="r1", name="ecs-web-07"),),
    connections=(Connection(direction="IN", src_ip="203.0.113.7", dest_ip="192.0.2.10"),),
)
AROUND = Evidence(
    finding=ALERT,
    run=Named(id="i-7", name="Contain ecs-web-07"),
    workflow=Workflow(aop_type="HEMOSTASIS"),
    playbook=Named(name="Alert <response>"),
    upcoming=("Isolate <host>",),
)
NODE = WAITING.model_copy(
    update={
        "business_type": "WORKFLOWNODEAPPROVE",
        "action_instance_id": "i-7",
        "evidence": AROUND,
    }
)
APPROVE, TERMINATE = BY_NAME["task.approve"], BY_NAME["task.terminate"]
CONTEXT = RenderContext(TASK, NOW, ENGLISH, "soc-east")


def question(
    snapshot: Snapshot, action: str = "task.approve", *, several: bool = False
) -> list[str]:
    """Return the lines of what an action's button asks, of two people where it takes several."""
    ref = TASK if isinstance(snapshot, Task) else RUN
    tallies = {action: Tally(0, one_stage(2))} if several else {}
    render_context = RenderContext(ref, NOW, ENGLISH, "soc-east", tallies=tallies)
    text = confirm(BY_NAME[action], render_context, snapshot).to_dict()["text"]
    assert text["type"] == "plain_text"
    assert len(text["text"]) <= 300
    return str(text["text"]).splitlines()


def published(business_type: str = "WORKFLOWPUBLISH", **facts: Any) -> Task:
    return WAITING.model_copy(
        update={"business_type": business_type, "evidence": Evidence(**facts)}
    )


def test_a_card_says_what_runs_next_of_which_type_it_is_and_whose_playbook_asks() -> None:
    text = read(card(CONTEXT, NODE, None))
    assert (
        "➡️ If approved, the workflow continues with *Isolate &lt;host&gt;*. "
        "Workflow type: containment (isolates or blocks).\n"
    ) in text
    assert "The run belongs to the playbook *Alert &lt;response&gt;*." in text
    assert "“Contain ecs-web-07” (`i-7`)" in text
    assert "If approved" in read(details.details(CONTEXT, NODE))
    decided = NODE.model_copy(update={"status": "finished"})
    assert next_step.lines(ENGLISH, decided) == []


def test_the_run_is_not_named_where_not_all_who_see_the_card_may_read_it() -> None:
    shared = RenderContext(TASK, NOW, ENGLISH, names_runs=False)
    text = read(card(shared, NODE, None))
    assert "Contain ecs-web-07" not in text
    assert "Waiting run: `i-7`" in text


@pytest.mark.parametrize("aop_type", ["NORMAL", "", "CLEANUP"])
def test_a_type_that_says_nothing_is_left_out(aop_type: str) -> None:
    evidence = Evidence(workflow=Workflow(aop_type=aop_type))
    assert next_step.kind_sentence(ENGLISH, evidence) == ""
    assert next_step.lines(ENGLISH, NODE.model_copy(update={"evidence": evidence})) == []


def test_a_question_says_the_next_node_the_asset_and_the_type_before_what_comes_from_others() -> (
    None
):
    assert question(NODE) == [
        "The workflow continues with “Isolate <host>”.",
        "The alert names ecs-web-07 and 203[.]0[.]113[.]7.",
        "Workflow type: containment (isolates or blocks).",
        "Workspace soc-east, ID …t-1.",
        "“Isolate host 10.0.0.7”",
    ]
    terminate = question(NODE, "task.terminate")
    assert terminate[:2] == ["The task is terminated.", question(NODE)[1]]


def test_what_does_not_fit_a_question_is_left_out_as_a_whole_and_what_is_decided_on_fits() -> None:
    resources = tuple(FindingResource(name=f"{n}{'x' * 60}") for n in range(5))
    finding = ALERT.model_copy(update={"resources": resources})
    evidence = AROUND.model_copy(update={"finding": finding, "upcoming": ("y" * 90,)})
    update = {"evidence": evidence, "name": "z" * 90}
    lines = question(NODE.model_copy(update=update), several=True)
    asset = f"0{'x' * 28}…"
    assert lines == [
        f"The workflow continues with “{'y' * 29}…”.",
        "You will be 1 of 2. Nothing is sent until 2 people have approved.",
        f"The alert names {asset}, 203[.]0[.]113[.]7, and 4 more.",
        "Workspace soc-east, ID …t-1.",
        lines[-1],
    ]
    assert lines[-1].startswith("“zzz")
    assert lines[-1].endswith("…”")


def test_what_a_publication_removes_fits_whatever_the_names_are() -> None:
    names = tuple(f"{n}{'x' * 90}" for n in range(9))
    version = WorkflowVersion(version="v" * 90)
    task = published(workflow_version=version, changes=VersionChanges(removed=names))
    lines = question(task, several=True)
    assert lines[2] == f"Nodes removed: 0{'x' * 28}…, 1{'x' * 28}…, and 7 more."


def test_a_retry_names_what_its_run_is_about() -> None:
    run = FAILED.model_copy(update={"evidence": Evidence(finding=ALERT)})
    lines = question(run, "instance.retry")
    assert lines[1] == "The alert names ecs-web-07 and 203[.]0[.]113[.]7."
    assert "Failed at Block sender: timed out" in lines


@pytest.mark.parametrize(
    ("direction", "things"),
    [
        ("IN", "198[.]51[.]100[.]1"),
        ("OUT", "evil[.]example"),
        ("", "198[.]51[.]100[.]1 and evil[.]example"),
    ],
)
def test_the_far_end_of_a_connection_is_named(direction: str, things: str) -> None:
    ends = Connection(direction=direction, src_ip="198.51.100.1", dest_domain="evil.example")
    finding = Finding(dataclass_=Named(name="Incident"), connections=(ends,))
    task = NODE.model_copy(update={"evidence": Evidence(finding=finding)})
    assert next_step.about(ENGLISH, task) == f"The incident names {things}."


def test_a_form_repeats_what_the_question_says() -> None:
    for action, outcome in (
        ("task.approve", "The workflow continues with “Isolate &lt;host&gt;”."),
        ("task.terminate", "The task is terminated."),
    ):
        state = FormState(action=action, ref=TASK, location=SlackLocation(channel="C0SOC"))
        content = FormContent("Isolate", "soc-east", snapshot=NODE, tally=Tally(0, one_stage(2)))
        text = read(modals.form(ENGLISH, state, content, ReasonRule.OPTIONAL))
        assert outcome in text
        assert "The alert names ecs-web-07 and 203[.]0[.]113[.]7." in text
        assert text.index(outcome) < text.index("You will be 1 of 2.") < text.index("The alert")
    comment = FormState(action="task.comment", ref=TASK, location=SlackLocation(channel="C0SOC"))
    content = FormContent("Isolate", "soc-east", snapshot=NODE)
    assert "The alert" not in read(modals.form(ENGLISH, comment, content, ReasonRule.NONE))


# Versions that wait to be published.

ACTIVE = WorkflowVersion(version="v1", status="APPROVED")
SUBMITTED = WorkflowVersion(version="v2", status="PENDING", creator_name="Ana *Sousa*")


def test_a_publication_names_both_versions_and_what_differs() -> None:
    changes = VersionChanges(
        added=("Block",), removed=("Approval",), changed=("Get <alert>",), reconfigured=True
    )
    task = published(
        workflow=Workflow(version_id="1", aop_type="EASE"),
        workflow_version=SUBMITTED,
        active_workflow_version=ACTIVE,
        changes=changes,
    )
    assert next_step.lines(ENGLISH, task) == [
        "🆕 Submitted version: *v2* (`PENDING`), by Ana ∗Sousa∗.",
        "Active version: *v1* (`APPROVED`).",
        "➖ Nodes removed: *Approval*.",
        "➕ Nodes added: *Block*.",
        "✏️ Nodes changed: *Get &lt;alert&gt;*.",
        "✏️ The configuration of the nodes differs.",
        "Workflow type: mitigation (eases or restores).",
    ]
    assert question(task)[:2] == ["Version v2 is published.", "Nodes removed: Approval."]
    assert question(task, "task.terminate")[0] == (
        "The task is terminated, and version v2 is not published."
    )


def test_a_publication_says_what_is_not_known() -> None:
    unread = (
        Unread(subject="workflow_version", status=403),
        Unread(subject="workflow_version", status=403),
    )
    nothing = published(workflow=Workflow(version_id="1"), unread=unread)
    assert next_step.lines(ENGLISH, nothing) == [
        "⚠️ The workflow's version can't be read. HTTP 403."
    ]
    assert question(nothing)[0] == "The version is published."
    first = published(workflow=Workflow(), workflow_version=SUBMITTED)
    assert "No version is active yet." in next_step.lines(ENGLISH, first)
    both: dict[str, Any] = {"workflow_version": SUBMITTED, "active_workflow_version": ACTIVE}
    unclear = next_step.lines(ENGLISH, published(workflow=Workflow(version_id="1"), **both))
    assert unclear[-1] == "What differs between the two can't be read here."
    same = next_step.lines(ENGLISH, published(changes=VersionChanges(), **both))
    assert same[-1] == "Both versions have the same nodes and connections between them."
    turned = next_step.lines(ENGLISH, published(changes=VersionChanges(reordered=True), **both))
    assert turned[-1] == (
        "✏️ The nodes are the same, but the connections between them or their conditions differ."
    )
    partial = next_step.lines(ENGLISH, published(changes=VersionChanges(partial=True), **both))
    assert partial[-2:] == [
        "Both versions have the same nodes.",
        "⚠️ How the nodes follow one another could not be compared.",
    ]


def test_a_playbooks_trigger_is_compared_too() -> None:
    before = PlaybookVersion(version="v2", trigger_type="EVENT", action_strategy="ASYNC")
    after = before.model_copy(update={"version": "v3", "trigger_type": "TIMER"})
    facts: dict[str, Any] = {
        "playbook_definition": Playbook(version_id="1"),
        "playbook_version": after,
        "active_playbook_version": before,
    }
    task = published("PLAYBOOKPUBLISH", changes=VersionChanges(removed=("Enrich",)), **facts)
    assert next_step.lines(ENGLISH, task)[2:] == [
        "➖ Actions removed: *Enrich*.",
        "✏️ Trigger: `EVENT` → `TIMER`.",
    ]
    assert question(task)[:2] == ["Version v3 is published.", "Actions removed: Enrich."]


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        (VersionChanges(), ["Both versions have the same actions, rules and trigger."]),
        (VersionChanges(changed=("Block",)), ["✏️ Actions changed: *Block*."]),
        (VersionChanges(reconfigured=True), ["✏️ The rules that start the playbook differ."]),
        (VersionChanges(partial=True), ["⚠️ The actions and rules could not all be compared."]),
        (
            VersionChanges(added=("Block",), partial=True),
            ["➕ Actions added: *Block*.", "⚠️ The actions and rules could not all be compared."],
        ),
    ],
)
def test_what_differs_between_versions_of_a_playbook_is_said_and_what_is_not_compared(
    changes: VersionChanges, sentences: list[str]
) -> None:
    task = published(
        "PLAYBOOKPUBLISH",
        changes=changes,
        playbook_version=PlaybookVersion(version="v3"),
        active_playbook_version=PlaybookVersion(version="v2"),
    )
    assert next_step.lines(ENGLISH, task)[2:] == sentences


names = st.lists(words, max_size=4).map(tuple)
AROUNDS = st.builds(
    Evidence,
    finding=st.none()
    | st.builds(
        Finding,
        dataclass_=st.sampled_from([Named(name="Alert"), Named(name="Incident"), Named()]),
        resources=st.lists(st.builds(FindingResource, name=words), max_size=4).map(tuple),
        connections=st.lists(
            st.builds(Connection, direction=st.sampled_from(["IN", "OUT", ""]), src_ip=words),
            max_size=3,
        ).map(tuple),
    ),
    workflow=st.none() | st.builds(Workflow, aop_type=st.sampled_from(["SURVEY", "EASE", "x"])),
    upcoming=st.lists(words, max_size=1).map(tuple),
    playbook=st.builds(Named, name=words),
    workflow_version=st.none() | st.builds(WorkflowVersion, version=words, creator_name=words),
    playbook_version=st.none() | st.builds(PlaybookVersion, version=words, status=words),
    changes=st.none()
    | st.builds(VersionChanges, added=names, removed=names, changed=names, partial=st.booleans()),
)


@SOME
@given(
    AROUNDS,
    st.sampled_from(["WORKFLOWNODEAPPROVE", "WORKFLOWPUBLISH", "PLAYBOOKPUBLISH", "x"]),
    words,
    st.booleans(),
)
def test_whatever_is_known_slack_takes_it_and_the_bots_own_words_come_first(
    evidence: Evidence, business_type: str, name: str, several: bool
) -> None:
    update = {"evidence": evidence, "business_type": business_type, "name": name}
    task = WAITING.model_copy(update=update)
    for action in (APPROVE, TERMINATE):
        lines = question(task, action.name, several=several)
        outcome = next_step.outcome(ENGLISH, action, task, plain=True)
        assert lines[0] == outcome
        assert lines[-1].startswith("“")
        state = FormState(action=action.name, ref=TASK, location=SlackLocation(channel="C0SOC"))
        content = FormContent(name, "soc-east", snapshot=task)
        assert_slack_opens(modals.form(ENGLISH, state, content, ReasonRule.OPTIONAL))
    assert_slack_takes(card(CONTEXT, task, None))
    assert_slack_opens(details.details(CONTEXT, task))
