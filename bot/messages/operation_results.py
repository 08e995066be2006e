"""Say how an operation ended: a line for everybody in the thread, with the reason and a receipt."""

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never

from slack_sdk.models.blocks import Block, ButtonElement

from bot.domain.actions import BY_NAME, Action, needs_attribution
from bot.domain.approvals import ApprovalIntent, ApprovalRequest
from bot.domain.cards import ButtonValue
from bot.domain.objects import RUN_KINDS, ByKind, ObjectKind, Ref
from bot.domain.operations import (
    UNDER_WAY,
    Operation,
    OperationState,
    Outcome,
    Runner,
    StandingOperation,
)
from bot.domain.reasons import NO_ANSWER, OutcomeReason
from bot.domain.slack import MAX_FILE_MEGABYTES, SlackFile
from bot.messages import approvals
from bot.messages.blocks import (
    RUNS_UNREAD,
    Message,
    actions,
    context,
    section,
    text_message,
)
from bot.messages.catalogue import N_, Catalogue
from bot.messages.changes import differences
from bot.messages.errors import failure_sentence, posting_problem, refusal_details
from bot.messages.fields import INSTANCE_STATES, TASK_STATES, state_name
from bot.messages.labels import labels, param_title
from bot.messages.private_cards import AskedCommand, try_again_button
from bot.messages.stages import not_your_turn, stage_roles
from bot.messages.task_endings import decided_elsewhere
from bot.messages.text import bold, code, date_token, inline, mention_user, quote, rule_number

