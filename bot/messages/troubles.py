"""Say what keeps the bot from its work: what it is, what to do, and what happens meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from bot.domain.reasons import OutcomeReason
from bot.domain.troubles import DUE_WITHIN, DueTask, DueTasks, Expiring, Trouble, TroubleKind
from bot.domain.watch_status import FailedAnswer
from bot.messages.blocks import Message, link, new_message, section, text_message
from bot.messages.catalogue import N_, Catalogue
from bot.messages.errors import (
    REFUSED,
    TOO_MANY,
    UNAUTHENTICATED,
    answer_details,
    quotable,
    secmaster_sentence,
)
from bot.messages.slack_delivery import REFUSAL_ADVICE, REFUSAL_ADVICE_DEFAULT
from bot.messages.text import code, date_token, inline

# What to do about SecMaster's trouble.
ADVICE = {
    OutcomeReason.UNREACHABLE: N_(
        "Check the network and the proxy between the bot and SecMaster, and `SECMASTER_ENDPOINT`."
    ),
    OutcomeReason.LOST_ANSWER: N_("Check the network and the proxy between the bot and SecMaster."),
    OutcomeReason.UNAVAILABLE: N_(
        "Wait. If it lasts, give Huawei's support the code and the request ID."
    ),
    OutcomeReason.UNREADABLE: N_(
        "Check that `SECMASTER_ENDPOINT` is SecMaster's, and that no proxy answers in its place."
    ),
    OutcomeReason.FORBIDDEN: N_(
        "Give the bot's IAM user or agency the permission. `secmaster-bot doctor` names it."
    ),
    OutcomeReason.NOT_ROUTED: N_("Check `SECMASTER_ENDPOINT` and `SECMASTER_REGION`."),
}
ADVICE_NOT_ACCEPTED = N_(
    "Check the credentials that the bot signs in with, and the clock of its machine. "
    "`secmaster-bot doctor` names the setting."
)
ADVICE_NO_CREDENTIALS = N_("Check how the bot signs in. `secmaster-bot doctor` names the setting.")
ADVICE_LIMITED = N_("Look for what else uses the same credentials, or raise `[watch] every`.")
ADVICE_DEFAULT = N_(
    "Run `secmaster-bot doctor`. If it lasts, give Huawei's support the request ID."
)


@dataclass(frozen=True, slots=True)
class ExpirySentences:
    """The sentences about what expires, before that and once it is renewed."""

    expires: str
    effect: str
    to_do: str
    renewed: str


EXPIRIES = {
    Expiring.IAM_PASSWORD: ExpirySentences(
        expires=N_("The bot's IAM password expires soon."),
        effect=N_("The bot can't sign in after that."),
        to_do=N_("Set a new password in IAM and in `IAM_PASSWORD`, and reload the bot."),
        renewed=N_("The bot's IAM password was renewed."),
    ),
    Expiring.SECMASTER_CA_FILE: ExpirySentences(
        expires=N_("A certificate in `SECMASTER_CA_FILE` expires soon."),
        effect=N_("Connections that need it fail after that."),
        to_do=N_("Replace it in the file, and restart the bot."),
        renewed=N_("The certificate in `SECMASTER_CA_FILE` was renewed."),
    ),
    Expiring.SLACK_CA_FILE: ExpirySentences(
        expires=N_("A certificate in `SLACK_CA_FILE` expires soon."),
        effect=N_("Connections that need it fail after that."),
        to_do=N_("Replace it in the file, and restart the bot."),
        renewed=N_("The certificate in `SLACK_CA_FILE` was renewed."),
    ),
    Expiring.SECMASTER_CERTIFICATE: ExpirySentences(
        expires=N_("SecMaster's own certificate expires soon."),
        effect=N_("The bot can't connect to SecMaster after that."),
        to_do=N_("Ask whoever runs SecMaster to renew it."),
        renewed=N_("SecMaster's own certificate was renewed."),
    ),
}


def advice(catalogue: Catalogue, answer: FailedAnswer) -> str:
    """Say what to do about SecMaster's trouble."""
    if answer.unsent and answer.reason is not OutcomeReason.UNAVAILABLE:
        return catalogue.gettext(ADVICE_NO_CREDENTIALS)
    if answer.status == TOO_MANY:
        return catalogue.gettext(ADVICE_LIMITED)
    if answer.status == UNAUTHENTICATED:
        return catalogue.gettext(ADVICE_NOT_ACCEPTED)
    return catalogue.gettext(ADVICE.get(answer.reason, ADVICE_DEFAULT))


