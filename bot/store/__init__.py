"""What the bot remembers: who holds a decision, which messages are cards, who did what.

Knows no Slack and no SecMaster. Its calls block for a moment and are meant for a thread.
"""

from bot.store.engine import NameTaken, connect, held, migrate
from bot.store.queries import Store

__all__ = ["NameTaken", "Store", "connect", "held", "migrate"]
