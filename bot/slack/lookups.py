"""Ask Slack who people are: what a failure means, what is kept of the answers, and all pages.

https://docs.slack.dev/apis/web-api/rate-limits
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError

from bot.runtime.clock import Clock
from bot.runtime.ttl_cache import TtlCache
from bot.slack.client import MAX_RETRY_AFTER, code_of
from bot.slack.error_codes import SlackErrorKind, kind_of
from bot.slack.gateway import SlackFailed

T = TypeVar("T")

UNANSWERED = (SlackApiError, SlackFailed, aiohttp.ClientError, TimeoutError)
# How much of its time an answer may wait for what is known already to be looked up anew. Two such
# waits may follow each other, for a person and for those who delegated to them.
REFRESH_SHARE = 0.4


def lookup_code(error: Exception) -> str:
    """Return Slack's word for why a lookup failed; "" where none came."""
    if isinstance(error, SlackFailed):
        return error.code
    return code_of(error) if isinstance(error, SlackApiError) else ""


def retry_after(error: Exception) -> float | None:
    """Return after how many seconds to ask Slack again; None for what is no trouble of the moment.

    At most MAX_RETRY_AFTER: until then nobody may do anything.

    A token that is refused is an answer: somebody may have taken the app away.
    """
    is_trouble = kind_of(lookup_code(error)) is SlackErrorKind.PASSES
    if not isinstance(error, UNANSWERED) or not is_trouble:
        return None
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    seconds = {str(name).lower(): value for name, value in headers.items()}.get("retry-after", "")
    return min(float(seconds), MAX_RETRY_AFTER) if str(seconds).isdecimal() else 0.0


def open_cache(look_up: Callable[[str], Awaitable[T]], clock: Clock, within: float) -> TtlCache[T]:
    """Return a cache of what Slack says, for answers that may take ``within`` seconds."""
    return TtlCache(
        look_up, clock.monotonic, retry_after=retry_after, patience=within * REFRESH_SHARE
    )


async def items(
    method: Callable[..., Awaitable[Any]], key: str, **arguments: Any
) -> AsyncIterator[Any]:
    """Yield the items of all pages of a list.

    https://docs.slack.dev/apis/web-api/pagination
    """
    cursor = None
    while True:
        response = await method(cursor=cursor, **arguments)
        for item in response[key]:
            yield item
        cursor = (response.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return
