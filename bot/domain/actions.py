"""THE TABLE: the nine things a person can do, one row each.

The grammar of commands, the buttons, the permissions, the audit's names, the help, the README's
table and the manifest follow from it; nothing else lists the nine. Their human words are in
``bot.messages.words``.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bot.domain.models import Actor, Noun, Operation, visible
from bot.secmaster import CommandType, Instance, InstanceStatus, Task, TaskAction, TaskStatus

Snapshot = Task | Instance
Happened = Callable[[Operation, Snapshot, int], bool | None]


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
    offered: bool = False
    said: bool = False
    file: bool = False
    longest: int = 100


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
    word: TaskAction | CommandType
    happened: Happened
    needs: tuple[Param, ...] = ()
    aliases: tuple[str, ...] = ()
    only_when: tuple[str, ...] = ()
    once: str = ""
    on_card: tuple[str, ...] = ()
    in_menu: bool = False
    asks: bool = False
    many: bool = False
    look: Literal["", "primary", "danger"] = ""

    @property
    def noun(self) -> Noun:
        return "task" if self.name.startswith("task.") else "instance"

    @property
    def verb(self) -> str:
        return self.name.partition(".")[2]

    @property
    def usage(self) -> str:
        """How the command is written, without its slash."""
        needs = [f"<{param.label}>" for param in self.needs]
        return " ".join([self.noun, self.verb, "<id>", *needs, *["[reason]"] * self.takes_reason])

    @property
    def takes_file(self) -> bool:
        """Whether a form takes what it needs from Slack's files."""
        return any(param.file for param in self.needs)

    @property
    def retries(self) -> bool:
        """Whether it makes a run try again: that is counted, and followed to its end."""
        return self.once == "retry"

    @property
    def takes_reason(self) -> bool:
        """Whether the words after the id are a reason rather than a parameter."""
        return bool(self.once)


LONGEST_REASON = 1000
TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
SHOWN_REASON = 80  # of the others who said yes: with nine people a comment has to fit
COMMENT = Param("comment", "text", "Comment", rest=True, signed=True, said=True, longest=3000)
COMMENT_ID = Param("comment_id", "comment id", "Comment id")
FILE = Param("attachment_id", "attachment id", "Files", file=True)
ATTACHMENT_ID = Param("attachment_id", "attachment id", "Attachment id")
NODE_ID = Param("task_id", "node id", "Node id", offered=True)
NODE_INPUT = Param(
    "input_dataobject", "json", "Parameters (a JSON array)", rest=True, json=True, longest=3000
)


def signed_comment(operation: Operation, text: str, permalink: str = "") -> str:
    """Return somebody's text as SecMaster keeps it.

    It names the person, since the credential names only the bot, where they said it, and the
    operation, so that after a doubt it can be told from any other.
    """
    return f"{_unsigned(text)}\n{_signature(operation, permalink)}"


def attributed(operation: Operation) -> bool:
    """Whether a comment in SecMaster is to say who decided, and why."""
    if operation.ref.noun != "task" or not BY_NAME[operation.action].once:
        return False
    comment = operation.terms.comment
    return comment == "always" or bool(operation.reason and comment == "reason")


def attribution(operation: Operation, noun: str, permalink: str = "") -> str:
    """What is said to SecMaster of a decision: what it is, and why everybody wanted it."""
    alone = ", decided alone by breaking the glass" if operation.terms.glass else ""
    parts = [f"{noun.capitalize()} from Slack{alone}"]
    parts += [_unsigned(operation.reason)] if operation.reason else []
    for vote in operation.backing:
        reason = _unsigned(" ".join(vote.reason.split()))
        said = f": {reason[:SHOWN_REASON]}" if reason else ""
        parts.append(f"With {_named(vote.actor)} (Slack {vote.actor.id}){said}")
    return "\n".join([*parts, _signature(operation, permalink)])


def _signature(operation: Operation, permalink: str) -> str:
    place, lender = operation.place, operation.terms.lender
    named = f"#{place.channel_name} ({place.channel})" if place.channel_name else place.channel
    parts = [
        f"— {_named(operation.actor)} {mark(operation)}",
        f"by the right of Slack {lender}" if lender else "",
        f"in {named}" if named else "",
        permalink,
    ]
    return ", ".join(filter(None, parts))


def mark(operation: Operation) -> str:
    """What no other operation's comment holds."""
    return mark_of(operation.actor.id, operation.reference)


def mark_of(user: str, reference: str) -> str:
    return f"(Slack {user}), ref {reference}"


def has_comment(operation: Operation, now: Snapshot) -> bool:
    """Whether the comment of this operation is there: its reference is in no other."""
    own = mark(operation)
    return isinstance(now, Task) and any(own in comment.message for comment in now.comments)


def _named(actor: Actor) -> str:
    """A name on one line, in which no bracket can pose as our own."""
    name = " ".join(visible(actor.name or actor.id).split())
    return name.translate(str.maketrans("()", "[]"))[:80]


def _unsigned(text: str) -> str:
    """The whole text, in which no line can pose as one of ours: they all name somebody of Slack."""
    lines = text.splitlines(keepends=True)
    return "".join(f"> {line}" if _poses(line) else line for line in lines)


