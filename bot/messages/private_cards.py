"""Render cards for one person alone, and what a command asks before it is carried out."""

from typing import Self

from pydantic import Field, ValidationError
from slack_sdk.models.blocks import ActionsBlock, ButtonElement

from bot.domain.actions import BY_NAME, Action
from bot.domain.objects import Ref, Value
from bot.domain.reasons import ChannelRefusal
from bot.domain.snapshots import Snapshot
from bot.messages.blocks import Message, actions, context, new_message, section
from bot.messages.catalogue import Catalogue
from bot.messages.labels import consequence, labels
from bot.messages.text import inline, quote

POST = "post"  # the action ids of the buttons
ANSWER = "answer"
BUTTON_VALUE = 2000  # characters that Slack lets a button carry
CLOSED_HERE = {
    ChannelRefusal.NOT_NAMED: "the policy does not name this channel for cards",
    ChannelRefusal.SHARED: "another organisation shares this channel",
}


class AskedCommand(Value):
    """A command that is to be confirmed, as its button carries it.

    ``button`` is the text of a ButtonValue: the object, and what was shown of it. What a button
    has no room for is left out of an ``incomplete`` one, and asked for again in a form. ``key`` is
    the question's own: pressed twice it is carried out once.
    """

    action: str
    button: str
    key: str = ""
    reason: str = ""
    params: dict[str, str] = Field({})
    break_glass: bool = False
    incomplete: bool = False

    def fitting(self) -> Self:
        """Return the command without what a button has no room for."""
        without_params = self.model_copy(update={"params": {}, "incomplete": True})
        without_words = without_params.model_copy(update={"reason": ""})
        commands = (self, without_params, without_words)
        return next(command for command in commands if len(str(command)) <= BUTTON_VALUE)

    def __str__(self) -> str:
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a button's text; None for one that this version can't read."""
        try:
            command = cls.model_validate_json(text)
        except ValidationError:
            return None
        return command if command.action in BY_NAME else None


def private_card(
    catalogue: Catalogue, card: Message, ref: Ref, refusal: ChannelRefusal | None
) -> Message:
    """Return a card that one person alone sees.

    It has a button that posts it for everybody, or says by ``refusal`` why that is not possible.
    """
    if refusal is None:
        button = ButtonElement(text="Post here", action_id=POST, value=str(ref))
        more = [context("Only you see this card."), actions([button])]
    else:
        reason = CLOSED_HERE[refusal]
        more = [context(f"Only you see this card: {reason}, so it can't be posted here.")]
    return Message(card.text, (*card.blocks, *more))


def posted_here(catalogue: Catalogue) -> Message:
    """Say in the place of a private card that it was posted for everybody."""
    return new_message("The card is posted here, for everybody.")


def with_try_again(catalogue: Catalogue, message: Message, command: AskedCommand) -> Message:
    """Return a message that a command was not carried out, with a button that asks for it again."""
    button = ButtonElement(text="Try again", action_id=ANSWER, value=str(command.fitting()))
    return new_message(message.text, *message.blocks, actions([button]))


def question(
    catalogue: Catalogue,
    action: Action,
    command: AskedCommand,
    snapshot: Snapshot,
    private: Message | None,
) -> Message:
    """Ask whether a command is to be carried out, with a button that does so.

    ``private`` is the object's card, None where the channel shows it. Its own buttons are left
    out: they would forget what the person typed.
    """
    words, name = labels(action), inline(snapshot.name)
    if action.allowed_statuses and snapshot.status not in action.allowed_statuses:
        text = f"🔎 *{name}* is not open to this any more. Nothing was recorded."
        more = [section(text)]
    else:
        text = (
            f"❔ *{words.button}* “{name}”? {consequence(catalogue, action, snapshot)} "
            "Nothing is recorded until you press the button."
        )
        carried = command.fitting()
        if carried.incomplete:
            text += " It opens a form: what you typed is too long for it, so type it there."
        if command.break_glass:
            text = f"🔨 You decide alone what asks for several people. It is announced.\n{text}"
        reason = [section(quote(command.reason))] if command.reason else []
        button = ButtonElement(
            text=words.button, action_id=ANSWER, value=str(carried), style=action.style or None
        )
        more = [section(text), *reason, actions([button])]
    card = (
        [block for block in private.blocks if not isinstance(block, ActionsBlock)]
        if private
        else []
    )
    return Message(text, (*card, *more))
