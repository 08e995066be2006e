"""Say that nothing was done, and why: the policy refuses, input is missing, or the bot failed."""

from collections.abc import Mapping

from bot.domain.actions import Action
from bot.domain.objects import ObjectKind, Ref
from bot.domain.reasons import RefusalReason
from bot.domain.watch_status import FailedAnswer
from bot.messages.blocks import Message, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.errors import CANNOT_POST, CANNOT_POST_DEFAULT
from bot.messages.labels import labels
from bot.messages.permissions import name_letters, role_members
from bot.messages.text import code
from bot.messages.troubles import quoted_answer, secmaster_sentence
from bot.policy.decide import Refused
from bot.policy.rules import Role

# {rule} is the rule that refused, {Rule} the same at the beginning of a sentence; {members} are
# the roles that may, with who has them; {letters} are those that look like others; {trouble} is
# what is the matter with SecMaster.
REFUSAL_SENTENCES = {
    RefusalReason.GUEST: "Guests may not read or change anything here.",
    RefusalReason.OUTSIDER: (
        "People of other organisations or workspaces may not read or change anything here."
    ),
    RefusalReason.UNKNOWN_PERSON: (
        "Slack could not be asked who you are, so nothing may be allowed. Try again."
    ),
    RefusalReason.GONE: "SecMaster knows no {kind} {id} here.",
    RefusalReason.UNREAD: (
        "{trouble}, so it can't be checked whether you may do this. Try again in a moment."
    ),
    RefusalReason.UNSTATED: (
        "{Rule} asks for what SecMaster does not say of this {kind}, so nobody can be allowed. "
        "Decide it in SecMaster."
    ),
    RefusalReason.LOOKALIKE: (
        "{Rule} asks for a name, and this {kind}'s has letters that look like others: {letters}. "
        "Have it renamed in letters of one alphabet, or decide it in SecMaster."
    ),
    RefusalReason.DENIED: "{Rule} denies this, whatever another rule allows.",
    RefusalReason.DENIED_UNREAD: (
        "{Rule} denies this for some {kind}s, and whether this is one of them could not be read. "
        "Try again, or decide it in SecMaster."
    ),
    RefusalReason.NO_RULE: "No rule allows {action}. Ask whoever runs this bot.",
    RefusalReason.RULE: "You may not do this: {rule} leaves it to {members}.",
    RefusalReason.SELF: (
        "You created this task, and {rule} leaves it to somebody else of {members}."
    ),
    RefusalReason.UNMAPPED: (
        "{Rule} refuses whoever created the task, and nobody told me who you are in SecMaster. "
        "Ask whoever runs this bot."
    ),
    RefusalReason.BREAK_GLASS: "You may not break the glass: {rule} leaves it to {members}.",
    RefusalReason.NO_BREAK_GLASS: "{Rule} has no glass to break: ask without.",
    RefusalReason.NEEDS_REASON: "{Rule} asks for a reason now: press again, and give one.",
    RefusalReason.NEEDS_NAME: (
        "{Rule} asks for the {kind}'s name to be typed now: press the button on its card again."
    ),
}


UNREADABLE = "SecMaster can't be read now"
DENIED_WHILE_UNREADABLE = (
    "{trouble}, and {rule} denies this for some {kind}s: it can't be checked whether this is one. "
    "Try again in a moment, or decide it in SecMaster."
)
# What says nothing of a right: somebody could not be asked.
PASSING_REASONS = (RefusalReason.UNREAD, RefusalReason.UNKNOWN_PERSON)
UNREAD_REASONS = (RefusalReason.UNREAD, RefusalReason.DENIED_UNREAD)

# The refusals that reading can meet beside those of the rules, with what to do.
READ_REFUSALS = {
    RefusalReason.NO_RULE: "No rule lets you read {kinds}. Ask whoever runs this bot to add you.",
    RefusalReason.RULE: (
        "You may not read this: {rule} leaves {kinds} to {members}. Ask one of them, or ask "
        "whoever runs this bot to add you."
    ),
    RefusalReason.UNSTATED: (
        "{Rule} asks for what SecMaster does not say of this {kind}, so nobody can be allowed to "
        "read it. Look at it in SecMaster."
    ),
}


