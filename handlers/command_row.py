"""What a row of the table of commands says: how a command is written, read and carried out.

Knows no command. The table is in ``handlers.command_table``; its rows stand beside what they do.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bot.domain.objects import ObjectKind, Ref
from bot.domain.slack import Requester, SlackFile
from bot.messages import Message
from bot.messages.command_help import HelpLine
from handlers.context import AppContext, Recorder
from handlers.parsing import ParseError, refuse_more

R = TypeVar("R")  # the request that a command's words are read into


@dataclass(frozen=True, slots=True)
class Arguments:
    """What follows a command's name, and the object in whose card's thread it was written.

    ``files`` are those of the message that it was written in.
    """

    words: str
    thread_object: Ref | None = None
    files: tuple[SlackFile, ...] = ()

    def default_ref(self, kind: ObjectKind) -> Ref | None:
        """Return the object that is meant where no id is written."""
        thread_object = self.thread_object
        return thread_object if thread_object and thread_object.kind == kind else None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One command as Slack delivers it: who wrote it, and in which card's thread.

    ``dedupe_key`` names it: delivered again it has the same, and changes nothing. ``ts`` is that of
    the message that it was written in, "" for a slash command. ``unused_files`` are those of that
    message that the command does not take.
    """

    requester: Requester
    dedupe_key: str
    thread_object: Ref | None = None
    ts: str = ""
    unused_files: tuple[SlackFile, ...] = ()

    def requester_about(self, ref: Ref) -> Requester:
        """Return the requester, answered in this thread if it is that of the object's own card."""
        requester = self.requester
        return (
            requester.under(requester.location.thread) if ref == self.thread_object else requester
        )


@dataclass(frozen=True, slots=True)
class RecordsOperation(Generic[R]):
    """Record an operation before the acknowledgement; how it ends is told in a thread.

    The message that ``record`` returns acknowledges a slash command, and None says nothing there; a
    mention needs none.
    """

    record: Callable[[Recorder, R, Delivery], Awaitable[Message | None]]


@dataclass(frozen=True, slots=True)
class RecordsChange(Generic[R]):
    """Change something in the bot itself before the acknowledgement.

    The message that ``record`` returns is the answer: a slash command's acknowledgement, and after
    a mention's a message of its own.
    """

    record: Callable[[Recorder, R, Delivery], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class AnswersAtOnce(Generic[R]):
    """Answer a slash command in its acknowledgement, without asking SecMaster."""

    answer: Callable[[AppContext, R, Delivery], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class AnswersLater(Generic[R]):
    """Answer after the acknowledgement, which reading may take too long for."""

    answer: Callable[[AppContext, R, Delivery], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class Posts(Generic[R]):
    """Post something for everybody after the acknowledgement.

    The message that ``post`` returns is the answer in its place, where there is nothing to post.
    """

    post: Callable[[AppContext, R, Delivery], Awaitable[Message | None]]


@dataclass(frozen=True, slots=True)
class OpensForm(Generic[R]):
    """Open a form with a slash command's ``trigger_id``.

    A mention has none, so ``answer`` says how the form is opened.
    """

    open: Callable[[AppContext, R, Requester, str], Awaitable[None]]
    answer: Callable[[AppContext, R, Delivery], Awaitable[Message]]


# Whatever changes something records it, and only those that record are given a Recorder.
RecordingHandler = RecordsOperation[R] | RecordsChange[R]
ReadingHandler = AnswersAtOnce[R] | AnswersLater[R] | Posts[R] | OpensForm[R]
Handler = RecordingHandler[R] | ReadingHandler[R]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyCommand(ABC):
    """What every row has, whatever its request is.

    One with a ``kind`` is written after it, and in the thread of such an object's card also
    without. ``usage`` is how it is written, as people are told who wrote it otherwise. ``help`` is
    its sentence in the help; or its lines there, where those don't say the usage. A line that two
    commands share is shown once. One that ``takes_files`` takes those of the message that it is
    written in.
    """

    name: str
    usage: str
    help: str | tuple[HelpLine, ...]
    aliases: tuple[str, ...] = ()
    kind: ObjectKind | None = None
    takes_files: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every word that stands for it."""
        return (self.name, *self.aliases)

    @property
    def words(self) -> str:
        """What it begins with, written in full."""
        return f"{self.kind} {self.name}" if self.kind else self.name

    @property
    def help_lines(self) -> tuple[HelpLine, ...]:
        """Its lines in the help."""
        if isinstance(self.help, str):
            return (HelpLine(self.usage, self.help, self.aliases),)
        return self.help

    @property
    @abstractmethod
    def sends(self) -> bool:
        """Whether it sends something to SecMaster."""

    @property
    @abstractmethod
    def only_reads(self) -> bool:
        """Whether it changes nothing: neither in SecMaster nor in the bot itself."""

    @abstractmethod
    def read(self, arguments: Arguments) -> "ParsedCommand[Any]":
        """Return the command with the request that its arguments make; raises ParseError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(AnyCommand, Generic[R]):
    """One row. What ``parse`` returns is what ``handler`` is given, and no row can mix them up.

    ``parse`` raises ParseError, which gets the row's usage where it has none of its own.
    """

    parse: Callable[[Arguments], R]
    handler: Handler[R]

    @property
    def sends(self) -> bool:
        return isinstance(self.handler, RecordsOperation)

    @property
    def only_reads(self) -> bool:
        return not isinstance(self.handler, RecordsOperation | RecordsChange)

    def read(self, arguments: Arguments) -> "ParsedCommand[R]":
        try:
            return ParsedCommand(self, self.parse(arguments))
        except ParseError as error:
            usage, sends = error.usage or self.usage, error.sends or self.sends
            raise ParseError(error.problem, usage, error.nearest, sends=sends) from error


@dataclass(frozen=True, slots=True)
class ParsedCommand(Generic[R]):
    """A row, and what the words ask it for."""

    command: Command[R]
    request: R


def complete(request: R) -> Callable[[Arguments], R]:
    """Return a ``parse`` for a command that takes no words: it always makes this request."""

    def parse(arguments: Arguments) -> R:
        refuse_more(arguments.words)
        return request

    return parse
