"""Say how an operation ended: a line for everybody in the thread, with the reason and a receipt."""

from collections.abc import Sequence
from typing import assert_never

from bot.domain.actions import BY_NAME, Action, needs_attribution
from bot.domain.approvals import ApprovalIntent, ApprovalRequest
from bot.domain.operations import (
    UNDER_WAY,
    Operation,
    OperationState,
    Outcome,
    Runner,
    StandingOperation,
)
from bot.domain.reasons import NO_ANSWER, OutcomeReason
from bot.domain.slack import SlackFile
from bot.messages import approvals, blocks
from bot.messages.blocks import Message, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.changes import differences
from bot.messages.errors import CANNOT_POST, CANNOT_POST_DEFAULT, failure_sentence, refusal_clause
from bot.messages.fields import INSTANCE_STATES, TASK_STATES, state_name
from bot.messages.labels import labels
from bot.messages.text import code, date_token, inline, mention_user, quote

# {noun} is what was asked for, {actor} who asked; {comment_stays} is a sentence or "".
NOT_DONE_TEXTS = {
    OutcomeReason.NOT_NOW: "{blocker} The {noun} was not sent.",
    OutcomeReason.CHANGED: (
        "Changed since {actor} looked. The {noun} was not sent.{comment_stays}\n{differences}"
    ),
    OutcomeReason.ALREADY_APPROVED: (
        "You have said yes to this {noun}; {missing} The {noun} was not sent."
    ),
    OutcomeReason.SAME_AUTHORITY: (
        "The right that you use was used for this already: it counts once, whoever uses it. "
        "The {noun} was not sent."
    ),
    OutcomeReason.NO_REQUEST: (
        "There is no {noun} that waits for a yes of yours. Nothing was changed."
    ),
    OutcomeReason.ALREADY_SENDING: (
        "The {noun} is being sent right now, so nothing could be taken back."
    ),
    OutcomeReason.CANNOT_POST: "{posting_error}. The {noun} was not sent.",
    OutcomeReason.ATTRIBUTION_FAILED: (
        "The comment that names who decides could not be left in SecMaster{answer}, so nothing "
        "was decided. Try again."
    ),
    OutcomeReason.FILE_UNAVAILABLE: (
        "Slack did not hand out the file ({code}), so it was not attached. Share it again, or "
        "upload it in SecMaster."
    ),
    OutcomeReason.FILE_TOO_LARGE: (
        "The file is too large to be brought to SecMaster from here (20 MB at most), so it "
        "was not attached. Upload it in SecMaster."
    ),
    OutcomeReason.FILE_DELAYED: (
        "Given up. Slack did not answer when it was asked for the file, so it was not "
        "attached. Share it again."
    ),
    OutcomeReason.NOT_ALLOWED: "The policy does not allow this any more. The {noun} was not sent.",
    OutcomeReason.PERSON_UNKNOWN: (
        "Given up. Slack could not be asked who {actor} is, so nothing may be allowed. The {noun} "
        "was not sent. Press again."
    ),
    OutcomeReason.TOO_OLD: (
        "The {noun} by {actor} was recorded {accepted}, which is too long ago to still be meant, "
        "so it was not sent. Ask again if it is."
    ),
    OutcomeReason.OWN_FAULT: (
        "Something went wrong on our side and the {noun} was not done. Tell whoever runs this "
        "bot the reference {reference}."
    ),
    OutcomeReason.NOT_FOUND: "SecMaster knows no {kind} {id} here. The {noun} was not sent.",
    OutcomeReason.NOT_ROUTED: (
        "Huawei Cloud's gateway turned the {noun} by {actor} away before SecMaster saw it{answer}. "
        "Nothing was done. Whoever runs this bot must mend its endpoint.{comment_stays}"
    ),
    **dict.fromkeys(
        NO_ANSWER,
        "Given up. {failure} The {noun} by {actor} was not done. Try again when SecMaster is "
        "back.{comment_stays}",
    ),
}
REFUSED_TEXT = "SecMaster refused the {noun} by {actor}{answer}, so it was not done.{comment_stays}"
# SecMaster's refusals, and the reasons with which nothing fails: they have other messages, or
# explain what was done or is in doubt.
REFUSED_BY_SECMASTER = frozenset(
    {
        OutcomeReason.REFUSED,
        OutcomeReason.INVALID,
        OutcomeReason.FORBIDDEN,
        OutcomeReason.CONFLICT,
        OutcomeReason.NONE,
        OutcomeReason.LOST,
        OutcomeReason.REQUEST_OVER,
        OutcomeReason.REQUEST_LAPSED,
        OutcomeReason.READ_BACK,
        OutcomeReason.NOT_VISIBLE,
        OutcomeReason.NOT_READABLE,
        OutcomeReason.RESTARTED,
        OutcomeReason.GIVEN_UP,
    }
)


