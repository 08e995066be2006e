"""Whatever shape Slack sends, it gets its 200; nothing is written, and no traceback is logged."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest

from bot.sandbox.slack.delivery import encode_form
from handlers.payloads import Unreadable, read
from tests.support.environment import BotEnvironment
from tests.support.people import DAVE
from tests.support.slack_shapes import (
    COMMANDS,
    DM,
    INTERACTIVE,
    NOW,
    SERVED,
    TS,
    UNSERVED,
    Shape,
    command,
    in_enterprise,
    odd_variants,
)
from tests.support.timeouts import PATIENCE

AT_ONCE = 8
by_both_ways_in = pytest.mark.parametrize("mode", ["http", "socket"], indirect=True)


@pytest.fixture
async def environment(
    environment: BotEnvironment, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[BotEnvironment]:
    """The bot, of which nothing is logged with a traceback, and nothing is written."""
    environment.ignore_messages()
    with caplog.at_level(logging.INFO):
        yield environment
        await environment.app.services.background.drain()
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    assert [record.getMessage() for record in records if record.exc_info] == []
    assert [request for request in environment.secmaster.requests if request.method == "PUT"] == []


async def unanswered(
    environment: BotEnvironment, mode: str, shapes: Iterable[tuple[str, Shape]]
) -> list[str]:
    """Have all of these delivered, and return those that are not acknowledged."""
    names: list[str] = []
    turns = asyncio.Semaphore(AT_ONCE)

    async def deliver(name: str, shape: Shape) -> None:
        async with turns:
            if mode == "http":
                answer = await environment.slack.delivery.raw(*encode_form(*shape))
                acknowledged = (answer.status, answer.error) == (200, "")
            else:
                sending = environment.slack.socket_mode.send(shape.kind, shape.payload, {})
                _done, late = await asyncio.wait([asyncio.ensure_future(sending)], timeout=PATIENCE)
                acknowledged = not late
        if not acknowledged:
            names.append(name)

    await asyncio.gather(*(deliver(name, shape) for name, shape in shapes))
    return names


def odd_shapes() -> Iterator[tuple[str, Shape]]:
    """Yield everything that the bot serves with each of its parts missing or odd.

    Each message is one of its own, which was not answered before.
    """
    for served, (kind, payload) in SERVED.items():
        for number, (part, variant) in enumerate(odd_variants(payload)):
            event = variant.get("event")
            if isinstance(event, dict) and event.get("ts") == TS:
                event["ts"] = f"{NOW}.{number + 1:06d}"
            yield f"{served}: {part}", Shape(kind, variant)


def outcome(payload: dict[str, Any]) -> str:
    """Return what all behind the reading of a payload depends on, but for a message's ts."""
    try:
        text = repr(read(payload))
    except Unreadable as error:
        text = repr((error.kind, error.field, error.requester))
    return re.sub(rf"{NOW}\.\d+", "", text)


@by_both_ways_in
async def test_what_is_not_served_is_acknowledged_quietly(
    environment: BotEnvironment, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    shapes = [(str(shape)[:200], shape) for shape in UNSERVED]
    assert await unanswered(environment, mode, shapes) == []
    await environment.app.services.background.drain()
    # What a start asks for.
    asked = {"auth.test", "usergroups.list", "apps.connections.open"}
    assert [call for call in environment.slack.calls if call.method not in asked] == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@by_both_ways_in
async def test_every_kind_that_slack_documents_is_acknowledged_whatever_part_is_missing_or_odd(
    environment: BotEnvironment, mode: str
) -> None:
    """Of all that is read as the same thing one is delivered: nothing behind knows them apart."""
    kinds = {
        str(variant): (str(variant)[:200], variant)
        for shape in (*SERVED.values(), *UNSERVED, command("/another", "hello"))
        for variant in (shape, in_enterprise(shape))
    }
    odd = {
        (name.partition(":")[0], outcome(shape.payload)): (name, shape)
        for name, shape in odd_shapes()
    }
    assert len(kinds) > 250
    assert len(odd) > 100
    assert await unanswered(environment, mode, [*kinds.values(), *odd.values()]) == []


async def test_whoever_did_what_cannot_be_read_is_told_calmly(
    environment: BotEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    def lacking_its_trigger(name: str) -> Shape:
        kind, payload = SERVED[name]
        return Shape(kind, payload | {"trigger_id": None})

    sentence = "Slack's request was incomplete (`{}` is missing)"
    deliver = environment.slack.delivery.raw
    command = await deliver(*encode_form(COMMANDS, {"command": "/task", "user_id": DAVE}))
    assert sentence.format("channel_id") in command.body["text"]
    form = SERVED["form"].payload
    without_inputs = form | {"view": form["view"] | {"state": None}}
    submission = await deliver(*encode_form(INTERACTIVE, without_inputs))
    assert sentence.format("state") in str(submission.body["view"]["blocks"])
    await deliver(*encode_form(*lacking_its_trigger("button")))
    await environment.ephemeral(DAVE, sentence.format("trigger_id"))
    await deliver(*encode_form(*lacking_its_trigger("global shortcut")))
    await environment.posted(DM, sentence.format("trigger_id"))
    lines = [record for record in caplog.records if record.name == "handlers.errors"]
    assert [vars(line)["payload"] for line in lines] == [
        "SlashCommand",
        "Submission",
        "Press",
        "GlobalShortcut",
    ]
