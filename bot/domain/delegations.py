"""Rights that one person delegates to another for a while."""

from datetime import datetime

from bot.domain.objects import Value


class Delegation(Value):
    """The rights of ``delegator``, which ``delegate`` has as well until a time."""

    delegator: str
    delegate: str
    until: datetime
