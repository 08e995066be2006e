"""The human words of each action. A new row of the table needs its words here, and no more."""

from dataclasses import dataclass

from bot.domain.actions import Action, Snapshot
from bot.secmaster import BusinessType, Task


@dataclass(frozen=True, slots=True)
class Words:
    """How an action is spoken of.

    ``button`` asks for it, ``noun`` is what was asked for, ``doing`` that it is being done and
    ``done`` that it was; ``then`` is what it leads to, and ``help`` what the command does.
    """

    button: str
    noun: str
    doing: str
    done: str
    then: str
    help: str
    title: str = ""


WORDS = {
    "task.approve": Words(
        button="Approve",
        noun="approval",
        doing="approving",
        done="Approved",
        then="The flow goes on from here.",
        help="lets the flow go on",
    ),
    "task.terminate": Words(
        button="Terminate",
        noun="termination",
        doing="terminating",
        done="Terminated",
        then="The task ends: what waits for it stops, or is not published.",
        help="ends the task and its flow",
    ),
    "task.comment": Words(
        button="Comment",
        noun="comment",
        doing="commenting on",
        done="Comment added",
        then="SecMaster keeps it with your name.",
        help="adds a comment with your name",
        title="Comment on task",
    ),
    "task.uncomment": Words(
        button="Delete comment",
        noun="deletion of the comment",
        doing="deleting a comment of",
        done="Comment deleted",
        then="The comment is gone from SecMaster.",
        help="deletes a comment",
    ),
    "task.attach": Words(
        button="Attach",
        noun="attachment",
        doing="attaching a file to",
        done="Attachment added",
        then="The file is listed with the task.",
        help="lists an uploaded file with the task; on its card, a file of yours",
        title="Attach to task",
    ),
    "task.detach": Words(
        button="Detach",
        noun="removal of the attachment",
        doing="detaching a file from",
        done="Attachment removed",
        then="The file is no longer listed with the task.",
        help="takes a file off the task",
    ),
    "instance.retry": Words(
        button="Retry",
        noun="retry",
        doing="retrying",
        done="Retry started",
        then="The workflow runs again from what failed.",
        help="runs again from what failed",
    ),
    "instance.terminate": Words(
        button="Terminate",
        noun="termination",
        doing="terminating",
        done="Termination started",
        then="The run is stopped for good.",
        help="stops the run for good",
    ),
    "instance.debug": Words(
        button="Debug",
        noun="debug command",
        doing="debugging",
        done="Debug input sent",
        then="The node is given the parameters you enter.",
        help="gives a node other parameters",
    ),
}

# What a decision leads to where it is not about a flow that waits.
PUBLISHING = {
    "task.approve": "The version is published.",
    "task.terminate": "The version is not published.",
}


def words(action: Action) -> Words:
    return WORDS[action.name]


def then(action: Action, about: Snapshot) -> str:
    """What the action leads to for this object."""
    publishing = (BusinessType.WORKFLOWPUBLISH, BusinessType.PLAYBOOKPUBLISH)
    if isinstance(about, Task) and about.business_type in publishing:
        return PUBLISHING.get(action.name, words(action).then)
    return words(action).then
