"""What Slack accepts as blocks and views, as a table of its published limits.

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
from bot.sandbox.slack.permits import SlackError
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


def _block(needs: dict[str, Rule], may: dict[str, Rule] | None = None) -> Rule:
    return shape({"type": anything, **needs}, {"block_id": ID, **(may or {})})


def _section(value: Any, pointer: str) -> Complaints:
    if "text" not in value and "fields" not in value:
        yield complaint("must have either text or fields", pointer)


BLOCKS: dict[str, Rule] = {
    "section": also(
        _block(
            {},
            {
                "text": rich(3000),
                "fields": listed(rich(2000), 10),
                "accessory": typed(CHOICES | PRESSED | {"image": IMAGE}),
                "expand": flag,
            },
        ),
        _section,
    ),
    "header": _block({"text": plain(150)}),
    "divider": _block({}),
    "image": also(_block({"alt_text": text(2000)}, IMAGE_KEYS | {"title": plain(2000)}), PICTURE),
    "context": _block(
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
        _block({"elements": listed(typed(CHOICES | PRESSED), 25)}),
        unique("action_id", within="elements"),
    ),
    "input": _block(
        {"label": plain(2000), "element": typed(INPUTS)},
        {"hint": plain(2000), "optional": flag, "dispatch_action": flag},
    ),
    "rich_text": _block({"elements": listed(RICH_PARTS, 100)}),
}
MESSAGE_ONLY: dict[str, Rule] = {
    "markdown": _block({"text": text(MARKDOWN)}),
    "table": _block(
        {"rows": listed(listed(CELL, 20), 100)}, {"column_settings": listed(nullable(COLUMN), 20)}
    ),
}


MODAL_ONLY: dict[str, Rule] = {
    # https://docs.slack.dev/reference/block-kit/blocks/alert-block
    "alert": _block(
        {"text": rich(200)}, {"level": word("default", "info", "warning", "error", "success")}
    ),
}


def _one_table(value: Any, pointer: str) -> Complaints:
    tables = [at for at, block in enumerate(value) if block["type"] == "table"]
    for at in tables[1:]:
        yield complaint("only one table is allowed in a message", f"{pointer}/{at}")


def _markdown(value: Any, pointer: str) -> Complaints:
    """The limit is on all the markdown of a message.

    https://docs.slack.dev/reference/block-kit/blocks/markdown-block
    """
    if sum(len(block["text"]) for block in value if block["type"] == "markdown") > MARKDOWN:
        yield complaint(f"no more than {MARKDOWN} characters of markdown allowed", pointer)


def _submit(value: Any, pointer: str) -> Complaints:
    asks = any(block["type"] == "input" for block in value["blocks"])
    if asks and "submit" not in value:
        yield complaint("missing required field: submit", pointer)


def _blocks(rules: dict[str, Rule], most: int) -> Rule:
    return also(listed(typed(rules), most, 0), unique("block_id"))


MESSAGE = also(also(_blocks(BLOCKS | MESSAGE_ONLY, MESSAGE_BLOCKS), _one_table), _markdown)
ANY_BLOCKS = _blocks(BLOCKS | MESSAGE_ONLY | MODAL_ONLY, VIEW_BLOCKS)
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
IN_MODAL = _blocks(BLOCKS | MODAL_ONLY, VIEW_BLOCKS)
MODAL = also(shape({"type": anything, "title": plain(24), "blocks": IN_MODAL}, MODAL_MAY), _submit)
HOME = shape({"type": anything, "blocks": _blocks(BLOCKS, VIEW_BLOCKS)}, VIEW_MAY)


def check_blocks(blocks: Any) -> None:
    """Refuse a message's blocks as Slack would."""
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    _refuse("invalid_blocks", MESSAGE(blocks, "/blocks"))


def check_view(view: Any, kind: str) -> None:
    """Refuse a ``modal`` or ``home`` view as Slack would."""
    _refuse("invalid_arguments", typed({kind: MODAL if kind == "modal" else HOME})(view, "/view"))
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        raise SlackError("view_too_large")


def check_metadata(metadata: Any) -> None:
    """Refuse metadata as Slack would.

    https://docs.slack.dev/messaging/message-metadata
    """
    needs = shape({"event_type": text(255), "event_payload": _any_object})
    if list(needs(metadata, "/metadata")):
        raise SlackError("invalid_metadata_format")
    if len(json.dumps(metadata).encode()) > METADATA_BYTES:
        raise SlackError("metadata_too_large")


def _any_object(value: Any, pointer: str) -> Complaints:
    if not isinstance(value, dict):
        yield complaint("must provide an object", pointer)


def _refuse(code: str, complaints: Complaints) -> None:
    messages = [str(one) for one in complaints]
    if messages:
        raise SlackError(code, errors=messages, response_metadata={"messages": messages})


def with_ids(blocks: list[Json], new_id: Callable[[str], str]) -> list[Json]:
    """The blocks with the ids Slack makes up for those that have none."""

    def named(element: Json) -> Json:
        if element["type"] == "image" or "action_id" in element:
            return element
        return {"action_id": new_id("a"), **element}

    def block_named(block: Json) -> Json:
        block = {"block_id": block.get("block_id") or new_id("b"), **block}
        for key in ("element", "accessory"):
            if key in block:
                block[key] = named(block[key])
        if block["type"] == "actions":
            block["elements"] = [named(each) for each in block["elements"]]
        return block

    return [block_named(block) for block in blocks]
