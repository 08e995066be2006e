"""What a check of the doctor comes to: results, each a sentence, and the line that shows it."""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from rich.console import Console
from rich.markup import escape

from bot.logs import hide


class CheckFailed(Exception):
    """A check found something wrong; the text says what, and what to do."""


class NotChecked(Exception):
    """A check needs what another one could not read; the text says what that is."""


class State(StrEnum):
    """What a result says of its part of the installation.

    NOTE: it works, and somebody may want to know this. NOT_CHECKED: nothing is known of it.
    """

    OK = "ok"
    NOTE = "note"
    FAILED = "failed"
    NOT_CHECKED = "not checked"

    @property
    def mark(self) -> str:
        """The sign at the beginning of its line, in rich's markup."""
        match self:
            case State.OK:
                return "[green]✓[/green]"
            case State.NOTE:
                return "[yellow]![/yellow]"
            case State.FAILED:
                return "[red]✗[/red]"
            case State.NOT_CHECKED:
                return "[yellow]-[/yellow]"
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class Result:
    """One thing that a check says."""

    state: State
    sentence: str

    @property
    def is_well(self) -> bool:
        """Whether nothing has to be done about it."""
        return self.state in {State.OK, State.NOTE}


def ok(sentence: str) -> Result:
    return Result(State.OK, sentence)


def note(sentence: str) -> Result:
    return Result(State.NOTE, sentence)


def failed(sentence: str) -> Result:
    return Result(State.FAILED, sentence)


async def outcome(check: Awaitable[Iterable[Result]]) -> tuple[Result, ...]:
    """Return the results of a check; one that raises has a single one."""
    try:
        return tuple(await check)
    except CheckFailed as error:
        return (failed(str(error)),)
    except NotChecked as error:
        return (Result(State.NOT_CHECKED, str(error)),)


def print_result(console: Console, name: str, result: Result) -> None:
    """Print a line for a result of the check of this name; no secret is printed."""
    line = f"{result.state.mark} {name}: {escape(hide(result.sentence))}"
    console.print(line, highlight=False, soft_wrap=True)
