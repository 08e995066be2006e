"""One object's story as the audit has it, for those who may read it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.domain.actions import BY_NAME
from bot.domain.objects import Ref
from bot.messages.blocks import Message, context, new_message, section
from bot.messages.labels import labels
from bot.messages.text import code, date_token, inline, mention_user, quote

LATEST = 20
OUTCOMES = {
    "allowed": "▫️ allowed",
    "refused": "🚫 refused",
    "lost": "✋ came second",
    "counted": "🗳️ said yes",
    "withdraw": "↩️ took the yes back",
    "refuse": "🛑 ended what waited",
    "struck": "⚠️ no longer counts",
    "lapsed": "⌛ lapsed",
    "done": "✅ done",
    "failed": "❌ failed",
    "unknown": "❓ unknown",
}
# What failed was not the action itself, where somebody took a yes back or refused.
UNSAID = {"withdraw": "taking back a yes to the ", "refuse": "refusal of the "}


def history(ref: Ref, entries: Sequence[dict[str, Any]]) -> Message:
    """Every attempt on an object, the latest last."""
    head = f"*What the audit has of {ref.kind} {code(ref.id)}*"
    rest = len(entries) - LATEST
    earlier = [context(f"{rest} earlier: `secmaster-bot audit export`")] if rest > 0 else []
    latest = (section(_entry(each)) for each in entries[-LATEST:])
    return new_message(
        f"What the audit has of {ref.kind} {inline(ref.id)}", section(head), *earlier, *latest
    )


def _entry(entry: dict[str, Any]) -> str:
    who, action = (entry.get("actor") or {}).get("id", ""), entry.get("action", "")
    noun = labels(BY_NAME[action]).noun if action in BY_NAME else inline(action, 40)
    if entry["outcome"] == "failed":
        noun = UNSAID.get(entry.get("intent", ""), "") + noun
    outcome = OUTCOMES.get(entry["outcome"], inline(entry["outcome"], 20))
    parts = [
        f"*{entry['number']}* {date_token(datetime.fromisoformat(entry['at']))}",
        f"{outcome}: {noun} by {mention_user(who)}{_as(entry)}",
        inline(entry.get("rule", ""), 60),
        inline(entry.get("detail", ""), 200),
        f"saw {code(entry['decision_fingerprint'][:12])}"
        if entry.get("decision_fingerprint")
        else "",
        _around(entry),
        f"HTTP {entry['status']}" if entry.get("status") else "",
        f"request {code(entry['request_id'])}" if entry.get("request_id") else "",
        f"ref {code(entry['operation_id'][:6])}",
    ]
    said = f"\n{quote(entry['reason'], 300)}" if entry.get("reason") else ""
    return f"{' · '.join(filter(None, parts))}{said}"


def _as(entry: dict[str, Any]) -> str:
    """By whose right, and who that is in SecMaster."""
    terms = entry.get("terms") or {}
    lender, known = terms.get("delegator"), terms.get("identity")
    parts = [
        f"{inline(known, 60)} in SecMaster" if known else "",
        f"by the right of {mention_user(lender)}" if lender else "",
        "broke the glass" if terms.get("break_glass_channel") else "",
    ]
    told = ", ".join(filter(None, parts))
    return f" ({told})" if told else ""


def _around(entry: dict[str, Any]) -> str:
    before, after = (
        inline(entry.get("status_before", ""), 40),
        inline(entry.get("status_after", ""), 40),
    )
    return f"{before or '—'} → {after or '—'}" if before or after else ""
