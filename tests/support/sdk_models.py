"""Whether blocks are what slack_sdk's own models would send."""

from collections.abc import Iterator
from typing import Any

from slack_sdk.models.blocks import Block

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.workspace import BOT_USER, Json


def unmodelled_blocks(slack: SlackSandbox) -> list[Json]:
    """Return the blocks of the bot's that slack_sdk's models do not say, or say otherwise."""
    return [block for block in blocks_of_bot(slack) if modelled(block) != block]


def blocks_of_bot(slack: SlackSandbox) -> Iterator[Json]:
    """Yield each block that the bot sent: in calls, and in answers that became messages."""
    for call in slack.calls:
        for holder in (call.args, call.args.get("view")):
            yield from (holder or {}).get("blocks") or ()
    ephemerals = [ephemeral.message for ephemeral in slack.workspace.ephemerals]
    for message in [*ephemerals, *(m for line in slack.workspace.messages.values() for m in line)]:
        if message["user"] == BOT_USER:
            yield from message.get("blocks", ())


def modelled(block: Json) -> Any:
    """Return a block as its model says it: within Slack's limits, and without unknown fields."""
    parsed = Block.parse(block)
    return parsed.to_dict() if parsed else None
