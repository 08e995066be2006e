"""The only wiring: settings in, a running bot out. The command line and the tests build it."""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Any, Self

from dbos import DBOS
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.evidence import EvidenceReader
from bot.domain.workspaces import Workspaces
from bot.messages.catalogue import Catalogue
from bot.messages.permissions import missing_read_rules, nobody_reads
from bot.messages.secmaster_access import access_problem, ends_soon
from bot.messages.slack_delivery import token_advice
from bot.metrics import Metrics
from bot.notifications import digests
from bot.operations.batch import Batches
from bot.operations.launch import dbos_config, migrate_workflows, take_name
from bot.operations.policy_reload import (
    PolicyFollower,
    UnusablePolicy,
    choose_policy,
    operator_record,
    reload_policy,
)
from bot.operations.steps import without_traceback
from bot.operations.unfinished import Sweeper
from bot.operations.workflow import Operations
from bot.policy.config import Config, ConfigError, PolicyHolder
from bot.policy.rules import asks_evidence
from bot.rotation import Rotation
from bot.runtime.clock import Clock
from bot.runtime.loop_lag import watch_loop
from bot.runtime.timeouts import Timeouts
from bot.secmaster import SecMasterError
from bot.secmaster.connect import authentication, open_secmaster, read_first
from bot.services import Services
from bot.settings import Settings, text_of
from bot.settings import load as load_settings
from bot.slack.cards import Cards
from bot.slack.channels import Channels
from bot.slack.client import SlackClient, code_of
from bot.slack.connect import TimelyBolt, address_client, open_bolt, open_slack
from bot.slack.directory import Directory
from bot.slack.error_codes import SlackErrorKind, kind_of
from bot.slack.gateway import SlackGateway
from bot.slack.installation import Installation
from bot.slack.scopes import losses, missing_scopes
from bot.store import (
    AuditKey,
    NameInUse,
    Policies,
    RequestedChanges,
    Store,
    audit_log,
    check_sessions,
    close,
    connect,
    migrate,
    use_key,
)
from bot.watch.completion import CardCompletion
from bot.watch.expiries import authorities_end, expiries
from bot.watch.poller import Poller
from bot.watch.trouble_reporter import TroubleReporter
from bot.web.connections import serve
from bot.web.health import Readiness
from bot.web.server import web_app
from bot.web.signature import RequestVerifier
from bot.web.socket_mode import SocketMode
from handlers import AppContext, Recorder, payload_door, register
from handlers.home import HomeRefresher

log = logging.getLogger(__name__)

WORKSPACE = "main"  # the alias of the one workspace that the settings name
GRACE = 5.0  # seconds that workflows get to end at shutdown; the next start resumes the others


class StartError(Exception):
    """The bot can't start: why, and what to do."""


