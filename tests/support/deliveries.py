"""Messages that a process took, as they are once it has died over them."""

from datetime import timedelta

import sqlalchemy as sa

from bot.store.deliveries import LOST_AFTER
from bot.store.tables import deliveries


def forget_answers(engine: sa.Engine, process_id: str = "") -> None:
    """Let every message be one that its process died over, long enough ago.

    That process has ``process_id``, where it is another one than took it.
    """
    with engine.begin() as connection:
        for row in connection.execute(sa.select(deliveries)).all():
            earlier = row.taken_at - LOST_AFTER - timedelta(seconds=1)
            died = process_id or row.process_id
            update = sa.update(deliveries).where(deliveries.c.key == row.key)
            connection.execute(update.values(taken_at=earlier, answered_at=None, process_id=died))
