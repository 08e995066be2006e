"""Lists of tasks and instances, a page at a time, for one person alone."""

from collections.abc import Sequence

from pydantic import ValidationError
from slack_sdk.models.blocks import Block, ButtonElement

from bot.messages.blocks import Frame, Message, actions, section
from bot.messages.cards import due, instance_state, task_state
from bot.messages.text import clip, code, line, moment
from bot.models import Noun, Ref
from bot.secmaster import Instance, Task

PAGE = 8
TEXT_IN_BUTTON = 100
LAST = 9999  # the highest offset that SecMaster takes


def task_list(
    tasks: Sequence[Task], total: int, frame: Frame, wanted: tuple[str, str, int]
) -> Message:
    """One page of tasks; ``wanted`` is the filter, the text and the offset asked for."""
    rows = [
        _row(
            frame.ref.model_copy(update={"noun": "task"}),
            task.id,
            f"*{line(task.name) or '—'}*\n{task_state(task)} · "
            f"{line(task.related_object, 80) or '—'} · due {due(task, frame)}",
        )
        for task in tasks
    ]
    return _page("task", rows, total, wanted)


def instance_list(
    runs: Sequence[Instance], total: int, frame: Frame, wanted: tuple[str, str, int]
) -> Message:
    """One page of instances, likewise."""
    rows = [
        _row(
            frame.ref.model_copy(update={"noun": "instance"}),
            run.id,
            f"*{line(run.name) or '—'}*\n{instance_state(run)} · "
            f"{line(run.workflow.name, 80) or '—'} · started {moment(run.start_time)}",
        )
        for run in runs
    ]
    return _page("instance", rows, total, wanted)


def _row(like: Ref, object_id: str, text: str) -> Block:
    told = f"{text}\n{code(object_id)}"
    try:
        ref = Ref(noun=like.noun, workspace=like.workspace, id=object_id)
    except ValidationError:
        return section(told)
    return section(told, ButtonElement(text="Show", action_id="show", value=str(ref)))


def _page(noun: str, rows: Sequence[Block], total: int, wanted: tuple[str, str, int]) -> Message:
    filtered, text, offset = wanted
    what = " ".join(
        filter(None, (filtered, f"{noun}s", f"with “{line(text, 60)}”" if text else ""))
    )
    rows = rows[:PAGE]
    shown = f"{offset + 1}-{offset + len(rows)} of {max(total, offset + len(rows))} {what}"
    if not rows:
        shown = f"No more {what}." if offset else f"No {what}."
    turn = _turning(noun, wanted, more=bool(rows) and offset + len(rows) < total)
    return Message(shown, (section(f"*{shown}*"), *rows, *([actions(turn)] if turn else [])))


def _turning(noun: str, wanted: tuple[str, str, int], *, more: bool) -> list[ButtonElement]:
    filtered, text, offset = wanted

    def turn(label: str, to: int) -> ButtonElement:
        value = f"1|{noun}|{filtered}|{to}|{clip(text, TEXT_IN_BUTTON)}"
        return ButtonElement(text=label, action_id=f"page.{label.lower()}", value=value)

    back = [turn("Previous", max(0, offset - PAGE))] if offset else []
    return back + ([turn("Next", offset + PAGE)] if more else [])


def turned(value: str) -> tuple[Noun, str, str, int] | None:
    """What a paging button asks for: noun, filter, text, offset; None if it can't be read."""
    parts = value.split("|", 4)
    if len(parts) != 5 or parts[0] != "1" or not parts[3].isdecimal():  # noqa: PLR2004
        return None
    _version, noun, filtered, offset, text = parts
    offset_in_range = min(int(offset), LAST)
    if noun == "task":
        return "task", filtered, text, offset_in_range
    return ("instance", filtered, text, offset_in_range) if noun == "instance" else None
