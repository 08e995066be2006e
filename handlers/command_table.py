"""THE TABLE of commands: what slash commands, mentions and direct messages may say, one row each.

Reading words, the help, and the guess at what was meant follow from it; nothing else lists the
commands. A row stands beside what its command does. Words that don't make sense as a whole are
refused as a whole.
"""

import difflib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, assert_never

from bot.domain.actions import TABLE as ACTIONS
from bot.domain.objects import OBJECT_KINDS, ByKind, ObjectKind, Ref
from bot.domain.slack import Actor, SlackFile
from bot.messages import Message, command_help, command_problems
from bot.messages.command_help import HelpCommands, HelpLine, HelpSection
from bot.policy.rules import READS
from bot.slack.directory import LookupFailed
from handlers import (
    assignments,
    either_kind,
    escalations,
    mutes,
    oncall,
    permissions,
    preferences,
    watch,
)
from handlers.command_row import (
    AnswersAtOnce,
    AnyCommand,
    Arguments,
    Command,
    Delivery,
    ParsedCommand,
    RecordsOperation,
)
from handlers.context import AppContext
from handlers.everyday_words import PHRASES, SEARCHES, Talk, everyday, talk
from handlers.list_filters import STATES
from handlers.object_commands import object_commands, run_action
from handlers.parsing import (
    MARKS,
    MAX_SEARCH,
    ParseError,
    identifier,
    ids_in,
    is_object_id,
    plain,
    split,
)
from handlers.requests import ActionRequest

MOST_WORDS = 50  # of a sentence that are looked at
LIKENESS = 0.75  # from 0, nothing alike, to 1
# Letters: of a shorter word, a typo may well be another word.
SHORTEST_READ, SHORTEST_MISTYPED = 4, 5


@dataclass(frozen=True, slots=True)
class ExplainAttaching:
    """Say how the files of a message without words are attached."""

    files: tuple[SlackFile, ...]


def parse_files(arguments: Arguments) -> ExplainAttaching:
    return ExplainAttaching(arguments.files)


async def explain_attaching(
    app: AppContext, request: ExplainAttaching, _delivery: Delivery
) -> Message:
    return command_help.how_to_attach(app.catalogue, request.files)


@dataclass(frozen=True, slots=True)
class ShowHelp:
    """Show how commands are written: all of these sections, or without any what matters first."""

    sections: tuple[HelpSection, ...] = ()


# What may be written after "help".
SECTION_WORDS: dict[str, tuple[HelpSection, ...]] = {
    "all": tuple(HelpSection),
    **{name: (name,) for name in HelpSection},
    "task": (HelpSection.TASKS,),
    **dict.fromkeys(("run", "instance", "instances"), (HelpSection.RUNS,)),
    "playbook": (HelpSection.PLAYBOOKS,),
}


def parse_help(arguments: Arguments) -> ShowHelp:
    """Return the request for help, whatever else is written."""
    word = split(arguments.words)[0].lower().strip(MARKS)
    return ShowHelp(SECTION_WORDS.get(word, ()))


async def show_help(app: AppContext, request: ShowHelp, delivery: Delivery) -> Message:
    """Return the help, made from the table, or the short one for this person."""
    if not request.sections:
        return await short_help(app, delivery.requester.actor)
    names = app.config.commands
    short_commands = dict(ByKind(task=names.task, instance=names.instance, playbook="").items())
    sections = {name: help_lines(name) for name in request.sections}
    return command_help.help_message(app.catalogue, app.root, short_commands, sections)


async def short_help(app: AppContext, actor: Actor) -> Message:
    """Return what a person may do here; while Slack can't say who they are, what anybody may."""
    config, principal = app.config, None
    with suppress(LookupFailed):
        roles = config.roles_about(*READS, *ACTIONS)
        principal = await app.services.directory.principal(actor, roles)
    lists = {kind: BY_NAME[kind]["list"] for kind in OBJECT_KINDS}
    commands = HelpCommands(
        lists={kind: HelpLine(row.words, row.help_lines[0].purpose) for kind, row in lists.items()},
        all=f"{HELP.name} all",
        sections=[f"{HELP.name} {name}" for name in HelpSection],
    )
    return command_help.short_help(app.catalogue, app.root, commands, principal, config.rules)


