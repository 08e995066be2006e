"""One program under test: ``python -m tests.bench.serve <which> <slack> <secmaster> <database>``.

``which`` is ``ours``, ``bolt`` or ``bolt-pbr``. All three stand behind ``bot.server`` on aiohttp,
with the same check of the raw bytes. Prints its address, and ends when its input does.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import ClientSession, web
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.runtime.clock import Clock
from bot.secmaster.connect import open_secmaster
from bot.settings import Settings
from bot.web.server import web_app
from bot.web.signature import RequestVerifier
from tests.bench.bare import Bare
from tests.support.child import lines, say
from tests.support.environment import policy, settings_for


@asynccontextmanager
async def ours(settings: Settings) -> AsyncIterator[str]:
    # A comment names who decided, as it does where nobody says otherwise.
    async with App(settings, policy(POLICY + "[attribution]\n")) as app:
        yield app.url


@asynccontextmanager
async def bare(settings: Settings, *, before: bool) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        assert settings.slack_bot_token
        assert settings.slack_signing_secret
        token = settings.slack_bot_token.get_secret_value()
        session = await stack.enter_async_context(ClientSession())
        slack = AsyncWebClient(token, base_url=settings.slack_api_url, session=session)
        secmaster = await open_secmaster(settings, stack, Clock().now)
        identity = (await slack.auth_test()).data
        authorization = AuthorizeResult.from_auth_test_response(
            bot_token=token, auth_test_response=identity
        )
        bolt = Bare(slack, secmaster, before).app(authorization)
        secret = settings.slack_signing_secret.get_secret_value()
        application = web_app(Unread(bolt), RequestVerifier(secret), Well())
        runner = web.AppRunner(application, access_log=None)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"


@dataclass(frozen=True)
class Unread:
    """Bolt, which is given all that Slack sent, and reads it itself."""

    bolt: AsyncApp

    async def answer(self, content: object) -> BoltResponse:
        assert isinstance(content, dict)
        return await self.bolt.async_dispatch(AsyncBoltRequest(body=content, mode="socket_mode"))


class Well:
    """The health of a program that is not asked for it."""

    async def parts(self) -> dict[str, str]:
        return {}

    async def metrics(self) -> bytes:
        return b""


async def main(which: str, slack: str, secmaster: str, database: str) -> None:
    settings = settings_for(slack, secmaster, database)
    subject = ours(settings) if which == "ours" else bare(settings, before=which == "bolt-pbr")
    async with subject as url:
        say({"url": url})
        await (await lines()).read()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
