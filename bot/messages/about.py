"""What the bot says of itself and of rights: help, usage, whoami, refusals."""

from collections.abc import Mapping, Sequence

from bot.actions import TABLE, Action
from bot.config import Config, Role, Rule
from bot.messages.blocks import Message, context, say, section
from bot.messages.errors import CANNOT_POST, NO_ROOM
from bot.messages.text import code, group, line, person
from bot.messages.words import words
from bot.models import File, Ref
from bot.policy import Member, Refused, covers

SHOWN = 5


def help_message(root: str, shorts: Mapping[str, str]) -> Message:
    """Every command with what it does; ``shorts`` are the short commands that there are."""
    parts = [section("*Run SecMaster from here*")]
    for noun, title, filters in (
        ("task", "Tasks", "[todo|handled]"),
        ("instance", "Workflow instances", "[running|failed|…]"),
    ):
        rows = [
            (
                f"{noun} list {filters} [text]",
                "lists what waits or what is asked for, for your eyes only",
            ),
            (f"{noun} show <id>", "posts the card here"),
            *((action.usage, _does(action)) for action in TABLE if action.noun == noun),
        ]
        short = f" ({code(shorts[noun])} is short for {code(f'{root} {noun}')})"
        head = f"*{title}*{short if shorts.get(noun) else ''}"
        parts.append(section("\n".join([head, *(_row(root, *row) for row in rows)])))
    own = [("whoami", "your roles and what they allow"), ("help", "this")]
    parts.append(section("\n".join(_row(root, *row) for row in own)))
    hint = "Mention me with the same words; in a card's thread the id may be left out."
    return say(f"How to use {root}", *parts, context(hint))


def _row(root: str, usage: str, what: str) -> str:
    return f"{code(f'{root} {usage}', 120)} {what}"


def _does(action: Action) -> str:
    also = f" (also {', '.join(map(code, action.aliases))})" if action.aliases else ""
    return f"{words(action).help}{also}"


def not_understood(problem: str, usage: str, nearest: str, root: str) -> Message:
    """Say what is wrong with the words, and how they are written or were perhaps meant."""
    if nearest:
        hint = f" Did you mean {code(f'{root} {nearest}', 150)}?"
    else:
        hint = f"\nWrite {code(f'{root} {usage}', 150)}" if usage else ""
    return _one(f"🤔 {line(problem, 300)}{hint}\nNothing was sent to SecMaster.")


def whoami(member: Member, name: str, config: Config) -> Message:
    """A person's roles, and for each action the first rule that speaks of it."""
    roles = ", ".join(line(role, 40) for role in sorted(member.roles)) or "none"
    lines = [f"{person(member.id)} ({line(name, 60)}), roles: *{roles}*"]
    if member.guest or member.outsider:
        who = "A guest" if member.guest else "A person of another organisation"
        lines.append(f"{who} may look, and change nothing.")
    else:
        lines += [_may(action, member, config.rules) for action in TABLE]
    return _one("\n".join(lines))


def _may(action: Action, member: Member, rules: Sequence[Rule]) -> str:
    said = []
    for number, rule in enumerate(rules, 1):
        if not covers(rule, action):
            continue
        allowed = not member.roles.isdisjoint(rule.roles)
        why = " with a reason" if allowed and rule.reason == "required" else ""
        limits = " where its conditions fit" if rule.when else ""
        said.append(f"{'yes' if allowed else 'no'}{why} by rule {number}{limits}")
        if not rule.when:
            break
    mark = "✅" if any(part.startswith("yes") for part in said) else "▫️"
    return f"{mark} {code(action.name)} {', otherwise '.join(said) or 'no: no rule allows it'}"


def not_allowed(action: Action, ref: Ref, refused: Refused, roles: Mapping[str, Role]) -> Message:
    """Which rule refused, and who may."""
    said = words(action)
    why = {
        "guest": "Guests may look, and change nothing.",
        "outsider": "People of other organisations may look, and change nothing.",
        "unknown": "Slack could not be asked who you are, so nothing may be allowed. Try again.",
        "gone": f"SecMaster knows no {ref.noun} {code(ref.id)} here.",
        "unread": "SecMaster could not be asked what this is, so no rule can allow it. Try again.",
        "unstated": (
            f"{refused.rule.capitalize()} asks for what SecMaster does not say of this "
            f"{ref.noun}, so nobody can be allowed. Decide it in SecMaster."
        ),
        "no-rule": f"No rule allows {code(action.name)}. Ask whoever runs this bot.",
        "rule": f"You may not do this: {refused.rule} leaves it to {_who(refused.may, roles)}.",
    }[refused.why]
    return _one(f"🚫 {why} The {said.noun} was not sent.")


def _who(names: Sequence[str], roles: Mapping[str, Role]) -> str:
    told = []
    for name in names:
        role = roles.get(name, Role())
        people = [*map(person, role.users), *map(group, role.usergroups)]
        shown = ", ".join(people[:SHOWN]) or "nobody"
        more = f" and {len(people) - SHOWN} more" if len(people) > SHOWN else ""
        told.append(f"*{line(name, 40)}* ({shown}{more})")
    return " or ".join(told[:SHOWN])


def needs_reason(action: Action, root: str) -> Message:
    usage = f"{root} {action.usage}".replace("[reason]", "<reason>")
    return _one(f"✏️ This needs a reason: write {code(usage, 150)}. Nothing was sent.")


def no_card_above(action: Action) -> Message:
    said = words(action)
    return _one(
        f"This message is not in the thread of a {action.noun}'s card, so the {said.noun} would "
        f"have no {action.noun}. Nothing was sent; use it on a message under a card."
    )


def recorded_in_part(files: Sequence[File], of: int) -> Message:
    names = ", ".join(line(file.name, 100) for file in files)
    return _one(
        f"Something went wrong on our side after {len(files)} of {of} files were recorded: "
        f"{names}. You will be told how those end. The others were not sent; send them again."
    )


def too_many_files(number: int, most: int) -> Message:
    return _one(
        f"This message has {number} files; {most} can be attached at once. Nothing was sent."
    )


def too_late() -> Message:
    return _one("The form came too late for Slack. Nothing was sent; press again.")


def newer_button() -> Message:
    return _one(
        "This button is from another version of this bot and was not understood, so nothing was "
        "sent. Use the command instead, or show the card again."
    )


def own_fault(reference: str) -> Message:
    return _one(
        "Something went wrong on our side, and nothing was sent to SecMaster. Tell whoever runs "
        f"this bot the reference {code(reference)}."
    )


def plain(text: str) -> Message:
    return _one(text)


def _one(text: str) -> Message:
    return say(text, section(text))


def recorded(action: Action) -> Message:
    """The acknowledgement of a command: from here on it survives a crash."""
    return _one(
        f"📝 The {words(action).noun} is recorded. You will be told how it ends, in the card's "
        "thread or here."
    )


def cannot_post(code_: str) -> Message:
    return _one(f"🚫 {CANNOT_POST.get(code_, NO_ROOM)}. Nothing was posted.")
