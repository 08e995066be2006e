"""The steps that touch Slack: answer in the thread, keep the cards true, tell one person.

Slack has no idempotency key for a message, so ours carry metadata that names the operation, and
whoever may be posting for the second time looks for the first before.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError

from bot import messages
from bot.actions import Snapshot
from bot.flows.desk import desk
from bot.messages import Message
from bot.models import Card, Operation, Outcome, Place, Ref, Verdict
from bot.secmaster import NotFound, SecMasterError

log = logging.getLogger(__name__)

PAUSES = (0.5, 1, 2, 4, 8)
CLOCKS_DIFFER = timedelta(minutes=2)
# What https://docs.slack.dev/reference/methods/chat.postMessage answers for a place where we
# may not write; asking again would not change it.
NO_ENTRY = {
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_locked",
    "thread_not_found",
    "message_not_found",
    "cant_update_message",
}


class CannotPost(Exception):
    """Slack will not let us write there; ``code`` is its own word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def outcome(operation: Operation, outcome: Outcome) -> None:
    """Answer in the card's thread, or to the person alone where nothing reached SecMaster."""
    line = messages.outcome(operation, outcome)
    if outcome.trouble in ("not_now", "cannot_post") or not operation.place.card:
        standing = await asyncio.to_thread(desk().store.standing, operation.ref)
        await privately(operation, messages.outcome(operation, outcome, standing))
        return
    try:
        await _in_thread(operation, "outcome", line)
    except CannotPost as error:
        log.warning("thread closed to us", extra={"code": error.code})
        await privately(operation, line)


async def trouble(operation: Operation, outcome: Outcome) -> None:
    """Say once that SecMaster is in trouble and that the operation is kept."""
    line = messages.trouble(operation, outcome, desk().patience.seconds)
    try:
        if operation.place.card:
            await _in_thread(operation, "trouble", line)
        else:
            await privately(operation, line)
    except CannotPost:
        await privately(operation, line)


async def lost(operation: Operation, holder: Verdict) -> None:
    """Tell whoever came second who came first."""
    await privately(operation, messages.lost(operation, holder))


async def redraw(ref: Ref) -> None:
    """Draw every card of an object anew, from what SecMaster says now."""
    async with desk().redraws[ref]:
        cards = await asyncio.to_thread(desk().store.cards_of, ref)
        if cards:
            drawn = await draw(ref, cards[0].title)
            await asyncio.gather(*(_update(card, drawn) for card in cards if drawn))


async def draw(ref: Ref, title: str = "") -> Message | None:
    """The object's card as it is now; None while SecMaster cannot be read."""
    standing = asyncio.to_thread(desk().store.standing, ref)
    try:
        snapshot, verdict = await asyncio.gather(desk().look(ref), standing)
    except NotFound:
        return messages.vanished(desk().frame(ref), title)
    except SecMasterError:
        log.warning("card not redrawn", extra={"ref": str(ref)})
        return None
    return messages.card(desk().frame(ref), snapshot, verdict)


async def card_here(operation: Operation, snapshot: Snapshot) -> str:
    """The ts of the object's card in the channel, posting one where there is none."""
    cards = await asyncio.to_thread(desk().store.cards_of, operation.ref)
    here = [card.ts for card in cards if card.channel == operation.place.channel]
    return here[0] if here else await post_card(operation.place, operation.ref, snapshot, operation)


async def post_card(
    place: Place, ref: Ref, snapshot: Snapshot, operation: Operation | None = None
) -> str:
    """Post a new card into the channel and remember it; returns its ts."""
    verdict = await asyncio.to_thread(desk().store.standing, ref)
    drawn = messages.card(desk().frame(ref), snapshot, verdict)
    metadata = {"operation": operation.id, "part": "card"} if operation else {"part": "card"}
    found = ""
    if operation and operation.launch != desk().launch:
        found = await _found(place.channel, "", metadata, operation.accepted_at)
    ts = found or await _post(place.channel, "", drawn, metadata)
    card = Card(ref=ref, channel=place.channel, ts=ts, title=snapshot.name)
    await asyncio.to_thread(desk().store.add_card, card, desk().clock())
    return ts


