"""The sentences of each action. A new row of the table of actions needs its sentences here.

They are whole, so that each language can put its words in its own order: no other sentence is made
of an action's noun or verb.
"""

from dataclasses import dataclass

from bot.domain.actions import Action, Param
from bot.domain.snapshots import Snapshot
from bot.messages.catalogue import N_, NN_, Catalogue
from bot.secmaster import BusinessType, Task


@dataclass(frozen=True, slots=True)
class ActionLabels:
    """The English sentences about an action, each to be looked up in its reader's catalogue.

    ``{actor}`` is who asked for it, ``{when}`` a time, ``{object}`` what it was done to.

    ``button`` asks for it, ``title`` stands above its form where that is not its question
    ``confirm``; ``permission`` names it among somebody's rights, ``help`` says what its command
    does. ``consequence`` is what it leads to, ``publish_consequence`` where a version waits to be
    published and no workflow, ``playbook_consequence`` where a playbook waits.
    ``started`` acknowledges it; ``done``, ``done_by`` and ``done_at`` say that it was done,
    ``done_before`` that somebody else had done it, ``past`` the same as a report says it, ``batch``
    for ``{done}`` of ``{count}`` objects. ``under_way`` says that it is being done, ``waiting``
    that it was not sent yet, ``not_sent`` that it will not be, ``refused`` that SecMaster refused
    it, ``interrupted`` that the bot ended in the middle of it. ``in_doubt`` says that its effect
    will be known, ``unknown`` that it won't, ``perhaps`` that it explains what SecMaster shows.
    ``decided`` says in a shift's summary how many were decided so, of an action that decides.
    ``tally``, ``withdrawn``, ``declined``, ``expired`` and ``request_ended`` speak of the request
    for approvals of it, which ``{names}`` had agreed to, and ``counted`` says that an approval was
    one of several. ``failed_again`` says of a retry that the run has failed since. ``denied`` says
    that the policy refused it, ``decline_denied`` that it did not let somebody decline a request.
    ``shortcut`` describes its entry in the menu of messages, in Slack's list of apps;
    ``attribution`` begins the comment that explains a decision in SecMaster. Both are used in
    English. ``with_reason`` asks in a card's menu for an action whose button asks for no reason.
    ``node_consequence`` and ``version_consequence`` are the consequence where the next ``{node}``
    of the workflow is known, or the ``{version}`` that is to be published.
    """

    button: str
    permission: str
    confirm: str
    consequence: str
    help: str
    started: str
    done: str
    done_by: str
    done_at: str
    done_before: str
    under_way: str
    not_sent: str
    refused: str
    waiting: str
    in_doubt: str
    unknown: str
    perhaps: str
    interrupted: str
    tally: str
    withdrawn: str
    declined: str
    expired: str
    past: str
    request_ended: str
    title: str = ""
    publish_consequence: str = ""
    batch: tuple[str, str] = ("", "")
    batch_title: tuple[str, str] = ("", "")
    batch_progress: tuple[str, str] = ("", "")
    decided: tuple[str, str] = ("", "")
    failed_again: str = ""
    playbook_consequence: str = ""
    denied: str = ""
    decline_denied: str = ""
    counted: str = ""
    shortcut: str = ""
    attribution: str = ""
    with_reason: str = ""
    node_consequence: str = ""
    version_consequence: str = ""


