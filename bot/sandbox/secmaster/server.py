"""The SecMaster sandbox as one server: its parts put together, started and stopped."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web

from bot.sandbox import changes, connection, faults, origin, pages
from bot.sandbox.secmaster.api import Api
from bot.sandbox.secmaster.authentication import Authenticator, Credentials
from bot.sandbox.secmaster.control import Control
from bot.sandbox.secmaster.gateway import Gateway, add_request_id
from bot.sandbox.secmaster.journal import Journal, Received
from bot.sandbox.secmaster.metadata import Metadata
from bot.sandbox.secmaster.scheduler import Scheduler
from bot.sandbox.secmaster.seed_definitions import add_blocks, add_definitions
from bot.sandbox.secmaster.seed_findings import add_findings
from bot.sandbox.secmaster.seed_instances import add_instances
from bot.sandbox.secmaster.seed_playbooks import add_playbook_instances
from bot.sandbox.secmaster.seed_tasks import add_tasks
from bot.sandbox.secmaster.wire import Clock
from bot.sandbox.secmaster.world import World

UPLOAD_LIMIT = 64 * 1024 * 1024


def utc_now() -> datetime:
    return datetime.now(UTC)


class SecMasterSandbox:
    """A SecMaster workspace, its gateway, its IAM and a machine's metadata on one local port.

    ``clock`` is the server's time, with which a signature's date is compared. ``pace`` is the
    seconds an instance takes for a step. The state survives ``stop`` and another ``start``.
    """

    def __init__(  # noqa: PLR0913 -- keywords with defaults: a test names the one it is about
        self,
        *,
        ak: str = "demo-ak",
        sk: str = "demo-sk",
        security_token: str = "",
        token: str = "demo-token",  # noqa: S107 -- made up, opens nothing but this sandbox
        iam_user: str = "demo",
        iam_password: str = "demo",  # noqa: S107 -- likewise
        iam_domain: str = "demo",
        project_id: str = "demo-project",
        default_project_id: str = "demo-default-project",
        workspace_id: str = "demo-workspace",
        clock: Clock = utc_now,
        pace: float = 0.5,
    ) -> None:
        credentials = Credentials(
            ak=ak,
            sk=sk,
            security_token=security_token,
            token=token,
            iam_user=iam_user,
            iam_password=iam_password,
            iam_domain=iam_domain,
            project_id=project_id,
            default_project_id=default_project_id,
        )
        self.url = ""
        self.faults = faults.Faults(self._changed)
        self.authenticator = Authenticator(credentials, clock)
        self.metadata = Metadata(self.authenticator, clock)
        self.world = World(
            clock=clock,
            project_id=project_id,
            workspace_id=workspace_id,
            changed=self._changed,
        )
        self._changes = changes.Changes()
        self._journal = Journal(self._changed)
        self._scheduler = Scheduler(self.world, pace)
        self._api = Api(self.world, self.authenticator)
        self._control = Control(
            world=self.world,
            journal=self._journal,
            changes=self._changes,
            scheduler=self._scheduler,
            faults=self.faults,
            endpoints=self._api.endpoints(),
        )
        self._gateway = Gateway(
            authenticator=self.authenticator,
            faults=self.faults,
            journal=self._journal,
            clock=clock,
            workspace_id=workspace_id,
        )
        self._runner: web.AppRunner | None = None
        add_findings(self.world)
        add_instances(self.world)
        add_playbook_instances(self.world)
        add_tasks(self.world)
        add_definitions(self.world)
        add_blocks(self.world)

    @property
    def requests(self) -> list[Received]:
        """Every request so far, control requests aside."""
        return self._journal.requests

    def writes(self, endpoint: str, target: str = "") -> list[Received]:
        """Return the requests to an endpoint that took effect, whether or not answers arrived.

        ``target`` narrows them to a task's or an instance's id.
        """
        return self._journal.writes(endpoint, target)

    def tick(self) -> list[str]:
        """End the tasks that are due by the clock as it is now; returns their ids.

        For a test that set its clock forward, of which no timer can know.
        """
        return self.world.expire()

    async def refuse_reads(self, endpoints: tuple[str, ...], status: int) -> None:
        """Refuse reads at the gateway.

        ``READS`` with 404 is a region that does not have them, ``FINDINGS`` with 403 an IAM user
        that may not read alerts. ``faults.clear()`` ends it.
        """
        for endpoint in endpoints:
            await self.faults.set(faults.Fault(on=endpoint, status=status))

    async def until(self, predicate: Callable[[], object]) -> None:
        """Wait until ``predicate`` holds; it is called again after every change and request."""
        await self._changes.until(predicate)

    async def start(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        name: str = "",
    ) -> None:
        """Listen; on a free port by default, to be read from ``url``.

        With ``tls`` over HTTPS. ``name`` is the host's in ``url``, where that is not ``host``.
        """
        self._changes.open()
        middlewares = [origin.guard(name or host), self._gateway.middleware]
        app = web.Application(middlewares=middlewares, client_max_size=UPLOAD_LIMIT)
        app.on_response_prepare.append(add_request_id)
        app.add_routes(self._api.routes())
        app.add_routes(self.metadata.routes())
        app.add_routes(self._control.routes())
        app.add_routes(faults.routes(self.faults))
        app.add_routes(changes.routes(self._changes))
        app.add_routes(pages.routes("console"))
        # A handler that a fault keeps asleep must not keep ``stop`` waiting.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=tls).start()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{name or host}:{self._runner.addresses[0][1]}"
        self._scheduler.start()

    async def stop(self) -> None:
        """Stop listening and end every timer; requests that a fault holds are released."""
        self._changes.close()
        await self.faults.clear()
        await self._scheduler.stop()
        if self._runner is not None:
            await connection.stop(self._runner)
            self._runner = None

    def _changed(self) -> None:
        self._changes.happened()
        self._scheduler.wake()
