"""What the bot remembers: who holds a decision, which messages are cards, who did what.

Knows no Slack and no SecMaster. Its calls block for a moment and are meant for a thread.
"""

from bot.store.delegations import Delegations
from bot.store.engine import (
    NameInUse,
    UnsupportedDatabase,
    close,
    connect,
    hold_name,
    migrate,
    open_read_only,
    readable_by_others,
    schema_versions,
)
from bot.store.requested_changes import RequestedChange, RequestedChanges
from bot.store.store import Store

__all__ = [
    "Delegations",
    "NameInUse",
    "RequestedChange",
    "RequestedChanges",
    "Store",
    "UnsupportedDatabase",
    "close",
    "connect",
    "hold_name",
    "migrate",
    "open_read_only",
    "readable_by_others",
    "schema_versions",
]
