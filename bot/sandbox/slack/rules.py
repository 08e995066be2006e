"""A small language for saying what a piece of JSON may look like, in Slack's words.

A rule takes a value and the JSON pointer to it, and yields complaints.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Complaint:
    """What is wrong at a place. Of constraints, Slack documents the shape of ``enum`` only."""

    message: str
    pointer: str
    constraint: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"[ERROR] {self.message} [json-pointer:{self.pointer}]"

    def described(self) -> dict[str, Any]:
        """As ``blocks.validate`` tells it."""
        wrong = {
            "pointer": self.pointer,
            "code": "failed_constraint",
            "message": self.message,
        }
        return wrong | ({"constraint": self.constraint} if self.constraint else {})


Complaints = Iterator[Complaint]
Rule = Callable[[Any, str], Complaints]


def complaint(message: str, pointer: str, **constraint: Any) -> Complaint:
    return Complaint(message, pointer, constraint)


def text(most: int, least: int = 1) -> Rule:
    """A string of ``least`` to ``most`` characters."""

    def rule(value: Any, pointer: str) -> Complaints:
        if not isinstance(value, str):
            yield complaint("must provide a string", pointer)
        elif len(value) > most:
            wrong = f"must be less than {most + 1} characters"
            yield complaint(wrong, pointer, type="max_length", expected=most, got=len(value))
        elif len(value.strip()) < least:
            wrong = f"must be more than {least - 1} characters"
            yield complaint(wrong, pointer, type="min_length", expected=least, got=len(value))

    return rule


def flag(value: Any, pointer: str) -> Complaints:
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


def word(*allowed: str) -> Rule:
    """One of these words."""

    def rule(value: Any, pointer: str) -> Complaints:
        if value not in allowed:
            wrong = f"must be one of: {', '.join(allowed)}"
            yield complaint(wrong, pointer, type="enum", expected=list(allowed), got=value)

    return rule


def anything(_value: Any, _pointer: str) -> Complaints:
    yield from ()


def listed(item: Rule, most: int, least: int = 1) -> Rule:
    """A list of ``least`` to ``most`` items."""

    def rule(value: Any, pointer: str) -> Complaints:
        if not isinstance(value, list):
            yield complaint("must provide an array", pointer)
            return
        if len(value) > most:
            wrong = f"no more than {most} items allowed"
            yield complaint(wrong, pointer, type="max_items", expected=most, got=len(value))
        if len(value) < least:
            wrong = f"no fewer than {least} items allowed"
            yield complaint(wrong, pointer, type="min_items", expected=least, got=len(value))
        for at, each in enumerate(value):
            yield from item(each, f"{pointer}/{at}")

    return rule


def shape(needs: dict[str, Rule], may: dict[str, Rule] | None = None) -> Rule:
    """An object with these keys and no others."""
    known = needs | (may or {})

    def rule(value: Any, pointer: str) -> Complaints:
        if not isinstance(value, dict):
            yield complaint("must provide an object", pointer)
            return
        for key in needs:
            if key not in value:
                yield complaint(f"missing required field: {key}", pointer)
        for key, each in value.items():
            if key in known:
                yield from known[key](each, f"{pointer}/{key}")
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
    """Null, or what the rule says."""
    return lambda value, pointer: iter(()) if value is None else rule(value, pointer)


def typed(rules: dict[str, Rule]) -> Rule:
    """An object whose ``type`` says which of these rules it follows."""

    def rule(value: Any, pointer: str) -> Complaints:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str):
            yield complaint("missing required field: type", pointer)
        elif kind not in rules:
            wrong, where = f"unsupported type: {kind}", f"{pointer}/type"
            yield complaint(wrong, where, type="enum", expected=list(rules), got=kind)
        else:
            yield from rules[kind](value, pointer)

    return rule


def also(first: Rule, second: Rule) -> Rule:
    """Both; the second only for what passed the first, so that it may rely on the shape."""

    def rule(value: Any, pointer: str) -> Complaints:
        wrong = list(first(value, pointer))
        yield from wrong or second(value, pointer)

    return rule


def unique(key: str, *, within: str = "") -> Rule:
    """No two items of a list (or of the list at ``within``) share the value of ``key``."""

    def rule(value: Any, pointer: str) -> Complaints:
        items = value[within] if within else value
        seen: set[str] = set()
        for at, each in enumerate(items):
            name = each.get(key)
            if name is not None and name in seen:
                where = f"{pointer}/{within}/{at}/{key}" if within else f"{pointer}/{at}/{key}"
                yield complaint(f"`{key}` `{name}` already exists", where)
            seen.add(name)

    return rule
