"""Many at once: how far it is, how each ended, and which one a reply is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from slack_sdk.models.blocks import Block, RawTextObject, TableBlock
from slack_sdk.models.blocks.basic_components import TableBlockColumnSettings

from bot.domain.actions import BY_NAME
from bot.domain.batches import Batch, BatchItem
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.reasons import NO_ANSWER, OutcomeReason, SkipReason
from bot.messages import batch_forms
from bot.messages.blocks import Message, new_message, plain_name, section
from bot.messages.cards import INSTANCE_STATES, TASK_STATES
from bot.messages.labels import labels
from bot.messages.text import clip, inline, mention_user, quote

SKIP_LABELS = {
    SkipReason.REFUSED: "Not allowed any more",
    SkipReason.NEEDS_APPROVALS: "Left out: asks for several people",
    SkipReason.NEEDS_NAME: "Left out: asks for its name to be typed",
    SkipReason.NEEDS_REASON: "Left out: needs a reason",
}
FAILURE_LABELS = {
    OutcomeReason.CHANGED: "Changed since you looked",
    OutcomeReason.TOO_OLD: "Not sent: it came too late",
    OutcomeReason.ALREADY_APPROVED: "You have said yes to it already",
    OutcomeReason.SAME_AUTHORITY: "That right has said yes already",
    OutcomeReason.ATTRIBUTION_FAILED: "Not done: no comment could be left",
    OutcomeReason.OWN_FAULT: "Not done: trouble on our side",
    OutcomeReason.CANNOT_POST: "Not done: no place to answer",
    OutcomeReason.NOT_FOUND: "SecMaster knows it no longer",
    **dict.fromkeys(
        NO_ANSWER,
        "Given up: SecMaster did not answer",
    ),
}


@dataclass(frozen=True, slots=True)
class BatchItemResult:
    """How one of many ended, None where it has not; ``holder`` or ``standing`` came before it."""

    item: BatchItem
    outcome: Outcome | None = None
    holder: StandingOperation | None = None
    standing_operation: StandingOperation | None = None


def progress(batch: Batch, done: int) -> Message:
    """How far it is."""
    cause = batch.operation
    action = BY_NAME[cause.action]
    doing = labels(action).doing.capitalize()
    of = len(batch.items)
    what = f"{doing} {batch_forms.count(action, of)} for {mention_user(cause.actor.id)}"
    text = f"⏳ {what}: {done} of {of} done"
    return new_message(text, section(text))


def results(batch: Batch, ended: Sequence[BatchItemResult]) -> Message:
    """The table that takes the place of the progress."""
    cause = batch.operation
    action = BY_NAME[cause.action]
    done = sum(1 for each in ended if each.outcome and each.outcome.state is OperationState.DONE)
    of = len(ended) + len(batch.skipped)
    mark = "✅" if done == of else "⚠️"
    what = f"{labels(action).done}: {done} of {batch_forms.count(action, of)}"
    head = f"{mark} *{what}* for {mention_user(cause.actor.id)}"
    reason = f"\n{quote(cause.reason, 1000)}" if cause.reason else ""
    rows = [(one.item.name, result(one), one.item.operation.reference) for one in ended]
    rows += [(one.name, SKIP_LABELS.get(one.reason, "Left out"), "—") for one in batch.skipped]
    told = "\n".join(f"{inline(name, 80)}: {inline(said, 80)} ({ref})" for name, said, ref in rows)
    table = _table([(action.kind.capitalize(), "Result", "Ref"), *rows])
    return Message(f"{head}\n{told}", (section(f"{head}{reason}"), table))


def result(ended: BatchItemResult) -> str:
    """How one of many ended, in a few plain words."""
    outcome, operation = ended.outcome, ended.item.operation
    if outcome is None:
        return "Not known yet: see the thread"
    if outcome.state is OperationState.FAILED:
        return _refusal(ended, outcome)
    sentences = {
        OperationState.DONE: labels(BY_NAME[operation.action]).done,
        OperationState.COUNTED: _waits(outcome),
    }
    return sentences.get(outcome.state, "Unknown: look in SecMaster")


def _refusal(ended: BatchItemResult, outcome: Outcome) -> str:
    closed = outcome.reason_code == OutcomeReason.NOT_NOW
    if first := ended.holder or (ended.standing_operation if closed else None):
        return _second(first)
    if closed:
        return _closed(ended.item.operation, outcome)
    no = f"SecMaster refused ({outcome.code})" if outcome.code else "SecMaster refused"
    return FAILURE_LABELS.get(outcome.reason_code, no)


def item_message(name: str, operation: Operation, message: Message) -> Message:
    """What is said of one of many, which has to say of which it speaks."""
    name = name or operation.ref.id
    return Message(f"*{inline(name, 120)}*\n{message.text}", (plain_name(name), *message.blocks))


def _waits(ended: Outcome) -> str:
    left = (
        ended.approval_request.needed - len(ended.approval_request.approvals)
        if ended.approval_request
        else 1
    )
    return f"Waits for {left} more people" if left > 1 else "Waits for a second person"


def _second(first: StandingOperation) -> str:
    """Who came before, by name: a cell has no mentions."""
    operation = first.operation
    said, who = labels(BY_NAME[operation.action]), operation.actor.name or operation.actor.id
    if first.state is OperationState.DONE:
        return f"Already {said.done.lower()} by {who}"
    return f"{who} is {said.doing} it right now"


def _closed(operation: Operation, ended: Outcome) -> str:
    if operation.ref.kind == "task":
        state = (
            TASK_STATES.get(ended.blocking_status, ended.blocking_status).lstrip("🟡✅⛔ ").lower()
        )
        by = f" by {ended.decided_by}" if ended.decided_by else ""
        return f"Already decided{by}: {state}"
    state = (
        INSTANCE_STATES.get(ended.blocking_status, ended.blocking_status)
        .lstrip("🔵🔴✅🔁🟠⛔ ")
        .lower()
    )
    return f"Not now: it is {state}"


def _table(rows: Sequence[tuple[str, ...]]) -> Block:
    wrapped = TableBlockColumnSettings(is_wrapped=True)
    cells = [
        [RawTextObject(text=clip(" ".join(each.split()), 150) or "—") for each in row]
        for row in rows
    ]
    return TableBlock(rows=cells, column_settings=[wrapped, wrapped])
