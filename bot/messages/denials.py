"""Say that nothing was done, and why: the policy refuses, input is missing, or the bot failed."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain import evidence
from bot.domain.actions import Action
from bot.domain.objects import ByKind, ObjectKind, Ref
from bot.domain.reasons import OutcomeReason, RefusalReason
from bot.domain.tracking import ObjectChange
from bot.domain.watch_status import FailedAnswer
from bot.messages.blocks import Message, text_message
from bot.messages.catalogue import N_, Catalogue
from bot.messages.errors import posting_problem, secmaster_sentence
from bot.messages.labels import labels
from bot.messages.permissions import name_letters, role_members, unread_text
from bot.messages.text import code, inline, rule_number
from bot.messages.troubles import quoted_answer
from bot.policy.decide import Refused
from bot.policy.rules import Role

# {rule} is the number and name of the rule that refused; {members} are the roles that may, with
# who has them; {letters} are those that look like others.
REFUSAL_SENTENCES = {
    RefusalReason.GUEST: N_("Guests can't read or change anything here."),
    RefusalReason.OUTSIDER: N_(
        "People from other organisations or workspaces can't read or change anything here."
    ),
    RefusalReason.UNKNOWN_PERSON: N_("Slack could not confirm who you are. Try again."),
    RefusalReason.GONE: N_("No task or run with ID {id} in this workspace."),
    RefusalReason.UNREAD: N_("Can't reach SecMaster, so permissions can't be checked. Try again."),
    RefusalReason.EVIDENCE_UNREAD: N_(
        "Rule {rule} checks the alert or incident behind this. Decide in the console."
    ),
    RefusalReason.UNSTATED: N_(
        "Rule {rule} needs data that SecMaster did not return. Decide in the console."
    ),
    RefusalReason.LOOKALIKE: N_(
        "Rule {rule} checks a name, and this name has letters that look like others: {letters}. "
        "Rename it with letters of one alphabet, or decide in the console."
    ),
    RefusalReason.DENIED: N_("Rule {rule} denies this. No other rule can allow it."),
    RefusalReason.DENIED_UNREAD: N_(
        "Rule {rule} may deny this, and the data to check it could not be read. Try again, or "
        "decide in the console."
    ),
    RefusalReason.NO_RULE: N_("No rule allows {action}. Ask whoever runs this bot."),
    RefusalReason.RULE: N_("Only {members} can do this (rule {rule})."),
    RefusalReason.SELF: N_("You created this task, so another approver must decide: {members}."),
    RefusalReason.UNMAPPED: N_(
        "Rule {rule} excludes the task's creator, and the bot does not know who you are in "
        "SecMaster. Ask whoever runs this bot."
    ),
    RefusalReason.BREAK_GLASS: N_("Only {members} can use the emergency override (rule {rule})."),
    RefusalReason.NO_BREAK_GLASS: N_(
        "Rule {rule} has no emergency override. Ask for approvals instead."
    ),
    RefusalReason.NEEDS_REASON: N_("Rule {rule} requires a reason. Press again and enter one."),
    RefusalReason.NEEDS_NAME: N_(
        "Rule {rule} requires the name to be typed. Press the button on the card again."
    ),
}

EVIDENCE_MAY_PASS = N_("Rule {rule} checks the alert or incident behind this. Try again.")

# What says nothing of a right: somebody could not be asked.
PASSING_REASONS = (RefusalReason.UNREAD, RefusalReason.UNKNOWN_PERSON)
UNREAD_REASONS = (RefusalReason.UNREAD, RefusalReason.DENIED_UNREAD)

# The refusals that reading can meet beside those of the rules, with what to do.
READ_REFUSALS: dict[tuple[RefusalReason, ObjectKind], str] = {
    (RefusalReason.NO_RULE, "task"): N_(
        "No rule lets you read tasks. Ask whoever runs this bot to add you."
    ),
    (RefusalReason.NO_RULE, "instance"): N_(
        "No rule lets you read runs. Ask whoever runs this bot to add you."
    ),
    (RefusalReason.NO_RULE, "playbook"): N_(
        "No rule lets you read playbook runs. Ask whoever runs this bot to add you."
    ),
    (RefusalReason.RULE, "task"): N_(
        "Only {members} can read tasks (rule {rule}). Ask one of them, or ask whoever runs this "
        "bot to add you."
    ),
    (RefusalReason.RULE, "instance"): N_(
        "Only {members} can read runs (rule {rule}). Ask one of them, or ask whoever runs this "
        "bot to add you."
    ),
    (RefusalReason.RULE, "playbook"): N_(
        "Only {members} can read playbook runs (rule {rule}). Ask one of them, or ask whoever runs "
        "this bot to add you."
    ),
    (RefusalReason.UNSTATED, "task"): N_(
        "Rule {rule} needs data that SecMaster did not return, so nobody can be shown this task. "
        "Look at it in the console."
    ),
    (RefusalReason.UNSTATED, "instance"): N_(
        "Rule {rule} needs data that SecMaster did not return, so nobody can be shown this run. "
        "Look at it in the console."
    ),
    (RefusalReason.UNSTATED, "playbook"): N_(
        "Rule {rule} needs data that SecMaster did not return, so nobody can be shown this "
        "playbook run. Look at it in the console."
    ),
}


@dataclass(frozen=True, slots=True)
class ChangeRefusals:
    """The sentences that refuse somebody a change of an object in the bot itself.

    ``others`` is for whom {members} may decide, ``nobody`` where the policy lets nobody; any other
    refusal is followed by ``not_done``.
    """

    others: str
    nobody: str
    not_done: str


CHANGE_REFUSALS: Mapping[ObjectChange, ChangeRefusals] = {
    ObjectChange.CLAIM: ChangeRefusals(
        others=N_("You can't claim this: only {members} can decide it."),
        nobody=N_("You can't claim this: the policy lets nobody decide it."),
        not_done=N_("Nothing was claimed."),
    ),
    ObjectChange.RELEASE: ChangeRefusals(
        others=N_("You can't release this claim: only {members} can decide it."),
        nobody=N_("You can't release this claim: the policy lets nobody decide it."),
        not_done=N_("No claim was released."),
    ),
    ObjectChange.ESCALATE: ChangeRefusals(
        others=N_("You can't escalate this: only {members} can decide it."),
        nobody=N_("You can't escalate this: the policy lets nobody decide it."),
        not_done=N_("Nothing was escalated."),
    ),
    ObjectChange.SNOOZE: ChangeRefusals(
        others=N_("You can't snooze this for everyone: only {members} can decide it."),
        nobody=N_("You can't snooze this for everyone: the policy lets nobody decide it."),
        not_done=N_("Nothing was snoozed."),
    ),
    ObjectChange.WAKE: ChangeRefusals(
        others=N_("You can't end this snooze: only {members} can decide it."),
        nobody=N_("You can't end this snooze: the policy lets nobody decide it."),
        not_done=N_("No snooze was ended."),
    ),
}
NO_CARD_ABOVE = ByKind(
    task=N_(
        "This message is not in the thread of a task's card. Use it on a message under a card."
    ),
    instance=N_(
        "This message is not in the thread of a run's card. Use it on a message under a card."
    ),
    playbook=N_(
        "This message is not in the thread of a playbook run's card. Use it on a message under a "
        "card."
    ),
)
NOTHING_PENDING = ByKind(
    task=N_("No pending approval on this task."),
    instance=N_("No pending approval on this run."),
    playbook=N_("No pending approval on this playbook run."),
)
SEVERAL_PENDING = ByKind(
    task=N_("Several approvals are pending on this task. Use the buttons on its card."),
    instance=N_("Several approvals are pending on this run. Use the buttons on its card."),
    playbook=N_("Several approvals are pending on this playbook run. Use the buttons on its card."),
)


def may_pass(refused: Refused) -> bool:
    """Return whether the same may be allowed in a moment: somebody could not be asked."""
    if refused.unread:
        return evidence.may_pass(refused.unread)
    return refused.reason in PASSING_REASONS


def may_not_read(
    catalogue: Catalogue, kind: ObjectKind, refused: Refused, roles: Mapping[str, Role]
) -> Message:
    """Say that the policy lets a person read no object of a kind, or not this one, and who may."""
    sentence = catalogue.gettext(
        READ_REFUSALS.get((refused.reason, kind), REFUSAL_SENTENCES[refused.reason]),
        action=code(f"{kind}.read"),
        id="",
        rule=inline(rule_number(refused.rule)),
        members=role_members(catalogue, refused.roles, roles),
        letters=name_letters(catalogue, refused.letters),
    )
    mark = "⏳" if refused.reason in PASSING_REASONS else "🚫"
    return text_message(f"{mark} {sentence}")


def not_allowed(  # noqa: PLR0913, PLR0917 - all that a refusal is made of
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
    mark = "⏳" if is_unread or may_pass(refused) else "🚫"
    text = f"{mark} {sentence} {catalogue.gettext(labels(action).not_sent)}"
    # What IAM or the network says is for whoever runs the bot.
    if answer and is_unread and not answer.unsent:
        text = f"{text} {quoted_answer(catalogue, answer)}".rstrip()
    return text_message(text)


def change_not_allowed(
    catalogue: Catalogue,
    change: ObjectChange,
    ref: Ref,
    refused: Refused,
    roles: Mapping[str, Role],
) -> Message:
    """Say that somebody may not claim, snooze or escalate an object, and who may.

    That takes the right to decide it. ``roles`` are the policy's, by name.
    """
    sentences = CHANGE_REFUSALS[change]
    match refused.reason:
        case RefusalReason.RULE:
            members = role_members(catalogue, refused.roles, roles)
            return text_message(f"🚫 {catalogue.gettext(sentences.others, members=members)}")
        case RefusalReason.NO_RULE:
            advice = catalogue.gettext("Ask whoever runs this bot.")
            return text_message(f"🚫 {catalogue.gettext(sentences.nobody)} {advice}")
        case _:
            mark = "⏳" if may_pass(refused) else "🚫"
            text = _refusal_text(catalogue, "", ref, refused, roles)
            return text_message(f"{mark} {text} {catalogue.gettext(sentences.not_done)}")


def refusal(  # noqa: PLR0913, PLR0917 - likewise
    catalogue: Catalogue,
    action: Action,
    ref: Ref,
    refused: Refused,
    roles: Mapping[str, Role],
    answer: FailedAnswer | None = None,
) -> str:
    """Say why the policy refused an action, and who may; ``roles`` by name.

    ``answer`` is what SecMaster said, where the object could not be read.
    """
    is_unreachable = answer and answer.reason is OutcomeReason.UNREACHABLE and not answer.unsent
    if answer and refused.reason is RefusalReason.UNREAD and not is_unreachable:
        unchecked = catalogue.gettext("Permissions can't be checked meanwhile. Try again.")
        return f"{secmaster_sentence(catalogue, answer)} {unchecked}"
    sentence = _refusal_text(catalogue, action.name, ref, refused, roles)
    if answer and refused.reason is RefusalReason.DENIED_UNREAD:
        return f"{secmaster_sentence(catalogue, answer)} {sentence}"
    return sentence


def _refusal_text(
    catalogue: Catalogue, action: str, ref: Ref, refused: Refused, roles: Mapping[str, Role]
) -> str:
    """Say what could not be read, if anything, and why the policy refused an action of a name."""
    is_passing = refused.reason is RefusalReason.EVIDENCE_UNREAD and may_pass(refused)
    sentence = catalogue.gettext(
        EVIDENCE_MAY_PASS if is_passing else REFUSAL_SENTENCES[refused.reason],
        action=code(action),
        id=code(ref.id),
        rule=inline(rule_number(refused.rule)),
        members=role_members(catalogue, refused.roles, roles),
        letters=name_letters(catalogue, refused.letters),
    )
    return " ".join(filter(None, [unread_text(catalogue, refused), sentence]))


def needs_reason(
    catalogue: Catalogue, action: Action, root: str, *, break_glass: bool = False
) -> Message:
    """Say that the rule asks for a reason, and how a command gives one."""
    usage = action.usage.replace("[reason]", "<reason>")
    command = " ".join([root, "break-glass", usage] if break_glass else [root, usage])
    sentence = catalogue.gettext(
        "This requires a reason. Type {command}.", command=code(command, 150)
    )
    return text_message(f"✏️ {sentence} {catalogue.gettext(labels(action).not_sent)}")


def needs_name(catalogue: Catalogue, action: Action) -> Message:
    """Say that the rule asks for the object's name to be typed, which only a form can ask."""
    sentence = catalogue.gettext(
        "This requires the name to be typed. Press *{button}* on the card.",
        button=catalogue.gettext(labels(action).button),
    )
    return text_message(f"✏️ {sentence} {catalogue.gettext(labels(action).not_sent)}")


