"""Slack's listeners: commands, mentions, buttons, forms, shortcuts and Home.

A listener checks, records durably and acknowledges, in this order; reads go on afterwards.

https://docs.slack.dev/tools/bolt-python/concepts/acknowledge
"""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncBoltContext

from bot.domain.actions import MESSAGE_ACTIONS
from bot.slack.connect import TimelyBolt
from handlers import batch, buttons, commands, errors, shortcuts
from handlers.context import AppContext, Recorder, has_requester, identified, requester_of

__all__ = ["AppContext", "Recorder", "register"]


def register(bolt: TimelyBolt, recorder: Recorder) -> None:
    """Register every listener with Bolt."""
    app = recorder.app

    @bolt.use
    async def add_arguments(
        body: dict[str, Any], context: AsyncBoltContext, next_: Callable[[], Awaitable[None]]
    ) -> BoltResponse | None:
        """Give every listener the arguments that Bolt passes by name.

        These are ``app`` and ``requester``, and ``recorder`` for what records. A payload without a
        requester is acknowledged here and goes no further.
        """
        if not has_requester(body):
            return BoltResponse(status=200)
        context["app"] = app
        context["recorder"] = recorder
        context["requester"] = await identified(app, requester_of(body))
        await next_()
        return None

    @bolt.error
    async def on_error(error: Exception, body: dict[str, Any]) -> BoltResponse:
        return await errors.answer_before_ack(app, error, body)

    bolt.on_error = partial(errors.answer_before_ack, app)
    command_names = "|".join(map(re.escape, app.config.commands.names))
    bolt.command(re.compile(f"^({command_names})$"))(commands.command)
    bolt.event("app_mention")(commands.mention)
    bolt.event("message")(commands.direct_message)
    bolt.event("app_home_opened")(shortcuts.home)
    bolt.shortcut("waiting")(shortcuts.show_waiting)
    for action in MESSAGE_ACTIONS:
        bolt.shortcut(action.name)(shortcuts.on_message)
    bolt.action(re.compile(""))(buttons.press)
    bolt.view("form")(buttons.submit)
    bolt.view("choosing")(batch.submit_selection)
    bolt.view("confirming")(batch.submit_confirmation)
