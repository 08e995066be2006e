"""State to text and blocks, and every word that people read.

Pure: knows neither Slack's client nor SecMaster's, only their values.
"""

from bot.messages import about, lists, views
from bot.messages.blocks import Frame, Message
from bot.messages.cards import card, vanished
from bot.messages.errors import explain
from bot.messages.lists import PAGE, listing
from bot.messages.outcomes import lost, outcome, trouble

__all__ = [
    "PAGE",
    "Frame",
    "Message",
    "about",
    "card",
    "explain",
    "listing",
    "lists",
    "lost",
    "outcome",
    "trouble",
    "vanished",
    "views",
]