class App:
    """A bot between ``async with`` and its end.

    ``read_settings`` reads them again when it is told to reload. ``catalogue`` has the language in
    which it speaks in Slack; another than English is set before it starts.
    ``url`` is where it listens, ``health_url`` where it tells its health, ``services`` what it
    works with. ``stopped`` is set when it is to be ended: it has lost its replica's name to another
    process, or was told to.
    """

    services: Services
    poller: Poller
    home_refresher: HomeRefresher

    def __init__(
        self,
        settings: Settings,
        config: Config,
        timeouts: Timeouts | None = None,
        clock: Clock | None = None,
        read_settings: Callable[[], Settings] = load_settings,
    ) -> None:
        self.settings = settings
        self._read_settings = read_settings
        self.policy = PolicyHolder(config, settings.bot_config)
        self.timeouts = timeouts or Timeouts()
        self.clock = clock or Clock()
        self.catalogue = Catalogue.english()
        self.url = self.health_url = ""
        self.stopped = asyncio.Event()
        self.lost_name = False
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
        settings = self.settings
        # Before any workflow is resumed: a second process on this port, or of this name, would
        # carry out what the first is doing.
        listeners = self._listen(stack)
        await self._open_database(stack)
        config = await self._choose_policy()
        metrics = Metrics()
        _run(stack, watch_loop(metrics.lag))
        client = await open_slack(settings, stack, metrics.call_slack)
        identity = await identify(client)
        missing = missing_scopes(config, identity.headers.get("x-oauth-scopes", ""))
        if any(not scope.optional for scope in missing):
            log.warning("scopes are missing, see doctor", extra={"lost": losses(missing)})
        self.services = await self._open_services(client, identity, metrics, stack)
        _run(stack, self.services.directory.warm_up())
        await asyncio.to_thread(migrate_workflows, self.engine)
        # Slack and the tables may have taken long, and somebody have lost a right meanwhile.
        follower = PolicyFollower(self.services)
        await follower.follow()
        interval = self.policy.current.watch.every
        self.services = replace(self.services, poll_interval=interval)
        operations = Operations(self.services)
        batches = Batches(self.services, operations)
        self._launch_workflows(stack)
        stack.push_async_callback(self.services.cards.drain)
        stack.push_async_callback(self.services.background.drain)
        context = AppContext(self.services, workspace=WORKSPACE)
        bolt = open_bolt(client, identity.data, payload_door(context), within=self.timeouts.answer)
        register(bolt, Recorder(context, operations, batches, RequestedChanges(self.engine)))
        verifier, socket_mode = await self._open_web(bolt, *listeners, stack)
        self._rotation = Rotation(
            settings,
            self._read_settings,
            client,
            identity.data,
            verifier,
            socket_mode,
            self.services.workspaces.client(WORKSPACE),
            partial(authentication, network=settings.secmaster_network, now=self.clock.now),
        )
        _run(stack, follower.run())
        self._run_loops(client, context, stack)

    def _listen(self, stack: AsyncExitStack) -> tuple[socket.socket, socket.socket | None]:
        """Take the bot's port, and that for its health where it is another; raises StartError."""
        settings = self.settings
        listener = stack.enter_context(listen(settings.bot_host, settings.bot_port))
        if settings.bot_health_port is None:
            return listener, None
        health = listen(settings.bot_host, settings.bot_health_port, "BOT_HEALTH_PORT")
        return listener, stack.enter_context(health)

    async def _open_database(self, stack: AsyncExitStack) -> None:
        """Connect, take the replica's name, and bring the tables to this version.

        Raises NameInUse or UnsupportedDatabase.
        """
        settings, timeouts = self.settings, self.timeouts.database
        self.engine = connect(settings.database_url, timeouts)
        stack.callback(close, self.engine)
        if settings.audit_key:
            use_key(self.engine, AuditKey(settings.audit_key.get_secret_value()))
        await asyncio.to_thread(check_sessions, self.engine)
        self._name = await take_name(self.engine, settings.bot_replica, timeouts.take_over)
        stack.callback(self._name.release)
        await asyncio.to_thread(migrate, self.engine)
        for sentence in await asyncio.to_thread(audit_log.suspicions, self.engine):
            log.warning("the audit may have been tampered with", extra={"problem": sentence})

    def _run_loops(self, client: SlackClient, context: AppContext, stack: AsyncExitStack) -> None:
        """Run what goes on until the end."""
        self.poller = Poller(self.services, self.settings.retention_days)
        self.home_refresher = HomeRefresher(context)
        self.poller.subscribe(partial(digests.enqueue_due, self.services))
        self.poller.subscribe(self.home_refresher)
        on_accepted = self.services.outbox_written.set
        _run(stack, client.watch_token(self.clock, on_accepted))
        _run(stack, self.poller.run(self.services.poll_interval))
        _run(stack, CardCompletion(self.services).run())
        _run(stack, TroubleReporter(self.services, self.poller).run())

    async def _choose_policy(self) -> Config:
        """Return the policy that counts, which is in force from now on; raises StartError."""
        policies, now = Policies(self.engine), self.clock.now()
        replica = self.settings.bot_replica
        try:
            await asyncio.to_thread(choose_policy, policies, self.policy, replica, now)
        except UnusablePolicy as error:
            raise StartError(str(error)) from error
        config = self.policy.current
        if unread := nobody_reads(Catalogue.english(), config):
            log.warning(unread, extra={"add_to_the_policy": missing_read_rules(config)})
        return config

    async def _open_services(
        self, client: SlackClient, identity: Any, metrics: Metrics, stack: AsyncExitStack
    ) -> Services:
        settings, clock, timeouts = self.settings, self.clock, self.timeouts
        secmaster = await open_secmaster(settings, stack, clock.now, metrics.ask_secmaster)
        workspaces = Workspaces(
            {WORKSPACE: secmaster}, {WORKSPACE: settings.secmaster_workspace_id}
        )
        evidence = EvidenceReader(
            workspaces.client,
            clock,
            timeouts.evidence,
            lambda kind: asks_evidence(self.policy.current.rules, kind),
            self.policy.asks_each_resource,
        )
        store = Store(self.engine)
        channels = Channels(client, self.policy, clock)
        mark_key = await asyncio.to_thread(store.mark_key.get)
        slack = SlackGateway(
            client, identity["user_id"], identity["url"], channels=channels, mark_key=mark_key
        )
        cards = Cards(
            slack,
            store,
            workspaces,
            self.policy,
            clock=clock,
            timeouts=timeouts,
            catalogue=self.catalogue,
            console_url=settings.console_url,
        )
        directory = Directory(
            client,
            Installation.read(identity),
            self.policy,
            store.delegations,
            clock=clock,
            within=timeouts.before_ack,
        )
        return Services(
            workspaces=workspaces,
            evidence=evidence,
            slack=slack,
            cards=cards,
            catalogue=self.catalogue,
            directory=directory,
            store=store,
            policy=self.policy,
            clock=clock,
            timeouts=timeouts,
            process_id=secrets.token_hex(8),
            replica=settings.bot_replica,
            metrics=metrics,
            name_hold=self._name.hold,
            started_at=clock.now(),
            expiries=partial(expiries, secmaster, authorities_end(settings)),
        )

    def _launch_workflows(self, stack: AsyncExitStack) -> None:
        """Launch DBOS inside this loop, so that resumed workflows share it with the clients."""
        tracker, dbos_log = self.services.tracker, logging.getLogger("dbos")
        dbos = DBOS(config=dbos_config(self.settings, self.engine))
        dbos_log.handlers.clear()  # its lines go the way of all others
        dbos_log.propagate = True
        dbos_log.addFilter(without_traceback)
        stack.callback(dbos_log.removeFilter, without_traceback)
        stack.push_async_callback(self.services.cards.close)
        stack.push_async_callback(tracker.cancel_all)
        # That a workflow is broken off is no news: the next start resumes it.
        stack.callback(dbos_log.setLevel, logging.ERROR)
        # DBOS makes its threads those of the loop, and ends them.
        loop = asyncio.get_running_loop()
        stack.callback(loop.set_default_executor, ThreadPoolExecutor())
        stack.push_async_callback(asyncio.to_thread, DBOS.destroy)
        stack.push_async_callback(tracker.settle, GRACE)
        DBOS.launch()
        # By default a call waits in its thread for as long as the database is away, and a click is
        # recorded long after it was refused. The sweep takes up what an error breaks off.
        dbos._sys_db._retry_connection_errors = False  # noqa: SLF001 - it has no setting
        _run(stack, self._sweep())

    async def _open_web(
        self,
        bolt: TimelyBolt[Any],
        listener: socket.socket,
        health_listener: socket.socket | None,
        stack: AsyncExitStack,
    ) -> tuple[RequestVerifier, SocketMode | None]:
        """Let Slack in, by HTTP or by Socket Mode, and answer about our health."""
        settings, metrics = self.settings, self.services.metrics
        socket_mode = None
        if settings.slack_app_token:
            app_token = settings.slack_app_token.get_secret_value()
            client = address_client(bolt.client)
            socket_mode = SocketMode(bolt, client, app_token, self.timeouts.socket, metrics)
        verifier = RequestVerifier(text_of(settings.slack_signing_secret), self.clock.now)
        self.readiness = Readiness(self.services, socket_mode or verifier)
        application = web_app(
            None if socket_mode else bolt, verifier, None if health_listener else self.readiness
        )
        server = serve(application, listener, metrics=metrics)
        self.url = self.health_url = await stack.enter_async_context(server)
        if health_listener:
            health = web_app(None, None, self.readiness)
            self.health_url = await stack.enter_async_context(serve(health, health_listener))
        if socket_mode:
            stack.push_async_callback(socket_mode.close)
            socket_mode.open()
        return verifier, socket_mode

    async def _sweep(self) -> None:
        """Take up what is unfinished, until this replica's name is another process's."""
        try:
            await Sweeper(self.services, self._name.keep).run()
        except NameInUse:
            log.critical("another process has taken this replica's name: this one takes no work")
            self.lost_name = True
            self.stopped.set()
            await self.services.tracker.cancel_all()

    async def read_secmaster(self) -> str:
        """Read once from SecMaster; return "ok", or what is wrong with what is set, once logged.

        The bot runs all the same: SecMaster may be down for a while, and a bot that is not there
        could not say so.
        """
        if setting := self.settings.ending_credential:
            log.warning(ends_soon(setting))
        try:
            await read_first(self.services.workspaces.client(WORKSPACE))
        except SecMasterError as error:
            problem = access_problem(error, self.settings)
            details = {"problem": problem, "code": error.code, "request_id": error.request_id}
            log.error("SecMaster can't be read, and is tried again", extra=details)  # noqa: TRY400
            return problem
        return "ok"

    def reload(self) -> None:
        """Reload policy, for every replica, and secrets in the background.

        Each is reloaded whatever becomes of the other; the log says what came of it.
        """
        record = operator_record(self.clock.now())

        async def reload() -> None:
            await reload_policy(self.services, self.policy.read(), record)

        self.services.background.start(reload(), _log_reload_failure)
        self.services.background.start(self._rotation.run(), _log_rotation_failure)