def quoted_answer(catalogue: Catalogue, answer: FailedAnswer) -> str:
    """Say what SecMaster answered, with its code and request id; "" where it did not."""
    if not answer.is_answered:
        return ""
    details = answer_details(answer.status, answer.code)
    message = quotable(answer.message, 300)
    quoted = f"{message} ({details})" if message else details
    if answer.unsent:  # IAM's and the metadata's messages begin with their names
        sentence = catalogue.gettext("The sign-in service answered: {answer}.", answer=quoted)
    else:
        sentence = catalogue.gettext("SecMaster answered: {answer}.", answer=quoted)
    if not answer.request_id:
        return sentence
    request = catalogue.gettext("Request ID: {id}.", id=code(answer.request_id))
    return f"{sentence} {request}"


def headline(catalogue: Catalogue, trouble: Trouble) -> str:
    """Say in a few words what is in trouble."""
    match trouble.kind:
        case TroubleKind.SECMASTER if trouble.answer:
            return secmaster_sentence(catalogue, trouble.answer)
        case TroubleKind.SECMASTER:
            return catalogue.gettext(REFUSED)
        case TroubleKind.WATCH_BEHIND:
            return catalogue.gettext("SecMaster is not being polled.")
        case TroubleKind.SLACK_TOKEN:
            return catalogue.gettext("Slack refuses the bot's token.")
        case TroubleKind.DATABASE:
            return catalogue.gettext(
                "The bot's database takes no writes from replica {replica}.",
                replica=inline(trouble.where, 60),
            )
        case TroubleKind.EXPIRY:
            words = EXPIRIES[Expiring(trouble.where)]
            return catalogue.gettext(words.expires)
        case _:
            assert_never(trouble.kind)


def details(catalogue: Catalogue, trouble: Trouble) -> str:
    """Say what was answered, what does not work meanwhile, and what to do."""
    match trouble.kind:
        case TroubleKind.SECMASTER:
            quote = quoted_answer(catalogue, trouble.answer) if trouble.answer else ""
            effect = catalogue.gettext(
                "Meanwhile no new tasks are seen, clicks wait up to ten minutes, and reminders "
                "use the last known state."
            )
            sentences = [quote, effect]
        case TroubleKind.WATCH_BEHIND:
            effect = catalogue.gettext(
                "No poll completes: the replica that polls hangs, or none is running. Meanwhile "
                "no new tasks are seen; clicks work."
            )
            sentences = [effect]
        case TroubleKind.SLACK_TOKEN:
            quote = catalogue.gettext("Slack answered: {answer}.", answer=code(trouble.code))
            effect = catalogue.gettext("Meanwhile nothing can be posted or read in Slack.")
            sentences = [quote, effect]
        case TroubleKind.DATABASE:
            reason = catalogue.gettext("The reason: {reason}.", reason=code(trouble.code, 200))
            effect = catalogue.gettext(
                "No click on this replica can be recorded, so nothing is done. Decide in SecMaster."
            )
            sentences = [reason, effect]
        case TroubleKind.EXPIRY:
            words = EXPIRIES[Expiring(trouble.where)]
            when = catalogue.gettext("Expires {when}.", when=date_token(trouble.ends_at))
            sentences = [when, catalogue.gettext(words.effect)]
        case _:
            assert_never(trouble.kind)
    if trouble.answer and trouble.answer.cause:
        label = catalogue.gettext("Cause, and what to do:")
    else:
        label = catalogue.gettext("What to do:")
    return " ".join(filter(None, [*sentences, f"*{label}*", to_do(catalogue, trouble)]))


def to_do(catalogue: Catalogue, trouble: Trouble) -> str:
    """Say what whoever runs the bot can do.

    What the network says of SecMaster's trouble is its cause, and what to do about that: in
    English, as the network's own words are.
    """
    match trouble.kind:
        case TroubleKind.SECMASTER:
            if trouble.answer and trouble.answer.cause:
                return code(trouble.answer.cause, 300)
            answer = trouble.answer or FailedAnswer(reason=OutcomeReason.NONE)
            return advice(catalogue, answer)
        case TroubleKind.WATCH_BEHIND:
            return catalogue.gettext(
                "Look at the log of the replica that polled last, and restart it."
            )
        case TroubleKind.SLACK_TOKEN:
            return catalogue.gettext(REFUSAL_ADVICE.get(trouble.code, REFUSAL_ADVICE_DEFAULT))
        case TroubleKind.DATABASE:
            return catalogue.gettext(
                "Look at the database, its disk and its log. The bot resumes by itself."
            )
        case TroubleKind.EXPIRY:
            words = EXPIRIES[Expiring(trouble.where)]
            return catalogue.gettext(words.to_do)
        case _:
            assert_never(trouble.kind)


