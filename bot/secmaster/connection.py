"""Open connections to SecMaster and IAM, with limits and timeouts and the reason for each."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from bot.network import STRAIGHT, Route

AT_ONCE = 8  # httpx's pool slows as it grows; eight carry more than SecMaster allows
PATIENCE = 30  # seconds of waiting for a free connection: harmless, for nothing has been sent

TIMEOUT = httpx.Timeout(
    connect=5,  # within a cloud TCP and TLS take well under a second; longer means nobody is there
    read=30,  # SecMaster moves a flow on before it answers an update; giving up leaves a doubt
    write=10,  # bodies are small, only attachments take a while
    pool=PATIENCE,
)

# One request from end to end: a response that drips in renews each of the above for ever.
WHOLE = 90  # seconds

LIMITS = httpx.Limits(
    max_connections=AT_ONCE,
    max_keepalive_connections=AT_ONCE,
    # Shorter than a gateway's own idle limit: a connection that it closes just as we write
    # costs a write whose answer is lost.
    keepalive_expiry=15,
)

# httpcore's event before it writes the first byte of a request.
SEND = "http11.send_request_headers.started"

# At DEBUG, httpcore logs the headers of every response, and IAM's carry the token.
logging.getLogger("httpcore.http11").setLevel(logging.INFO)


def open_http(timeout: httpx.Timeout = TIMEOUT, route: Route = STRAIGHT) -> httpx.AsyncClient:
    """Open a client that sends every request once, by this route.

    It follows no redirect and reads nothing from the environment, so credentials go nowhere
    else, and it has no retries: whether a write may be repeated is not decided down here.
    """
    proxy = None
    if route.proxy:
        headers = {"Proxy-Authorization": route.proxy.authorization}
        proxy = httpx.Proxy(
            route.proxy.url,
            headers=headers if route.proxy.authorization else None,
            ssl_context=route.context if route.proxy.url.startswith("https:") else None,
        )
    transport = httpx.AsyncHTTPTransport(
        verify=route.context, http2=False, retries=0, limits=LIMITS, trust_env=False, proxy=proxy
    )
    return httpx.AsyncClient(
        transport=transport,
        timeout=timeout,
        trust_env=False,
        follow_redirects=False,
        headers={"Accept": "application/json", "User-Agent": "secmaster-bot"},
    )


def send_anyhow() -> None:
    """Let a request be sent."""


class RequestTrace:
    """Follows a request on its way, as httpx's extension ``trace``.

    ``waits_for_tunnel``: it still waits for a proxy's tunnel, so that nothing of it was sent.
    Without that a proxy that hangs up on CONNECT looks like a server that hangs up on the request.

    ``before_send`` is called right before its first byte leaves, also where it is sent once more
    with a new credential; what it raises comes out of the request, of which nothing is sent then.
    By that time the request has its connection and its credential, for which it may have waited.
    https://www.encode.io/httpcore/extensions/#trace
    """

    def __init__(self, before_send: Callable[[], None] = send_anyhow) -> None:
        self.waits_for_tunnel = False
        self._before_send = before_send

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if request := info.get("request"):
            self.waits_for_tunnel = request.method == b"CONNECT"
            if event == SEND and not self.waits_for_tunnel:
                self._before_send()
