"""The sandbox as one server: starts, listens, and stops everything it started."""

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from aiohttp import web

from bot.sandbox import changes as news
from bot.sandbox import faults as trouble
from bot.sandbox import origin, pages
from bot.sandbox.slack import person_api
from bot.sandbox.slack.arranging import Arranging
from bot.sandbox.slack.asking import ALL_SCOPES
from bot.sandbox.slack.delivery import Delivery, Sent
from bot.sandbox.slack.file_api import FileApi
from bot.sandbox.slack.filestore import LARGEST, Files
from bot.sandbox.slack.limits import Limits
from bot.sandbox.slack.manifest import read_manifest
from bot.sandbox.slack.permits import PATIENCE
from bot.sandbox.slack.person import Acting
from bot.sandbox.slack.reading import Reading
from bot.sandbox.slack.replies import ResponseUrls
from bot.sandbox.slack.seed import seeded
from bot.sandbox.slack.socket_mode import SocketMode
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.web_api import Call, WebApi
from bot.sandbox.slack.workspace import Json

T = TypeVar("T")
SHUTDOWN_SECONDS = 1.0
# A file, and the form it may come in.
LARGEST_BODY = LARGEST + 1024**2


class SlackSandbox(Acting, Arranging, Reading):
    """A Slack workspace on this machine.

    The Web API is at ``url + "/api/"``. The app is reached at ``request_url``, or over its own
    websockets when it has some or there is no ``request_url``. ``links`` are names and addresses
    that the page shows beside the channels; they may be set later too, before a page is opened.
    The app has ``patience`` seconds to answer, and to use a trigger id.
    """

    def __init__(  # noqa: PLR0913 - an app's whole configuration, each with a demo's default
        self,
        *,
        bot_token: str = "xoxb-demo",  # noqa: S107 - opens nothing but this sandbox
        app_token: str = "xapp-demo",  # noqa: S107 - likewise
        signing_secret: str = "demo-signing-secret",  # noqa: S107 - likewise
        request_url: str | None = None,
        scopes: Iterable[str] = ALL_SCOPES,
        manifest: Json | None = None,
        links: Iterable[tuple[str, str]] = (),
        clock: Callable[[], float] = time.time,
        patience: float = PATIENCE,
    ) -> None:
        workspace = seeded(clock)
        workspace.permits.patience = patience
        self.url = ""
        self.manifest = read_manifest(manifest)
        self.links = list(links)
        self.changes = workspace.changes
        self.faults = trouble.Faults(self.changes.happened)
        self.socket_mode = SocketMode(self.changes)
        delivery = Delivery(workspace, self.socket_mode, signing_secret, request_url, patience)
        scopes = frozenset(scopes)
        domains = self.manifest.features.unfurl_domains if "links:read" in scopes else []
        files = Files(workspace, lambda: self.url)
        super().__init__(workspace, Views(workspace), files, delivery, domains)
        self.limits = Limits(clock)
        self._web_api = WebApi(
            workspace,
            self.modals,
            files,
            self.faults,
            self.limits,
            bot_token,
            app_token,
            scopes,
            self._socket_url,
        )
        self._file_api = FileApi(files, self.faults, bot_token, scopes)
        self._runner: web.AppRunner | None = None

    @property
    def request_url(self) -> str | None:
        return self.delivery.request_url

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        self.delivery.request_url = url

    @property
    def calls(self) -> list[Call]:
        """Every call of the Web API, oldest first."""
        return self._web_api.calls

    @property
    def sent(self) -> list[Sent]:
        """Everything sent to the app, oldest first."""
        return self.delivery.sent

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; on a free port by default."""
        self.changes.open()
        app = web.Application(middlewares=[origin.guard(host)], client_max_size=LARGEST_BODY)
        app.add_routes(self._routes())
        self._runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"
        self.delivery.start()

    async def stop(self) -> None:
        """Let go of what is held, hang up, and stop listening."""
        self.changes.close()
        await self.faults.clear()
        await self.socket_mode.disconnect()
        await self.delivery.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def until(self, predicate: Callable[[], T]) -> T:
        """The first truthy value of ``predicate``, asked again whenever anything changes."""
        return await self.changes.until(predicate)

    def _routes(self) -> list[web.RouteDef]:
        return [
            *self._web_api.routes(),
            *self._file_api.routes(),
            *self.socket_mode.routes(),
            *ResponseUrls(self.workspace, self.faults).routes(),
            *trouble.routes(self.faults),
            *news.routes(self.changes),
            *pages.routes("slack"),
            *person_api.routes(self),
        ]

    def _socket_url(self) -> str:
        return self.url.replace("http", "ws", 1) + self.socket_mode.new_path()
