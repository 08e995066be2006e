"""Say how the bot is used: help, greetings, what was not attached, and what roles allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from slack_sdk.models.blocks import Block, ButtonElement

from bot.domain.actions import TABLE, Action
from bot.domain.objects import RUN_KINDS, ByKind, ObjectKind
from bot.domain.slack import SlackFile
from bot.messages.blocks import Message, actions, context, new_message, section, text_message
from bot.messages.catalogue import N_, Catalogue, Sentence
from bot.messages.labels import labels
from bot.messages.permissions import permission_name
from bot.messages.text import code
from bot.policy.decide import Principal, may_ever
from bot.policy.rules import READS, Read, Rule

# What each command does, in one sentence of the help. Those of actions are in ``labels``.
LISTS = ByKind(
    task=N_("lists waiting tasks (only visible to you)"),
    instance=N_("lists failed and running runs (only visible to you)"),
    playbook=N_("lists failed and running playbook runs (only visible to you)"),
)
SHOW = N_("posts the card here; an ID or a console link alone does the same")
WITHDRAW = N_("withdraws your approval")
DECLINE = N_("declines a request for approvals: all approvals given so far are cancelled")
SEVERAL = ByKind(
    task=N_("selects up to 20 waiting tasks, for one confirmation"),
    instance=N_("selects up to 20 failed runs, for one confirmation"),
    playbook=N_("selects up to 20 failed playbook runs, for one confirmation"),
)
BREAK_GLASS = N_("emergency override: you approve alone what needs several approvals")
WHY = N_("which rule lets or stops you, and who else may")
WHOAMI = N_("your roles and what they allow")
DELEGATE = N_("delegates your permissions until then (or `for 2h`)")
REVOKE = N_("takes them back")
DELEGATIONS = N_("whose permissions you have, and who has yours")
AUDIT = N_("the audit log, or the history of one task or run; for those allowed")
ON_CALL = N_("who is on call and what's urgent")
DIGEST = N_("shift summary (only you see it)")
STATUS = N_("sync status")
ROUTES = N_("where cards are posted")
ROUTES_TEST = N_("where the card of one task or run is posted, and why")
CLAIM = N_("you take care of it: others are not reminded meanwhile (`unclaim` ends it)")
ESCALATE = N_("escalates it at once, as its route would do later")
MUTE = N_("no cards for a workflow's failures and tasks (`unmute` ends it), for those allowed")
SNOOZE = N_("no reminders until then, for everyone or only for you (`unsnooze` ends it)")
WATCH = N_("subscribes this channel to all notifications (`unwatch` ends it), for those allowed")
RELOAD = N_("reloads the policy, for those allowed")
HELP = N_("this help; `help all` lists every command")

MOST_NAMES = 3  # of files, in one sentence
EXAMPLES = 3  # commands to copy, in the short help
START_BUTTON = "start."  # the action ids begin so of buttons that stand for a command


class HelpSection(StrEnum):
    """A part of the help, by the word that asks for it."""

    TASKS = "tasks"
    RUNS = "runs"
    PLAYBOOKS = "playbooks"
    WATCH = "watch"
    RIGHTS = "rights"


SECTION_TITLES = {
    HelpSection.TASKS: N_("Tasks"),
    HelpSection.RUNS: N_("Workflow runs"),
    HelpSection.PLAYBOOKS: N_("Playbook runs"),
    HelpSection.WATCH: N_("On call and notifications"),
    HelpSection.RIGHTS: N_("Permissions and audit"),
}
SECTION_KINDS: dict[HelpSection, ObjectKind] = {
    HelpSection.TASKS: "task",
    HelpSection.RUNS: "instance",
    HelpSection.PLAYBOOKS: "playbook",
}


class StartButton(StrEnum):
    """A button that stands for a command, which only reads, by the words of that command."""

    WAITING = "waiting"
    ON_CALL = "oncall"
    RIGHTS = "whoami"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class HelpLine:
    """A line of the help: how a command is written, what it does, and the words for the same."""

    usage: str
    purpose: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HelpCommands:
    """The commands that the short help names: the list of each kind, and the rest of the help."""

    lists: Mapping[ObjectKind, HelpLine]
    all: str
    sections: Sequence[str]


def start_buttons(
    catalogue: Catalogue,
    buttons: Sequence[StartButton] = (
        StartButton.WAITING,
        StartButton.ON_CALL,
        StartButton.HELP,
    ),
) -> list[ButtonElement]:
    """Return buttons that show what people ask for most."""
    names = {
        StartButton.WAITING: catalogue.pgettext("button", "What's waiting"),
        StartButton.ON_CALL: catalogue.pgettext("button", "Who is on call"),
        StartButton.RIGHTS: catalogue.pgettext("button", "What I may do"),
        StartButton.HELP: catalogue.pgettext("button", "Help"),
    }
    return [
        ButtonElement(text=names[button], action_id=f"{START_BUTTON}{button}") for button in buttons
    ]


def help_message(
    catalogue: Catalogue,
    root: str,
    short_commands: Mapping[ObjectKind, str],
    sections: Mapping[HelpSection, Sequence[HelpLine]],
) -> Message:
    """List every command of these sections with what it does.

    ``root`` is the command that people type first; ``short_commands`` are those for one kind of
    object, by the kind, "" where there is none.
    """
    blocks: list[Block] = []
    for part, help_lines in sections.items():
        kind = SECTION_KINDS.get(part)
        lines = [f"*{catalogue.gettext(SECTION_TITLES[part])}*"]
        if kind and (short := short_commands[kind]):
            note = catalogue.gettext(
                "{short} is short for {command}", short=code(short), command=code(f"{root} {kind}")
            )
            lines.append(f"_{note}_")
        lines += [_command_line(catalogue, root, line) for line in help_lines]
        blocks.append(section("\n".join(lines)))
    return new_message(_help_title(catalogue, root), *blocks, context(_thread_hint(catalogue)))


def short_help(
    catalogue: Catalogue,
    root: str,
    commands: HelpCommands,
    principal: Principal | None,
    rules: Sequence[Rule],
) -> Message:
    """Say what a person may do here, with examples to copy; None for whom Slack can't say.

    What they may do is what the rules could allow them, for one object or another.
    """
    title = f"*{_help_title(catalogue, root)}*"
    every_row: tuple[Action | Read, ...] = (*READS, *TABLE)
    rows = [row for row in every_row if not principal or may_ever(rules, principal, row)]
    if not rows:
        refusal = section(f"{title}\n{_nothing_allowed(catalogue, principal)}")
        rights = actions(start_buttons(catalogue, [StartButton.RIGHTS]))
        return new_message(_help_title(catalogue, root), refusal, rights)
    lines = [title]
    if principal:
        permissions = " · ".join(permission_name(catalogue, row) for row in rows)
        lines.append(f"*{catalogue.gettext('You may')}*: {permissions}")
    lines += [_command_line(catalogue, root, line) for line in _examples(commands, rows)]
    more = catalogue.gettext(
        "All commands: {command}. Some of them: {sections}",
        command=code(f"{root} {commands.all}"),
        sections=" · ".join(map(code, commands.sections)),
    )
    buttons = [StartButton.WAITING, StartButton.ON_CALL, StartButton.RIGHTS]
    return new_message(
        _help_title(catalogue, root),
        section("\n".join(lines)),
        actions(start_buttons(catalogue, buttons)),
        context(_thread_hint(catalogue), more),
    )


def _help_title(catalogue: Catalogue, root: str) -> str:
    return catalogue.gettext("How to use {root}", root=root)


def _thread_hint(catalogue: Catalogue) -> str:
    return catalogue.gettext(
        "You can also mention me with the same words. In a card's thread the ID may be left out."
    )


def _nothing_allowed(catalogue: Catalogue, principal: Principal | None) -> str:
    if principal and principal.guest:
        return catalogue.gettext(
            "Guests can't read or change anything here. Ask a member of the security team."
        )
    if principal and principal.outsider:
        return catalogue.gettext(
            "People from other organisations can't read or change anything here. Ask a member of "
            "the security team."
        )
    return catalogue.gettext(
        "Your roles don't let you read or change anything yet. Ask whoever runs this bot to add "
        "you."
    )


def _examples(commands: HelpCommands, rows: Sequence[Action | Read]) -> list[HelpLine]:
    """Return a few commands: the list, and an action of each kind that the rows have.

    An action is written without its kind where no other kind has one of that name.
    """
    lines = []
    for kind, listing in commands.lists.items():
        kind_rows = [row for row in rows if row.kind == kind]
        if any(isinstance(row, Read) for row in kind_rows):
            lines.append(listing)
        if action := next((row for row in kind_rows if isinstance(row, Action)), None):
            names = [other.verb for other in TABLE].count(action.verb)
            usage = action.usage.removesuffix(" [reason]")
            usage = usage.removeprefix(f"{kind} ") if names == 1 else usage
            lines.append(HelpLine(usage, labels(action).help))
    # The list of tasks, what may be done to them, and then to runs.
    lists_of_runs = [commands.lists[kind] for kind in RUN_KINDS]
    lines.sort(key=lambda line: line in lists_of_runs)
    return lines[:EXAMPLES]


def _command_line(catalogue: Catalogue, root: str, line: HelpLine) -> str:
    text = f"{code(f'{root} {line.usage}', 120)} {catalogue.render(Sentence(line.purpose))}"
    if not line.aliases:
        return text
    aliases = catalogue.one_of([*map(code, line.aliases)])
    return f"{text} {catalogue.gettext('(also {aliases})', aliases=aliases)}"


def hello(catalogue: Catalogue, *, under_card: bool) -> Message:
    """Answer a greeting, perhaps in the thread of a card."""
    text = catalogue.gettext("Hello! I show SecMaster's tasks and workflow runs here.")
    return _talk(catalogue, f"👋 {text}", under_card=under_card)


def you_are_welcome(catalogue: Catalogue, *, under_card: bool) -> Message:
    """Answer somebody's thanks, perhaps in the thread of a card."""
    text = f"🙂 {catalogue.gettext('You are welcome. Anything else?')}"
    return _talk(catalogue, text, under_card=under_card)


