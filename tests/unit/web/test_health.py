"""What /metrics answers while the database is away: all that does not come from it."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from bot.services import Services
from bot.store.write_probe import WriteProbe
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


async def test_why_the_database_cant_be_used_is_told_in_words(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_probe: WriteProbe, _now: float) -> None:
        raise sa.exc.OperationalError("", {}, Exception("gone"))

    monkeypatch.setattr(WriteProbe, "check", fail)
    readiness = Readiness(services, RequestVerifier("secret", lambda: datetime.now(UTC)))
    assert (await readiness.parts())["database"] == "it gives no reason"
    assert services.database_outage.problem == "it gives no reason"
