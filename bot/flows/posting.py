"""Writing into Slack, so that what is said twice stands there once.

Slack has no idempotency key for a message: ours carry metadata that names the operation, and
whoever may be posting for the second time looks for the first before.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from dbos import DBOS, StepOptions
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.flows.desk import desk
from bot.messages import Message
from bot.models import Card, Operation, Place

log = logging.getLogger(__name__)

CLOCKS_DIFFER = timedelta(minutes=2)
OK = 200
EVENT = "secmaster_bot"

# What https://docs.slack.dev/reference/methods/chat.postMessage answers for a place where we
# may not write; asking again would not change it.
NO_ENTRY = {
    "cant_update_message",
    "channel_not_found",
    "is_archived",
    "message_not_found",
    "not_in_channel",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_locked",
    "thread_not_found",
}
PASSING = {"fatal_error", "internal_error", "ratelimited", "request_timeout", "service_unavailable"}


class CannotPost(Exception):
    """Slack will not let us write there; ``code`` is its own word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def code_of(error: SlackApiError) -> str:
    """Slack's word for an error; "" where its answer could not be read."""
    get = getattr(error.response, "get", None)
    return str(get("error") or "") if get else ""


async def passes(error: BaseException) -> bool:
    """Whether trouble with Slack may pass, so that a step should be tried again."""
    if isinstance(error, SlackApiError):
        return code_of(error) in {"", *PASSING}
    return isinstance(error, aiohttp.ClientError | TimeoutError | SlackClientError)


# About an hour in all: an answer outlives an outage of Slack, and a restart of ours as well.
UNTIL_HEARD: StepOptions = {
    "retries_allowed": True,
    "interval_seconds": 1,
    "backoff_rate": 1.5,
    "max_attempts": 20,
    "should_retry": passes,
}


async def post(
    place: tuple[str, str], message: Message, mark: dict[str, str], cause: Operation | None
) -> str:
    """Post into (channel, thread or "") once, and return the ts.

    ``mark`` is what the message can be found by. For an operation that another process began,
    or at a second attempt, it is looked for first.
    """
    channel, thread = place
    if cause and _again(cause) and (ts := await _found(place, mark, cause.accepted_at)):
        return ts
    try:
        posted = await desk().slack.chat_postMessage(
            channel=channel,
            thread_ts=thread or None,
            metadata={"event_type": EVENT, "event_payload": mark},
            # An address in somebody's text is text: nothing fetches it for us.
            unfurl_links=False,
            unfurl_media=False,
            **message.payload,
        )
    except SlackApiError as error:
        raise _sorted(error) from error
    return str(posted["ts"])


async def update(card: Card, message: Message) -> None:
    """Draw a card anew; raises CannotPost where it can't be."""
    try:
        await desk().slack.chat_update(channel=card.channel, ts=card.ts, **message.payload)
    except SlackApiError as error:
        raise _sorted(error) from error


async def whisper(place: Place, user: str, message: Message) -> None:
    """Answer one person where they asked; in a direct message if that place is closed to us."""
    if place.response_url and await respond(place.response_url, message):
        return
    slack, thread = desk().slack, place.thread or None
    try:
        if place.channel.startswith("D"):
            await slack.chat_postMessage(channel=place.channel, thread_ts=thread, **message.payload)
        else:
            await slack.chat_postEphemeral(
                channel=place.channel, user=user, thread_ts=thread, **message.payload
            )
    except SlackApiError as error:
        if await passes(error):
            raise
        log.warning("told by direct message", extra={"code": code_of(error)})
        await slack.chat_postMessage(channel=user, **message.payload)


async def respond(url: str, message: Message, *, replacing: bool = False) -> bool:
    """Answer through a response_url; False where it is used up or Slack can't be reached."""
    slack = desk().slack
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


def _sorted(error: SlackApiError) -> Exception:
    code = code_of(error)
    return CannotPost(code) if code in NO_ENTRY else error


def _again(cause: Operation) -> bool:
    """Whether somebody may have posted this before: a dead process, or our own last attempt."""
    status = DBOS.step_status
    return cause.launch != desk().launch or bool(status and status.current_attempt)


async def _found(place: tuple[str, str], mark: dict[str, str], since: datetime) -> str:
    """The ts of our own message with this mark since then, "" if there is none."""
    channel, thread = place
    window: dict[str, Any] = {
        "channel": channel,
        "oldest": str((since - CLOCKS_DIFFER).timestamp()),
        "include_all_metadata": True,
        "limit": 200,
    }
    slack = desk().slack
    if thread:
        answer = await slack.conversations_replies(ts=thread, **window)
    else:
        answer = await slack.conversations_history(**window)
    for message in answer["messages"]:
        if message.get("metadata", {}).get("event_payload") == mark:
            return str(message["ts"])
    return ""
