"""Render what the audit log holds of one object, for those who may read it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.domain.actions import BY_NAME
from bot.domain.objects import Ref
from bot.messages.blocks import Message, context, new_message, section
from bot.messages.catalogue import Catalogue
from bot.messages.labels import labels
from bot.messages.text import code, date_token, inline, mention_user, quote

LATEST = 20
# By the texts that stand in the log, which may be those of another version.
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


def history(catalogue: Catalogue, ref: Ref, entries: Sequence[dict[str, Any]]) -> Message:
    """List an object's latest audit entries, the last one last.

    ``entries`` are all of them as `store.audit_log` returns them, oldest first.
    """
    head = f"*What the audit has of {ref.kind} {code(ref.id)}*"
    earlier = len(entries) - LATEST
    hint = [context(f"{earlier} earlier: `secmaster-bot audit export`")] if earlier > 0 else []
    rows = (section(_entry_text(catalogue, entry)) for entry in entries[-LATEST:])
    return new_message(
        f"What the audit has of {ref.kind} {inline(ref.id)}", section(head), *hint, *rows
    )


def _entry_text(catalogue: Catalogue, entry: dict[str, Any]) -> str:
    actor, action = (entry.get("actor") or {}).get("id", ""), entry.get("action", "")
    noun = labels(BY_NAME[action]).noun if action in BY_NAME else inline(action, 40)
    if entry["outcome"] == "failed":
        noun = UNSAID.get(entry.get("intent", ""), "") + noun
    outcome = OUTCOMES.get(entry["outcome"], inline(entry["outcome"], 20))
    fingerprint = entry.get("decision_fingerprint")
    before, after = (
        inline(entry.get("status_before", ""), 40),
        inline(entry.get("status_after", ""), 40),
    )
    parts = [
        f"*{entry['number']}* {date_token(datetime.fromisoformat(entry['at']))}",
        f"{outcome}: {noun} by {mention_user(actor)}{_terms_text(catalogue, entry.get('terms') or {})}",
        inline(entry.get("rule", ""), 60),
        inline(entry.get("detail", ""), 200),
        f"saw {code(fingerprint[:12])}" if fingerprint else "",
        f"{before or '—'} → {after or '—'}" if before or after else "",
        f"HTTP {entry['status']}" if entry.get("status") else "",
        f"request {code(entry['request_id'])}" if entry.get("request_id") else "",
        f"ref {code(entry['operation_id'][:6])}",
    ]
    reason = f"\n{quote(entry['reason'], 300)}" if entry.get("reason") else ""
    return f"{' · '.join(filter(None, parts))}{reason}"


def _terms_text(catalogue: Catalogue, terms: dict[str, Any]) -> str:
    """Say who the actor is in SecMaster, by whose right they acted, and whether they did alone."""
    identity, delegator = terms.get("identity"), terms.get("delegator")
    parts = [
        f"{inline(identity, 60)} in SecMaster" if identity else "",
        f"by the right of {mention_user(delegator)}" if delegator else "",
        "broke the glass" if terms.get("break_glass_channel") else "",
    ]
    text = ", ".join(filter(None, parts))
    return f" ({text})" if text else ""