def _talk(catalogue: Catalogue, text: str, *, under_card: bool) -> Message:
    if under_card:  # a thumb may have been meant as an approval
        note = catalogue.gettext(
            "Nothing was sent to SecMaster: to decide, press a button of the card or write its "
            "command."
        )
        text = f"{text}\n{note}"
    return new_message(text, section(text), actions(start_buttons(catalogue)))


def how_to_attach(catalogue: Catalogue, files: Sequence[SlackFile]) -> Message:
    """Say that the files of a message were not taken, and how they are attached."""
    action = next(action for action in TABLE if action.takes_file)
    names = [code(file.name) for file in files[:MOST_NAMES]]
    not_attached = catalogue.ngettext(
        "{files} was not attached to any task.",
        "{files} were not attached to any task.",
        len(names),
        files=catalogue.all_of(names),
    )
    if (more := len(files) - len(names)) > 0:
        others = catalogue.ngettext(
            "{count} more file was not attached either.",
            "{count} more files were not attached either.",
            more,
        )
        not_attached = f"{not_attached} {others}"
    how = catalogue.gettext(
        "To attach a file, send it with the words {command}; in the thread of a task's card {verb} "
        "is enough. *{shortcut}* in the menu of its message does it there too.",
        command=code(f"{action.kind} {action.verb} <id>"),
        verb=code(action.verb),
        shortcut=catalogue.gettext(labels(action).title),
    )
    return text_message(f"📎 {not_attached} {how}")


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