LABELS = {
    "task.approve": ActionLabels(
        button=N_("Approve"),
        permission=N_("Approve tasks"),
        confirm=N_("Approve this task?"),
        consequence=N_("The workflow continues."),
        help=N_("approves a task"),
        started=N_("Approving…"),
        done=N_("Approved"),
        done_by=N_("Approved by {actor}."),
        done_at=N_("Approved by {actor}, {when}."),
        done_before=N_("Already approved by {actor}, {when}."),
        under_way=N_("{actor} is approving this task right now."),
        not_sent=N_("The approval was not sent."),
        refused=N_("SecMaster refused the approval by {actor}."),
        waiting=N_("The approval by {actor} has not been sent yet."),
        in_doubt=N_("It is not known yet whether the approval by {actor} took effect."),
        unknown=N_("It is unknown whether the approval by {actor} took effect."),
        perhaps=N_("The approval by {actor}, {when}, may have done this."),
        interrupted=N_("The approval by {actor} was interrupted."),
        tally=N_("Approvals to approve: {count} of {needed}"),
        withdrawn=N_("{actor} withdrew their approval."),
        declined=N_("{actor} declined the request to approve this task."),
        expired=N_("The request to approve this task expired."),
        past=N_("{actor} approved {object}."),
        publish_consequence=N_("The version is published."),
        batch=NN_(
            "{actor} approved {done} of {count} task.",
            "{actor} approved {done} of {count} tasks.",
        ),
        request_ended=N_("This cancelled the request to approve, which {names} had agreed to."),
        playbook_consequence=N_("The playbook continues."),
        batch_title=NN_("Approve {count} task", "Approve {count} tasks"),
        batch_progress=NN_(
            "{actor} is approving {count} task: {done} done.",
            "{actor} is approving {count} tasks: {done} done.",
        ),
        denied=N_("{actor} was not allowed to approve {object}."),
        decline_denied=N_("{actor} was not allowed to decline the request to approve {object}."),
        counted=N_("{actor} approved {object}; more approvals are needed."),
        decided=NN_("{actor} approved {count} task.", "{actor} approved {count} tasks."),
        attribution=N_("Approval from Slack"),
        with_reason=N_("Approve with a reason…"),
        node_consequence=N_("The workflow continues with “{node}”."),
        version_consequence=N_("Version {version} is published."),
    ),
    "task.terminate": ActionLabels(
        button=N_("Terminate"),
        permission=N_("Terminate tasks"),
        confirm=N_("Terminate this task?"),
        consequence=N_("The task is terminated."),
        help=N_("terminates a task"),
        started=N_("Terminating…"),
        done=N_("Terminated"),
        done_by=N_("Terminated by {actor}."),
        done_at=N_("Terminated by {actor}, {when}."),
        done_before=N_("Already terminated by {actor}, {when}."),
        under_way=N_("{actor} is terminating this task right now."),
        not_sent=N_("The termination was not sent."),
        refused=N_("SecMaster refused the termination by {actor}."),
        waiting=N_("The termination by {actor} has not been sent yet."),
        in_doubt=N_("It is not known yet whether the termination by {actor} took effect."),
        unknown=N_("It is unknown whether the termination by {actor} took effect."),
        perhaps=N_("The termination by {actor}, {when}, may have done this."),
        interrupted=N_("The termination by {actor} was interrupted."),
        tally=N_("Approvals to terminate: {count} of {needed}"),
        withdrawn=N_("{actor} withdrew their approval to terminate."),
        declined=N_("{actor} declined the request to terminate."),
        expired=N_("The request to terminate expired."),
        past=N_("{actor} terminated {object}."),
        publish_consequence=N_("The task is terminated, and the version is not published."),
        batch=NN_(
            "{actor} terminated {done} of {count} task.",
            "{actor} terminated {done} of {count} tasks.",
        ),
        request_ended=N_("This cancelled the request to terminate, which {names} had agreed to."),
        batch_title=NN_("Terminate {count} task", "Terminate {count} tasks"),
        batch_progress=NN_(
            "{actor} is terminating {count} task: {done} done.",
            "{actor} is terminating {count} tasks: {done} done.",
        ),
        denied=N_("{actor} was not allowed to terminate {object}."),
        decline_denied=N_("{actor} was not allowed to decline the request to terminate {object}."),
        counted=N_("{actor} agreed to terminate {object}; more approvals are needed."),
        decided=NN_("{actor} terminated {count} task.", "{actor} terminated {count} tasks."),
        attribution=N_("Termination from Slack"),
        version_consequence=N_("The task is terminated, and version {version} is not published."),
    ),
    "task.comment": ActionLabels(
        button=N_("Comment"),
        permission=N_("Comment on tasks"),
        confirm=N_("Comment on this task?"),
        consequence=N_("The comment is added in SecMaster with your name."),
        help=N_("adds a comment with your name"),
        started=N_("Adding the comment…"),
        done=N_("Comment added"),
        done_by=N_("Comment added by {actor}."),
        done_at=N_("Comment added by {actor}, {when}."),
        done_before=N_("Comment already added by {actor}, {when}."),
        under_way=N_("{actor} is commenting on this task right now."),
        not_sent=N_("The comment was not sent."),
        refused=N_("SecMaster refused the comment by {actor}."),
        waiting=N_("The comment by {actor} has not been sent yet."),
        in_doubt=N_("It is not known yet whether the comment by {actor} took effect."),
        unknown=N_("It is unknown whether the comment by {actor} took effect."),
        perhaps=N_("The comment by {actor}, {when}, may have done this."),
        interrupted=N_("The comment by {actor} was interrupted."),
        tally=N_("Approvals to comment: {count} of {needed}"),
        withdrawn=N_("{actor} withdrew their approval to comment."),
        declined=N_("{actor} declined the request to comment."),
        expired=N_("The request to comment expired."),
        past=N_("{actor} commented on {object}."),
        title=N_("Comment on task"),
        request_ended=N_("This cancelled the request to comment, which {names} had agreed to."),
        denied=N_("{actor} was not allowed to comment on {object}."),
        decline_denied=N_("{actor} was not allowed to decline the request to comment on {object}."),
        counted=N_("{actor} agreed to comment on {object}; more approvals are needed."),
        shortcut=N_("Add this message as a comment on the task of its thread"),
    ),
    "task.uncomment": ActionLabels(
        button=N_("Delete comment"),
        permission=N_("Delete comments"),
        confirm=N_("Delete this comment?"),
        consequence=N_("The comment is deleted in SecMaster."),
        help=N_("deletes a comment"),
        started=N_("Deleting the comment…"),
        done=N_("Comment deleted"),
        done_by=N_("Comment deleted by {actor}."),
        done_at=N_("Comment deleted by {actor}, {when}."),
        done_before=N_("Comment already deleted by {actor}, {when}."),
        under_way=N_("{actor} is deleting a comment on this task right now."),
        not_sent=N_("The deletion of the comment was not sent."),
        refused=N_("SecMaster refused the deletion of the comment by {actor}."),
        waiting=N_("The deletion of the comment by {actor} has not been sent yet."),
        in_doubt=N_(
            "It is not known yet whether the deletion of the comment by {actor} took effect."
        ),
        unknown=N_("It is unknown whether the deletion of the comment by {actor} took effect."),
        perhaps=N_("The deletion of the comment by {actor}, {when}, may have done this."),
        interrupted=N_("The deletion of the comment by {actor} was interrupted."),
        tally=N_("Approvals to delete the comment: {count} of {needed}"),
        withdrawn=N_("{actor} withdrew their approval to delete the comment."),
        declined=N_("{actor} declined the request to delete the comment."),
        expired=N_("The request to delete the comment expired."),
        past=N_("{actor} deleted a comment on {object}."),
        request_ended=N_(
            "This cancelled the request to delete the comment, which {names} had agreed to."
        ),
        denied=N_("{actor} was not allowed to delete a comment on {object}."),
        decline_denied=N_(
            "{actor} was not allowed to decline the request to delete a comment on {object}."
        ),
        counted=N_("{actor} agreed to delete a comment on {object}; more approvals are needed."),
    ),
    "task.attach": ActionLabels(
        button=N_("Attach"),
        permission=N_("Attach files to tasks"),
        confirm=N_("Attach to this task?"),
        consequence=N_("The file is attached to the task in SecMaster."),
        help=N_("attaches a file"),
        started=N_("Attaching the file…"),
        done=N_("File attached"),
        done_by=N_("File attached by {actor}."),
        done_at=N_("File attached by {actor}, {when}."),
        done_before=N_("File already attached by {actor}, {when}."),
        under_way=N_("{actor} is attaching a file to this task right now."),
        not_sent=N_("The attachment was not sent."),
        refused=N_("SecMaster refused the attachment by {actor}."),
        waiting=N_("The attachment by {actor} has not been sent yet."),
        in_doubt=N_("It is not known yet whether the attachment by {actor} took effect."),
        unknown=N_("It is unknown whether the attachment by {actor} took effect."),
        perhaps=N_("The attachment by {actor}, {when}, may have done this."),
        interrupted=N_("The attachment by {actor} was interrupted."),
        tally=N_("Approvals to attach the file: {count} of {needed}"),
        withdrawn=N_("{actor} withdrew their approval to attach the file."),
        declined=N_("{actor} declined the request to attach the file."),
        expired=N_("The request to attach the file expired."),
        past=N_("{actor} attached a file to {object}."),
        title=N_("Attach to task"),
        request_ended=N_(
            "This cancelled the request to attach the file, which {names} had agreed to."
        ),
        denied=N_("{actor} was not allowed to attach a file to {object}."),
        decline_denied=N_(
            "{actor} was not allowed to decline the request to attach a file to {object}."
        ),
        counted=N_("{actor} agreed to attach a file to {object}; more approvals are needed."),
        shortcut=N_("Attach the files of this message to the task of its thread"),
    ),
    "task.detach": ActionLabels(
        button=N_("Detach"),
        permission=N_("Detach files from tasks"),
        confirm=N_("Detach this file?"),
        consequence=N_("The file is detached from the task in SecMaster."),
        help=N_("detaches a file"),
        started=N_("Detaching the file…"),
        done=N_("File detached"),
        done_by=N_("File detached by {actor}."),
        done_at=N_("File detached by {actor}, {when}."),
        done_before=N_("File already detached by {actor}, {when}."),
        under_way=N_("{actor} is detaching a file from this task right now."),
        not_sent=N_("The removal of the attachment was not sent."),
        refused=N_("SecMaster refused the removal of the attachment by {actor}."),
        waiting=N_("The removal of the attachment by {actor} has not been sent yet."),
        in_doubt=N_(
            "It is not known yet whether the removal of the attachment by {actor} took effect."
        ),
        unknown=N_("It is unknown whether the removal of the attachment by {actor} took effect."),
        perhaps=N_("The removal of the attachment by {actor}, {when}, may have done this."),
        interrupted=N_("The removal of the attachment by {actor} was interrupted."),
        tally=N_("Approvals to detach the file: {count} of {needed}"),
        withdrawn=N_("{actor} withdrew their approval to detach the file."),
        declined=N_("{actor} declined the request to detach the file."),
        expired=N_("The request to detach the file expired."),
        past=N_("{actor} detached a file from {object}."),
        request_ended=N_(
            "This cancelled the request to detach the file, which {names} had agreed to."
        ),
        denied=N_("{actor} was not allowed to detach a file from {object}."),
        decline_denied=N_(
            "{actor} was not allowed to decline the request to detach a file from {object}."
        ),
        counted=N_("{actor} agreed to detach a file from {object}; more approvals are needed."),
    ),
    "instance.retry": ActionLabels(
        button=N_("Retry"),
        permission=N_("Retry runs"),
        confirm=N_("Retry this run?"),
        consequence=N_("The workflow runs again from the node that failed."),
        help=N_("retries a run from the node that failed"),
        started=N_("Starting the retry…"),
        done=N_("Retry started"),
        done_by=N_("Retry started by {actor}."),
        done_at=N_("Retry started by {actor}, {when}."),
        done_before=N_("Retry already started by {actor}, {when}."),
        under_way=N_("{actor} is retrying this run right now."),
        not_sent=N_("The retry was not sent."),
        refused=N_("SecMaster refused the retry by {actor}."),
        waiting=N_("The retry by {actor} has not been sent yet."),
        in_doubt=N_("It is not known yet whether the retry by {actor} took effect."),
        unknown=N_("It is unknown whether the retry by {actor} took effect."),
        perhaps=N_("The retry by {actor}, {when}, may have done this."),
        interrupted=N_("The retry by {actor} was interrupted."),
        tally=N_("Approvals to retry: {count} of {needed}"),
        withdrawn=N_("{actor} withdrew their approval to retry."),
        declined=N_("{actor} declined the request to retry."),
        expired=N_("The request to retry expired."),
        past=N_("{actor} retried {object}."),
        batch=NN_(
            "{actor} retried {done} of {count} run.", "{actor} retried {done} of {count} runs."
        ),
        request_ended=N_("This cancelled the request to retry, which {names} had agreed to."),
        failed_again=N_("Failed again after the retry by {actor}, {when}."),
        batch_title=NN_("Retry {count} run", "Retry {count} runs"),
        batch_progress=NN_(
            "{actor} is retrying {count} run: {done} done.",
            "{actor} is retrying {count} runs: {done} done.",
        ),
        denied=N_("{actor} was not allowed to retry {object}."),
        decline_denied=N_("{actor} was not allowed to decline the request to retry {object}."),
        counted=N_("{actor} agreed to retry {object}; more approvals are needed."),
        with_reason=N_("Retry with a reason…"),
    ),
    "instance.terminate": ActionLabels(
        button=N_("Terminate"),
        permission=N_("Terminate runs"),
        confirm=N_("Terminate this run?"),
        consequence=N_("The run is stopped and can't be resumed."),
        help=N_("terminates a run for good"),
        started=N_("Terminating the run…"),
        done=N_("Termination started"),
        done_by=N_("Termination started by {actor}."),
        done_at=N_("Termination started by {actor}, {when}."),
        done_before=N_("Termination already started by {actor}, {when}."),
        under_way=N_("{actor} is terminating this run right now."),
        not_sent=N_("The termination was not sent."),
        refused=N_("SecMaster refused the termination by {actor}."),
        waiting=N_("The termination by {actor} has not been sent yet."),
        in_doubt=N_("It is not known yet whether the termination by {actor} took effect."),
        unknown=N_("It is unknown whether the termination by {actor} took effect."),
        perhaps=N_("The termination by {actor}, {when}, may have done this."),
        interrupted=N_("The termination by {actor} was interrupted."),
        tally=N_("Approvals to terminate the run: {count} of {needed}"),
        withdrawn=N_("{actor} withdrew their approval to terminate the run."),
        declined=N_("{actor} declined the request to terminate the run."),
        expired=N_("The request to terminate the run expired."),
        past=N_("{actor} terminated {object}."),
        batch=NN_(
            "{actor} terminated {done} of {count} run.",
            "{actor} terminated {done} of {count} runs.",
        ),
        request_ended=N_(
            "This cancelled the request to terminate the run, which {names} had agreed to."
        ),
        batch_title=NN_("Terminate {count} run", "Terminate {count} runs"),
        batch_progress=NN_(
            "{actor} is terminating {count} run: {done} done.",
            "{actor} is terminating {count} runs: {done} done.",
        ),
        denied=N_("{actor} was not allowed to terminate {object}."),
        decline_denied=N_("{actor} was not allowed to decline the request to terminate {object}."),
        counted=N_("{actor} agreed to terminate {object}; more approvals are needed."),
    ),
    "instance.debug": ActionLabels(
        button=N_("Debug"),
        permission=N_("Debug runs"),
        confirm=N_("Debug this run?"),
        consequence=N_("The node gets the parameters that you enter."),
        help=N_("debugs a run: sends a node other parameters"),
        started=N_("Sending the debug parameters…"),
        done=N_("Debug parameters sent"),
        done_by=N_("Debug parameters sent by {actor}."),
        done_at=N_("Debug parameters sent by {actor}, {when}."),
        done_before=N_("Debug parameters already sent by {actor}, {when}."),
        under_way=N_("{actor} is debugging this run right now."),
        not_sent=N_("The debug command was not sent."),
        refused=N_("SecMaster refused the debug command by {actor}."),
        waiting=N_("The debug command by {actor} has not been sent yet."),
        in_doubt=N_("It is not known yet whether the debug command by {actor} took effect."),
        unknown=N_("It is unknown whether the debug command by {actor} took effect."),
        perhaps=N_("The debug command by {actor}, {when}, may have done this."),
        interrupted=N_("The debug command by {actor} was interrupted."),
        tally=N_("Approvals to debug: {count} of {needed}"),
        withdrawn=N_("{actor} withdrew their approval to debug."),
        declined=N_("{actor} declined the request to debug."),
        expired=N_("The request to debug expired."),
        past=N_("{actor} debugged {object}."),
        request_ended=N_("This cancelled the request to debug, which {names} had agreed to."),
        denied=N_("{actor} was not allowed to debug {object}."),
        decline_denied=N_("{actor} was not allowed to decline the request to debug {object}."),
        counted=N_("{actor} agreed to debug {object}; more approvals are needed."),
    ),
    "playbook.retry": ActionLabels(
        button=N_("Retry"),
        permission=N_("Retry playbook runs"),
        confirm=N_("Retry this playbook run?"),
        consequence=N_("The playbook run is retried, and its failed workflow runs with it."),
        help=N_("retries a playbook run that failed"),
        started=N_("Starting the retry…"),
        done=N_("Retry started"),
        done_by=N_("Retry started by {actor}."),
        done_at=N_("Retry started by {actor}, {when}."),
        done_before=N_("Retry already started by {actor}, {when}."),
        under_way=N_("{actor} is retrying this playbook run right now."),
        not_sent=N_("The retry was not sent."),
        refused=N_("SecMaster refused the retry by {actor}."),
        waiting=N_("The retry by {actor} has not been sent yet."),
        in_doubt=N_("It is not known yet whether the retry by {actor} took effect."),
        unknown=N_("It is unknown whether the retry by {actor} took effect."),
        perhaps=N_("The retry by {actor}, {when}, may have done this."),
        interrupted=N_("The retry by {actor} was interrupted."),
        tally=N_("Approvals to retry the playbook run: {count} of {needed}"),
        withdrawn=N_("{actor} withdrew their approval to retry the playbook run."),
        declined=N_("{actor} declined the request to retry the playbook run."),
        expired=N_("The request to retry the playbook run expired."),
        past=N_("{actor} retried {object}."),
        batch=NN_(
            "{actor} retried {done} of {count} playbook run.",
            "{actor} retried {done} of {count} playbook runs.",
        ),
        request_ended=N_(
            "This cancelled the request to retry the playbook run, which {names} had agreed to."
        ),
        failed_again=N_("Failed again after the retry by {actor}, {when}."),
        batch_title=NN_("Retry {count} playbook run", "Retry {count} playbook runs"),
        batch_progress=NN_(
            "{actor} is retrying {count} playbook run: {done} done.",
            "{actor} is retrying {count} playbook runs: {done} done.",
        ),
        denied=N_("{actor} was not allowed to retry {object}."),
        decline_denied=N_("{actor} was not allowed to decline the request to retry {object}."),
        counted=N_("{actor} agreed to retry {object}; more approvals are needed."),
        with_reason=N_("Retry with a reason…"),
    ),
    "playbook.terminate": ActionLabels(
        button=N_("Terminate"),
        permission=N_("Terminate playbook runs"),
        confirm=N_("Terminate this playbook run?"),
        consequence=N_("The playbook run is stopped and can't be resumed."),
        help=N_("terminates a playbook run for good"),
        started=N_("Terminating the playbook run…"),
        done=N_("Termination started"),
        done_by=N_("Termination started by {actor}."),
        done_at=N_("Termination started by {actor}, {when}."),
        done_before=N_("Termination already started by {actor}, {when}."),
        under_way=N_("{actor} is terminating this playbook run right now."),
        not_sent=N_("The termination was not sent."),
        refused=N_("SecMaster refused the termination by {actor}."),
        waiting=N_("The termination by {actor} has not been sent yet."),
        in_doubt=N_("It is not known yet whether the termination by {actor} took effect."),
        unknown=N_("It is unknown whether the termination by {actor} took effect."),
        perhaps=N_("The termination by {actor}, {when}, may have done this."),
        interrupted=N_("The termination by {actor} was interrupted."),
        tally=N_("Approvals to terminate the playbook run: {count} of {needed}"),
        withdrawn=N_("{actor} withdrew their approval to terminate the playbook run."),
        declined=N_("{actor} declined the request to terminate the playbook run."),
        expired=N_("The request to terminate the playbook run expired."),
        past=N_("{actor} terminated {object}."),
        batch=NN_(
            "{actor} terminated {done} of {count} playbook run.",
            "{actor} terminated {done} of {count} playbook runs.",
        ),
        request_ended=N_(
            "This cancelled the request to terminate the playbook run, which {names} had agreed to."
        ),
        batch_title=NN_("Terminate {count} playbook run", "Terminate {count} playbook runs"),
        batch_progress=NN_(
            "{actor} is terminating {count} playbook run: {done} done.",
            "{actor} is terminating {count} playbook runs: {done} done.",
        ),
        denied=N_("{actor} was not allowed to terminate {object}."),
        decline_denied=N_("{actor} was not allowed to decline the request to terminate {object}."),
        counted=N_("{actor} agreed to terminate {object}; more approvals are needed."),
    ),
}

# Above the inputs of forms, and before what was given in a thread.
PARAM_TITLES = (
    N_("Comment"),
    N_("Comment ID"),
    N_("Files"),
    N_("Attachment ID"),
    N_("Node"),
    N_("Parameters (a JSON array)"),
)


def labels(action: Action) -> ActionLabels:
    """Return the sentences about an action."""
    return LABELS[action.name]


def param_title(catalogue: Catalogue, param: Param) -> str:
    """Name what an action needs beyond the object's id; it is among ``PARAM_TITLES``."""
    return catalogue.gettext(param.title)


def consequence(catalogue: Catalogue, action: Action, snapshot: Snapshot) -> str:
    """Say what an action leads to for this object."""
    words, sentence = labels(action), ""
    match snapshot.business_type if isinstance(snapshot, Task) else "":
        case BusinessType.WORKFLOWPUBLISH | BusinessType.PLAYBOOKPUBLISH:
            sentence = words.publish_consequence
        case BusinessType.PLAYBOOKNODEAPPROVE:
            sentence = words.playbook_consequence
    return catalogue.gettext(sentence or words.consequence)
