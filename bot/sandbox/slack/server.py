"""The Slack sandbox as one server: its parts put together, started and stopped."""

import ssl
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from aiohttp import web

from bot.sandbox import changes, connection, faults, origin, pages
from bot.sandbox.slack.admin_actions import AdminActions
from bot.sandbox.slack.control import Control
from bot.sandbox.slack.delivery import Delivery, Sent
from bot.sandbox.slack.file_store import LARGEST, Files
from bot.sandbox.slack.file_transfer import FileTransfer
from bot.sandbox.slack.limits import Limits
from bot.sandbox.slack.manifest import Manifest, read_manifest
from bot.sandbox.slack.methods import ALL_SCOPES
from bot.sandbox.slack.page_state import PageState
from bot.sandbox.slack.permits import PATIENCE
from bot.sandbox.slack.person_actions import PersonActions
from bot.sandbox.slack.person_queries import PersonQueries
from bot.sandbox.slack.responses import ResponseUrls
from bot.sandbox.slack.seed import seeded_workspace
from bot.sandbox.slack.socket_mode import SocketMode
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.web_api import Call, WebApi
from bot.sandbox.slack.workspace import Json

T = TypeVar("T")
SHUTDOWN_SECONDS = 1.0
# A file, and the form it may come in.
LARGEST_BODY = LARGEST + 1024**2


class SlackSandbox(PersonActions, AdminActions, PersonQueries):
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
        workspace = seeded_workspace(clock)
        workspace.permits.patience = patience
        self.url = ""
        self.changes = workspace.changes
        self.faults = faults.Faults(self.changes.happened)
        self.socket_mode = SocketMode(self.changes, self.faults, clock)
        scopes = frozenset(scopes)
        delivery = Delivery(
            workspace, self.socket_mode, signing_secret, request_url, patience, scopes
        )
        app = read_manifest(manifest)
        files = Files(workspace, lambda: self.url)
        domains = app.features.unfurl_domains
        super().__init__(workspace, Views(workspace), files, delivery, domains)
        self.limits = Limits(clock)
        self._page = PageState(self, app, list(links))
        self._web_api = WebApi(
            workspace,
            self.modals,
            files,
            self.faults,
            self.limits,
            bot_token,
            app_token,
            scopes,
            lambda: self.url.replace("http", "ws", 1) + self.socket_mode.new_path(),
        )
        self._file_transfer = FileTransfer(files, self.faults, bot_token, scopes)
        self._runner: web.AppRunner | None = None

    def rotate(self, *, bot_token: str = "", app_token: str = "", signing_secret: str = "") -> None:
        """Make secrets of the app anew: those before are refused from now on."""
        self._web_api.bot_token = bot_token or self._web_api.bot_token
        self._file_transfer.bot_token = self._web_api.bot_token
        self._web_api.app_token = app_token or self._web_api.app_token
        self.delivery.signing_secret = signing_secret or self.delivery.signing_secret

    @property
    def other_apps(self) -> dict[str, Json]:
        """What auth.test says of the tokens of other apps, where that differs."""
        return self._web_api.other_apps

    @property
    def request_url(self) -> str | None:
        return self.delivery.request_url

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        self.delivery.request_url = url

    @property
    def manifest(self) -> Manifest:
        """The app's manifest as the page shows it."""
        return self._page.manifest

    @manifest.setter
    def manifest(self, manifest: Manifest) -> None:
        self._page.manifest = manifest

    @property
    def links(self) -> list[tuple[str, str]]:
        """The names and addresses that the page shows beside the channels."""
        return self._page.links

    @links.setter
    def links(self, links: list[tuple[str, str]]) -> None:
        self._page.links = links

    @property
    def calls(self) -> list[Call]:
        """Every call of the Web API, oldest first."""
        return self._web_api.calls

    @property
    def sent(self) -> list[Sent]:
        """Everything sent to the app, oldest first."""
        return self.delivery.sent

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
        self.changes.open()
        app = web.Application(
            middlewares=[origin.guard(name or host)], client_max_size=LARGEST_BODY
        )
        app.add_routes(self._web_api.routes())
        app.add_routes(self._file_transfer.routes())
        app.add_routes(self.socket_mode.routes())
        app.add_routes(ResponseUrls(self.workspace, self.faults).routes())
        app.add_routes(faults.routes(self.faults))
        app.add_routes(changes.routes(self.changes))
        app.add_routes(pages.routes("slack"))
        control = Control(
            person=self,
            admin=self,
            queries=self,
            page=self._page,
            socket_mode=self.socket_mode,
            limits=self.limits,
            calls=self.calls,
            sent=self.sent,
        )
        app.add_routes(control.routes())
        self._runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=tls).start()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{name or host}:{self._runner.addresses[0][1]}"
        self.delivery.start()

    async def stop(self) -> None:
        """Release the requests that faults hold, hang up on the app, and stop listening."""
        self.changes.close()
        await self.faults.clear()
        await self.socket_mode.close()
        await self.delivery.stop()
        if self._runner is not None:
            await connection.stop(self._runner)

    async def until(self, predicate: Callable[[], T]) -> T:
        """Return the first truthy value of ``predicate``, called again after every change."""
        return await self.changes.until(predicate)
