"""Render a person's Home: what is waiting for their approval, their tasks, and what they did.

It is rendered again where something has changed, and not because time passes: how far away a time
is only Slack says, which keeps it true.
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
    StaticSelectElement,
)
from slack_sdk.models.views import View

from bot.domain.actions import BY_NAME, Action
from bot.domain.approvals import ApprovalRequest, CallPreference
from bot.domain.cards import ButtonValue
from bot.domain.failures import failure_of
from bot.domain.objects import OBJECT_KINDS, ObjectKind, Ref, Value
from bot.domain.snapshots import Run, Snapshot, decision_fingerprint
from bot.messages import evidence
from bot.messages.approval_calls import approver_lines, deadline_text, warning_text
from bot.messages.approvals import tally
from bot.messages.assignments import claimed_fact
from bot.messages.blocks import (
    OPTION_TEXT,
    RenderContext,
    action_button,
    actions,
    context,
    header,
    named_label,
    plain_name,
    section,
)
from bot.messages.catalogue import N_, Catalogue
from bot.messages.fields import TASK_WORDS
from bot.messages.labels import labels
from bot.messages.lists import due_fact, personal_snooze
from bot.messages.oncall import SOON, on_call_names
from bot.messages.stages import turn_sentences
from bot.messages.text import ago_token, bold, clip, code, date_token, inline, mention
from bot.secmaster import Instance, PlaybookInstance, Task

TASKS = 8  # on a page
RUNS = 5
REQUESTS = 5  # that are waiting for the person, and as many for others
NAMED = 5  # people and user groups who may give the next approval
DECIDED = 10
CALLS = "calls"  # the action id of the menu of how one is called for approvals
Tasks = Literal["mine", "overdue", "soon", "all"]
FILTERS: dict[Tasks, str] = {
    "mine": N_("Waiting for you"),
    "overdue": N_("Overdue"),
    "soon": N_("Due within {length}"),
    "all": N_("All waiting tasks"),
}
NOTHING: dict[Tasks, str] = {
    "mine": N_("No task is waiting for you."),
    "overdue": N_("No task that is waiting for you is overdue."),
    "soon": N_("No task that is waiting for you is due within {length}."),
    "all": N_("No task is waiting."),
}
# Short, as Slack cuts the text of a closed menu: what they are about stands beside it.
CALL_CHOICES = {
    CallPreference.AS_RULED: N_("As each rule says"),
    CallPreference.DIRECT: N_("In a direct message"),
    CallPreference.OFF: N_("Not at all"),
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
    claimed_by_another: bool = False

    @property
    def waits_for_viewer(self) -> bool:
        """Whether the person may act on it, and nobody else takes care of it."""
        return bool(self.actions) and not self.claimed_by_another

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
class HomeRequest:
    """A request for approvals of which the person may give the next, or that they ``approved``.

    It has the approvals that still count. ``may_override``: they may decide alone. ``actions`` are
    those that they may take on its object, what is asked for first; ``approvers`` the people and
    user groups who may give the next approval.
    """

    render_context: RenderContext
    snapshot: Snapshot
    request: ApprovalRequest
    actions: tuple[Action, ...] = ()
    approvers: tuple[str, ...] = ()
    may_approve: bool = False
    approved: bool = False
    may_override: bool = False


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

    ``requests`` are what the person may approve next, and what they approved, ending soonest
    first. ``tasks`` are the other open tasks, due soonest first; ``failed`` are the runs and
    ``failed_playbooks`` the playbooks' runs that the person may retry, and ``decisions`` what they
    did this shift, all latest first. For
    ``unchecked`` more open tasks it was not checked whether the person may act on them.
    ``on_call`` is None where Slack could not be asked. ``stale`` means that SecMaster can't be
    read since ``as_of``. Only the ``kinds`` are shown that the person may read, and where they may
    not read all tasks (``restricted``) nothing says how many there are. ``calls`` is how the person
    is called for approvals.
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
    requests: Sequence[HomeRequest] = ()
    calls: CallPreference = CallPreference.AS_RULED
    failed_playbooks: Sequence[HomeRow] = ()


def view(catalogue: Catalogue, home: Home) -> dict[str, Any]:
    """Return the Home's view. Its last block alone says as of when it is."""
    stale = catalogue.gettext("SecMaster can't be read right now. This is what was known before.")
    decisions = "\n".join(_decision_line(catalogue, each) for each in home.decisions[:DECIDED])
    blocks = [
        *([section(f"⚠️ {stale}")] if home.stale else []),
        *request_sections(catalogue, home.requests),
        *([*_queue_blocks(catalogue, home), DividerBlock()] if "task" in home.kinds else []),
        *([*_failed_blocks(catalogue, home), DividerBlock()] if "instance" in home.kinds else []),
        *(
            [*_failed_playbook_blocks(catalogue, home), DividerBlock()]
            if "playbook" in home.kinds and home.failed_playbooks
            else []
        ),
        header(catalogue.gettext("What you did this shift")),
        section(decisions or catalogue.gettext("Nothing yet.")),
        header(catalogue.gettext("On call now")),
        section(on_call_names(catalogue, home.on_call)),
        section(
            catalogue.gettext("How you are notified of approval requests"),
            _calls_menu(catalogue, home.calls),
        ),
        actions([_button(catalogue.pgettext("button", "Refresh"), "home")]),
        context(catalogue.gettext("As of {when}", when=date_token(home.as_of))),
    ]
    return View(type="home", blocks=blocks).to_dict()


