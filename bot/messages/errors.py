"""Every kind of failure as one sentence a person can act on."""

from bot.domain.operations import Outcome
from bot.domain.reasons import OutcomeReason
from bot.messages.text import code, inline
from bot.secmaster import (
    AnswerLost,
    Forbidden,
    NotFound,
    Refused,
    SecMasterError,
    Unavailable,
    Unreachable,
    Unreadable,
)

CANNOT_POST = {
    "channel_not_found": "I can't see this channel: invite me to it first",
    "not_in_channel": "I am not in this channel: invite me to it first",
    "is_archived": "This channel is archived",
    "is_inactive": "This channel is archived",
    "restricted_action": "This channel does not let apps post",
    "restricted_action_read_only_channel": "This channel does not let apps post",
    "restricted_action_thread_locked": "This thread is locked",
}

CANNOT_POST_DEFAULT = "I may not write in this channel"
BUSY = "SecMaster is busy (too many requests)."
TOO_MANY = 429

FAILURE_SENTENCES = {
    OutcomeReason.UNREACHABLE: "SecMaster can't be reached.",
    OutcomeReason.LOST_ANSWER: "SecMaster's answer was lost on the way.",
    OutcomeReason.UNAVAILABLE: "SecMaster is not answering properly.",
    OutcomeReason.UNREADABLE: "SecMaster sent an answer that can't be read.",
    OutcomeReason.RESTARTED: "This bot was restarted in the middle of it.",
    OutcomeReason.NOT_READABLE: "SecMaster does not show whether it did it.",
    OutcomeReason.NOT_VISIBLE: "SecMaster does not show it.",
    OutcomeReason.FILE_DELAYED: "Slack does not hand out the file at the moment.",
    OutcomeReason.OWN_FAULT: "Something went wrong on our side.",
}


def failure_sentence(ended: Outcome) -> str:
    """What kept an operation from ending, with SecMaster's own words where there are any."""
    said = FAILURE_SENTENCES.get(ended.reason_code, "SecMaster is in trouble.")
    said = BUSY if ended.status == TOO_MANY else said
    detail = ", ".join(
        filter(None, (f"HTTP {ended.status}" * bool(ended.status), inline(ended.code)))
    )
    return f"{said} ({detail})" if detail else said


def refusal_clause(ended: Outcome) -> str:
    """SecMaster's code and words, as a clause."""
    told = ": ".join(
        filter(None, (code(ended.code) if ended.code else "", inline(ended.message, 300)))
    )
    return f" ({told})" if told else ""


def explain(error: SecMasterError) -> str:
    """Why something could not be read from SecMaster, and what to do."""
    sentence = next(said for kind, said in READ_FAILURES.items() if isinstance(error, kind))
    if error.status == TOO_MANY:
        sentence = f"{BUSY} Nothing was changed; try again in a moment."
    request = f" Request {code(error.request_id)}." if error.request_id else ""
    no = f" It said {code(error.code)} {inline(error.message, 200)}." if error.code else ""
    return f"{sentence}{no}{request}"


READ_FAILURES: dict[type[SecMasterError], str] = {
    NotFound: "SecMaster knows nothing of that id in this workspace.",
    Forbidden: "SecMaster does not let this bot read that: its credentials need looking after.",
    Refused: "SecMaster refused the request.",
    Unreachable: "SecMaster can't be reached. Nothing was changed; try again in a moment.",
    Unavailable: "SecMaster is not answering properly. Nothing was changed; try again in a moment.",
    AnswerLost: "SecMaster's answer was lost on the way. Nothing was changed; try again.",
    Unreadable: "SecMaster sent an answer that can't be read. Nothing was changed; try again.",
    SecMasterError: "SecMaster could not be asked. Nothing was changed; try again.",
}