def status_lines(catalogue: Catalogue, troubles: Sequence[Trouble]) -> list[str]:
    """Return a line for each trouble, for whoever asks how the bot is."""
    return [_opening(catalogue, trouble) for trouble in troubles]


def _opening(catalogue: Catalogue, trouble: Trouble) -> str:
    """Say what is in trouble, since when where that matters, and what to do."""
    since = catalogue.gettext("Since {when}.", when=date_token(trouble.since))
    parts = [f"🚨 *{headline(catalogue, trouble)}*", details(catalogue, trouble)]
    if trouble.kind is not TroubleKind.EXPIRY:
        parts.insert(1, since)
    return " ".join(parts)


def due_tasks_text(catalogue: Catalogue, tasks: DueTasks) -> str:
    """Say which tasks SecMaster approves by itself soon; "" where there are none."""
    if not tasks.is_known:
        unknown = catalogue.gettext(
            "It is not known which tasks auto-approve meanwhile. Look in SecMaster."
        )
        return f"⚠️ {unknown}"
    if not tasks.named and not tasks.others:
        return ""
    title = catalogue.gettext(
        "*Auto-approves within {duration} if nobody decides in SecMaster:*",
        duration=catalogue.duration(DUE_WITHIN),
    )
    lines = [f"⚠️ {title}", *map(_due_line, tasks.named)]
    if tasks.others and tasks.named:
        more = catalogue.ngettext("{count} more task", "{count} more tasks", tasks.others)
        lines.append(f"• {more}")
    elif tasks.others:
        lines.append(f"• {catalogue.ngettext('{count} task', '{count} tasks', tasks.others)}")
    return "\n".join(lines)


def _due_line(task: DueTask) -> str:
    name = link(task.link, task.name) or f"{inline(task.name)} ({code(task.ref.id)})"
    return f"• {date_token(task.due)}: {name}"


def began(catalogue: Catalogue, trouble: Trouble, tasks: DueTasks, *, recurs: bool) -> Message:
    """Tell whoever runs the bot of a trouble that lasts."""
    text = _opening(catalogue, trouble)
    if recurs:
        recurrence = catalogue.gettext(
            "It comes and goes: the bot reports its end once all has been well for an hour."
        )
        text = f"{text} {recurrence}"
    # Nothing that ends next week keeps anybody from deciding today.
    has_tasks = trouble.kind is not TroubleKind.EXPIRY
    rest = due_tasks_text(catalogue, tasks) if has_tasks else ""
    if not rest:
        return text_message(text)
    return new_message(f"{text}\n{rest}", section(text), section(rest))


def over(catalogue: Catalogue, trouble: Trouble, until: datetime) -> Message:
    """Tell whoever runs the bot that a trouble is over, and how long it lasted."""
    duration = catalogue.duration(max(until - trouble.since, timedelta(seconds=1)))
    period = {"start": date_token(trouble.since), "end": date_token(until), "duration": duration}
    match trouble.kind:
        case TroubleKind.SECMASTER:
            text = catalogue.gettext(
                "*SecMaster can be read again.* It could not be read from {start} to {end} "
                "({duration}).",
                **period,
            )
        case TroubleKind.WATCH_BEHIND:
            text = catalogue.gettext(
                "*SecMaster is being polled again.* It was not polled from {start} to {end} "
                "({duration}).",
                **period,
            )
        case TroubleKind.SLACK_TOKEN:
            text = catalogue.gettext(
                "*Slack accepts the bot's token again.* Nothing could be posted from {start} to "
                "{end} ({duration}): {code}. Queued messages are now posted in order.",
                code=code(trouble.code),
                **period,
            )
        case TroubleKind.DATABASE:
            text = catalogue.gettext(
                "*The bot's database takes writes from replica {replica} again.* It took none "
                "from {start} to {end} ({duration}). What was recorded before continues.",
                replica=inline(trouble.where, 60),
                **period,
            )
        case TroubleKind.EXPIRY:
            words = EXPIRIES[Expiring(trouble.where)]
            text = f"*{catalogue.gettext(words.renewed)}*"
        case _:
            assert_never(trouble.kind)
    return text_message(f"✅ {text}")
