"""What everybody is told of an operation: one line each, and what was not done."""

from bot.domain.actions import BY_NAME, needs_attribution
from bot.domain.approvals import ApprovalIntent, ApprovalRequest
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.reasons import NO_ANSWER, OutcomeReason
from bot.messages import approvals, blocks
from bot.messages.blocks import Message, new_message, section
from bot.messages.cards import INSTANCE_STATES, TASK_STATES
from bot.messages.changes import differences
from bot.messages.errors import CANNOT_POST, CANNOT_POST_DEFAULT, failure_sentence, refusal_clause
from bot.messages.labels import labels
from bot.messages.text import code, date_token, inline, mention_user, quote

UNDER_WAY = (OperationState.PENDING, OperationState.IN_DOUBT)


def outcome(
    operation: Operation, ended: Outcome, standing: StandingOperation | None = None
) -> Message:
    """Tell how an operation ended; ``standing`` is what was done to its object before."""
    said = labels(BY_NAME[operation.action])
    receipt = (
        _named_file(operation)
        + approvals.side_effects(operation, ended)
        + _receipt(operation, ended)
    )
    if ended.state is OperationState.COUNTED:
        return _line(f"{approvals.approval_counted(operation, ended)}{_told(operation)}{receipt}")
    if ended.state is OperationState.DONE and operation.intent is not ApprovalIntent.GIVE:
        done = approvals.approval_changed(operation, ended)
        return _line(f"{done}{_told(operation)}{_receipt(operation, ended)}")
    if ended.state is OperationState.DONE:
        found = " SecMaster's answer was lost; reading it again showed that it is done." * (
            ended.reason_code == OutcomeReason.READ_BACK
        )
        who = approvals.actor_names(operation)
        return _line(f"✅ *{said.done}* by {who}.{found}{_told(operation)}{receipt}")
    if ended.state is OperationState.UNKNOWN:
        return _line(
            f"❓ *Nobody can say whether this {said.noun} by {mention_user(operation.actor.id)} took "
            f"effect.* {failure_sentence(ended)} Look at the {operation.ref.kind} in SecMaster before "
            f"you try again.{receipt}"
        )
    return _line(f"❌ {_refusal(operation, ended, standing)}{receipt}")


def lapsed(operation: Operation, ballot: ApprovalRequest) -> Message:
    """Tell that too few people said yes in time."""
    return _line(f"{approvals.lapsed(ballot)}\n_ref {operation.reference}_")


def break_glass_used(operation: Operation, ended: Outcome, workspace: str, link: str) -> Message:
    """Announce that somebody decided alone what asks for several people."""
    said, who = labels(BY_NAME[operation.action]), mention_user(operation.actor.id)
    how = {
        OperationState.DONE: f"{said.done}.",
        OperationState.UNKNOWN: "Whether it took effect is not known.",
    }
    about = f"{operation.ref.kind} {code(operation.ref.id)} of {inline(workspace, 60)}"
    there = blocks.link(link, "its thread")
    where = f" in {there}" if there else ""
    return _line(
        f"🔨 *{who} broke the glass* for the {said.noun} of {about}{where}, which "
        f"{operation.rule} leaves to several people. {how.get(ended.state, 'It was not done.')}"
        f"\n{quote(operation.reason, 1000)}{_receipt(operation, ended)}"
    )


def not_announced(operation: Operation, code_: str) -> Message:
    """Tell that nobody was told of a broken glass."""
    return _line(
        f"⚠️ That {mention_user(operation.actor.id)} broke the glass could not be announced where it "
        f"should be ({code(code_)}). Tell whoever runs this bot."
    )


def still_trying(operation: Operation, ended: Outcome, patience: float) -> Message:
    """Tell, once, that an operation is kept while SecMaster is in trouble."""
    who, said = mention_user(operation.actor.id), labels(BY_NAME[operation.action])
    kept = _minutes(patience)
    if ended.state is OperationState.UNKNOWN:
        doing = f"I am reading until it is known whether it took effect, for {kept} at most."
    else:
        doing = f"It is kept and tried again for {kept}; there is no need to repeat it."
    return _line(f"⏳ The {said.noun} by {who} waits. {failure_sentence(ended)} {doing}")


def lost(operation: Operation, holder: StandingOperation) -> Message:
    """Tell whoever came second who came first, and that theirs was not sent."""
    first, mine = holder.operation, labels(BY_NAME[operation.action]).noun
    if (first.actor.id, first.action) == (operation.actor.id, operation.action):
        way = "done already" if holder.state is OperationState.DONE else "under way"
        return _line(f"✋ Your {mine} is {way}; this second press was not sent.")
    who, said = mention_user(first.actor.id), labels(BY_NAME[first.action])
    if holder.state is OperationState.DONE:
        taken = f"Already {_small(said.done)} by {who}, {date_token(holder.at)}."
    else:
        taken = f"{who} is {said.doing} this {first.ref.kind} right now."
    return _line(f"✋ {taken} Your {mine} was not sent.")


