"""Render lists of tasks and runs, a page at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from pydantic import ValidationError
from slack_sdk.models.blocks import Block, ButtonElement

from bot.domain.actions import batch_statuses
from bot.domain.batches import BatchQuery
from bot.domain.endings import TaskEnding, how_ended
from bot.domain.objects import MAX_SEARCH, ByKind, ListQuery, ObjectKind, Ref
from bot.domain.ordering import auto_approves
from bot.domain.snapshots import ListPage, ListSource, Run, Snapshot, kind_of
from bot.messages import evidence
from bot.messages.assignments import claimed_fact
from bot.messages.batch_forms import batch_button
from bot.messages.blocks import Message, actions, context, named_label, plain_name, section
from bot.messages.catalogue import N_, NN_, Catalogue
from bot.messages.fields import run_state, task_state
from bot.messages.text import ago_token, code, date_token, inline, search_text
from bot.secmaster import (
    DueHandle,
    Instance,
    InstanceStatus,
    PlaybookInstance,
    Task,
    TaskStatus,
)

PAGE = 8
SHOW = (N_("Show"), "show")
DIGITS = 6  # of the number of rows that a paging button carries


@dataclass(frozen=True, slots=True)
class ListWords:
    """The title of a list, and what it says where nothing is in it."""

    title: str
    empty: str


WAITING_TASKS = ListWords(N_("Waiting tasks"), N_("No tasks are waiting."))
# By kind and state.
WORDS: Mapping[tuple[ObjectKind, str], ListWords] = {
    ("task", ""): WAITING_TASKS,
    ("task", "todo"): WAITING_TASKS,
    ("task", "handled"): ListWords(N_("Handled tasks"), N_("No tasks have been handled.")),
    ("instance", ""): ListWords(
        N_("Open runs: failed first, then running"), N_("No runs have failed or are running.")
    ),
    ("instance", "failed"): ListWords(N_("Failed runs"), N_("No failed runs.")),
    ("instance", "running"): ListWords(N_("Running"), N_("Nothing is running.")),
    ("instance", "finished"): ListWords(N_("Finished runs"), N_("No finished runs.")),
    ("instance", "retrying"): ListWords(N_("Runs being retried"), N_("No runs are being retried.")),
    ("instance", "terminating"): ListWords(
        N_("Runs being terminated"), N_("No runs are being terminated.")
    ),
    ("instance", "terminated"): ListWords(N_("Terminated runs"), N_("No terminated runs.")),
    ("instance", "all"): ListWords(N_("All runs, latest first"), N_("No runs.")),
    ("playbook", ""): ListWords(
        N_("Open playbook runs: failed first, then running"),
        N_("No playbook runs have failed or are running."),
    ),
    ("playbook", "failed"): ListWords(N_("Failed playbook runs"), N_("No failed playbook runs.")),
    ("playbook", "running"): ListWords(
        N_("Running playbook runs"), N_("No playbook run is running.")
    ),
    ("playbook", "finished"): ListWords(
        N_("Finished playbook runs"), N_("No finished playbook runs.")
    ),
    ("playbook", "retrying"): ListWords(
        N_("Playbook runs being retried"), N_("No playbook runs are being retried.")
    ),
    ("playbook", "terminating"): ListWords(
        N_("Playbook runs being terminated"), N_("No playbook runs are being terminated.")
    ),
    ("playbook", "terminated"): ListWords(
        N_("Terminated playbook runs"), N_("No terminated playbook runs.")
    ),
    ("playbook", "all"): ListWords(N_("All playbook runs"), N_("No playbook runs.")),
}
ANY = ByKind(
    task=ListWords(N_("Tasks"), N_("No tasks.")),
    instance=ListWords(N_("Runs"), N_("No runs.")),
    playbook=ListWords(N_("Playbook runs"), N_("No playbook runs.")),
)
# By what SecMaster does with a task that nobody decides; "" where it states nothing that is known.
DUE: Mapping[str, str] = {
    DueHandle.CONTINUE: N_("*Auto-approves* {when} ({ago}) if nobody decides"),
    DueHandle.INTERRUPT: N_("Due {when} ({ago}), then cancelled automatically"),
    "": N_("Due {when} ({ago})"),
}
OVERDUE: Mapping[str, str] = {
    DueHandle.CONTINUE: N_("*Overdue* since {when} ({ago}), may be auto-approved at any moment"),
    DueHandle.INTERRUPT: N_("*Overdue* since {when} ({ago}), may be cancelled at any moment"),
    "": N_("*Overdue* since {when} ({ago})"),
}
NOTHING_FOUND = ByKind(
    task=N_("No task was found."),
    instance=N_("No run was found."),
    playbook=N_("No playbook run was found."),
)
UNRATED = ByKind(
    task=NN_(
        "{count} more task is not listed: how severe it is has not been read.",
        "{count} more tasks are not listed: how severe they are has not been read.",
    ),
    instance=NN_(
        "{count} more run is not listed: how severe it is has not been read.",
        "{count} more runs are not listed: how severe they are has not been read.",
    ),
    playbook=NN_(
        "{count} more playbook run is not listed: how severe it is has not been read.",
        "{count} more playbook runs are not listed: how severe they are has not been read.",
    ),
)


def listing(
    catalogue: Catalogue, query: ListQuery, page: ListPage, workspace: str, now: datetime
) -> Message:
    """Return one page of a list, with buttons that show an object and that turn the page.

    ``workspace`` is the alias that the buttons carry.
    """
    snapshots = page.rows[:PAGE]
    rows = [
        block
        for snapshot in snapshots
        for block in object_row(
            catalogue,
            snapshot,
            workspace,
            now,
            SHOW,
            page.snoozes.get(snapshot.id),
            page.assignees.get(snapshot.id, ""),
        )
    ]
    words = WORDS.get((query.kind, query.filter), ANY[query.kind])
    if snapshots:
        text = f"*{catalogue.gettext(words.title)}* · {_count(catalogue, page, len(snapshots))}"
    elif page.offset:
        text = catalogue.gettext("This page is empty now.")
    else:
        is_searched = bool(query.text) or page.looked_through is not None
        text = catalogue.gettext(NOTHING_FOUND[query.kind] if is_searched else words.empty)
    notes = [
        _search_note(catalogue, query, page),
        _unrated_note(catalogue, query.kind, page.unrated),
        *page_notes(catalogue, page),
    ]
    buttons = _page_buttons(catalogue, query, page, len(snapshots))
    if any(snapshot.status in batch_statuses(query.kind) for snapshot in snapshots):
        text_in_button = query.text[:MAX_SEARCH]
        batch = BatchQuery(kind=query.kind, workspace=workspace, text=text_in_button)
        buttons.append(batch_button(catalogue, batch))
    foot = [actions(buttons)] if buttons else []
    note = [context(*notes)] if any(notes) else []
    return Message(text.replace("*", ""), (section(text), *rows, *note, *foot))


def page_notes(catalogue: Catalogue, page: ListPage) -> list[str]:
    """Say as of when a list is, who sorted it, and whether anything is left out of it."""
    return [note for note in (_source_note(catalogue, page), restriction(catalogue, page)) if note]


def restriction(catalogue: Catalogue, page: ListPage) -> str:
    """Say that a list has only what the person may read, or not all that there is; else ""."""
    if page.looked_through is None:
        return (
            catalogue.gettext("Only what you may read is listed and counted.")
            if page.restricted
            else ""
        )
    first = catalogue.number(page.looked_through)
    if page.restricted:
        return catalogue.gettext(
            "There are more than {first}: only the first {first} were searched for what you may "
            "read.",
            first=first,
        )
    return catalogue.gettext("There are more than {first}: only these were sorted.", first=first)


def parse_page_button(value: str) -> ListQuery | None:
    """Read the query that a paging button carries; None where this version can't."""
    parts = value.split("|", 4)
    if len(parts) != 5 or parts[0] != "1":  # noqa: PLR2004
        return None
    _version, kind, filter_, offset, text = parts
    is_number = offset.isascii() and offset.isdecimal() and len(offset) <= DIGITS
    if not is_number or len(text) > MAX_SEARCH:
        return None
    try:
        return ListQuery.model_validate(
            {"kind": kind, "filter": filter_, "text": text, "offset": int(offset)}
        )
    except ValidationError:
        return None


