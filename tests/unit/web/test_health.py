"""What /metrics answers while the database is away: all that does not come from it."""

from datetime import UTC, datetime

import sqlalchemy as sa

from bot.services import Services
from bot.web.health import Readiness
from bot.web.signature import RequestVerifier
from tests.support.exposition import Exposition


async def test_metrics_of_the_process_are_there_while_the_database_is_away(
    services: Services,
) -> None:
    readiness = Readiness(services, RequestVerifier("secret", lambda: datetime.now(UTC)))
    well = Exposition((await readiness.metrics()).decode())
    assert well.value("ready") == 1
    assert "outbox_waiting" in well.text
    with services.store.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE outbox"))
    ill = Exposition((await readiness.metrics()).decode())
    assert "build_info" in ill.text
    assert "secmaster_bot_ready 0.0" in ill.text
    assert "outbox_waiting" not in ill.text
