"""The names that tests/messages and tests/store still import from here; it goes with their move."""

from tests.support.databases import both_databases
from tests.support.environment import on_card

__all__ = ["both_databases", "on_card"]