# {actor} is who asked; the sentence that the action was not sent follows, unless it is among the
# COMPLETE ones.
NOT_DONE_TEXTS = {
    OutcomeReason.CHANGED: N_("Changed since {actor} looked."),
    OutcomeReason.ALREADY_SENDING: N_(
        "This is being sent to SecMaster right now, so nothing can be withdrawn or declined."
    ),
    OutcomeReason.ATTRIBUTION_FAILED: N_(
        "Nothing was decided: the comment that names who decided could not be added in SecMaster."
    ),
    OutcomeReason.FILE_UNAVAILABLE: N_(
        "The file was not attached: Slack did not provide it ({code}). Share it again, or upload "
        "it in SecMaster."
    ),
    OutcomeReason.FILE_TOO_LARGE: N_(
        "The file was not attached: it is larger than {megabytes} MB. Upload it in SecMaster."
    ),
    OutcomeReason.FILE_DELAYED: N_(
        "The file was not attached: Slack did not answer when asked for it. Share it again."
    ),
    OutcomeReason.NOT_ALLOWED: N_("The policy does not allow this any more."),
    OutcomeReason.PERSON_UNKNOWN: N_(
        "Can't ask Slack who {actor} is, so permissions can't be checked."
    ),
    OutcomeReason.TOO_OLD: N_(
        "{actor} asked for this {accepted}. That is too long ago to carry it out now: ask again if "
        "it is still wanted."
    ),
    OutcomeReason.OWN_FAULT: N_(
        "Something went wrong in the bot. Give whoever runs it the reference {reference}."
    ),
    OutcomeReason.NOT_ROUTED: N_(
        "Huawei Cloud's gateway rejected the request before it reached SecMaster. Ask whoever runs "
        "this bot to correct its endpoint."
    ),
}
CHECK_FIRST = ByKind(
    task=N_("Check the task in SecMaster before you try again."),
    instance=N_("Check the run in SecMaster before you try again."),
    playbook=N_("Check the playbook run in SecMaster before you try again."),
)
NOT_FOUND = ByKind(
    task=N_("No task with ID {id} in this workspace."),
    instance=N_("No run with ID {id} in this workspace."),
    playbook=N_("No playbook run with ID {id} in this workspace."),
)
NOT_NOW = ByKind(
    task="",  # which says who decided it
    instance=N_("The run is now {state}. This is possible only while it is {allowed}."),
    playbook=N_("The playbook run is now {state}. This is possible only while it is {allowed}."),
)
# By the kind of what is to be retried, and by that of what is being retried.
OVERLAPS: dict[tuple[ObjectKind, ObjectKind], str] = {
    ("instance", "playbook"): N_(
        "{actor} retried the playbook run {object}, {when}, and this run belongs to it. A second "
        "retry would repeat its work."
    ),
    ("playbook", "instance"): N_(
        "{actor} retried the run {object}, {when}, and it belongs to this playbook run. A second "
        "retry would repeat its work."
    ),
}
OVERLAP = N_(
    "{actor} retried {object}, {when}, and that works on the same runs. A second retry would "
    "repeat its work."
)
# These say themselves what was not done.
COMPLETE = frozenset(
    {
        OutcomeReason.ALREADY_SENDING,
        OutcomeReason.ATTRIBUTION_FAILED,
        OutcomeReason.FILE_UNAVAILABLE,
        OutcomeReason.FILE_TOO_LARGE,
        OutcomeReason.FILE_DELAYED,
    }
)
# These have a text that depends on more than the reason.
PARTICULAR = frozenset(
    {
        OutcomeReason.NOT_NOW,
        OutcomeReason.ALREADY_APPROVED,
        OutcomeReason.SAME_AUTHORITY,
        OutcomeReason.NOT_YOUR_TURN,
        OutcomeReason.NO_REQUEST,
        OutcomeReason.CANNOT_POST,
        OutcomeReason.NOT_FOUND,
        *NO_ANSWER,
    }
)
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
# A comment may have been added before these.
AFTER_A_COMMENT = REFUSED_BY_SECMASTER | {
    OutcomeReason.CHANGED,
    OutcomeReason.NOT_ROUTED,
    *NO_ANSWER,
}
# Nothing is wrong here, and nothing was refused.
INFORMATION = frozenset(
    {
        OutcomeReason.ALREADY_APPROVED,
        OutcomeReason.SAME_AUTHORITY,
        OutcomeReason.NOT_YOUR_TURN,
        OutcomeReason.NO_REQUEST,
        OutcomeReason.ALREADY_SENDING,
    }
)
# The same may well succeed now, and it is certain that nothing was sent.
WORTH_REPEATING = frozenset(
    {
        *NO_ANSWER,
        OutcomeReason.PERSON_UNKNOWN,
        OutcomeReason.TOO_OLD,
        OutcomeReason.ATTRIBUTION_FAILED,
    }
)


def recorded(catalogue: Catalogue, action: Action, *, elsewhere: bool = False) -> Message:
    """Acknowledge a command once it is recorded: from here on it survives a crash.

    ``elsewhere``: it is answered in the person's direct messages.
    """
    started = catalogue.gettext(labels(action).started)
    return text_message(f"📝 {started} {_where_answered(catalogue, elsewhere=elsewhere)}")


def approval_change_recorded(
    catalogue: Catalogue, intent: ApprovalIntent, *, elsewhere: bool = False
) -> Message:
    """Acknowledge that an approval is to be withdrawn, or its request declined."""
    if intent is ApprovalIntent.DECLINE:
        started = catalogue.gettext("Declining the request…")
    else:
        started = catalogue.gettext("Withdrawing your approval…")
    return text_message(f"📝 {started} {_where_answered(catalogue, elsewhere=elsewhere)}")


def _where_answered(catalogue: Catalogue, *, elsewhere: bool) -> str:
    if elsewhere:
        return catalogue.gettext(
            "The result will appear in your direct messages with this bot: the policy allows no "
            "cards in this channel."
        )
    return catalogue.gettext("The result will appear in the card's thread.")


def recorded_late(catalogue: Catalogue, *, is_changed: bool) -> Message:
    """Say that what could not be recorded in time is on record; or that nothing was changed."""
    if not is_changed:
        return text_message(catalogue.gettext("Nothing changed: it was already so, or it is over."))
    return text_message(f"📝 {catalogue.gettext('Your request is recorded now.')}")


