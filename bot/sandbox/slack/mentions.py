"""The mentions in a message: of people, of groups, or of everybody in the channel."""

import re
from collections.abc import Iterator
from typing import Any

EVERYBODY = "everybody"

# https://docs.slack.dev/messaging/formatting-message-text#advanced
MARK = re.compile(r"<(?:@(\w+)|!subteam\^(\w+)|!(?:here|channel|everyone))(?:\|[^>]*)?>")


def find_mentions(message: dict[str, Any]) -> frozenset[str]:
    """Return the ids of the people and groups a message mentions, and ``EVERYBODY``.

    The text of a message with blocks is only their stand-in in notifications.
    """
    blocks = message.get("blocks")
    if not blocks:
        return frozenset(_in_text(message.get("text") or ""))
    return frozenset(mention for part in _objects(blocks) for mention in _in_object(part))


def _in_text(text: str) -> Iterator[str]:
    for user, group in MARK.findall(text):
        yield user or group or EVERYBODY


def _in_object(part: dict[str, Any]) -> Iterator[str]:
    """Yield what one text object or rich text element mentions.

    https://docs.slack.dev/reference/block-kit/blocks/rich-text-block#element-types
    """
    match part:
        case {"type": "mrkdwn", "text": str(text)}:
            yield from _in_text(text)
        case {"type": "user", "user_id": str(id_)} | {
            "type": "usergroup",
            "usergroup_id": str(id_),
        }:
            yield id_
        case {"type": "broadcast"}:
            yield EVERYBODY


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every JSON object within ``value``, at any depth."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)
