"""A person asks for one of the nine actions: by words, by a button, or by a form."""

import asyncio
import hashlib
import json
import logging
from dataclasses import replace
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.actions import Action
from bot.flows import accept
from bot.messages import about, views
from bot.models import Card, Operation, Place, Ref
from bot.policy import Allowed
from bot.secmaster import Instance
from handlers.failures import Told, WrongInput
from handlers.guards import permit
from handlers.house import Asker, House
from handlers.parsing import Ask, NotUnderstood, checked

log = logging.getLogger(__name__)

OPEN_WITHIN = 0.8  # seconds


async def ask(house: House, wanted: Ask, asker: Asker, once: str) -> None:
    """By words. ``once`` names this very command or mention: delivered again, it is the same."""
    allowed = await permit(house, asker, wanted.action, wanted.ref)
    if _lacks_reason(allowed, wanted.action, wanted.reason):
        raise Told(about.needs_reason(wanted.action, house.root))
    await _accept(house, wanted, asker, once, allowed)


async def press(house: House, wanted: Ask, asker: Asker, trigger: str) -> None:
    """By a button: at once where it was confirmed, by a form where something is to be said."""
    allowed = await permit(house, asker, wanted.action, wanted.ref)
    if wanted.action.asks or _lacks_reason(allowed, wanted.action, ""):
        await _open_form(house, wanted, asker.place, trigger, allowed)
    else:
        await _accept(house, wanted, asker, trigger, allowed)


async def submit(house: House, view: dict[str, Any], asker: Asker) -> None:
    """By a form. The right is asked for again, for it may have gone since the form was opened."""
    kept, typed = views.read(view)
    action = views.action_of(kept)
    reason = typed.get(views.REASON, "").strip()
    params = {
        param.name: _checked(action, param.name, typed) for param in action.needs if not param.file
    }
    # A modal has no place of its own: it answers where it was opened.
    asker = replace(asker, place=kept.place)
    allowed = await permit(house, asker, action, kept.ref)
    if _lacks_reason(allowed, action, reason):
        if views.REASON not in typed:  # the rule has changed since the form was opened
            raise Told(about.needs_reason(action, house.root))
        raise WrongInput(views.REASON, "A reason is required.")
    if action.takes_file and not kept.files:
        raise WrongInput(action.needs[0].name, "A file is required.")
    # The same words sent twice are one submission; others are another.
    once = f"{view['id']}:{json.dumps(typed, sort_keys=True)}"
    await _accept(house, Ask(action, kept.ref, params, reason, kept.files), asker, once, allowed)


def _lacks_reason(allowed: Allowed, action: Action, reason: str) -> bool:
    return allowed.reason == "required" and action.takes_reason and not reason


def _checked(action: Action, name: str, typed: dict[str, str]) -> str:
    param = next(param for param in action.needs if param.name == name)
    try:
        return checked(param, typed.get(name, "").strip())
    except NotUnderstood as wrong:
        raise WrongInput(name, wrong.problem) from wrong


async def _open_form(
    house: House, wanted: Ask, place: Place, trigger: str, allowed: Allowed
) -> None:
    slack, ref = house.desk.slack, wanted.ref
    card = await asyncio.to_thread(house.desk.store.card_at, place.channel, place.card)
    shown = (card.title if card else ref.id, house.desk.name(ref))
    kept = views.Form(action=wanted.action.name, ref=ref, place=place, files=wanted.files)
    form = views.form(kept, shown, allowed.reason, wanted.params)
    opened = await open_view(slack, trigger, form)

    async def fill_in() -> None:
        """Offer the node that failed: nobody types a UUID at three in the morning."""
        run = await house.desk.look(ref)
        if isinstance(run, Instance) and run.failed_node:
            offers = {each.name: run.failed_node.action_id for each in offered}
            form = views.form(kept, shown, allowed.reason, offers)
            view = opened["view"]
            await slack.views_update(view_id=view["id"], hash=view["hash"], view=form)

    async def leave_empty(_error: Exception) -> None:
        """Without the offer the form works as well."""

    offered = [param for param in wanted.action.needs if param.offered]
    if offered:
        house.errands.start(fill_in(), leave_empty)


async def open_view(
    slack: AsyncWebClient, trigger: str, view: dict[str, Any], *, upon: bool = False
) -> AsyncSlackResponse:
    """Open a modal, ``upon`` another one or alone, in the time that is left.

    A click waits three seconds for its answer.
    """
    opening = slack.views_push if upon else slack.views_open
    try:
        return await asyncio.wait_for(opening(trigger_id=trigger, view=view), OPEN_WITHIN)
    except TimeoutError as late:
        raise Told(about.too_late()) from late


async def _accept(house: House, wanted: Ask, asker: Asker, once: str, allowed: Allowed) -> None:
    """Record what is wanted: one operation, or one for each file."""
    first = await _operation(house, wanted, asker, once, allowed)
    if not wanted.files:
        await accept(first)
    for number, file in enumerate(wanted.files):
        try:
            await accept(
                first.model_copy(update={"id": _id(f"{first.id}:{file.id}"), "file": file})
            )
        except Exception as error:
            if not number:
                raise
            log.exception("recorded in part", extra={"reference": first.reference})
            told = about.recorded_in_part(wanted.files[:number], len(wanted.files))
            raise Told(told) from error


async def _operation(
    house: House, wanted: Ask, asker: Asker, once: str, allowed: Allowed
) -> Operation:
    actor = asker.actor
    named = actor.model_copy(update={"name": await house.directory.name(actor.id)})
    return Operation(
        id=_id(f"{actor.team}:{once}:{wanted.action.name}:{wanted.ref}"),
        action=wanted.action.name,
        ref=wanted.ref,
        actor=named,
        place=await _with_card(house, wanted.ref, asker.place),
        params=wanted.params,
        reason=wanted.reason,
        rule=allowed.rule,
        accepted_at=house.desk.clock(),
        launch=house.desk.launch,
    )


def _id(key: str) -> str:
    """The same for the same key: what is delivered twice is one operation."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


async def _with_card(house: House, ref: Ref, place: Place) -> Place:
    """Answer under the card that was pressed, or the one that this channel has."""
    store = house.desk.store
    if not place.card:
        here = await asyncio.to_thread(store.card_in, ref, place.channel)
        return place.model_copy(update={"card": here.ts}) if here else place
    if await asyncio.to_thread(store.card_at, place.channel, place.card) is None:
        # One of ours that a crash kept from being remembered: from now on it is redrawn too.
        card = Card(ref=ref, channel=place.channel, ts=place.card)
        await asyncio.to_thread(store.add_card, card, house.desk.clock())
    return place