def may_not_read(
    catalogue: Catalogue, kind: ObjectKind, refused: Refused, roles: Mapping[str, Role]
) -> Message:
    """Say that the policy lets a person read no object of a kind, or not this one, and who may."""
    sentence = READ_REFUSALS.get(refused.reason) or REFUSAL_SENTENCES[refused.reason]
    text = sentence.format(
        action=code(f"{kind}.read"),
        id="",
        kind=kind,
        kinds=f"{kind}s",
        rule=refused.rule,
        Rule=refused.rule.capitalize(),
        members=role_members(catalogue, refused.roles, roles),
        letters=name_letters(catalogue, refused.letters),
        trouble=UNREADABLE,
    )
    return text_message(f"🚫 {text}")


def not_allowed(
    catalogue: Catalogue,
    action: Action,
    ref: Ref,
    refused: Refused,
    roles: Mapping[str, Role],
    answer: FailedAnswer | None = None,
) -> Message:
    """Say that the policy refused an action, by which rule, and who may; ``roles`` by name.

    Where the object could not be read, for which SecMaster's ``answer`` stands, nobody was refused
    a right, and that is what is said.
    """
    sentence = refusal(catalogue, action, ref, refused, roles, answer)
    is_unread = answer is not None and refused.reason in UNREAD_REASONS
    mark = "⏳" if is_unread or refused.reason in PASSING_REASONS else "🚫"
    text = f"{mark} {sentence} The {labels(action).noun} was not sent."
    # What IAM or the network says is for whoever runs the bot.
    if answer and is_unread and not answer.unsent:
        text = f"{text} {quoted_answer(catalogue, answer)}".rstrip()
    return text_message(text)


def refusal(
    catalogue: Catalogue,
    action: Action,
    ref: Ref,
    refused: Refused,
    roles: Mapping[str, Role],
    answer: FailedAnswer | None = None,
) -> str:
    """Say in a sentence why the policy refused an action, and who may; ``roles`` by name.

    ``answer`` is what SecMaster said, where the object could not be read.
    """
    sentence = REFUSAL_SENTENCES[refused.reason]
    if answer and refused.reason is RefusalReason.DENIED_UNREAD:
        sentence = DENIED_WHILE_UNREADABLE
    return sentence.format(
        trouble=secmaster_sentence(catalogue, answer) if answer else UNREADABLE,
        action=code(action.name),
        kind=ref.kind,
        id=code(ref.id),
        rule=refused.rule,
        Rule=refused.rule.capitalize(),
        members=role_members(catalogue, refused.roles, roles),
        letters=name_letters(catalogue, refused.letters),
    )


def needs_reason(
    catalogue: Catalogue, action: Action, root: str, *, break_glass: bool = False
) -> Message:
    """Say that the rule asks for a reason, and how a command gives one."""
    usage = action.usage.replace("[reason]", "<reason>")
    command = f"{root} break-glass {usage}" if break_glass else f"{root} {usage}"
    return text_message(f"✏️ This needs a reason: write {code(command, 150)}. Nothing was sent.")


def needs_name(catalogue: Catalogue, action: Action) -> Message:
    """Say that the rule asks for the object's name to be typed, which only a form can ask."""
    return text_message(
        f"✏️ This asks for the {action.kind}'s name to be typed: press *{labels(action).button}* "
        "on its card. Nothing was sent."
    )


def nothing_waits(catalogue: Catalogue, ref: Ref) -> Message:
    """Say that no approval request about an object is open."""
    return text_message(
        f"Nothing about {ref.kind} {code(ref.id)} waits for more people. Nothing was changed."
    )


def several_wait(catalogue: Catalogue, ref: Ref) -> Message:
    """Say that several approval requests about an object are open, so a command is ambiguous."""
    return text_message(
        f"More than one action on {ref.kind} {code(ref.id)} waits for more people. Press the "
        "button on its card; nothing was changed."
    )


def no_card_above(catalogue: Catalogue, action: Action) -> Message:
    """Say that a shortcut was used on a message that is not in a card's thread."""
    kind = action.kind
    return text_message(
        f"This message is not in the thread of a {kind}'s card, so the {labels(action).noun} "
        f"would have no {kind}. Nothing was sent; use it on a message under a card."
    )


def too_many_files(catalogue: Catalogue, number: int, limit: int) -> Message:
    """Say that a message has more files than one form can attach."""
    return text_message(
        f"This message has {number} files; {limit} can be attached at once. Nothing was sent."
    )


