"""What a person's press or entry makes of an element's state."""

from collections.abc import Callable

from bot.sandbox.slack.entries import KEYS, Entered, check_input, entry
from bot.sandbox.slack.workspace import Json

FindFile = Callable[[str], Json]


def pressed(
    element: Json, value: Entered, find_file: FindFile, *, forge_value: bool = False
) -> Json:
    """What Slack reports of a press, a pick or an entry."""
    if element["type"] != "button":
        return _entered(element, value, find_file)
    if forge_value:
        return {"value": value}
    if value not in (None, element.get("value")):
        raise ValueError(f"the button's value is {element.get('value')!r}")
    return entry(element, None)


def touch(values: Json, block: Json, element: Json, entered: Json) -> Json:
    """The state after an element was changed, which a button or an overflow menu has not."""
    if element["type"] in KEYS and element["type"] != "overflow":
        new = {"type": element["type"], **entered}
        values.setdefault(block["block_id"], {})[element["action_id"]] = new
    return values


def fill_in(view: Json, values: dict[str, str | list[str]], find_file: FindFile) -> dict[str, str]:
    """Enter the values in the view; what Slack itself has against them, by block."""
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    known = {block["block_id"] for block in inputs} | {
        block["element"]["action_id"] for block in inputs
    }
    if unknown := values.keys() - known:
        raise ValueError(f"no input {', '.join(sorted(unknown))} in this view")
    wrong: dict[str, str] = {}
    for block in inputs:
        element = block["element"]
        given = values.get(block["block_id"], values.get(element["action_id"]))
        if given is not None:
            touch(view["state"]["values"], block, element, _entered(element, given, find_file))
        state = view["state"]["values"][block["block_id"]][element["action_id"]]
        if complaint := check_input(block, state):
            wrong[block["block_id"]] = complaint
    return wrong


def _entered(element: Json, value: Entered, find_file: FindFile) -> Json:
    """A file is entered by its id, and reported whole.

    https://docs.slack.dev/reference/block-kit/block-elements/file-input-element
    """
    entered = entry(element, value)
    if element["type"] == "file_input":
        return {"files": [find_file(file_id) for file_id in entered["files"]]}
    return entered