def help_lines(name: HelpSection) -> tuple[HelpLine, ...]:
    """Return the lines of a section of the help; what rows share is there once."""
    return tuple(dict.fromkeys(line for row in SECTIONS[name] for line in row.help_lines))


def parse_talk(arguments: Arguments) -> Talk:
    return talk(arguments.words)[0] or Talk.GREETING


async def answer_talk(app: AppContext, request: Talk, delivery: Delivery) -> Message:
    under_card = delivery.thread_object is not None
    match request:
        case Talk.GREETING:
            return command_help.hello(app.catalogue, under_card=under_card)
        case Talk.THANKS:
            return command_help.you_are_welcome(app.catalogue, under_card=under_card)
        case _:
            assert_never(request)


def parse_break_glass(arguments: Arguments) -> ActionRequest:
    """Parse the command of an action that is to be decided alone."""
    is_repeated = split(arguments.words)[0].lower().strip(MARKS) == BREAK_GLASS.name
    request = None if is_repeated or not arguments.words else read_command(arguments).request
    if not isinstance(request, ActionRequest):
        raise ParseError(command_problems.OVERRIDE_WHAT)
    return replace(request, break_glass=True)


BREAK_GLASS: AnyCommand = Command(
    name="break-glass",
    usage="break-glass task approve <id> <reason>",
    help=command_help.BREAK_GLASS,
    parse=parse_break_glass,
    handler=RecordsOperation(run_action),
)
HELP: AnyCommand = Command(
    name="help",
    usage="help",
    help=command_help.HELP,
    parse=parse_help,
    handler=AnswersAtOnce(show_help),
)
# What a message without words asks for that brings files. It is in no table: nobody can write it.
FILES_ONLY: AnyCommand = Command(
    name="",
    usage="",
    help=(),
    takes_files=True,
    parse=parse_files,
    handler=AnswersAtOnce(explain_attaching),
)
# What is said that asks for nothing, in no table either.
TALK: Command[Talk] = Command(
    name="",
    usage="",
    help=(),
    parse=parse_talk,
    handler=AnswersAtOnce(answer_talk),
)
# In the order of the help.
SECTIONS: dict[HelpSection, tuple[AnyCommand, ...]] = {
    HelpSection.TASKS: object_commands("task"),
    HelpSection.RUNS: object_commands("instance"),
    HelpSection.PLAYBOOKS: object_commands("playbook"),
    HelpSection.WATCH: (
        *oncall.COMMANDS,
        *assignments.COMMANDS,
        *escalations.COMMANDS,
        *mutes.COMMANDS,
        *watch.COMMANDS,
    ),
    HelpSection.RIGHTS: (
        BREAK_GLASS,
        *permissions.COMMANDS,
        *preferences.COMMANDS,
        permissions.RELOAD,
        HELP,
    ),
}
TABLE: tuple[AnyCommand, ...] = tuple(row for rows in SECTIONS.values() for row in rows)
# By the kind that is written before it, None for none, and then by the word.
BY_NAME: dict[ObjectKind | None, dict[str, AnyCommand]] = {
    kind: {name: command for command in TABLE if command.kind == kind for name in command.names}
    for kind in (None, *OBJECT_KINDS)
}
KIND_WORDS: dict[str, ObjectKind] = {
    **dict.fromkeys(("task", "tasks"), "task"),
    **dict.fromkeys(("instance", "instances", "run", "runs"), "instance"),
    **dict.fromkeys(("playbook", "playbooks"), "playbook"),
}


def parse(
    text: str, thread_object: Ref | None = None, files: tuple[SlackFile, ...] = ()
) -> ParsedCommand[Any]:
    """Parse a command; ``thread_object`` is the object in whose card's thread it was written.

    ``files`` are those of the message that it was written in. Raises ParseError.
    """
    words = text.replace("\u00a0", " ").replace("\u200b", "").strip()
    return read_command(Arguments(words, thread_object, files))


