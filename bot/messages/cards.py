"""Render cards: one task or run as SecMaster has it, with the buttons that fit its state."""

from collections.abc import Sequence
from typing import assert_never

from slack_sdk.models.blocks import Block, ButtonElement

from bot.domain.actions import BY_NAME, OPEN_STATUSES, TABLE
from bot.domain.approvals import ApprovalRequest, RequestNews
from bot.domain.attribution import without_receipt
from bot.domain.cards import ButtonValue
from bot.domain.endings import how_ended
from bot.domain.objects import ByKind
from bot.domain.operations import OperationState, StandingOperation
from bot.domain.snapshots import Snapshot, attempt, decision_fingerprint
from bot.messages import approvals, evidence, next_step, run_results
from bot.messages.assignments import RELEASE, TAKE, claimed_line
from bot.messages.blocks import (
    Message,
    RenderContext,
    action_button,
    actions,
    context,
    header,
    link,
    named_label,
    overflow_menu,
    section,
)
from bot.messages.catalogue import N_, Catalogue
from bot.messages.fields import (
    card_facts,
    card_passages,
    due,
    laid_out,
    run_state,
    small_facts,
    task_state,
)
from bot.messages.labels import labels
from bot.messages.lists import personal_snooze
from bot.messages.modals import FILL
from bot.messages.playbook_runs import run_rows
from bot.messages.task_endings import decided_elsewhere
from bot.messages.text import (
    ago_token,
    clip,
    code,
    code_block,
    date_token,
    error_text,
    inline,
    mention_all,
    mention_user,
    quote,
)
from bot.secmaster import (
    Instance,
    InstanceStatus,
    Node,
    PlaybookInstance,
    Task,
    TaskStatus,
)

TRANSIENT = (InstanceStatus.RETRYING, InstanceStatus.TERMINATING)
# The snooze options of the menu. An option carries 150 characters, and with the longest ids these
# names leave none over.
SNOOZES = [
    ("snooze.1h", N_("Snooze 1 h")),
    ("snooze.xh", N_("Snooze…")),
]
MENU = 5  # options that a menu holds
OPTION_VALUE = 150  # characters that one of them carries
SNOOZE_OR_ESCALATE = [("snooze.xh", N_("Snooze or escalate…"))]
END_SNOOZE = [("snooze.0h", N_("End the snooze"))]
LATEST = 3
ERROR = 600
NODE_TEXT = 200  # characters of a failed node's input and output
GONE = ByKind(
    task=N_("This task no longer exists in SecMaster."),
    instance=N_("This run no longer exists in SecMaster."),
    playbook=N_("This playbook run no longer exists in SecMaster."),
)
ID_TEXTS = ByKind(task=N_("task {id}"), instance=N_("run {id}"), playbook=N_("playbook run {id}"))


