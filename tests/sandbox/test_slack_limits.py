"""Slack's rate limits, which apply once they are switched on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.limits import SHORT_BURST


class Clock:
    """Time that passes only when a test lets it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(clock=clock)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
async def post(client: AsyncWebClient) -> Callable[..., Awaitable[None]]:
    async def say(channel: str = "C0SOC") -> None:
        await client.chat_postMessage(channel=channel, text="t")

    return say


async def wait(call: Awaitable[Any]) -> int:
    """How long Slack asks to wait before this is tried again."""
    with pytest.raises(SlackApiError) as caught:
        await call
    answer = caught.value.response
    assert (answer.status_code, answer.data) == (429, {"ok": False, "error": "ratelimited"})
    return int(answer.headers["Retry-After"])


async def test_nothing_is_limited_unless_asked(
    slack: SlackSandbox, post: Callable[..., Awaitable[None]]
) -> None:
    for _ in range(SHORT_BURST + 1):
        await post()
    assert len(slack.messages("C0SOC")) == SHORT_BURST + 1


async def test_a_channel_takes_a_short_burst_and_then_a_message_a_second(
    slack: SlackSandbox, clock: Clock, post: Callable[..., Awaitable[None]]
) -> None:
    slack.limits.on = True
    for _ in range(SHORT_BURST):
        await post()
    assert await wait(post()) == 1
    assert await wait(post("#soc")) == 1
    await post("C0ONCALL")
    clock.now += 1
    await post()
    assert await wait(post()) == 1
    assert len(slack.messages("C0SOC")) == SHORT_BURST + 1
    assert slack.calls[-1].error == "ratelimited"


@pytest.mark.parametrize(
    ("method", "calls", "seconds"),
    [("usergroups.list", 20, 3), ("bots.info", 50, 2), ("users.list", 20, 3)],
)
async def test_a_method_is_called_as_often_a_minute_as_its_tier_says(
    slack: SlackSandbox, client: AsyncWebClient, method: str, calls: int, seconds: int
) -> None:
    slack.limits.on = True
    for _ in range(calls):
        await client.api_call(method)
    assert await wait(client.api_call(method)) == seconds
    await client.api_call("auth.test")
    assert isinstance(slack.limits.clock, Clock)
    slack.limits.clock.now += seconds
    await client.api_call(method)


async def test_a_few_connections_may_be_opened_at_once(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    slack.limits.on = True
    for _ in range(SHORT_BURST):
        await client.apps_connections_open(app_token="xapp-demo")
    assert await wait(client.apps_connections_open(app_token="xapp-demo")) == 60


async def test_every_call_that_was_refused_is_on_record(
    slack: SlackSandbox, clock: Clock, post: Callable[..., Awaitable[None]]
) -> None:
    slack.limits.on = True
    for _ in range(SHORT_BURST):
        await post()
    for _ in range(3):
        clock.now += 0.25
        await wait(post())
    clock.now += 0.25
    await post()
    refused = [call for call in slack.calls if call.error == "ratelimited"]
    assert [(call.method, call.args["channel"]) for call in refused] == [
        ("chat.postMessage", "C0SOC")
    ] * 3
    assert [call.at for call in refused] == [clock.now - 0.75, clock.now - 0.5, clock.now - 0.25]
    assert len([call for call in slack.calls if call.ok]) == SHORT_BURST + 1
    assert len(slack.messages("C0SOC")) == SHORT_BURST + 1


async def test_limits_are_switched_over_http(
    slack: SlackSandbox, client: AsyncWebClient, post: Callable[..., Awaitable[None]]
) -> None:
    assert client.session is not None
    url = slack.url + "/_sandbox/limits"
    async with client.session.post(url, json={"on": True}) as answer:
        assert await answer.json() == {"on": True}
    async with client.session.get(url) as answer:
        assert await answer.json() == {"on": True}
    for _ in range(SHORT_BURST):
        await post()
    await wait(post())
    async with client.session.post(url, json={"on": False}) as answer:
        assert await answer.json() == {"on": False}
    await post()
    async with client.session.post(url, json={"on": "perhaps"}) as answer:
        assert answer.status == 400
