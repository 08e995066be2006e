"""The rules for blocks and views, as a table of Slack's published limits.

https://docs.slack.dev/reference/block-kit
"""

import json
from collections.abc import Callable
from typing import Any

from bot.sandbox.slack.elements import (
    CHOICES,
    ID,
    IMAGE,
    IMAGE_KEYS,
    INPUTS,
    PICTURE,
    PRESSED,
    plain,
    rich,
    text_object,
)
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.rules import (
    Complaints,
    Rule,
    also,
    anything,
    complaint,
    flag,
    listed,
    nullable,
    number,
    shape,
    text,
    typed,
    unique,
    word,
)
from bot.sandbox.slack.workspace import Json

MARKDOWN = 12_000
MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
VIEW_BYTES = 250_000
METADATA_BYTES = 8_000


RICH_PARTS = typed(
    dict.fromkeys(
        (
            "rich_text_section",
            "rich_text_list",
            "rich_text_preformatted",
            "rich_text_quote",
        ),
        shape(
            {"type": anything, "elements": listed(anything, 1000, 0)},
            {
                "style": anything,
                "indent": number(0, 8),
                "offset": anything,
                "border": anything,
                "language": text(255),
            },
        ),
    )
)
CELL = typed(
    {
        "raw_text": shape({"type": anything, "text": text(3000)}),
        "rich_text": shape(
            {"type": anything, "elements": listed(RICH_PARTS, 100)}, {"block_id": ID}
        ),
    }
)


COLUMN = shape({}, {"align": word("left", "center", "right"), "is_wrapped": flag})


def block(needs: dict[str, Rule], may: dict[str, Rule] | None = None) -> Rule:
    """A block with these fields."""
    return shape({"type": anything, **needs}, {"block_id": ID, **(may or {})})


def text_or_fields(value: Any, pointer: str) -> Complaints:
    """A text, or fields, or both."""
    if "text" not in value and "fields" not in value:
        yield complaint("must have either text or fields", pointer)


BLOCKS: dict[str, Rule] = {
    "section": also(
        block(
            {},
            {
                "text": rich(3000),
                "fields": listed(rich(2000), 10),
                "accessory": typed(CHOICES | PRESSED | {"image": IMAGE}),
                "expand": flag,
            },
        ),
        text_or_fields,
    ),
    "header": block({"text": plain(150)}),
    "divider": block({}),
    "image": also(block({"alt_text": text(2000)}, IMAGE_KEYS | {"title": plain(2000)}), PICTURE),
    "context": block(
        {
            "elements": listed(
                typed(
                    {"image": IMAGE, "plain_text": text_object(3000), "mrkdwn": text_object(3000)}
                ),
                10,
            )
        }
    ),
    "actions": also(
        block({"elements": listed(typed(CHOICES | PRESSED), 25)}),
        unique("action_id", within="elements"),
    ),
    "input": block(
        {"label": plain(2000), "element": typed(INPUTS)},
        {"hint": plain(2000), "optional": flag, "dispatch_action": flag},
    ),
    "rich_text": block({"elements": listed(RICH_PARTS, 100)}),
}
MESSAGE_ONLY: dict[str, Rule] = {
    "markdown": block({"text": text(MARKDOWN)}),
    "table": block(
        {"rows": listed(listed(CELL, 20), 100)}, {"column_settings": listed(nullable(COLUMN), 20)}
    ),
}


MODAL_ONLY: dict[str, Rule] = {
    # https://docs.slack.dev/reference/block-kit/blocks/alert-block
    "alert": block(
        {"text": rich(200)}, {"level": word("default", "info", "warning", "error", "success")}
    ),
}


def one_table(value: Any, pointer: str) -> Complaints:
    """At most one table in a message."""
    tables = [index for index, item in enumerate(value) if item["type"] == "table"]
    for index in tables[1:]:
        yield complaint("only one table is allowed in a message", f"{pointer}/{index}")


