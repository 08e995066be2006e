"""The state of interactive elements: what a person may enter, and how Slack reports it.

https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#state
"""

from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any

from bot.sandbox.slack.blocks import flattened
from bot.sandbox.slack.workspace import Json

Entered = str | list[str] | None
FindFile = Callable[[str], Json]

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
    """Yield each interactive element with its block."""
    for block in flattened(blocks):
        inner = block.get("elements", []) if block["type"] == "actions" else []
        for element in (block.get("accessory"), block.get("element"), *inner):
            if element and element["type"] != "image":
                yield block, element


def find_element(blocks: list[Json], action_id: str, block_id: str = "") -> tuple[Json, Json]:
    """Return the block and the element of this ``action_id``, the first when several share it."""
    for block, element in elements(blocks):
        if element["action_id"] == action_id and block_id in ("", block["block_id"]):
            return block, element
    raise ValueError(f"no element {action_id!r} here")


def options(element: Json) -> list[Json]:
    """List the options of an element, those in groups included."""
    grouped = [option for group in element.get("option_groups", []) for option in group["options"]]
    return [*element.get("options", []), *grouped]


def action_fields(
    element: Json, value: Entered, find_file: FindFile, *, forge_value: bool = False
) -> Json:
    """Return what Slack reports of a press, a pick or an entry.

    ``forge_value`` reports a button's press with another value than the button has.
    """
    if element["type"] != "button":
        return _report(element, value, find_file)
    if forge_value:
        return {"value": value}
    if value not in (None, element.get("value")):
        raise ValueError(f"the button's value is {element.get('value')!r}")
    return {"value": element["value"]} if "value" in element else {}


def _report(element: Json, value: Entered, find_file: FindFile) -> Json:
    """Return what Slack reports once ``value`` is entered; nothing for an unknown element.

    A file is entered by its id, and reported whole:
    https://docs.slack.dev/reference/block-kit/block-elements/file-input-element
    """
    key = KEYS.get(element["type"], "")
    if not key:
        return {"value": element["value"]} if "value" in element else {}
    if not key.endswith("s"):
        return {key: _report_item(element, key, value) if value else None}
    values = value if isinstance(value, list) else [value] if value else []
    items = [_report_item(element, key, item) for item in values]
    return {key: [find_file(file_id) for file_id in items] if key == "files" else items}


def _report_item(element: Json, key: str, value: Entered) -> Any:
    if key in NUMBERS:
        return int(str(value))
    if element["type"] == "rich_text_input":
        # What is typed without any styling, a text element for each line.
        # https://docs.slack.dev/reference/block-kit/block-elements/rich-text-input-element
        lines = [{"type": "text", "text": line} for line in str(value).splitlines(keepends=True)]
        section = {"type": "rich_text_section", "elements": lines}
        return {"type": "rich_text", "elements": [section]}
    if not key.startswith("selected_option") or element["type"] == "external_select":
        return value
    for option in options(element):
        if option["value"] == value:
            return option
    raise ValueError(f"{element['action_id']!r} has no option {value!r}")


def initial_state(blocks: list[Json]) -> Json:
    """Return the state of every stateful element before a person changes anything."""
    values: Json = {}
    for block, element in elements(blocks):
        key = KEYS.get(element["type"])
        if key is None or element["type"] == "overflow":
            continue
        initial = "initial_value" if key == "value" else key.replace("selected_", "initial_")
        empty: list[Json] | None = [] if key.endswith("s") else None
        state = {"type": element["type"], key: element.get(initial, empty)}
        values.setdefault(block["block_id"], {})[element["action_id"]] = state
    return values


def carried_over(old: Json, blocks: list[Json]) -> Json:
    """Return the state of new blocks, keeping what was entered in elements that stay.

    Picked options that an element no longer has are dropped.
    """
    values = initial_state(blocks)
    for block, element in elements(blocks):
        states = values.get(block["block_id"], {})
        action_id = element["action_id"]
        state = old.get(block["block_id"], {}).get(action_id)
        if action_id not in states or not state or state["type"] != element["type"]:
            continue
        key = KEYS[element["type"]]
        if key.startswith("selected_option") and element["type"] != "external_select":
            valid = {option["value"] for option in options(element)}
            picked = state[key]
            if isinstance(picked, list):
                picked = [option for option in picked if option["value"] in valid]
            elif not picked or picked["value"] not in valid:
                picked = None
            state = state | {key: picked}
        states[action_id] = state
    return values


def record_entry(values: Json, block: Json, element: Json, fields: Json) -> Json:
    """Put an element's new state into ``values``; a button or an overflow menu has none."""
    if element["type"] in KEYS and element["type"] != "overflow":
        state = {"type": element["type"], **fields}
        values.setdefault(block["block_id"], {})[element["action_id"]] = state
    return values


def fill_in(view: Json, values: dict[str, str | list[str]], find_file: FindFile) -> dict[str, str]:
    """Enter ``values`` in the view, by block id or action id.

    Returns the error code of each input that Slack itself would refuse, by block id.
    """
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    names = {block["block_id"] for block in inputs} | {
        block["element"]["action_id"] for block in inputs
    }
    if unknown := values.keys() - names:
        raise ValueError(f"no input {', '.join(sorted(unknown))} in this view")
    errors: dict[str, str] = {}
    for block in inputs:
        element = block["element"]
        value = values.get(block["block_id"], values.get(element["action_id"]))
        if value is not None:
            fields = _report(element, value, find_file)
            record_entry(view["state"]["values"], block, element, fields)
        state = view["state"]["values"][block["block_id"]][element["action_id"]]
        if error := input_error(block, state):
            errors[block["block_id"]] = error
    return errors


def input_error(block: Json, state: Json) -> str:
    """Return why Slack would not submit this input, before the app is asked; "" if it would."""
    element = block["element"]
    value = next((value for key, value in state.items() if key != "type"), None)
    if value in (None, "", []):
        return "" if block.get("optional") else "missing_input"
    if isinstance(value, str) and len(value) < element.get("min_length", 0):
        return "too_short"
    if isinstance(value, str) and len(value) > element.get("max_length", 3000):
        return "too_long"
    if element["type"] == "file_input":
        return _files_error(element, value)
    return _number_error(element, value) if element["type"] == "number_input" else ""


def _files_error(element: Json, files: list[Json]) -> str:
    """Check how many files were entered, of which types, and how large they are.

    https://docs.slack.dev/reference/block-kit/block-elements/file-input-element
    """
    if len(files) > element.get("max_files", MOST_FILES):
        return "too_many_files"
    suffixes = {f".{name.removeprefix('.').lower()}" for name in element.get("filetypes", [])}
    if suffixes and any(PurePath(file["name"]).suffix.lower() not in suffixes for file in files):
        return "file_type_not_allowed"
    return "file_too_large" if any(file["size"] > LARGEST_ENTERED for file in files) else ""


def _number_error(element: Json, value: str) -> str:
    try:
        entered = float(value) if element["is_decimal_allowed"] else int(value)
    except ValueError:
        return "not_a_number"
    least, most = float(element.get("min_value", entered)), float(element.get("max_value", entered))
    return "" if least <= entered <= most else "out_of_range"