def recorded_in_part(catalogue: Catalogue, files: Sequence[SlackFile], total: int) -> Message:
    """Say that only these files of so many were recorded before the bot failed."""
    names = catalogue.all_of([inline(file.name, 100) for file in files])
    recorded_files = catalogue.ngettext(
        "Something went wrong in the bot. Only {count} of {total} files was recorded: {names}.",
        "Something went wrong in the bot. Only {count} of {total} files were recorded: {names}.",
        len(files),
        total=catalogue.number(total),
        names=names,
    )
    rest = catalogue.gettext(
        "Their results will appear in the thread. The others were not sent: send them again."
    )
    return text_message(f"❌ {recorded_files} {rest}")


def outcome(
    catalogue: Catalogue,
    operation: Operation,
    outcome: Outcome,
    standing_operation: StandingOperation | None = None,
) -> Message:
    """Say how an operation ended.

    ``standing_operation`` is what was done to its object before, where that stood in its way.
    """
    words, actor = labels(BY_NAME[operation.action]), mention_user(operation.actor.id)
    typed, receipt = _typed_text(catalogue, operation), _receipt(catalogue, operation, outcome)
    file = f"\n📎 {inline(operation.file.name, 200)}" if operation.file else ""
    notes = f"{file}{approvals.side_effects(catalogue, operation, outcome)}"
    match outcome.state:
        case OperationState.COUNTED:
            counted = approvals.approval_counted(catalogue, operation, outcome)
            return _with_receipt(f"{counted}{typed}{notes}", receipt)
        case OperationState.DONE if operation.intent is not ApprovalIntent.GIVE:
            changed = approvals.approval_changed(catalogue, operation, outcome)
            return _with_receipt(f"{changed}{typed}", receipt)
        case OperationState.DONE:
            actors = approvals.actor_names(catalogue, operation)
            done = f"✅ *{catalogue.gettext(words.done_by, actor=actors)}*"
            if outcome.reason_code == OutcomeReason.READ_BACK:
                confirmed = catalogue.gettext(
                    "SecMaster's answer was lost; reading it again confirmed the result."
                )
                done = f"{done} {confirmed}"
            if outcome.runs_unread:
                done = f"{done} {catalogue.gettext(RUNS_UNREAD)}"
            return _with_receipt(f"{done}{typed}{notes}", receipt)
        case OperationState.UNKNOWN:
            unknown = catalogue.gettext(words.unknown, actor=actor)
            failure = failure_sentence(catalogue, outcome)
            check = catalogue.gettext(CHECK_FIRST[operation.ref.kind])
            return _with_receipt(f"❓ *{unknown}* {failure} {check}{notes}", receipt)
        case OperationState.FAILED | OperationState.PENDING | OperationState.IN_DOUBT:
            sign = "ℹ️" if outcome.reason_code in INFORMATION else "❌"
            text = _not_done_text(catalogue, operation, outcome, standing_operation)
            buttons = _buttons(catalogue, operation, outcome)
            return _with_receipt(f"{sign} {text}{notes}", receipt, *buttons)
        case _:
            assert_never(outcome.state)


def _with_receipt(text: str, receipt: str, *more: Block) -> Message:
    """Return a message with its receipt in small print, also in the text for notifications."""
    return Message(f"{text}\n_{receipt}_", (section(text), context(receipt), *more))