async def identify(client: SlackClient) -> AsyncSlackResponse:
    """Ask Slack who the bot is; raises StartError where it does not take the token.

    A bot that can't ask who somebody is allows nobody anything: better that it is missed at once.
    """
    try:
        return await client.auth_test()
    except SlackApiError as error:
        code = code_of(error)
        if kind_of(code) is not SlackErrorKind.TOKEN_REFUSED:
            raise
        raise StartError(
            f"Slack refuses the bot's token ({code}), so the bot was not started. "
            f"{token_advice(code)}"
        ) from error


async def _log_reload_failure(error: Exception) -> None:
    if isinstance(error, ConfigError):
        sentence = "policy not reloaded, the one before stays in force"
        log.warning(sentence, extra={"problems": str(error)})
    else:
        log.error("policy not reloaded, it could not be recorded", exc_info=error)


async def _log_rotation_failure(error: Exception) -> None:
    log.error("secrets are not read again", exc_info=error)


def listen(host: str, port: int, setting: str = "BOT_PORT") -> socket.socket:
    """Take the port; raises StartError where somebody else has it."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise StartError(
            f"{host}:{port} can't be listened on ({error.strerror}). Is another bot running? "
            f"Otherwise set BOT_HOST and {setting}."
        ) from error


def _run(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in the background until the stack closes."""
    stack.push_async_callback(_cancel, asyncio.create_task(work))


async def _cancel(task: asyncio.Task[None]) -> None:
    """Cancel a task, more than once if need be: ``wait_for`` of Python 3.11 can lose that."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1)