def nothing_waits(catalogue: Catalogue, ref: Ref) -> Message:
    """Say that no approval request about an object is open."""
    return text_message(catalogue.gettext(NOTHING_PENDING[ref.kind]))


def several_wait(catalogue: Catalogue, ref: Ref) -> Message:
    """Say that several approval requests about an object are open, so a command is ambiguous."""
    return text_message(catalogue.gettext(SEVERAL_PENDING[ref.kind]))


def no_card_above(catalogue: Catalogue, action: Action) -> Message:
    """Say that a shortcut was used on a message that is not in a card's thread."""
    sentence = catalogue.gettext(NO_CARD_ABOVE[action.kind])
    return text_message(f"{sentence} {catalogue.gettext(labels(action).not_sent)}")


def too_many_files(catalogue: Catalogue, number: int, limit: int) -> Message:
    """Say that a message has more files than one form can attach."""
    return text_message(
        catalogue.ngettext(
            "This message has {count} file; up to {limit} can be attached at once. Nothing was "
            "attached.",
            "This message has {count} files; up to {limit} can be attached at once. Nothing was "
            "attached.",
            number,
            limit=catalogue.number(limit),
        )
    )


def too_late(catalogue: Catalogue) -> Message:
    """Say that Slack opens no form any more for a button that was pressed."""
    return text_message(
        f"⏳ {catalogue.gettext('Slack did not open the form in time. Press again.')}"
    )


