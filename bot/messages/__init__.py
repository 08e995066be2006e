"""State to text and blocks, and every word that people read.

Pure: knows neither Slack's client nor SecMaster's, only their values.
"""

from bot.messages import (
    about,
    batches,
    digest,
    gathered,
    home,
    lists,
    many,
    notices,
    oncall,
    rights,
    stories,
    views,
    watching,
)
from bot.messages.blocks import Frame, Message
from bot.messages.cards import card, vanished
from bot.messages.changed import changed
from bot.messages.errors import explain
from bot.messages.lists import PAGE, listing
from bot.messages.outcomes import glass_broken, lapsed, lost, not_announced, outcome, trouble

__all__ = [
    "PAGE",
    "Frame",
    "Message",
    "about",
    "batches",
    "card",
    "changed",
    "digest",
    "explain",
    "gathered",
    "glass_broken",
    "home",
    "lapsed",
    "listing",
    "lists",
    "lost",
    "many",
    "not_announced",
    "notices",
    "oncall",
    "outcome",
    "rights",
    "stories",
    "trouble",
    "vanished",
    "views",
    "watching",
]
