"""Read a rendered message or view as a person does: its texts, buttons, menus and inputs."""

from collections.abc import Iterator
from typing import Any

from bot.messages import Message

Rendered = Message | dict[str, Any]


def blocks_of(rendered: Rendered) -> list[dict[str, Any]]:
    """Return the blocks of a message or of a view."""
    blocks: list[dict[str, Any]] = (
        rendered["blocks"] if isinstance(rendered, dict) else rendered.payload["blocks"]
    )
    return blocks


def text_objects(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every object that has a text, in order."""
    if isinstance(part, dict):
        if isinstance(part.get("text"), str):
            yield part
        for value in part.values():
            yield from text_objects(value)
    elif isinstance(part, list):
        for item in part:
            yield from text_objects(item)


def read(rendered: Rendered) -> str:
    """Return everything there is to read, a line for each text."""
    return "\n".join(text["text"] for text in text_objects(blocks_of(rendered)))


def text_types(rendered: Rendered, word: str) -> set[str]:
    """Return the types of all texts that contain a word, escaped or not."""
    return {text["type"] for text in text_objects(blocks_of(rendered)) if word in text["text"]}


def elements(rendered: Rendered) -> list[dict[str, Any]]:
    """Return the buttons and menus in the rows of actions."""
    return [
        element
        for block in blocks_of(rendered)
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def button_ids(rendered: Rendered) -> list[str]:
    """Return the action ids of all buttons in the rows of actions."""
    return [element["action_id"] for element in elements(rendered) if element["type"] == "button"]


def menu_values(rendered: Rendered) -> list[str]:
    """Return the values of the options of the only overflow menu."""
    (menu,) = [element for element in elements(rendered) if element["type"] == "overflow"]
    return [option["value"] for option in menu["options"]]


def input_ids(view: dict[str, Any]) -> list[str]:
    """Return the block ids of a view's inputs."""
    return [block["block_id"] for block in view["blocks"] if block["type"] == "input"]
