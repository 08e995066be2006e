"""Writing into Slack, so that what is posted twice stands there once.

Slack has no idempotency key for a message: ours carry a mark in their metadata, and whoever may
be posting for the second time looks for the first message before. Any app can write metadata, so
only our own messages count, and nobody else can compute a mark before it stands in Slack.
"""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, assert_never

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.domain.slack import CLOCK_SKEW, Destination, DestinationKind, SlackLocation
from bot.messages import Message
from bot.slack.channels import Channels
from bot.slack.client import SlackClient, TokenHealth, code_of, reasons_of
from bot.slack.error_codes import SlackErrorKind, kind_of, may_pass
from bot.slack.measured import CallOutcome, SlackMethod

log = logging.getLogger(__name__)
T = TypeVar("T")

OK = 200
METADATA_EVENT = "secmaster_bot"
MARKED = ("part", "operation")  # what of a message's metadata its mark stands for
PAGE = 999  # messages: as many as Slack gives at once, since a post waits for the whole search
MAX_REFUSED = 1000  # messages that Slack did not take are remembered


class SlackFailed(Exception):
    """Slack could not be asked or said no; ``code`` is its own word, "" where none came.

    It stands for whatever the client raised, which may hold what cannot be recorded.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    @property
    def kind(self) -> SlackErrorKind:
        """What the refusal is about."""
        return kind_of(self.code)

    @property
    def is_temporary(self) -> bool:
        """Whether asking again may help."""
        return may_pass(self.kind)


class CannotPost(SlackFailed):
    """Slack or the policy will not let us write there, now or later.

    ``code`` is then Slack's word, a ChannelRefusal, or another word of ours.
    """

    @property
    def kind(self) -> SlackErrorKind:
        """Whether the place is closed, or only a thread in it, or a message there is gone."""
        kind = super().kind
        is_place_open = kind in (SlackErrorKind.MESSAGE_GONE, SlackErrorKind.THREAD_CLOSED)
        return kind if is_place_open else SlackErrorKind.PLACE_CLOSED


class MessageRefused(SlackFailed):
    """Slack does not take the message itself; ``reasons`` are its own sentences about it."""

    def __init__(self, code: str, reasons: Sequence[str]) -> None:
        super().__init__(code)
        self.reasons = reasons


def failure_of(error: SlackApiError) -> SlackFailed:
    """Return Slack's refusal as an error of ours."""
    code = code_of(error)
    match kind_of(code):
        case (
            SlackErrorKind.PLACE_CLOSED | SlackErrorKind.MESSAGE_GONE | SlackErrorKind.THREAD_CLOSED
        ):
            return CannotPost(code)
        case SlackErrorKind.MESSAGE_REFUSED:
            return MessageRefused(code, reasons_of(error))
        case (
            SlackErrorKind.PASSES
            | SlackErrorKind.TOKEN_REFUSED
            | SlackErrorKind.SCOPE_MISSING
            | SlackErrorKind.CALL_REFUSED
        ):
            return SlackFailed(code)
        case kind:
            assert_never(kind)


async def call(response: Awaitable[T]) -> T:
    """Await a call to Slack; raises SlackFailed and nothing of the client's."""
    try:
        return await response
    except SlackApiError as error:
        raise failure_of(error) from error
    except (aiohttp.ClientError, TimeoutError, SlackClientError) as error:
        raise SlackFailed("") from error