def view_fingerprint(view: dict[str, Any]) -> str:
    """Return the fingerprint of all that a view shows but its time."""
    return hashlib.sha256(json.dumps(view["blocks"][:-1]).encode()).hexdigest()


def visible_rows(home: Home) -> tuple[Sequence[HomeRow], Sequence[HomeRow]]:
    """Return the tasks and the runs that are on the chosen pages."""
    return _tasks_page(home).rows, failed_page(home).rows


def shown_objects(home: Home) -> list[tuple[Ref, Snapshot]]:
    """Return every object that a Home shows with buttons."""
    tasks, runs = visible_rows(home)
    objects = [(row.render_context.ref, row.snapshot) for row in (*tasks, *runs)]
    return [*((each.render_context.ref, each.snapshot) for each in home.requests), *objects]


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
            return row.waits_for_viewer
        case "overdue":
            return row.waits_for_viewer and row.is_overdue
        case "soon":
            return row.waits_for_viewer and row.is_soon
        case "all":
            return True
        case _:
            assert_never(chosen)


def failed_page(home: Home) -> _Page:
    """Return the page of failed runs that is chosen."""
    return _Page.cut(home.failed, home.options.runs_page, RUNS)


# What is waiting for approvals.


def request_sections(catalogue: Catalogue, requests: Sequence[HomeRequest]) -> list[Block]:
    """Show what the person may approve next, then what they approved and others have not."""
    waiting = [request for request in requests if request.may_approve]
    others = [request for request in requests if not request.may_approve]
    titles = (
        (waiting, catalogue.gettext("Waiting for your approval: {count}", count=len(waiting))),
        (others, catalogue.gettext("Waiting for others' approval: {count}", count=len(others))),
    )
    blocks: list[Block] = []
    for rows, title in titles:
        if not rows:
            continue
        blocks.append(header(title))
        for request in rows[:REQUESTS]:
            blocks += _request_blocks(request)
        if (more := len(rows) - REQUESTS) > 0:
            text = catalogue.ngettext(
                "{count} more expires later.", "{count} more expire later.", more
            )
            blocks.append(context(text))
        blocks.append(DividerBlock())
    return blocks


def _request_blocks(waiting: HomeRequest) -> list[Block]:
    """Show one request: how many approvals it has, by whom, until when, and what silence does."""
    render_context, snapshot, request = waiting.render_context, waiting.snapshot, waiting.request
    catalogue = render_context.catalogue
    warning = warning_text(render_context, snapshot, request)
    missing = _missing_text(catalogue, request, waiting.approvers)
    lines = [
        bold(snapshot.name),
        f"🗳️ *{tally(catalogue, request)}*",
        *turn_sentences(catalogue, request),
        "" if waiting.may_approve else f"⏳ {missing}",
        deadline_text(render_context, snapshot, request),
        f"*{warning}*" if warning else "",
        *approver_lines(catalogue, request),
        _facts(render_context, snapshot, says_due=not warning),
    ]
    ref, action = render_context.ref, BY_NAME[request.action]
    button = ButtonValue(ref=ref, decision_fingerprint=decision_fingerprint(snapshot))
    value = f"{action.name}|{button}"
    buttons = [
        action_button(each, render_context, snapshot) for each in dict.fromkeys(waiting.actions)
    ]
    if waiting.approved:
        text = catalogue.gettext("Withdraw my approval")
        buttons = [_button(text, "withdraw", value, snapshot.name or snapshot.id)]
    if waiting.may_override:
        override = catalogue.gettext("Emergency override")
        buttons.append(_button(override, "break-glass", value, snapshot.name or snapshot.id))
    details = catalogue.pgettext("button", "Details")
    buttons.append(_button(details, "details", str(ref), snapshot.name or snapshot.id))
    return [section("\n".join(filter(None, lines))), actions(buttons)]


