"""What a person can enter in a block's element, and the shape in which Slack reports it.

https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#state
"""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from bot.sandbox.slack.workspace import Json

Entered = str | list[str] | None

KEYS = {
    "plain_text_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "number_input": "value",
    "static_select": "selected_option",
    "external_select": "selected_option",
    "radio_buttons": "selected_option",
    "overflow": "selected_option",
    "multi_static_select": "selected_options",
    "checkboxes": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "rich_text_input": "rich_text_value",
    "file_input": "files",
}
NUMBERS = {"selected_date_time"}
MOST_FILES = 10
LARGEST_ENTERED = 10 * 1024**2


def elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Each interactive element with its block."""
    for block in blocks:
        inside = block.get("elements", []) if block["type"] == "actions" else []
        for element in (block.get("accessory"), block.get("element"), *inside):
            if element and element["type"] != "image":
                yield block, element


def find_element(blocks: list[Json], action_id: str, block_id: str = "") -> tuple[Json, Json]:
    """The element of this ``action_id``, the first when blocks share one."""
    for block, element in elements(blocks):
        if element["action_id"] == action_id and block_id in ("", block["block_id"]):
            return block, element
    raise ValueError(f"no element {action_id!r} here")


def entry(element: Json, value: Entered) -> Json:
    """What Slack reports once ``value`` is entered; empty for a button."""
    kind = element["type"]
    key = KEYS.get(kind, "")
    if not key:
        return {"value": element["value"]} if "value" in element else {}
    if key.endswith("s"):
        several = value if isinstance(value, list) else [value] if value else []
        return {key: [_one(element, key, each) for each in several]}
    return {key: _one(element, key, value) if value else None}


def _one(element: Json, key: str, value: Entered) -> Any:
    if key in NUMBERS:
        return int(str(value))
    if element["type"] == "rich_text_input":
        return _rich_text(str(value))
    if not key.startswith("selected_option") or element["type"] == "external_select":
        return value
    for option in options(element):
        if option["value"] == value:
            return option
    raise ValueError(f"{element['action_id']!r} has no option {value!r}")


def _rich_text(plain: str) -> Json:
    """What is typed without any styling, a text element for each line.

    https://docs.slack.dev/reference/block-kit/block-elements/rich-text-input-element
    """
    lines = [{"type": "text", "text": line} for line in plain.splitlines(keepends=True)]
    section = {"type": "rich_text_section", "elements": lines}
    return {"type": "rich_text", "elements": [section]}


def options(element: Json) -> list[Json]:
    grouped = [each for group in element.get("option_groups", []) for each in group["options"]]
    return [*element.get("options", []), *grouped]


def initial_state(blocks: list[Json]) -> Json:
    """The state of every element that holds one, before anybody touched it."""
    values: Json = {}
    for block, element in elements(blocks):
        key = KEYS.get(element["type"])
        if key is None or element["type"] == "overflow":
            continue
        first = "initial_value" if key == "value" else key.replace("selected_", "initial_")
        empty: list[Json] | None = [] if key.endswith("s") else None
        held = {"type": element["type"], key: element.get(first, empty)}
        values.setdefault(block["block_id"], {})[element["action_id"]] = held
    return values


def held(state: Json) -> Any:
    """The bare value inside one element's state."""
    return next((value for key, value in state.items() if key != "type"), None)


def carried_over(old: Json, blocks: list[Json]) -> Json:
    """The state of these blocks, with what was entered in elements the old ones also had."""
    new = initial_state(blocks)
    for block, element in elements(blocks):
        fresh = new.get(block["block_id"], {})
        action_id = element["action_id"]
        entered = old.get(block["block_id"], {}).get(action_id)
        if action_id in fresh and entered and entered["type"] == element["type"]:
            fresh[action_id] = _still_there(element, entered)
    return new


def _still_there(element: Json, entered: Json) -> Json:
    """What was entered, without picked options that the element no longer has."""
    key = KEYS[element["type"]]
    if not key.startswith("selected_option") or element["type"] == "external_select":
        return entered
    left = {option["value"] for option in options(element)}
    picked = entered[key]
    if isinstance(picked, list):
        return entered | {key: [one for one in picked if one["value"] in left]}
    return entered | {key: picked if picked and picked["value"] in left else None}


def check_input(block: Json, state: Json) -> str:
    """Why the dialog would not let this be sent: Slack's own checks, before the app is asked."""
    element, value = block["element"], held(state)
    if value in (None, "", []):
        return "" if block.get("optional") else "missing_input"
    if isinstance(value, str) and len(value) < element.get("min_length", 0):
        return "too_short"
    if isinstance(value, str) and len(value) > element.get("max_length", 3000):
        return "too_long"
    if element["type"] == "file_input":
        return _check_files(element, value)
    return _check_number(element, value) if element["type"] == "number_input" else ""


def _check_files(element: Json, files: list[Json]) -> str:
    """How many, of which kinds, how large.

    https://docs.slack.dev/reference/block-kit/block-elements/file-input-element
    """
    if len(files) > element.get("max_files", MOST_FILES):
        return "too_many_files"
    wanted = {f".{each.removeprefix('.').lower()}" for each in element.get("filetypes", [])}
    if wanted and any(PurePath(file["name"]).suffix.lower() not in wanted for file in files):
        return "file_type_not_allowed"
    return "file_too_large" if any(file["size"] > LARGEST_ENTERED for file in files) else ""


def _check_number(element: Json, value: str) -> str:
    try:
        entered = float(value) if element["is_decimal_allowed"] else int(value)
    except ValueError:
        return "not_a_number"
    least, most = float(element.get("min_value", entered)), float(element.get("max_value", entered))
    return "" if least <= entered <= most else "out_of_range"