def no_chat(catalogue: Catalogue) -> Message:
    """Say that Slack opened no direct message in which the person could be answered."""
    sentence = catalogue.gettext(
        "Slack did not open a direct message with you in time, where the result would appear. "
        "Nothing was sent. Press again."
    )
    return text_message(f"⏳ {sentence}")


def newer_button(catalogue: Catalogue, *, sends: bool = False) -> Message:
    """Say that a button was made by another version of the bot and can't be read.

    One that ``sends`` something to SecMaster did not.
    """
    if sends:
        sentence = catalogue.gettext(
            "This button is from another version of the bot, so nothing was sent. Use the command "
            "instead, or show the card again."
        )
    else:
        sentence = catalogue.gettext(
            "This button is from another version of the bot. Use the command instead."
        )
    return text_message(sentence)


def newer_form(catalogue: Catalogue, *, sends: bool = False) -> Message:
    """Say that a form was made by another version of the bot and can't be read.

    One that ``sends`` something to SecMaster did not.
    """
    if sends:
        sentence = catalogue.gettext(
            "This form is from another version of the bot, so nothing was sent. Close it, and open "
            "it again."
        )
    else:
        sentence = catalogue.gettext(
            "This form is from another version of the bot. Close it, and open it again."
        )
    return text_message(sentence)


