"""What people do in Slack, a listener each.

A listener checks, records durably and acknowledges, in this order; reads go on afterwards.

https://docs.slack.dev/tools/bolt-python/concepts/acknowledge
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp, AsyncBoltContext

from bot.domain.actions import MESSAGE_ACTIONS
from handlers import batch, buttons, commands, errors, shortcuts
from handlers.context import AppContext, Requester, has_requester

__all__ = ["AppContext", "register"]


def register(app: AsyncApp, house: AppContext) -> None:
    """Hang every listener into the app."""

    @app.use
    async def who_and_where(
        body: dict[str, Any], context: AsyncBoltContext, next_: Callable[[], Awaitable[None]]
    ) -> BoltResponse | None:
        """Put here what arrives in every listener as an argument of that name."""
        if not has_requester(body):
            return BoltResponse(status=200)
        context["house"] = house
        context["asker"] = Requester.of(body)
        await next_()
        return None

    @app.error
    async def door(error: Exception, body: dict[str, Any]) -> BoltResponse:
        return await errors.answer_before_ack(house, error, body)

    named = "|".join(map(re.escape, house.config.commands.names))
    app.command(re.compile(f"^({named})$"))(commands.command)
    app.event("app_mention")(commands.mention)
    app.event("message")(commands.message)
    app.event("app_home_opened")(shortcuts.home)
    app.shortcut("waiting")(shortcuts.show_waiting)
    for action in MESSAGE_ACTIONS:
        app.shortcut(action.name)(shortcuts.on_message)
    app.action(re.compile(""))(buttons.press)
    app.view("form")(buttons.submit)
    app.view("choosing")(batch.submit_selection)
    app.view("confirming")(batch.submit_confirmation)
