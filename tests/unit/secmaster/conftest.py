"""Fixtures that open clients, and the local servers that they speak to."""

from contextlib import AsyncExitStack

import httpx
import pytest

from bot.secmaster import Auth, SecMaster, TokenAuth
from tests.support.http_stand import OpenClient, Stand, serve


@pytest.fixture
async def stand(stack: AsyncExitStack) -> Stand:
    """The server in the place of SecMaster."""
    stand = Stand()
    stand.url = await serve(stand.handle, stack)
    return stand


@pytest.fixture
async def iam(stack: AsyncExitStack) -> Stand:
    """A second server, to give tokens."""
    iam = Stand()
    iam.url = await serve(iam.handle, stack)
    return iam


@pytest.fixture
def client_for(stack: AsyncExitStack) -> OpenClient:
    """Open a client that is closed when the test ends."""

    async def client_for(
        url: str, auth: Auth | None = None, wait: float | httpx.Timeout = 5.0
    ) -> SecMaster:
        client = SecMaster(
            endpoint=url,
            project_id="p1",
            workspace_id="w1",
            auth=auth or TokenAuth("given-token"),
            timeout=httpx.Timeout(wait),
        )
        return await stack.enter_async_context(client)

    return client_for


@pytest.fixture
async def client(client_for: OpenClient, stand: Stand) -> SecMaster:
    return await client_for(stand.url)
