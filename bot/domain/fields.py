"""The fields of tasks and runs that people are shown, and which of them matter to a decision.

A new field is a row here, and its words and places in ``bot.messages.fields``.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar, assert_never

from bot.secmaster import Evidence, Finding, Instance, Node, PlaybookAction, PlaybookInstance, Task

S = TypeVar("S", Task, Instance, PlaybookInstance, Finding, Evidence)


@dataclass(frozen=True, slots=True)
class Field(Generic[S]):
    """One field: SecMaster's name of it, and how to read its text, "" where it is empty.

    Whoever decided on an object whose ``decisive`` fields were others is asked again.
    """

    name: str
    read: Callable[[S], str]
    decisive: bool = False


def _moment(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _failed_node_text(run: Instance, read: Callable[[Node], str]) -> str:
    return read(run.failed_node) if run.failed_node else ""


def _failed_action_text(run: PlaybookInstance, read: Callable[[PlaybookAction], str]) -> str:
    return read(run.failed_action) if run.failed_action else ""


def _playbook_text(run: PlaybookInstance) -> str:
    return f"{run.playbook.name} {run.playbook.version}".strip()


def _listed(texts: Iterable[str]) -> str:
    """Join texts in an order that does not depend on SecMaster's."""
    return ", ".join(sorted(set(texts) - {""}))


# In the order in which differences are listed. Comments are decisive too, but are no single text:
# see ``bot.domain.snapshots``.
TASK_FIELDS: tuple[Field[Task], ...] = (
    Field("status", lambda task: task.status, decisive=True),
    Field("name", lambda task: task.name, decisive=True),
    Field("business_type", lambda task: task.business_type, decisive=True),
    Field("related_object", lambda task: task.related_object, decisive=True),
    Field("action_instance_id", lambda task: task.action_instance_id, decisive=True),
    Field("description", lambda task: task.description, decisive=True),
    Field("due_date", lambda task: _moment(task.due_date), decisive=True),
    Field("due_handle", lambda task: task.due_handle, decisive=True),
    Field(
        "approver",
        lambda task: task.approver or task.approveuser_name or task.approveuser_id,
        decisive=True,
    ),
    Field("view_parameters", lambda task: task.view_parameters, decisive=True),
    Field("handle_parameters", lambda task: task.handle_parameters, decisive=True),
    Field("notes", lambda task: task.notes or task.note, decisive=True),
    Field("attachments", lambda task: ", ".join(task.attachment_id_list), decisive=True),
    Field("review_comments", lambda task: task.review_comments),
    # Rules may ask for it: who created a task may be refused to decide it.
    Field("creator_name", lambda task: task.creator_name or task.creator_id, decisive=True),
    Field("create_time", lambda task: _moment(task.create_time)),
)
INSTANCE_FIELDS: tuple[Field[Instance], ...] = (
    Field("status", lambda run: run.status, decisive=True),
    Field("name", lambda run: run.name, decisive=True),
    Field(
        "workflow",
        lambda run: f"{run.workflow.name} {run.workflow.version}".strip(),
        decisive=True,
    ),
    Field("retry_count", lambda run: str(run.retry_count), decisive=True),
    Field(
        "failed_node",
        lambda run: _failed_node_text(run, lambda node: node.action_name or node.action_id),
        decisive=True,
    ),
    Field(
        "error_msg", lambda run: _failed_node_text(run, lambda node: node.error_msg), decisive=True
    ),
    Field("playbook", lambda run: run.playbook.name, decisive=True),  # rules may ask for it
    Field("trigger_type", lambda run: run.trigger_type),
    Field("start_time", lambda run: _moment(run.start_time)),
    Field("end_time", lambda run: _moment(run.end_time)),
)
PLAYBOOK_FIELDS: tuple[Field[PlaybookInstance], ...] = (
    Field("status", lambda run: run.status, decisive=True),
    Field("name", lambda run: run.name, decisive=True),
    Field("playbook", _playbook_text, decisive=True),
    Field("dataobject", lambda run: run.dataobject.name or run.dataobject.id, decisive=True),
    # It tells one attempt from another: SecMaster counts no retries here. To the second, since it
    # is unstated whether a list has it as exactly as the run itself.
    Field(
        "end_time",
        lambda run: _moment(run.end_time and run.end_time.replace(microsecond=0)),
        decisive=True,
    ),
    # Its workflow runs are another request, which may fail: nobody is asked again for that.
    Field("failed_action", lambda run: _failed_action_text(run, lambda action: action.name)),
    Field("error_msg", lambda run: _failed_action_text(run, lambda action: action.log.error_msg)),
    Field("trigger_type", lambda run: run.trigger_type),
    Field("start_time", lambda run: _moment(run.start_time)),
)

