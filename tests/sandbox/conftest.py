"""Fixtures that call the local Slack: a plain HTTP session, and Slack's own client."""

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