def _refusal(operation: Operation, ended: Outcome, standing: StandingOperation | None) -> str:
    """Say why it was not done; what SecMaster itself refused is the floor."""
    said, who = labels(BY_NAME[operation.action]), mention_user(operation.actor.id)
    noun, not_sent = operation.ref.kind, f"The {said.noun} was not sent."
    given_up = (
        f"Given up. {failure_sentence(ended)} The {said.noun} by {who} was not done. "
        f"Try again when SecMaster is back.{_left(operation)}"
    )
    sentences = {
        OutcomeReason.NOT_NOW: f"{_closed(operation, ended, standing)} {not_sent}",
        OutcomeReason.CHANGED: (
            f"Changed since {who} looked. {not_sent}{_left(operation)}\n{differences(ended)}"
        ),
        OutcomeReason.ALREADY_APPROVED: f"You have said yes to this {said.noun}; {approvals_missing(ended)} {not_sent}",
        OutcomeReason.SAME_AUTHORITY: (
            "The right that you use was used for this already: it counts once, whoever uses it. "
            f"{not_sent}"
        ),
        OutcomeReason.NO_REQUEST: f"There is no {said.noun} that waits for a yes of yours. Nothing was changed.",
        OutcomeReason.ALREADY_SENDING: f"The {said.noun} is being sent right now, so nothing could be taken back.",
        OutcomeReason.CANNOT_POST: f"{CANNOT_POST.get(ended.code, CANNOT_POST_DEFAULT)}. {not_sent}",
        OutcomeReason.ATTRIBUTION_FAILED: (
            f"The comment that names who decides could not be left in SecMaster{refusal_clause(ended)}, "
            "so nothing was decided. Try again."
        ),
        OutcomeReason.FILE_UNAVAILABLE: (
            f"Slack did not hand out the file ({code(ended.code)}), so it was not attached. "
            "Share it again, or upload it in SecMaster."
        ),
        OutcomeReason.FILE_TOO_LARGE: (
            "The file is too large to be brought to SecMaster from here (20 MB at most), so it "
            "was not attached. Upload it in SecMaster."
        ),
        OutcomeReason.FILE_DELAYED: (
            "Given up. Slack did not answer when it was asked for the file, so it was not "
            "attached. Share it again."
        ),
        OutcomeReason.TOO_OLD: (
            f"The {said.noun} by {who} was recorded {date_token(operation.accepted_at)}, which is too "
            "long ago to still be meant, so it was not sent. Ask again if it is."
        ),
        OutcomeReason.OWN_FAULT: (
            f"Something went wrong on our side and the {said.noun} was not done. Tell whoever "
            f"runs this bot the reference {code(operation.reference)}."
        ),
        **dict.fromkeys(NO_ANSWER, given_up),
    }
    # Where ids are given, it may be the comment or the file that is unknown.
    if all(param.signed for param in BY_NAME[operation.action].params):
        sentences[OutcomeReason.NOT_FOUND] = (
            f"SecMaster knows no {noun} {code(operation.ref.id)} here. {not_sent}"
        )
    refused = (
        f"SecMaster refused the {said.noun} by {who}{refusal_clause(ended)}, so it was not done."
    )
    return sentences.get(ended.reason_code, f"{refused}{_left(operation)}")


def _left(operation: Operation) -> str:
    """What stands in SecMaster all the same."""
    if needs_attribution(operation):
        return " A comment on it that reached SecMaster stays there."
    return ""


def _closed(operation: Operation, ended: Outcome, standing: StandingOperation | None) -> str:
    """Why this is not the time: already decided and by whom, or in another state."""
    state, action = _state(operation, ended.blocking_status), BY_NAME[operation.action]
    if operation.ref.kind == "task":
        return f"This task was already decided: {state}{_by(ended, standing)}."
    needed = " or ".join(_small(status) for status in action.allowed_statuses)
    now = ""
    if standing and standing.state in UNDER_WAY:
        now = f"; {mention_user(standing.operation.actor.id)} is at it right now"
    return f"A {labels(action).noun} is for an instance that is {needed}; this one is {state}{now}."


def _by(ended: Outcome, standing: StandingOperation | None) -> str:
    if standing is None:
        who = f" by {inline(ended.decided_by, 80)}" if ended.decided_by else " or by itself"
        return f", outside Slack{who}, {date_token(ended.decided_at)}"
    said = labels(BY_NAME[standing.operation.action])
    who = mention_user(standing.operation.actor.id)
    if standing.state in UNDER_WAY:
        return f", and {who} is {said.doing} it right now"
    return f", {_small(said.done)} by {who}, {date_token(standing.at)}"


def _small(text: str) -> str:
    return text[:1].lower() + text[1:].lower()


def _state(operation: Operation, status: str) -> str:
    states = TASK_STATES if operation.ref.kind == "task" else INSTANCE_STATES
    return states.get(status, inline(status, 40))


def _told(operation: Operation) -> str:
    """What the person gave with it: the reason, the comment, the ids."""
    parts = [quote(operation.reason, 1000)] if operation.reason else []
    for param in BY_NAME[operation.action].params:
        value = operation.params[param.name]
        shown = quote(value, 1000) if param.signed else f"{param.label} {code(value, 200)}"
        parts.append(shown)
    return "".join(f"\n{part}" for part in parts)


def _named_file(operation: Operation) -> str:
    return f"\n📎 {inline(operation.file.name, 200)}" if operation.file else ""


def _receipt(operation: Operation, ended: Outcome) -> str:
    """What an auditor looks for: our reference, the rule, SecMaster's answer, and how long."""
    parts = [
        f"ref {operation.reference}",
        operation.rule,
        f"HTTP {ended.status}" if ended.status else "",
        f"request {code(ended.request_id)}" if ended.request_id else "",
        _took(ended.duration),
    ]
    return f"\n_{' · '.join(filter(None, parts))}_"


def _took(seconds: float) -> str:
    """How long it took since it was accepted; "" where that is not known."""
    if not seconds:
        return ""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def approvals_missing(ended: Outcome) -> str:
    left = (
        ended.approval_request.needed - len(ended.approval_request.approvals)
        if ended.approval_request
        else 1
    )
    return f"{left} more must say so." if left > 1 else "one more must say so."


def _minutes(seconds: float) -> str:
    return f"{round(seconds / 60)} min" if seconds >= 60 else f"{round(seconds)} s"  # noqa: PLR2004


def _line(text: str) -> Message:
    return new_message(text, section(text))
