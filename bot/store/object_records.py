"""What the audit tells of one object that its cards show: who withdrew or declined, and file names.

Knows the audit's records, and nothing of how they came about.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.actions import BY_NAME
from bot.domain.approvals import ApprovalIntent, ApprovalRequest, RequestNews
from bot.domain.audit import AuditOutcome
from bot.domain.objects import Ref
from bot.domain.slack import Actor
from bot.store import audit_log

LATEST = 100  # records that are looked through: each drawing of a card does
INTENTS = {
    AuditOutcome.WITHDRAWN: ApprovalIntent.WITHDRAW,
    AuditOutcome.DECLINED: ApprovalIntent.DECLINE,
}
# What makes a withdrawn approval or a declined request old news.
NEWER = (AuditOutcome.COUNTED, AuditOutcome.ALLOWED, AuditOutcome.LAPSED)

Records = Sequence[Mapping[str, Any]]


def records(connection: sa.Connection, ref: Ref) -> Records:
    """Return the last records about an object, newest first."""
    return audit_log.latest(connection, str(ref), LATEST)


def request_news(records: Records) -> RequestNews | None:
    """Return who withdrew or declined, unless something newer happened to a request."""
    for record in records:
        action, outcome = BY_NAME.get(record.get("action", "")), record.get("outcome")
        if action is None or not action.claim_group:
            continue
        if outcome in NEWER:
            return None
        if outcome in INTENTS:
            remaining = record.get("request")
            request = ApprovalRequest.model_validate(remaining or record["ended_request"])
            return RequestNews(
                action=action.name,
                intent=INTENTS[AuditOutcome(outcome)],
                actor=Actor.model_validate(record["actor"]),
                at=datetime.fromisoformat(record["at"]),
                needed=request.needed,
                count=len(request.approvals) if remaining else 0,
                reason=record.get("reason", ""),
            )
    return None


def file_names(records: Records) -> dict[str, str]:
    """Return the names of the files that were attached from here, by their ids in SecMaster."""
    names = {}
    for record in records:
        action, file = BY_NAME.get(record.get("action", "")), record.get("file") or {}
        if action and action.takes_file and record.get("outcome") == AuditOutcome.DONE:
            [param] = [param.name for param in action.params if param.file]
            names[record["params"][param]] = file.get("name", "")
    return names
