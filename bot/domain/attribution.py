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
SIGNATURE = re.compile(
    r"^(— .*\(Slack \w+\)), ref \w+(, on behalf of Slack \w+)?(?:, .*)?\Z", re.MULTILINE
)
CO_APPROVER_REASON = 80  # characters: with nine approvers the comment still has to fit


def signed_comment(operation: Operation, text: str, permalink: str = "") -> str:
    """Return a person's text with the signature under which SecMaster stores it.

    The signature names the person, the channel and the operation.
    """
    return f"{_without_signatures(text)}\n{_signature(operation, permalink)}"


def attribution_comment(operation: Operation, title: str, permalink: str = "") -> str:
    """Return the comment that explains a decision: what it is, who approved it, and why.

    ``title`` says what was decided, such as "Approval from Slack".
    """
    head = f"{title}."
    if operation.terms.break_glass_channel:
        head = f"Emergency override by {_name(operation.actor)}. {head}"
    # The reason has lines of its own, so that none of it stands behind words of ours.
    parts = [head]
    if operation.reason:
        parts = [f"{head} Reason:", _without_signatures(operation.reason)]
    for approval in operation.co_approvers:
        reason = _without_signatures(" ".join(approval.reason.split()))
        suffix = f": {reason[:CO_APPROVER_REASON]}" if reason else ""
        parts.append(f"With {_name(approval.actor)} (Slack {approval.actor.id}){suffix}")
    return "\n".join([*parts, _signature(operation, permalink)])


def _signature(operation: Operation, permalink: str) -> str:
    location, delegator = operation.location, operation.terms.delegator
    channel = location.channel
    if location.channel_name:
        channel = f"#{location.channel_name} ({location.channel})"
    parts = [
        f"— {_name(operation.actor)} {comment_reference(operation)}",
        f"on behalf of Slack {delegator}" if delegator else "",
        f"in {channel}" if channel else "",
        permalink,
    ]
    return ", ".join(filter(None, parts))


def without_receipt(comment: str) -> str:
    """Return a comment for where it tells nothing new: without its reference, place and link."""
    return SIGNATURE.sub(r"\1\2", comment)


def comment_reference(operation: Operation) -> str:
    """Return the text that occurs in this operation's comment and in no other's."""
    return comment_reference_of(operation.actor.id, operation.reference)


def comment_reference_of(user: str, reference: str) -> str:
    """Return the text that a person's comment has for an operation with this reference."""
    return f"(Slack {user}), ref {reference}"


def has_comment(operation: Operation, snapshot: Snapshot) -> bool:
    """Whether a task has the comment of this operation."""
    reference = comment_reference(operation)
    return isinstance(snapshot, Task) and any(
        reference in comment.message for comment in snapshot.comments
    )


def _name(actor: Actor) -> str:
    """Return a person's name on one line, without brackets that could pose as a signature."""
    name = " ".join(visible(actor.name or actor.id).split())
    return name.translate(str.maketrans("()", "[]"))[:80]


def _without_signatures(text: str) -> str:
    """Return the text with "> " before each line that could be read as one of ours.

    All of ours name somebody of Slack. Letters that look alike, and characters that turn a line
    round, are taken into account.
    """
    lines = []
    for line in text.splitlines(keepends=True):
        plain = unicodedata.normalize("NFKC", visible(line.replace("\u200d", "")))
        signature = re.search(r"\(\s*slack\b", plain, re.IGNORECASE)
        lines.append(f"> {line}" if signature or BIDI_CONTROLS & set(line) else line)
    return "".join(lines)
