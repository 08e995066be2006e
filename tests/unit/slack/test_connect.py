"""Which of Slack's refusals for its rate limit are waited for."""

import pytest
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState

from bot.slack.connect import RateLimitRetryHandler


@pytest.mark.parametrize(
    ("seconds", "is_retried"),
    [("0", True), ("60", True), ("61", False), ("soon", False), ("9" * 5000, False)],
    ids=["none", "a minute", "more", "no number", "thousands of digits"],
)
async def test_a_refusal_is_waited_for_if_it_names_a_minute_at_most(
    seconds: str, is_retried: bool
) -> None:
    response = HttpResponse(status_code=429, headers={"Retry-After": [seconds]})
    request = HttpRequest(method="POST", url="http://127.0.0.1", headers={})
    handler = RateLimitRetryHandler(max_retry_count=1)
    can_retry = await handler.can_retry_async(
        state=RetryState(), request=request, response=response
    )
    assert can_retry is is_retried