async def privately(operation: Operation, message: Message) -> None:
    """Tell only the person who asked, by whatever way is still open."""
    await whisper(operation.place, operation.actor.id, message)


async def whisper(place: Place, user: str, message: Message) -> None:
    """Answer one person where they asked; in a direct message if that place is closed to us."""
    if place.response_url and await _respond(place.response_url, message):
        return
    slack = desk().slack
    try:
        if place.channel.startswith("D"):
            await slack.chat_postMessage(
                channel=place.channel, thread_ts=place.thread or None, **message.payload
            )
        else:
            await slack.chat_postEphemeral(
                channel=place.channel, user=user, thread_ts=place.thread or None, **message.payload
            )
    except SlackApiError as error:
        log.warning("told by direct message", extra={"code": error.response["error"]})
        await slack.chat_postMessage(channel=user, **message.payload)


async def replace(place: Place, message: Message) -> None:
    """Put a message in the place of the one that was pressed, for the person alone."""
    if not await _respond(place.response_url, message, replacing=True):
        log.warning("a page could not be turned")


async def _respond(url: str, message: Message, *, replacing: bool = False) -> bool:
    # The same session as for all of Slack: a response_url needs no token.
    session = desk().slack.session
    if session is None:
        return False
    body = {"response_type": "ephemeral", "replace_original": replacing, **message.payload}
    try:
        async with session.post(url, json=body) as reply:
            return reply.status == 200  # noqa: PLR2004
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _in_thread(operation: Operation, part: str, message: Message) -> None:
    metadata = {"operation": operation.id, "part": part}
    channel, thread = operation.place.channel, operation.place.card
    doubtful = operation.launch != desk().launch
    if doubtful and await _found(channel, thread, metadata, operation.accepted_at):
        return
    await _post(channel, thread, message, metadata)


async def _post(channel: str, thread: str, message: Message, metadata: dict[str, str]) -> str:
    """Post a message once, looking for it before posting again after a lost answer."""
    marked = {"event_type": "secmaster_bot", "event_payload": metadata}

    async def post() -> str:
        posted = await desk().slack.chat_postMessage(
            channel=channel, thread_ts=thread or None, metadata=marked, **message.payload
        )
        return str(posted["ts"])

    async def find() -> str:
        return await _found(channel, thread, metadata, since)

    since = desk().clock()
    return await _patiently(post, find)


async def _update(card: Card, message: Message) -> None:
    async def update() -> str:
        await desk().slack.chat_update(channel=card.channel, ts=card.ts, **message.payload)
        return card.ts

    try:
        await _patiently(update)
    except CannotPost as error:
        log.warning("card not redrawn", extra={"ref": str(card.ref), "code": error.code})


async def _found(channel: str, thread: str, metadata: dict[str, str], since: datetime) -> str:
    """The ts of our own message with this metadata since then, "" if there is none."""
    slack = desk().slack
    window: dict[str, Any] = {
        "channel": channel,
        # Slack's clock is not ours.
        "oldest": str((since - CLOCKS_DIFFER).timestamp()),
        "include_all_metadata": True,
        "limit": 200,
    }
    if thread:
        answer = await slack.conversations_replies(ts=thread, **window)
    else:
        answer = await slack.conversations_history(**window)
    for message in answer["messages"]:
        if message.get("metadata", {}).get("event_payload") == metadata:
            return str(message["ts"])
    return ""


async def _patiently(
    call: Callable[[], Awaitable[str]], find: Callable[[], Awaitable[str]] | None = None
) -> str:
    """Call Slack, again after trouble on its side or the way; a place closed to us is final."""
    for pause in PAUSES:
        try:
            return await call()
        except SlackApiError as error:
            code = str(error.response.get("error", ""))
            if code in NO_ENTRY:
                raise CannotPost(code) from error
            if error.response.status_code < 500:  # noqa: PLR2004
                raise
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(pause)
        if find and (ts := await find()):
            return ts
    return await call()
