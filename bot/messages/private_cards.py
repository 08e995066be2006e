"""Render cards for one person alone, what a command asks before it is carried out, and *Try again*.

A button that asks for an action carries all of the command, so that pressing it needs no memory.
"""

from typing import Self

from pydantic import Field, ValidationError
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, ConfirmObject, PlainTextObject

from bot.domain.actions import BY_NAME
from bot.domain.objects import Ref, Value
from bot.domain.reasons import ChannelRefusal
from bot.domain.slack import Destination
from bot.domain.snapshots import Snapshot
from bot.messages.blocks import (
    Message,
    Tally,
    actions,
    consequences,
    context,
    new_message,
    section,
)
from bot.messages.catalogue import N_, Catalogue
from bot.messages.labels import labels
from bot.messages.text import destination_name, inline, quote

POST = "post"  # the action ids of the buttons
ANSWER = "answer"
TRY_AGAIN = "try-again"
BUTTON_VALUE = 2000  # characters that Slack lets a button carry
CLOSED_HERE = {
    ChannelRefusal.NOT_NAMED: N_(
        "Only you see this card. It can't be posted here: the policy allows no cards in this "
        "channel."
    ),
    ChannelRefusal.SHARED: N_(
        "Only you see this card. It can't be posted here: another organisation shares this channel."
    ),
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
        label = catalogue.gettext("Post here")
        button = ButtonElement(text=label, action_id=POST, value=str(ref))
        more = [context(catalogue.gettext("Only you see this card.")), actions([button])]
    else:
        more = [context(catalogue.gettext(CLOSED_HERE[refusal]))]
    return Message(card.text, (*card.blocks, *more))


def posted_here(catalogue: Catalogue) -> Message:
    """Say in the place of a private card that it was posted for everybody."""
    return new_message(catalogue.gettext("The card is posted here, for everybody."))


def try_again_button(
    catalogue: Catalogue, command: AskedCommand, *, asks_first: bool = False, needed: int = 1
) -> ButtonElement:
    """Return the button that asks for the same once more; it is a delivery of its own.

    One without a ``key`` stands where several people may press it, each in their own name: if it
    ``asks_first``, nobody decides by a slip. ``needed`` is how many people must ask for it.
    """
    words = labels(BY_NAME[command.action])
    if needed > 1:
        sentence = catalogue.gettext(
            "It counts as your approval. Nothing is sent until {needed} people have approved.",
            needed=catalogue.number(needed),
        )
    else:
        sentence = catalogue.gettext("It is sent to SecMaster in your name.")
    question = ConfirmObject(
        title=catalogue.gettext(words.confirm),
        text=PlainTextObject(text=sentence),
        confirm=catalogue.gettext(words.button),
        deny=catalogue.gettext("Cancel"),
    )
    return ButtonElement(
        text=catalogue.gettext("Try again"),
        action_id=TRY_AGAIN,
        value=str(command.fitting()),
        confirm=question if asks_first else None,
    )


def with_try_again(catalogue: Catalogue, message: Message, command: AskedCommand) -> Message:
    """Return a message that a command was not carried out, with a button that asks for it again."""
    button = try_again_button(catalogue, command)
    return new_message(message.text, *message.blocks, actions([button]))


def question(
    catalogue: Catalogue,
    command: AskedCommand,
    snapshot: Snapshot,
    private: Message | None,
    tally: Tally | None = None,
) -> Message:
    """Ask whether a command is to be carried out, with a button that does so.

    ``private`` is the object's card, None where the channel shows it. Its own buttons are left
    out: they would forget what the person typed. ``tally`` is None where one person is enough.
    """
    action, name = BY_NAME[command.action], inline(snapshot.name)
    words = labels(action)
    if action.allowed_statuses and snapshot.status not in action.allowed_statuses:
        closed = catalogue.gettext(
            "*{name}* is no longer open to this. Nothing was recorded.", name=name
        )
        text = f"🔎 {closed}"
        more = [section(text)]
    else:
        carried = command.fitting()
        sentences = [
            f"*{catalogue.gettext(words.confirm)}*",
            f"“{name}”",
            *consequences(catalogue, action, snapshot, tally),
            catalogue.gettext("Nothing is recorded until you press the button."),
        ]
        if carried.incomplete:
            sentences.append(
                catalogue.gettext("It opens a form: what you typed is too long for a button.")
            )
        text = f"❔ {' '.join(sentences)}"
        if command.break_glass:
            text = f"🚨 {override_warning(catalogue)}\n{text}"
        reason = [section(quote(command.reason))] if command.reason else []
        button = ButtonElement(
            text=catalogue.gettext(words.button),
            action_id=ANSWER,
            value=str(carried),
            style=action.style or None,
        )
        more = [section(text), *reason, actions([button])]
    card = (
        [block for block in private.blocks if not isinstance(block, ActionsBlock)]
        if private
        else []
    )
    return Message(text, (*card, *more))


def override_warning(catalogue: Catalogue, channel: str = "") -> str:
    """Say before an emergency override that it is one; ``channel`` is where it is announced."""
    if not channel:
        return catalogue.gettext(
            "Emergency override: you decide alone. The channel for that is notified."
        )
    return catalogue.gettext(
        "Emergency override: you decide alone. {channel} is notified.",
        channel=destination_name(Destination.parse(channel)),
    )
