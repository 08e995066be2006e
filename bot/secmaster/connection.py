"""Open connections to SecMaster and IAM, with limits and timeouts and the reason for each."""

import logging
from collections.abc import Mapping
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


class TunnelWatch:
    """Whether a request still waits for a proxy's tunnel, so that nothing of it was sent.

    It is httpx's extension ``trace`` of that request. Without it a proxy that hangs up on CONNECT
    looks like a server that hangs up on the request.
    https://www.encode.io/httpcore/extensions/#trace
    """

    def __init__(self) -> None:
        self.is_waiting = False

    async def __call__(self, _event: str, info: Mapping[str, Any]) -> None:
        if request := info.get("request"):
            self.is_waiting = request.method == b"CONNECT"
