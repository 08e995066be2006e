"""Render the progress and the results of a batch, and name the object that a reply is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from slack_sdk.models.blocks import RawTextObject, TableBlock
from slack_sdk.models.blocks.basic_components import TableBlockColumnSettings

from bot.domain.actions import BY_NAME
from bot.domain.batches import Batch, BatchItem
from bot.domain.objects import ByKind, Ref
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.reasons import NO_ANSWER, OutcomeReason, SkipReason
from bot.messages.blocks import Message, plain_name, section, text_message
from bot.messages.catalogue import N_, Catalogue
from bot.messages.fields import STATES, state_name
from bot.messages.labels import labels
from bot.messages.task_endings import decided_label
from bot.messages.text import bold, clip, inline, mention_user, quote

SKIP_LABELS = {
    SkipReason.REFUSED: N_("Not allowed any more"),
    SkipReason.NEEDS_APPROVALS: N_("Left out: requires several people"),
    SkipReason.NEEDS_NAME: N_("Left out: requires its name to be typed"),
    SkipReason.NEEDS_REASON: N_("Left out: requires a reason"),
    # Found out before anything was confirmed, and so in no batch that is recorded.
    **dict.fromkeys(
        (SkipReason.SETTLED, SkipReason.CHANGED, SkipReason.GONE, SkipReason.UNREAD),
        N_("Left out"),
    ),
}
OBJECT_TITLES = ByKind(task=N_("Task"), instance=N_("Run"), playbook=N_("Playbook run"))
FAILURE_LABELS = {
    OutcomeReason.NOT_ALLOWED: N_("Not sent: the policy does not allow it any more"),
    OutcomeReason.PERSON_UNKNOWN: N_("Not sent: Slack did not say who you are"),
    OutcomeReason.CHANGED: N_("Not sent: changed since you looked"),
    OutcomeReason.TOO_OLD: N_("Not sent: too much time has passed"),
    OutcomeReason.ALREADY_APPROVED: N_("You already approved this"),
    OutcomeReason.NOT_YOUR_TURN: N_("It is not your turn to approve"),
    OutcomeReason.SAME_AUTHORITY: N_("Already approved with the same permissions"),
    OutcomeReason.ATTRIBUTION_FAILED: N_("Not sent: no comment could be added"),
    OutcomeReason.OWN_FAULT: N_("Not sent: something went wrong in the bot"),
    OutcomeReason.CANNOT_POST: N_("Not sent: no place to post the result"),
    OutcomeReason.NOT_FOUND: N_("No longer in SecMaster"),
    OutcomeReason.NOT_ROUTED: N_("Not sent: rejected by Huawei Cloud's gateway"),
    **dict.fromkeys(NO_ANSWER, N_("Not sent: SecMaster did not answer")),
}
# The other ways to fail: SecMaster's refusals, which its code tells apart, and what no item of a
# batch meets, as it has neither a file nor an approval to withdraw.
REFUSED_BY_SECMASTER = frozenset(
    {
        OutcomeReason.NONE,
        OutcomeReason.LOST,
        OutcomeReason.REQUEST_OVER,
        OutcomeReason.REQUEST_LAPSED,
        OutcomeReason.NO_REQUEST,
        OutcomeReason.ALREADY_SENDING,
        OutcomeReason.FILE_UNAVAILABLE,
        OutcomeReason.FILE_TOO_LARGE,
        OutcomeReason.FILE_DELAYED,
        OutcomeReason.READ_BACK,
        OutcomeReason.NOT_VISIBLE,
        OutcomeReason.NOT_READABLE,
        OutcomeReason.RESTARTED,
        OutcomeReason.GIVEN_UP,
        OutcomeReason.REFUSED,
        OutcomeReason.INVALID,
        OutcomeReason.FORBIDDEN,
        OutcomeReason.CONFLICT,
    }
)


@dataclass(frozen=True, slots=True)
class BatchItemResult:
    """How one item of a batch ended; ``outcome`` is None while that is not known.

    ``earlier`` is the operation that was accepted before it, or that had closed its object.
    """

    item: BatchItem
    outcome: Outcome | None = None
    earlier: StandingOperation | None = None


def progress(catalogue: Catalogue, batch: Batch, done: int) -> Message:
    """Say how many of a batch's operations have ended."""
    words = labels(BY_NAME[batch.operation.action])
    activity = catalogue.ngettext(
        *words.batch_progress,
        len(batch.items),
        actor=mention_user(batch.operation.actor.id),
        done=catalogue.number(done),
    )
    return text_message(f"⏳ {activity}")


