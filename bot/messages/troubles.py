"""Say what keeps the bot from its work: what it is, what to do, and what happens meanwhile."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from bot.domain.reasons import OutcomeReason
from bot.domain.troubles import DUE_WITHIN, DueTask, DueTasks, Expiring, Trouble, TroubleKind
from bot.domain.watch_status import FailedAnswer
from bot.messages.blocks import Message, link, new_message, section, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.errors import (
    LIMITED,
    NO_CREDENTIALS,
    NOT_ACCEPTED,
    RIGHT_MISSING,
    TOO_MANY,
    UNAUTHENTICATED,
)
from bot.messages.slack_delivery import token_advice
from bot.messages.text import code, date_token, inline

# What SecMaster's trouble is called, whoever met it; then what to do about it.
SENTENCES = {
    OutcomeReason.UNREACHABLE: "SecMaster can't be reached",
    OutcomeReason.LOST_ANSWER: "SecMaster's answers are lost on the way",
    OutcomeReason.UNAVAILABLE: "SecMaster is not answering properly",
    OutcomeReason.UNREADABLE: "SecMaster sends answers that can't be read",
    OutcomeReason.FORBIDDEN: RIGHT_MISSING,
    OutcomeReason.NOT_ROUTED: "Huawei Cloud's gateway turns the bot's requests away",
}
REFUSED = "SecMaster refuses the bot's requests"
ADVICE = {
    OutcomeReason.UNREACHABLE: (
        "check the network and the proxy between the bot and SecMaster, and `SECMASTER_ENDPOINT`"
    ),
    OutcomeReason.LOST_ANSWER: "check the network and the proxy between the bot and SecMaster",
    OutcomeReason.UNAVAILABLE: (
        "wait; if it goes on, give Huawei's support the code and the request id"
    ),
    OutcomeReason.UNREADABLE: (
        "check that `SECMASTER_ENDPOINT` is SecMaster's, and no proxy answers in its place"
    ),
    OutcomeReason.FORBIDDEN: (
        "give the bot's IAM user or agency the right; `secmaster-bot doctor` names it"
    ),
    OutcomeReason.NOT_ROUTED: "check `SECMASTER_ENDPOINT` and `SECMASTER_REGION`",
}
ADVICE_NOT_ACCEPTED = (
    "check what the bot signs in with, and the clock of its machine; `secmaster-bot doctor` names "
    "the setting"
)
ADVICE_NO_CREDENTIALS = "check how the bot signs in; `secmaster-bot doctor` says which setting"
ADVICE_LIMITED = "look for what else uses the same credential, or raise `[watch] every`"
ADVICE_DEFAULT = "run `secmaster-bot doctor`; if it goes on, give Huawei's support the request id"


def secmaster_sentence(catalogue: Catalogue, answer: FailedAnswer) -> str:
    """Say what is the matter with SecMaster, without a full stop."""
    if answer.unsent:
        return NO_CREDENTIALS
    if answer.status == TOO_MANY:
        return LIMITED
    if answer.status == UNAUTHENTICATED:
        return NOT_ACCEPTED
    return SENTENCES.get(answer.reason, REFUSED)


def advice(catalogue: Catalogue, answer: FailedAnswer) -> str:
    """Return what to do about SecMaster's trouble, as the end of a sentence."""
    if answer.unsent and answer.reason is not OutcomeReason.UNAVAILABLE:
        return ADVICE_NO_CREDENTIALS
    if answer.status == TOO_MANY:
        return ADVICE_LIMITED
    if answer.status == UNAUTHENTICATED:
        return ADVICE_NOT_ACCEPTED
    return ADVICE.get(answer.reason, ADVICE_DEFAULT)