def read_command(arguments: Arguments) -> ParsedCommand[Any]:
    """Parse a command from its first word on; raises ParseError."""
    first, rest = split(arguments.words)
    word, following = first.lower().strip(MARKS), replace(arguments, words=rest)
    if word in ("", "?"):
        row = FILES_ONLY if arguments.files and not arguments.words else HELP
        return row.read(following)
    if command := BY_NAME[None].get(word):
        return command.read(following)
    if kind := KIND_WORDS.get(word):
        return read_object_command(kind, following)
    if any(word in BY_NAME[kind] for kind in OBJECT_KINDS):
        return read_without_kind(word, following)
    parsed = read_question(None, arguments) or read_lone_id(None, arguments) or read_talk(arguments)
    if parsed is None:
        raise not_a_command(arguments.words)
    return parsed


def read_object_command(kind: ObjectKind, arguments: Arguments) -> ParsedCommand[Any]:
    """Parse what follows a kind; raises ParseError."""
    verb, rest = split(arguments.words)
    verb, following = verb.lower().strip(MARKS), replace(arguments, words=rest)
    if verb == HELP.name:
        return HELP.read(replace(following, words=kind))
    if not verb:
        raise ParseError(command_problems.WHICH_COMMAND[kind], f"{kind} list")
    if command := BY_NAME[kind].get(verb):
        return command.read(following)
    if parsed := read_question(kind, arguments) or read_lone_id(kind, arguments):
        return parsed
    raise not_a_command(arguments.words, kind)


def read_without_kind(verb: str, arguments: Arguments) -> ParsedCommand[Any]:
    """Parse what follows the word of a command of one kind or several, where no kind is written.

    In a card's thread it is that of the card's object, unless another's id is written. What only
    reads is of tasks where nothing else says so; what sends is of none before it is known what
    the id is. Raises ParseError.
    """
    rows = {kind: BY_NAME[kind][verb] for kind in OBJECT_KINDS if verb in BY_NAME[kind]}
    first, thread_object = next(iter(rows.values())), arguments.thread_object
    is_about_one = len(rows) > 1 and first.name not in ("list", "several")
    ids = ids_in(split(arguments.words)[0]) if is_about_one else set()
    if thread_object and thread_object.kind in rows and ids <= {thread_object.id}:
        return rows[thread_object.kind].read(arguments)
    if not is_about_one:
        return first.read(arguments)
    if first.sends:
        return either_kind.sending_command(verb, rows).read(arguments)
    has_id = is_object_id(identifier(split(arguments.words)[0]))
    return (either_kind.SHOWS if has_id else first).read(arguments)


def read_question(kind: ObjectKind | None, arguments: Arguments) -> ParsedCommand[Any] | None:
    """Parse what asks for something to read in other words: "overdue", "search host", "failed".

    None for anything else. Raises ParseError for a search for nothing.
    """
    first, rest = split(arguments.words)
    word, phrase = first.lower().strip(MARKS), everyday(arguments.words)
    kinds = (kind,) if kind else OBJECT_KINDS
    if word in SEARCHES:
        if not rest:
            raise ParseError(command_problems.SEARCH_WHAT, f"{kinds[0]} list <text>")
        return BY_NAME[kinds[0]]["list"].read(replace(arguments, words=rest))
    if phrase in PHRASES and kind in {None, "task"}:
        return read_command(replace(arguments, words=PHRASES[phrase]))
    if kind is None and (row := BY_NAME[None].get(phrase)) and row.only_reads:  # "status?"
        return row.read(replace(arguments, words=""))
    filtered = next((each for each in kinds if phrase in STATES[each]), None)
    return BY_NAME[filtered]["list"].read(replace(arguments, words=phrase)) if filtered else None


def read_lone_id(kind: ObjectKind | None, arguments: Arguments) -> ParsedCommand[Any] | None:
    """Parse an id or a console link that stands alone: its card is shown.

    None for what is no id. Raises ParseError for one with other words beside it.
    """
    first, rest = split(arguments.words)
    object_id = identifier(first)
    if not ids_in(first) and "://" not in first:
        return None
    if not rest and not ids_in(first) and not is_object_id(object_id):
        raise ParseError(command_problems.NOT_A_LINK, "show <id>")
    if rest:
        sends = any(map(means_a_write, rest.split()[:MOST_WORDS]))
        raise ParseError(command_problems.ID_ALONE, "show <id>", sends=sends)
    return (BY_NAME[kind]["show"] if kind else either_kind.SHOWS).read(arguments)


