"""Render the progress and the results of a batch, and name the object that a reply is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from slack_sdk.models.blocks import RawTextObject, TableBlock
from slack_sdk.models.blocks.basic_components import TableBlockColumnSettings

from bot.domain.actions import BY_NAME
from bot.domain.batches import Batch, BatchItem
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.reasons import NO_ANSWER, OutcomeReason, SkipReason
from bot.messages.batch_forms import count
from bot.messages.blocks import Message, plain_name, section, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.fields import INSTANCE_STATES, TASK_STATES
from bot.messages.labels import labels
from bot.messages.text import clip, inline, mention_user, quote

SKIP_LABELS = {
    SkipReason.REFUSED: "Not allowed any more",
    SkipReason.NEEDS_APPROVALS: "Left out: asks for several people",
    SkipReason.NEEDS_NAME: "Left out: asks for its name to be typed",
    SkipReason.NEEDS_REASON: "Left out: needs a reason",
    # Found out before anything was confirmed, and so in no batch that is recorded.
    **dict.fromkeys(
        (SkipReason.SETTLED, SkipReason.CHANGED, SkipReason.GONE, SkipReason.UNREAD), "Left out"
    ),
}
FAILURE_LABELS = {
    OutcomeReason.NOT_ALLOWED: "Not sent: the policy does not allow it",
    OutcomeReason.PERSON_UNKNOWN: "Given up: Slack could not be asked who you are",
    OutcomeReason.CHANGED: "Changed since you looked",
    OutcomeReason.TOO_OLD: "Not sent: it came too late",
    OutcomeReason.ALREADY_APPROVED: "You have said yes to it already",
    OutcomeReason.SAME_AUTHORITY: "That right has said yes already",
    OutcomeReason.ATTRIBUTION_FAILED: "Not done: no comment could be left",
    OutcomeReason.OWN_FAULT: "Not done: trouble on our side",
    OutcomeReason.CANNOT_POST: "Not done: no place to answer",
    OutcomeReason.NOT_FOUND: "SecMaster knows it no longer",
    OutcomeReason.NOT_ROUTED: "Not done: Huawei Cloud's gateway turned it away",
    **dict.fromkeys(NO_ANSWER, "Given up: SecMaster did not answer"),
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
    action, total = BY_NAME[batch.operation.action], len(batch.items)
    activity = f"{labels(action).doing.capitalize()} {count(action, total)}"
    actor = mention_user(batch.operation.actor.id)
    return text_message(f"⏳ {activity} for {actor}: {done} of {total} done")


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
    summary = f"{labels(action).done}: {done} of {count(action, total)}"
    head = f"{mark} *{summary}* for {mention_user(operation.actor.id)}"
    reason = f"\n{quote(operation.reason, 1000)}" if operation.reason else ""
    rows = [
        (
            item_result.item.name,
            result(catalogue, item_result),
            item_result.item.operation.reference,
        )
        for item_result in item_results
    ]
    rows += [(skip.name, SKIP_LABELS[skip.reason], "—") for skip in batch.skipped]
    text = "\n".join(f"{inline(name, 80)}: {inline(end, 80)} ({ref})" for name, end, ref in rows)
    wrapped = TableBlockColumnSettings(is_wrapped=True)
    cells = [
        [RawTextObject(text=clip(" ".join(cell.split()), 150) or "—") for cell in row]
        for row in [(action.kind.capitalize(), "Result", "Ref"), *rows]
    ]
    table = TableBlock(rows=cells, column_settings=[wrapped, wrapped])
    return Message(f"{head}\n{text}", (section(f"{head}{reason}"), table))


def result(catalogue: Catalogue, item_result: BatchItemResult) -> str:
    """Say in a few plain words how one item of a batch ended."""
    outcome, operation = item_result.outcome, item_result.item.operation
    if outcome is None:
        return "Not known yet: see the thread"
    match outcome.state:
        case OperationState.FAILED:
            return _failure_label(catalogue, item_result, outcome)
        case OperationState.DONE:
            return labels(BY_NAME[operation.action]).done
        case OperationState.COUNTED:
            request = outcome.approval_request
            missing = request.needed - len(request.approvals) if request else 1
            return (
                f"Waits for {missing} more people" if missing > 1 else "Waits for a second person"
            )
        case OperationState.UNKNOWN | OperationState.IN_DOUBT | OperationState.PENDING:
            return "Unknown: look in SecMaster"
        case _:
            assert_never(outcome.state)


def item_message(name: str, operation: Operation, message: Message) -> Message:
    """Put the object's name above a message about one item of a batch."""
    name = name or operation.ref.id
    return Message(f"*{inline(name, 120)}*\n{message.text}", (plain_name(name), *message.blocks))


def _failure_label(catalogue: Catalogue, item_result: BatchItemResult, outcome: Outcome) -> str:
    closed = outcome.reason_code == OutcomeReason.NOT_NOW
    if earlier := item_result.earlier:
        operation = earlier.operation
        # A cell has no mentions, so the actor is given by name.
        words, name = labels(BY_NAME[operation.action]), operation.actor.name or operation.actor.id
        if earlier.state is OperationState.DONE:
            return f"Already {words.done.lower()} by {name}"
        if earlier.is_interrupted:
            return f"The {words.noun} by {name} was interrupted"
        return f"{name} is {words.doing} it right now"
    if closed:
        return _closed_label(catalogue, item_result.item.operation, outcome)
    if outcome.reason_code in REFUSED_BY_SECMASTER:
        return f"SecMaster refused ({outcome.code})" if outcome.code else "SecMaster refused"
    return FAILURE_LABELS[outcome.reason_code]


def _closed_label(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> str:
    """Say which status of the object stood in the way."""
    status = outcome.blocking_status
    if operation.ref.kind == "task":
        state = TASK_STATES.get(status, status).lstrip("🟡✅⛔ ").lower()
        decider = f" by {outcome.decided_by}" if outcome.decided_by else ""
        return f"Already decided{decider}: {state}"
    state = INSTANCE_STATES.get(status, status).lstrip("🔵🔴✅🔁🟠⛔ ").lower()
    return f"Not now: it is {state}"
