"""The words for each action. A new row of the table of actions needs its words here."""

from dataclasses import dataclass

from bot.domain.actions import Action
from bot.domain.snapshots import Snapshot
from bot.secmaster import BusinessType, Task


@dataclass(frozen=True, slots=True)
class ActionLabels:
    """The words for an action.

    ``button`` asks for it, ``noun`` names what was asked for, ``doing`` says that it is being done
    and ``done`` that it was. ``consequence`` is what it leads to, ``help`` what the command does,
    ``title`` its form's title where that is not made of the button and the object.
    ``publish_consequence`` is what a decision leads to for a version to be published, where no
    flow waits.
    """

    button: str
    noun: str
    doing: str
    done: str
    consequence: str
    help: str
    title: str = ""
    publish_consequence: str = ""


LABELS = {
    "task.approve": ActionLabels(
        button="Approve",
        noun="approval",
        doing="approving",
        done="Approved",
        consequence="The flow goes on from here.",
        publish_consequence="The version is published.",
        help="lets the flow go on",
    ),
    "task.terminate": ActionLabels(
        button="Terminate",
        noun="termination",
        doing="terminating",
        done="Terminated",
        consequence="The task ends: what waits for it stops, or is not published.",
        publish_consequence="The version is not published.",
        help="ends the task and its flow",
    ),
    "task.comment": ActionLabels(
        button="Comment",
        noun="comment",
        doing="commenting on",
        done="Comment added",
        consequence="SecMaster keeps it with your name.",
        help="adds a comment with your name",
        title="Comment on task",
    ),
    "task.uncomment": ActionLabels(
        button="Delete comment",
        noun="deletion of the comment",
        doing="deleting a comment of",
        done="Comment deleted",
        consequence="The comment is gone from SecMaster.",
        help="deletes a comment",
    ),
    "task.attach": ActionLabels(
        button="Attach",
        noun="attachment",
        doing="attaching a file to",
        done="Attachment added",
        consequence="The file is listed with the task.",
        help="lists an uploaded file with the task; on its card or in a message, your own",
        title="Attach to task",
    ),
    "task.detach": ActionLabels(
        button="Detach",
        noun="removal of the attachment",
        doing="detaching a file from",
        done="Attachment removed",
        consequence="The file is no longer listed with the task.",
        help="takes a file off the task",
    ),
    "instance.retry": ActionLabels(
        button="Retry",
        noun="retry",
        doing="retrying",
        done="Retry started",
        consequence="The workflow runs again from what failed.",
        help="runs again from what failed",
    ),
    "instance.terminate": ActionLabels(
        button="Terminate",
        noun="termination",
        doing="terminating",
        done="Termination started",
        consequence="The run is stopped for good.",
        help="stops the run for good",
    ),
    "instance.debug": ActionLabels(
        button="Debug",
        noun="debug command",
        doing="debugging",
        done="Debug input sent",
        consequence="The node is given the parameters you enter.",
        help="gives a node other parameters",
    ),
}


def labels(action: Action) -> ActionLabels:
    """Return the words for an action."""
    return LABELS[action.name]


def consequence(action: Action, snapshot: Snapshot) -> str:
    """Say what an action leads to for this object."""
    words, publishing = labels(action), (BusinessType.WORKFLOWPUBLISH, BusinessType.PLAYBOOKPUBLISH)
    if isinstance(snapshot, Task) and snapshot.business_type in publishing:
        return words.publish_consequence or words.consequence
    return words.consequence
