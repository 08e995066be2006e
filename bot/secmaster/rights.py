"""The rights in IAM that the bot's credential needs: for which operation, and what is lost without.

The actions' names are those of Huawei's tables, as far as they could be read:
https://support.huaweicloud.com/intl/en-us/usermanual-secmaster/secmaster_02_0008.html
"""

from dataclasses import dataclass
from enum import StrEnum

UNSTATED = ""  # no page that could be read says which action it is


class Feature(StrEnum):
    """What rights are for; the bot does without those that are not essential, and says so."""

    TASKS = "tasks"
    INSTANCES = "workflow instances"
    FINDINGS = "the alert on the card"
    DEFINITIONS = "what runs next, and what a version changes"
    PLAYBOOKS = "playbook instances"
    BLOCKS = "what came of a block"

    @property
    def is_essential(self) -> bool:
        return self in {Feature.TASKS, Feature.INSTANCES}


class Access(StrEnum):
    """Whether an operation reads or writes; a right to write can't be tried without writing."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Right:
    """The right to an operation of SecMaster's, by its name there; ``action`` is IAM's name."""

    feature: Feature
    operation: str
    purpose: str
    loss: str
    access: Access
    action: str = UNSTATED


LIST_TASKS = Right(
    Feature.TASKS,
    "ListTasks",
    "listing tasks",
    "no task is found, so there are no cards, lists, reminders and digests",
    Access.READ,
)
SHOW_TASK = Right(
    Feature.TASKS,
    "ShowTask",
    "reading one task",
    "no task's card, and nothing can be decided on a task",
    Access.READ,
    "secmaster:task:get",
)
LIST_INSTANCES = Right(
    Feature.INSTANCES,
    "ListAopWorkflowInstance",
    "listing workflow instances",
    "no cards of failed instances, and no list of them",
    Access.READ,
)
SHOW_INSTANCE = Right(
    Feature.INSTANCES,
    "ShowAopWorkflowInstance",
    "reading one workflow instance",
    "no instance's card, no retry, termination or debug, and no outcome of one",
    Access.READ,
    "secmaster:workflow:getInstance",
)
SHOW_ALERT = Right(
    Feature.FINDINGS,
    "ShowAlert",
    "reading alerts",
    "the alert is not on the card",
    Access.READ,
    "secmaster:alert:get",
)
SHOW_INCIDENT = Right(
    Feature.FINDINGS,
    "ShowIncident",
    "reading incidents",
    "the incident is not on the card",
    Access.READ,
    "secmaster:incident:get",
)
SHOW_DATAOBJECT = Right(
    Feature.FINDINGS,
    "ShowDataobject",
    "reading objects of other data classes",
    "objects that are neither alerts nor incidents are not on the card",
    Access.READ,
)
SHOW_RESOURCE = Right(
    Feature.FINDINGS,
    "ShowResource",
    "reading resources",
    "the importance and the department of a host are not on the card",
    Access.READ,
)
SHOW_WORKFLOW = Right(
    Feature.DEFINITIONS,
    "ShowAopWorkflow",
    "reading workflows",
    "the type of the workflow is not on the card",
    Access.READ,
    "secmaster:workflow:get",
)
SHOW_WORKFLOW_VERSION = Right(
    Feature.DEFINITIONS,
    "ShowAopWorkflowVersion",
    "reading versions of workflows",
    "the card does not say which steps come next, or what a version changes",
    Access.READ,
)
SHOW_PLAYBOOK = Right(
    Feature.DEFINITIONS,
    "ShowPlaybook",
    "reading playbooks",
    "the card of a playbook to publish does not say which version is active",
    Access.READ,
    "secmaster:playbook:get",
)
SHOW_PLAYBOOK_VERSION = Right(
    Feature.DEFINITIONS,
    "ShowPlaybookVersion",
    "reading versions of playbooks",
    "the card of a playbook to publish does not say what it changes",
    Access.READ,
    "secmaster:playbook:getVersion",
)
LIST_PLAYBOOK_INSTANCES = Right(
    Feature.PLAYBOOKS,
    "ListPlaybookInstances",
    "listing playbook instances",
    "playbook instances are not listed, and one that fails gets no card",
    Access.READ,
    "secmaster:playbook:listInstances",
)
SHOW_PLAYBOOK_INSTANCE = Right(
    Feature.PLAYBOOKS,
    "ShowPlaybookInstance",
    "reading one playbook instance",
    "no card, retry or termination of a playbook instance; no alert on a playbook task",
    Access.READ,
    "secmaster:playbook:getInstance",
)
SHOW_PLAYBOOK_TOPOLOGY = Right(
    Feature.PLAYBOOKS,
    "ShowPlaybookTopology",
    "reading the actions of a playbook instance",
    "the runs of a playbook instance are not named, nor held back while it is retried",
    Access.READ,
    "secmaster:playbook:getInstanceTopology",
)
SEARCH_POLICY_RECORDS = Right(
    Feature.BLOCKS,
    "SearchPolicyRecord",
    "searching for the blocks that were set",
    "the thread does not say which blocks were set, and which failed",
    Access.READ,
)
RIGHTS = (
    LIST_TASKS,
    SHOW_TASK,
    LIST_INSTANCES,
    SHOW_INSTANCE,
    Right(
        Feature.TASKS,
        "UpdateTask",
        "approving, terminating and commenting on tasks",
        "tasks can be read, and not decided",
        Access.WRITE,
    ),
    Right(
        Feature.TASKS,
        "UploadAttachment",
        "attaching files to tasks",
        "no file can be attached",
        Access.WRITE,
    ),
    Right(
        Feature.INSTANCES,
        "UpdateWorkflowInstance",
        "retrying, terminating and debugging workflow instances",
        "instances can be read, and not retried, terminated or debugged",
        Access.WRITE,
    ),
    SHOW_ALERT,
    SHOW_INCIDENT,
    SHOW_DATAOBJECT,
    SHOW_RESOURCE,
    SHOW_WORKFLOW,
    SHOW_WORKFLOW_VERSION,
    SHOW_PLAYBOOK,
    SHOW_PLAYBOOK_VERSION,
    LIST_PLAYBOOK_INSTANCES,
    SHOW_PLAYBOOK_INSTANCE,
    SHOW_PLAYBOOK_TOPOLOGY,
    SEARCH_POLICY_RECORDS,
    Right(
        Feature.PLAYBOOKS,
        "ChangePlaybookInstance",
        "retrying and terminating playbook instances",
        "playbook instances can be read, and not retried or terminated",
        Access.WRITE,
    ),
)
