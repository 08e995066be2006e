"""The only wiring: settings in, a running bot out. The command line and the tests build it."""

import asyncio
import logging
import secrets
import socket
from contextlib import AsyncExitStack
from typing import Any, Self

import aiohttp
import httpx
import sqlalchemy as sa
from aiohttp import web
from dbos import DBOS, DBOSConfig
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.notifications import digests
from bot.policy.config import Config, ConfigError, PolicyHolder
from bot.runtime.background import BackgroundTasks
from bot.runtime.clock import Clock
from bot.runtime.timeouts import Timeouts
from bot.secmaster import IamAuth, SecMaster, SigningAuth, TokenAuth, open_http
from bot.services import Services, set_services
from bot.settings import Settings
from bot.slack.directory import Directory
from bot.store import Store, close, connect, hold_name, migrate
from bot.watch.poller import Poller
from bot.web.health import Readiness
from bot.web.server import web_app
from bot.web.socket_mode import Sockets
from handlers import AppContext, register
from handlers.home import HomeRefresher

log = logging.getLogger(__name__)

# Raised only when a flow that is under way could not go on with the new code. By default it
# would be a hash of the code, and every upgrade would strand what is pending.
FLOWS_VERSION = "1"
MAIN = "main"
GRACE = 5.0  # seconds that flows get to end at shutdown; what doesn't is taken up at the start


class StartError(Exception):
    """The bot can't start: why, and what to do."""


class App:
    """A bot between ``async with`` and its end. ``url`` is where it listens."""

    def __init__(
        self,
        settings: Settings,
        config: Config,
        patience: Timeouts | None = None,
        time: Clock | None = None,
    ) -> None:
        self.settings = settings
        self.time = time or Clock()
        self.policy = PolicyHolder(config, settings.bot_config)
        self.patience = patience or Timeouts()
        self.url = ""
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        """Open everything in the order of need; the stack closes it in the other."""
        settings, config = self.settings, self.policy.current
        # Before any flow is taken up: a second process on this port, or of this name, would
        # carry out what the first is doing.
        door = stack.enter_context(listen(settings.bot_host, settings.bot_port))
        self.engine = connect(settings.database_url)
        stack.callback(close, self.engine)
        stack.enter_context(hold_name(self.engine, settings.bot_replica))
        await asyncio.to_thread(migrate, self.engine)
        self.slack = await open_slack(settings, stack)
        identity = await self.slack.auth_test()
        secmaster = await open_secmaster(settings, stack, self.time)
        self.directory = Directory(
            self.slack,
            identity["team_id"],
            lambda: self.policy.current,
            self._lenders,
            within=self.patience.before_ack,
            clock=self.time.monotonic,
        )
        self.services = Services(
            secmaster={MAIN: secmaster},
            slack=self.slack,
            store=Store(self.engine),
            process_id=secrets.token_hex(8),
            bot_user=identity["user_id"],
            workspace_names={MAIN: settings.secmaster_workspace_id},
            console_url=settings.console_url,
            timeouts=self.patience,
            clock=self.time.now,
            sleep=self.time.sleep,
            policy=lambda: self.policy.current,
            members=self.directory.group_members,
            replica=settings.bot_replica,
        )
        await self._launch_flows(stack)
        self._errands = BackgroundTasks()
        stack.push_async_callback(self._errands.drain)
        context = AppContext(self.services, self.policy, self.directory, self._errands)
        bolt = open_bolt(self.slack, settings, identity.data)
        register(bolt, context)
        self.services.after_poll += [digests.enqueue_due, HomeRefresher(context)]
        await self._open_doors(bolt, door, stack)
        if config.watch.every:
            watching = asyncio.create_task(Poller().run(config.watch.every))
            stack.push_async_callback(_ended, watching)

    async def _lenders(self, user: str) -> list[str]:
        """Who lent somebody their rights, for now."""
        lending, at = self.services.store.delegations, self.services.clock()
        return [loan.delegator for loan in await asyncio.to_thread(lending.received, user, at)]

    def reload(self) -> None:
        """Read the policy again; a file that can't be used leaves the one before in force."""
        try:
            before = self.policy.reload()
        except ConfigError as wrong:
            kept = "policy not read again, the one before stays in force"
            log.warning(kept, extra={"problems": str(wrong)})
            return
        told = {"before": before.fingerprint, "now": self.policy.current.fingerprint}
        log.info("policy read again", extra=told)
        entry = {
            "at": self.services.clock(),
            "operation_id": secrets.token_hex(16),
            "outcome": "done",
            "action": "reload",
            "target": "policy",
            "actor": {"id": "operator"},
            "terms": {"policy": told["now"]},
            "before": told["before"],
        }
        self._errands.start(asyncio.to_thread(self.services.store.record, entry), _unnoted)
        rethinking = asyncio.to_thread(
            self.services.store.tracked.reschedule_all, self.services.clock()
        )
        self._errands.start(rethinking, _unnoted)

    async def _launch_flows(self, stack: AsyncExitStack) -> None:
        """Start DBOS inside this loop, so that recovered flows share it with the clients."""
        set_services(self.services)
        DBOS(config=flows_config(self.settings, self.engine))
        logging.getLogger("dbos").handlers.clear()  # its lines go the way of all others
        logging.getLogger("dbos").propagate = True
        stack.push_async_callback(self.services.drain)
        # That a flow is broken off is no news: the next start takes it up.
        stack.callback(logging.getLogger("dbos").setLevel, logging.ERROR)
        stack.push_async_callback(asyncio.to_thread, DBOS.destroy)
        stack.push_async_callback(self.services.settle, GRACE)
        DBOS.launch()

    async def _open_doors(self, bolt: AsyncApp, door: socket.socket, stack: AsyncExitStack) -> None:
        settings = self.settings
        sockets = None
        if settings.slack_app_token:
            sockets = Sockets(bolt, settings.slack_app_token.get_secret_value())
        self.readiness = Readiness(self.engine, sockets, lambda: self.policy.current.watch.every)
        secret = settings.slack_signing_secret
        app = web_app(
            None if sockets else bolt,
            secret.get_secret_value() if secret else "",
            self.readiness,
            self.time.now,
        )
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.SockSite(runner, door).start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        if sockets:
            stack.push_async_callback(sockets.close)
            await sockets.open()


