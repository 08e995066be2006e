"""THE TABLE of actions: what a person can do to an object, one row each.

The grammar of commands, the buttons, the forms, the batches, the permissions, the audit's names,
the help and the manifest follow from it; nothing else lists them. Their words for people are in
``bot.messages.labels``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, assert_never

from bot.domain.attribution import has_comment
from bot.domain.objects import RUN_KINDS, ObjectKind
from bot.domain.operations import AttributionRule, Operation
from bot.domain.snapshots import Snapshot, attempt
from bot.secmaster import (
    CommandType,
    DueHandle,
    Instance,
    InstanceStatus,
    PlaybookInstance,
    PlaybookInstanceStatus,
    PlaybookOperation,
    Task,
    TaskAction,
    TaskStatus,
)

Command = TaskAction | CommandType | PlaybookOperation
EffectCheck = Callable[[Operation, Snapshot, int], bool | None]


@dataclass(frozen=True, slots=True)
class Param:
    """A word or text that an action needs beyond the object's id.

    ``label`` stands for it in a command's usage, ``title`` above its input in a form. ``rest``
    takes everything that follows; ``json`` must be a JSON array; ``signed`` is sent with the
    person's name; for a ``suggested`` one a form offers the node that failed. One that is
    ``from_message``, and a ``file``, may be taken from a Slack message: such an action is in the
    menu of messages too. A command takes a file by its id in SecMaster, a form takes it from
    Slack.
    """

    name: str
    label: str
    title: str
    rest: bool = False
    json: bool = False
    signed: bool = False
    suggested: bool = False
    from_message: bool = False
    file: bool = False
    max_length: int = 100


@dataclass(frozen=True, slots=True)
class Action:
    """One row: an action, how it is asked for, and how its effect is recognised.

    ``name`` is kind and verb, such as "task.approve"; ``command`` is SecMaster's name of the
    write. ``took_effect`` tells from a later snapshot whether the write of an operation happened,
    given the attempt before it: True, False, or None where SecMaster can't tell.
    ``allowed_statuses`` are those in which it may be sent: an action that has some reads the
    object before it writes. Of all actions of a kind with one ``claim_group`` only one is ever
    sent at a time; on a task that is a decision. A card shows a button for it in the
    ``button_statuses``; ``in_menu`` puts it into the card's menu, which holds five and is full on
    a task; ``opens_form`` asks for its parameters or its reason in a form first. A ``batchable``
    one may be done to up to twenty objects with one confirmation.
    """

    name: str
    command: Command
    took_effect: EffectCheck
    params: tuple[Param, ...] = ()
    aliases: tuple[str, ...] = ()
    allowed_statuses: tuple[str, ...] = ()
    claim_group: str = ""
    button_statuses: tuple[str, ...] = ()
    in_menu: bool = False
    opens_form: bool = False
    batchable: bool = False
    style: Literal["", "primary", "danger"] = ""

    @property
    def kind(self) -> ObjectKind:
        """What it is done on."""
        match self.command:
            case TaskAction():
                return "task"
            case CommandType():
                return "instance"
            case PlaybookOperation():
                return "playbook"
            case _:
                assert_never(self.command)

    @property
    def verb(self) -> str:
        """The word for it in a command."""
        return self.name.partition(".")[2]

    @property
    def usage(self) -> str:
        """How its command is written, without the slash."""
        params = [f"<{param.label}>" for param in self.params]
        return " ".join([self.kind, self.verb, "<id>", *params, *["[reason]"] * self.takes_reason])

    @property
    def takes_file(self) -> bool:
        """Whether its form takes a file from Slack."""
        return any(param.file for param in self.params)

    @property
    def is_decision(self) -> bool:
        """Whether it decides a task: decisions are counted, each under its own name."""
        return self.claim_group == "decision"

    @property
    def lets_continue(self) -> bool:
        """Whether what waits for a task continues by it."""
        return self.command is TaskAction.CONTINUE

    @property
    def has_effect(self) -> bool:
        """Whether something happens by it; the others only add to a task's record."""
        return self.kind in RUN_KINDS or bool(self.claim_group)

    @property
    def is_retry(self) -> bool:
        """Whether it retries a run: retries are counted, and followed to their end."""
        return self.claim_group == "retry"

    @property
    def takes_reason(self) -> bool:
        """Whether the words after the id are a reason instead of a parameter."""
        return bool(self.claim_group)


