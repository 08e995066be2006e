"""``secmaster-bot doctor --listen``: wait for one real request of Slack's, and say what is wrong.

In the place of the bot: on its port, or over a connection of its own in Socket Mode. Nothing is
carried out, and whoever asked is told so, or has it delivered again.
"""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import timedelta
from urllib.parse import parse_qs

from aiohttp import web
from aiohttp.typedefs import Handler
from rich.console import Console
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bot.app import listen
from bot.cli.doctor.examination import usable_settings
from bot.cli.doctor.results import CheckFailed, failed, ok, print_result
from bot.domain.slack import EVENTS_PATH
from bot.messages import slack_delivery as words
from bot.messages.catalogue import Catalogue
from bot.runtime.timeouts import SocketTimeouts
from bot.settings import Settings, text_of
from bot.slack.connect import address_client, open_slack
from bot.web.connections import serve
from bot.web.server import MAX_BYTES
from bot.web.signature import Finding, RequestVerifier, Verdict
from bot.web.socket_connection import LINK_DISABLED, Connection, NotOpened, open_connection

# Slack shows people that it failed, and delivers an event again.
NOT_TAKEN = 503
ASK = "Type /secmaster help in Slack now."


async def listen_once(within: float, console: Console | None = None) -> bool:
    """Wait for one request, print what it shows, and return whether all is well with it."""
    console = console or Console()
    settings = usable_settings(console)
    if settings is None:
        return False
    wait = wait_for_envelope if settings.socket_mode else wait_for_request
    try:
        result = ok(await wait(settings, within, console))
    except CheckFailed as error:
        result = failed(str(error))
    print_result(console, "request", result)
    return result.is_well


async def wait_for_request(settings: Settings, within: float, console: Console) -> str:
    """Wait for a request on the bot's port; raises CheckFailed, and StartError if it is taken.

    Anybody can send one whose signature does not fit. So it is told, and listening goes on.
    """
    verifier = RequestVerifier(text_of(settings.slack_signing_secret))
    arrival: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
    doubtful: list[Verdict] = []

    async def receive(request: web.Request) -> web.Response:
        if request.method != "POST":  # a load balancer, before it lets Slack's through
            return web.Response(text="ok\n")
        body = await request.read()
        other_path = "" if request.path == EVENTS_PATH else request.path
        verdict = verifier.verify(request.headers, body, lost_at=other_path)
        if verdict.finding.is_proven and not arrival.done():
            arrival.set_result(verdict)
        if not verdict.finding.is_proven and verdict.problem and verdict not in doubtful:
            console.print(preliminary(verdict), highlight=False, soft_wrap=True)
            doubtful.append(verdict)
        if verdict.finding is Finding.GENUINE:
            return answer(body)
        return web.Response(status=404 if verdict.finding is Finding.PATH else 401)

    async with AsyncExitStack() as stack:
        url = await open_ports(settings, receive, stack)
        console.print(f"Listening at {url}. {ASK}", highlight=False, soft_wrap=True)
        try:
            async with asyncio.timeout(within):
                verdict = await arrival
        except TimeoutError:
            if not doubtful:
                strangers = verifier.counts[Finding.UNSIGNED]
                raise CheckFailed(nothing_came(within, strangers)) from None
            verdict = doubtful[-1]
    if verdict.problem:
        raise CheckFailed(f"it is refused: {verdict.problem}")
    return "it came in time, with a valid signature, and as Slack sent it"


async def open_ports(settings: Settings, handler: Handler, stack: AsyncExitStack) -> str:
    """Have requests on the bot's ports handled until the stack ends; returns the address of one.

    Where health has a port of its own, a load balancer asks there before it lets Slack's through.
    """
    ports = {"BOT_PORT": settings.bot_port}
    if settings.bot_health_port is not None:
        ports["BOT_HEALTH_PORT"] = settings.bot_health_port
    urls = []
    for setting, port in ports.items():
        application = web.Application(client_max_size=MAX_BYTES)
        application.router.add_route("*", "/{path:.*}", handler)
        listener = stack.enter_context(listen(settings.bot_host, port, setting))
        urls.append(await stack.enter_async_context(serve(application, listener)))
    return urls[0]


def answer(body: bytes) -> web.Response:
    """Answer a genuine request so that a person sees something, or Slack delivers it again."""
    try:
        content = json.loads(body)
    except ValueError:
        fields = parse_qs(body.decode(errors="replace"))
        if "command" in fields:
            return web.json_response({"response_type": "ephemeral", "text": words.DOCTOR_HEARD})
        return web.Response(status=200 if "ssl_check" in fields else NOT_TAKEN)
    if isinstance(content, dict) and content.get("type") == "url_verification":
        return web.json_response({"challenge": content.get("challenge")})
    return web.Response(status=NOT_TAKEN)


def preliminary(verdict: Verdict) -> str:
    return f"A request came whose signature doesn't fit. If it was yours: {verdict.problem}."


def nothing_came(within: float, strangers: int) -> str:
    duration = Catalogue.english().duration(timedelta(seconds=within))
    if strangers:
        return (
            f"within {duration} no request had Slack's headers, and {strangers} had none: the port "
            "can be reached, and a proxy may take the headers off"
        )
    return (
        f"nothing was posted within {duration}: compare the app's request URLs with the address "
        "that leads here, and look at the proxy and the firewall before it"
    )


async def wait_for_envelope(settings: Settings, within: float, console: Console) -> str:
    """Wait for an envelope over a connection in Socket Mode; raises CheckFailed."""
    async with AsyncExitStack() as stack:
        app_token = text_of(settings.slack_app_token)
        client = address_client(await open_slack(settings, stack))
        try:
            connection = await open_connection(client, app_token, SocketTimeouts())
        except NotOpened as error:
            raise CheckFailed(str(error)) from error
        stack.push_async_callback(connection.close)
        console.print(f"Connected to Slack. {ASK}", highlight=False, soft_wrap=True)
        others = connection.app_connections - 1
        if others > 0:
            sentence = f"Slack may give it to one of {others} other connections: end the bot first."
            console.print(sentence, highlight=False, soft_wrap=True)
        try:
            async with asyncio.timeout(within):
                async for message in connection.messages():
                    if request := await connection.request(message):
                        await acknowledge(connection, request)
                        return "it came over the connection"
        except TimeoutError:
            duration = Catalogue.english().duration(timedelta(seconds=within))
            problem = f"the connection is open, and nothing came over it within {duration}"
            raise CheckFailed(f"{problem}: is this token the installed app's?") from None
    if connection.reason == LINK_DISABLED:
        raise CheckFailed(words.SWITCHED_OFF)
    raise CheckFailed("Slack closed the connection before anything came over it: listen once more")


async def acknowledge(connection: Connection, request: SocketModeRequest) -> None:
    """Answer a command; all else is left unacknowledged, so that it fails or comes again."""
    if request.type == "slash_commands":
        payload = {"text": words.DOCTOR_HEARD}
        await connection.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))
