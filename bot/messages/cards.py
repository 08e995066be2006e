"""Render cards: one task or instance as SecMaster has it, with the buttons that fit its state."""

from collections.abc import Sequence
from typing import assert_never

from slack_sdk.models.blocks import Block

from bot.domain.actions import BY_NAME, OPEN_STATUSES, TABLE
from bot.domain.approvals import ApprovalRequest
from bot.domain.operations import OperationState, StandingOperation
from bot.domain.snapshots import Snapshot
from bot.messages import approvals
from bot.messages.blocks import (
    Message,
    RenderContext,
    action_button,
    actions,
    context,
    fields,
    header,
    link,
    overflow_menu,
    section,
)
from bot.messages.catalogue import Catalogue
from bot.messages.fields import card_passages, facts, instance_state, task_state
from bot.messages.labels import labels
from bot.messages.text import (
    ELLIPSIS,
    clip,
    code,
    code_block,
    date_token,
    inline,
    mention_all,
    mention_user,
    quote,
    relative_time,
)
from bot.secmaster import (
    Instance,
    InstanceStatus,
    Node,
    Task,
    TaskStatus,
)

TRANSIENT = (InstanceStatus.RETRYING, InstanceStatus.TERMINATING)
# The snooze options of the menu. An option carries 150 characters, and with the longest ids these
# names leave none over.
SNOOZES = [
    ("snooze.1h", "Snooze 1 h"),
    ("snooze.9h", "Snooze until 9:00"),
    ("snooze.xh", "Snooze…"),
]
MENU = 5  # options that a menu holds
END_SNOOZE = [("snooze.0h", "End the snooze")]
LATEST = 3
ERROR = 600
NODE_TEXT = 200  # characters of a failed node's input and output


def card(
    render_context: RenderContext,
    snapshot: Snapshot,
    standing_operation: StandingOperation | None,
    requests: Sequence[ApprovalRequest] = (),
) -> Message:
    """Return the card of a task or an instance.

    ``standing_operation`` is what was last done to it from Slack, ``requests`` are the approval
    requests about it; those for actions that its status no longer allows are left out.
    """
    if isinstance(snapshot, Task):
        state, name = task_state(render_context.catalogue, snapshot), snapshot.name
        more = _decision_blocks(render_context.catalogue, snapshot, standing_operation)
    else:
        state, name = (
            instance_state(render_context.catalogue, snapshot),
            snapshot.name or snapshot.workflow.name,
        )
        more = _node_blocks(render_context.catalogue, snapshot)
    blocks = [
        header(name),
        fields(facts(render_context.catalogue, snapshot, render_context.now)),
        *card_passages(render_context.catalogue, snapshot),
        *more,
    ]
    is_open = snapshot.status in OPEN_STATUSES
    if is_open:
        blocks[1:1] = mention_block(render_context)
    # A task that waits was not decided by what was done before, unless that is still in doubt.
    waiting = isinstance(snapshot, Task) and snapshot.status == TaskStatus.WAITING
    if standing_operation and (standing_operation.state is OperationState.IN_DOUBT or not waiting):
        blocks.append(section(_standing_text(render_context.catalogue, standing_operation)))
    for request in requests:
        if snapshot.status in BY_NAME[request.action].allowed_statuses:
            blocks += approvals.request_blocks(render_context, snapshot, request)
    if is_open and render_context.snoozed_until is not None:
        until = render_context.snoozed_until
        when = f"{date_token(until)} ({relative_time(render_context.catalogue, until, render_context.now)})"
        snoozer = mention_user(render_context.snoozed_by)
        blocks.append(section(f"😴 Snoozed by {snoozer} until {when}."))
    small_print = (
        _comments_and_files(render_context.catalogue, snapshot)
        if isinstance(snapshot, Task)
        else []
    )
    blocks.append(context(*small_print, footer(render_context)))
    buttons = _button_row(render_context, snapshot)
    return Message(f"{inline(snapshot.name)}: {state}", (*blocks, *buttons))


def vanished_card(render_context: RenderContext, title: str) -> Message:
    """Return the card of an object that SecMaster no longer knows; it has no buttons."""
    text = f"⚪ This {render_context.ref.kind} no longer exists in SecMaster."
    blocks = (header(title), section(text), context(footer(render_context)))
    return Message(f"{inline(title)}: {text}", blocks)


def mention_block(render_context: RenderContext) -> list[Block]:
    """Return the block that mentions whom the card calls; [] where it calls nobody."""
    mentions = render_context.mentions
    return [section(mention_all(mentions))] if mentions else []


def node_title(node: Node) -> str:
    """Name a node of a workflow, with its id."""
    return f"{inline(node.action_name or node.action_id)} ({code(node.action_id)})"


