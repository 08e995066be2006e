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
from bot.messages.blocks import Message, RenderContext
from bot.messages.cards import card, vanished_card
from bot.messages.changes import changed_object
from bot.messages.errors import explain
from bot.messages.lists import PAGE, listing
from bot.messages.operation_results import (
    break_glass_used,
    lapsed,
    lost,
    not_announced,
    outcome,
    still_trying,
)

__all__ = [
    "PAGE",
    "Message",
    "RenderContext",
    "audit_history",
    "batch_forms",
    "batch_results",
    "break_glass_used",
    "card",
    "changed_object",
    "command_help",
    "digest",
    "explain",
    "failure_groups",
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
    "still_trying",
    "vanished_card",
    "watch",
]
