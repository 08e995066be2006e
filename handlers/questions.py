"""Commands that decide about what their writer does not see: they show the card, and ask first.

Where the policy says ``decide = "confirm"``. Nothing is recorded before the button is pressed.
"""

import asyncio
from dataclasses import replace

from bot.domain.actions import BY_NAME
from bot.domain.cards import ButtonValue, Card
from bot.domain.slack import Requester
from bot.domain.snapshots import decision_fingerprint
from bot.messages import (
    denials,
    failure_groups,
    operation_results,
    private_cards,
    task_groups,
)
from bot.messages.private_cards import AskedCommand
from bot.operations.around import read_object
from bot.operations.authorization import Grant, authorize, viewer_of
from bot.operations.reading import may_read
from bot.policy.config import CommandDecision
from handlers import forms, operations
from handlers.context import AppContext, Recorder, attempt_id, stable_id
from handlers.errors import UserError, run_after_ack
from handlers.requests import ActionRequest


async def must_ask(app: AppContext, request: ActionRequest, requester: Requester, ts: str) -> bool:
    """Return whether a command is to be confirmed: its object's card is not where it is typed.

    ``ts`` is that of the message it was written in, "" for none. A card that came after it was not
    seen: Slack may deliver the message again once the question's own card is there.
    """
    location = requester.location
    if app.config.commands.decide is CommandDecision.DIRECT or not request.action.has_effect:
        return False
    if location.card:
        return False
    card_in = app.services.store.cards.card_in
    card = await asyncio.to_thread(card_in, request.ref, location.channel)
    is_later = card is not None and bool(ts) and float(card.ts) > float(ts)
    return card is None or is_later or not await _shows_object(app, card)


async def _shows_object(app: AppContext, card: Card) -> bool:
    """Whether a card shows its object: one of many only counts those that it has no row for."""
    load, now = app.services.store.card_states.load_group, app.services.clock.now()
    group = await asyncio.to_thread(load, card.channel, card.ts, now)
    if len(group.refs) <= 1:
        return True
    rows_of = task_groups if card.ref.kind == "task" else failure_groups
    return card.ref in [row.ref for row in rows_of.visible_rows(group.objects)]


async def ask(
    app: AppContext, request: ActionRequest, requester: Requester, dedupe_key: str
) -> None:
    """Check that a person may do this, and ask them after the acknowledgement whether they want it.

    A second question of the same delivery is answered as the same. Raises NotAllowed.
    """
    grant = await authorize(
        app.services,
        requester,
        request.action,
        request.ref,
        attempt_id=attempt_id(dedupe_key),
        break_glass=request.break_glass,
    )
    key = stable_id(dedupe_key)[: operations.KEY_LENGTH]
    run_after_ack(app, _show_question(app, request, requester, grant, key), requester)


async def _show_question(
    app: AppContext,
    request: ActionRequest,
    requester: Requester,
    grant: Grant,
    key: str,
) -> None:
    """Post the card, or show it to the requester alone where it may not be posted, and ask them."""
    services, ref, location = app.services, request.ref, requester.location
    snapshot = grant.snapshot or await read_object(services, ref)
    card, shown = None, snapshot.model_copy(update={"evidence": None})
    # Whoever may act on an object and not read it is shown no card of it, nor what is around it.
    if await may_read(services, requester.actor, ref, snapshot):
        shown = snapshot
        if await services.slack.channels.refusal(location.channel) is None:
            await services.cards.post_new(ref, snapshot, location.channel)
        else:
            viewer = await viewer_of(services, requester.actor, ref, snapshot)
            card = await services.cards.private_message(ref, snapshot, viewer)
    button = ButtonValue(ref=ref, decision_fingerprint=decision_fingerprint(snapshot))
    command = AskedCommand(
        action=request.action.name,
        button=str(button),
        key=key,
        reason=request.reason,
        params=request.params,
        break_glass=request.break_glass,
    )
    seen = replace(request, decision_fingerprint=button.decision_fingerprint)
    tally = await forms.count_approvals(app, seen, grant)
    message = private_cards.question(app.catalogue, command, shown, card, tally)
    await services.slack.send_private(location, requester.actor.id, message)


async def answered(recorder: Recorder, value: str, requester: Requester, trigger_id: str) -> None:
    """Carry out the command whose question's button was pressed, or open the form that it needs.

    Raises NotAllowed, or UserError for a button that this version does not know.
    """
    app, command = recorder.app, AskedCommand.parse(value)
    button = ButtonValue.parse(command.button) if command else None
    if command is None or button is None or button.ref.workspace not in app.services.workspaces:
        raise UserError(denials.newer_button(recorder.app.catalogue, sends=True))
    action = BY_NAME[command.action]
    # A question is nobody's card, where it is a direct message; what has no key is in a thread.
    requester = requester.under("" if command.key else requester.location.thread)
    request = ActionRequest(
        action,
        button.ref,
        command.params,
        command.reason,
        decision_fingerprint=button.decision_fingerprint,
        break_glass=command.break_glass,
    )
    grant = await operations.authorize_or_offer_again(
        app, request, requester, trigger_id, is_complete=not command.incomplete
    )
    lacks_reason = operations.lacks_reason(grant, action, request.reason)
    if command.incomplete or grant.allowed.confirm or lacks_reason:
        await forms.open_form(app, request, requester, trigger_id, grant)
        return
    dedupe_key = command.key or trigger_id
    reply_to = await operations.record(recorder, request, requester, dedupe_key, grant)
    if not command.key:
        return  # the message stays: others read it too
    message = operation_results.recorded(
        recorder.app.catalogue, action, elsewhere=reply_to != requester
    )

    async def replace_question() -> None:
        """Take the button away: what it asked is answered."""
        await app.services.slack.respond(requester.location.response_url, message, replace=True)

    run_after_ack(app, replace_question(), requester)