def footer(render_context: RenderContext, *, several: bool = False) -> str:
    """Say which workspace and object a card shows, and as of when, with a link to the console.

    A card of ``several`` objects names none of them.
    """
    ref = render_context.ref
    name = "" if several else f"{ref.kind} {code(ref.id)}"
    age = (
        "SecMaster can't be read now"
        if render_context.stale
        else f"as of {date_token(render_context.now)}"
    )
    console = link(render_context.console_url, "console")
    workspace = inline(render_context.workspace, 60)
    return " · ".join(filter(None, (workspace, name, age, console)))


def _decision_blocks(
    catalogue: Catalogue, task: Task, standing_operation: StandingOperation | None
) -> list[Block]:
    """Say who decided a task outside Slack; [] for one that waits or was decided from here."""
    # What was decided from here tells more than SecMaster, which then names the bot.
    if task.status == TaskStatus.WAITING or standing_operation:
        return []
    decider = inline(task.decider, 80)
    way = f" by {decider}" if decider else ", or by itself at its due date"
    return [section(f"Decided outside Slack{way}, {date_token(task.update_time)}.")]


def _node_blocks(catalogue: Catalogue, run: Instance) -> list[Block]:
    """Show the node at which an instance is, or the one at which it failed and how."""
    running, failed = run.running_node, run.failed_node
    if run.status == InstanceStatus.RUNNING and running:
        return [section(f"*Now at* {node_title(running)}")]
    if run.status == InstanceStatus.FINISHED or failed is None:
        return []
    blocks: list[Block] = [section(f"*Failed at* {node_title(failed)}")]
    if error := failed.error_msg:
        # Of a long error the beginning and the end: one of the two says what matters.
        if len(error) > ERROR:
            error = f"{error[: ERROR // 2]}\n{ELLIPSIS}\n{error[-ERROR // 2 :]}"
        blocks.append(section(code_block(error)))
    for label, text in (("Input", failed.input), ("Output", failed.output)):
        if text.strip(" \n[]{}"):
            blocks.append(section(f"*{label}* {code_block(clip(text, NODE_TEXT))}"))
    return blocks


def _standing_text(catalogue: Catalogue, standing_operation: StandingOperation) -> str:
    """Say what was done from Slack, by whom and why, or that it is in doubt."""
    operation, when = standing_operation.operation, date_token(standing_operation.at)
    words, actor = labels(BY_NAME[operation.action]), approvals.actor_names(catalogue, operation)
    match standing_operation.state:
        case OperationState.UNKNOWN:
            text = f"The {words.noun} by {actor} from Slack, {when}, may have done this."
        case OperationState.IN_DOUBT:
            text = (
                f"❓ *Whether the {words.noun} by {actor} took effect is not known yet.* SecMaster "
                "is read until it is, or given up; the thread will tell."
            )
        case (
            OperationState.DONE
            | OperationState.PENDING
            | OperationState.COUNTED
            | OperationState.FAILED
        ):
            text = f"{words.done} by {actor} from Slack, {when}."
        case _:
            assert_never(standing_operation.state)
    return f"{text}\n{quote(operation.reason, 600)}" if operation.reason else text


def _comments_and_files(catalogue: Catalogue, task: Task) -> list[str]:
    """Return the latest comments and attachments a line each, and how many more there are."""
    lines = [
        f"💬 {inline(comment.user_name, 60) or '—'}: {inline(comment.message, 300)}"
        for comment in task.comments[-LATEST:]
    ]
    if earlier := len(task.comments) - len(lines):
        lines.insert(0, f"{earlier} earlier under Details")
    files = task.attachment_id_list
    if files:
        latest = ", ".join(code(file, 64) for file in files[-LATEST:])
        rest = f" and {len(files) - LATEST} more" if len(files) > LATEST else ""
        lines.append(f"📎 {latest}{rest}")
    return lines


def _button_row(render_context: RenderContext, snapshot: Snapshot) -> list[Block]:
    """Return the buttons that fit an object's status; [] once nothing is left to decide."""
    possible = [action for action in TABLE if action.kind == render_context.ref.kind]
    buttons = [
        action_button(action, render_context, snapshot)
        for action in possible
        if snapshot.status in action.button_statuses
    ]
    if not buttons and snapshot.status not in TRANSIENT:
        return []
    menu = [(action.name, labels(action).button) for action in possible if action.in_menu]
    menu += [("details", "Details"), ("refresh", "Refresh")]
    if snapshot.status in OPEN_STATUSES:
        menu += END_SNOOZE if render_context.snoozed_until else SNOOZES
        if len(menu) > MENU:  # the form of the last one begins with what is left out
            menu[MENU - 1 :] = SNOOZES[-1:]
    return [actions([*buttons, overflow_menu(menu, render_context.ref)])]