def results(catalogue: Catalogue, batch: Batch, item_results: Sequence[BatchItemResult]) -> Message:
    """Return the table of a batch's results, which takes the place of its progress."""
    operation = batch.operation
    action = BY_NAME[operation.action]
    done = sum(
        1
        for item_result in item_results
        if item_result.outcome and item_result.outcome.state is OperationState.DONE
    )
    total = len(item_results) + len(batch.skipped)
    mark = "✅" if done == total else "⚠️"
    summary = catalogue.ngettext(
        *labels(action).batch,
        total,
        actor=mention_user(operation.actor.id),
        done=catalogue.number(done),
    )
    head = f"{mark} *{summary}*"
    reason = f"\n{quote(operation.reason, 1000)}" if operation.reason else ""
    rows = [
        (
            item_result.item.name,
            result(catalogue, item_result),
            item_result.item.operation.reference,
        )
        for item_result in item_results
    ]
    rows += [
        (skip.name, catalogue.gettext(SKIP_LABELS[skip.reason]), "—") for skip in batch.skipped
    ]
    text = "\n".join(f"{inline(name, 80)}: {inline(end, 120)} ({ref})" for name, end, ref in rows)
    titles = (
        catalogue.gettext(OBJECT_TITLES[action.kind]),
        catalogue.gettext("Result"),
        catalogue.gettext("Ref"),
    )
    wrapped = TableBlockColumnSettings(is_wrapped=True)
    cells = [
        [RawTextObject(text=clip(" ".join(cell.split()), 150) or "—") for cell in row]
        for row in [titles, *rows]
    ]
    table = TableBlock(rows=cells, column_settings=[wrapped, wrapped])
    return Message(f"{head}\n{text}", (section(f"{head}{reason}"), table))


def result(catalogue: Catalogue, item_result: BatchItemResult) -> str:
    """Say in a few plain words how one item of a batch ended."""
    outcome, operation = item_result.outcome, item_result.item.operation
    if outcome is None:
        return catalogue.gettext("Not known yet: see the thread")
    match outcome.state:
        case OperationState.FAILED:
            return _failure_label(catalogue, item_result, outcome)
        case OperationState.DONE:
            return catalogue.gettext(labels(BY_NAME[operation.action]).done)
        case OperationState.COUNTED:
            request = outcome.approval_request
            return catalogue.ngettext(
                "{count} more approval needed",
                "{count} more approvals needed",
                request.missing if request else 1,
            )
        case OperationState.UNKNOWN | OperationState.IN_DOUBT | OperationState.PENDING:
            return catalogue.gettext("Unknown: check it in SecMaster")
        case _:
            assert_never(outcome.state)


def item_message(name: str, ref: Ref, message: Message) -> Message:
    """Put the object's name above a message about one item of a batch."""
    name = name or ref.id
    return Message(f"{bold(name, 120)}\n{message.text}", (plain_name(name), *message.blocks))


def _failure_label(catalogue: Catalogue, item_result: BatchItemResult, outcome: Outcome) -> str:
    if item_result.earlier:
        return _earlier_label(catalogue, item_result.item.operation.ref, item_result.earlier)
    if outcome.reason_code == OutcomeReason.NOT_NOW:
        return _closed_label(catalogue, item_result.item.operation, outcome)
    if outcome.reason_code in REFUSED_BY_SECMASTER:
        if outcome.code:
            return catalogue.gettext("SecMaster refused: {code}", code=outcome.code)
        return catalogue.gettext("SecMaster refused")
    return catalogue.gettext(FAILURE_LABELS[outcome.reason_code])


def _earlier_label(catalogue: Catalogue, ref: Ref, earlier: StandingOperation) -> str:
    """Say what somebody else did or is doing; by name, as a cell of a table has no mentions."""
    operation = earlier.operation
    words, name = labels(BY_NAME[operation.action]), operation.actor.name or operation.actor.id
    if earlier.operation.ref != ref:
        return catalogue.gettext("{actor} retried what this overlaps with", actor=name)
    if earlier.state is OperationState.DONE:
        return catalogue.gettext(words.done_by, actor=name)
    if earlier.is_interrupted:
        return catalogue.gettext(words.interrupted, actor=name)
    return catalogue.gettext(words.under_way, actor=name)


def _closed_label(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> str:
    """Say which status of the object stood in the way."""
    status = outcome.blocking_status
    state = state_name(catalogue, STATES[operation.ref.kind], status)
    match operation.ref.kind:
        case "task":
            return decided_label(catalogue, outcome.task_ending, outcome.decided_by, state)
        case "instance":
            return catalogue.gettext("The run is now {state}", state=state)
        case "playbook":
            return catalogue.gettext("The playbook run is now {state}", state=state)
        case kind:
            assert_never(kind)
