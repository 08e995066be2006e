"""Say how the bot is used: help, what was not understood, and what somebody's roles allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.domain.actions import TABLE, Action
from bot.domain.objects import ObjectKind
from bot.domain.slack import SlackFile
from bot.messages.blocks import Message, context, new_message, section, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.labels import labels
from bot.messages.text import code, inline, mention_user
from bot.policy.config import Config
from bot.policy.decide import Principal, is_for, rules_in_order
from bot.policy.rules import READS, Effect, Read, Rule

# What each command does, in one sentence of the help. Those of actions are in ``labels``.
LIST = "lists what waits or what is asked for, for your eyes only"
SHOW = "posts the card here"
WITHDRAW = "takes your yes back, where several people are asked for"
REFUSE = "ends what waits for more people"
SEVERAL = "selects up to 20 of what waits, for one confirmation"
BREAK_GLASS = "decides alone what asks for several people"
WHY = "which rule lets or stops you, and who could"
WHOAMI = "your roles and what they allow"
DELEGATE = "lends somebody your rights (or `for 2h`)"
REVOKE = "takes them back"
DELEGATIONS = "what you lend and are lent"
AUDIT = "one object's story, for those allowed"
ON_CALL = "who is on call, and what presses"
DIGEST = "what a hand-over now would tell, for your eyes only"
STATUS = "how polling SecMaster goes"
ROUTES = "where cards go"
ROUTES_TEST = "where the card of one object goes, and why"
SNOOZE = "no reminders until then, for everyone or only for you (`unsnooze` ends it)"
WATCH = "has this channel told of all that comes (`unwatch` ends it), for those allowed"
RELOAD = "reads the policy again, for those allowed"
HELP = "this"

MOST_NAMES = 3  # of files, in one sentence

OBJECT_TITLES: dict[ObjectKind, str] = {"task": "Tasks", "instance": "Workflow instances"}


@dataclass(frozen=True, slots=True)
class HelpLine:
    """A line of the help: how a command is written, what it does, and the words for the same."""

    usage: str
    purpose: str
    aliases: tuple[str, ...] = ()


def help_message(
    catalogue: Catalogue,
    root: str,
    short_commands: Mapping[ObjectKind, str],
    object_lines: Mapping[ObjectKind, Sequence[HelpLine]],
    general_lines: Sequence[HelpLine],
) -> Message:
    """List every command with what it does: those for each kind of object, and the others.

    ``root`` is the command that people type first; ``short_commands`` are those for one kind of
    object, by the kind, "" where there is none.
    """
    blocks = [section("*Run SecMaster from here*")]
    for kind, title in OBJECT_TITLES.items():
        short = short_commands[kind]
        note = f" ({code(short)} is short for {code(f'{root} {kind}')})" if short else ""
        lines = [
            f"*{title}*{note}",
            *(_command_line(catalogue, root, line) for line in object_lines[kind]),
        ]
        blocks.append(section("\n".join(lines)))
    lines = ["*Rights*", *(_command_line(catalogue, root, line) for line in general_lines)]
    blocks.append(section("\n".join(lines)))
    hint = "Mention me with the same words; in a card's thread the id may be left out."
    return new_message(f"How to use {root}", *blocks, context(hint))


def _command_line(catalogue: Catalogue, root: str, line: HelpLine) -> str:
    aliases = ", ".join(map(code, line.aliases))
    also = f" (also {aliases})" if aliases else ""
    return f"{code(f'{root} {line.usage}', 120)} {line.purpose}{also}"


def not_understood(
    catalogue: Catalogue, problem: str, usage: str, nearest: str, root: str
) -> Message:
    """Say what is wrong with a command and how it is written.

    ``nearest`` is the command that was perhaps meant, "" for none; it takes the place of the
    ``usage``.
    """
    if nearest:
        hint = f" Did you mean {code(f'{root} {nearest}', 150)}?"
    else:
        hint = f"\nWrite {code(f'{root} {usage}', 150)}" if usage else ""
    return text_message(f"🤔 {inline(problem, 300)}{hint}\nNothing was sent to SecMaster.")


def how_to_attach(catalogue: Catalogue, files: Sequence[SlackFile]) -> Message:
    """Say that the files of a message were not taken, and how they are attached."""
    action = next(action for action in TABLE if action.takes_file)
    kind, title = action.kind, labels(action).title
    names = ", ".join(code(file.name) for file in files[:MOST_NAMES])
    more = f" and {len(files) - MOST_NAMES} more" if len(files) > MOST_NAMES else ""
    were = "was" if len(files) == 1 else "were"
    return text_message(
        f"📎 {names}{more} {were} not attached to any {kind}. To attach a file, send it with the "
        f"words {code(f'{kind} {action.verb} <id>')}; in the thread of a {kind}'s card "
        f"{code(action.verb)} is enough. *{title}* in the menu of its message does it there too."
    )


def with_unused_files(
    catalogue: Catalogue, answer: Message | None, files: Sequence[SlackFile]
) -> Message | None:
    """Return an answer that says which files were not taken; None where there is nothing to say."""
    if not files:
        return answer
    note = how_to_attach(catalogue, files)
    if answer is None:
        return note
    blocks = answer.blocks or text_message(answer.text).blocks
    text = f"{answer.text}\n{note.text}"
    return replace(answer, text=text, blocks=(*blocks, *note.blocks))


def whoami(catalogue: Catalogue, principal: Principal, name: str, config: Config) -> Message:
    """List a person's roles, and for each action the rules that speak of it."""
    roles = ", ".join(inline(role, 40) for role in sorted(principal.roles)) or "none"
    lines = [f"{mention_user(principal.id)} ({inline(name, 60)}), roles: *{roles}*"]
    if principal.guest or principal.outsider:
        subject = "A guest" if principal.guest else "A person of another organisation or workspace"
        lines.append(f"{subject} may not read or change anything.")
    else:
        rows: tuple[Action | Read, ...] = (*READS, *TABLE)
        lines += [_action_line(catalogue, row, principal, config) for row in rows]
    return text_message("\n".join(lines))


def _action_line(
    catalogue: Catalogue, action: Action | Read, principal: Principal, config: Config
) -> str:
    """Say what each rule answers, up to the first one that applies without conditions."""
    answers, allowed_by_any = [], False
    for title, rule in rules_in_order(config.rules, action):
        denies = rule.effect is Effect.DENY
        if denies and not is_for(rule, principal):
            continue
        allowed = not denies and is_for(rule, principal)
        allowed_by_any = allowed_by_any or allowed
        answer = f"yes{_rule_terms(catalogue, rule)}" if allowed else "no"
        conditions = " where its conditions fit" if rule.when else ""
        answers.append(f"{answer} by {title}{conditions}")
        if not rule.when:
            break
    mark = "✅" if allowed_by_any else "▫️"
    return f"{mark} {code(action.name)} {', otherwise '.join(answers) or 'no: no rule allows it'}"


def _rule_terms(catalogue: Catalogue, rule: Rule) -> str:
    """Say what a rule asks for besides a role; "" for nothing."""
    parts = [
        "a reason" if rule.reason == "required" else "",
        f"{rule.approvals} people" if rule.approvals > 1 else "",
        "the name typed" if rule.confirm else "",
    ]
    terms = " and ".join(filter(None, parts))
    return f" with {terms}" if terms else ""
