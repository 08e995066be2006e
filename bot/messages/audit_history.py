"""One object's story as the audit has it, for those who may read it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.domain.actions import BY_NAME
from bot.domain.models import Ref
from bot.messages.blocks import Message, context, say, section
from bot.messages.labels import words
from bot.messages.text import code, line, moment, person, quote

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


def story(ref: Ref, entries: Sequence[dict[str, Any]]) -> Message:
    """Every attempt on an object, the latest last."""
    head = f"*What the audit has of {ref.noun} {code(ref.id)}*"
    rest = len(entries) - LATEST
    earlier = [context(f"{rest} earlier: `secmaster-bot audit export`")] if rest > 0 else []
    latest = (section(_entry(each)) for each in entries[-LATEST:])
    return say(f"What the audit has of {ref.noun} {line(ref.id)}", section(head), *earlier, *latest)


def _entry(entry: dict[str, Any]) -> str:
    who, action = (entry.get("actor") or {}).get("id", ""), entry.get("action", "")
    noun = words(BY_NAME[action]).noun if action in BY_NAME else line(action, 40)
    if entry["outcome"] == "failed":
        noun = UNSAID.get(entry.get("say", ""), "") + noun
    outcome = OUTCOMES.get(entry["outcome"], line(entry["outcome"], 20))
    parts = [
        f"*{entry['number']}* {moment(datetime.fromisoformat(entry['at']))}",
        f"{outcome}: {noun} by {person(who)}{_as(entry)}",
        line(entry.get("rule", ""), 60),
        line(entry.get("detail", ""), 200),
        f"saw {code(entry['seen'][:12])}" if entry.get("seen") else "",
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
    lender, known = terms.get("lender"), terms.get("identity")
    parts = [
        f"{line(known, 60)} in SecMaster" if known else "",
        f"by the right of {person(lender)}" if lender else "",
        "broke the glass" if terms.get("glass") else "",
    ]
    told = ", ".join(filter(None, parts))
    return f" ({told})" if told else ""


def _around(entry: dict[str, Any]) -> str:
    before, after = line(entry.get("before", ""), 40), line(entry.get("after", ""), 40)
    return f"{before or '—'} → {after or '—'}" if before or after else ""
