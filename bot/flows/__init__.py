"""Durable stories: what goes on after the acknowledgement, whatever dies on the way."""

from bot.flows.batch import decide
from bot.flows.desk import Desk, Patience, Time, desk, open_desk
from bot.flows.perform import accept
from bot.flows.watch import Watch

__all__ = ["Desk", "Patience", "Time", "Watch", "accept", "decide", "desk", "open_desk"]