def object_row(  # noqa: PLR0913, PLR0917 - what a row shows
    catalogue: Catalogue,
    snapshot: Snapshot,
    workspace: str,
    now: datetime,
    button: tuple[str, str],
    snoozed_until: datetime | None = None,
    assignee: str = "",
) -> list[Block]:
    """Return one task or run in two lines, with a button: its name, then its facts and its id.

    ``workspace`` is the alias that the button carries, ``button`` its label and action id. An
    object whose id no button can carry has none. ``snoozed_until`` is until when its only reader
    has snoozed it for themselves, ``assignee`` who has claimed it, "" for nobody.
    """
    facts = " · ".join(
        filter(
            None,
            (
                *row_facts(catalogue, snapshot, now),
                claimed_fact(catalogue, assignee),
                personal_snooze(catalogue, snoozed_until),
            ),
        )
    )
    small_print = context(facts, code(snapshot.id))
    try:
        ref = Ref(kind=kind_of(snapshot), workspace=workspace, id=snapshot.id)
    except ValidationError:
        return [plain_name(snapshot.name), small_print]
    label, action_id = button
    text = catalogue.gettext(label)
    element = ButtonElement(
        text=text,
        accessibility_label=named_label(text, snapshot.name),
        action_id=action_id,
        value=str(ref),
    )
    return [plain_name(snapshot.name, element), small_print]


