"""The rules for blocks and views, as a table of Slack's published limits.

https://docs.slack.dev/reference/block-kit
"""

import json
from collections.abc import Callable, Iterator
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
from bot.sandbox.slack.rich_text import RICH_TEXT
from bot.sandbox.slack.rules import (
    Complaints,
    Rule,
    also,
    anything,
    complaint,
    decimal,
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
TABLE_TEXT = 10_000
COLUMNS = 20
MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
VIEW_BYTES = 250_000
METADATA_BYTES = 8_000


RAW_CELLS: dict[str, Rule] = {
    "raw_text": shape({"type": anything, "text": text(3000)}),
    "raw_number": shape({"type": anything, "value": decimal}, {"text": text(3000)}),
}
CELL = typed(RAW_CELLS | {"rich_text": RICH_TEXT})
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
    "rich_text": RICH_TEXT,
}
TABLE = block(
    {"rows": listed(listed(CELL, COLUMNS), 100)},
    {"column_settings": listed(nullable(COLUMN), COLUMNS)},
)


def equal_rows(value: Any, pointer: str) -> Complaints:
    """As many cells in every row as in the first, which is the header and has no rich text."""
    header, *rows = value["rows"]
    for index, row in enumerate(rows, 1):
        if len(row) != len(header):
            yield complaint(f"must have {len(header)} items", f"{pointer}/rows/{index}")
    yield from listed(typed(RAW_CELLS), COLUMNS)(header, f"{pointer}/rows/0")


# https://docs.slack.dev/reference/block-kit/blocks/data-table-block
DATA_TABLE = also(
    block(
        {"rows": listed(listed(CELL, COLUMNS), 101, 2), "caption": text(TABLE_TEXT)},
        {"page_size": number(1, 100), "row_header_column_index": number(0, COLUMNS - 1)},
    ),
    equal_rows,
)
# What may stand in a container. Slack's page and its validator differ: these are in both lists.
CHILDREN = {
    kind: BLOCKS[kind] for kind in ("actions", "context", "divider", "header", "image", "section")
}


def header_of_container(value: Any, pointer: str) -> Complaints:
    """A title of either kind, and a divider or a fold below it, not both."""
    if "title" not in value and "rich_text_title" not in value:
        yield complaint("must have either title or rich_text_title", pointer)
    if value.get("default_collapsed") and not value.get("is_collapsible"):
        yield complaint("needs is_collapsible", f"{pointer}/default_collapsed")
    if value.get("has_header_divider") and value.get("is_collapsible"):
        yield complaint("must not be collapsible", f"{pointer}/has_header_divider")


# https://docs.slack.dev/reference/block-kit/blocks/container-block
CONTAINER = also(
    block(
        {"child_blocks": listed(typed(CHILDREN | {"table": TABLE}), 10)},
        {
            "title": plain(150),
            "rich_text_title": RICH_TEXT,
            "subtitle": rich(150),
            "width": word("narrow", "standard", "wide", "full"),
            "icon": typed({"image": IMAGE}),
            "is_collapsible": flag,
            "default_collapsed": flag,
            "has_header_divider": flag,
        },
    ),
    header_of_container,
)
# Slack's pages name messages for each of these, and for none of them a view with certainty.
MESSAGE_ONLY: dict[str, Rule] = {
    "markdown": block({"text": text(MARKDOWN)}),
    "table": TABLE,
    "data_table": DATA_TABLE,
    "container": CONTAINER,
}


MODAL_ONLY: dict[str, Rule] = {
    # https://docs.slack.dev/reference/block-kit/blocks/alert-block
    "alert": block(
        {"text": rich(200)}, {"level": word("default", "info", "warning", "error", "success")}
    ),
}


def one_table(value: Any, pointer: str) -> Complaints:
    """At most one table in a message, and so many characters in the cells of all its tables."""
    tables = [
        index
        for index, item in enumerate(value)
        for inner in flattened([item])
        if inner["type"] == "table"
    ]
    for index in tables[1:]:
        yield complaint("only one table is allowed in a message", f"{pointer}/{index}")
    if sum(cell_characters(item.get("rows", [])) for item in flattened(value)) > TABLE_TEXT:
        yield complaint(f"no more than {TABLE_TEXT} characters of tables allowed", pointer)


def cell_characters(value: Any) -> int:
    """Count the characters of all texts in some rows."""
    if isinstance(value, list):
        return sum(map(cell_characters, value))
    if not isinstance(value, dict):
        return 0
    inner = sum(map(cell_characters, value.values()))
    return inner + len(value["text"]) if isinstance(value.get("text"), str) else inner


def flattened(blocks: list[Json]) -> Iterator[Json]:
    """Yield blocks with those inside of them, each before its children."""
    for item in blocks:
        yield item
        yield from item.get("child_blocks", [])


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
        if block["type"] == "container":
            block["child_blocks"] = [block_with_id(child) for child in block["child_blocks"]]
        for key in ("element", "accessory"):
            if key in block:
                block[key] = element_with_id(block[key])
        if block["type"] == "actions":
            block["elements"] = [element_with_id(element) for element in block["elements"]]
        return block

    return [block_with_id(block) for block in blocks]
