"""blocks.validate: the errors in blocks, a message or a view, without posting them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox

TITLE = {"type": "plain_text", "text": "T"}
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "t"}}
ALERT = {"type": "alert", "text": {"type": "mrkdwn", "text": "t"}}
MODAL = {"type": "modal", "title": TITLE, "blocks": [ALERT]}
BAD = {"type": "section", "text": {"type": "markdown", "text": "t"}}
LONG = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}


@pytest.fixture
async def validate(slack: SlackSandbox) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient("xoxb-demo", base_url=slack.url + "/api/", session=session)

        async def ask(**args: Any) -> Any:
            try:
                return (await client.api_call("blocks.validate", json=args)).data
            except SlackApiError as refused:
                return refused.response.data

        yield ask


@pytest.mark.parametrize(
    "args",
    [
        {"blocks": [SECTION, ALERT]},
        {"blocks": json.dumps([SECTION])},
        {"message": {"text": "t", "blocks": [SECTION]}},
        {"message": json.dumps({"text": "t"})},
        {"view": MODAL},
        {"view": {"type": "home", "blocks": [SECTION]}},
    ],
)
async def test_what_slack_would_take_is_ok(
    validate: Callable[..., Awaitable[Any]], args: dict[str, Any]
) -> None:
    assert await validate(**args) == {"ok": True}


async def test_what_is_wrong_is_pointed_at(validate: Callable[..., Awaitable[Any]]) -> None:
    assert await validate(blocks=[SECTION, BAD]) == {
        "ok": False,
        "error": "invalid_blocks",
        "errors": [
            {
                "pointer": "/1/text/type",
                "code": "failed_constraint",
                "message": "unsupported type: markdown",
                "constraint": {
                    "type": "enum",
                    "expected": ["plain_text", "mrkdwn"],
                    "got": "markdown",
                },
            }
        ],
    }


@pytest.mark.parametrize(
    ("args", "error", "pointers"),
    [
        ({"message": {"blocks": [LONG, ALERT]}}, "invalid_message", ["/blocks/1/type"]),
        ({"message": {"blocks": [LONG]}}, "invalid_message", ["/blocks/0/text/text"]),
        ({"message": "[not json"}, "invalid_message", [""]),
        ({"view": MODAL | {"blocks": [LONG]}}, "invalid_view", ["/blocks/0/text/text"]),
        ({"view": {"type": "home", "blocks": [ALERT]}}, "invalid_view", ["/blocks/0/type"]),
        ({"view": {"type": "window"}}, "invalid_view", ["/type"]),
        ({"blocks": {}}, "invalid_blocks", [""]),
    ],
)
async def test_each_kind_has_its_own_error(
    validate: Callable[..., Awaitable[Any]], args: dict[str, Any], error: str, pointers: list[str]
) -> None:
    answer = await validate(**args)
    assert answer["error"] == error
    assert [one["pointer"] for one in answer["errors"]][-1:] == pointers


@pytest.mark.parametrize("args", [{}, {"blocks": [SECTION], "view": MODAL}])
async def test_one_thing_is_looked_at_in_a_call(
    validate: Callable[..., Awaitable[Any]], args: dict[str, Any]
) -> None:
    assert (await validate(**args))["error"] == "invalid_arguments"


async def test_looking_shows_nothing(
    slack: SlackSandbox, validate: Callable[..., Awaitable[Any]]
) -> None:
    await validate(message={"text": "t"})
    assert slack.messages("C0SOC") == []
    assert [call.method for call in slack.calls] == ["blocks.validate"]
