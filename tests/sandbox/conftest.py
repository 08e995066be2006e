"""How the local Slack is called: with a session of one's own, or with Slack's own client."""

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def client(slack, session):
    return AsyncWebClient("xoxb-demo", base_url=slack.url + "/api/", session=session)