def read_talk(arguments: Arguments) -> ParsedCommand[Any] | None:
    """Parse a greeting or thanks, and a command after a greeting; None for anything else.

    That may only read: a write is never found within a sentence. Raises ParseError.
    """
    courtesy, words = talk(arguments.words)
    if courtesy is None:
        return None
    if not words:
        return TALK.read(arguments)
    parsed = read_command(replace(arguments, words=words))
    if not parsed.command.only_reads:
        problem, sends = command_problems.STANDS_ALONE, parsed.command.sends
        raise ParseError(problem, nearest=plain(words)[:MAX_SEARCH], sends=sends)
    return parsed


def not_a_command(words: str, kind: ObjectKind | None = None) -> ParseError:
    """Return what is said of words that no command begins with, and the command that is likely."""
    first, rest = split(words)
    word, following = first.lower().strip(MARKS), " ".join(plain(rest).split())
    sends = any(map(means_a_write, words.split()[:MOST_WORDS]))
    nearest = closest(word, kind)
    if nearest:
        whole = f"{nearest} {following}".strip()
        nearest = whole if len(whole) <= MAX_SEARCH else nearest
    problem = command_problems.unknown_words(f"{kind} {plain(first)}" if kind else plain(first))
    if not nearest and not sends and rest and not kind:
        problem = command_problems.ONLY_COMMANDS
    return ParseError(problem, HELP.usage if sends or kind else "", nearest, sends=sends)


def means_a_write(word: str) -> bool:
    """Whether a word is that of a command which sends something, or a typo of it."""
    word = word[:MAX_SEARCH].lower().strip(MARKS)
    return any(word == name or is_typo(word, name) for name in SENDING_WORDS)


def closest(word: str, kind: ObjectKind | None = None) -> str:
    """Return the command that a word was perhaps meant as, "" for none.

    What changes something is never guessed from likeness: only from a plain typo of its own word.
    """
    commands: dict[str, AnyCommand | None] = {}
    if kind is None:
        commands = dict.fromkeys(KIND_WORDS) | BY_NAME[None]
    for other_kind in reversed((kind,) if kind else OBJECT_KINDS):
        commands |= BY_NAME[other_kind]
    reads = [name for name, row in commands.items() if row is None or row.only_reads]
    typos = [name for name in commands if is_typo(word, name) and may_be_meant(word, name, reads)]
    typos.sort(key=lambda name: name not in reads)
    names = typos or difflib.get_close_matches(word[:MAX_SEARCH], reads, n=1, cutoff=LIKENESS)
    if not names:
        return ""
    row = commands[names[0]]
    is_shared = kind is None and sum(names[0] in BY_NAME[each] for each in OBJECT_KINDS) > 1
    written_kind = row.kind if row and not is_shared else None
    return f"{written_kind} {names[0]}" if written_kind else names[0]


def may_be_meant(word: str, name: str, reads: Collection[str]) -> bool:
    """Whether a word is hardly another one than a typo of this name.

    It is for a read that has some letters. What changes something has more of them, and its first
    one is right: "batch" and "match" are words, and none is "watch".
    """
    if name in reads:
        return len(name) >= SHORTEST_READ
    return len(name) >= SHORTEST_MISTYPED and word[:1] == name[:1]


def is_typo(word: str, name: str) -> bool:
    """Whether a word is a name with one letter wrong, missing or added, or two letters swapped."""
    if word == name or abs(len(word) - len(name)) > 1:
        return False
    same = next(
        (place for place, pair in enumerate(zip(word, name, strict=False)) if pair[0] != pair[1]),
        min(len(word), len(name)),
    )
    typed, meant = word[same:], name[same:]
    swapped = typed[:2] == meant[:2][::-1] and typed[2:] == meant[2:]
    return typed[1:] == meant[1:] or typed[1:] == meant or typed == meant[1:] or swapped


SENDING_WORDS = frozenset(name for row in TABLE if row.sends for name in row.names)
