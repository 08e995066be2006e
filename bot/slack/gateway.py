"""Writing into Slack, so that what is posted twice stands there once.

Slack has no idempotency key for a message: ours carry metadata that names the operation, and
whoever may be posting for the second time looks for the first message before.
"""

import logging
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.slack import Destination, DestinationKind, SlackLocation
from bot.messages import Message
from bot.slack.channels import Channels

log = logging.getLogger(__name__)
T = TypeVar("T")

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
# Only the message or the thread is missing: its channel is as open as before.
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
    """Slack or the policy will not let us write there, now or later."""


def code_of(error: SlackApiError) -> str:
    """Return Slack's word for an error; "" where its answer could not be read."""
    get = getattr(error.response, "get", None)
    return str(get("error") or "") if get else ""


async def call(response: Awaitable[T]) -> T:
    """Await a call to Slack; raises SlackFailed and nothing of the client's."""
    try:
        return await response
    except SlackApiError as error:
        code = code_of(error)
        raise (CannotPost(code) if code in CHANNEL_CLOSED_CODES else SlackFailed(code)) from error
    except (aiohttp.ClientError, TimeoutError, SlackClientError) as error:
        raise SlackFailed("") from error


class SlackGateway:
    """Posts, updates and finds the bot's messages.

    ``client`` is Slack's own client, for calls that need none of this; ``bot_user`` is who we are,
    and ``workspace_url`` the address of the Slack workspace. ``channels`` says where may be posted:
    whatever a channel shows goes through here.
    """

    def __init__(
        self, client: AsyncWebClient, bot_user: str, workspace_url: str, channels: Channels
    ) -> None:
        self.client = client
        self.channels = channels
        self.bot_user = bot_user
        self._workspace_url = workspace_url
        self._dm_channels: dict[str, str] = {}  # our channel with a person never changes

    async def post(  # noqa: PLR0913 - what is posted where, and whether it may stand there already
        self,
        channel: str,
        message: Message,
        metadata: dict[str, str],
        *,
        thread: str = "",
        posted_since: datetime | None = None,
        broadcast: bool = False,
    ) -> str:
        """Post into a channel, or into its ``thread``, and return the message's ts.

        By the ``part`` and ``operation`` of its ``metadata`` the message can be found again. Where
        it may have been posted before, ``posted_since`` says since when: it is looked for first.
        ``broadcast`` shows a reply in the channel as well. Raises CannotPost with a ChannelRefusal
        where the policy keeps the channel closed.
        """
        await self._check_may_post(channel)
        if posted_since and (ts := await self.find_posted(channel, thread, metadata, posted_since)):
            return ts
        posted = await call(
            self.client.chat_postMessage(
                channel=channel,
                thread_ts=thread or None,
                reply_broadcast=broadcast or None,
                metadata={"event_type": METADATA_EVENT, "event_payload": metadata},
                # An address in somebody's text is text: nothing fetches it for us.
                unfurl_links=False,
                unfurl_media=False,
                **message.payload,
            )
        )
        return str(posted["ts"])

    async def share_file(
        self, channel: str, thread: str, name: str, content: str, comment: str
    ) -> None:
        """Upload a text as a file into a thread, with a comment; raises CannotPost as `post`."""
        await self._check_may_post(channel)
        await call(
            self.client.files_upload_v2(
                filename=name,
                title=name,
                content=content,
                channel=channel,
                thread_ts=thread,
                initial_comment=comment,
            )
        )

    async def _check_may_post(self, channel: str) -> None:
        if refusal := await self.channels.refusal(channel):
            raise CannotPost(refusal)

    async def update(self, channel: str, ts: str, message: Message) -> None:
        """Replace a message of ours; raises CannotPost where it can't be."""
        await call(self.client.chat_update(channel=channel, ts=ts, **message.payload))

    async def send_private(self, location: SlackLocation, user: str, message: Message) -> None:
        """Answer one person where they asked; by direct message if that place is closed to us."""
        if location.response_url and await self.respond(location.response_url, message):
            return
        thread = location.thread or None
        answer = {"channel": location.channel, "thread_ts": thread, **message.payload}
        try:
            if Destination.parse(location.channel).kind is DestinationKind.DIRECT_MESSAGE:
                await call(self.client.chat_postMessage(**answer))
            else:
                await call(self.client.chat_postEphemeral(user=user, **answer))
        except SlackFailed as error:
            if error.is_temporary:
                raise
            log.warning("answered by direct message", extra={"code": error.code})
            await call(self.client.chat_postMessage(channel=user, **message.payload))

    async def respond(self, url: str, message: Message, *, replace: bool = False) -> bool:
        """Answer through a response_url; False where it is used up or Slack can't be reached."""
        session = self.client.session
        if session is None:
            return False
        body = {"response_type": "ephemeral", "replace_original": replace, **message.payload}
        try:
            async with session.post(
                url, json=body, proxy=self.client.proxy, timeout=aiohttp.ClientTimeout(10)
            ) as response:
                return response.status == OK
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def open_dm(self, user: str) -> str:
        """Return the id of our direct-message channel with a person."""
        if user not in self._dm_channels:
            opened = await call(self.client.conversations_open(users=user))
            self._dm_channels[user] = str(opened["channel"]["id"])
        return self._dm_channels[user]

    def permalink(self, channel: str, ts: str) -> str:
        """Return a message's address, in the form of chat.getPermalink's without asking for it.

        https://docs.slack.dev/reference/methods/chat.getPermalink
        """
        return f"{self._workspace_url.rstrip('/')}/archives/{channel}/p{ts.replace('.', '')}"

    async def find_posted(
        self, channel: str, thread: str, metadata: dict[str, str], since: datetime
    ) -> str:
        """Return the ts of our own message with this metadata, "" if there is none since then."""
        window: dict[str, Any] = {
            "channel": channel,
            "oldest": str((since - CLOCK_SKEW).timestamp()),
            "include_all_metadata": True,
            "limit": 200,
        }
        if thread:
            request = self.client.conversations_replies(ts=thread, **window)
        else:
            request = self.client.conversations_history(**window)
        try:
            response = await call(request)
        except SlackFailed as error:
            if error.is_temporary:
                raise
            # Public channels may be written in uninvited, but not read.
            log.warning("own messages not searched", extra={"code": error.code})
            return ""
        for message in response["messages"]:
            payload = message.get("metadata", {}).get("event_payload", {})
            if all(payload.get(key) == metadata[key] for key in ("part", "operation")):
                return str(message["ts"])
        return ""

    async def has_file(self, channel: str, thread: str, title: str) -> bool:
        """Return whether we have shared a file of this title in a thread.

        Files carry no metadata of ours.
        """
        request = self.client.conversations_replies(channel=channel, ts=thread, limit=200)
        replies = (await call(request))["messages"]
        files = (
            file
            for message in replies
            if message.get("user") == self.bot_user
            for file in message.get("files") or ()
        )
        return any(file.get("title") == title for file in files)

    async def own_metadata(self, channel: str, ts: str) -> dict[str, str]:
        """Return the metadata of one of our messages; empty for anybody else's."""
        request = self.client.conversations_replies(
            channel=channel, ts=ts, limit=1, include_all_metadata=True
        )
        for message in (await call(request))["messages"]:
            if message["ts"] == ts and message.get("user") == self.bot_user:
                payload: dict[str, str] = message.get("metadata", {}).get("event_payload", {})
                return payload
        return {}
