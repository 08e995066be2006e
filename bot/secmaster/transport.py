"""Send requests to one workspace of SecMaster, each once, whatever they ask.

Deciding whether to ask again is left to the caller, who knows what is at stake.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from copy import copy
from datetime import datetime
from typing import Any, Self

import httpx

from bot.network import STRAIGHT, Route, ends_at
from bot.secmaster.auth import Auth
from bot.secmaster.connection import (
    AT_ONCE,
    PATIENCE,
    TIMEOUT,
    WHOLE,
    RequestTrace,
    open_http,
    send_anyhow,
)
from bot.secmaster.errors import AnswerLost, Unreachable
from bot.secmaster.measured import OnRequest, ignore
from bot.secmaster.replies import SECMASTER, Reply, broken, read
from bot.secmaster.wire import JSON, base_url, json_body, query, segment

NO_HEADERS: Mapping[str, str] = {}


class Transport:
    """One workspace of SecMaster, asked with one credential, whatever it is asked.

    Paths begin with the part of SecMaster that they belong to, such as ``/soc`` or ``/sa``.
    """

    certificate_ends_at: datetime | None = None

    def __init__(  # noqa: PLR0913 - the workspace's address, its credential, and how it is asked
        self,
        *,
        endpoint: str,
        project_id: str,
        workspace_id: str,
        auth: Auth,
        timeout: httpx.Timeout = TIMEOUT,
        http: httpx.AsyncClient | None = None,
        on_request: OnRequest = ignore,
        route: Route = STRAIGHT,
    ) -> None:
        workspace = f"/v1/{segment(project_id)}/workspaces/{segment(workspace_id)}"
        self._base = base_url(endpoint) + workspace
        self.on_request = on_request
        self.auth = auth
        self._http = http or open_http(timeout, route)
        self._peer = SECMASTER.at(self._base, route)
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def with_auth(self, auth: Auth) -> Self:
        """Return a client of the same workspace, over the same connections, that signs in so."""
        other = copy(self)
        other.auth = auth
        return other

    @asynccontextmanager
    async def _connection_slot(self) -> AsyncIterator[None]:
        """Hold one of the connections; raises Unreachable when none is free for PATIENCE seconds.

        Waiting happens here because in httpx's pool each request that waits slows all others.
        """
        try:
            # Not wait_for: in Python 3.11 it may swallow that the caller is being cancelled.
            async with asyncio.timeout(PATIENCE):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Unreachable(f"no connection was free within {PATIENCE} s") from error
        try:
            yield
        finally:
            self._slots.release()

    async def _get(self, path: str, params: Mapping[str, Any] | None = None) -> Reply:
        return await self._request("GET", f"{path}?{query(params)}" if params else path)

    async def _send_json(
        self,
        method: str,
        path: str,
        fields: Mapping[str, Any],
        before_send: Callable[[], None] = send_anyhow,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Reply:
        """Send the filled fields as JSON; ``before_send`` may raise as they are about to leave."""
        content, headers = json_body(fields), {"Content-Type": JSON, **headers}
        trace = RequestTrace(before_send)
        return await self._request(method, path, trace, content=content, headers=headers)

    async def _request(
        self, method: str, path: str, trace: RequestTrace | None = None, **body: Any
    ) -> Reply:
        """Send one request, once: the only place of the client that touches the network."""
        url = self._base + path
        trace = trace or RequestTrace()
        body["extensions"] = {"trace": trace}
        try:
            async with self._connection_slot(), asyncio.timeout(WHOLE):
                response = await self._http.request(method, url, auth=self.auth, **body)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise broken(error, self._peer, may_be_sent=not trace.waits_for_tunnel) from error
        except TimeoutError as error:
            if trace.waits_for_tunnel:
                raise broken(error, self._peer, may_be_sent=False) from error
            raise AnswerLost(f"no whole answer within {WHOLE} s") from error
        if certificate := _certificate(response):
            self.certificate_ends_at = ends_at(certificate)
        return read(response, self._peer)


def _certificate(response: httpx.Response) -> Mapping[str, Any]:
    """Return the certificate of the server that answered, empty without TLS."""
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream else None
    return (tls and tls.getpeercert()) or {}
