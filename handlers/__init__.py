"""Slack's listeners: commands, mentions, buttons, forms, shortcuts and Home.

A listener checks, records durably and acknowledges, in this order; reads go on afterwards.

https://docs.slack.dev/tools/bolt-python/concepts/acknowledge
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from slack_bolt.async_app import AsyncBoltContext

from bot.messages import batch_forms, modals
from bot.messages import escalations as escalation_messages
from bot.messages import mutes as mute_messages
from bot.messages import watch as watch_messages
from bot.slack.connect import PayloadDoor, TimelyBolt
from handlers import (
    batch,
    buttons,
    commands,
    errors,
    escalations,
    mutes,
    payloads,
    shortcuts,
    traces,
    watch,
)
from handlers.context import AppContext, Recorder, identified
from handlers.payloads import Payload

__all__ = ["AppContext", "Recorder", "payload_door", "register"]


def payload_door(app: AppContext) -> PayloadDoor[Payload]:
    """Return how payloads are read, how each is answered whose listener fails, and counted."""

    def acknowledged(payload: Payload | None, error: Exception | None, seconds: float) -> None:
        source = error if isinstance(error, payloads.Unreadable) else payload
        traces.acknowledge(app, source, seconds)

    return PayloadDoor(payloads.read, partial(errors.answer_before_ack, app), acknowledged)


def register(bolt: TimelyBolt[Payload], recorder: Recorder) -> None:
    """Register every listener with Bolt."""
    app = recorder.app

    @bolt.use
    async def add_arguments(
        slack_payload: Payload, context: AsyncBoltContext, next_: Callable[[], Awaitable[None]]
    ) -> None:
        """Give every listener the arguments that Bolt passes by name.

        These are ``app`` and ``slack_payload``, and ``recorder`` for what records.
        """
        context["app"] = app
        context["recorder"] = recorder
        requester = await identified(app, slack_payload.requester)
        context["slack_payload"] = replace(slack_payload, requester=requester)
        await next_()

    command_names = "|".join(map(re.escape, app.config.commands.names))
    bolt.command(re.compile(f"^({command_names})$"))(commands.command)
    bolt.event("app_mention")(commands.mention)
    bolt.event("app_home_opened")(shortcuts.home)
    bolt.shortcut(payloads.WAITING_SHORTCUT)(shortcuts.show_waiting)
    for callback_id in payloads.MESSAGE_SHORTCUTS:
        bolt.shortcut(callback_id)(shortcuts.on_message)
    bolt.action(re.compile(""))(buttons.press)
    bolt.view(modals.FORM)(buttons.submit)
    bolt.view(watch_messages.SNOOZE_FORM)(watch.submit_snooze)
    bolt.view(escalation_messages.ESCALATE)(escalations.submit)
    bolt.view(mute_messages.MUTE)(mutes.submit)
    bolt.view(batch_forms.CHOOSING)(batch.submit_selection)
    bolt.view(batch_forms.CONFIRMING)(batch.submit_confirmation)
