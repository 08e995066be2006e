"""Durable stories: what goes on after the acknowledgement, whatever dies on the way."""

from bot.flows.desk import Desk, Patience, desk, open_desk
from bot.flows.perform import accept
from bot.flows.watch import keep_watch

__all__ = ["Desk", "Patience", "accept", "desk", "keep_watch", "open_desk"]