MAX_REASON = 1000
COMMENT = Param(
    "comment", "text", "Comment", rest=True, signed=True, from_message=True, max_length=3000
)
COMMENT_ID = Param("comment_id", "comment id", "Comment ID")
FILE = Param("attachment_id", "attachment id", "Files", file=True)
ATTACHMENT_ID = Param("attachment_id", "attachment id", "Attachment ID")
NODE_ID = Param("task_id", "node id", "Node", suggested=True)
NODE_INPUT = Param(
    "input_dataobject", "json", "Parameters (a JSON array)", rest=True, json=True, max_length=3000
)


def _task_ended(status: TaskStatus) -> EffectCheck:
    """Return a check that a task ended with this status.

    None for another end, which may be somebody else's decision.
    """

    def check(_operation: Operation, snapshot: Snapshot, _attempt: int) -> bool | None:
        if snapshot.status == status:
            return True
        return False if snapshot.status == TaskStatus.WAITING else None

    return check


def _comment_present(operation: Operation, snapshot: Snapshot, _attempt: int) -> bool | None:
    return has_comment(operation, snapshot)


def _comment_absent(operation: Operation, snapshot: Snapshot, _attempt: int) -> bool | None:
    comment_id = operation.params["comment_id"]
    return isinstance(snapshot, Task) and all(
        comment.id != comment_id for comment in snapshot.comments
    )


def _attachment_present(operation: Operation, snapshot: Snapshot, _attempt: int) -> bool | None:
    attachment_id = operation.params["attachment_id"]
    return isinstance(snapshot, Task) and attachment_id in snapshot.attachment_id_list


def _attachment_absent(operation: Operation, snapshot: Snapshot, _attempt: int) -> bool | None:
    return not _attachment_present(operation, snapshot, _attempt)


def _retry_visible(_operation: Operation, snapshot: Snapshot, attempt_before: int) -> bool | None:
    if isinstance(snapshot, Instance) and attempt(snapshot) > attempt_before:
        return True
    if snapshot.status == InstanceStatus.FAILED:
        return False
    # Terminated or finished without another retry counted, it need not have been this one.
    return snapshot.status in (InstanceStatus.RETRYING, InstanceStatus.RUNNING) or None


def _instance_terminated(_operation: Operation, snapshot: Snapshot, _attempt: int) -> bool | None:
    return snapshot.status in (InstanceStatus.TERMINATING, InstanceStatus.TERMINATED)


def _playbook_retry_visible(
    _operation: Operation, snapshot: Snapshot, attempt_before: int
) -> bool | None:
    """Tell by the status: that it failed again may have been this retry, or another one."""
    if snapshot.status == PlaybookInstanceStatus.FAILED:
        # Without the failure's end time nothing tells this failure from the one before.
        return False if attempt(snapshot) == attempt_before != 0 else None
    under_way = (PlaybookInstanceStatus.RETRYING, PlaybookInstanceStatus.RUNNING)
    return snapshot.status in under_way or None


def _playbook_terminated(_operation: Operation, snapshot: Snapshot, _attempt: int) -> bool | None:
    return isinstance(snapshot, PlaybookInstance) and snapshot.status in (
        PlaybookInstanceStatus.TERMINATING,
        PlaybookInstanceStatus.TERMINATED,
    )


def _not_readable(_operation: Operation, _snapshot: Snapshot, _attempt: int) -> bool | None:
    return None


WAITING = (TaskStatus.WAITING,)
FAILED = (InstanceStatus.FAILED,)
ALIVE = (InstanceStatus.RUNNING, InstanceStatus.RETRYING, InstanceStatus.FAILED)
TERMINABLE_ON_CARD = (InstanceStatus.RUNNING, InstanceStatus.FAILED)
# Those of a playbook's run have the same names.
PLAYBOOK_FAILED = (PlaybookInstanceStatus.FAILED,)
PLAYBOOK_ALIVE = (
    PlaybookInstanceStatus.RUNNING,
    PlaybookInstanceStatus.RETRYING,
    PlaybookInstanceStatus.FAILED,
)

# Statuses in which an object waits for a person.
OPEN_STATUSES = (*WAITING, *FAILED)

