"""What is measured of the calls to Slack: how each ended, and how long it took."""

from collections.abc import Callable
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from slack_sdk.http_retry import HttpResponse
from slack_sdk.http_retry.async_handler import AsyncRetryHandler

from bot.slack.error_codes import SlackErrorKind


class SlackMethod(StrEnum):
    """The methods of Slack's that are called; OTHER is one that this list lacks.

    RESPONSE_URL is no method: it is the address that answers one command or press.
    """

    AUTH_TEST = "auth.test"
    BLOCKS_VALIDATE = "blocks.validate"
    CHAT_POST_EPHEMERAL = "chat.postEphemeral"
    CHAT_POST_MESSAGE = "chat.postMessage"
    CHAT_UPDATE = "chat.update"
    CONVERSATIONS_HISTORY = "conversations.history"
    CONVERSATIONS_INFO = "conversations.info"
    CONVERSATIONS_MEMBERS = "conversations.members"
    CONVERSATIONS_OPEN = "conversations.open"
    CONVERSATIONS_REPLIES = "conversations.replies"
    FILES_COMPLETE_UPLOAD = "files.completeUploadExternal"
    FILES_GET_UPLOAD_URL = "files.getUploadURLExternal"
    FILES_INFO = "files.info"
    USERGROUPS_LIST = "usergroups.list"
    USERGROUPS_USERS_LIST = "usergroups.users.list"
    USERS_INFO = "users.info"
    USERS_LIST = "users.list"
    VIEWS_OPEN = "views.open"
    VIEWS_PUBLISH = "views.publish"
    VIEWS_PUSH = "views.push"
    VIEWS_UPDATE = "views.update"
    RESPONSE_URL = "response_url"
    OTHER = "other"

    @classmethod
    def named(cls, name: str) -> "SlackMethod":
        """Return the method of this name."""
        try:
            return cls(name)
        except ValueError:
            return cls.OTHER


class CallOutcome(StrEnum):
    """How a call ended, or that it was put off (RATELIMITED) and made again.

    The others but the last two are refusals, each named as its SlackErrorKind. UNREACHABLE: there
    was no answer. ABANDONED: whoever called did not wait for it.
    """

    OK = "ok"
    RATELIMITED = "ratelimited"
    PASSES = "trouble"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - no token
    PLACE_CLOSED = "place_closed"
    MESSAGE_GONE = "message_gone"
    THREAD_CLOSED = "thread_closed"
    MESSAGE_REFUSED = "message_refused"
    SCOPE_MISSING = "scope_missing"
    CALL_REFUSED = "call_refused"
    UNREACHABLE = "unreachable"
    ABANDONED = "abandoned"

    @classmethod
    def of(cls, kind: SlackErrorKind) -> "CallOutcome":
        """Return the outcome of a call that met a refusal of this kind."""
        return cls[kind.name]


# Seconds are None of what is no call's end.
OnCall = Callable[[SlackMethod, CallOutcome, float | None], None]


def ignore(_method: SlackMethod, _outcome: CallOutcome, _seconds: float | None) -> None:
    """Measure nothing."""


class ThrottleWatch(AsyncRetryHandler):
    """Tells ``on_call`` of each answer that puts a call off, and has nothing made again itself.

    Whoever called sees only what came in the end.
    """

    def __init__(self, on_call: OnCall) -> None:
        super().__init__()
        self._on_call = on_call

    async def can_retry_async(
        self, *, request: Any, response: HttpResponse | None = None, **_: Any
    ) -> bool:
        """Return False, after a look at the answer."""
        if response and response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            method = SlackMethod.named(str(request.url).rpartition("/")[2])
            self._on_call(method, CallOutcome.RATELIMITED, None)
        return False
