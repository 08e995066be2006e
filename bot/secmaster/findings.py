"""What SecMaster knows around a task or a run: alerts, incidents, resources, definitions, blocks.

Every field may be missing, null or of another type, and then reads as empty. All of its text may
be an attacker's. https://support.huaweicloud.com/api-secmaster/
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from bot.secmaster.shapes import (
    DataObject,
    Named,
    Node,
    Objects,
    Rows,
    RowsOrNone,
    Shape,
    WorkflowRef,
    answered,
)
from bot.secmaster.values import Flag, JsonText, Moment, Scalar, Text, Whole, json_text


class Severity(StrEnum):
    """The severities of a finding, the least first."""

    TIPS = "Tips"
    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"
    FATAL = "Fatal"


class HandleStatus(StrEnum):
    """Whether a finding is being handled."""

    OPEN = "Open"
    BLOCK = "Block"
    CLOSED = "Closed"


class Verification(StrEnum):
    """Whether a finding was found to be true."""

    UNKNOWN = "Unknown"
    TRUE_POSITIVE = "True_Positive"
    FALSE_POSITIVE = "False_Positive"


class AopType(StrEnum):
    """What a workflow does, as far as its author said: https://support.huaweicloud.com/api-secmaster/ShowAopWorkflow.html."""

    NORMAL = "NORMAL"
    SURVEY = "SURVEY"
    HEMOSTASIS = "HEMOSTASIS"
    EASE = "EASE"


class PlaybookInstanceStatus(StrEnum):
    """The statuses of a playbook instance."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    RETRYING = "RETRYING"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"


class PlaybookOperation(StrEnum):
    """https://support.huaweicloud.com/api-secmaster/ChangePlaybookInstance.html."""

    RETRY = "RETRY"
    TERMINATE = "TERMINATE"


class FindingResource(Shape):
    """A resource that a finding is about, such as a host; ``ep_*`` is its enterprise project."""

    id: Text = ""
    name: Text = ""
    type: Text = ""
    provider: Text = ""
    region_id: Text = ""
    ep_id: Text = ""
    ep_name: Text = ""


class Connection(Shape):
    """A network connection that a finding is about; ports come as numbers and as text."""

    direction: Text = ""
    protocol: Text = ""
    src_ip: Text = ""
    src_port: Scalar = ""
    src_domain: Text = ""
    dest_ip: Text = ""
    dest_port: Scalar = ""
    dest_domain: Text = ""


class FindingUser(Shape):
    """A user account that a finding is about."""

    user_id: Text = ""
    user_name: Text = ""


class Process(Shape):
    """A process that a finding is about."""

    process_name: Text = ""
    process_path: Text = ""
    process_pid: Scalar = ""
    process_cmdline: Text = ""


class FindingFile(Shape):
    """A file that a finding is about, without its content."""

    file_path: Text = ""
    file_sha256: Text = ""
    file_md5: Text = ""


class Malware(Shape):
    """The malware that a finding is about."""

    malware_family: Text = ""
    malware_class: Text = ""


class Remediation(Shape):
    """Huawei's advice on a finding."""

    recommendation: Text = ""
    url: Text = ""


class Category(Shape):
    """The category of a finding, and its type within it."""

    category: Text = ""
    type: Text = Field(
        default="", validation_alias=AliasChoices("type", "alert_type", "incident_type")
    )


class DataSource(Shape):
    """The product that a finding comes from."""

    source_type: Scalar = ""
    company_name: Text = ""
    product_name: Text = ""
    product_feature: Text = ""
    product_module: Text = ""


class Finding(DataObject):
    """An alert, an incident or another object of a data class, as it is in ``data_object``.

    ``dataclass_`` says of which class it is; ``type`` is SIMULATION, PLAYBOOK, MANUAL or
    DATA_SOURCE. ``category`` is its ``alert_type`` or ``incident_type``.
    """

    id: Text = ""
    dataclass_: Named = Field(default=Named(), alias="dataclass_ref")
    type: Text = ""
    create_time: Moment = None
    update_time: Moment = None
    title: Text = ""
    description: JsonText = ""
    severity: Text = ""
    confidence: Whole = 0
    criticality: Whole = 0
    count: Whole = 0
    first_observed_time: Moment = None
    last_observed_time: Moment = None
    arrive_time: Moment = None
    source_url: Text = ""
    handle_status: Text = ""
    verification_state: Text = ""
    close_reason: Text = ""
    close_comment: Text = ""
    ipdrr_phase: Text = ""
    simulation: Scalar = ""
    owner: Text = ""
    labels: Text = ""
    category: Category = Field(
        default=Category(),
        validation_alias=AliasChoices("category", "alert_type", "incident_type"),
    )
    data_source: DataSource = DataSource()
    region_id: Text = Field(
        default="",
        validation_alias=AliasChoices("region_id", AliasPath("environment", "region_id")),
    )
    resources: Annotated[tuple[FindingResource, ...], Objects] = Field(
        default=(), validation_alias=AliasChoices("resources", "resource_list")
    )
    connections: Annotated[tuple[Connection, ...], Objects] = Field(
        default=(), validation_alias=AliasChoices("connections", "network_list")
    )
    users: Annotated[tuple[FindingUser, ...], Objects] = Field(
        default=(), validation_alias=AliasChoices("users", "user_info")
    )
    processes: Annotated[tuple[Process, ...], Objects] = Field(
        default=(), validation_alias=AliasChoices("processes", "process")
    )
    files: Annotated[tuple[FindingFile, ...], Objects] = Field(
        default=(), validation_alias=AliasChoices("files", "file_info")
    )
    malware: Malware = Malware()
    remediation: Remediation = Remediation()


