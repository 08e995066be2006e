"""Writing into Slack, so that what is said twice stands there once.

Slack has no idempotency key for a message: ours carry metadata that names the operation, and
whoever may be posting for the second time looks for the first before.
"""

import asyncio
import logging
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import aiohttp
from dbos import DBOS
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.domain.cards import Card
from bot.domain.operations import Operation
from bot.domain.slack import SlackLocation
from bot.messages import Message
from bot.services import MAX_REMEMBERED, services

log = logging.getLogger(__name__)
A = TypeVar("A")

CLOCK_SKEW = timedelta(minutes=2)
OK = 200
METADATA_EVENT = "secmaster_bot"

# What https://docs.slack.dev/reference/methods/chat.postMessage answers for a place where we
# may not write; asking again would not change it.
CHANNEL_CLOSED_CODES = {
    "cant_update_message",
    "channel_not_found",
    "is_archived",
    "is_inactive",
    "message_not_found",
    "not_in_channel",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_locked",
    "thread_not_found",
    # A person whom no app can write to any more.
    "cannot_dm_bot",
    "user_disabled",
    "user_not_found",
    "user_not_visible",
}
# What is only missing itself: the channel it stood in is as open as before.
MESSAGE_GONE_CODES = {"message_not_found", "thread_not_found"}
TEMPORARY_CODES = {
    "",  # an answer that could not be read
    "fatal_error",
    "internal_error",
    "rate_limited",
    "ratelimited",
    "request_timeout",
    "service_unavailable",
}


class SlackFailed(Exception):
    """Slack could not be asked or said no; ``code`` is its own word, "" where none came.

    It stands for whatever the client raised, which may hold what cannot be recorded.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    @property
    def is_temporary(self) -> bool:
        """Whether asking again may help."""
        return self.code in TEMPORARY_CODES


class CannotPost(SlackFailed):
    """Slack will not let us write there, now or later."""


def code_of(error: SlackApiError) -> str:
    """Slack's word for an error; "" where its answer could not be read."""
    get = getattr(error.response, "get", None)
    return str(get("error") or "") if get else ""


async def call(call: Awaitable[A]) -> A:
    """Await a call to Slack; raises SlackTrouble and nothing of the client's."""
    try:
        return await call
    except SlackApiError as error:
        code = code_of(error)
        raise (CannotPost(code) if code in CHANNEL_CLOSED_CODES else SlackFailed(code)) from error
    except (aiohttp.ClientError, TimeoutError, SlackClientError) as error:
        raise SlackFailed("") from error


async def post(
    place: tuple[str, str],
    message: Message,
    mark: dict[str, str],
    cause: Operation | None,
    *,
    loud: bool = False,
) -> str:
    """Post into (channel, thread or "") once, and return the ts.

    ``loud`` shows a reply in the channel as well.

    ``mark`` is what the message carries; by its part and operation it can be found. For an
    operation that another process began, or at a second attempt, it is looked for first.
    """
    channel, thread = place
    if cause and _again(cause) and (ts := await find_posted(place, mark, cause.accepted_at)):
        return ts
    posted = await call(
        services().slack.chat_postMessage(
            channel=channel,
            thread_ts=thread or None,
            reply_broadcast=loud or None,
            metadata={"event_type": METADATA_EVENT, "event_payload": mark},
            # An address in somebody's text is text: nothing fetches it for us.
            unfurl_links=False,
            unfurl_media=False,
            **message.payload,
        )
    )
    return str(posted["ts"])


async def update(card: Card, message: Message) -> None:
    """Draw a card anew; raises CannotPost where it can't be."""
    await call(services().slack.chat_update(channel=card.channel, ts=card.ts, **message.payload))