def unreadable(catalogue: Catalogue, field: str) -> Message:
    """Say that what Slack sent lacks something; ``field`` is Slack's name for it."""
    return text_message(
        catalogue.gettext(
            "Slack's request was incomplete ({field} is missing), so nothing was sent. Try again. "
            "If that does not help, tell whoever runs this bot.",
            field=code(field),
        )
    )


def edited(catalogue: Catalogue) -> Message:
    """Say that an edited message is not acted on."""
    sentence = catalogue.gettext(
        "Edits are ignored: your original message still counts. For anything else, send a new "
        "message."
    )
    return text_message(f"✏️ {sentence}")


def too_old(catalogue: Catalogue, *, is_new: bool) -> Message:
    """Say that Slack delivered a message so late that it is not acted on.

    One that is not new was delivered before, and what it asks for may have been recorded.
    """
    if is_new:
        sentence = catalogue.gettext(
            "Slack delivered this message more than ten minutes late, so nothing was done. Send it "
            "again if you still want it."
        )
    else:
        sentence = catalogue.gettext(
            "Slack delivered this message again, more than ten minutes after you wrote it. It may "
            "have been carried out the first time: check before you send it again."
        )
    return text_message(f"⏳ {sentence}")


def own_fault(catalogue: Catalogue, reference: str, *, nothing_sent: bool = False) -> Message:
    """Say that the bot failed; ``reference`` finds the error in its logs.

    ``nothing_sent`` is said where something was to be sent to SecMaster.
    """
    if nothing_sent:
        sentence = catalogue.gettext(
            "Something went wrong in the bot, and nothing was sent to SecMaster. Tell whoever runs "
            "this bot the reference {reference}.",
            reference=code(reference),
        )
    else:
        sentence = catalogue.gettext(
            "Something went wrong in the bot. Tell whoever runs this bot the reference "
            "{reference}.",
            reference=code(reference),
        )
    return text_message(f"❌ {sentence}")


