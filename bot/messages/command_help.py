"""What the bot says of itself and of rights: help, usage, whoami, refusals."""

from collections.abc import Mapping, Sequence

from bot.domain.actions import TABLE, Action
from bot.domain.objects import Ref
from bot.domain.reasons import RefusalReason
from bot.domain.slack import SlackFile
from bot.messages.blocks import Message, context, new_message, section
from bot.messages.errors import CANNOT_POST, CANNOT_POST_DEFAULT
from bot.messages.labels import labels
from bot.messages.permissions import role_members
from bot.messages.text import code, inline, mention_user
from bot.policy.config import Config
from bot.policy.decide import Principal, Refused, titled_rules
from bot.policy.rules import Role, Rule, covers

# What is not about one action: how it is written, and what it does.
SEVERAL = (
    ("withdraw <id>", "takes your yes back, where several people are asked for"),
    ("refuse <id> [reason]", "ends what waits for more people"),
    ("several [text]", "selects up to 20 of what waits, for one confirmation"),
)
OWN = (
    ("break-glass task approve <id> <reason>", "decides alone what asks for several people"),
    ("why <id>", "which rule lets or stops you, and who could"),
    ("whoami", "your roles and what they allow"),
    ("delegate @person until 18:00", "lends somebody your rights (or `for 2h`)"),
    ("revoke @person", "takes them back"),
    ("delegations", "what you lend and are lent"),
    ("audit <id>", "one object's story, for those allowed"),
    ("oncall", "who is on call, and what presses"),
    ("digest", "what a hand-over now would tell, for your eyes only"),
    ("status", "how the watch fares"),
    ("routes", "where cards go"),
    ("routes test <id>", "where the card of one object goes, and why"),
    ("watch", "has this channel told of all that comes (`unwatch` ends it), for those allowed"),
    ("reload", "reads the policy again, for those allowed"),
    ("help", "this"),
)


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
            *((action.usage, _does(action)) for action in TABLE if action.kind == noun),
            *((f"{noun} {usage}", does) for usage, does in SEVERAL),
        ]
        short = f" ({code(shorts[noun])} is short for {code(f'{root} {noun}')})"
        head = f"*{title}*{short if shorts.get(noun) else ''}"
        parts.append(section("\n".join([head, *(_row(root, *row) for row in rows)])))
    parts.append(section("\n".join(["*Rights*", *(_row(root, *row) for row in OWN)])))
    hint = "Mention me with the same words; in a card's thread the id may be left out."
    return new_message(f"How to use {root}", *parts, context(hint))


def _row(root: str, usage: str, what: str) -> str:
    return f"{code(f'{root} {usage}', 120)} {what}"


def _does(action: Action) -> str:
    also = f" (also {', '.join(map(code, action.aliases))})" if action.aliases else ""
    return f"{labels(action).help}{also}"


def not_understood(problem: str, usage: str, nearest: str, root: str) -> Message:
    """Say what is wrong with the words, and how they are written or were perhaps meant."""
    if nearest:
        hint = f" Did you mean {code(f'{root} {nearest}', 150)}?"
    else:
        hint = f"\nWrite {code(f'{root} {usage}', 150)}" if usage else ""
    return _one(f"🤔 {inline(problem, 300)}{hint}\nNothing was sent to SecMaster.")


def whoami(member: Principal, name: str, config: Config) -> Message:
    """A person's roles, and for each action the first rule that speaks of it."""
    roles = ", ".join(inline(role, 40) for role in sorted(member.roles)) or "none"
    lines = [f"{mention_user(member.id)} ({inline(name, 60)}), roles: *{roles}*"]
    if member.guest or member.outsider:
        who = "A guest" if member.guest else "A person of another organisation"
        lines.append(f"{who} may look, and change nothing.")
    else:
        lines += [_may(action, member, config.rules) for action in TABLE]
    return _one("\n".join(lines))


def _may(action: Action, member: Principal, rules: Sequence[Rule]) -> str:
    told = []
    for title, rule in titled_rules(rules):
        if not covers(rule, action):
            continue
        allowed = not member.roles.isdisjoint(rule.roles)
        limits = " where its conditions fit" if rule.when else ""
        told.append(
            f"{'yes' if allowed else 'no'}{_asks(rule) if allowed else ''} by {title}{limits}"
        )
        if not rule.when:
            break
    mark = "✅" if any(part.startswith("yes") for part in told) else "▫️"
    return f"{mark} {code(action.name)} {', otherwise '.join(told) or 'no: no rule allows it'}"


