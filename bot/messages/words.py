"""The human words of each action. A new row of the table needs its words here, and no more."""

from dataclasses import dataclass

from bot.actions import Action


@dataclass(frozen=True, slots=True)
class Words:
    """How an action is spoken of.

    ``button`` asks for it, ``done`` tells that it was, ``doing`` that it is being; ``then`` is
    what it leads to, and ``noun`` what was asked for.
    """

    button: str
    done: str
    doing: str
    then: str
    noun: str


WORDS = {
    "task.approve": Words(
        "Approve", "Approved", "approving", "The flow goes on from here.", "approval"
    ),
    "task.terminate": Words(
        "Terminate", "Terminated", "terminating", "The task ends and its flow stops.", "termination"
    ),
    "task.comment": Words(
        "Comment", "Comment added", "commenting on", "SecMaster keeps it with your name.", "comment"
    ),
    "task.uncomment": Words(
        "Delete comment",
        "Comment deleted",
        "deleting a comment of",
        "The comment is gone from SecMaster.",
        "deletion of the comment",
    ),
    "task.attach": Words(
        "Attach",
        "Attachment added",
        "attaching a file to",
        "The uploaded file is listed with the task.",
        "attachment",
    ),
    "task.detach": Words(
        "Detach",
        "Attachment removed",
        "detaching a file from",
        "The file is no longer listed with the task.",
        "removal of the attachment",
    ),
    "instance.retry": Words(
        "Retry", "Retry started", "retrying", "The workflow runs again from what failed.", "retry"
    ),
    "instance.terminate": Words(
        "Terminate",
        "Termination started",
        "terminating",
        "The run is stopped for good.",
        "termination",
    ),
    "instance.debug": Words(
        "Debug",
        "Debug input sent",
        "debugging",
        "The node is given the parameters you enter.",
        "debug command",
    ),
}


def words(action: Action) -> Words:
    return WORDS[action.name]