# What matters of the finding behind an object, where a rule of the policy asks about any of it.
# Its count and its times tick, and would have every click refused.
FINDING_FIELDS: tuple[Field[Finding], ...] = (
    Field("severity", lambda finding: finding.severity, decisive=True),
    Field("handle_status", lambda finding: finding.handle_status, decisive=True),
    Field("verification_state", lambda finding: finding.verification_state, decisive=True),
    Field("resources", lambda finding: _listed(_resources(finding)), decisive=True),
    Field("addresses", lambda finding: _listed(_addresses(finding)), decisive=True),
    Field("category", lambda finding: _path(*dict(finding.category).values()), decisive=True),
    Field(
        "data_source",
        lambda finding: _path(finding.data_source.product_name, finding.data_source.company_name),
        decisive=True,
    ),
    Field("simulation", lambda finding: _path(finding.simulation, finding.type), decisive=True),
)


def _levels(evidence: Evidence) -> str:
    """Name the level of each resource that has one; "" where some could not be read."""
    ids = {each.id for each in evidence.finding.resources} if evidence.finding else set()
    if evidence.unread and len(evidence.resources) < len(ids):
        return ""
    return _listed(f"{each.name or each.id}: {each.level}" for each in evidence.resources)


# Likewise of what stands around it; "" where it was not read.
EVIDENCE_FIELDS: tuple[Field[Evidence], ...] = (
    Field("asset_levels", _levels, decisive=True),
    Field(
        "aop_type",
        lambda evidence: evidence.workflow.aop_type if evidence.workflow else "",
        decisive=True,
    ),
)


def decisive_texts(snapshot: Task | Instance | PlaybookInstance) -> dict[str, str]:
    """Return what matters to a decision on a snapshot, apart from comments, by field name."""
    evidence = snapshot.evidence
    around = finding_texts(evidence) if evidence and evidence.decisive else {}
    return own_decisive_texts(snapshot) | around


def own_decisive_texts(snapshot: Task | Instance | PlaybookInstance) -> dict[str, str]:
    """Return what matters of the object itself, and not of what stands around it."""
    match snapshot:
        case Task():
            return {row.name: row.read(snapshot) for row in TASK_FIELDS if row.decisive}
        case Instance():
            return {row.name: row.read(snapshot) for row in INSTANCE_FIELDS if row.decisive}
        case PlaybookInstance():
            return {row.name: row.read(snapshot) for row in PLAYBOOK_FIELDS if row.decisive}
        case _:
            assert_never(snapshot)


def finding_texts(evidence: Evidence | None) -> dict[str, str]:
    """Return what would matter of a finding, by field name; {} where nobody can tell.

    What can't be read has not changed: a rule that asks about it refuses by itself.
    """
    if evidence is None or (evidence.finding is None and evidence.unread):
        return {}
    finding = evidence.finding or Finding()
    texts = {field.name: field.read(finding) for field in FINDING_FIELDS if field.decisive}
    around = {field.name: field.read(evidence) for field in EVIDENCE_FIELDS if field.decisive}
    return texts | {name: text for name, text in around.items() if text}


def _resources(finding: Finding) -> Iterator[str]:
    """Yield what is said of each resource: rules may ask for any of it."""
    for each in finding.resources:
        yield " ".join(filter(None, (each.name, each.type, each.ep_name, each.id)))


def _path(text: str, detail: str) -> str:
    return f"{text}/{detail}".strip("/")


def _addresses(finding: Finding) -> Iterator[str]:
    for each in finding.connections:
        yield from (each.src_ip, each.src_domain, each.dest_ip, each.dest_domain)