HERE = "in the card's thread or here"
IN_DIRECT_MESSAGES = "in our direct messages, since the policy shows nothing in this channel"


def recorded(catalogue: Catalogue, action: Action, *, elsewhere: bool = False) -> Message:
    """Acknowledge a command once it is recorded: from here on it survives a crash.

    ``elsewhere``: it is answered in the person's direct messages.
    """
    where = IN_DIRECT_MESSAGES if elsewhere else HERE
    return text_message(
        f"📝 The {labels(action).noun} is recorded. You will be told how it ends, {where}."
    )


def approval_change_recorded(catalogue: Catalogue, *, elsewhere: bool = False) -> Message:
    """Acknowledge that an approval is to be withdrawn, or its request declined."""
    where = IN_DIRECT_MESSAGES if elsewhere else HERE
    return text_message(f"📝 Recorded. You will be told how it ends, {where}.")


def recorded_late(catalogue: Catalogue, *, is_changed: bool) -> Message:
    """Say that what could not be recorded in time is on record; or that nothing was changed."""
    if not is_changed:
        return text_message("Nothing was changed: it was so already, or it is over.")
    return text_message("📝 What you asked for is recorded now.")


def recorded_in_part(catalogue: Catalogue, files: Sequence[SlackFile], total: int) -> Message:
    """Say that only these files of so many were recorded before the bot failed."""
    names = ", ".join(inline(file.name, 100) for file in files)
    return text_message(
        f"Something went wrong on our side after {len(files)} of {total} files were recorded: "
        f"{names}. You will be told how those end. The others were not sent; send them again."
    )


def outcome(
    catalogue: Catalogue,
    operation: Operation,
    outcome: Outcome,
    standing_operation: StandingOperation | None = None,
) -> Message:
    """Say how an operation ended.

    ``standing_operation`` is what was done to its object before, where that stood in its way.
    """
    words, receipt = labels(BY_NAME[operation.action]), _receipt(catalogue, operation, outcome)
    file = f"\n📎 {inline(operation.file.name, 200)}" if operation.file else ""
    notes = f"{file}{approvals.side_effects(catalogue, operation, outcome)}{receipt}"
    match outcome.state:
        case OperationState.COUNTED:
            counted = approvals.approval_counted(catalogue, operation, outcome)
            return text_message(f"{counted}{_input_text(operation)}{notes}")
        case OperationState.DONE if operation.intent is not ApprovalIntent.GIVE:
            changed = approvals.approval_changed(catalogue, operation, outcome)
            return text_message(f"{changed}{_input_text(operation)}{receipt}")
        case OperationState.DONE:
            read_back = ""
            if outcome.reason_code == OutcomeReason.READ_BACK:
                read_back = " SecMaster's answer was lost; reading it again showed that it is done."
            done = f"✅ *{words.done}* by {approvals.actor_names(catalogue, operation)}.{read_back}"
            return text_message(f"{done}{_input_text(operation)}{notes}")
        case OperationState.UNKNOWN:
            return text_message(
                f"❓ *Nobody can say whether this {words.noun} by "
                f"{mention_user(operation.actor.id)} took effect.* {failure_sentence(catalogue, outcome)} "
                f"Look at the {operation.ref.kind} in SecMaster before you try again.{notes}"
            )
        case OperationState.FAILED | OperationState.PENDING | OperationState.IN_DOUBT:
            return text_message(
                f"❌ {_not_done_text(catalogue, operation, outcome, standing_operation)}{notes}"
            )
        case _:
            assert_never(outcome.state)


def lapsed(catalogue: Catalogue, operation: Operation, request: ApprovalRequest) -> Message:
    """Say that an approval request expired before enough people had approved."""
    return text_message(f"{approvals.lapsed(catalogue, request)}\n_ref {operation.reference}_")