def row_facts(catalogue: Catalogue, snapshot: Snapshot, now: datetime) -> list[str]:
    """Return the facts of an object's row, the gravest first."""
    around = evidence.row_facts(catalogue, snapshot)
    match snapshot:
        case Task():
            related = inline(snapshot.related_object, 80)
            if snapshot.status == TaskStatus.WAITING:
                return [*around, due_fact(catalogue, snapshot, now), related]
            return [*around, *_end_facts(catalogue, snapshot), related]
        case Instance():
            return [*around, run_state(catalogue, snapshot), *_run_facts(catalogue, snapshot)]
        case PlaybookInstance():
            since, source = _run_since(catalogue, snapshot), inline(snapshot.playbook.name, 80)
            return [*around, run_state(catalogue, snapshot), since, source]
        case _:
            assert_never(snapshot)


def personal_snooze(catalogue: Catalogue, until: datetime | None) -> str:
    """Say to its only reader until when they have snoozed an object for themselves; "" for None."""
    if until is None:
        return ""
    sentence = catalogue.gettext(
        "Snoozed for you until {when} ({ago})", when=date_token(until), ago=ago_token(until)
    )
    return f"😴 {sentence}"


def due_fact(catalogue: Catalogue, task: Task, now: datetime) -> str:
    """Say when a waiting task is due, and what SecMaster does then if nobody decides."""
    if task.due_date is None:
        return catalogue.gettext("No due date")
    is_overdue = task.due_date < now
    sentences = OVERDUE if is_overdue else DUE
    text = catalogue.gettext(
        sentences.get(task.due_handle, sentences[""]),
        when=date_token(task.due_date),
        ago=ago_token(task.due_date),
    )
    sign = "⏰" if is_overdue else "⚠️" if auto_approves(task) else ""
    return f"{sign} {text}".lstrip()