def markdown_length(value: Any, pointer: str) -> Complaints:
    """The limit of all the markdown in a message together.

    https://docs.slack.dev/reference/block-kit/blocks/markdown-block
    """
    if sum(len(item["text"]) for item in value if item["type"] == "markdown") > MARKDOWN:
        yield complaint(f"no more than {MARKDOWN} characters of markdown allowed", pointer)


def submit_button(value: Any, pointer: str) -> Complaints:
    """A submit button in every modal that has an input."""
    has_input = any(item["type"] == "input" for item in value["blocks"])
    if has_input and "submit" not in value:
        yield complaint("missing required field: submit", pointer)


def block_list(rules: dict[str, Rule], most: int) -> Rule:
    """A list of at most ``most`` blocks, whose block ids differ."""
    return also(listed(typed(rules), most, 0), unique("block_id"))


MESSAGE = also(also(block_list(BLOCKS | MESSAGE_ONLY, MESSAGE_BLOCKS), one_table), markdown_length)
ANY_BLOCKS = block_list(BLOCKS | MESSAGE_ONLY | MODAL_ONLY, VIEW_BLOCKS)
VIEW_MAY: dict[str, Rule] = {
    "private_metadata": text(3000, 0),
    "callback_id": text(255, 0),
    "external_id": text(255, 0),
}
MODAL_MAY = VIEW_MAY | {
    "submit": plain(24),
    "close": plain(24),
    "clear_on_close": flag,
    "notify_on_close": flag,
    "submit_disabled": flag,
}
MODAL_BLOCKS = block_list(BLOCKS | MODAL_ONLY, VIEW_BLOCKS)
MODAL = also(
    shape({"type": anything, "title": plain(24), "blocks": MODAL_BLOCKS}, MODAL_MAY),
    submit_button,
)
HOME = shape({"type": anything, "blocks": block_list(BLOCKS, VIEW_BLOCKS)}, VIEW_MAY)


def check_blocks(blocks: Any) -> None:
    """Raise the ``SlackError`` with which Slack would refuse a message's blocks, if any."""
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    _refuse("invalid_blocks", MESSAGE(blocks, "/blocks"))


def check_view(view: Any, kind: str) -> None:
    """Raise the ``SlackError`` with which Slack would refuse a ``modal`` or ``home``, if any."""
    _refuse("invalid_arguments", typed({kind: MODAL if kind == "modal" else HOME})(view, "/view"))
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        raise SlackError("view_too_large")


def check_metadata(metadata: Any) -> None:
    """Raise the ``SlackError`` with which Slack would refuse metadata, if any.

    https://docs.slack.dev/messaging/message-metadata
    """
    rule = shape({"event_type": text(255), "event_payload": any_object})
    if list(rule(metadata, "/metadata")):
        raise SlackError("invalid_metadata_format")
    if len(json.dumps(metadata).encode()) > METADATA_BYTES:
        raise SlackError("metadata_too_large")


def any_object(value: Any, pointer: str) -> Complaints:
    """An object with any keys."""
    if not isinstance(value, dict):
        yield complaint("must provide an object", pointer)


def _refuse(code: str, complaints: Complaints) -> None:
    messages = [str(item) for item in complaints]
    if messages:
        raise SlackError(code, errors=messages, response_metadata={"messages": messages})


def with_ids(blocks: list[Json], new_id: Callable[[str], str]) -> list[Json]:
    """Return the blocks with ids generated for the blocks and elements that have none."""

    def element_with_id(element: Json) -> Json:
        if element["type"] == "image" or "action_id" in element:
            return element
        return {"action_id": new_id("a"), **element}

    def block_with_id(block: Json) -> Json:
        block = {"block_id": block.get("block_id") or new_id("b"), **block}
        for key in ("element", "accessory"):
            if key in block:
                block[key] = element_with_id(block[key])
        if block["type"] == "actions":
            block["elements"] = [element_with_id(element) for element in block["elements"]]
        return block

    return [block_with_id(block) for block in blocks]