def card(
    render_context: RenderContext,
    snapshot: Snapshot,
    standing_operation: StandingOperation | None,
    requests: Sequence[ApprovalRequest] = (),
    request_news: RequestNews | None = None,
) -> Message:
    """Return the card of a task or a run.

    ``standing_operation`` is what was last done to it from Slack, ``requests`` are the approval
    requests about it, ``request_news`` is that somebody withdrew or declined since; those about
    actions that its status no longer allows are left out.
    """
    catalogue = render_context.catalogue
    more: list[Block] = []
    small_print: list[str] = []
    match snapshot:
        case Task():
            state, name = task_state(catalogue, snapshot), snapshot.name
            small_print = _comments_and_files(render_context, snapshot)
        case Instance():
            state, name = run_state(catalogue, snapshot), snapshot.name or snapshot.workflow.name
            more, small_print = _node_blocks(catalogue, snapshot)
        case PlaybookInstance():
            state, name = run_state(catalogue, snapshot), snapshot.name or snapshot.playbook.name
            more = run_rows(render_context, snapshot)
        case _:
            assert_never(snapshot)
    small_print += evidence.unread_lines(catalogue, snapshot.evidence)
    around = evidence.card_lines(catalogue, snapshot.evidence)
    needed_lines = needed_approvals(render_context, snapshot, requests)
    blocks = [
        header(name),
        *(mention_block(render_context) if snapshot.status in OPEN_STATUSES else []),
        *([section("\n".join(around))] if around else []),
        section("\n".join(_fact_lines(render_context, snapshot))),
        *state_block(render_context, snapshot, standing_operation, request_news),
        *card_passages(catalogue, snapshot),
        *more,
        *([section("\n".join(needed_lines))] if needed_lines else []),
    ]
    for request in requests:
        if snapshot.status in BY_NAME[request.action].allowed_statuses:
            blocks += approvals.request_blocks(render_context, snapshot, request)
    if small_print:  # a line each: the texts of one block would follow one another on a line
        blocks.append(context("\n".join(small_print)))
    blocks += _button_row(render_context, snapshot)
    # Below the buttons, so that these are on a phone's screen with what is decided.
    less = " · ".join(f"{label}: {value}" for label, value in small_facts(render_context, snapshot))
    small_lines = (
        *evidence.small_lines(catalogue, snapshot.evidence),
        less,
        next_step.playbook_sentence(catalogue, snapshot),
        footer(render_context),
    )
    blocks.append(context("\n".join(filter(None, small_lines))))
    text = f"{evidence.first_words(catalogue, snapshot)}{inline(name)}: {state}"
    if isinstance(snapshot, Task) and snapshot.status == TaskStatus.WAITING and snapshot.due_date:
        # A notification shows this alone: by it people decide whether to open the card now.
        text += f" · {due(catalogue, snapshot, render_context.now)}".replace("\n", " ")
    return Message(text, tuple(blocks))


def _fact_lines(render_context: RenderContext, snapshot: Snapshot) -> list[str]:
    """Return the facts that a decision needs, a line each, and what it leads to.

    The status needs no label.
    """
    [(_label, state), *pairs] = card_facts(render_context, snapshot)
    facts = [state, *(f"*{label}* {value}" for label, value in pairs)]
    following = " ".join(next_step.lines(render_context.catalogue, snapshot))
    return [*facts, following] if following else facts


def vanished_card(render_context: RenderContext, title: str) -> Message:
    """Return the card of an object that SecMaster no longer knows; it has no buttons."""
    catalogue = render_context.catalogue
    sentence = catalogue.gettext(GONE[render_context.ref.kind])
    blocks = (header(title), section(f"⚪ {sentence}"), context(footer(render_context)))
    return Message(f"{inline(title)}: ⚪ {sentence}", blocks)


def mention_block(render_context: RenderContext) -> list[Block]:
    """Return the block that mentions whom the card calls; [] where it calls nobody."""
    mentions = render_context.mentions
    return [section(mention_all(mentions))] if mentions else []


def node_title(node: Node) -> str:
    """Name a node of a workflow: by its id where it has no name."""
    return inline(node.action_name) or code(node.action_id)


def footer(render_context: RenderContext, *, several: bool = False) -> str:
    """Say which workspace and object a card shows, and as of when, with a link to the console.

    A card of ``several`` objects names none of them. The id comes last, since names come first.
    """
    ref, catalogue = render_context.ref, render_context.catalogue
    age = (
        catalogue.gettext("SecMaster can't be read now: this may be out of date")
        if render_context.stale
        else catalogue.gettext("as of {when}", when=date_token(render_context.now))
    )
    id_text = "" if several else catalogue.gettext(ID_TEXTS[ref.kind], id=code(ref.id))
    console = link(render_context.console_url, catalogue.gettext("console"))
    workspace = inline(render_context.workspace, 60)
    return " · ".join(filter(None, (workspace, age, console, id_text)))


