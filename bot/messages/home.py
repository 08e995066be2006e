"""Render a person's Home: their queue, the runs they may retry, what they did, who is on call.

Nothing in it says how far away a time is: it is rendered again where something has changed, and
not because time passes.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self, assert_never

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
from bot.domain.objects import OBJECT_KINDS, ObjectKind, Ref, Value
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
from bot.messages.catalogue import Catalogue
from bot.messages.labels import labels
from bot.messages.oncall import SOON, on_call_names
from bot.messages.text import code, date_token, inline
from bot.secmaster import DueHandle, Instance, Task

TASKS = 8  # on a page
RUNS = 5
DECIDED = 10
Tasks = Literal["mine", "overdue", "soon", "all"]
FILTERS: dict[Tasks, str] = {
    "mine": "All that wait for me",
    "overdue": "Overdue",
    "soon": "Due in 1 h",
    "all": "Everything that waits",
}
NOTHING: dict[Tasks, str] = {
    "mine": "Nothing waits for you.",
    "overdue": "Nothing that waits for you is overdue.",
    "soon": "Nothing that waits for you is due in 1 h.",
    "all": "Nothing waits.",
}


class HomeOptions(Value):
    """What somebody chose to see on their Home: stored for them, and carried by its buttons."""

    tasks: Tasks = "mine"
    tasks_page: int = Field(0, ge=0)
    runs_page: int = Field(0, ge=0)

    @classmethod
    def load(cls, document: dict[str, Any]) -> Self:
        """Read what was stored; the defaults where this version can't read it."""
        try:
            return cls.model_validate(document)
        except ValidationError:
            return cls()

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what a button carries; None where this version can't."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return None

    def __str__(self) -> str:
        """Return what a button carries."""
        return self.model_dump_json(exclude_defaults=True)


@dataclass(frozen=True, slots=True)
class HomeRow:
    """One task or run, and which actions the person may take on it now."""

    render_context: RenderContext
    snapshot: Snapshot
    actions: tuple[Action, ...] = ()

    @property
    def due(self) -> datetime | None:
        """When the task is due; None for a run and for a task without a due date."""
        return self.snapshot.due_date if isinstance(self.snapshot, Task) else None

    @property
    def is_overdue(self) -> bool:
        """Whether its due date has passed."""
        return self.due is not None and self.due < self.render_context.now

    @property
    def is_soon(self) -> bool:
        """Whether it is due within the next two hours."""
        now = self.render_context.now
        return self.due is not None and now <= self.due < now + SOON


@dataclass(frozen=True, slots=True)
class HomeDecision:
    """What the person did to an object; ``name`` is "" where the object's name is not known."""

    action: Action
    ref: Ref
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Home:
    """What a Home is rendered from.

    ``tasks`` are the open tasks, due soonest first; ``failed`` are the runs that the person may
    retry and ``decisions`` what they did this shift, both latest first. For ``unchecked`` more
    open tasks it was not checked whether the person may act on them. ``on_call`` is None where
    Slack could not be asked. ``stale`` means that SecMaster can't be read since ``as_of``. Only
    the ``kinds`` are shown that the person may read, and where they may not read all tasks
    (``restricted``) nothing says how many there are.
    """

    options: HomeOptions
    tasks: Sequence[HomeRow]
    failed: Sequence[HomeRow]
    decisions: Sequence[HomeDecision]
    on_call: Sequence[str] | None
    as_of: datetime
    unchecked: int = 0
    stale: bool = False
    kinds: Sequence[ObjectKind] = OBJECT_KINDS
    restricted: bool = False


def view(catalogue: Catalogue, home: Home) -> dict[str, Any]:
    """Return the Home's view. Its last block alone says as of when it is."""
    warning = "⚠️ SecMaster can't be read now; this is what was known before."
    decisions = "\n".join(map(_decision_line, home.decisions[:DECIDED]))
    blocks = [
        *([section(warning)] if home.stale else []),
        *([*_queue_blocks(catalogue, home), DividerBlock()] if "task" in home.kinds else []),
        *([*_failed_blocks(catalogue, home), DividerBlock()] if "instance" in home.kinds else []),
        header("What I did this shift"),
        section(decisions or "Nothing yet."),
        header("On call now"),
        section(on_call_names(catalogue, home.on_call)),
        actions([ButtonElement(text="Refresh", action_id="home")]),
        context(f"as of {date_token(home.as_of)}"),
    ]
    return View(type="home", blocks=blocks).to_dict()


def view_fingerprint(catalogue: Catalogue, view: dict[str, Any]) -> str:
    """Return the fingerprint of all that a view shows but its time."""
    return hashlib.sha256(json.dumps(view["blocks"][:-1]).encode()).hexdigest()


def visible_rows(home: Home) -> tuple[Sequence[HomeRow], Sequence[HomeRow]]:
    """Return the tasks and the runs that are on the chosen pages."""
    return _tasks_page(home).rows, _failed_page(home).rows