def quoted_answer(catalogue: Catalogue, answer: FailedAnswer) -> str:
    """Return what SecMaster answered, with its code and request id; "" where it did not."""
    if not answer.is_answered:
        return ""
    status = f"HTTP {answer.status}" if answer.status else ""
    error_code = code(answer.code) if answer.code else ""
    request = f"request {code(answer.request_id)}" if answer.request_id else ""
    if not answer.message:
        details = ", ".join(filter(None, (error_code, request)))
        peer = "What gives them" if answer.unsent else "It"  # IAM or the ECS metadata
        return f"{peer} answered {status} ({details})." if details else f"{peer} answered {status}."
    details = ", ".join(filter(None, (status, error_code, request)))
    text = f"{inline(answer.message, 300)} ({details})."
    # IAM's and the metadata's messages begin with their names.
    return text if answer.unsent else f"It said: {text}"


def headline(catalogue: Catalogue, trouble: Trouble) -> str:
    """Say in a few words what is in trouble, without a full stop."""
    match trouble.kind:
        case TroubleKind.SECMASTER:
            return secmaster_sentence(catalogue, trouble.answer) if trouble.answer else REFUSED
        case TroubleKind.WATCH_BEHIND:
            return "SecMaster is not being polled"
        case TroubleKind.SLACK_TOKEN:
            return "Slack refuses the bot's token"
        case TroubleKind.DATABASE:
            return f"The bot's database takes no writes from replica {inline(trouble.where, 60)}"
        case TroubleKind.EXPIRY:
            name, _, _ = _expiry_words(catalogue, Expiring(trouble.where))
            return f"{name} expires soon"
        case _:
            assert_never(trouble.kind)


def details(catalogue: Catalogue, trouble: Trouble) -> str:
    """Say what was answered, what does not work meanwhile, and what to do."""
    label = "What to do"
    match trouble.kind:
        case TroubleKind.SECMASTER:
            quote = quoted_answer(catalogue, trouble.answer) if trouble.answer else ""
            if trouble.answer and trouble.answer.cause:
                label = "Cause, and what to do"
            effect = (
                f"{quote} New tasks are not seen meanwhile; a click waits for ten minutes, and "
                "reminders go by what is known."
            ).strip()
        case TroubleKind.WATCH_BEHIND:
            effect = (
                "No poll ends: the replica that polls hangs, or there is none. New tasks are not "
                "seen meanwhile; clicks work."
            )
        case TroubleKind.SLACK_TOKEN:
            effect = f"It says {code(trouble.code)}. Nothing can be posted, nor asked of Slack."
        case TroubleKind.DATABASE:
            effect = (
                f"It can't be written to: {inline(trouble.code, 200)}. No click on this replica "
                "can be recorded, so nothing is done; decide in SecMaster."
            )
        case TroubleKind.EXPIRY:
            _, effect, _ = _expiry_words(catalogue, Expiring(trouble.where))
            effect = f"It expires {date_token(trouble.ends_at)}. {effect}"
        case _:
            assert_never(trouble.kind)
    return f"{effect} *{label}*: {to_do(catalogue, trouble)}."


def to_do(catalogue: Catalogue, trouble: Trouble) -> str:
    """Return what whoever runs the bot can do, as the end of a sentence.

    What the network says of SecMaster's trouble is its cause, and what to do about that.
    """
    match trouble.kind:
        case TroubleKind.SECMASTER:
            if trouble.answer is None:
                return ADVICE_DEFAULT
            return inline(trouble.answer.cause, 300) or advice(catalogue, trouble.answer)
        case TroubleKind.WATCH_BEHIND:
            return "look at the log of the replica that polled last, and restart it"
        case TroubleKind.SLACK_TOKEN:
            return token_advice(trouble.code)
        case TroubleKind.DATABASE:
            return "look at the database, its disk and its log; the bot goes on by itself"
        case TroubleKind.EXPIRY:
            _, _, expiry_advice = _expiry_words(catalogue, Expiring(trouble.where))
            return expiry_advice
        case _:
            assert_never(trouble.kind)


