"""What the bot remembers: who holds a decision, which messages are cards, who did what.

Knows no Slack and no SecMaster. Its calls block for a moment and are meant for a thread.
"""

from bot.store.ballots import Poll
from bot.store.engine import NameTaken, close, connect, held, look_into, migrate, shapes
from bot.store.lending import Lending
from bot.store.queries import Claimed, Store

__all__ = [
    "Claimed",
    "Lending",
    "NameTaken",
    "Poll",
    "Store",
    "close",
    "connect",
    "held",
    "look_into",
    "migrate",
    "shapes",
]
