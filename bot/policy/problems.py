"""What is wrong with a policy file: where, as an operator writes the place, and what to do."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.policy.ids import NotAnId
from bot.validation import sentence

Location = Sequence[str | int]

NO_SUCH_FILE = "there is no such file"
ENTRY_NAME = re.compile(r"[\w .:/-]{0,40}")  # what an entry of a list may be called
TABLES_OF_TABLES = frozenset({"roles", "people", "tasks", "instances"})
IN_A_KEY = "[key]"  # how pydantic says that it is a table's key which is wrong
A_NUMBER, A_LIST = "[number]", "[list]"  # the ways to write a value that has two
NO_KEYS = frozenset({IN_A_KEY, A_NUMBER, A_LIST})  # in pydantic's locations, which nobody wrote


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of what is wrong; ``not_an_id`` where it is a name in the place of an id."""

    line: str
    not_an_id: NotAnId | None = None


def problems_of(
    error: ValidationError, table: Mapping[str, Any], model: type[BaseModel]
) -> Iterator[Problem]:
    """Yield what pydantic found wrong with a file that was read into a table."""
    for detail in error.errors():
        location = [part for part in detail["loc"] if part not in NO_KEYS]
        line = f"{place(location, table)}: {_sentence(detail, location, model)}".removeprefix(": ")
        cause = detail.get("ctx", {}).get("error")
        yield Problem(line, cause if isinstance(cause, NotAnId) else None)


def _sentence(detail: ErrorDetails, location: Location, model: type[BaseModel]) -> str:
    if detail["type"] != "extra_forbidden":
        return sentence(detail)
    *parents, key = location
    return f"{sentence(detail)}{suggestion(str(key), _keys(model, parents))}"


def unreadable(error: OSError | UnicodeDecodeError) -> str:
    """Return why the text of a file can't be read, and what to do."""
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8 text: save it as UTF-8"
    if isinstance(error, IsADirectoryError):
        return "is a directory: name the file in it"
    if isinstance(error, PermissionError):
        return "can't be read: the user that runs this needs the right to read it"
    return f"can't be read: {error.strerror}"


def suggestion(text: str, choices: Collection[str]) -> str:
    """Return the end of a sentence about a word that is none of these: what may be meant."""
    if close := difflib.get_close_matches(text, choices, n=1):
        return f"; did you mean {close[0]}?"
    if len(choices) == 1:
        return f"; there is only {next(iter(choices))}"
    return f"; there are {', '.join(sorted(choices))}" if choices else ""


def place(location: Location, table: Mapping[str, Any]) -> str:
    """Return where something is, as it is written.

    ``[watch] every``, ``[roles.lead] users``, ``[[rules]] 3 (isolation): approvals``.
    """
    if not location:
        return ""
    section, *keys = location
    value = table.get(str(section))
    head, separator = _heading(str(section), value), " "
    if keys and isinstance(number := keys[0], int):
        keys.pop(0)
        entry = value[number] if isinstance(value, list) else None
        name = entry.get("name") if isinstance(entry, dict) else None
        is_shown = isinstance(name, str) and name and ENTRY_NAME.fullmatch(name)
        head += f" {number + 1} ({name})" if is_shown else f" {number + 1}"
        separator = ": "
    elif section in TABLES_OF_TABLES and keys:
        head = f"[{section}.{keys.pop(0)}]"
    path = ""
    for key in keys:
        path += f", entry {key + 1}" if isinstance(key, int) else f"{'.' if path else ''}{key}"
    return f"{head}{separator}{path}" if path else head


def bare(kind: Any) -> Any:
    """Return a type without what is said beside it, and without its None."""
    while get_origin(kind) in {Annotated, Union, UnionType}:
        kind = next(each for each in get_args(kind) if each is not type(None))
    return kind


def _heading(section: str, value: object) -> str:
    if isinstance(value, dict):
        return f"[{section}]"
    is_list_of_tables = isinstance(value, list) and any(isinstance(item, dict) for item in value)
    return f"[[{section}]]" if is_list_of_tables else section


def _keys(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys that the table at a place may have, as they are written."""
    kind: Any = model
    for part in location:
        kind = bare(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = next(
                (
                    field.annotation
                    for name, field in kind.model_fields.items()
                    if part in {name, field.alias}
                ),
                None,
            )
        else:
            arguments = get_args(kind)
            kind = arguments[0 if isinstance(part, int) else -1] if arguments else None
    kind = bare(kind)
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return []
    return [field.alias or name for name, field in kind.model_fields.items()]