def _expiry_words(catalogue: Catalogue, expiring: Expiring) -> tuple[str, str, str]:
    """Return what expires, what does not work after that, and what to do."""
    match expiring:
        case Expiring.IAM_PASSWORD:
            return (
                "The bot's IAM password",
                "The bot can't sign in then.",
                "set a new one in IAM and in `IAM_PASSWORD`, and reload the bot",
            )
        case Expiring.SECMASTER_CA_FILE | Expiring.SLACK_CA_FILE:
            return (
                f"A certificate in {expiring.upper()}",
                "Connections that need it fail then.",
                "replace it in the file, and restart the bot",
            )
        case Expiring.SECMASTER_CERTIFICATE:
            return (
                "SecMaster's own certificate",
                "The bot can't connect to SecMaster then.",
                "ask whoever runs SecMaster to renew it",
            )
        case _:
            assert_never(expiring)


def status_lines(catalogue: Catalogue, troubles: Sequence[Trouble]) -> list[str]:
    """Return a line for each trouble, for whoever asks how the bot is."""
    return [
        f"🚨 *{headline(catalogue, trouble)}* since {date_token(trouble.since)}. {details(catalogue, trouble)}"
        for trouble in troubles
    ]


def due_tasks_text(catalogue: Catalogue, tasks: DueTasks) -> str:
    """Say which tasks SecMaster approves by itself soon; "" where there are none."""
    if not tasks.is_known:
        return "⚠️ What is auto-approved meanwhile can't be said: look in SecMaster."
    count = len(tasks.named) + tasks.others
    if not count:
        return ""
    lines = [
        f"⚠️ *Auto-approved within {catalogue.duration(DUE_WITHIN)} if nobody decides in SecMaster:*"
    ]
    lines += [_due_line(task) for task in tasks.named]
    if tasks.others:
        more = "more " if tasks.named else ""
        lines.append(f"• {tasks.others} {more}task{'s' * (tasks.others != 1)}")
    return "\n".join(lines)


def _due_line(task: DueTask) -> str:
    name = link(task.link, task.name) or f"{inline(task.name)} ({code(task.ref.id)})"
    return f"• {date_token(task.due)}: {name}"


def began(catalogue: Catalogue, trouble: Trouble, tasks: DueTasks, *, recurs: bool) -> Message:
    """Tell whoever runs the bot of a trouble that lasts."""
    return_note = ""
    if recurs:
        return_note = " It comes and goes: I say that it is over when it has been well for an hour."
    since = "" if trouble.kind is TroubleKind.EXPIRY else f" since {date_token(trouble.since)}"
    text = f"🚨 *{headline(catalogue, trouble)}*{since}. {details(catalogue, trouble)}{return_note}"
    # Nothing that ends next week keeps anybody from deciding today.
    has_tasks = trouble.kind is not TroubleKind.EXPIRY
    rest = due_tasks_text(catalogue, tasks) if has_tasks else ""
    if not rest:
        return text_message(text)
    return new_message(f"{text}\n{rest}", section(text), section(rest))


def over(catalogue: Catalogue, trouble: Trouble, until: datetime) -> Message:
    """Tell whoever runs the bot that a trouble is over, and how long it lasted."""
    duration = catalogue.duration(max(until - trouble.since, timedelta(seconds=1)))
    period = f"from {date_token(trouble.since)} to {date_token(until)} ({duration})"
    match trouble.kind:
        case TroubleKind.SECMASTER:
            text = f"✅ *SecMaster can be read again.* It could not be read {period}."
        case TroubleKind.WATCH_BEHIND:
            text = f"✅ *SecMaster is polled again.* It was not polled {period}."
        case TroubleKind.SLACK_TOKEN:
            text = (
                f"✅ *Slack takes the bot's token again.* Nothing could be posted {period}: "
                f"{code(trouble.code)}. What waited is posted now, in order."
            )
        case TroubleKind.DATABASE:
            text = (
                f"✅ *The bot's database takes writes from replica {inline(trouble.where, 60)} "
                f"again.* It did not {period}. What was recorded before goes on."
            )
        case TroubleKind.EXPIRY:
            name, _, _ = _expiry_words(catalogue, Expiring(trouble.where))
            text = f"✅ *{name} was renewed.*"
        case _:
            assert_never(trouble.kind)
    return text_message(text)
