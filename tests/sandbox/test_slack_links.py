"""Links to the app's domains: the event about them, and the previews the app attaches."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.methods import ALL_SCOPES

MANIFEST = {"features": {"unfurl_domains": ["example.com"]}}
URL = "https://console.example.com/tasks?id=1&copy=2"
SENT = URL.replace("&", "&amp;")
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*Task 1*"}}


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(manifest=MANIFEST)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


def events(slack: SlackSandbox) -> list[dict[str, Any]]:
    return [sent.payload["event"] for sent in slack.sent]


async def test_the_app_hears_of_links_to_its_domains(slack: SlackSandbox) -> None:
    text = f"see {URL} and https://example.com https://notexample.com http://[oops"
    message = await slack.say("U0BOB", "C0RANDOM", text)
    [event] = events(slack)
    assert event.pop("unfurl_id")
    assert event == {
        "type": "link_shared",
        "user": "U0BOB",
        "channel": "C0RANDOM",
        "message_ts": message["ts"],
        "source": "conversations_history",
        "is_bot_user_member": False,
        "links": [
            {"domain": "example.com", "url": SENT},
            {"domain": "example.com", "url": "https://example.com"},
        ],
        "event_ts": message["ts"],
    }


async def test_nobody_types_a_link_under_a_false_label(slack: SlackSandbox) -> None:
    message = await slack.say("U0BOB", "C0SOC", "http://evil.example/x|https://good.example")
    assert message["text"] == "<http://evil.example/x%7Chttps://good.example>"


async def test_a_link_in_a_thread_and_in_a_mention_is_told_beside_it(slack: SlackSandbox) -> None:
    root = await slack.say("U0BOB", "C0SOC", "root")
    await slack.say("U0BOB", "C0SOC", f"@secmaster {URL}", thread_ts=root["ts"])
    assert [event["type"] for event in events(slack)] == ["app_mention", "link_shared"]
    assert events(slack)[1]["thread_ts"] == root["ts"]


@pytest.mark.parametrize(
    "options",
    [{}, {"manifest": MANIFEST, "scopes": ALL_SCOPES - {"links:read"}}],
    ids=["no domains", "no scope"],
)
async def test_without_domains_or_scope_nothing_is_told(options: dict[str, Any]) -> None:
    slack = SlackSandbox(**options)
    await slack.start()
    await slack.say("U0BOB", "C0SOC", URL)
    await slack.stop()
    assert slack.sent == []


async def test_a_preview_is_attached_and_replaced(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    message = await slack.say("U0BOB", "C0SOC", f"{URL} https://example.com/2")
    where = {"channel": "C0SOC", "ts": message["ts"]}
    await client.chat_unfurl(**where, unfurls={URL: {"blocks": [SECTION]}})
    other = {"https://example.com/2": {"title": "Two", "text": "2"}}
    await client.chat_unfurl(**where, unfurls=other)
    await client.chat_unfurl(**where, unfurls={URL: {"text": "done"}})
    [message] = slack.messages("C0SOC")
    assert [(one["from_url"], one["text"]) for one in message["attachments"]] == [
        ("https://example.com/2", "2"),
        (URL, "done"),
    ]
    assert all(one["is_app_unfurl"] for one in message["attachments"])
    before = slack.changes.count
    await client.chat_unfurl(**where, unfurls={SENT: {"blocks": [SECTION]}})
    url = f"{slack.url}/_sandbox/page?user=U0DAVE&channel=C0SOC&since={before}"
    assert client.session is not None
    async with client.session.get(url) as answer:
        [changed] = (await answer.json())["channel"]["messages"]
    preview = changed["attachments"][-1]["blocks"]
    assert [one["text"]["text"] for one in preview] == ["*Task 1*"]
    assert [one["from_url"] for one in changed["attachments"]] == ["https://example.com/2", URL]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"channel": ""}, "missing_channel"),
        ({"ts": ""}, "missing_ts"),
        ({"unfurls": {}}, "missing_unfurls"),
        ({"channel": "C0NOWHERE"}, "cannot_find_channel"),
        ({"ts": "1.0"}, "cannot_find_message"),
        ({"unfurls": "[not json"}, "invalid_unfurls_format"),
        ({"unfurls": {URL: "text"}}, "invalid_unfurls_format"),
        ({"unfurls": {"https://example.com/elsewhere": {"text": "t"}}}, "cannot_unfurl_message"),
        ({"unfurls": {URL: {"title": ["t"]}}}, "invalid_unfurls_format"),
        ({"unfurls": {URL: {"text": "t", "pretext": {}}}}, "invalid_unfurls_format"),
        ({"unfurls": {URL: {"blocks": [{"type": "nonsense"}]}}}, "invalid_blocks"),
    ],
)
async def test_a_preview_that_slack_would_refuse_is_not_shown(
    slack: SlackSandbox, client: AsyncWebClient, wrong: dict[str, Any], code: str
) -> None:
    message = await slack.say("U0BOB", "C0SOC", URL)
    right = {"channel": "C0SOC", "ts": message["ts"], "unfurls": {URL: {"text": "t"}}}
    with pytest.raises(SlackApiError) as caught:
        await client.api_call("chat.unfurl", json=right | wrong)
    assert caught.value.response["error"] == code
    assert "attachments" not in slack.messages("C0SOC")[0]