class Resource(Shape):
    """A resource as SecMaster manages it; ``level`` is 0 test, 1 general, 2 key, "" unstated."""

    id: Text = ""
    name: Text = ""
    type: Text = ""
    level: Scalar = ""
    department: Text = Field(
        default="",
        validation_alias=AliasChoices(AliasPath("department", "name"), "department"),
    )
    ep_name: Text = Field(
        default="", validation_alias=AliasChoices("ep_name", AliasPath("environment", "ep_name"))
    )
    governance_user: Text = Field(
        default="",
        validation_alias=AliasChoices(AliasPath("governance_user", "name"), "governance_user"),
    )


class Workflow(Shape):
    """The definition of a workflow; ``version_id`` is the active version."""

    id: Text = ""
    name: Text = ""
    description: Text = ""
    aop_type: Text = ""
    version_id: Text = ""
    current_approval_version_id: Text = ""
    enabled: Flag = None


class WorkflowVersion(Shape):
    """One version of a workflow; ``taskflow`` is base64 of JSON, whose inner format is unstated."""

    id: Text = ""
    name: Text = ""
    version: Scalar = ""
    aopworkflow_id: Text = ""
    status: Text = ""
    description: Text = ""
    taskflow: Text = ""
    taskconfig: JsonText = ""
    creator_name: Text = ""
    create_time: Moment = None
    update_time: Moment = None


class Playbook(Shape):
    """The definition of a playbook; ``unaudited_version_id`` is the version that is submitted."""

    id: Text = ""
    name: Text = ""
    description: Text = ""
    version_id: Text = ""
    unaudited_version_id: Text = ""
    enabled: Flag = None


class PlaybookVersion(Shape):
    """One version of a playbook.

    ``definition`` is all that SecMaster states of it, as JSON text: the format of the rules that
    start it, and of what an action does, is unstated.
    """

    READ_APART: ClassVar[frozenset[str]] = frozenset({"definition"})

    id: Text = ""
    version: Scalar = ""
    playbook_id: Text = ""
    status: Text = ""
    description: Text = ""
    trigger_type: Text = ""
    action_strategy: Text = ""
    actions: Annotated[tuple[Named, ...], Objects] = ()
    creator_name: Text = Field(default="", validation_alias=AliasChoices("creator_name", "creator"))
    create_time: Moment = None
    update_time: Moment = None
    definition: Text = ""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read a version together with its whole definition."""
        return answered(cls, data).model_copy(update={"definition": json_text(data)})


class PlaybookRef(Shape):
    """The playbook that a playbook instance is a run of."""

    id: Text = ""
    name: Text = ""
    version: Scalar = ""
    version_id: Text = ""


class PlaybookAction(Shape):
    """One action in a playbook instance's topology: mostly a run of a workflow.

    ``instance_id`` is the run's, ``workflow_id`` its workflow's; ``instance_type`` is AOP_WORKFLOW,
    SCRIPT or PLAYBOOK.
    """

    name: Text = Field(
        default="", validation_alias=AliasChoices("name", AliasPath("action", "name"))
    )
    workflow_id: Text = Field(
        default="", validation_alias=AliasChoices("workflow_id", AliasPath("action", "action_id"))
    )
    log: Node = Field(default=Node(), validation_alias=AliasChoices("log", "instance_log"))
    instance_id: Text = Field(
        default="",
        validation_alias=AliasChoices("instance_id", AliasPath("instance_log", "instance_id")),
    )


class PlaybookInstance(Shape):
    """One run of a playbook. It has no retry count.

    ``actions`` are its topology, which is another request; None where that was not read. Neither
    they nor ``evidence`` are part of SecMaster's answer about the instance.
    """

    READ_APART: ClassVar[frozenset[str]] = frozenset({"evidence", "actions"})

    id: Text = ""
    name: Text = ""
    playbook: PlaybookRef = PlaybookRef()
    dataclass_: Named = Field(default=Named(), alias="dataclass")
    dataobject: Named = Named()
    trigger_type: Text = ""
    status: Text = ""
    start_time: Moment = None
    end_time: Moment = None
    actions: Annotated[tuple[PlaybookAction, ...] | None, RowsOrNone] = None
    evidence: "Evidence | None" = None

    @property
    def failed_action(self) -> PlaybookAction | None:
        """The first of its actions that failed."""
        failed = PlaybookInstanceStatus.FAILED
        return next((each for each in self.actions or () if each.log.status == failed), None)


class DefensePolicy(Shape):
    """What one defense line did with a block."""

    defense_type: Text = ""
    defense_block_status: Text = ""
    defense_block_action: Text = ""
    defense_failure_description: Text = ""
    target_project_name: Text = ""


class PolicyRecord(DataObject):
    """A block, or a permission, that was set for an address or another target."""

    id: Text = ""
    block_target: Text = ""
    policy_category: Text = ""
    policy_direction: Text = ""
    block_age: Scalar = ""
    workflow_instance_id: Text = Field(
        default="",
        validation_alias=AliasChoices(
            "workflow_instance_id", AliasPath("workflow_instance", "workflow_instance_id")
        ),
    )
    policies: Annotated[tuple[DefensePolicy, ...], Objects] = Field(
        default=(), validation_alias=AliasChoices("policies", "defense_policy_list")
    )


class PlaybookInstancePage(BaseModel):
    """A page of the ``total`` playbook instances that match."""

    model_config = ConfigDict(frozen=True)

    total: int
    instances: tuple[PlaybookInstance, ...]

    @classmethod
    def of(cls, total: int, rows: Sequence[Any]) -> Self:
        instances = tuple(answered(PlaybookInstance, row) for row in rows)
        return cls(total=max(total, len(rows)), instances=instances)


class PlaybookReceipt(BaseModel):
    """SecMaster's answer to an operation on a playbook instance: the instance as it is now."""

    model_config = ConfigDict(frozen=True)

    status: int
    request_id: str
    instance: PlaybookInstance


