"""Render the runs within a run of a playbook: what its topology says of them."""

from collections.abc import Sequence

from slack_sdk.models.blocks import Block, ButtonElement

from bot.domain.playbook_runs import action_ref
from bot.messages.blocks import RenderContext, context, named_label, section
from bot.messages.catalogue import Catalogue
from bot.messages.fields import INSTANCE_STATES, state_name
from bot.messages.lists import SHOW
from bot.messages.text import bold, code, code_block, error_text
from bot.secmaster import PlaybookAction, PlaybookInstance, PlaybookInstanceStatus

SHOWN = 6  # rows of a card
ERROR = 600  # characters of the error of each failed one


def run_rows(
    render_context: RenderContext,
    run: PlaybookInstance,
    most: int = SHOWN,
    button: tuple[str, str] = SHOW,
) -> list[Block]:
    """Return a row for each run within a playbook's, the failed ones first.

    ``button`` is the label and action id of every row's.
    """
    catalogue = render_context.catalogue
    if run.actions is None:
        unread = catalogue.gettext("The workflow runs of this playbook run can't be read.")
        return [context(f"⚠️ {unread}")]
    actions = failed_first(run.actions)
    rows = [
        section(_row_text(catalogue, action), _button(render_context, action, button))
        for action in actions[:most]
    ]
    if (rest := len(actions) - most) > 0:
        rows.append(context(catalogue.ngettext("and {count} more", "and {count} more", rest)))
    return rows


def failed_first(actions: Sequence[PlaybookAction]) -> list[PlaybookAction]:
    """Return the actions of a playbook's run in its order, but those that failed before others."""
    return sorted(actions, key=lambda action: action.log.status != PlaybookInstanceStatus.FAILED)


def _row_text(catalogue: Catalogue, action: PlaybookAction) -> str:
    """Say what one action is and how it ended, with the error of one that failed."""
    log = action.log
    action_name = action.name.strip() or log.action_name.strip()
    name = bold(action_name, 100) if action_name else code(action.workflow_id)
    status = state_name(catalogue, INSTANCE_STATES, log.status) if log.status else ""
    text = " · ".join(filter(None, (name, status, code(action.instance_id))))
    if log.status == PlaybookInstanceStatus.FAILED and log.error_msg.strip():
        text += f"\n{code_block(error_text(log.error_msg.strip(), ERROR))}"
    return text


def _button(
    render_context: RenderContext, action: PlaybookAction, button: tuple[str, str]
) -> ButtonElement | None:
    """Return the button of a run's own row; None for what has no card."""
    ref = action_ref(render_context.ref, action)
    if ref is None:
        return None
    label, action_id = button
    text = render_context.catalogue.gettext(label)
    return ButtonElement(
        text=text,
        accessibility_label=named_label(text, action.name or ref.id),
        action_id=action_id,
        value=str(ref),
    )