def too_late(catalogue: Catalogue) -> Message:
    """Say that Slack opens no form any more for a button that was pressed."""
    return text_message("The form came too late for Slack. Nothing was sent; press again.")


def no_chat(catalogue: Catalogue) -> Message:
    """Say that Slack opened no direct message in which the person could be answered."""
    return text_message(
        "Slack did not open our chat in time, where this would be answered. Nothing was sent; "
        "press again."
    )


def newer_button(catalogue: Catalogue) -> Message:
    """Say that a button was made by another version of the bot and can't be read."""
    return text_message(
        "This button is from another version of this bot and was not understood, so nothing was "
        "sent. Use the command instead, or show the card again."
    )


def newer_form(catalogue: Catalogue) -> Message:
    """Say that a form was made by another version of the bot and can't be read."""
    return text_message(
        "This form is from another version of this bot and was not understood, so nothing was "
        "sent. Close it, and open it again."
    )


def unreadable(catalogue: Catalogue, field: str) -> Message:
    """Say that what Slack sent lacks something; ``field`` is Slack's name for it."""
    return text_message(
        f"What Slack sent was not understood: its {code(field)} is missing. Nothing was sent to "
        "SecMaster. Try again; if that does not help, tell whoever runs this bot."
    )


def edited(catalogue: Catalogue) -> Message:
    """Say that an edited message is not acted on."""
    return text_message(
        "✏️ I don't act on edits: what the message asked for before stands. For anything else, send "
        "a new message."
    )


def too_old(catalogue: Catalogue, *, is_new: bool) -> Message:
    """Say that Slack delivered a message so late that it is not acted on.

    One that is not new was delivered before, and what it asks for may have been recorded.
    """
    if not is_new:
        return text_message(
            "⏳ Slack delivered this message again, more than ten minutes after you wrote it. What "
            "it asks for may have been done the first time: look before you send it again."
        )
    return text_message(
        "⏳ Slack delivered this message more than ten minutes after you wrote it, so nothing was "
        "done. If you still want it, send it again."
    )


def own_fault(catalogue: Catalogue, reference: str) -> Message:
    """Say that the bot failed; ``reference`` finds the error in its logs."""
    return text_message(
        "Something went wrong on our side, and nothing was sent to SecMaster. Tell whoever runs "
        f"this bot the reference {code(reference)}."
    )


def not_recorded(catalogue: Catalogue) -> Message:
    """Say that the database took nothing: nothing was recorded, so nothing will be done."""
    return text_message(
        "This could not be recorded: the bot's database takes nothing at the moment. Nothing was "
        "done. Try again in a minute; if that does not help, tell whoever runs this bot."
    )


def not_looked_up(catalogue: Catalogue) -> Message:
    """Say that the database did not say what was asked for, which would have changed nothing."""
    return text_message(
        "The bot's database does not answer at the moment, so this could not be looked up. Nothing "
        "was changed. Try again in a minute; if that does not help, tell whoever runs this bot."
    )


def perhaps_recorded(catalogue: Catalogue) -> Message:
    """Say that the database did not answer in time: what was asked for may be recorded."""
    return text_message(
        "The bot's database does not answer, so I can't say whether this was recorded. If it was, "
        "you will be told how it ends. If you hear nothing within two minutes, try again."
    )


def not_in_time(catalogue: Catalogue) -> Message:
    """Say that a request was given up before anything of it was recorded, to answer Slack."""
    return text_message(
        "Slack, SecMaster or the bot's database answered too slowly, so this was given up: nothing "
        "was recorded, and nothing was done. Try again."
    )


def still_recording(catalogue: Catalogue) -> Message:
    """Say that a request is not on record yet, and that its end will be told."""
    return text_message(
        "⏳ The bot's database is slow, and this is not recorded yet. You will be told as soon as "
        "it is, or that it failed. Until then don't send it again: look at the card first."
    )


def cannot_post(catalogue: Catalogue, error_code: str) -> Message:
    """Say why Slack did not let the bot post, by Slack's error code."""
    sentence = CANNOT_POST.get(error_code, CANNOT_POST_DEFAULT)
    return text_message(f"🚫 {sentence}. Nothing was posted.")