def _end_facts(catalogue: Catalogue, task: Task) -> list[str]:
    when = date_token(task.update_time)
    match ending := how_ended(task):
        case TaskEnding.AUTO_APPROVED:
            return ["⌛ " + catalogue.gettext("Auto-approved {when}, nobody decided", when=when)]
        case TaskEnding.CANCELLED:
            expired = catalogue.gettext("Expired {when}: cancelled automatically", when=when)
            return [f"⌛ {expired}"]
        case TaskEnding.DECIDED:
            return [task_state(catalogue, task), when if task.update_time else ""]
        case _:
            assert_never(ending)


def _run_since(catalogue: Catalogue, run: Run) -> str:
    """Say when a run failed, or else when it was started."""
    at = run.end_time or run.start_time
    if run.status == InstanceStatus.FAILED and at:
        return ago_token(at)
    if run.start_time:
        return catalogue.gettext("started {ago}", ago=ago_token(run.start_time))
    return ""


def _run_facts(catalogue: Catalogue, run: Instance) -> list[str]:
    node, retries = run.failed_node, run.retry_count
    facts = [_run_since(catalogue, run), inline(run.workflow.name, 80)]
    if run.status == InstanceStatus.FAILED and node and node.action_name:
        facts.append(catalogue.gettext("failed at {node}", node=inline(node.action_name, 80)))
    if retries > 0:
        facts.append(catalogue.ngettext("{count} retry", "{count} retries", retries))
    return facts


def _count(catalogue: Catalogue, page: ListPage, rows: int) -> str:
    """Say which rows a page shows of how many; no total where nobody knows it."""
    first, last = catalogue.number(page.offset + 1), catalogue.number(page.offset + rows)
    if page.looked_through is not None:
        return catalogue.gettext("{first}–{last}", first=first, last=last)
    total = max(page.total, page.offset + rows)
    if page.offset == 0 and rows == total:
        return catalogue.number(total)
    return catalogue.gettext(
        "{first}–{last} of {total}", first=first, last=last, total=catalogue.number(total)
    )


def _search_note(catalogue: Catalogue, query: ListQuery, page: ListPage) -> str:
    """Say what a list is narrowed to, and how SecMaster searches; "" for one that is not."""
    if not query.text:
        return ""
    text = search_text(query.text)
    if page.source is ListSource.SECMASTER:
        return catalogue.gettext(
            "{text} (SecMaster searches names only, and its search is case-sensitive.)", text=text
        )
    return text


def _unrated_note(catalogue: Catalogue, kind: ObjectKind, unrated: int) -> str:
    """Say how many objects are left out since nobody knows how severe they are; "" for none."""
    return f"⚠️ {catalogue.ngettext(*UNRATED[kind], unrated)}" if unrated else ""


def _source_note(catalogue: Catalogue, page: ListPage) -> str:
    match page.source:
        case ListSource.SYNC:
            return (
                catalogue.gettext("As of {ago}.", ago=ago_token(page.as_of)) if page.as_of else ""
            )
        case ListSource.SYNC_OFF:
            return catalogue.gettext("Read from SecMaster just now, since sync is off.")
        case ListSource.SYNC_LATE:
            return catalogue.gettext("Read from SecMaster just now, since sync is late.")
        case ListSource.SECMASTER:
            return ""
        case _:
            assert_never(page.source)


def _page_buttons(
    catalogue: Catalogue, query: ListQuery, page: ListPage, rows: int
) -> list[ButtonElement]:
    offsets: list[tuple[str, str, int]] = []
    if page.offset:
        label = catalogue.pgettext("button", "Previous")
        offsets.append((label, "page.previous", max(0, page.offset - PAGE)))
    if rows and page.offset + rows < page.total:
        offsets.append((catalogue.pgettext("button", "Next"), "page.next", page.offset + PAGE))
    text = query.text[:MAX_SEARCH]
    return [
        ButtonElement(
            text=label,
            action_id=action_id,
            value=f"1|{query.kind}|{query.filter}|{offset}|{text}",
        )
        for label, action_id, offset in offsets
    ]