class SlackGateway:
    """Posts, updates and finds the bot's messages.

    ``client`` is Slack's own client, for calls that need none of this; ``bot_user`` is who we are,
    ``workspace_url`` the address of the Slack workspace, and ``mark_key`` the secret that marks
    are made with, the same in every process. ``channels`` says where may be posted: whatever a
    channel shows goes through here.
    """

    def __init__(
        self,
        client: SlackClient,
        bot_user: str,
        workspace_url: str,
        *,
        channels: Channels,
        mark_key: bytes,
    ) -> None:
        self.client = client
        self.channels = channels
        self.bot_user = bot_user
        self._workspace_url = workspace_url
        self._mark_key = mark_key
        self._dm_channels: dict[str, str] = {}  # our channel with a person never changes
        self._refused: dict[str, None] = {}  # what Slack did not take: the oldest first

    @property
    def token(self) -> TokenHealth:
        """Whether Slack takes our token."""
        return self.client.token_health

    def require_token(self) -> None:
        """Raise SlackFailed while Slack refuses our token, for whoever has much to do before."""
        if refusal := self.token.refusal:
            raise SlackFailed(refusal)

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

        By the ``part`` and ``operation`` of its ``metadata`` the message can be found again: Slack
        gets a mark in their place. Where it may have been posted before, ``posted_since`` says
        since when: it is looked for first. ``broadcast`` shows a reply in the channel as well.
        Raises CannotPost with a ChannelRefusal where the policy keeps the channel closed.
        """
        await self._check_may_post(channel)
        if posted_since and (ts := await self.find_posted(channel, thread, metadata, posted_since)):
            return ts
        mark = {"mark": self._mark(metadata)}
        payload = {key: metadata[key] for key in metadata if key not in MARKED}
        send = partial(
            self.client.chat_postMessage,
            channel=channel,
            thread_ts=thread or None,
            reply_broadcast=broadcast or None,
            # An address in somebody's text is text: nothing fetches it for us.
            unfurl_links=False,
            unfurl_media=False,
        )
        posted = await self._send(
            message,
            send,
            whole={"metadata": {"event_type": METADATA_EVENT, "event_payload": payload | mark}},
            plain={"metadata": {"event_type": METADATA_EVENT, "event_payload": mark}},
        )
        return str(posted["ts"])

    async def _send(
        self,
        message: Message,
        send: Callable[..., Awaitable[T]],
        whole: Mapping[str, Any] | None = None,
        plain: Mapping[str, Any] | None = None,
    ) -> T:
        """Send a message, or its text alone where Slack does not take it; raises SlackFailed.

        What Slack did not take is not sent to it again: a card is drawn many times. ``whole`` and
        ``plain`` are further arguments, for the message and for its text.
        """
        payload = message.payload
        content = json.dumps(payload, sort_keys=True).encode()
        fingerprint = hashlib.sha256(content).hexdigest()
        if fingerprint not in self._refused:
            try:
                return await call(send(**payload, **(whole or {})))
            except MessageRefused as error:
                sentence = "Slack does not take a message: its text is sent alone"
                details = {"code": error.code, "reasons": error.reasons}
                log.error(sentence, extra=details)  # noqa: TRY400 - a refusal is one line
            self._refused[fingerprint] = None
            if len(self._refused) > MAX_REFUSED:
                del self._refused[next(iter(self._refused))]
        return await call(send(text=payload["text"], **(plain or {})))

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
        send = partial(self.client.chat_update, channel=channel, ts=ts)
        # What is left out of an update stays as it was.
        await self._send(message, send, plain={"blocks": []})

    async def send_private(self, location: SlackLocation, user: str, message: Message) -> None:
        """Answer one person where they asked; by direct message if that place is closed to us."""
        if location.response_url and await self.respond(location.response_url, message):
            return
        place: dict[str, Any] = {"channel": location.channel, "thread_ts": location.thread or None}
        try:
            if Destination.parse(location.channel).kind is DestinationKind.DIRECT_MESSAGE:
                await self._send(message, partial(self.client.chat_postMessage, **place))
            else:
                send = partial(self.client.chat_postEphemeral, user=user, **place)
                await self._send(message, send)
        except SlackFailed as error:
            if error.is_temporary:
                raise
            log.warning("answered by direct message", extra={"code": error.code})
            await self._send(message, partial(self.client.chat_postMessage, channel=user))

    async def respond(self, url: str, message: Message, *, replace: bool = False) -> bool:
        """Answer through a response_url; False where it is used up or Slack can't be reached."""
        session = self.client.session
        if session is None:
            return False
        body = {"response_type": "ephemeral", "replace_original": replace, **message.payload}
        began, outcome = time.monotonic(), CallOutcome.UNREACHABLE
        with suppress(aiohttp.ClientError, TimeoutError):
            timeout = aiohttp.ClientTimeout(10)
            async with session.post(url, json=body, timeout=timeout) as response:
                outcome = CallOutcome.OK if response.status == OK else CallOutcome.CALL_REFUSED
        self.client.on_call(SlackMethod.RESPONSE_URL, outcome, time.monotonic() - began)
        return outcome is CallOutcome.OK

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
        self, channel: str, thread: str, metadata: Mapping[str, str], since: datetime
    ) -> str:
        """Return the ts of our own message with this metadata, "" if there is none since then."""
        mark = self._mark(metadata)
        try:
            async for message in self._own_messages(channel, thread, since):
                if _payload(message).get("mark") == mark:
                    return str(message["ts"])
        except SlackFailed as error:
            if error.is_temporary:
                raise
            # Public channels may be written in uninvited, but not read.
            log.warning("own messages not searched", extra={"code": error.code})
        return ""

    async def has_file(self, channel: str, thread: str, title: str, since: datetime) -> bool:
        """Return whether we have shared a file of this title in a thread since then.

        Files carry no metadata of ours.
        """
        async for message in self._own_messages(channel, thread, since):
            if any(file.get("title") == title for file in message.get("files") or ()):
                return True
        return False

    async def own_metadata(self, channel: str, ts: str) -> Mapping[str, str]:
        """Return the metadata of one of our messages; empty for anybody else's."""
        request = self.client.conversations_replies(
            channel=channel, ts=ts, limit=1, include_all_metadata=True
        )
        for message in (await call(request))["messages"]:
            if message["ts"] == ts and message.get("user") == self.bot_user:
                return _payload(message)
        return {}

    async def _own_messages(
        self, channel: str, thread: str, since: datetime
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Yield our own messages in a channel, or in its thread, that were posted since then.

        All pages are read: any number of others may have been posted after ours. Slack's clock may
        differ from ours by as much as its requests may. Raises SlackFailed.
        """
        window: dict[str, Any] = {
            "channel": channel,
            "oldest": str((since - CLOCK_SKEW).timestamp()),
            "include_all_metadata": True,
            "limit": PAGE,
        }
        while True:
            if thread:
                request = self.client.conversations_replies(ts=thread, **window)
            else:
                request = self.client.conversations_history(**window)
            response = await call(request)
            for message in response["messages"]:
                if message.get("user") == self.bot_user:
                    yield message
            window["cursor"] = (response.get("response_metadata") or {}).get("next_cursor")
            if not window["cursor"]:
                return

    def _mark(self, metadata: Mapping[str, str]) -> str:
        """Return the mark of a message: the same in every process, and nobody else's to guess."""
        name = "\n".join(metadata[key] for key in MARKED)
        return hmac.new(self._mark_key, name.encode(), hashlib.sha256).hexdigest()


def _payload(message: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the payload of a message's metadata; empty where it is not of our event type."""
    metadata = message.get("metadata") or {}
    payload: Mapping[str, str] = metadata.get("event_payload") or {}
    return payload if metadata.get("event_type") == METADATA_EVENT else {}
