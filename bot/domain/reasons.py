"""Codes for why something was not done; ``bot.messages`` has the words for them.

Their texts are recorded in the audit, where people read them, so they never change.
"""

from enum import StrEnum

from bot.secmaster import (
    AnswerLost,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotRouted,
    Refused,
    SecMasterError,
    Unavailable,
    Unreachable,
    Unreadable,
)


class ChannelRefusal(StrEnum):
    """Why the bot posts nothing about objects in a channel, though Slack might take it.

    NOT_NAMED: the policy does not name the channel. SHARED: another organisation shares it.
    """

    NOT_NAMED = "not_in_policy"
    SHARED = "shared_outside"


class OutcomeReason(StrEnum):
    """Why an operation ended as it did, or why an approval does not count.

    NONE: nothing to explain. The capitalised texts are SecMaster's answers, or their absence.
    """

    NONE = ""

    # The policy refuses it on what the object is like now, or could not be asked.
    NOT_ALLOWED = "not_allowed"
    PERSON_UNKNOWN = "person_unknown"

    # The object is not open to this, or is not what was decided on.
    NOT_NOW = "not_now"
    CHANGED = "changed"
    LOST = "lost"
    TOO_OLD = "too_old"

    # Approvals.
    ALREADY_APPROVED = "voted"
    SAME_AUTHORITY = "same_right"
    NOT_YOUR_TURN = "not_your_turn"
    REQUEST_OVER = "over"
    REQUEST_LAPSED = "lapsed"
    NO_REQUEST = "no_ballot"
    ALREADY_SENDING = "too_late"

    # Slack and files.
    CANNOT_POST = "cannot_post"
    ATTRIBUTION_FAILED = "reason_not_left"
    FILE_UNAVAILABLE = "file_not_had"
    FILE_TOO_LARGE = "file_too_large"
    FILE_DELAYED = "file_late"

    # What reading after a doubt showed.
    READ_BACK = "read"
    NOT_VISIBLE = "answer_lost"
    NOT_READABLE = "untold"
    RESTARTED = "restarted"
    GIVEN_UP = "given_up"  # by an operator, after it was interrupted

    # SecMaster's answer.
    UNREACHABLE = "Unreachable"
    LOST_ANSWER = "AnswerLost"
    UNAVAILABLE = "Unavailable"
    UNREADABLE = "Unreadable"
    REFUSED = "Refused"
    INVALID = "Invalid"
    NOT_FOUND = "NotFound"
    NOT_ROUTED = "NotRouted"
    FORBIDDEN = "Forbidden"
    CONFLICT = "Conflict"

    OWN_FAULT = "own_fault"


# SecMaster gave no usable answer: nothing is known to be wrong with the request.
NO_ANSWER = (
    OutcomeReason.UNREACHABLE,
    OutcomeReason.UNAVAILABLE,
    OutcomeReason.UNREADABLE,
    OutcomeReason.LOST_ANSWER,
)

# Subclasses first: an error has the reason of the first class that it is an instance of.
_SECMASTER_REASONS: tuple[tuple[type[SecMasterError], OutcomeReason], ...] = (
    (Invalid, OutcomeReason.INVALID),
    (NotFound, OutcomeReason.NOT_FOUND),
    (NotRouted, OutcomeReason.NOT_ROUTED),
    (Forbidden, OutcomeReason.FORBIDDEN),
    (Conflict, OutcomeReason.CONFLICT),
    (Refused, OutcomeReason.REFUSED),
    (Unreachable, OutcomeReason.UNREACHABLE),
    (AnswerLost, OutcomeReason.LOST_ANSWER),
    (Unavailable, OutcomeReason.UNAVAILABLE),
    (Unreadable, OutcomeReason.UNREADABLE),
)


def secmaster_reason(error: SecMasterError) -> OutcomeReason:
    """Return the reason that an error of SecMaster's client stands for."""
    for error_class, reason in _SECMASTER_REASONS:
        if isinstance(error, error_class):
            return reason
    return OutcomeReason.OWN_FAULT


class RefusalReason(StrEnum):
    """Why the policy refuses: what the rules say, or which fact is missing."""

    GUEST = "guest"
    OUTSIDER = "outsider"
    RULE = "rule"  # the rule allows it to other roles
    SELF = "self"  # the rule does not allow it to the task's creator
    BREAK_GLASS = "glass"  # the rule allows breaking the glass to other roles
    NO_BREAK_GLASS = "no-glass"  # the rule has no glass to break
    NO_RULE = "no-rule"
    DENIED = "denied"  # a rule denies it
    DENIED_UNREAD = "denied-unread"  # a rule denies it unless a fact that is not known says no
    UNKNOWN_PERSON = "unknown"  # Slack could not be asked
    UNMAPPED = "unmapped"  # who the person is in SecMaster is not known
    UNREAD = "unread"  # SecMaster could not be asked
    EVIDENCE_UNREAD = "evidence-unread"  # what stands around the object could not be read
    UNSTATED = "unstated"  # SecMaster does not state what the rule asks for
    LOOKALIKE = "look-alike"  # letters of a name that the rule asks for look like others
    GONE = "gone"  # there is no such object
    NEEDS_REASON = "needs-reason"  # the rule asks for a reason, and none was given
    NEEDS_NAME = "needs-name"  # the rule asks for the object's name, and it was not typed


class SkipReason(StrEnum):
    """Why an object is left out of a batch."""

    REFUSED = "refused"
    NEEDS_APPROVALS = "people"
    NEEDS_NAME = "name"
    NEEDS_REASON = "reason"
    SETTLED = "settled"
    CHANGED = "changed"
    GONE = "gone"
    UNREAD = "unread"