def listen(host: str, port: int) -> socket.socket:
    """Take the port, or say that somebody else has it."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as wrong:
        raise StartError(
            f"{host}:{port} can't be listened on ({wrong.strerror}). Is another bot running? "
            "Otherwise set BOT_HOST and BOT_PORT."
        ) from wrong


async def open_slack(settings: Settings, stack: AsyncExitStack) -> AsyncWebClient:
    """One session for every call: without it each opens a connection of its own.

    A proxy is read from the environment by the SDK itself. The session must not read it too:
    with a matching line in a ``.netrc`` every call would fail for its second Authorization.
    """
    session = await stack.enter_async_context(aiohttp.ClientSession())
    token = settings.slack_bot_token
    return AsyncWebClient(
        token=token.get_secret_value() if token else "",
        base_url=settings.slack_api_url,
        session=session,
        timeout=15,
        # In the place of the default, which sends again after a broken connection: that can
        # post a message twice. A 429 was not carried out and is safe to repeat.
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=5)],
    )


async def open_secmaster(settings: Settings, stack: AsyncExitStack, time: Clock) -> SecMaster:
    client = SecMaster(
        endpoint=settings.endpoint,
        project_id=settings.secmaster_project_id,
        workspace_id=settings.secmaster_workspace_id,
        auth=await _way_in(settings, stack, time),
    )
    return await stack.enter_async_context(client)


async def _way_in(settings: Settings, stack: AsyncExitStack, time: Clock) -> httpx.Auth:
    """The one of the three ways to authenticate that the settings give."""
    if settings.ak and settings.sk:
        token = settings.security_token
        return SigningAuth(
            settings.ak.get_secret_value(),
            settings.sk.get_secret_value(),
            token.get_secret_value() if token else "",
            clock=time.now,
        )
    if settings.iam_password:
        return IamAuth(
            settings.iam,
            settings.iam_username,
            settings.iam_password.get_secret_value(),
            settings.iam_domain,
            settings.secmaster_project_id,
            http=await stack.enter_async_context(open_http()),
            clock=time.now,
        )
    given = settings.secmaster_auth_token
    return TokenAuth(given.get_secret_value() if given else "")


def open_bolt(slack: AsyncWebClient, settings: Settings, identity: Any) -> AsyncApp:
    """Bolt for one workspace: the identity is asked for once, not for each event."""
    token = settings.slack_bot_token
    known = AuthorizeResult.from_auth_test_response(
        bot_token=token.get_secret_value() if token else "", auth_test_response=identity
    )

    async def authorize() -> AuthorizeResult:
        return known

    quiet = logging.getLogger("bot.slack")  # Bolt would set its own logger's level itself
    quiet.setLevel(logging.WARNING)
    return AsyncApp(
        logger=quiet,
        # Without a token of its own: the one it hands to listeners comes from authorize.
        client=AsyncWebClient(
            base_url=slack.base_url,
            session=slack.session,
            timeout=slack.timeout,
            retry_handlers=slack.retry_handlers,
        ),
        authorize=authorize,
        # The response leaves when the listener returns, so it tells what has been recorded.
        process_before_response=True,
        # server.py has checked the raw bytes; Socket Mode carries no signature.
        request_verification_enabled=False,
        raise_error_for_unhandled_request=True,
    )


def flows_config(settings: Settings, engine: sa.Engine) -> DBOSConfig:
    return {
        "name": "secmaster-bot",
        "system_database_url": settings.database_url,
        "system_database_engine": engine,
        "application_version": FLOWS_VERSION,
        # Stable over restarts: a process takes up what the one of its name left behind.
        "executor_id": settings.bot_replica,
        # Unbounded, its threads wait in line for the database and for each other: on two cores
        # four of them halved the slowest of fifty acknowledgements.
        "max_executor_threads": 4 if engine.dialect.name == "sqlite" else 16,
        # A shutdown waits for one turn of it; a second would be most of what a story takes.
        "notification_listener_polling_interval_sec": 0.2,
        "console_log_level": "WARNING",
        "log_level": "WARNING",
    }


async def _unnoted(error: Exception) -> None:
    log.error("reading the policy again is not on record", exc_info=error)


async def _ended(task: asyncio.Task[None]) -> None:
    """Break it off, more than once if need be: ``wait_for`` of Python 3.11 can lose that."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1)
