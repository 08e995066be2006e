"""What people do in Slack, a listener each.

A listener checks, records durably and acknowledges, in this order; reads go on afterwards.

https://docs.slack.dev/tools/bolt-python/concepts/acknowledge
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp, AsyncBoltContext

from bot.domain.actions import FROM_MESSAGES
from handlers import batch, buttons, commands, errors, shortcuts
from handlers.context import Asker, House, names_a_person

__all__ = ["House", "register"]


def register(app: AsyncApp, house: House) -> None:
    """Hang every listener into the app."""

    @app.use
    async def who_and_where(
        body: dict[str, Any], context: AsyncBoltContext, next_: Callable[[], Awaitable[None]]
    ) -> BoltResponse | None:
        """Put here what arrives in every listener as an argument of that name."""
        if not names_a_person(body):
            return BoltResponse(status=200)
        context["house"] = house
        context["asker"] = Asker.of(body)
        await next_()
        return None

    @app.error
    async def door(error: Exception, body: dict[str, Any]) -> BoltResponse:
        return await errors.before_ack(house, error, body)

    named = "|".join(map(re.escape, house.config.commands.names))
    app.command(re.compile(f"^({named})$"))(commands.command)
    app.event("app_mention")(commands.mention)
    app.event("message")(commands.message)
    app.event("app_home_opened")(shortcuts.home)
    app.shortcut("waiting")(shortcuts.anywhere)
    for action in FROM_MESSAGES:
        app.shortcut(action.name)(shortcuts.on_message)
    app.action(re.compile(""))(buttons.press)
    app.view("form")(buttons.submit)
    app.view("choosing")(batch.chosen)
    app.view("confirming")(batch.confirmed)
