"""What the bot remembers: who holds a decision, which messages are cards, who did what.

Knows no Slack and no SecMaster. Its calls block for a moment and are meant for a thread.
"""

from bot.store.audit_key import AuditKey, key_of, use_key
from bot.store.delegations import Delegations
from bot.store.deliveries import DeliveryState
from bot.store.engine import (
    UnsupportedDatabase,
    check_sessions,
    close,
    connect,
    migrate,
    open_read_only,
    readable_by_others,
    schema_versions,
    unhurried,
)
from bot.store.faults import is_database_fault, may_have_committed
from bot.store.file_systems import network_file_system
from bot.store.locks import HeldName, NameInUse, ReplicaName, hold_name
from bot.store.policies import Policies, PolicySource, RecordedPolicy
from bot.store.requested_changes import RequestedChange, RequestedChanges
from bot.store.store import Store
from bot.store.unusable import why_unusable

__all__ = [
    "AuditKey",
    "Delegations",
    "DeliveryState",
    "HeldName",
    "NameInUse",
    "Policies",
    "PolicySource",
    "RecordedPolicy",
    "ReplicaName",
    "RequestedChange",
    "RequestedChanges",
    "Store",
    "UnsupportedDatabase",
    "check_sessions",
    "close",
    "connect",
    "hold_name",
    "is_database_fault",
    "key_of",
    "may_have_committed",
    "migrate",
    "network_file_system",
    "open_read_only",
    "readable_by_others",
    "schema_versions",
    "unhurried",
    "use_key",
    "why_unusable",
]