def break_glass_used(
    catalogue: Catalogue, operation: Operation, outcome: Outcome, workspace: str, thread_url: str
) -> Message:
    """Announce that somebody decided alone what asks for several people.

    ``workspace`` is the workspace's name for people, ``thread_url`` "" where there is no thread.
    """
    words, actor = labels(BY_NAME[operation.action]), mention_user(operation.actor.id)
    match outcome.state:
        case OperationState.DONE:
            result = f"{words.done}."
        case OperationState.UNKNOWN:
            result = "Whether it took effect is not known."
        case (
            OperationState.FAILED
            | OperationState.COUNTED
            | OperationState.PENDING
            | OperationState.IN_DOUBT
        ):
            result = "It was not done."
        case _:
            assert_never(outcome.state)
    target = f"{operation.ref.kind} {code(operation.ref.id)} of {inline(workspace, 60)}"
    thread = blocks.link(thread_url, "its thread")
    return text_message(
        f"🔨 *{actor} broke the glass* for the {words.noun} of {target}"
        f"{f' in {thread}' if thread else ''}, which {operation.rule} leaves to several people. "
        f"{result}\n{quote(operation.reason, 1000)}{_receipt(catalogue, operation, outcome)}"
    )


def not_announced(catalogue: Catalogue, operation: Operation, error_code: str) -> Message:
    """Say that a use of break-glass could not be announced, by Slack's error code."""
    return text_message(
        f"⚠️ That {mention_user(operation.actor.id)} broke the glass could not be announced where "
        f"it should be ({code(error_code)}). Tell whoever runs this bot."
    )


def still_trying(
    catalogue: Catalogue, operation: Operation, outcome: Outcome, write: str | None, budget: float
) -> Message:
    """Say that an operation is tried again, or read, for ``budget`` seconds in all.

    ``write`` is what is in doubt: the "attribution" or the "action"; None where nothing was sent.
    """
    actor, noun = mention_user(operation.actor.id), labels(BY_NAME[operation.action]).noun
    limit = f"{round(budget / 60)} min" if budget >= 60 else f"{round(budget)} s"  # noqa: PLR2004
    if write is None:
        plan = f"It is kept and tried again for {limit}; there is no need to repeat it."
    elif write == "attribution":
        plan = (
            "I am reading until it is known whether the comment that names who decided was left, "
            f"for {limit} at most. The {noun} itself has not been sent yet."
        )
    else:
        plan = (
            f"I am reading until it is known whether the {noun} took effect, for {limit} at most."
        )
    return text_message(
        f"⏳ The {noun} by {actor} waits. {failure_sentence(catalogue, outcome)} {plan}"
    )


def lost(catalogue: Catalogue, operation: Operation, holder: StandingOperation) -> Message:
    """Say that an operation was not sent, since ``holder`` had been accepted before it."""
    earlier, noun = holder.operation, labels(BY_NAME[operation.action]).noun
    done = holder.state is OperationState.DONE
    if holder.is_interrupted:
        return _interrupted(catalogue, earlier, noun, holder.runner)
    if (earlier.actor.id, earlier.action) == (operation.actor.id, operation.action):
        state = "done already" if done else "under way"
        return text_message(f"✋ Your {noun} is {state}; this second press was not sent.")
    actor, words = mention_user(earlier.actor.id), labels(BY_NAME[earlier.action])
    if done:
        sentence = f"Already {_lower(words.done)} by {actor}, {date_token(holder.at)}."
    else:
        sentence = f"{actor} is {words.doing} this {earlier.ref.kind} right now."
    return text_message(f"✋ {sentence} Your {noun} was not sent.")


def _interrupted(catalogue: Catalogue, earlier: Operation, noun: str, runner: Runner) -> Message:
    """Say that an operation holds its object which nobody carries on, and who can free it."""
    actor, words = mention_user(earlier.actor.id), labels(BY_NAME[earlier.action])
    match runner:
        case Runner.ABSENT:
            what_next = "waits for its process to come back"
        case Runner.STOPPED | Runner.ALIVE:
            what_next = "nothing carries it on"
        case _:
            assert_never(runner)
    command = code(f"secmaster-bot operations show {earlier.reference}")
    return text_message(
        f"✋ The {words.noun} of this {earlier.ref.kind} by {actor} was interrupted, and "
        f"{what_next}. Your {noun} was not sent. Whoever runs this bot can free it: {command}."
    )


def approvals_missing(catalogue: Catalogue, outcome: Outcome) -> str:
    """Say how many more people must approve before the operation is sent."""
    request = outcome.approval_request
    missing = request.needed - len(request.approvals) if request else 1
    return f"{missing} more must say so." if missing > 1 else "one more must say so."


