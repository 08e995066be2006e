"""Lists of tasks and instances, a page at a time, for one person alone."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError
from slack_sdk.models.blocks import Block, ButtonElement

from bot.domain.actions import batch_statuses
from bot.domain.batches import BatchQuery
from bot.domain.objects import ListQuery, ObjectKind, Ref
from bot.domain.snapshots import Snapshot
from bot.messages.batch_forms import batch_button
from bot.messages.blocks import Message, actions, context, plain_name, section
from bot.messages.cards import due, instance_state, task_state
from bot.messages.text import clip, code, date_token, inline
from bot.secmaster import Task, TaskStatus

PAGE = 8
SHOW = ("Show", "show")
WAITING = (("task", ""), ("task", "todo"))  # a list of tasks is of these, unless it says more
TEXT_IN_BUTTON = 100
LAST = 9999  # the highest offset that SecMaster takes


def listing(
    wanted: ListQuery, found: Sequence[Snapshot], total: int, workspace: str, now: datetime
) -> Message:
    """One page of tasks or instances, with buttons to show one and to turn the page.

    ``workspace`` is the alias that the buttons carry.
    """
    rows = [part for each in found[:PAGE] for part in object_row(each, workspace, now, SHOW)]
    until = wanted.offset + len(found[:PAGE])
    text = f"with “{inline(wanted.text, 60)}”" if wanted.text else ""
    kind = "waiting" if (wanted.kind, wanted.filter) in WAITING else wanted.filter
    what = " ".join(filter(None, (kind, f"{wanted.kind}s", text)))
    shown = f"{wanted.offset + 1}-{until} of {max(total, until)} {what}"
    if not rows:
        shown = f"No more {what}." if wanted.offset else f"No {what}."
        shown += " Capitals may count." if wanted.text else ""
    turn = _turning(wanted, more=bool(rows) and until < total)
    if any(each.status in batch_statuses(wanted.kind) for each in found[:PAGE]):
        text = clip(wanted.text, TEXT_IN_BUTTON)
        turn.append(batch_button(BatchQuery(kind=wanted.kind, workspace=workspace, text=text)))
    return Message(shown, (section(f"*{shown}*"), *rows, *([actions(turn)] if turn else [])))


def parse_page_button(value: str) -> ListQuery | None:
    """What a paging button asks for; None if this version can't read it."""
    parts = value.split("|", 4)
    if len(parts) != 5 or parts[0] != "1" or not parts[3].isdecimal():  # noqa: PLR2004
        return None
    _version, kind, filtered, offset, text = parts
    try:
        return ListQuery.model_validate(
            {"kind": kind, "filter": filtered, "text": text, "offset": min(int(offset), LAST)}
        )
    except ValidationError:
        return None


def object_row(
    found: Snapshot, workspace: str, now: datetime, button: tuple[str, str]
) -> list[Block]:
    """One task or instance in two lines, with a button of this label and action id."""
    facts = context(f"{_facts(found, now)} · {code(found.id)}")
    noun: ObjectKind = "task" if isinstance(found, Task) else "instance"
    try:
        ref = Ref(kind=noun, workspace=workspace, id=found.id)
    except ValidationError:
        return [plain_name(found.name), facts]
    label, action_id = button
    return [
        plain_name(found.name, ButtonElement(text=label, action_id=action_id, value=str(ref))),
        facts,
    ]


def _facts(found: Snapshot, now: datetime) -> str:
    if isinstance(found, Task):
        related = inline(found.related_object, 80) or "—"
        if found.status != TaskStatus.WAITING:
            return f"{task_state(found)} · {related} · decided {date_token(found.update_time)}"
        return f"{task_state(found)} · {related} · {_due(found, now)}"
    workflow = inline(found.workflow.name, 80) or "—"
    return f"{instance_state(found)} · {workflow} · started {date_token(found.start_time)}"


def _due(task: Task, now: datetime) -> str:
    if task.due_date is None:
        return "no due date"
    said = due(task, now).replace("\n", ", ")
    return said if task.due_date < now else f"due {said}"


def _turning(wanted: ListQuery, *, more: bool) -> list[ButtonElement]:
    def turn(label: str, to: int) -> ButtonElement:
        text = clip(wanted.text, TEXT_IN_BUTTON)
        value = f"1|{wanted.kind}|{wanted.filter}|{to}|{text}"
        return ButtonElement(text=label, action_id=f"page.{label.lower()}", value=value)

    back = [turn("Previous", max(0, wanted.offset - PAGE))] if wanted.offset else []
    return back + ([turn("Next", wanted.offset + PAGE)] if more else [])
