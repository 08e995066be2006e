"""Turn each kind of failure into a sentence that a person can act on."""

from typing import NamedTuple

from bot.domain.operations import Outcome
from bot.domain.reasons import ChannelRefusal, OutcomeReason
from bot.domain.watch_status import FailedAnswer
from bot.messages.catalogue import N_, Catalogue
from bot.messages.text import code, inline
from bot.secmaster import NotFound, SecMasterError

CANNOT_POST: dict[str, str] = {
    "channel_not_found": N_("The bot can't see this channel. Invite it first."),
    "not_in_channel": N_("The bot is not in this channel. Invite it first."),
    "is_archived": N_("This channel is archived."),
    "is_inactive": N_("This channel is archived."),
    "restricted_action": N_("This channel does not let apps post."),
    "restricted_action_read_only_channel": N_("This channel does not let apps post."),
    "restricted_action_thread_locked": N_("This thread is locked."),
    "workspace_closed": N_(
        "The bot's app was removed from this Slack workspace. An admin of the organisation must "
        "add it again."
    ),
    ChannelRefusal.NOT_NAMED: N_("The policy does not allow cards in this channel."),
    ChannelRefusal.SHARED: N_(
        "Another organisation shares this channel, and the policy does not allow cards there."
    ),
}
CANNOT_POST_DEFAULT = N_("The bot may not post in this channel.")

TOO_MANY = 429
UNAUTHENTICATED = 401
LIMITED = N_("SecMaster limits the bot's requests.")
NOT_ACCEPTED = N_("SecMaster does not accept the bot's credentials.")
NO_CREDENTIALS = N_("The bot can't get its credentials for SecMaster.")
REFUSED = N_("SecMaster refused the request.")

IN_TROUBLE = N_("SecMaster has a problem.")
# What is the matter with SecMaster, whoever met it.
SECMASTER_SENTENCES = {
    OutcomeReason.UNREACHABLE: N_("SecMaster can't be reached."),
    OutcomeReason.LOST_ANSWER: N_("SecMaster's answer was lost on the way."),
    OutcomeReason.UNAVAILABLE: N_("SecMaster is not responding properly."),
    OutcomeReason.UNREADABLE: N_("SecMaster sent an answer that can't be read."),
    OutcomeReason.FORBIDDEN: N_("SecMaster denies the bot a permission that it needs."),
    OutcomeReason.NOT_ROUTED: N_(
        "Huawei Cloud's gateway rejected the request before it reached SecMaster."
    ),
}


class FailureSentence(NamedTuple):
    """What kept an operation from ending; ``detailed`` says it with status and code, if any."""

    plain: str
    detailed: str


FAILURE_SENTENCES = {
    OutcomeReason.UNREACHABLE: FailureSentence(
        SECMASTER_SENTENCES[OutcomeReason.UNREACHABLE],
        N_("SecMaster can't be reached ({details})."),
    ),
    OutcomeReason.LOST_ANSWER: FailureSentence(
        SECMASTER_SENTENCES[OutcomeReason.LOST_ANSWER],
        N_("SecMaster's answer was lost on the way ({details})."),
    ),
    OutcomeReason.UNAVAILABLE: FailureSentence(
        SECMASTER_SENTENCES[OutcomeReason.UNAVAILABLE],
        N_("SecMaster is not responding properly ({details})."),
    ),
    OutcomeReason.UNREADABLE: FailureSentence(
        SECMASTER_SENTENCES[OutcomeReason.UNREADABLE],
        N_("SecMaster sent an answer that can't be read ({details})."),
    ),
    OutcomeReason.RESTARTED: FailureSentence(
        N_("The bot was interrupted in the middle of it."),
        N_("The bot was interrupted in the middle of it ({details})."),
    ),
    OutcomeReason.GIVEN_UP: FailureSentence(
        N_("It was interrupted, and whoever runs this bot gave it up."),
        N_("It was interrupted, and whoever runs this bot gave it up ({details})."),
    ),
    OutcomeReason.NOT_READABLE: FailureSentence(
        N_("SecMaster can't be read to check it."),
        N_("SecMaster can't be read to check it ({details})."),
    ),
    OutcomeReason.NOT_VISIBLE: FailureSentence(
        N_("SecMaster does not show it."), N_("SecMaster does not show it ({details}).")
    ),
    OutcomeReason.FILE_DELAYED: FailureSentence(
        N_("Slack does not deliver the file at the moment."),
        N_("Slack does not deliver the file at the moment ({details})."),
    ),
    OutcomeReason.PERSON_UNKNOWN: FailureSentence(
        N_("Slack could not confirm who you are."),
        N_("Slack could not confirm who you are ({details})."),
    ),
    OutcomeReason.OWN_FAULT: FailureSentence(
        N_("Something went wrong in the bot."), N_("Something went wrong in the bot ({details}).")
    ),
}
FAILED_BY_LIMIT = FailureSentence(LIMITED, N_("SecMaster limits the bot's requests ({details})."))
FAILED_OTHERWISE = FailureSentence(IN_TROUBLE, N_("SecMaster has a problem ({details})."))

