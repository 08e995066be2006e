"""THE TABLE: the nine things a person can do, one row each.

The grammar of commands, the buttons, the permissions, the audit's names, the help, the README's
table and the manifest follow from it; nothing else lists the nine. Their human words are in
``bot.messages.words``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bot.domain.attribution import has_comment
from bot.domain.objects import ObjectKind
from bot.domain.operations import Operation
from bot.domain.snapshots import Snapshot
from bot.secmaster import CommandType, Instance, InstanceStatus, Task, TaskAction, TaskStatus

EffectCheck = Callable[[Operation, Snapshot, int], bool | None]


@dataclass(frozen=True, slots=True)
class Param:
    """A word or text that a command needs beyond the id.

    ``label`` stands for it in a command's usage, ``title`` above its input in a form.
    ``rest`` takes everything that follows; ``json`` must be a JSON array; ``signed`` is sent
    with the person's name; a form may offer the node that failed for what is ``offered``. What
    is ``said``, and a ``file``, may be taken from a message: such an action is in the menu of
    messages too. A command gives a file by its id in SecMaster, a form takes it from Slack.
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
    """One row.

    ``word`` is SecMaster's own for the call. ``only_when`` are the statuses in which it may be
    sent at all: a row that has some reads the object before it writes. ``once`` makes one key
    of all the rows of a noun that share it, so that only one of them is ever sent at a time.
    ``happened`` reads, after a doubt, whether the write took effect, given the retry count seen
    before it: yes, no, or None where SecMaster cannot tell. ``on_card`` are the statuses in
    which the card shows a button for it, ``in_menu`` puts it under "more"; ``asks`` opens a
    modal for its parameters or its reason first. What can be done to ``many`` is done to up to
    twenty objects with one confirmation.
    """

    name: str
    command: TaskAction | CommandType
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
        return "task" if self.name.startswith("task.") else "instance"

    @property
    def verb(self) -> str:
        return self.name.partition(".")[2]

    @property
    def usage(self) -> str:
        """How the command is written, without its slash."""
        needs = [f"<{param.label}>" for param in self.params]
        return " ".join([self.kind, self.verb, "<id>", *needs, *["[reason]"] * self.takes_reason])

    @property
    def takes_file(self) -> bool:
        """Whether a form takes what it needs from Slack's files."""
        return any(param.file for param in self.params)

    @property
    def is_retry(self) -> bool:
        """Whether it makes a run try again: that is counted, and followed to its end."""
        return self.claim_group == "retry"

    @property
    def takes_reason(self) -> bool:
        """Whether the words after the id are a reason rather than a parameter."""
        return bool(self.claim_group)


MAX_REASON = 1000
COMMENT = Param(
    "comment", "text", "Comment", rest=True, signed=True, from_message=True, max_length=3000
)
COMMENT_ID = Param("comment_id", "comment id", "Comment id")
FILE = Param("attachment_id", "attachment id", "Files", file=True)
ATTACHMENT_ID = Param("attachment_id", "attachment id", "Attachment id")
NODE_ID = Param("task_id", "node id", "Node id", suggested=True)
NODE_INPUT = Param(
    "input_dataobject", "json", "Parameters (a JSON array)", rest=True, json=True, max_length=3000
)


def _task_finished(_operation: Operation, now: Snapshot, _retries: int) -> bool | None:
    return _has_status(TaskStatus.FINISHED, now)


def _task_canceled(_operation: Operation, now: Snapshot, _retries: int) -> bool | None:
    return _has_status(TaskStatus.CANCELED, now)


def _has_status(wanted: TaskStatus, now: Snapshot) -> bool | None:
    """Whether a task ended this way; None for any other way, which may be somebody else's."""
    if now.status == wanted:
        return True
    return False if now.status == TaskStatus.WAITING else None


def _comment_present(operation: Operation, now: Snapshot, _retries: int) -> bool | None:
    return has_comment(operation, now)


def _comment_absent(operation: Operation, now: Snapshot, _retries: int) -> bool | None:
    wanted = operation.params["comment_id"]
    return isinstance(now, Task) and all(comment.id != wanted for comment in now.comments)


def _attachment_present(operation: Operation, now: Snapshot, _retries: int) -> bool | None:
    return isinstance(now, Task) and operation.params["attachment_id"] in now.attachment_id_list


def _attachment_absent(operation: Operation, now: Snapshot, retries: int) -> bool | None:
    return not _attachment_present(operation, now, retries)


def _retry_visible(_operation: Operation, now: Snapshot, retries: int) -> bool | None:
    if isinstance(now, Instance) and now.retry_count > retries:
        return True
    if now.status == InstanceStatus.FAILED:
        return False
    # Terminated or finished without another retry counted, it need not have been this one.
    return now.status in (InstanceStatus.RETRYING, InstanceStatus.RUNNING) or None


def _instance_terminated(_operation: Operation, now: Snapshot, _retries: int) -> bool | None:
    return now.status in (InstanceStatus.TERMINATING, InstanceStatus.TERMINATED)


def _not_readable(_operation: Operation, _now: Snapshot, _retries: int) -> bool | None:
    return None


WAITING = (TaskStatus.WAITING,)
FAILED = (InstanceStatus.FAILED,)
ALIVE = (InstanceStatus.RUNNING, InstanceStatus.RETRYING, InstanceStatus.FAILED)
TERMINABLE_ON_CARD = (InstanceStatus.RUNNING, InstanceStatus.FAILED)

# Statuses in which somebody is waited for.
OPEN_STATUSES = (*WAITING, *FAILED)

# Statuses that somebody or something may still change.
CHANGEABLE_STATUSES = (*WAITING, *ALIVE, InstanceStatus.TERMINATING)

TABLE: tuple[Action, ...] = (
    Action(
        "task.approve",
        TaskAction.CONTINUE,
        _task_finished,
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
        _task_canceled,
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
)

BY_NAME = {action.name: action for action in TABLE}
MESSAGE_ACTIONS = tuple(
    action for action in TABLE if any(param.from_message or param.file for param in action.params)
)


def batch_actions(noun: ObjectKind) -> tuple[Action, ...]:
    """What can be done to many objects of this noun at once."""
    return tuple(action for action in TABLE if action.kind == noun and action.batchable)


def batch_statuses(noun: ObjectKind) -> frozenset[str]:
    """The statuses in which all of that is possible."""
    return frozenset.intersection(
        *(frozenset(each.allowed_statuses) for each in batch_actions(noun))
    )


def needs_attribution(operation: Operation) -> bool:
    """Whether a comment in SecMaster is to say who decided, and why."""
    if operation.ref.kind != "task" or not BY_NAME[operation.action].claim_group:
        return False
    comment = operation.terms.comment
    return comment == "always" or bool(operation.reason and comment == "reason")
