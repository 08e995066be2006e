"""Commands with an id and no kind: what the id is decides which of several commands it was.

What only reads is shown whatever it is. What sends something is never guessed: where it can't be
known which object is meant, all of them are shown to copy, and nothing is sent.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import Any

from bot.domain.objects import OBJECT_KINDS, ListQuery, ObjectId, ObjectKind, Ref
from bot.messages import Message, command_problems
from bot.operations.reading import Reader, ReadRefused, open_reader
from bot.policy.decide import may_ever
from bot.secmaster import NotFound, SecMasterError
from handlers import queries
from handlers.command_row import (
    AnyCommand,
    Arguments,
    Command,
    Delivery,
    ParsedCommand,
    Posts,
    RecordsOperation,
)
from handlers.context import AppContext, Recorder
from handlers.errors import UserError
from handlers.parsing import UUID, plain, refuse_more, take_id
from handlers.requests import ActionRequest, ShowCard

MAX_COPIED = 150  # characters: a reason that is cut would be sent so


@dataclass(frozen=True, slots=True)
class ShowEither:
    """Show the card of the object that has this id, whatever its kind."""

    id: ObjectId


@dataclass(frozen=True, slots=True)
class SendToEither:
    """Carry out that of these commands which is about the kind of the object with this id.

    ``words`` follow the verb in a command to copy.
    """

    id: ObjectId
    commands: Mapping[ObjectKind, ParsedCommand[Any]]
    words: str


def parse_show(arguments: Arguments) -> ShowEither:
    object_id, rest = take_id(None, arguments.words)
    refuse_more(rest)
    return ShowEither(object_id)


async def show(app: AppContext, request: ShowEither, delivery: Delivery) -> Message | None:
    """Post the card of a task or a run; raises UserError where there is neither.

    What is no UUID, and the id of nothing, may be a part of a name: tasks with it are listed.
    """
    actor = delivery.requester.actor
    reader = await open_reader(app.services, actor)
    try:
        ref, _snapshot = await queries.find_object(app, reader, request.id, OBJECT_KINDS)
    except NotFound as error:
        if not UUID.fullmatch(request.id):
            return await queries.listing(app, ListQuery(kind="task", text=request.id), actor)
        raise UserError(command_problems.no_such_object(app.catalogue)) from error
    await queries.show(app, ShowCard(ref), delivery.requester)
    return None


async def send(recorder: Recorder, request: SendToEither, delivery: Delivery) -> Message | None:
    """Record the command that is about what the id is; raises UserError where nobody can tell."""
    app, parsed = recorder.app, list(request.commands.values())
    actions = [each.request.action for each in parsed if isinstance(each.request, ActionRequest)]
    reader = await open_reader(app.services, delivery.requester.actor, *actions)
    may = partial(may_ever, reader.config.rules, reader.principal)
    if not actions or any(map(may, actions)):
        readable = {kind for kind in request.commands if reader.reads(kind)}
        possible = readable | {action.kind for action in filter(may, actions)}
        possible = possible or set(request.commands)
        kind = await kind_of(app, reader, request.id, possible)
        parsed = [request.commands[kind]] if kind else parsed
        if kind is None:
            commands: dict[ObjectKind, str] = {
                kind: f"{each.command.words} {request.words}"
                for kind, each in request.commands.items()
                if kind in possible
            }
            raise UserError(command_problems.which_kind(app.catalogue, app.root, commands))
    # Whoever may do none of them is refused by any, and told who may.
    command, handler = parsed[0].command, parsed[0].command.handler
    if not isinstance(handler, RecordsOperation):
        raise TypeError(f"{command.words} sends nothing")
    delivery.requester.trace.command = command.words
    return await handler.record(recorder, parsed[0].request, delivery)


async def kind_of(
    app: AppContext, reader: Reader, object_id: ObjectId, possible: Collection[ObjectKind]
) -> ObjectKind | None:
    """Return what the object with an id is, of the ``possible`` kinds; None if that is not known.

    What is tracked is known without SecMaster. Raises UserError where no kind has such an id: an
    object that the person may not read is answered like one that does not exist.
    """
    kinds = [kind for kind in OBJECT_KINDS if kind in possible and reader.reads(kind)]
    refs = [Ref(kind=kind, id=object_id, workspace=app.workspace) for kind in kinds]
    tracked = await asyncio.to_thread(app.services.store.tracked.get, refs)
    readable = [each.ref.kind for each in tracked if reader.may_read(each.ref, each.snapshot)]
    if len(readable) == 1:
        return readable[0]
    if len(kinds) < len(possible):
        return None
    try:
        async with asyncio.timeout(app.services.timeouts.before_ack):
            are_there = await asyncio.gather(*(is_there(reader, ref) for ref in refs))
    except (SecMasterError, TimeoutError):
        return None
    kinds = list(compress(kinds, are_there))
    if not kinds:
        raise UserError(command_problems.no_such_object(app.catalogue))
    return kinds[0] if len(kinds) == 1 else None


async def is_there(reader: Reader, ref: Ref) -> bool:
    """Whether SecMaster knows an object that the person may read; raises SecMasterError.

    Where it serves no runs of playbooks, there is none.
    """
    try:
        await reader.read(ref)
    except (NotFound, ReadRefused):
        return False
    except queries.NOT_SERVED:
        if ref.kind != "playbook":
            raise
        return False
    return True


# In no table, as nobody writes it in full: "show <id>", or the id alone.
SHOWS: Command[ShowEither] = Command(
    name="show", usage="show <id>", help=(), parse=parse_show, handler=Posts(show)
)


def sending_command(verb: str, rows: Mapping[ObjectKind, AnyCommand]) -> Command[SendToEither]:
    """Return the command that is one of these, which have the same verb."""

    def parse(arguments: Arguments) -> SendToEither:
        object_id, _ = take_id(None, arguments.words)
        commands = {kind: row.read(arguments) for kind, row in rows.items()}
        words = plain(arguments.words)
        return SendToEither(object_id, commands, words if len(words) <= MAX_COPIED else object_id)

    return Command(
        name=verb, usage=f"{verb} <id>", help=(), parse=parse, handler=RecordsOperation(send)
    )
