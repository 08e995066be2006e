"""THE TABLE of commands: what slash commands, mentions and direct messages may say, one row each.

Reading words, the help, and the guess at what was meant follow from it; nothing else lists the
commands. A row stands beside what its command does. Words that don't make sense as a whole are
refused as a whole.
"""

import difflib
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.objects import OBJECT_KINDS, ObjectKind, Ref
from bot.domain.slack import SlackFile
from bot.messages import Message, command_help
from bot.messages.command_help import HelpLine
from handlers import oncall, permissions, preferences, watch
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
from handlers.object_commands import object_commands, run_action
from handlers.parsing import MARKS, ParseError, split
from handlers.requests import ActionRequest


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
    """Show how commands are written."""


def parse_help(_arguments: Arguments) -> ShowHelp:
    """Return the request for help, whatever else is written."""
    return ShowHelp()


async def show_help(app: AppContext, _request: ShowHelp, _delivery: Delivery) -> Message:
    """Return the help, made from the table."""
    names = app.config.commands
    short_commands: dict[ObjectKind, str] = {"task": names.task, "instance": names.instance}
    object_lines = {kind: help_lines(kind) for kind in OBJECT_KINDS}
    return command_help.help_message(
        app.catalogue, app.root, short_commands, object_lines, help_lines(None)
    )


def help_lines(kind: ObjectKind | None) -> tuple[HelpLine, ...]:
    """Return the help's lines about one kind, or about none; what rows share is there once."""
    rows = [command for command in TABLE if command.kind == kind]
    return tuple(dict.fromkeys(line for command in rows for line in command.help_lines))


def parse_break_glass(arguments: Arguments) -> ActionRequest:
    """Parse the command of an action that is to be decided alone."""
    is_repeated = split(arguments.words)[0].lower().strip(MARKS) == BREAK_GLASS.name
    request = None if is_repeated else read_command(arguments).request
    if not isinstance(request, ActionRequest):
        raise ParseError("What is to be decided alone?")
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
# In the order of the help.
TABLE: tuple[AnyCommand, ...] = (
    *(command for kind in OBJECT_KINDS for command in object_commands(kind)),
    BREAK_GLASS,
    *permissions.COMMANDS,
    *preferences.COMMANDS,
    *oncall.COMMANDS,
    *watch.COMMANDS,
    permissions.RELOAD,
    HELP,
)
# By the kind that is written before it, None for none, and then by the word.
BY_NAME: dict[ObjectKind | None, dict[str, AnyCommand]] = {
    kind: {name: command for command in TABLE if command.kind == kind for name in command.names}
    for kind in (None, *OBJECT_KINDS)
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
    thread_object = arguments.thread_object
    first, rest = split(arguments.words)
    first, following = first.lower().strip(MARKS), replace(arguments, words=rest)
    if first in ("", "?"):
        row = FILES_ONLY if arguments.files and not arguments.words else HELP
        return row.read(following)
    if command := BY_NAME[None].get(first):
        return command.read(following)
    for kind in OBJECT_KINDS:
        if first in (kind, f"{kind}s"):
            return read_object_command(kind, following)
    if thread_object and first in BY_NAME[thread_object.kind]:
        return read_object_command(thread_object.kind, arguments)
    raise ParseError(f"I don't know “{first[:40]}”.", HELP.usage, closest(first))


def read_object_command(kind: ObjectKind, arguments: Arguments) -> ParsedCommand[Any]:
    """Parse what follows a kind; raises ParseError."""
    verb, rest = split(arguments.words)
    verb, following = verb.lower().strip(MARKS), replace(arguments, words=rest)
    if verb == HELP.name:
        return HELP.read(following)
    if not verb:
        raise ParseError(f"What about the {kind}?", f"{kind} list")
    if command := BY_NAME[kind].get(verb):
        return command.read(following)
    raise ParseError(f"I don't know “{kind} {verb[:40]}”.", HELP.usage, closest(verb, kind))


def closest(word: str, kind: ObjectKind | None = None) -> str:
    """Return the command that is spelled most like a word, "" if none is like it."""
    if kind:
        commands = {verb: f"{kind} {verb}" for verb in BY_NAME[kind]}
    else:
        commands = {name: name for name in (*OBJECT_KINDS, *BY_NAME[None])}
        for other_kind in reversed(OBJECT_KINDS):
            commands |= {verb: f"{other_kind} {verb}" for verb in BY_NAME[other_kind]}
    nearest = difflib.get_close_matches(word, commands, n=1)
    return commands[nearest[0]] if nearest else ""