def _node_blocks(catalogue: Catalogue, run: Instance) -> tuple[list[Block], list[str]]:
    """Show the node at which an instance is, or the one at which it failed and how.

    Returns the blocks, and what of it is small print: the node's id.
    """
    running, failed = run.running_node, run.failed_node
    if run.status == InstanceStatus.RUNNING and running:
        return [section(catalogue.gettext("*Now at* {node}", node=node_title(running)))], []
    if run.status == InstanceStatus.FINISHED or failed is None:
        return [], []
    title = catalogue.gettext("*Failed at* {node}", node=node_title(failed))
    error = failed.error_msg.strip()
    blocks: list[Block] = [section(title)]
    if error:
        blocks.append(section(code_block(error_text(error, ERROR))))
    for label, text in (
        (catalogue.gettext("Input"), failed.input),
        (catalogue.gettext("Output"), failed.output),
    ):
        if text.strip(" \n[]{}"):
            blocks.append(section(f"*{label}* {code_block(clip(laid_out(text), NODE_TEXT))}"))
    return blocks, [catalogue.gettext("Node ID {id}", id=code(failed.action_id))]


def next_step_block(catalogue: Catalogue, snapshot: Snapshot) -> list[Block]:
    """Say what happens next once a task is decided; [] where nothing is known of it."""
    lines = [
        *next_step.lines(catalogue, snapshot),
        next_step.playbook_sentence(catalogue, snapshot),
    ]
    return [section("\n".join(filter(None, lines)))] if any(lines) else []


def state_block(
    render_context: RenderContext,
    snapshot: Snapshot,
    standing_operation: StandingOperation | None,
    request_news: RequestNews | None,
) -> list[Block]:
    """Say what last happened to an object, that it is snoozed or claimed; [] for none of these."""
    is_open = snapshot.status in OPEN_STATUSES
    lines = [
        *_last_event(render_context.catalogue, snapshot, standing_operation, request_news),
        *_came_of(render_context, snapshot, standing_operation),
        *(_snooze(render_context) if is_open else []),
        *(
            [claimed_line(render_context.catalogue, render_context.assignment)]
            if is_open and render_context.assignment
            else []
        ),
    ]
    return [section("\n".join(lines))] if lines else []


def _last_event(
    catalogue: Catalogue,
    snapshot: Snapshot,
    standing_operation: StandingOperation | None,
    request_news: RequestNews | None,
) -> list[str]:
    """Say what last happened to an object, or that it is in doubt; [] where nothing did."""
    news = request_news
    if news and snapshot.status not in BY_NAME[news.action].allowed_statuses:
        news = None
    in_doubt = standing_operation and standing_operation.state is OperationState.IN_DOUBT
    if news and not in_doubt and not (standing_operation and standing_operation.at > news.at):
        sentence = f"{approvals.change_sentence(catalogue, news)} {date_token(news.at)}"
        return [f"{sentence}\n{quote(news.reason, 600)}" if news.reason else sentence]
    # A task that waits was not decided by what was done before, unless that is still in doubt.
    if snapshot.status == TaskStatus.WAITING and not in_doubt:
        return []
    if standing_operation:
        return [_standing_text(catalogue, snapshot, standing_operation)]
    if not isinstance(snapshot, Task):
        return []
    ending = how_ended(snapshot)
    return [decided_elsewhere(catalogue, ending, snapshot.decider, snapshot.update_time)]


