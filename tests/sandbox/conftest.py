"""Fixtures that call the local Slack: a plain HTTP session, and Slack's own client."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def client(slack: SlackSandbox, session: aiohttp.ClientSession) -> AsyncWebClient:
    return AsyncWebClient("xoxb-demo", base_url=slack.url + "/api/", session=session)
