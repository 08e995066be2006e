"""Turn each kind of failure into one sentence that a person can act on."""

from bot.domain.operations import Outcome
from bot.domain.reasons import ChannelRefusal, OutcomeReason
from bot.messages.catalogue import Catalogue
from bot.messages.text import code, inline
from bot.secmaster import (
    AnswerLost,
    Forbidden,
    NotFound,
    NotRouted,
    Refused,
    SecMasterError,
    Unavailable,
    Unreachable,
    Unreadable,
)

CANNOT_POST: dict[str, str] = {
    "channel_not_found": "I can't see this channel: invite me to it first",
    "not_in_channel": "I am not in this channel: invite me to it first",
    "is_archived": "This channel is archived",
    "is_inactive": "This channel is archived",
    "restricted_action": "This channel does not let apps post",
    "restricted_action_read_only_channel": "This channel does not let apps post",
    "restricted_action_thread_locked": "This thread is locked",
    "workspace_closed": (
        "My app is not in this Slack workspace: have the organisation add it there again"
    ),
    ChannelRefusal.NOT_NAMED: "The policy does not name this channel for cards",
    ChannelRefusal.SHARED: (
        "Another organisation shares this channel, and the policy does not let me post there"
    ),
}

CANNOT_POST_DEFAULT = "I may not write in this channel"
LIMITED = "SecMaster limits the bot's requests"
TOO_MANY = 429
UNAUTHENTICATED = 401
NOT_ACCEPTED = "SecMaster does not accept the bot's credentials"
RIGHT_MISSING = "SecMaster denies the bot a right that it needs"
NO_CREDENTIALS = "The bot can't get its credentials for SecMaster"

IN_TROUBLE = "SecMaster is in trouble."
FAILURE_SENTENCES = {
    OutcomeReason.UNREACHABLE: "SecMaster can't be reached.",
    OutcomeReason.LOST_ANSWER: "SecMaster's answer was lost on the way.",
    OutcomeReason.UNAVAILABLE: "SecMaster is not answering properly.",
    OutcomeReason.UNREADABLE: "SecMaster sent an answer that can't be read.",
    OutcomeReason.RESTARTED: "This bot was interrupted in the middle of it.",
    OutcomeReason.GIVEN_UP: "It was interrupted, and whoever runs this bot gave it up.",
    OutcomeReason.NOT_READABLE: "SecMaster does not show whether it did it.",
    OutcomeReason.NOT_VISIBLE: "SecMaster does not show it.",
    OutcomeReason.FILE_DELAYED: "Slack does not hand out the file at the moment.",
    OutcomeReason.PERSON_UNKNOWN: "Slack can't be asked who you are.",
    OutcomeReason.OWN_FAULT: "Something went wrong on our side.",
}

# The other reasons say what the policy, a rule of ours or SecMaster refused; where SecMaster's
# trouble has to be named all the same, this much is known of it.
GENERAL_TROUBLE = frozenset(
    {
        OutcomeReason.NONE,
        OutcomeReason.NOT_ALLOWED,
        OutcomeReason.NOT_NOW,
        OutcomeReason.CHANGED,
        OutcomeReason.LOST,
        OutcomeReason.TOO_OLD,
        OutcomeReason.ALREADY_APPROVED,
        OutcomeReason.SAME_AUTHORITY,
        OutcomeReason.REQUEST_OVER,
        OutcomeReason.REQUEST_LAPSED,
        OutcomeReason.NO_REQUEST,
        OutcomeReason.ALREADY_SENDING,
        OutcomeReason.CANNOT_POST,
        OutcomeReason.ATTRIBUTION_FAILED,
        OutcomeReason.FILE_UNAVAILABLE,
        OutcomeReason.FILE_TOO_LARGE,
        OutcomeReason.READ_BACK,
        OutcomeReason.REFUSED,
        OutcomeReason.INVALID,
        OutcomeReason.NOT_FOUND,
        OutcomeReason.NOT_ROUTED,
        OutcomeReason.FORBIDDEN,
        OutcomeReason.CONFLICT,
    }
)

# The most particular first: an error is explained by the first kind that it is an instance of.
READ_FAILURES: dict[type[SecMasterError], str] = {
    NotFound: "SecMaster knows nothing of that id in this workspace.",
    NotRouted: (
        "⏳ Huawei Cloud's gateway turned the request away before SecMaster saw it: the bot's "
        "endpoint needs looking after."
    ),
    Forbidden: f"⏳ {RIGHT_MISSING}. Nothing was changed; tell whoever runs the bot.",
    Refused: "SecMaster refused the request.",
    Unreachable: "⏳ SecMaster can't be reached. Nothing was changed; try again in a moment.",
    Unavailable: (
        "⏳ SecMaster is not answering properly. Nothing was changed; try again in a moment."
    ),
    AnswerLost: "⏳ SecMaster's answer was lost on the way. Nothing was changed; try again.",
    Unreadable: "⏳ SecMaster sent an answer that can't be read. Nothing was changed; try again.",
    SecMasterError: "⏳ SecMaster could not be asked. Nothing was changed; try again.",
}


def failure_sentence(catalogue: Catalogue, outcome: Outcome) -> str:
    """Say what kept an operation from ending, with SecMaster's code and status where known."""
    if outcome.status == TOO_MANY:
        sentence = f"{LIMITED}."
    elif outcome.reason_code in GENERAL_TROUBLE:
        sentence = IN_TROUBLE
    else:
        sentence = FAILURE_SENTENCES[outcome.reason_code]
    status = f"HTTP {outcome.status}" if outcome.status else ""
    detail = ", ".join(filter(None, (status, inline(outcome.code))))
    return f"{sentence} ({detail})" if detail else sentence


def refusal_clause(outcome: Outcome) -> str:
    """Return SecMaster's code and message as a clause in brackets; "" where it gave neither."""
    error_code = code(outcome.code) if outcome.code else ""
    clause = ": ".join(filter(None, (error_code, inline(outcome.message, 300))))
    return f" ({clause})" if clause else ""


def explain(catalogue: Catalogue, error: SecMasterError) -> str:
    """Say why something could not be read from SecMaster, and what to do about it."""
    sentence = next(text for kind, text in READ_FAILURES.items() if isinstance(error, kind))
    if error.unsent:
        sentence = f"⏳ {NO_CREDENTIALS}. Nothing was changed; tell whoever runs the bot."
    elif error.status == TOO_MANY:
        sentence = f"⏳ {LIMITED}. Nothing was changed; try again in a moment."
    elif error.status == UNAUTHENTICATED:
        sentence = f"⏳ {NOT_ACCEPTED}. Nothing was changed; tell whoever runs the bot."
    request = f" Request {code(error.request_id)}." if error.request_id else ""
    answer = ""
    if error.code and not error.unsent:  # IAM's may name the bot's user there
        answer = f" It said {code(error.code)} {inline(error.message, 200)}."
    return f"{sentence}{answer}{request}"