def _standing_text(
    catalogue: Catalogue, snapshot: Snapshot, standing_operation: StandingOperation
) -> str:
    """Say what was done from Slack, by whom and why, or that it is in doubt."""
    operation, when = standing_operation.operation, date_token(standing_operation.at)
    words, agreed = labels(BY_NAME[operation.action]), ""
    if operation.terms.break_glass_channel and operation.co_approvers:
        others = approvals.approver_names(catalogue, operation.co_approvers)
        agreed = f" {catalogue.gettext('{others} had agreed.', others=others)}"
        operation = operation.model_copy(update={"co_approvers": ()})
    actor = approvals.actor_names(catalogue, operation)
    match standing_operation.state:
        case OperationState.UNKNOWN:
            text = f"❓ {catalogue.gettext(words.perhaps, actor=actor, when=when)}"
        case OperationState.IN_DOUBT:
            doubt = catalogue.gettext(words.in_doubt, actor=actor)
            result = catalogue.gettext("SecMaster is being checked; the thread will say.")
            text = f"❓ *{doubt}* {result}"
        case (
            OperationState.DONE
            | OperationState.PENDING
            | OperationState.COUNTED
            | OperationState.FAILED
        ):
            if _failed_again(snapshot, standing_operation):
                text = f"🔴 *{catalogue.gettext(words.failed_again, actor=actor, when=when)}*"
            else:
                text = catalogue.gettext(words.done_at, actor=actor, when=when) + agreed
        case _:
            assert_never(standing_operation.state)
    return f"{text}\n{quote(operation.reason, 600)}" if operation.reason else text


def _came_of(
    render_context: RenderContext, snapshot: Snapshot, standing_operation: StandingOperation | None
) -> list[str]:
    """Say what came of the decision on a task, or which decision let a run continue."""
    catalogue, links = render_context.catalogue, render_context.links
    if not render_context.may_name_runs:
        return []
    if (
        render_context.decision and not render_context.viewer
    ):  # who may read no task must not be told of one
        return [run_results.decision_line(catalogue, render_context.decision, links)]
    is_decided = isinstance(snapshot, Task) and snapshot.status != TaskStatus.WAITING
    result = standing_operation.result if standing_operation else None
    if result is None or result.expected or not is_decided:
        return []
    return run_results.card_lines(catalogue, result, links)


def _failed_again(snapshot: Snapshot, standing_operation: StandingOperation) -> bool:
    """Whether a run has failed since it was retried: it is another attempt that failed."""
    before = standing_operation.attempt_before
    has_failed = snapshot.status == InstanceStatus.FAILED
    return has_failed and before is not None and attempt(snapshot) > before


def _snooze(render_context: RenderContext) -> list[str]:
    """Say who snoozed an object and until when, for everybody or for its only reader alone."""
    viewer, until = render_context.viewer, render_context.snoozed_until
    personal = personal_snooze(render_context.catalogue, viewer.snoozed_until if viewer else None)
    lines = [personal] if personal else []
    if until is None:
        return lines
    sentence = render_context.catalogue.gettext(
        "Snoozed by {person} until {when} ({ago}).",
        person=mention_user(render_context.snoozed_by),
        when=date_token(until),
        ago=ago_token(until),
    )
    return [f"😴 {sentence}", *lines]


def needed_approvals(
    render_context: RenderContext, snapshot: Snapshot, requests: Sequence[ApprovalRequest]
) -> list[str]:
    """Say which buttons need several approvals, where nobody has approved yet."""
    requested = {request.action for request in requests}
    return [
        approvals.needed_line(render_context.catalogue, action, tally.stages)
        for action in TABLE
        if snapshot.status in action.button_statuses
        and action.name not in requested
        and (tally := render_context.tallies.get(action.name))
    ]


def _comments_and_files(render_context: RenderContext, task: Task) -> list[str]:
    """Return the latest comments and attachments a line each, and how many more there are."""
    catalogue = render_context.catalogue
    lines = []
    for comment in task.comments[-LATEST:]:
        message = inline(without_receipt(comment.message), 300)
        lines.append(f"💬 {inline(comment.user_name, 60) or '—'}: {message}")
    if earlier := len(task.comments) - len(lines):
        sentence = catalogue.ngettext(
            "{count} earlier comment is in *Details*.",
            "{count} earlier comments are in *Details*.",
            earlier,
        )
        lines.insert(0, sentence)
    files = task.attachment_id_list
    lines += [f"📎 {file_title(render_context, file)}" for file in files[-LATEST:]]
    if (rest := len(files) - LATEST) > 0:
        sentence = catalogue.ngettext(
            "{count} more file is in *Details*.", "{count} more files are in *Details*.", rest
        )
        lines.append(f"📎 {sentence}")
    return lines