# Statuses that are not final.
CHANGEABLE_STATUSES = (*WAITING, *ALIVE, InstanceStatus.TERMINATING)

TABLE: tuple[Action, ...] = (
    Action(
        "task.approve",
        TaskAction.CONTINUE,
        _task_ended(TaskStatus.FINISHED),
        aliases=("continue",),
        allowed_statuses=WAITING,
        claim_group="decision",
        button_statuses=WAITING,
        batchable=True,
        style="primary",
    ),
    Action(
        "task.terminate",
        TaskAction.TERMINATE,
        _task_ended(TaskStatus.CANCELED),
        aliases=("reject",),
        allowed_statuses=WAITING,
        claim_group="decision",
        button_statuses=WAITING,
        opens_form=True,
        batchable=True,
        style="danger",
    ),
    Action(
        "task.comment",
        TaskAction.ADD_COMMENT,
        _comment_present,
        params=(COMMENT,),
        button_statuses=WAITING,
        opens_form=True,
    ),
    Action("task.uncomment", TaskAction.DELETE_COMMENT, _comment_absent, params=(COMMENT_ID,)),
    Action(
        "task.attach",
        TaskAction.ADD_ATTACHMENT,
        _attachment_present,
        params=(FILE,),
        in_menu=True,
        opens_form=True,
    ),
    Action(
        "task.detach", TaskAction.DELETE_ATTACHMENT, _attachment_absent, params=(ATTACHMENT_ID,)
    ),
    Action(
        "instance.retry",
        CommandType.RETRY,
        _retry_visible,
        allowed_statuses=FAILED,
        claim_group="retry",
        button_statuses=FAILED,
        batchable=True,
        style="primary",
    ),
    Action(
        "instance.terminate",
        CommandType.TERMINATE,
        _instance_terminated,
        aliases=("stop",),
        allowed_statuses=ALIVE,
        claim_group="termination",
        button_statuses=TERMINABLE_ON_CARD,
        opens_form=True,
        batchable=True,
        style="danger",
    ),
    Action(
        "instance.debug",
        CommandType.DEBUG,
        _not_readable,
        params=(NODE_ID, NODE_INPUT),
        button_statuses=FAILED,
        opens_form=True,
    ),
    Action(
        "playbook.retry",
        PlaybookOperation.RETRY,
        _playbook_retry_visible,
        allowed_statuses=PLAYBOOK_FAILED,
        claim_group="retry",
        button_statuses=PLAYBOOK_FAILED,
        batchable=True,
        style="primary",
    ),
    Action(
        "playbook.terminate",
        PlaybookOperation.TERMINATE,
        _playbook_terminated,
        aliases=("stop",),
        allowed_statuses=PLAYBOOK_ALIVE,
        claim_group="termination",
        button_statuses=(PlaybookInstanceStatus.RUNNING, PlaybookInstanceStatus.FAILED),
        opens_form=True,
        batchable=True,
        style="danger",
    ),
)

BY_NAME = {action.name: action for action in TABLE}
MESSAGE_ACTIONS = tuple(
    action for action in TABLE if any(param.from_message or param.file for param in action.params)
)


def batch_actions(kind: ObjectKind) -> tuple[Action, ...]:
    """Return the actions that can be done to several objects of this kind at once."""
    return tuple(action for action in TABLE if action.kind == kind and action.batchable)


def batch_statuses(kind: ObjectKind) -> frozenset[str]:
    """Return the statuses in which all of the batch actions of this kind are allowed."""
    return frozenset.intersection(
        *(frozenset(action.allowed_statuses) for action in batch_actions(kind))
    )


def needs_attribution(operation: Operation) -> bool:
    """Whether a comment in SecMaster must name who decided, and why."""
    if operation.ref.kind != "task" or not BY_NAME[operation.action].claim_group:
        return False
    match operation.terms.comment:
        case AttributionRule.ALWAYS:
            return True
        case AttributionRule.WITH_REASON:
            return bool(operation.reason)
        case AttributionRule.NEVER:
            return False
        case rule:
            assert_never(rule)


def is_contrary(action: Action, due_handle: DueHandle) -> bool:
    """Return whether a task that nobody decides ends otherwise than the action would end it."""
    return action.lets_continue is not (due_handle is DueHandle.CONTINUE)
