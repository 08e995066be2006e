"""What Slack accepts as blocks and views, as a table of its published limits.

https://docs.slack.dev/reference/block-kit
"""

import json
from collections.abc import Callable
from typing import Any

from bot.sandbox.slack.permits import SlackError
from bot.sandbox.slack.rules import (
    Complaints,
    Rule,
    also,
    anything,
    complaint,
    flag,
    listed,
    number,
    shape,
    text,
    typed,
    unique,
    word,
)
from bot.sandbox.slack.workspace import Json

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
VIEW_BYTES = 250_000
METADATA_BYTES = 8_000
ID = text(255)
URL = text(3000)


def plain(most: int, least: int = 1) -> Rule:
    return typed({"plain_text": _text_object(most, least)})


def rich(most: int) -> Rule:
    """Text that may carry markup."""
    return typed({"plain_text": _text_object(most), "mrkdwn": _text_object(most)})


def _text_object(most: int, least: int = 1) -> Rule:
    needs = {"type": anything, "text": text(most, least)}
    return shape(needs, {"emoji": flag, "verbatim": flag})


def _element(needs: dict[str, Rule] | None = None, may: dict[str, Rule] | None = None) -> Rule:
    always = {"action_id": ID, "confirm": CONFIRM, "focus_on_load": flag}
    return shape({"type": anything, **(needs or {})}, always | (may or {}))


def _options(value: Any, pointer: str) -> Complaints:
    """A select has either options or groups of them."""
    if ("options" in value) == ("option_groups" in value):
        yield complaint("must have either options or option_groups", pointer)


CONFIRM = shape(
    {"title": plain(100), "text": rich(300), "confirm": plain(30), "deny": plain(30)},
    {"style": word("primary", "danger")},
)
OPTION = shape({"text": plain(75), "value": text(150)}, {"description": plain(75), "url": URL})
CHOICE = shape({"text": rich(75), "value": text(150)}, {"description": rich(75)})
GROUPS = listed(shape({"label": plain(75), "options": listed(OPTION, 100)}), 100)
HINT = {"placeholder": plain(150)}
SELECT = HINT | {"options": listed(OPTION, 100), "option_groups": GROUPS}
SEVERAL = {"max_selected_items": number(1, 100)}
TYPED = HINT | {
    "initial_value": text(3000, 0),
    "dispatch_action_config": anything,
}
LENGTHS = {"min_length": number(0, 3000), "max_length": number(1, 3000), "multiline": flag}
BOUNDS = {"min_value": text(50), "max_value": text(50)}
WHERE = {"filter": anything, "default_to_current_conversation": flag, "response_url_enabled": flag}
STRINGS = listed(text(255), 100)

IMAGE_KEYS: dict[str, Rule] = {"image_url": URL, "slack_file": anything}
IMAGE = shape({"type": anything, "alt_text": text(2000)}, IMAGE_KEYS)
BUTTON = _element(
    {"text": plain(75)},
    {
        "value": text(2000),
        "url": URL,
        "style": word("primary", "danger"),
        "accessibility_label": text(75),
    },
)

CHOICES: dict[str, Rule] = {
    "static_select": also(_element(may=SELECT | {"initial_option": OPTION}), _options),
    "multi_static_select": also(
        _element(may=SELECT | SEVERAL | {"initial_options": listed(OPTION, 100)}), _options
    ),
    "external_select": _element(
        may=HINT | {"initial_option": OPTION, "min_query_length": number(0, 1000)}
    ),
    "users_select": _element(may=HINT | {"initial_user": text(255)}),
    "multi_users_select": _element(may=HINT | SEVERAL | {"initial_users": STRINGS}),
    "channels_select": _element(may=HINT | WHERE | {"initial_channel": text(255)}),
    "multi_channels_select": _element(may=HINT | SEVERAL | {"initial_channels": STRINGS}),
    "conversations_select": _element(may=HINT | WHERE | {"initial_conversation": text(255)}),
    "multi_conversations_select": _element(
        may=HINT | WHERE | SEVERAL | {"initial_conversations": STRINGS}
    ),
    "datepicker": _element(may=HINT | {"initial_date": text(10)}),
    "timepicker": _element(may=HINT | {"initial_time": text(5), "timezone": text(255)}),
    "datetimepicker": _element(may={"initial_date_time": number(10**9, 10**10 - 1)}),
    "radio_buttons": _element({"options": listed(CHOICE, 10)}, {"initial_option": CHOICE}),
    "checkboxes": _element(
        {"options": listed(CHOICE, 10)}, {"initial_options": listed(CHOICE, 10)}
    ),
}
PRESSED: dict[str, Rule] = {
    "button": BUTTON,
    "overflow": _element({"options": listed(OPTION, 5)}),
}
INPUTS: dict[str, Rule] = CHOICES | {
    "plain_text_input": _element(may=TYPED | LENGTHS),
    "email_text_input": _element(may=TYPED),
    "url_text_input": _element(may=TYPED),
    "number_input": _element({"is_decimal_allowed": flag}, TYPED | BOUNDS),
    "file_input": _element(may={"filetypes": STRINGS, "max_files": number(1, 10)}),
    "rich_text_input": _element(may=HINT | {"initial_value": anything}),
}

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
            {"style": anything, "indent": number(0, 8), "offset": anything, "border": anything},
        ),
    )
)
CELL = typed(
    {
        "raw_text": shape({"type": anything, "text": text(3000)}),
        "rich_text": shape({"type": anything, "elements": listed(RICH_PARTS, 100)}),
    }
)


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
    "image": _block({"alt_text": text(2000)}, IMAGE_KEYS | {"title": plain(2000)}),
    "context": _block(
        {
            "elements": listed(
                typed(
                    {"image": IMAGE, "plain_text": _text_object(3000), "mrkdwn": _text_object(3000)}
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
    "markdown": _block({"text": text(12_000)}),
    "table": _block(
        {"rows": listed(listed(CELL, 20), 100)}, {"column_settings": listed(anything, 20)}
    ),
}


def _one_table(value: Any, pointer: str) -> Complaints:
    tables = [at for at, block in enumerate(value) if block["type"] == "table"]
    for at in tables[1:]:
        yield complaint("only one table is allowed in a message", f"{pointer}/{at}")


def _submit(value: Any, pointer: str) -> Complaints:
    asks = any(block["type"] == "input" for block in value["blocks"])
    if asks and "submit" not in value:
        yield complaint("missing required field: submit", pointer)


MESSAGE = also(
    also(listed(typed(BLOCKS | MESSAGE_ONLY), MESSAGE_BLOCKS, 0), unique("block_id")), _one_table
)
IN_VIEW = also(listed(typed(BLOCKS), VIEW_BLOCKS, 0), unique("block_id"))
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
MODAL = also(shape({"type": anything, "title": plain(24), "blocks": IN_VIEW}, MODAL_MAY), _submit)
HOME = shape({"type": anything, "blocks": IN_VIEW}, VIEW_MAY)


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
    messages = list(complaints)
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