def file_title(render_context: RenderContext, file: str) -> str:
    """Name an attached file, its id last; only the id where its name is not known."""
    name = render_context.names.get(file, "")
    return f"{inline(name, 100)} ({code(file, 64)})" if name else code(file, 64)


def _button_row(render_context: RenderContext, snapshot: Snapshot) -> list[Block]:
    """Return the buttons that fit an object's status; [] once nothing is left to decide.

    What the only reader of a private card has approved already is no button there.
    """
    catalogue, viewer = render_context.catalogue, render_context.viewer
    approved = viewer.has_approved if viewer else frozenset()
    possible = [action for action in TABLE if action.kind == render_context.ref.kind]
    buttons = [
        action_button(action, render_context, snapshot)
        for action in possible
        if snapshot.status in action.button_statuses and action.name not in approved
    ]
    if not buttons and snapshot.status not in TRANSIENT:
        return []
    menu = [
        (action.name, catalogue.gettext(labels(action).button))
        for action in possible
        if action.in_menu
    ]
    is_open, is_claimed = snapshot.status in OPEN_STATUSES, render_context.assignment is not None
    menu.append(("details", catalogue.gettext("Details")))
    if is_open and is_claimed:  # the menu is full, and a claimed card is seldom drawn by hand
        menu.append((RELEASE, catalogue.gettext("Release the claim")))
    else:
        menu.append(("refresh", catalogue.gettext("Refresh")))
    if is_open:
        buttons.append(_claim_button(render_context, snapshot, is_claimed=is_claimed))
        longest = SNOOZE_OR_ESCALATE if render_context.escalates_to else SNOOZES[-1:]
        snoozes = END_SNOOZE if render_context.snoozed_until else [*SNOOZES[:-1], *longest]
        menu += [(name, catalogue.gettext(label)) for name, label in snoozes]
    options = [(f"{name}|{render_context.ref}", label) for name, label in menu]
    options[:0] = _reason_options(render_context, snapshot)
    if len(options) > MENU:  # the form of the last one begins with what is left out
        options[MENU - 1 :] = options[-1:]
    return [actions([*buttons, overflow_menu(options)])]


def _claim_button(
    render_context: RenderContext, snapshot: Snapshot, *, is_claimed: bool
) -> ButtonElement:
    """Return the button that claims an object, or takes it over from whoever has claimed it."""
    catalogue = render_context.catalogue
    label = (
        catalogue.pgettext("button", "Take over")
        if is_claimed
        else catalogue.pgettext("button", "I'm on it")
    )
    return ButtonElement(
        text=label,
        accessibility_label=named_label(label, snapshot.name),
        action_id=TAKE,
        value=str(render_context.ref),
    )


def _reason_options(render_context: RenderContext, snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return the menu's options for what its button confirms at once, to give a reason first."""
    catalogue, viewer = render_context.catalogue, render_context.viewer
    approved = viewer.has_approved if viewer else frozenset()
    button = ButtonValue(
        ref=render_context.ref, decision_fingerprint=decision_fingerprint(snapshot)
    )
    options = [
        (f"{FILL}.{action.name}|{button}", catalogue.gettext(label))
        for action in TABLE
        if action.kind == render_context.ref.kind
        and snapshot.status in action.button_statuses
        and action.name not in approved
        and not action.opens_form
        and (label := labels(action).with_reason)
    ]
    # The longest ids leave no room for the fingerprint: then the Details alone offer the form.
    return [(value, label) for value, label in options if len(value) <= OPTION_VALUE]
