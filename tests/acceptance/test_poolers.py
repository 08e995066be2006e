"""Postgres behind a pooler: one by transaction is refused in words, one by session works."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.app import App
from bot.cli.doctor.database import check_database
from bot.cli.doctor.results import CheckFailed, ok
from bot.cli.doctor.subject import Subject
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.store import NameInUse, UnsupportedDatabase, check_sessions, close, connect
from tests.support.databases import Databases
from tests.support.environment import BotEnvironment, policy, settings_for
from tests.support.people import ALICE, SOC
from tests.support.pooler import needs_pgbouncer, pooled
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS

pytestmark = [needs_pgbouncer, pytest.mark.slow]


@pytest.mark.parametrize(
    "options", [{}, {"server_round_robin": "1"}, {"default_pool_size": "1"}], ids=str
)
async def test_a_pooler_by_transaction_is_refused_at_the_start_and_by_the_doctor(
    databases: Databases, tmp_path: Path, options: dict[str, str]
) -> None:
    database = databases.with_tables("postgres", tmp_path)
    async with pooled(database, tmp_path, "transaction", **options) as url:
        settings = settings_for("http://127.0.0.1:9", "http://127.0.0.1:9", url)
        with pytest.raises(UnsupportedDatabase, match="Use session mode"):
            async with App(settings, policy(), QUICK_TIMEOUTS):
                raise AssertionError("it started")
        with pytest.raises(CheckFailed, match="a pooler in transaction mode"):
            await check_database(Subject(settings, AsyncExitStack()))


async def test_one_by_transaction_is_found_out_while_others_use_its_sessions(
    databases: Databases, tmp_path: Path
) -> None:
    database = databases.empty("postgres", tmp_path)
    async with pooled(database, tmp_path, "transaction", server_round_robin="1") as url:
        engine = connect(url)
        busy = [engine.connect() for _ in range(4)]
        for connection in busy:
            connection.exec_driver_sql("SELECT 1")
        for connection in busy[::2]:
            connection.close()
        with pytest.raises(UnsupportedDatabase):
            check_sessions(engine)
        for connection in busy:
            connection.close()
        close(engine)


async def test_through_one_by_session_all_works_and_a_name_is_held(
    databases: Databases, tmp_path: Path, slack: SlackRecorder, secmaster: SecMasterSandbox
) -> None:
    database = databases.with_tables("postgres", tmp_path)
    async with pooled(database, tmp_path, "session") as url:
        settings = settings_for(slack.url, secmaster.url, url)
        assert await check_database(Subject(settings, AsyncExitStack())) == [ok("usable")]
        async with App(settings, policy(), QUICK_TIMEOUTS) as app:
            slack.request_url = f"{app.url}/slack/events"
            environment = BotEnvironment(slack, secmaster, app)
            with pytest.raises(NameInUse):
                async with App(settings, policy(), QUICK_TIMEOUTS):
                    raise AssertionError("a second bot started")
            ts = await environment.card("task", seed.TASK_ISOLATE)
            await slack.press(ALICE, SOC, ts, "task.approve")
            assert "*Approved by" in (await environment.replies(ts))[0]
            await slack.until(lambda: not environment.buttons(ts))
        async with App(settings, policy(), QUICK_TIMEOUTS):
            pass  # the name is free again
