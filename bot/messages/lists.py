"""Lists of tasks and instances, a page at a time, for one person alone."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError
from slack_sdk.models.blocks import Block, ButtonElement

from bot.domain.actions import Snapshot, choosable
from bot.domain.batches import Several
from bot.domain.models import Listing, Noun, Ref
from bot.messages.batch_forms import several_button
from bot.messages.blocks import Message, actions, context, named, section
from bot.messages.cards import due, instance_state, task_state
from bot.messages.text import clip, code, line, moment
from bot.secmaster import Task, TaskStatus

PAGE = 8
SHOW = ("Show", "show")
WAITING = (("task", ""), ("task", "todo"))  # a list of tasks is of these, unless it says more
TEXT_IN_BUTTON = 100
LAST = 9999  # the highest offset that SecMaster takes


def listing(
    wanted: Listing, found: Sequence[Snapshot], total: int, workspace: str, now: datetime
) -> Message:
    """One page of tasks or instances, with buttons to show one and to turn the page.

    ``workspace`` is the alias that the buttons carry.
    """
    rows = [part for each in found[:PAGE] for part in row(each, workspace, now, SHOW)]
    until = wanted.offset + len(found[:PAGE])
    text = f"with “{line(wanted.text, 60)}”" if wanted.text else ""
    kind = "waiting" if (wanted.noun, wanted.filter) in WAITING else wanted.filter
    what = " ".join(filter(None, (kind, f"{wanted.noun}s", text)))
    shown = f"{wanted.offset + 1}-{until} of {max(total, until)} {what}"
    if not rows:
        shown = f"No more {what}." if wanted.offset else f"No {what}."
        shown += " Capitals may count." if wanted.text else ""
    turn = _turning(wanted, more=bool(rows) and until < total)
    if any(each.status in choosable(wanted.noun) for each in found[:PAGE]):
        text = clip(wanted.text, TEXT_IN_BUTTON)
        turn.append(several_button(Several(noun=wanted.noun, workspace=workspace, text=text)))
    return Message(shown, (section(f"*{shown}*"), *rows, *([actions(turn)] if turn else [])))


def turned(value: str) -> Listing | None:
    """What a paging button asks for; None if this version can't read it."""
    parts = value.split("|", 4)
    if len(parts) != 5 or parts[0] != "1" or not parts[3].isdecimal():  # noqa: PLR2004
        return None
    _version, noun, filtered, offset, text = parts
    try:
        return Listing.model_validate(
            {"noun": noun, "filter": filtered, "text": text, "offset": min(int(offset), LAST)}
        )
    except ValidationError:
        return None


def row(found: Snapshot, workspace: str, now: datetime, button: tuple[str, str]) -> list[Block]:
    """One task or instance in two lines, with a button of this label and action id."""
    facts = context(f"{_facts(found, now)} · {code(found.id)}")
    noun: Noun = "task" if isinstance(found, Task) else "instance"
    try:
        ref = Ref(noun=noun, workspace=workspace, id=found.id)
    except ValidationError:
        return [named(found.name), facts]
    label, action_id = button
    return [
        named(found.name, ButtonElement(text=label, action_id=action_id, value=str(ref))),
        facts,
    ]


def _facts(found: Snapshot, now: datetime) -> str:
    if isinstance(found, Task):
        related = line(found.related_object, 80) or "—"
        if found.status != TaskStatus.WAITING:
            return f"{task_state(found)} · {related} · decided {moment(found.update_time)}"
        return f"{task_state(found)} · {related} · {_due(found, now)}"
    workflow = line(found.workflow.name, 80) or "—"
    return f"{instance_state(found)} · {workflow} · started {moment(found.start_time)}"


def _due(task: Task, now: datetime) -> str:
    if task.due_date is None:
        return "no due date"
    said = due(task, now).replace("\n", ", ")
    return said if task.due_date < now else f"due {said}"


def _turning(wanted: Listing, *, more: bool) -> list[ButtonElement]:
    def turn(label: str, to: int) -> ButtonElement:
        text = clip(wanted.text, TEXT_IN_BUTTON)
        value = f"1|{wanted.noun}|{wanted.filter}|{to}|{text}"
        return ButtonElement(text=label, action_id=f"page.{label.lower()}", value=value)

    back = [turn("Previous", max(0, wanted.offset - PAGE))] if wanted.offset else []
    return back + ([turn("Next", wanted.offset + PAGE)] if more else [])
