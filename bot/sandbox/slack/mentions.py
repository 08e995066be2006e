"""Whom a message calls: people, groups, or everybody who is there."""

import re
from collections.abc import Iterator
from typing import Any

EVERYBODY = "everybody"

# https://docs.slack.dev/messaging/formatting-message-text#advanced
MARK = re.compile(r"<(?:@(\w+)|!subteam\^(\w+)|!(?:here|channel|everyone))(?:\|[^>]*)?>")


def called(message: dict[str, Any]) -> frozenset[str]:
    """The ids of the people and groups it mentions, and ``EVERYBODY``.

    The text of a message with blocks is only their stand-in in notifications.
    """
    blocks = message.get("blocks")
    if not blocks:
        return frozenset(_in_text(message.get("text") or ""))
    return frozenset(one for part in _objects(blocks) for one in _in_object(part))


def _in_text(text: str) -> Iterator[str]:
    for user, group in MARK.findall(text):
        yield user or group or EVERYBODY


def _in_object(part: dict[str, Any]) -> Iterator[str]:
    """What one text object or rich text element mentions.

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
    """Every object within, at whatever depth."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _objects(each)