class PolicyRecordPage(BaseModel):
    """A page of the ``total`` policy records that match."""

    model_config = ConfigDict(frozen=True)

    total: int
    records: tuple[PolicyRecord, ...]

    @classmethod
    def of(cls, total: int, rows: Sequence[Any]) -> Self:
        records = tuple(PolicyRecord.of(row) for row in rows if isinstance(row, dict))
        return cls(total=max(total, len(rows)), records=records)


class Unread(Shape):
    """Why something around an object can't be read: SecMaster's answer, in short.

    ``status`` is HTTP's, 0 where there was no answer; ``subject`` is which of the reads it was.
    """

    subject: Text = ""
    status: Whole = 0
    code: Text = ""
    request_id: Text = ""


class VersionChanges(Shape):
    """How a version that is submitted differs from the active one: in nodes or actions, by name.

    ``reordered``: they are the same, and another order or another condition leads from one to the
    next. ``reconfigured``: the configuration of a workflow's nodes differs, or the rules that start
    a playbook. ``partial``: how a workflow's nodes follow one another, or a playbook's actions or
    rules, could not be compared.
    """

    added: Annotated[tuple[Text, ...], Rows] = ()
    removed: Annotated[tuple[Text, ...], Rows] = ()
    changed: Annotated[tuple[Text, ...], Rows] = ()
    reordered: Annotated[bool, BeforeValidator(lambda value: value is True)] = False
    reconfigured: Annotated[bool, BeforeValidator(lambda value: value is True)] = False
    partial: Annotated[bool, BeforeValidator(lambda value: value is True)] = False


class Evidence(Shape):
    """What SecMaster knows around a task or a run, as it was read at ``read_at``.

    ``run`` and ``workflow_ref`` are the workflow's run that waits or failed, ``playbook`` the
    playbook it belongs to. ``upcoming`` are the names of the nodes after the approval, where the
    topology or the definition tells. Of a task that publishes a version ``workflow_version`` or
    ``playbook_version`` is the one that is submitted, ``workflow`` or ``playbook_definition`` what
    it is a version of, ``active_workflow_version`` or ``active_playbook_version`` the one that is
    active, and ``changes`` how the two differ, None where that can't be told; without a version's
    taskflow or definition, which may be long. ``resource`` is the first of the finding's; the
    ``other_resources`` are read where a rule or a route asks for it. ``unread`` says what could not
    be read. It is ``decisive`` where a rule of the policy asks about it: then it is part of what is
    decided on.
    """

    read_at: Moment = None
    finding: Finding | None = None
    resource: Resource | None = None
    other_resources: Annotated[tuple[Resource, ...], Objects] = ()
    run: Named = Named()
    run_status: Text = ""
    workflow_ref: WorkflowRef = WorkflowRef()
    workflow: Workflow | None = None
    workflow_version: WorkflowVersion | None = None
    active_workflow_version: WorkflowVersion | None = None
    playbook: Named = Named()
    playbook_definition: Playbook | None = None
    playbook_version: PlaybookVersion | None = None
    active_playbook_version: PlaybookVersion | None = None
    changes: VersionChanges | None = None
    upcoming: Annotated[tuple[Text, ...], Rows] = ()
    unread: Annotated[tuple[Unread, ...], Objects] = ()
    decisive: Annotated[bool, BeforeValidator(lambda value: value is True)] = False

    @property
    def resources(self) -> tuple[Resource, ...]:
        """The finding's resources that were read."""
        return ((self.resource,) if self.resource else ()) + self.other_resources

    def managed(self, asset: FindingResource) -> Resource | None:
        """Return as what SecMaster manages one of the finding's resources; None if not read."""
        return next((each for each in self.resources if each.id and each.id == asset.id), None)
