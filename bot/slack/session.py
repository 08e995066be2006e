"""The session of every request to Slack: by which proxy each goes, and why one reached nobody."""

import logging

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, hdrs
from yarl import URL

from bot.network import ConnectionFailure, Network

log = logging.getLogger(__name__)

# In seconds; aiohttp's own total is five minutes. ``connect`` is a connection with its tunnel.
TIMEOUT = aiohttp.ClientTimeout(total=60, connect=20, sock_connect=10)

# What aiohttp raises before anything of the request leaves.
NOTHING_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
)
PROXY_WANTS_A_PASSWORD = 407


class NotConnected(aiohttp.ClientConnectionError):
    """No connection to Slack came about, and nothing was sent; the text says why, without secrets.

    aiohttp's own texts have addresses in them, and those of Slack's websockets a ticket.
    """

    def __init__(self, problem: str, failure: ConnectionFailure) -> None:
        super().__init__(problem)
        self.failure = failure


class Router:
    """Sends each request by the route to its host; of a host that can't be reached it logs why.

    It decides for whoever asks: the SDK's clients read a proxy from the environment by themselves.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._problems: dict[str, str] = {}  # what was logged last, by host

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send a request; raises NotConnected."""
        route = self._network.route(str(request.url))
        host = request.url.host_port_subcomponent or ""
        headers = {}
        if route.proxy and route.proxy.authorization:
            headers[hdrs.PROXY_AUTHORIZATION] = route.proxy.authorization
        request.update_proxy(URL(route.proxy.url) if route.proxy else None, None, headers)
        if not request.is_ssl():  # no CONNECT takes them to the proxy
            request.headers.update(headers)
        try:
            response = await handler(request)
        except NOTHING_SENT as error:
            failure, problem = route.failure(error), route.explain(error, host)
            raise self._failed(host, problem, failure) from error
        if response.status == PROXY_WANTS_A_PASSWORD:
            response.close()
            failure = ConnectionFailure.PROXY_PASSWORD
            raise self._failed(host, route.sentence(failure, host), failure)
        self._problems.pop(host, None)
        return response

    def _failed(self, host: str, problem: str, failure: ConnectionFailure) -> NotConnected:
        if self._problems.get(host) != problem:
            log.warning("Slack can't be reached", extra={"problem": problem})
        self._problems[host] = problem
        return NotConnected(problem, failure)


def open_session(
    network: Network, timeout: aiohttp.ClientTimeout = TIMEOUT
) -> aiohttp.ClientSession:
    """Open a session that reads nothing from the environment.

    With a matching line in a ``.netrc`` every call would fail for its second Authorization.
    """
    connector = aiohttp.TCPConnector(ssl=network.tls)
    return aiohttp.ClientSession(
        connector=connector, middlewares=[Router(network)], timeout=timeout, trust_env=False
    )


def unreachable(error: Exception, name: str = "Slack") -> str:
    """Say that a call got no answer and why, for whoever runs the bot; never a secret.

    What the network says is a sentence that names a host or a proxy, and all there is.
    """
    if isinstance(error, NotConnected):
        return str(error)
    if isinstance(error, TimeoutError):
        return f"{name} can't be reached: no answer came in time"
    return f"{name} can't be reached: the connection broke ({type(error).__name__})"