def _missing_text(catalogue: Catalogue, request: ApprovalRequest, approvers: Sequence[str]) -> str:
    """Say how many approvals are missing, and who may give them where that is known."""
    if not approvers:
        return catalogue.ngettext(
            "{count} more approval needed.", "{count} more approvals needed.", request.missing_now
        )
    people = catalogue.one_of([mention(id_) for id_ in approvers[:NAMED]])
    return catalogue.ngettext(
        "{count} more approval needed: {people}.",
        "{count} more approvals needed: {people}.",
        request.missing_now,
        people=people,
    )


# Tasks and runs.


def _queue_blocks(catalogue: Catalogue, home: Home) -> list[Block]:
    """Show the counts, the filter and one page of the tasks."""
    queue = [row for row in home.tasks if row.waits_for_viewer]
    length = catalogue.duration(SOON)
    counts = (
        catalogue.gettext("*{count}* waiting for you", count=catalogue.number(len(queue))),
        catalogue.gettext("*{count}* overdue", count=sum(row.is_overdue for row in queue)),
        catalogue.gettext(
            "*{count}* due within {length}", count=sum(row.is_soon for row in queue), length=length
        ),
    )
    # Another filter begins on its first page; the runs' page is not worth an option's room.
    options = {
        key: Option(
            value=f"home|{HomeOptions(tasks=key)}",
            label=clip(catalogue.gettext(FILTERS[key], length=length), OPTION_TEXT),
        )
        for key in FILTERS
    }
    menu = StaticSelectElement(
        action_id="home.tasks",
        placeholder=catalogue.gettext("Which tasks"),
        options=list(options.values()),
        initial_option=options[home.options.tasks],
    )
    title = catalogue.gettext("Your tasks")
    blocks: list[Block] = [header(title), section(" · ".join(counts), menu)]
    if home.restricted:
        note = catalogue.gettext("Counted among the tasks due soonest that you may read.")
        blocks.append(context(note))
    elif home.unchecked:
        note = catalogue.gettext(
            "Counted among {checked} of {total} waiting tasks: those due soonest.",
            checked=catalogue.number(len(home.tasks)),
            total=catalogue.number(len(home.tasks) + home.unchecked),
        )
        blocks.append(context(note))
    page = _tasks_page(home)
    rows: list[Block] = []
    for row in page.rows:
        facts = " · ".join(
            filter(None, (_facts(row.render_context, row.snapshot), code(row.snapshot.id)))
        )
        rows += [plain_name(row.snapshot.name), context(facts), _row_buttons(row, row.actions)]
    nothing = catalogue.gettext(NOTHING[home.options.tasks], length=length)
    blocks += rows or [section(nothing)]
    return blocks + _page_buttons(catalogue, page, "tasks_page", home.options, title)


def _facts(render_context: RenderContext, snapshot: Snapshot, *, says_due: bool = True) -> str:
    """Say in a line what a task or run is: its due date and what happens then, type, workflow."""
    catalogue, viewer = render_context.catalogue, render_context.viewer
    assignment = render_context.assignment
    claim = claimed_fact(catalogue, assignment.assignee if assignment else "")
    snooze = personal_snooze(catalogue, viewer.snoozed_until if viewer else None)
    around = evidence.row_facts(catalogue, snapshot)
    match snapshot:
        case Task():
            business_type = TASK_WORDS["business_type"].fact
            facts = [
                *around,
                due_fact(catalogue, snapshot, render_context.now) if says_due else "",
                claim,
                snooze,
                business_type(render_context, snapshot) if business_type else "",
                inline(snapshot.related_object, 80),
            ]
        case Instance():
            facts = [*around, claim, snooze, inline(snapshot.workflow.name, 80)]
            facts += [_failed_when(catalogue, snapshot), _failed_at(catalogue, snapshot)]
            if snapshot.retry_count:
                facts.append(
                    catalogue.ngettext("{count} retry", "{count} retries", snapshot.retry_count)
                )
        case PlaybookInstance():
            facts = [*around, claim, snooze, inline(snapshot.playbook.name, 80)]
            facts += [_failed_when(catalogue, snapshot), _failed_at(catalogue, snapshot)]
        case _:
            assert_never(snapshot)
    return " · ".join(filter(None, facts))


def _failed_at(catalogue: Catalogue, run: Run) -> str:
    """Say what of a run failed; "" where SecMaster does not."""
    failure = failure_of(run)
    if failure is None:
        return ""
    return catalogue.gettext("at {node}", node=inline(failure.name) or code(failure.id))