def _asks(rule: Rule) -> str:
    """What a rule asks for besides a role."""
    parts = [
        "a reason" if rule.reason == "required" else "",
        f"{rule.approvals} people" if rule.approvals > 1 else "",
        "the name typed" if rule.confirm else "",
    ]
    asked = " and ".join(filter(None, parts))
    return f" with {asked}" if asked else ""


def not_allowed(action: Action, ref: Ref, refused: Refused, roles: Mapping[str, Role]) -> Message:
    """Which rule refused, and who may."""
    why = refusal(action, ref, refused, roles)
    return _one(f"🚫 {why} The {labels(action).noun} was not sent.")


def refusal(action: Action, ref: Ref, refused: Refused, roles: Mapping[str, Role]) -> str:
    """The same as one sentence."""
    return {
        RefusalReason.GUEST: "Guests may look, and change nothing.",
        RefusalReason.OUTSIDER: "People of other organisations may look, and change nothing.",
        RefusalReason.UNKNOWN_PERSON: "Slack could not be asked who you are, so nothing may be allowed. Try again.",
        RefusalReason.GONE: f"SecMaster knows no {ref.kind} {code(ref.id)} here.",
        RefusalReason.UNREAD: "SecMaster could not be asked what this is, so no rule can allow it. Try again.",
        RefusalReason.UNSTATED: (
            f"{refused.rule.capitalize()} asks for what SecMaster does not say of this "
            f"{ref.kind}, so nobody can be allowed. Decide it in SecMaster."
        ),
        RefusalReason.NO_RULE: f"No rule allows {code(action.name)}. Ask whoever runs this bot.",
        RefusalReason.RULE: f"You may not do this: {refused.rule} leaves it to {role_members(refused.roles, roles)}.",
        RefusalReason.SELF: (
            f"You created this task, and {refused.rule} leaves it to somebody else of "
            f"{role_members(refused.roles, roles)}."
        ),
        RefusalReason.UNMAPPED: (
            f"{refused.rule.capitalize()} refuses whoever created the task, and nobody told me "
            "who you are in SecMaster. Ask whoever runs this bot."
        ),
        RefusalReason.BREAK_GLASS: (
            f"You may not break the glass: {refused.rule} leaves it to {role_members(refused.roles, roles)}."
        ),
        RefusalReason.NO_BREAK_GLASS: f"{refused.rule.capitalize()} has no glass to break: ask without.",
    }[refused.reason]


def needs_reason(action: Action, root: str, *, glass: bool = False) -> Message:
    usage = f"{action.usage}".replace("[reason]", "<reason>")
    words_ = f"{root} break-glass {usage}" if glass else f"{root} {usage}"
    return _one(f"✏️ This needs a reason: write {code(words_, 150)}. Nothing was sent.")


def needs_name(action: Action) -> Message:
    said = labels(action)
    return _one(
        f"✏️ This asks for the {action.kind}'s name to be typed: press *{said.button}* on its card. "
        "Nothing was sent."
    )


def nothing_waits(ref: Ref) -> Message:
    return _one(
        f"Nothing about {ref.kind} {code(ref.id)} waits for more people. Nothing was changed."
    )


def several_wait(ref: Ref) -> Message:
    return _one(
        f"More than one action on {ref.kind} {code(ref.id)} waits for more people. Press the "
        "button on its card; nothing was changed."
    )


def no_card_above(action: Action) -> Message:
    said = labels(action)
    return _one(
        f"This message is not in the thread of a {action.kind}'s card, so the {said.noun} would "
        f"have no {action.kind}. Nothing was sent; use it on a message under a card."
    )


def recorded_in_part(files: Sequence[SlackFile], of: int) -> Message:
    names = ", ".join(inline(file.name, 100) for file in files)
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


def no_chat() -> Message:
    return _one(
        "Slack did not open our chat in time, where this would be answered. Nothing was sent; "
        "press again."
    )


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
    return new_message(text, section(text))


def recorded(action: Action) -> Message:
    """The acknowledgement of a command: from here on it survives a crash."""
    return _one(
        f"📝 The {labels(action).noun} is recorded. You will be told how it ends, in the card's "
        "thread or here."
    )


def recorded_unsaid() -> Message:
    return _one("📝 Recorded. You will be told how it ends, in the card's thread or here.")


def cannot_post(code_: str) -> Message:
    return _one(f"🚫 {CANNOT_POST.get(code_, CANNOT_POST_DEFAULT)}. Nothing was posted.")
