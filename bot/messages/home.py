"""A person's Home: what waits for them, what they may retry, what they did, and who is on call.

Nothing in it says how far away a time is: it is drawn again where something has changed, and not
because time passes.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field, ValidationError
from slack_sdk.models.blocks import (
    Block,
    ButtonElement,
    DividerBlock,
    Option,
    PlainTextObject,
    StaticSelectElement,
)
from slack_sdk.models.views import View

from bot.domain.actions import Action
from bot.domain.objects import Ref, Value
from bot.domain.snapshots import Snapshot
from bot.messages.blocks import (
    RenderContext,
    action_button,
    actions,
    context,
    header,
    plain_name,
    section,
)
from bot.messages.cards import node_title
from bot.messages.labels import labels
from bot.messages.oncall import SOON, on_call_names
from bot.messages.text import code, date_token, format_duration, inline
from bot.secmaster import DueHandle, Instance, Task

TASKS = 8  # on a page
RUNS = 5
DECIDED = 10
Tasks = Literal["mine", "overdue", "soon", "all"]
FILTERS: dict[Tasks, str] = {
    "mine": "All that wait for me",
    "overdue": "Overdue",
    "soon": f"Due in {format_duration(SOON)}",
    "all": "Everything that waits",
}


class HomeOptions(Value):
    """What somebody wants to see on their Home, kept for them and carried by its buttons."""

    tasks: Tasks = "mine"
    tasks_page: int = Field(0, ge=0)
    runs_page: int = Field(0, ge=0)

    @classmethod
    def load(cls, found: dict[str, Any]) -> Self:
        """What was kept; what another version kept and this one can't read is as at first."""
        try:
            return cls.model_validate(found)
        except ValidationError:
            return cls()

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What a button carries; None for what can't be read here."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return None

    def __str__(self) -> str:
        return self.model_dump_json(exclude_defaults=True)


@dataclass(frozen=True, slots=True)
class HomeRow:
    """One task or run, and which actions the person may take on it now."""

    frame: RenderContext
    snapshot: Snapshot
    actions: tuple[Action, ...] = ()

    @property
    def is_overdue(self) -> bool:
        due = _due(self.snapshot)
        return due is not None and due < self.frame.now

    @property
    def is_soon(self) -> bool:
        due = _due(self.snapshot)
        return due is not None and self.frame.now <= due < self.frame.now + SOON


@dataclass(frozen=True, slots=True)
class HomeDecision:
    """What the person did; ``name`` is its object's, "" where that is not known."""

    action: Action
    ref: Ref
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Home:
    """What a Home is drawn from.

    ``tasks`` are those that wait, due soonest first, ``failed`` the runs that the person may
    retry, latest first, ``done`` what they did this shift, latest first. Of ``unseen`` more
    tasks nobody looked whether they wait for this person. ``on_call`` is None where Slack could
    not be asked; ``troubled`` is that SecMaster can't be, since ``as_of``.
    """

    options: HomeOptions
    tasks: Sequence[HomeRow]
    failed: Sequence[HomeRow]
    decisions: Sequence[HomeDecision]
    on_call: Sequence[str] | None
    as_of: datetime
    unchecked: int = 0
    stale: bool = False


def view(home: Home) -> dict[str, Any]:
    """Draw it; the last block says as of when, and nothing else does."""
    again = ButtonElement(text="Refresh", action_id="home")
    parts = [
        *_trouble(home),
        *_queue(home),
        DividerBlock(),
        *_runs(home),
        DividerBlock(),
        header("What I did this shift"),
        section("\n".join(map(_done, home.decisions[:DECIDED])) or "Nothing yet."),
        header("On call now"),
        section(on_call_names(home.on_call)),
        actions([again]),
        context(f"as of {date_token(home.as_of)}"),
    ]
    return View(type="home", blocks=parts).to_dict()


def view_fingerprint(drawn: dict[str, Any]) -> str:
    """Names what a Home shows, as of whenever."""
    return hashlib.sha256(json.dumps(drawn["blocks"][:-1]).encode()).hexdigest()


def visible_rows(home: Home) -> tuple[Sequence[HomeRow], Sequence[HomeRow]]:
    """The tasks and the runs on the pages that are looked at."""
    return _tasks(home).lines, _failures(home).lines