def _not_done_text(
    catalogue: Catalogue,
    operation: Operation,
    outcome: Outcome,
    standing_operation: StandingOperation | None,
) -> str:
    """Say why an operation was not done."""
    action, reason = BY_NAME[operation.action], outcome.reason_code
    # Where ids are given, it may be the comment or the file that is unknown.
    unclear = reason == OutcomeReason.NOT_FOUND and not all(param.signed for param in action.params)
    template = REFUSED_TEXT if unclear or reason in REFUSED_BY_SECMASTER else NOT_DONE_TEXTS[reason]
    comment_stays = " A comment on it that reached SecMaster stays there."
    return template.format(
        noun=labels(action).noun,
        actor=mention_user(operation.actor.id),
        kind=operation.ref.kind,
        id=code(operation.ref.id),
        reference=code(operation.reference),
        accepted=date_token(operation.accepted_at),
        comment_stays=comment_stays if needs_attribution(operation) else "",
        blocker=_blocker_text(catalogue, operation, outcome, standing_operation),
        differences=differences(catalogue, operation.ref.kind, outcome),
        missing=approvals_missing(catalogue, outcome),
        posting_error=CANNOT_POST.get(outcome.code, CANNOT_POST_DEFAULT),
        answer=refusal_clause(outcome),
        code=code(outcome.code),
        failure=failure_sentence(catalogue, outcome),
    )


def _blocker_text(
    catalogue: Catalogue,
    operation: Operation,
    outcome: Outcome,
    standing_operation: StandingOperation | None,
) -> str:
    """Say that a task is decided already and by whom, or which status an instance has."""
    status = outcome.blocking_status
    if operation.ref.kind == "task":
        state = state_name(catalogue, TASK_STATES, status)
        decided = _decided_text(catalogue, outcome, standing_operation)
        return f"This task was already decided: {state}{decided}."
    state = state_name(catalogue, INSTANCE_STATES, status)
    action = BY_NAME[operation.action]
    noun = labels(action).noun
    article = "An" if noun.startswith(tuple("aeiou")) else "A"
    needed = " or ".join(_lower(allowed) for allowed in action.allowed_statuses)
    sentence = f"{article} {noun} is for an instance that is {needed}; this one is {state}"
    if standing_operation and standing_operation.state in UNDER_WAY:
        earlier = standing_operation.operation
        actor = mention_user(earlier.actor.id)
        if standing_operation.is_interrupted:
            sentence += f"; the {labels(BY_NAME[earlier.action]).noun} by {actor} was interrupted"
        else:
            sentence += f"; {actor} is at it right now"
    return f"{sentence}."


def _decided_text(
    catalogue: Catalogue, outcome: Outcome, standing_operation: StandingOperation | None
) -> str:
    """Say who decided a task, or is deciding it, and when."""
    if standing_operation is None:
        decider = f" by {inline(outcome.decided_by, 80)}" if outcome.decided_by else " or by itself"
        return f", outside Slack{decider}, {date_token(outcome.decided_at)}"
    words = labels(BY_NAME[standing_operation.operation.action])
    actor = mention_user(standing_operation.operation.actor.id)
    if standing_operation.is_interrupted:
        return f", and the {words.noun} by {actor} was interrupted"
    if standing_operation.state in UNDER_WAY:
        return f", and {actor} is {words.doing} it right now"
    return f", {_lower(words.done)} by {actor}, {date_token(standing_operation.at)}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].lower()


def _input_text(operation: Operation) -> str:
    """Repeat what the person gave with an operation: the reason, the comment, the ids."""
    parts = [quote(operation.reason, 1000)] if operation.reason else []
    for param in BY_NAME[operation.action].params:
        value = operation.params[param.name]
        parts.append(quote(value, 1000) if param.signed else f"{param.label} {code(value, 200)}")
    return "".join(f"\n{part}" for part in parts)


def _receipt(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> str:
    """Return what an auditor looks for: reference, rule, SecMaster's answer, and how long it took.

    The duration counts from when the operation was accepted; 0 where that is not known.
    """
    seconds = outcome.duration
    duration = f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
    parts = [
        f"ref {operation.reference}",
        operation.rule,
        f"HTTP {outcome.status}" if outcome.status else "",
        f"request {code(outcome.request_id)}" if outcome.request_id else "",
        duration if seconds else "",
    ]
    return f"\n_{' · '.join(filter(None, parts))}_"
