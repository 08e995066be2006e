"""Render lists of tasks and instances, a page at a time."""

from datetime import datetime

from pydantic import ValidationError
from slack_sdk.models.blocks import Block, ButtonElement

from bot.domain.actions import batch_statuses
from bot.domain.batches import BatchQuery
from bot.domain.objects import ListQuery, ObjectKind, Ref
from bot.domain.snapshots import ListPage, Snapshot
from bot.messages.batch_forms import batch_button
from bot.messages.blocks import Message, actions, context, plain_name, section
from bot.messages.catalogue import Catalogue
from bot.messages.fields import due, instance_state, task_state
from bot.messages.text import clip, code, date_token, inline
from bot.secmaster import Task, TaskStatus

PAGE = 8
SHOW = ("Show", "show")
WAITING = (("task", ""), ("task", "todo"))  # the lists of tasks that wait, by kind and filter
TEXT_IN_BUTTON = 100
LAST = 9999  # the highest offset that SecMaster takes


def listing(
    catalogue: Catalogue, query: ListQuery, page: ListPage, workspace: str, now: datetime
) -> Message:
    """Return one page of a list, with buttons that show an object and that turn the page.

    ``workspace`` is the alias that the buttons carry. Where not every row was looked through,
    nobody knows how many there are, and no number says so.
    """
    snapshots = page.rows[:PAGE]
    rows = [
        block
        for snapshot in snapshots
        for block in object_row(catalogue, snapshot, workspace, now, SHOW)
    ]
    end = query.offset + len(snapshots)
    state = "waiting" if (query.kind, query.filter) in WAITING else query.filter
    search = f"with “{inline(query.text, 60)}”" if query.text else ""
    objects = " ".join(filter(None, (state, f"{query.kind}s", search)))
    if rows:
        total = "" if page.looked_through else f" of {max(page.total, end)}"
        text = f"{query.offset + 1}-{end}{total} {objects}"
    else:
        text = f"No more {objects}." if query.offset else f"No {objects}."
        text += " Capitals may count." if query.text else ""
    buttons = []
    if query.offset:
        buttons.append(_page_button(catalogue, "Previous", query, max(0, query.offset - PAGE)))
    if rows and end < page.total:
        buttons.append(_page_button(catalogue, "Next", query, query.offset + PAGE))
    if any(snapshot.status in batch_statuses(query.kind) for snapshot in snapshots):
        search = clip(query.text, TEXT_IN_BUTTON)
        selected = BatchQuery(kind=query.kind, workspace=workspace, text=search)
        buttons.append(batch_button(catalogue, selected))
    note = [context(restriction(catalogue, page))] if page.restricted else []
    foot = [actions(buttons)] if buttons else []
    return Message(text, (section(f"*{text}*"), *rows, *note, *foot))


def restriction(catalogue: Catalogue, page: ListPage) -> str:
    """Say that a list has only what the person may read, and perhaps not all of that."""
    if page.looked_through is None:
        return "Only what you may read is listed and counted."
    return (
        f"Only what you may read is listed, of the first {page.looked_through:,}. Add a text to "
        "the command to search by name."
    )


def parse_page_button(value: str) -> ListQuery | None:
    """Read the query that a paging button carries; None where this version can't."""
    parts = value.split("|", 4)
    if len(parts) != 5 or parts[0] != "1" or not parts[3].isdecimal():  # noqa: PLR2004
        return None
    _version, kind, filter_, offset, text = parts
    try:
        return ListQuery.model_validate(
            {"kind": kind, "filter": filter_, "text": text, "offset": min(int(offset), LAST)}
        )
    except ValidationError:
        return None


def object_row(
    catalogue: Catalogue, snapshot: Snapshot, workspace: str, now: datetime, button: tuple[str, str]
) -> list[Block]:
    """Return one task or instance in two lines, with a button.

    ``workspace`` is the alias that the button carries, ``button`` its label and action id. An
    object whose id no button can carry has none.
    """
    small_print = context(f"{_facts(catalogue, snapshot, now)} · {code(snapshot.id)}")
    kind: ObjectKind = "task" if isinstance(snapshot, Task) else "instance"
    try:
        ref = Ref(kind=kind, workspace=workspace, id=snapshot.id)
    except ValidationError:
        return [plain_name(snapshot.name), small_print]
    label, action_id = button
    element = ButtonElement(text=label, action_id=action_id, value=str(ref))
    return [plain_name(snapshot.name, element), small_print]


def _facts(catalogue: Catalogue, snapshot: Snapshot, now: datetime) -> str:
    if not isinstance(snapshot, Task):
        workflow = inline(snapshot.workflow.name, 80) or "—"
        start = date_token(snapshot.start_time)
        return f"{instance_state(catalogue, snapshot)} · {workflow} · started {start}"
    related = inline(snapshot.related_object, 80) or "—"
    if snapshot.status != TaskStatus.WAITING:
        when = f"decided {date_token(snapshot.update_time)}"
    elif snapshot.due_date is None:
        when = "no due date"
    else:
        when = due(catalogue, snapshot, now).replace("\n", ", ")
        when = when if snapshot.due_date < now else f"due {when}"
    return f"{task_state(catalogue, snapshot)} · {related} · {when}"


def _page_button(catalogue: Catalogue, label: str, query: ListQuery, offset: int) -> ButtonElement:
    text = clip(query.text, TEXT_IN_BUTTON)
    value = f"1|{query.kind}|{query.filter}|{offset}|{text}"
    return ButtonElement(text=label, action_id=f"page.{label.lower()}", value=value)