@dataclass(frozen=True, slots=True)
class _Page:
    """One page of ``total`` rows, counted from 0."""

    rows: Sequence[HomeRow]
    number: int
    size: int
    total: int

    @classmethod
    def cut(cls, rows: Sequence[HomeRow], number: int, size: int) -> Self:
        """Return this page of the rows; the last one where there are no longer so many."""
        number = min(number, max(0, len(rows) - 1) // size)
        start = number * size
        return cls(rows[start : start + size], number, size, len(rows))


def _tasks_page(home: Home) -> _Page:
    rows = [row for row in home.tasks if _passes(row, home.options.tasks)]
    return _Page.cut(rows, home.options.tasks_page, TASKS)


def _passes(row: HomeRow, chosen: Tasks) -> bool:
    match chosen:
        case "mine":
            return bool(row.actions)
        case "overdue":
            return bool(row.actions) and row.is_overdue
        case "soon":
            return bool(row.actions) and row.is_soon
        case "all":
            return True
        case _:
            assert_never(chosen)


def _failed_page(home: Home) -> _Page:
    return _Page.cut(home.failed, home.options.runs_page, RUNS)


def _queue_blocks(catalogue: Catalogue, home: Home) -> list[Block]:
    """Show the counts, the filter and one page of the tasks."""
    queue = [row for row in home.tasks if row.actions]
    overdue, soon = sum(row.is_overdue for row in queue), sum(row.is_soon for row in queue)
    counts = (
        f"*{len(queue)}* waiting for me · *{overdue}* overdue · "
        f"*{soon}* due in {catalogue.duration(SOON)}"
    )
    # Another filter begins on its first page; the runs' page is not worth an option's room.
    options = {
        key: Option(value=f"home|{HomeOptions(tasks=key)}", text=PlainTextObject(text=label))
        for key, label in FILTERS.items()
    }
    menu = StaticSelectElement(
        action_id="home.tasks",
        placeholder="Which tasks",
        options=list(options.values()),
        initial_option=options[home.options.tasks],
    )
    blocks: list[Block] = [header("My queue"), section(counts, menu)]
    if home.restricted:
        blocks.append(context("Counted among the tasks due soonest that you may read."))
    elif home.unchecked:
        total = len(home.tasks) + home.unchecked
        tasks = f"{len(home.tasks):,} of {total:,} tasks that wait"
        blocks.append(context(f"Counted among the {tasks}: those due soonest."))
    page = _tasks_page(home)
    rows: list[Block] = []
    for row in page.rows:
        task = row.snapshot
        related = inline(task.related_object, 80) if isinstance(task, Task) else ""
        facts = " · ".join(filter(None, (_due_text(catalogue, row), related, code(task.id))))
        rows += [plain_name(task.name), context(facts), _row_buttons(catalogue, row, row.actions)]
    blocks += rows or [section(NOTHING[home.options.tasks])]
    return blocks + _page_buttons(catalogue, page, "tasks_page", home.options)


def _due_text(catalogue: Catalogue, row: HomeRow) -> str:
    if row.due is None:
        return "no due date"
    when = date_token(row.due)
    text = f"⏰ *Overdue* since {when}" if row.is_overdue else f"due {when}"
    task = row.snapshot
    by_itself = isinstance(task, Task) and task.due_handle == DueHandle.CONTINUE
    return f"{text}, ⚠️ then it *goes on by itself*" if by_itself else text


def _failed_blocks(catalogue: Catalogue, home: Home) -> list[Block]:
    """Show one page of the runs that the person may retry."""
    page = _failed_page(home)
    rows: list[Block] = []
    for row in page.rows:
        run = row.snapshot
        if not isinstance(run, Instance):
            continue
        when = date_token(run.end_time or run.start_time)
        facts = [inline(run.workflow.name, 80), f"failed {when}"]
        facts += [f"at {node_title(run.failed_node)}"] if run.failed_node else []
        facts += [f"{run.retry_count} retries"] if run.retry_count else []
        # Without its nodes nobody saw where it failed, so nothing can be decided on that snapshot.
        buttons = (
            _row_buttons(catalogue, row, row.actions)
            if run.nodes
            else _row_buttons(catalogue, row, (), ("Details",))
        )
        rows += [
            plain_name(run.name or run.workflow.name),
            context(" · ".join([*filter(None, facts), code(run.id)])),
            buttons,
        ]
    head = header(f"Failed runs I may retry: {page.total}")
    return [
        head,
        *(rows or [section("None.")]),
        *_page_buttons(catalogue, page, "runs_page", home.options),
    ]


def _row_buttons(
    catalogue: Catalogue, row: HomeRow, possible: Sequence[Action], more: Sequence[str] = ()
) -> Block:
    """Return a row's buttons: for its actions, Show, and ``more`` by their labels."""
    buttons = [action_button(action, row.render_context, row.snapshot) for action in possible]
    ref = str(row.render_context.ref)
    buttons += [
        ButtonElement(text=label, action_id=label.lower(), value=ref) for label in ("Show", *more)
    ]
    return actions(buttons)


def _page_buttons(
    catalogue: Catalogue, page: _Page, field: str, options: HomeOptions
) -> list[Block]:
    """Say which rows a page shows, with buttons to the pages beside it; [] for a single page.

    ``field`` is the option that holds the page's number.
    """
    if page.total <= page.size:
        return []
    first = page.number * page.size + 1
    last = page.number * page.size + len(page.rows)
    targets = [("Previous", page.number - 1)] if page.number else []
    targets += [("Next", page.number + 1)] if last < page.total else []
    buttons = [
        ButtonElement(
            text=label,
            action_id=f"home.{label.lower()}",
            value=str(options.model_copy(update={field: number})),
        )
        for label, number in targets
    ]
    return [context(f"{first}-{last} of {page.total}"), actions(buttons)]


def _decision_line(decision: HomeDecision) -> str:
    ref = decision.ref
    name = f"*{inline(decision.name, 120)}*" if decision.name else f"{ref.kind} {code(ref.id)}"
    return f"{labels(decision.action).done}: {name}, {date_token(decision.at)}"
