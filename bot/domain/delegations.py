"""Rights that one person delegates to another for a while."""

from datetime import datetime

from bot.domain.objects import Value


class Delegation(Value):
    """Rights that somebody lends somebody else."""

    delegator: str
    delegate: str
    until: datetime
