"""Combinable validation rules for JSON, whose messages are worded as Slack words them.

A rule takes a value and the JSON pointer to it, and yields complaints.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Complaint:
    """One error at a JSON pointer.

    Of the shapes of ``constraint``, Slack documents the one of ``enum`` only.
    """

    message: str
    pointer: str
    constraint: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"[ERROR] {self.message} [json-pointer:{self.pointer}]"

    def described(self) -> dict[str, Any]:
        """Return the complaint as ``blocks.validate`` reports it."""
        error = {
            "pointer": self.pointer,
            "code": "failed_constraint",
            "message": self.message,
        }
        return error | ({"constraint": self.constraint} if self.constraint else {})


Complaints = Iterator[Complaint]
Rule = Callable[[Any, str], Complaints]


def complaint(message: str, pointer: str, **constraint: Any) -> Complaint:
    """Build a complaint from the fields of its constraint."""
    return Complaint(message, pointer, constraint)


def text(most: int, least: int = 1) -> Rule:
    """A string of ``least`` to ``most`` characters."""

    def rule(value: Any, pointer: str) -> Complaints:
        if not isinstance(value, str):
            yield complaint("must provide a string", pointer)
        elif len(value) > most:
            message = f"must be less than {most + 1} characters"
            yield complaint(message, pointer, type="max_length", expected=most, got=len(value))
        elif len(value.strip()) < least:
            message = f"must be more than {least - 1} characters"
            yield complaint(message, pointer, type="min_length", expected=least, got=len(value))

    return rule


def flag(value: Any, pointer: str) -> Complaints:
    """A boolean."""
    if not isinstance(value, bool):
        yield complaint("must provide a boolean", pointer)


def number(least: int, most: int) -> Rule:
    """A whole number within bounds."""

    def rule(value: Any, pointer: str) -> Complaints:
        if not isinstance(value, int) or isinstance(value, bool):
            yield complaint("must provide an integer", pointer)
        elif not least <= value <= most:
            yield complaint(f"must be between {least} and {most}", pointer)

    return rule


def decimal(value: Any, pointer: str) -> Complaints:
    """A number of any size."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        yield complaint("must provide a number", pointer)


def word(*allowed: str) -> Rule:
    """One of these words."""

    def rule(value: Any, pointer: str) -> Complaints:
        if value not in allowed:
            message = f"must be one of: {', '.join(allowed)}"
            yield complaint(message, pointer, type="enum", expected=list(allowed), got=value)

    return rule


def anything(_value: Any, _pointer: str) -> Complaints:
    """Any value."""
    yield from ()


def listed(item: Rule, most: int, least: int = 1) -> Rule:
    """A list of ``least`` to ``most`` items."""

    def rule(value: Any, pointer: str) -> Complaints:
        if not isinstance(value, list):
            yield complaint("must provide an array", pointer)
            return
        if len(value) > most:
            message = f"no more than {most} items allowed"
            yield complaint(message, pointer, type="max_items", expected=most, got=len(value))
        if len(value) < least:
            message = f"no fewer than {least} items allowed"
            yield complaint(message, pointer, type="min_items", expected=least, got=len(value))
        for index, element in enumerate(value):
            yield from item(element, f"{pointer}/{index}")

    return rule


def shape(needs: dict[str, Rule], may: dict[str, Rule] | None = None) -> Rule:
    """An object with all keys of ``needs``, any of ``may``, and no others."""
    rules = needs | (may or {})

    def rule(value: Any, pointer: str) -> Complaints:
        if not isinstance(value, dict):
            yield complaint("must provide an object", pointer)
            return
        for key in needs:
            if key not in value:
                yield complaint(f"missing required field: {key}", pointer)
        for key, item in value.items():
            if key in rules:
                yield from rules[key](item, f"{pointer}/{key}")
            else:
                yield complaint(f"invalid additional property: {key}", pointer)

    return rule


def one_of(*keys: str) -> Rule:
    """An object with exactly one of these keys."""

    def rule(value: Any, pointer: str) -> Complaints:
        if sum(key in value for key in keys) != 1:
            yield complaint(f"must have either {' or '.join(keys)}", pointer)

    return rule


def nullable(rule: Rule) -> Rule:
    """Null, or a value that follows the rule."""
    return lambda value, pointer: iter(()) if value is None else rule(value, pointer)


def typed(rules: dict[str, Rule]) -> Rule:
    """An object whose ``type`` says which of these rules it follows."""

    def rule(value: Any, pointer: str) -> Complaints:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str):
            yield complaint("missing required field: type", pointer)
        elif kind not in rules:
            message = f"unsupported type: {kind}"
            expected = list(rules)
            yield complaint(message, f"{pointer}/type", type="enum", expected=expected, got=kind)
        else:
            yield from rules[kind](value, pointer)

    return rule


def also(first: Rule, second: Rule) -> Rule:
    """Both rules; the second only for what passed the first, so that it may rely on the shape."""

    def rule(value: Any, pointer: str) -> Complaints:
        complaints = list(first(value, pointer))
        yield from complaints or second(value, pointer)

    return rule


def unique(key: str, *, within: str = "") -> Rule:
    """No two items of a list (or of the list at ``within``) share the value of ``key``."""

    def rule(value: Any, pointer: str) -> Complaints:
        items = value[within] if within else value
        names: set[str] = set()
        path = f"{pointer}/{within}" if within else pointer
        for index, item in enumerate(items):
            name = item.get(key)
            if name is not None and name in names:
                yield complaint(f"`{key}` `{name}` already exists", f"{path}/{index}/{key}")
            names.add(name)

    return rule