@dataclass(frozen=True, slots=True)
class _Page:
    """Some of so many in all, ``number`` pages on; a page that is no longer there is the last."""

    lines: Sequence[HomeRow]
    number: int
    size: int
    total: int

    @classmethod
    def of(cls, lines: Sequence[HomeRow], wanted: int, size: int) -> Self:
        number = min(wanted, max(0, len(lines) - 1) // size)
        start = number * size
        return cls(lines[start : start + size], number, size, len(lines))


def _tasks(home: Home) -> _Page:
    lets_through: dict[Tasks, Callable[[HomeRow], bool]] = {
        "mine": lambda each: bool(each.actions),
        "overdue": lambda each: bool(each.actions) and each.is_overdue,
        "soon": lambda each: bool(each.actions) and each.is_soon,
        "all": lambda _each: True,
    }
    chosen = list(filter(lets_through[home.options.tasks], home.tasks))
    return _Page.of(chosen, home.options.tasks_page, TASKS)


def _failures(home: Home) -> _Page:
    return _Page.of(home.failed, home.options.runs_page, RUNS)


def _trouble(home: Home) -> list[Block]:
    told = "⚠️ SecMaster can't be read now; this is what was known before."
    return [section(told)] if home.stale else []


def _queue(home: Home) -> list[Block]:
    mine = [each for each in home.tasks if each.actions]
    late, soon = sum(each.is_overdue for each in mine), sum(each.is_soon for each in mine)
    counts = (
        f"*{len(mine)}* waiting for me · *{late}* overdue · *{soon}* due in {format_duration(SOON)}"
    )
    parts: list[Block] = [header("My queue"), section(counts, _filter(home.options))]
    if home.unchecked:
        looked = f"{len(home.tasks):,} of {len(home.tasks) + home.unchecked:,} tasks that wait"
        parts.append(context(f"Counted among the {looked}: those due soonest."))
    page = _tasks(home)
    rows = [part for each in page.lines for part in _task(each)]
    parts += rows or [section(_nothing(home.options))]
    return parts + _turning(page, "tasks", home.options)


def _nothing(wanted: HomeOptions) -> str:
    said = {
        "mine": "Nothing waits for you.",
        "overdue": "Nothing that waits for you is overdue.",
        "soon": f"Nothing that waits for you is due in {format_duration(SOON)}.",
    }
    return said.get(wanted.tasks, "Nothing waits.")


def _filter(wanted: HomeOptions) -> StaticSelectElement:
    options = {key: _option(key, label) for key, label in FILTERS.items()}
    return StaticSelectElement(
        action_id="home.tasks",
        placeholder="Which tasks",
        options=list(options.values()),
        initial_option=options[wanted.tasks],
    )


def _option(key: Tasks, label: str) -> Option:
    # Another filter begins on its first page; the runs' page is not worth an option's room.
    return Option(value=f"home|{HomeOptions(tasks=key)}", text=PlainTextObject(text=label))


def _task(each: HomeRow) -> list[Block]:
    task = each.snapshot
    related = inline(task.related_object, 80) if isinstance(task, Task) else ""
    facts = " · ".join(filter(None, (_when(each), related, code(task.id))))
    return [plain_name(task.name), context(facts), _buttons(each, each.actions)]


def _when(each: HomeRow) -> str:
    due = _due(each.snapshot)
    if due is None:
        return "no due date"
    said = f"⏰ *Overdue* since {date_token(due)}" if each.is_overdue else f"due {date_token(due)}"
    task = each.snapshot
    by_itself = isinstance(task, Task) and task.due_handle == DueHandle.CONTINUE
    return f"{said}, ⚠️ then it *goes on by itself*" if by_itself else said


def _runs(home: Home) -> list[Block]:
    page = _failures(home)
    rows = [part for each in page.lines for part in _run(each)]
    head = header(f"Failed runs I may retry: {page.total}")
    return [head, *(rows or [section("None.")]), *_turning(page, "runs", home.options)]


def _run(each: HomeRow) -> list[Block]:
    run = each.snapshot
    if not isinstance(run, Instance):
        return []
    facts = [inline(run.workflow.name, 80), f"failed {date_token(run.end_time or run.start_time)}"]
    facts += [f"at {node_title(run.failed_node)}"] if run.failed_node else []
    facts += [f"{run.retry_count} retries"] if run.retry_count else []
    # Without its nodes nobody saw where it failed, so nothing can be asked for on that sight.
    may = each.actions if run.nodes else ()
    rest = () if run.nodes else ("Details",)
    shown_facts = " · ".join([*filter(None, facts), code(run.id)])
    return [
        plain_name(run.name or run.workflow.name),
        context(shown_facts),
        _buttons(each, may, rest),
    ]


def _buttons(each: HomeRow, may: Sequence[Action], rest: Sequence[str] = ()) -> Block:
    own = [action_button(action, each.frame, each.snapshot) for action in may]
    plain = [
        ButtonElement(text=label, action_id=label.lower(), value=str(each.frame.ref))
        for label in ("Show", *rest)
    ]
    return actions([*own, *plain])


def _turning(page: _Page, which: str, wanted: HomeOptions) -> list[Block]:
    """Where in the whole this page is, with buttons to the pages beside it."""
    if page.total <= page.size:
        return []
    first, last = page.number * page.size + 1, page.number * page.size + len(page.lines)

    def turn(label: str, to: int) -> ButtonElement:
        there = wanted.model_copy(update={f"{which}_page": to})
        return ButtonElement(text=label, action_id=f"home.{label.lower()}", value=str(there))

    back = [turn("Previous", page.number - 1)] if page.number else []
    on = [turn("Next", page.number + 1)] if last < page.total else []
    return [context(f"{first}-{last} of {page.total}"), actions([*back, *on])]


def _due(snapshot: Snapshot) -> datetime | None:
    return snapshot.due_date if isinstance(snapshot, Task) else None


def _done(each: HomeDecision) -> str:
    what = f"*{inline(each.name, 120)}*" if each.name else f"{each.ref.kind} {code(each.ref.id)}"
    return f"{labels(each.action).done}: {what}, {date_token(each.at)}"
