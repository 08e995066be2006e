"""The method that only looks: ``blocks.validate``.

https://docs.slack.dev/reference/methods/blocks.validate
"""

from typing import Any

from bot.sandbox.slack.asking import Ask, method
from bot.sandbox.slack.blocks import ANY_BLOCKS, HOME, MESSAGE, MODAL
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.permits import SlackError
from bot.sandbox.slack.rules import Complaints, Rule, complaint, typed
from bot.sandbox.slack.workspace import Json


def _message(value: Any, pointer: str) -> Complaints:
    """Of a message, only the blocks; the rest depends on the method that posts it."""
    if isinstance(value, dict):
        yield from MESSAGE(value.get("blocks", []), f"{pointer}/blocks")
    else:
        yield complaint("must provide an object", pointer)


RULES: dict[str, Rule] = {
    "blocks": ANY_BLOCKS,
    "message": _message,
    "view": typed({"modal": MODAL, "home": HOME}),
}


@method("blocks.validate", Tier.HUNDREDS)
def validate(ask: Ask) -> Json:
    given = [name for name in RULES if ask.args.get(name) not in (None, "")]
    if len(given) != 1:
        raise ask.refused("provide exactly one of blocks, message, view", "")
    [name] = given
    errors = [one.described() for one in RULES[name](ask.args[name], "")]
    if errors:
        raise SlackError(f"invalid_{name}", errors=errors)
    return {}