def _buttons(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> list[Block]:
    """Return the button for what its reader can do now, where there is something."""
    action = BY_NAME[operation.action]
    if outcome.reason_code is OutcomeReason.ALREADY_APPROVED:
        return [actions([withdraw_button(catalogue, operation)])]
    gives = operation.intent is ApprovalIntent.GIVE
    if outcome.reason_code not in WORTH_REPEATING or operation.file or not gives:
        return []
    # Everybody in the thread may press it, in their own name: they say their own words.
    words_are_asked = action.opens_form or bool(operation.reason or operation.params)
    command = AskedCommand(
        action=action.name,
        button=str(_button_value(operation)),
        break_glass=operation.break_glass,
        incomplete=words_are_asked,
    )
    button = try_again_button(
        catalogue, command, asks_first=not words_are_asked, needed=operation.terms.approvals
    )
    return [actions([button])]


def _button_value(operation: Operation) -> ButtonValue:
    return ButtonValue(ref=operation.ref, decision_fingerprint=operation.decision_fingerprint)


def withdraw_button(catalogue: Catalogue, operation: Operation) -> ButtonElement:
    """Return the button with which somebody withdraws their approval of an operation's action."""
    return ButtonElement(
        text=catalogue.gettext("Withdraw my approval"),
        action_id=ApprovalIntent.WITHDRAW,
        value=f"{operation.action}|{_button_value(operation)}",
    )


def may_override(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> Message:
    """Tell somebody whose approval was counted that they may decide alone in an emergency."""
    request = outcome.approval_request
    recorded = catalogue.gettext(
        "Your approval is recorded. In an emergency you may also decide alone."
    )
    counted = f"*{approvals.tally(catalogue, request)}.* {recorded}" if request else recorded
    fingerprint = outcome.preflight_fingerprint or operation.decision_fingerprint
    value = ButtonValue(ref=operation.ref, decision_fingerprint=fingerprint)
    override = ButtonElement(
        text=catalogue.gettext("Emergency override"),
        action_id="break-glass",
        value=f"{operation.action}|{value}",
        style="danger",
    )
    row = actions([withdraw_button(catalogue, operation), override])
    return Message(f"🗳️ {counted}", (section(f"🗳️ {counted}"), row))


def lapsed(catalogue: Catalogue, operation: Operation, request: ApprovalRequest) -> Message:
    """Say that an approval request expired before enough people had approved."""
    reference = catalogue.gettext("ref {reference}", reference=operation.reference)
    return _with_receipt(approvals.lapsed(catalogue, request), reference)


def break_glass_used(
    catalogue: Catalogue,
    operation: Operation,
    outcome: Outcome,
    target: tuple[str, str],
    thread_url: str,
) -> Message:
    """Announce that somebody decided alone what asks for several people.

    ``target`` is the object's name and its workspace's, for people; ``thread_url`` is "" where
    there is no thread.
    """
    words, actor = labels(BY_NAME[operation.action]), mention_user(operation.actor.id)
    match outcome.state:
        case OperationState.DONE:
            result = f"✅ {catalogue.gettext(words.done_by, actor=actor)}"
        case OperationState.UNKNOWN:
            result = f"❓ {catalogue.gettext(words.unknown, actor=actor)}"
        case (
            OperationState.FAILED
            | OperationState.COUNTED
            | OperationState.PENDING
            | OperationState.IN_DOUBT
        ):
            result = f"❌ {catalogue.gettext('Nothing was done.')}"
        case _:
            assert_never(outcome.state)
    name, workspace = target
    title = inline(name.replace("|", "¦"), 150) or operation.ref.id  # a bar ends a link's address
    head = catalogue.gettext(
        "{object} in {workspace}: *emergency override* by {actor}.",
        object=f"<{thread_url}|{title}>" if thread_url else f"*{title}*",
        workspace=inline(workspace, 60),
        actor=actor,
    )
    bypassed = catalogue.gettext(
        "This bypassed rule {rule}, which requires several people.",
        rule=inline(rule_number(operation.rule), 60),
    )
    text = f"🚨 {head}\n{result} {bypassed}\n{quote(operation.reason, 1000)}"
    return _with_receipt(text, _receipt(catalogue, operation, outcome))


def not_announced(catalogue: Catalogue, operation: Operation, error_code: str) -> Message:
    """Say that an emergency override could not be announced, by Slack's error code."""
    sentence = catalogue.gettext(
        "The emergency override by {actor} could not be announced in its channel ({code}). Tell "
        "whoever runs this bot.",
        actor=mention_user(operation.actor.id),
        code=code(error_code),
    )
    return text_message(f"⚠️ {sentence}")


def still_trying(
    catalogue: Catalogue, operation: Operation, outcome: Outcome, write: str | None, budget: float
) -> Message:
    """Say that an operation is tried again, or read, for ``budget`` seconds in all.

    ``write`` is what is in doubt: the "attribution" or the "action"; None where nothing was sent.
    """
    words, actor = labels(BY_NAME[operation.action]), mention_user(operation.actor.id)
    limit = catalogue.duration(timedelta(seconds=budget))
    failure, waiting = (
        failure_sentence(catalogue, outcome),
        catalogue.gettext(words.waiting, actor=actor),
    )
    if write is None:
        plan = catalogue.gettext(
            "The bot keeps trying for up to {limit}. Don't send it again.", limit=limit
        )
        return text_message(f"⏳ {waiting} {failure} {plan}")
    plan = catalogue.gettext("The bot keeps checking SecMaster for up to {limit}.", limit=limit)
    if write == "attribution":
        doubt = catalogue.gettext(
            "It is not known yet whether the comment that names who decided was added."
        )
        return text_message(f"⏳ {doubt} {failure} {plan} {waiting}")
    return text_message(f"⏳ {catalogue.gettext(words.in_doubt, actor=actor)} {failure} {plan}")


def lost(
    catalogue: Catalogue, operation: Operation, holder: StandingOperation, name: str = ""
) -> Message:
    """Say that an operation was not sent, since ``holder`` had been accepted before it.

    ``name`` is that of the object of ``holder``, which may be another one.
    """
    earlier = holder.operation
    not_sent = catalogue.gettext(labels(BY_NAME[operation.action]).not_sent)
    overlap = ""
    if earlier.ref != operation.ref:
        overlap = f"{overlapping_text(catalogue, operation.ref, holder, name)} "
    if holder.is_interrupted:
        interrupted = _interrupted(catalogue, earlier, not_sent, holder.runner)
        return text_message(f"✋ {overlap}{interrupted}")
    if overlap:
        return text_message(f"✋ {overlap}{not_sent}")
    if (earlier.actor.id, earlier.action) == (operation.actor.id, operation.action):
        not_sent = catalogue.gettext("Your second press was not sent.")
    return text_message(f"✋ {_earlier_text(catalogue, holder)} {not_sent}")


def _earlier_text(catalogue: Catalogue, earlier: StandingOperation) -> str:
    """Say what was done to an object before, or is being done."""
    operation = earlier.operation
    words, actor = labels(BY_NAME[operation.action]), mention_user(operation.actor.id)
    if earlier.is_interrupted:
        return catalogue.gettext(words.interrupted, actor=actor)
    if earlier.state in UNDER_WAY:
        return catalogue.gettext(words.under_way, actor=actor)
    return catalogue.gettext(words.done_before, actor=actor, when=date_token(earlier.at))


def overlapping_text(
    catalogue: Catalogue, ref: Ref, earlier: StandingOperation, name: str = ""
) -> str:
    """Say who retries what a retry of this object would overlap with, and since when.

    ``name`` is that of what they retry, "" where it is not to be named.
    """
    other = earlier.operation.ref
    id_ = code(other.id)
    return catalogue.gettext(
        OVERLAPS.get((ref.kind, other.kind), OVERLAP),
        actor=mention_user(earlier.operation.actor.id),
        when=date_token(earlier.at),
        object=f"{bold(name, 100)} ({id_})" if name else id_,
    )


def _interrupted(catalogue: Catalogue, earlier: Operation, not_sent: str, runner: Runner) -> str:
    """Say that an operation holds its object which nobody carries on, and who can free it."""
    words, actor = labels(BY_NAME[earlier.action]), mention_user(earlier.actor.id)
    match runner:
        case Runner.ABSENT:
            what_next = catalogue.gettext("It resumes when its process is back.")
        case Runner.STOPPED | Runner.ALIVE:
            what_next = catalogue.gettext("It does not resume by itself.")
        case _:
            assert_never(runner)
    release = catalogue.gettext(
        "Whoever runs this bot can release it: {command}.",
        command=code(f"secmaster-bot operations show {earlier.reference}"),
    )
    interrupted = catalogue.gettext(words.interrupted, actor=actor)
    return f"{interrupted} {what_next} {not_sent} {release}"


def _not_done_text(
    catalogue: Catalogue,
    operation: Operation,
    outcome: Outcome,
    standing_operation: StandingOperation | None,
) -> str:
    """Say why an operation was not done, and that it was not sent."""
    action, reason = BY_NAME[operation.action], outcome.reason_code
    words, actor = labels(action), mention_user(operation.actor.id)
    not_sent = catalogue.gettext(words.not_sent)
    # Where ids are given, it may be the comment or the file that is unknown.
    unclear = reason == OutcomeReason.NOT_FOUND and not all(param.signed for param in action.params)
    if unclear or reason in REFUSED_BY_SECMASTER:
        text = (
            f"{catalogue.gettext(words.refused, actor=actor)}{refusal_details(catalogue, outcome)}"
        )
    elif reason in PARTICULAR:
        text = _particular_text(catalogue, operation, outcome, standing_operation)
        if reason not in INFORMATION:
            text = f"{text} {not_sent}"
    else:
        text = catalogue.gettext(
            NOT_DONE_TEXTS[reason],
            actor=actor,
            accepted=date_token(operation.accepted_at),
            code=code(outcome.code),
            megabytes=catalogue.number(MAX_FILE_MEGABYTES),
            reference=code(operation.reference),
        )
        if reason not in COMPLETE:
            text = f"{text} {not_sent}"
        if reason in (OutcomeReason.ATTRIBUTION_FAILED, OutcomeReason.NOT_ROUTED):
            text = f"{text}{refusal_details(catalogue, outcome)}"
    if needs_attribution(operation) and (unclear or reason in AFTER_A_COMMENT):
        stays = catalogue.gettext(
            "If the comment that names who decided was already added, it stays in SecMaster."
        )
        text = f"{text} {stays}"
    if reason is OutcomeReason.CHANGED:
        text = f"{text}\n{differences(catalogue, operation.ref.kind, outcome)}"
    return text


def _particular_text(
    catalogue: Catalogue,
    operation: Operation,
    outcome: Outcome,
    standing_operation: StandingOperation | None,
) -> str:
    """Say why an operation was not done, for one of the reasons that are PARTICULAR."""
    kind, id_ = operation.ref.kind, code(operation.ref.id)
    match outcome.reason_code:
        case OutcomeReason.NOT_NOW:
            text = _not_now_text(catalogue, operation, outcome, standing_operation)
        case OutcomeReason.ALREADY_APPROVED:
            text = approvals.already_approved(catalogue, outcome.approval_request)
        case OutcomeReason.NOT_YOUR_TURN:
            text = _not_your_turn_text(catalogue, operation, outcome)
        case OutcomeReason.SAME_AUTHORITY:
            text = _same_authority_text(catalogue, operation, outcome)
        case OutcomeReason.NO_REQUEST if operation.intent is ApprovalIntent.DECLINE:
            text = catalogue.gettext("No request is pending here, so there is nothing to decline.")
        case OutcomeReason.NO_REQUEST:
            text = catalogue.gettext("You have no pending approval here to withdraw.")
        case OutcomeReason.CANNOT_POST:
            text = posting_problem(catalogue, outcome.code)
        case OutcomeReason.NOT_FOUND:
            text = catalogue.gettext(NOT_FOUND[kind], id=id_)
        case _:
            text = failure_sentence(catalogue, outcome)
    return text


def _not_your_turn_text(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> str:
    """Say whose turn it is to approve: without a request, that of the first stage."""
    request = outcome.approval_request
    stage = request.current_stage if request else operation.terms.stages[0]
    missing = request.missing_now if request else stage.count
    return not_your_turn(catalogue, stage_roles(catalogue, stage), missing)


def _same_authority_text(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> str:
    """Say who has used the right already that somebody approves by, and what they can do."""
    user, delegator = operation.actor.id, operation.terms.delegator
    request = outcome.approval_request
    cause = approvals.counted_twice(catalogue, user, delegator, request)
    earlier = request.approval_by(delegator or user) if request else None
    if earlier is None:
        return f"{cause} {catalogue.gettext('Another approver must approve.')}"
    advice = catalogue.gettext(
        "Another approver must approve, or {approver} withdraws their approval first.",
        approver=mention_user(earlier.actor.id),
    )
    return f"{cause} {advice}"


def _decided_text(
    catalogue: Catalogue, outcome: Outcome, standing_operation: StandingOperation | None
) -> str:
    """Say who decided a task, or is deciding it, and when."""
    state = state_name(catalogue, TASK_STATES, outcome.blocking_status)
    now = catalogue.gettext("This task is no longer open: {state}.", state=state)
    if standing_operation is not None:
        return f"{now} {_earlier_text(catalogue, standing_operation)}"
    decided = decided_elsewhere(
        catalogue, outcome.task_ending, outcome.decided_by, outcome.decided_at
    )
    return f"{now} {decided}"


def _not_now_text(
    catalogue: Catalogue,
    operation: Operation,
    outcome: Outcome,
    standing_operation: StandingOperation | None,
) -> str:
    """Say which status an object has, and who brought that about or in which it is possible."""
    if operation.ref.kind not in RUN_KINDS:
        return _decided_text(catalogue, outcome, standing_operation)
    allowed = BY_NAME[operation.action].allowed_statuses
    text = catalogue.gettext(
        NOT_NOW[operation.ref.kind],
        state=state_name(catalogue, INSTANCE_STATES, outcome.blocking_status),
        allowed=catalogue.one_of(
            [state_name(catalogue, INSTANCE_STATES, status) for status in allowed]
        ),
    )
    if standing_operation and standing_operation.state in UNDER_WAY:
        text = f"{text} {_earlier_text(catalogue, standing_operation)}"
    return text


def _typed_text(catalogue: Catalogue, operation: Operation) -> str:
    """Repeat what the person gave with an operation: the reason, the comment, the ids."""
    parts = [quote(operation.reason, 1000)] if operation.reason else []
    for param in BY_NAME[operation.action].params:
        value = operation.params.get(param.name, "")
        if not value:  # a file that did not get as far as SecMaster has no id there
            continue
        if param.signed:
            parts.append(quote(value, 1000))
        else:
            parts.append(f"{param_title(catalogue, param)}: {code(value, 200)}")
    return "".join(f"\n{part}" for part in parts)


def _receipt(catalogue: Catalogue, operation: Operation, outcome: Outcome) -> str:
    """Return what an auditor looks for: reference, rule, SecMaster's answer, and how long it took.

    The duration counts from when the operation was accepted; 0 where that is not known.
    """
    seconds, request_id = outcome.duration, code(outcome.request_id)
    rule = inline(rule_number(operation.rule), 60)
    parts = [
        catalogue.gettext("ref {reference}", reference=operation.reference),
        catalogue.gettext("rule {rule}", rule=rule) if rule else "",
        f"HTTP {outcome.status}" if outcome.status else "",
        catalogue.gettext("request {id}", id=request_id) if outcome.request_id else "",
        catalogue.measured(seconds) if seconds else "",
    ]
    return " · ".join(filter(None, parts))
