"""The Web API method that checks blocks and posts nothing: ``blocks.validate``.

https://docs.slack.dev/reference/methods/blocks.validate
"""

from typing import Any

from bot.sandbox.slack.blocks import ANY_BLOCKS, HOME, MESSAGE, MODAL
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.limits import Tier
from bot.sandbox.slack.methods import MethodCall, method
from bot.sandbox.slack.rules import Complaints, Rule, complaint, typed
from bot.sandbox.slack.workspace import Json


def message(value: Any, pointer: str) -> Complaints:
    """Check only the blocks of a message; the rest depends on the method that posts it."""
    if isinstance(value, dict):
        yield from MESSAGE(value.get("blocks", []), f"{pointer}/blocks")
    else:
        yield complaint("must provide an object", pointer)


RULES: dict[str, Rule] = {
    "blocks": ANY_BLOCKS,
    "message": message,
    "view": typed({"modal": MODAL, "home": HOME}),
}


@method("blocks.validate", Tier.HUNDREDS)
def validate(call: MethodCall) -> Json:
    names = [name for name in RULES if call.args.get(name) not in (None, "")]
    if len(names) != 1:
        raise call.invalid("provide exactly one of blocks, message, view", "")
    [name] = names
    errors = [error.described() for error in RULES[name](call.args[name], "")]
    if errors:
        raise SlackError(f"invalid_{name}", errors=errors)
    return {}
