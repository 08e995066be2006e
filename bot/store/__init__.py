"""What the bot remembers: who holds a decision, which messages are cards, who did what.

Knows no Slack and no SecMaster. Its calls block for a moment and are meant for a thread.
"""

from bot.store.approvals import Poll
from bot.store.claims import Claimed, Store
from bot.store.delegations import Lending
from bot.store.engine import NameTaken, close, connect, held, look_into, migrate, shapes
from bot.store.tracked import Known, Sighting, Tally, gathering

__all__ = [
    "Claimed",
    "Known",
    "Lending",
    "NameTaken",
    "Poll",
    "Sighting",
    "Store",
    "Tally",
    "close",
    "connect",
    "gathering",
    "held",
    "look_into",
    "migrate",
    "shapes",
]