def not_recorded(catalogue: Catalogue) -> Message:
    """Say that the database took nothing: nothing was recorded, so nothing will be done."""
    sentence = catalogue.gettext(
        "The bot's database takes no writes at the moment, so this was not recorded and not done. "
        "Try again in a minute. If that does not help, tell whoever runs this bot."
    )
    return text_message(f"⏳ {sentence}")


def not_looked_up(catalogue: Catalogue) -> Message:
    """Say that the database did not say what was asked for, which would have changed nothing."""
    sentence = catalogue.gettext(
        "The bot's database does not respond at the moment. Try again in a minute. If that does "
        "not help, tell whoever runs this bot."
    )
    return text_message(f"⏳ {sentence}")


def perhaps_recorded(catalogue: Catalogue) -> Message:
    """Say that the database did not answer in time: what was asked for may be recorded."""
    sentence = catalogue.gettext(
        "The bot's database does not respond, so it is not known whether this was recorded. If it "
        "was, the result will appear. If you see nothing within two minutes, try again."
    )
    return text_message(f"❓ {sentence}")


def not_in_time(catalogue: Catalogue) -> Message:
    """Say that a request was given up before anything of it was recorded, to answer Slack."""
    sentence = catalogue.gettext(
        "Slack, SecMaster or the bot's database responded too slowly, so this was not recorded and "
        "not done. Try again."
    )
    return text_message(f"⏳ {sentence}")


def still_recording(catalogue: Catalogue) -> Message:
    """Say that a request is not on record yet, and that its end will be told."""
    sentence = catalogue.gettext(
        "The bot's database is slow, and this is not recorded yet. You will be told when it is, or "
        "that it failed. Until then don't send it again: look at the card first."
    )
    return text_message(f"⏳ {sentence}")


def slack_in_trouble(catalogue: Catalogue) -> Message:
    """Say that Slack failed, so that something could not be shown."""
    sentence = catalogue.gettext("Slack has a problem, so this can't be shown. Try again.")
    return text_message(f"⏳ {sentence}")


def unknown_person(catalogue: Catalogue) -> Message:
    """Say that Slack could not be asked who somebody is."""
    return text_message(f"⏳ {catalogue.gettext(REFUSAL_SENTENCES[RefusalReason.UNKNOWN_PERSON])}")


def not_sent_title(catalogue: Catalogue) -> str:
    """Return the title of a view that says why a form was not taken."""
    return catalogue.gettext("Not sent")


def not_recorded_title(catalogue: Catalogue) -> str:
    """Return the title of a view that says that a form is not on record yet."""
    return catalogue.gettext("Not recorded yet")


def cannot_post(catalogue: Catalogue, error_code: str) -> Message:
    """Say why Slack did not let the bot post, by Slack's error code."""
    problem = posting_problem(catalogue, error_code)
    return text_message(f"🚫 {problem} {catalogue.gettext('Nothing was posted.')}")
