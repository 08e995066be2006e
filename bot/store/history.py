"""The actions that people took from here, read from the audit.

Knows the audit's records, and nothing of how they came about.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.domain.actions import BY_NAME, Action
from bot.domain.objects import Ref
from bot.domain.operations import OperationState
from bot.domain.slack import Actor
from bot.store import audit_log


@dataclass(frozen=True, slots=True)
class AuditedAction:
    """An action that took effect, or may have: then it is not ``certain``.

    With ``break_glass`` somebody decided alone what needs several people.
    """

    actor: Actor
    action: Action
    ref: Ref
    at: datetime
    certain: bool = True
    break_glass: bool = False


def audited_actions(engine: sa.Engine, since: datetime) -> Iterator[AuditedAction]:
    """Yield the actions since a time, oldest first; blocks, and is meant for a thread."""
    for entry in audit_log.entries(engine, since=since):
        ref = Ref.parse(str(entry.get("target")))
        action, outcome = BY_NAME.get(entry.get("action", "")), entry.get("outcome")
        if ref is None or action is None:
            continue
        if outcome not in (OperationState.DONE, OperationState.UNKNOWN):
            continue
        yield AuditedAction(
            actor=Actor.model_validate(entry["actor"]),
            action=action,
            ref=ref,
            at=datetime.fromisoformat(entry["at"]),
            certain=outcome == OperationState.DONE,
            break_glass=bool((entry.get("terms") or {}).get("break_glass_channel")),
        )