# What somebody who waits can't mend.
FOR_OPERATORS = (OutcomeReason.FORBIDDEN, OutcomeReason.NOT_ROUTED)


def posting_problem(catalogue: Catalogue, error_code: str) -> str:
    """Say why the bot can't post, by Slack's error code or a ChannelRefusal."""
    return catalogue.gettext(CANNOT_POST.get(error_code, CANNOT_POST_DEFAULT))


def secmaster_sentence(catalogue: Catalogue, answer: FailedAnswer) -> str:
    """Say what is the matter with SecMaster."""
    if answer.unsent:
        return catalogue.gettext(NO_CREDENTIALS)
    if answer.status == TOO_MANY:
        return catalogue.gettext(LIMITED)
    if answer.status == UNAUTHENTICATED:
        return catalogue.gettext(NOT_ACCEPTED)
    return catalogue.gettext(SECMASTER_SENTENCES.get(answer.reason, REFUSED))


def failure_sentence(catalogue: Catalogue, outcome: Outcome) -> str:
    """Say what kept an operation from ending, with SecMaster's code and status where known."""
    sentence = FAILURE_SENTENCES.get(outcome.reason_code, FAILED_OTHERWISE)
    if outcome.status == TOO_MANY:
        sentence = FAILED_BY_LIMIT
    if details := answer_details(outcome.status, outcome.code):
        return catalogue.gettext(sentence.detailed, details=details)
    return catalogue.gettext(sentence.plain)


def refusal_details(catalogue: Catalogue, outcome: Outcome) -> str:
    """Say SecMaster's code and message; "" where it gave neither."""
    error_code = code(outcome.code) if outcome.code else ""
    message = quotable(outcome.message, 300)
    error = " ".join(filter(None, (error_code, f"“{message}”" if message else "")))
    return f" {catalogue.gettext('Error: {error}.', error=error)}" if error else ""


def answer_details(status: int | None, error_code: str) -> str:
    """Return the status and code of an answer as a literal; "" for neither."""
    literals = [f"HTTP {status}" if status else "", error_code]
    return code(" ".join(filter(None, literals))) if any(literals) else ""


def quotable(message: str, limit: int) -> str:
    """Return somebody else's message as it stands in a sentence of ours: without its own stop."""
    return inline(message, limit).rstrip(" .。")


def explain(catalogue: Catalogue, error: SecMasterError) -> str:
    """Say why something could not be read from SecMaster, and what to do about it."""
    answer = FailedAnswer.of(error)
    if isinstance(error, NotFound):
        sentences = [catalogue.gettext("No task or run with that ID in this workspace.")]
    elif answer.unsent or answer.status == UNAUTHENTICATED or answer.reason in FOR_OPERATORS:
        help_needed = catalogue.gettext("Tell whoever runs this bot.")
        sentences = [f"⏳ {secmaster_sentence(catalogue, answer)}", help_needed]
    elif answer.reason in SECMASTER_SENTENCES:
        retry = catalogue.gettext("Try again in a moment.")
        sentences = [f"⏳ {secmaster_sentence(catalogue, answer)}", retry]
    else:
        sentences = [secmaster_sentence(catalogue, answer)]
    if error.code and not error.unsent:  # IAM's may name the bot's user there
        quoted = f"{code(error.code)} {quotable(error.message, 200)}".rstrip()
        sentences.append(catalogue.gettext("SecMaster answered: {answer}.", answer=quoted))
    if error.request_id:
        sentences.append(catalogue.gettext("Request ID: {id}.", id=code(error.request_id)))
    return " ".join(sentences)
