"""State to text and blocks, and every word that people read.

Pure: knows neither Slack's client nor SecMaster's, only their values.
"""

from bot.messages import (
    audit_history,
    batch_forms,
    batch_results,
    command_help,
    digest,
    failure_groups,
    home,
    lists,
    modals,
    notifications,
    oncall,
    permissions,
    watch,
)
from bot.messages.blocks import Frame, Message
from bot.messages.cards import card, vanished
from bot.messages.changes import changed
from bot.messages.errors import explain
from bot.messages.lists import PAGE, listing
from bot.messages.operation_results import (
    glass_broken,
    lapsed,
    lost,
    not_announced,
    outcome,
    trouble,
)

__all__ = [
    "PAGE",
    "Frame",
    "Message",
    "audit_history",
    "batch_forms",
    "batch_results",
    "card",
    "changed",
    "command_help",
    "digest",
    "explain",
    "failure_groups",
    "glass_broken",
    "home",
    "lapsed",
    "listing",
    "lists",
    "lost",
    "modals",
    "not_announced",
    "notifications",
    "oncall",
    "outcome",
    "permissions",
    "trouble",
    "vanished",
    "watch",
]