def _poses(line: str) -> bool:
    """Whether a line may be read as ours, through letters that look alike or that turn it round."""
    plain = unicodedata.normalize("NFKC", visible(line.replace("\u200d", "")))
    return re.search(r"\(\s*slack\b", plain, re.IGNORECASE) is not None or bool(TURNS & set(line))


def _approved(_operation: Operation, now: Snapshot, _retries: int) -> bool | None:
    return _ended_as(TaskStatus.FINISHED, now)


def _rejected(_operation: Operation, now: Snapshot, _retries: int) -> bool | None:
    return _ended_as(TaskStatus.CANCELED, now)


def _ended_as(wanted: TaskStatus, now: Snapshot) -> bool | None:
    """Whether a task ended this way; None for any other way, which may be somebody else's."""
    if now.status == wanted:
        return True
    return False if now.status == TaskStatus.WAITING else None


def _commented(operation: Operation, now: Snapshot, _retries: int) -> bool | None:
    return has_comment(operation, now)


def _uncommented(operation: Operation, now: Snapshot, _retries: int) -> bool | None:
    wanted = operation.params["comment_id"]
    return isinstance(now, Task) and all(comment.id != wanted for comment in now.comments)


def _attached(operation: Operation, now: Snapshot, _retries: int) -> bool | None:
    return isinstance(now, Task) and operation.params["attachment_id"] in now.attachment_id_list


def _detached(operation: Operation, now: Snapshot, retries: int) -> bool | None:
    return not _attached(operation, now, retries)


def _retried(_operation: Operation, now: Snapshot, retries: int) -> bool | None:
    if isinstance(now, Instance) and now.retry_count > retries:
        return True
    if now.status == InstanceStatus.FAILED:
        return False
    # Terminated or finished without another retry counted, it need not have been this one.
    return now.status in (InstanceStatus.RETRYING, InstanceStatus.RUNNING) or None


def _terminated(_operation: Operation, now: Snapshot, _retries: int) -> bool | None:
    return now.status in (InstanceStatus.TERMINATING, InstanceStatus.TERMINATED)


def _untold(_operation: Operation, _now: Snapshot, _retries: int) -> bool | None:
    return None


WAITING = (TaskStatus.WAITING,)
FAILED = (InstanceStatus.FAILED,)
ALIVE = (InstanceStatus.RUNNING, InstanceStatus.RETRYING, InstanceStatus.FAILED)
ON_CARD = (InstanceStatus.RUNNING, InstanceStatus.FAILED)

# Statuses in which somebody is waited for.
WAITED_FOR = (*WAITING, *FAILED)

# Statuses that somebody or something may still change.
UNSETTLED = (*WAITING, *ALIVE, InstanceStatus.TERMINATING)

TABLE: tuple[Action, ...] = (
    Action(
        "task.approve",
        TaskAction.CONTINUE,
        _approved,
        aliases=("continue",),
        only_when=WAITING,
        once="decision",
        on_card=WAITING,
        many=True,
        look="primary",
    ),
    Action(
        "task.terminate",
        TaskAction.TERMINATE,
        _rejected,
        aliases=("reject",),
        only_when=WAITING,
        once="decision",
        on_card=WAITING,
        asks=True,
        many=True,
        look="danger",
    ),
    Action(
        "task.comment",
        TaskAction.ADD_COMMENT,
        _commented,
        needs=(COMMENT,),
        on_card=WAITING,
        asks=True,
    ),
    Action("task.uncomment", TaskAction.DELETE_COMMENT, _uncommented, needs=(COMMENT_ID,)),
    Action(
        "task.attach",
        TaskAction.ADD_ATTACHMENT,
        _attached,
        needs=(FILE,),
        in_menu=True,
        asks=True,
    ),
    Action("task.detach", TaskAction.DELETE_ATTACHMENT, _detached, needs=(ATTACHMENT_ID,)),
    Action(
        "instance.retry",
        CommandType.RETRY,
        _retried,
        only_when=FAILED,
        once="retry",
        on_card=FAILED,
        many=True,
        look="primary",
    ),
    Action(
        "instance.terminate",
        CommandType.TERMINATE,
        _terminated,
        aliases=("stop",),
        only_when=ALIVE,
        once="termination",
        on_card=ON_CARD,
        asks=True,
        many=True,
        look="danger",
    ),
    Action(
        "instance.debug",
        CommandType.DEBUG,
        _untold,
        needs=(NODE_ID, NODE_INPUT),
        on_card=FAILED,
        asks=True,
    ),
)

BY_NAME = {action.name: action for action in TABLE}
FROM_MESSAGES = tuple(
    action for action in TABLE if any(param.said or param.file for param in action.needs)
)


def for_many(noun: Noun) -> tuple[Action, ...]:
    """What can be done to many objects of this noun at once."""
    return tuple(action for action in TABLE if action.noun == noun and action.many)


def choosable(noun: Noun) -> frozenset[str]:
    """The statuses in which all of that is possible."""
    return frozenset.intersection(*(frozenset(each.only_when) for each in for_many(noun)))
