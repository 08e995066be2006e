"""Find what a message or a view hides from somebody who hears it, or sees no colours."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from bot.messages import Message

# The signs of outcomes and states: what the blocks show, the notification has to say.
SIGNS = ("✅", "🚫", "⏳", "❓", "❌", "⛔", "🔄", "⌛", "🛑")
CHOICES = ("static_select", "multi_static_select", "users_select", "multi_users_select")


def elements_of(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every button and menu of blocks, wherever it stands."""
    if isinstance(part, dict):
        if "action_id" in part:
            yield part
        for value in part.values():
            yield from elements_of(value)
    elif isinstance(part, list):
        for item in part:
            yield from elements_of(item)


def inputs_of(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the elements that have a label beside them."""
    return [block["element"] for block in blocks if block["type"] == "input"]


def faults(rendered: object) -> list[str]:
    """Return which buttons are told apart by their place alone, which menus have no name, and
    whether the notification keeps the outcome to itself.
    """
    match rendered:
        case Message(blocks=blocks) if blocks:
            payload = rendered.payload
        case dict() if isinstance(rendered.get("blocks"), list):
            payload = rendered
        case _:
            return []
    elements = list(elements_of(payload["blocks"]))
    buttons = [element for element in elements if element["type"] == "button"]
    labels = Counter(button["text"]["text"] for button in buttons)
    labelled = inputs_of(payload["blocks"])
    found = [
        f"one of several buttons says only {button['text']['text']!r} ({button['action_id']})"
        for button in buttons
        if labels[button["text"]["text"]] > 1 and not button.get("accessibility_label")
    ]
    found += [
        f"a menu without a name ({element['action_id']})"
        for element in elements
        if element["type"] in CHOICES and element not in labelled and not element.get("placeholder")
    ]
    if isinstance(rendered, Message):
        first = next((text for block in payload["blocks"] if (text := text_of(block))), "")
        found += [
            f"the notification has no {sign}: {payload['text']!r}"
            for sign in SIGNS
            if first.startswith(sign) and sign not in payload["text"]
        ]
    return found


def text_of(block: dict[str, Any]) -> str:
    """Return the text of a section or header; "" for another block."""
    text = block.get("text")
    return str(text["text"]) if isinstance(text, dict) else ""