async def send_private(place: SlackLocation, user: str, message: Message) -> None:
    """Answer one person where they asked; in a direct message if that place is closed to us."""
    if place.response_url and await respond(place.response_url, message):
        return
    slack, thread = services().slack, place.thread or None
    where = {"channel": place.channel, "thread_ts": thread, **message.payload}
    try:
        if place.channel.startswith("D"):
            await call(slack.chat_postMessage(**where))
        else:
            await call(slack.chat_postEphemeral(user=user, **where))
    except SlackFailed as error:
        if error.is_temporary:
            raise
        log.warning("told by direct message", extra={"code": error.code})
        await call(slack.chat_postMessage(channel=user, **message.payload))


async def respond(url: str, message: Message, *, replacing: bool = False) -> bool:
    """Answer through a response_url; False where it is used up or Slack can't be reached."""
    slack = services().slack
    if slack.session is None:
        return False
    body = {"response_type": "ephemeral", "replace_original": replacing, **message.payload}
    try:
        async with slack.session.post(
            url, json=body, proxy=slack.proxy, timeout=aiohttp.ClientTimeout(10)
        ) as reply:
            return reply.status == OK
    except (aiohttp.ClientError, TimeoutError):
        return False


async def open_dm(user: str) -> str:
    """The channel id of our direct messages with somebody, asked for once: it never changes."""
    known = services().dm_channels
    if user not in known:
        opened = await call(services().slack.conversations_open(users=user))
        known[user] = str(opened["channel"]["id"])
    return known[user]


async def permalink(channel: str, ts: str) -> str:
    """A message's address, asked for once; "" where Slack does not tell it soon."""
    known = services().permalinks
    if address := known.get((channel, ts)):
        return address
    try:
        async with asyncio.timeout(services().timeouts.optional):
            asking = services().slack.chat_getPermalink(channel=channel, message_ts=ts)
            address = str((await call(asking))["permalink"])
    except (SlackFailed, TimeoutError) as error:
        log.warning("a message's address is not known", extra={"error": str(error)})
        return ""
    if len(known) >= MAX_REMEMBERED:
        del known[next(iter(known))]
    known[channel, ts] = address
    return address


async def has_file(channel: str, thread: str, title: str) -> bool:
    """Whether we have shared a file of this title in a thread: files carry no mark of ours."""
    looking = services().slack.conversations_replies(channel=channel, ts=thread, limit=200)
    replies = (await call(looking))["messages"]
    ours = [each for each in replies if each.get("user") == services().bot_user]
    return any(file.get("title") == title for each in ours for file in each.get("files") or ())


async def own_metadata(channel: str, ts: str) -> dict[str, str]:
    """What one of our own messages can be found by; empty for anybody else's."""
    looking = services().slack.conversations_replies(
        channel=channel, ts=ts, limit=1, include_all_metadata=True
    )
    messages = (await call(looking))["messages"]
    ours = [one for one in messages if one["ts"] == ts and one.get("user") == services().bot_user]
    return ours[0].get("metadata", {}).get("event_payload", {}) if ours else {}


def _again(cause: Operation) -> bool:
    """Whether somebody may have posted this before: a dead process, or our own last attempt."""
    status = DBOS.step_status
    return cause.process_id != services().process_id or bool(status and status.current_attempt)


async def find_posted(place: tuple[str, str], mark: dict[str, str], since: datetime) -> str:
    """The ts of our own message with this mark since then, "" if there is none."""
    channel, thread = place
    window: dict[str, Any] = {
        "channel": channel,
        "oldest": str((since - CLOCK_SKEW).timestamp()),
        "include_all_metadata": True,
        "limit": 200,
    }
    slack = services().slack
    if thread:
        looking = slack.conversations_replies(ts=thread, **window)
    else:
        looking = slack.conversations_history(**window)
    try:
        answer = await call(looking)
    except SlackFailed as error:
        if error.is_temporary:
            raise
        # Public channels may be written in uninvited, but not read.
        log.warning("own messages can't be looked for", extra={"code": error.code})
        return ""
    for message in answer["messages"]:
        carried = message.get("metadata", {}).get("event_payload", {})
        if all(carried.get(key) == mark[key] for key in ("part", "operation")):
            return str(message["ts"])
    return ""
