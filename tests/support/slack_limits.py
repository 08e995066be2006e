"""Assert that Slack takes a message or a view, and that no markup in it is anybody else's."""

import json
import re
from collections.abc import Iterator
from typing import Any

from bot.messages import Message
from bot.sandbox.slack.blocks import check_blocks, check_view

CONSOLE = "https://console.example/x"

# All markup that a reader may see: it is the bot's, and mentions only whom the bot mentions.
OWN_MARKUP = re.compile(
    r"<!date\^-?\d+\^(?:\{date_short_pretty\} \{time\}|\{time\}|\{ago\})\|[^<>|]*>"
    r"|<@U0(?:ALICE|BOB)>"
    r"|<!subteam\^S0SOC>"
    r"|<#C0SOC>"
    rf"|<{re.escape(CONSOLE)}\|[^<>|]*>"
    r"|<https://(?:[A-Za-z0-9-]+\.)*(?:my)?huaweicloud\.(?:com|eu)[/:?#]?[^<>|\s]*\|[^<>|]*>"
)
ENTITY = re.compile(r"&(?:amp|lt|gt);")


def markup_in(part: Any) -> Iterator[str]:
    """Yield every text of blocks that Slack reads as markup, and makes no links of."""
    if isinstance(part, dict):
        if part.get("type") == "mrkdwn":
            assert part["verbatim"] is True
            yield part["text"]
        for value in part.values():
            yield from markup_in(value)
    elif isinstance(part, list):
        for item in part:
            yield from markup_in(item)


def assert_safe(text: str) -> None:
    """Assert that a text has no markup but the bot's own."""
    rest = re.sub(r"^> ", "", OWN_MARKUP.sub("", text), flags=re.MULTILINE)
    assert "<" not in rest
    assert ">" not in rest
    assert "&" not in ENTITY.sub("", rest)


def assert_slack_takes(message: Message) -> None:
    """Assert that chat.postMessage would take a message, and that its markup is the bot's."""
    payload = message.payload
    json.dumps(payload, ensure_ascii=False).encode()
    assert 0 < len(payload["text"].strip()) <= 4000
    check_blocks(payload["blocks"])
    for text in (payload["text"], *markup_in(payload["blocks"])):
        assert_safe(text)


def assert_slack_opens(view: dict[str, Any], kind: str = "modal") -> None:
    """Assert that Slack would open or publish a view, and that its markup is the bot's."""
    json.dumps(view, ensure_ascii=False).encode()
    check_view(view, kind)
    for text in markup_in(view["blocks"]):
        assert_safe(text)
