"""Render state as texts and blocks: every word that people read is written here.

It knows the values of Slack and SecMaster, and refuses to know their clients, clocks and the store.
"""

from bot.messages import (
    approval_calls,
    audit_history,
    batch_forms,
    batch_results,
    command_help,
    command_problems,
    denials,
    digest,
    escalations,
    failure_groups,
    home,
    lists,
    modals,
    mutes,
    notifications,
    oncall,
    operation_results,
    permissions,
    run_results,
    task_groups,
    troubles,
    watch,
    whoami,
)
from bot.messages.blocks import Message, RenderContext, text_message
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
    "approval_calls",
    "audit_history",
    "batch_forms",
    "batch_results",
    "break_glass_used",
    "card",
    "changed_object",
    "command_help",
    "command_problems",
    "denials",
    "digest",
    "escalations",
    "explain",
    "failure_groups",
    "home",
    "lapsed",
    "listing",
    "lists",
    "lost",
    "modals",
    "mutes",
    "not_announced",
    "notifications",
    "oncall",
    "operation_results",
    "outcome",
    "permissions",
    "run_results",
    "still_trying",
    "task_groups",
    "text_message",
    "troubles",
    "vanished_card",
    "watch",
    "whoami",
]