def _failed_when(catalogue: Catalogue, run: Run) -> str:
    """Say when a run failed; "" where SecMaster does not."""
    at = run.end_time or run.start_time
    if at is None:
        return ""
    return catalogue.gettext("failed {when} ({ago})", when=date_token(at), ago=ago_token(at))


def _failed_blocks(catalogue: Catalogue, home: Home) -> list[Block]:
    """Show one page of the runs that the person may retry."""
    page = failed_page(home)
    rows: list[Block] = []
    for row in page.rows:
        run = row.snapshot
        if not isinstance(run, Instance):
            continue
        # Without its nodes nobody saw where it failed, so nothing can be decided on that snapshot.
        unread = "" if run.nodes else catalogue.gettext("SecMaster can't be read right now")
        facts = " · ".join(filter(None, (_facts(row.render_context, run), unread, code(run.id))))
        rows += [
            plain_name(run.name or run.workflow.name),
            context(facts),
            _row_buttons(row, row.actions if run.nodes else ()),
        ]
    title = catalogue.gettext("Failed runs you may retry: {count}", count=page.total)
    return [
        header(title),
        *rows,
        *_page_buttons(catalogue, page, "runs_page", home.options, title),
    ]


def _failed_playbook_blocks(catalogue: Catalogue, home: Home) -> list[Block]:
    """Show the latest of the playbooks' runs that the person may retry."""
    count = len(home.failed_playbooks)
    title = catalogue.gettext(
        "Failed playbook runs you may retry: {count}", count=catalogue.number(count)
    )
    blocks: list[Block] = [header(title)]
    for row in home.failed_playbooks[:RUNS]:
        run = row.snapshot
        facts = " · ".join(filter(None, (_facts(row.render_context, run), code(run.id))))
        blocks += [plain_name(run.name), context(facts), _row_buttons(row, row.actions)]
    if (rest := count - RUNS) > 0:
        blocks.append(context(catalogue.ngettext("and {count} more", "and {count} more", rest)))
    return blocks


def _row_buttons(row: HomeRow, possible: Sequence[Action]) -> Block:
    """Return a row's buttons: for its actions, and for its details."""
    context, ref = row.render_context, str(row.render_context.ref)
    buttons = [action_button(each, context, row.snapshot) for each in dict.fromkeys(possible)]
    details = context.catalogue.pgettext("button", "Details")
    return actions(
        [*buttons, _button(details, "details", ref, row.snapshot.name or row.snapshot.id)]
    )


def _button(text: str, action_id: str, value: str = "", name: str = "") -> ButtonElement:
    """Return a button; whoever hears it is told the ``name`` of the object that it is about."""
    label = named_label(text, name) if name else None
    return ButtonElement(
        text=text, accessibility_label=label, action_id=action_id, value=value or None
    )


def _page_buttons(
    catalogue: Catalogue, page: _Page, field: str, options: HomeOptions, title: str
) -> list[Block]:
    """Say which rows a page shows, with buttons to the pages beside it; [] for a single page.

    ``field`` is the option that holds the page's number, ``title`` what stands above the rows.
    """
    if page.total <= page.size:
        return []
    first = page.number * page.size + 1
    last = page.number * page.size + len(page.rows)
    previous, following = (
        catalogue.pgettext("button", "Previous"),
        catalogue.pgettext("button", "Next"),
    )
    targets = [("home.previous", previous, page.number - 1)] if page.number else []
    targets += [("home.next", following, page.number + 1)] if last < page.total else []
    buttons = [
        _button(text, action_id, str(options.model_copy(update={field: number})), title)
        for action_id, text, number in targets
    ]
    range_text = catalogue.gettext(
        "{first}–{last} of {total}", first=first, last=last, total=catalogue.number(page.total)
    )
    return [context(range_text), actions(buttons)]


def _calls_menu(catalogue: Catalogue, calls: CallPreference) -> StaticSelectElement:
    """Return the menu of how the person is called for approvals."""
    options = {
        choice: Option(
            value=f"{CALLS}|{choice}",
            label=clip(catalogue.gettext(CALL_CHOICES[choice]), OPTION_TEXT),
        )
        for choice in CALL_CHOICES
    }
    return StaticSelectElement(
        action_id=CALLS,
        placeholder=catalogue.gettext("How you are notified"),
        options=list(options.values()),
        initial_option=options[calls],
    )


def _decision_line(catalogue: Catalogue, decision: HomeDecision) -> str:
    """Say when the person did what to which object."""
    name = bold(decision.name, 120) if decision.name else code(decision.ref.id)
    done = catalogue.gettext(labels(decision.action).done)
    return f"{date_token(decision.at)} · {done} · {name}"
