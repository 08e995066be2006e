"""Comments in SecMaster that name the person: the bot's one credential names only the bot.

Every such comment carries its operation's reference, so that after a doubt it can be told from any
other, and no line of somebody's text can pose as one of ours.
"""

import re
import unicodedata

from bot.domain.objects import visible
from bot.domain.operations import Operation
from bot.domain.slack import Actor
from bot.domain.snapshots import Snapshot
from bot.secmaster import Task

BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
CO_APPROVER_REASON = 80  # of the others who said yes: with nine people a comment has to fit


def signed_comment(operation: Operation, text: str, permalink: str = "") -> str:
    """Return somebody's text as SecMaster keeps it.

    It names the person, since the credential names only the bot, where they said it, and the
    operation, so that after a doubt it can be told from any other.
    """
    return f"{_unsigned(text)}\n{_signature(operation, permalink)}"


def attribution_comment(operation: Operation, noun: str, permalink: str = "") -> str:
    """What is said to SecMaster of a decision: what it is, and why everybody wanted it."""
    alone = ", decided alone by breaking the glass" if operation.terms.break_glass_channel else ""
    parts = [f"{noun.capitalize()} from Slack{alone}"]
    parts += [_unsigned(operation.reason)] if operation.reason else []
    for vote in operation.co_approvers:
        reason = _unsigned(" ".join(vote.reason.split()))
        said = f": {reason[:CO_APPROVER_REASON]}" if reason else ""
        parts.append(f"With {_named(vote.actor)} (Slack {vote.actor.id}){said}")
    return "\n".join([*parts, _signature(operation, permalink)])


def _signature(operation: Operation, permalink: str) -> str:
    place, lender = operation.location, operation.terms.delegator
    named = f"#{place.channel_name} ({place.channel})" if place.channel_name else place.channel
    parts = [
        f"— {_named(operation.actor)} {comment_reference(operation)}",
        f"by the right of Slack {lender}" if lender else "",
        f"in {named}" if named else "",
        permalink,
    ]
    return ", ".join(filter(None, parts))


def comment_reference(operation: Operation) -> str:
    """What no other operation's comment holds."""
    return comment_reference_of(operation.actor.id, operation.reference)


def comment_reference_of(user: str, reference: str) -> str:
    return f"(Slack {user}), ref {reference}"


def has_comment(operation: Operation, now: Snapshot) -> bool:
    """Whether the comment of this operation is there: its reference is in no other."""
    own = comment_reference(operation)
    return isinstance(now, Task) and any(own in comment.message for comment in now.comments)


def _named(actor: Actor) -> str:
    """A name on one line, in which no bracket can pose as our own."""
    name = " ".join(visible(actor.name or actor.id).split())
    return name.translate(str.maketrans("()", "[]"))[:80]


def _unsigned(text: str) -> str:
    """The whole text, in which no line can pose as one of ours: they all name somebody of Slack."""
    lines = text.splitlines(keepends=True)
    return "".join(f"> {line}" if _poses(line) else line for line in lines)


def _poses(line: str) -> bool:
    """Whether a line may be read as ours, through letters that look alike or that turn it round."""
    plain = unicodedata.normalize("NFKC", visible(line.replace("\u200d", "")))
    return re.search(r"\(\s*slack\b", plain, re.IGNORECASE) is not None or bool(
        BIDI_CONTROLS & set(line)
    )
