"""What people write with Bolt in an afternoon: the same two calls, and no memory at all.

``bolt`` is Bolt as it comes: the listener acknowledges first and makes the calls afterwards.
``bolt-pbr`` has ``process_before_response``: there the acknowledgement leaves when the listener
returns, so the calls are made in a task that is started after ``ack()`` and owned by nobody but
a set. Both get our own settings where those make Bolt faster: one shared session, an identity
that is known, and the signature checked once, by the same server in front.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.cards import ButtonValue
from bot.messages import modals
from bot.secmaster import SecMaster, TaskAction

Body = dict[str, Any]
Work = Coroutine[Any, Any, None]


@dataclass
class Bare:
    """``before`` is Bolt's ``process_before_response``."""

    slack: AsyncWebClient
    secmaster: SecMaster
    before: bool
    running: set[asyncio.Task[None]] = field(default_factory=set)

    def app(self, authorization: AuthorizeResult) -> AsyncApp:
        async def authorize() -> AuthorizeResult:
            return authorization

        app = AsyncApp(
            client=AsyncWebClient(session=self.slack.session),  # Bolt itself calls nothing
            authorize=authorize,
            process_before_response=self.before,
            request_verification_enabled=False,
        )
        app.action("task.approve")(self._listener(self._pressed))
        app.view("form")(self._listener(self._submitted))
        app.command("/secmaster")(self._listener(self._typed))
        return app

    def _listener(self, work: Callable[[Body], Work]) -> Callable[..., Awaitable[None]]:
        async def listen(ack: AsyncAck, body: Body) -> None:
            await ack()
            if self.before:
                task = asyncio.create_task(work(body))
                self.running.add(task)
                task.add_done_callback(self.running.discard)
            else:
                await work(body)

        return listen

    async def _pressed(self, body: Body) -> None:
        button = ButtonValue.parse(body["actions"][0]["value"])
        assert button
        await self.secmaster.update_task(button.ref.id, action=TaskAction.CONTINUE)
        channel, thread = body["channel"]["id"], body["container"]["message_ts"]
        await self._say(channel, thread, f"Approved by <@{body['user']['id']}>")

    async def _submitted(self, body: Body) -> None:
        view = body["view"]
        state = modals.FormState.model_validate_json(view["private_metadata"])
        [comment] = view["state"]["values"]["comment"].values()
        await self._comment(state.ref.id, comment["value"])
        who = f"Comment by <@{body['user']['id']}>"
        await self._say(state.location.channel, state.location.card, who)

    async def _typed(self, body: Body) -> None:
        """``task comment <id> <text>``; without a memory there is no card's thread to answer in."""
        _noun, _verb, task, text = body["text"].split(maxsplit=3)
        await self._comment(task, text)
        await self._say(body["channel_id"], None, f"Comment by <@{body['user_id']}>")

    async def _comment(self, task: str, text: str) -> None:
        await self.secmaster.update_task(task, action=TaskAction.ADD_COMMENT, comment=text)

    async def _say(self, channel: str, thread: str | None, text: str) -> None:
        await self.slack.chat_postMessage(channel=channel, thread_ts=thread, text=text)
