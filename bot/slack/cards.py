"""The cards of an object: posted once where they belong, and drawn from what SecMaster says.

A drawing loads all that a card shows at one moment, renders it, updates the messages, and records
what they show.
"""

import asyncio
import functools
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from bot import messages
from bot.domain import snapshots
from bot.domain.actions import CHANGEABLE_STATUSES, OPEN_STATUSES, TABLE
from bot.domain.approvals import ApprovalRequest, missing_in_turn, turn_of
from bot.domain.cards import (
    STALE,
    VANISHED,
    Card,
    CardGroup,
    CardState,
    GroupState,
    in_channel,
)
from bot.domain.objects import ObjectKind, Ref
from bot.domain.run_results import waiting_kind
from bot.domain.snapshots import Reading, Snapshot
from bot.domain.stages import one_stage, stage_at, strictest, total
from bot.domain.workspaces import Workspaces
from bot.messages import Message, RenderContext
from bot.messages.blocks import Tally, Viewer
from bot.messages.catalogue import Catalogue
from bot.policy.config import PolicyHolder
from bot.policy.decide import PolicyContext, task_readers_read_runs
from bot.policy.requirements import deciding_rule, members
from bot.policy.routes import ThreadDetail, escalation_steps, matching_routes, thread_detail
from bot.runtime.clock import Clock
from bot.runtime.coalesce import Coalescer
from bot.runtime.locks import KeyedLocks
from bot.runtime.timeouts import Timeouts
from bot.secmaster import NotFound, SecMasterError, Task
from bot.slack.error_codes import MESSAGE_DELETED
from bot.slack.gateway import SlackFailed, SlackGateway
from bot.store import Store

log = logging.getLogger(__name__)


@dataclass(slots=True)
class PendingDrawing:
    """What the next drawing of an object's cards is to be drawn from.

    ``must_read``: somebody asks for what SecMaster says now. ``reading`` is the newest that was
    handed in, and ``reading_drawn`` whether the cards were drawn from it.
    """

    must_read: bool = False
    reading: Reading | None = None
    reading_drawn: bool = False

    def add(self, reading: Reading) -> None:
        """Take in a reading; one that overlaps with another makes a new one necessary."""
        if self.reading and reading.asked_at < self.reading.answered_at:
            self.must_read = True
        if self.reading is None or reading.asked_at > self.reading.asked_at:
            self.reading = reading


@dataclass(frozen=True, slots=True)
class IncompleteCards:
    """An object whose cards may lack what SecMaster knows around it.

    ``outdated``: what is stored of the object itself may be old as well.
    """

    ref: Ref
    outdated: bool = False


class Cards:
    """Posts and draws cards, one drawing of an object at a time.

    ``console_url`` is the address that cards link to.
    """

    def __init__(  # noqa: PLR0913 - what cards are made of, and where they go
        self,
        slack: SlackGateway,
        store: Store,
        workspaces: Workspaces,
        policy: PolicyHolder,
        *,
        clock: Clock,
        timeouts: Timeouts,
        catalogue: Catalogue,
        console_url: str = "",
    ) -> None:
        self._slack = slack
        self._store = store
        self._workspaces = workspaces
        self._policy = policy
        self._clock = clock
        self._optional_timeout = timeouts.optional
        self._console_url = console_url
        self._catalogue = catalogue
        self._locks = KeyedLocks()
        self._renders = Coalescer(timeouts.render_interval)
        self._pending: dict[Ref, PendingDrawing] = {}  # of drawings that have not begun
        # Whose cards may lack what SecMaster knows around them: see ``bot.watch.completion``.
        self.incomplete: asyncio.Queue[IncompleteCards] = asyncio.Queue()

    async def drain(self) -> None:
        """Wait for the drawings under way: they need the threads that the next part closes."""
        await self._renders.drain()

    async def close(self) -> None:
        """Break off the drawings under way; the next start draws them."""
        await self._renders.close()

    def render_context(self, ref: Ref) -> RenderContext:
        """Return what a card of this object needs to be drawn beyond the object itself."""
        workspace = self._workspaces.name(ref.workspace)
        return RenderContext(ref, self._clock.now(), self._catalogue, workspace, self._console_url)

    def tallies(
        self, ref: Ref, snapshot: Snapshot | None, requests: Sequence[ApprovalRequest]
    ) -> dict[str, Tally]:
        """Return for each action that needs several approvals how many it has of them, by name.

        The policy answers for the object as it is now, and an open request by what it was told.
        """
        if snapshot is None:
            return {}
        config = self._policy.current
        names = self._workspaces.all_names(ref.workspace)
        context = PolicyContext(names, self._clock.now(), snapshot)
        open_requests = {request.action: request.counted_for(snapshot) for request in requests}
        tallies = {}
        for action in TABLE:
            if action.kind != ref.kind or snapshot.status not in action.allowed_statuses:
                continue
            request = open_requests.get(action.name)
            rule = deciding_rule(config.rules, action, context)
            stages = rule.stages if rule else one_stage(1)
            if request and len(request.stages) == len(stages):
                stages = strictest(stages, [request.stages])
            elif request:  # the rule has changed, which the next approval will tell
                stages = request.stages
            approvals = request.approvals if request else ()
            turn = turn_of(stages, approvals)
            if total(stages) > 1:
                stage = stage_at(stages, turn)
                tallies[action.name] = Tally(
                    count=len(approvals),
                    stages=stages,
                    turn=turn,
                    missing=missing_in_turn(stages, approvals),
                    approvers=members(config.roles, stage.roles) if rule else (),
                )
        return tallies

    def card_lock(self, ref: Ref, channel: str) -> asyncio.Lock:
        """Return the lock for looking for an object's card in a channel and posting one.

        Not the one for drawing: a decision must not wait until Slack has let all cards be drawn.
        """
        return self._locks.get(f"{ref} in {channel}")

    def render_lock(self, ref: Ref) -> asyncio.Lock:
        """Return the lock for drawing an object's cards, or an older drawing might stay."""
        return self._locks.get(str(ref))

    # Reading.

    async def read_and_track(self, ref: Ref) -> Snapshot:
        """Read an object and record what it is like now; raises SecMasterError."""
        tracked, now = self._store.tracked, self._clock.now()
        try:
            snapshot = await self._workspaces.read(ref)
        except NotFound:
            await asyncio.to_thread(tracked.update_read, ref, None, now)
            raise
        await asyncio.to_thread(tracked.update_read, ref, snapshot, now)
        return snapshot

    async def object_of(self, channel: str, ts: str) -> Ref | None:
        """Return the object whose card a message is; None if it is no card, or that of several.

        A card that Slack shows already and we have not recorded yet, or that a crash kept from
        being recorded, says it itself.
        """
        cards = await asyncio.to_thread(self._store.cards.cards_at, channel, ts)
        if cards:
            return cards[0].ref if len(cards) == 1 else None
        try:
            async with asyncio.timeout(self._optional_timeout):
                metadata = await self._slack.own_metadata(channel, ts)
        except (SlackFailed, TimeoutError) as error:
            log.warning("thread not read", extra={"error": str(error)})
            return None
        return Ref.parse(metadata.get("ref", ""))

    async def thread_detail(self, ref: Ref, channel: str) -> ThreadDetail:
        """Return what the threads of an object's cards in a channel are told."""
        routes = self._policy.current.routes
        if all(route.thread is ThreadDetail.ALL for route in routes):
            return ThreadDetail.ALL
        tracked = await asyncio.to_thread(self._store.tracked.get, [ref])
        names = self._workspaces.all_names(ref.workspace)
        matching = matching_routes(routes, tracked[0].snapshot, names) if tracked else ()
        return thread_detail(routes, matching, channel)

    # Drawing.

    async def redraw(self, ref: Ref) -> None:
        """Draw every card of an object from what SecMaster says now; raises SecMasterError.

        Those who ask while that is being done share the next drawing.
        """
        self._next_drawing(ref).must_read = True
        await self._renders.run(str(ref), functools.partial(self._draw_pending, ref))

    async def redraw_from(self, ref: Ref, snapshot: Snapshot, asked_at: datetime) -> None:
        """Draw every card of an object from a snapshot that the caller has, as SecMaster's answer.

        ``asked_at`` is when SecMaster was asked, before the request was sent. SecMaster is read
        only where a card may show something newer already, or somebody who shares the drawing asks
        for it: then alone this raises SecMasterError.
        """
        pending = self._next_drawing(ref)
        pending.add(Reading(snapshot, asked_at, self._clock.now()))
        try:
            await self._renders.run(str(ref), functools.partial(self._draw_pending, ref))
        except SecMasterError:
            if not pending.reading_drawn:
                raise

    def _next_drawing(self, ref: Ref) -> PendingDrawing:
        """Return the drawing that those share who ask before it begins."""
        return self._pending.setdefault(ref, PendingDrawing())

    async def _draw_pending(self, ref: Ref) -> None:
        """Draw an object's cards as those ask who share this drawing; raises SecMasterError."""
        pending = self._pending.pop(ref)
        if not pending.must_read and await self._draw_reading(ref, pending):
            return
        try:
            await self.redraw_now(ref)
        except SecMasterError:
            # Whoever knows something newer than the cards needs no SecMaster to have it drawn.
            await self._draw_reading(ref, pending)
            raise

    async def _draw_reading(self, ref: Ref, pending: PendingDrawing) -> bool:
        """Draw an object's cards from what was handed in, unless something newer may be known.

        Returns whether they were drawn.
        """
        reading, states = pending.reading, self._store.card_states
        if reading is None:
            return False
        async with self.render_lock(ref):
            if await asyncio.to_thread(states.record_if_newest, ref, reading):
                state = await self._load(ref, reading.snapshot)
                await self._publish(state, only_outdated=False)
                pending.reading_drawn = True
        return pending.reading_drawn

    async def redraw_now(self, ref: Ref) -> None:
        """Draw every card of an object without sharing the drawing, so that it can be cancelled."""
        await self._draw_cards(ref, only_outdated=False)

    async def redraw_outdated(self, ref: Ref) -> int:
        """Draw those cards of an object that show something else than is so; return how many."""
        return await self._draw_cards(ref, only_outdated=True)

    async def redraw_outdated_from(self, ref: Ref, reading: Reading) -> int:
        """Draw those cards of an object that show something else than a reading; return how many.

        None is drawn where something newer may be known. Raises SlackFailed for what may pass.
        """
        states = self._store.card_states
        if not await asyncio.to_thread(states.is_followed, ref):
            return 0
        async with self.render_lock(ref):
            if not await asyncio.to_thread(states.record_if_newest, ref, reading):
                return 0
            state = await self._load(ref, reading.snapshot)
            return await self._publish(state, only_outdated=True)

    async def redraw_from_stored(self, ref: Ref) -> None:
        """Draw the cards from the snapshot that they show, while SecMaster can't be read.

        They are outdated from then on, so that the poller draws them once it can be. Raises
        SlackFailed for what may pass.
        """
        async with self.render_lock(ref):
            state = await asyncio.to_thread(
                self._store.card_states.load_stored, ref, self._clock.now()
            )
            if state.snapshot:
                await self._publish(state, only_outdated=False)
                await asyncio.to_thread(self._store.tracked.mark_stale, ref, stale=True)

    async def redraw_completed(self, ref: Ref) -> None:
        """Draw those cards of an object from what is stored that its evidence makes look different.

        One that says that SecMaster can't be read, or that the object is gone, is left to whoever
        reads it again. Raises SlackFailed for what may pass.
        """
        async with self.render_lock(ref):
            state = await asyncio.to_thread(
                self._store.card_states.load_stored, ref, self._clock.now()
            )
            fingerprints = {card.rendered_fingerprint for card in state.cards}
            if state.snapshot and fingerprints.isdisjoint({STALE, VANISHED}):
                stored = snapshots.stored(state.snapshot)
                await asyncio.to_thread(self._store.snapshots.save, ref, stored, self._clock.now())
                await self._publish(replace(state, stale=False), only_outdated=True)

    async def _draw_cards(self, ref: Ref, *, only_outdated: bool) -> int:
        """Read an object, draw its cards, and return how many; raises SecMasterError.

        Raises SlackFailed for what may pass, before anything is read where nothing can be drawn.
        """
        self._slack.require_token()
        async with self.render_lock(ref):
            if not await asyncio.to_thread(self._store.card_states.is_followed, ref):
                return 0
            asked_at, snapshot = self._clock.now(), None
            with suppress(NotFound):
                snapshot = await self._workspaces.read(ref)
            reading = Reading(snapshot, asked_at, self._clock.now())
            await asyncio.to_thread(self._store.card_states.record, ref, reading)
            state = await self._load(ref, snapshot)
            return await self._publish(state, only_outdated=only_outdated)

    async def _load(self, ref: Ref, snapshot: Snapshot | None) -> CardState:
        """Return all that the cards of an object are drawn from, by what it was read as."""
        now = self._clock.now()
        return await asyncio.to_thread(self._store.card_states.load, ref, snapshot, now)

    async def _publish(self, state: CardState, *, only_outdated: bool) -> int:
        """Draw the cards of an object from a state, and return how many.

        The caller holds the object's ``render_lock``. Raises SlackFailed for what may pass.
        """
        fingerprint, snapshot = state.rendered_fingerprint, state.snapshot
        outdated = [
            card
            for card in state.cards
            if not only_outdated or card.rendered_fingerprint != fingerprint
        ]
        deleted, failures = await self._draw_all(outdated, state)
        fingerprints = {
            "rendered_fingerprint": fingerprint,
            "decision_fingerprint": state.decision_fingerprint,
        }
        rendered = [
            card.model_copy(update=fingerprints)
            for card in state.cards
            if card not in deleted and card not in failures
        ]
        # SecMaster's gateway can lose a task for a moment: what vanished may come back.
        changeable = state.stale or snapshot is None or snapshot.status in CHANGEABLE_STATUSES
        await asyncio.to_thread(
            self._store.cards.mark_rendered, rendered, forgotten=deleted, open_=changeable
        )
        for error in failures.values():
            raise error
        return len(outdated)

    async def _draw_all(
        self, cards: Sequence[Card], state: CardState
    ) -> tuple[list[Card], dict[Card, BaseException]]:
        """Draw cards side by side.

        Returns those whose message somebody deleted, and those that were not drawn for a reason
        that may pass, with it.
        """
        # All end under the lock: one that came late would bring an older drawing back.
        updates = (self._draw(card, state) for card in cards)
        results = await asyncio.gather(*updates, return_exceptions=True)
        deleted: list[Card] = []
        failures: dict[Card, BaseException] = {}
        for card, error in zip(cards, results, strict=True):
            if isinstance(error, SlackFailed) and not error.is_temporary:
                log.warning("card not redrawn", extra={"ref": str(card.ref), "code": error.code})
                # One that can't be edited stays a card as it is. Its buttons are safe, as a press
                # is compared with the object first. A new one would not do: where a workspace
                # bounds the time for edits, every change would bring another card.
                if error.code == MESSAGE_DELETED:
                    deleted.append(card)
            elif error:
                failures[card] = error
        return deleted, failures

    async def _draw(self, card: Card, state: CardState) -> None:
        """Draw one card; one that shows several objects is drawn from all of them."""
        group = state.groups.get((card.channel, card.ts))
        if group is None:
            await self._slack.update(card.channel, card.ts, self._render(card, state))
            return
        context = replace(self.render_context(card.ref), mentions=card.mentions)
        payload, message = None, self._render_group(card, context, group)
        while message.payload != payload:  # another of them may have changed, and been drawn before
            await self._slack.update(card.channel, card.ts, message)
            group = await asyncio.to_thread(
                self._store.card_states.load_group, card.channel, card.ts, context.now
            )
            payload, message = message.payload, self._render_group(card, context, group)

    def _render_group(self, card: Card, context: RenderContext, group: GroupState) -> Message:
        """Render all objects that a card shows, as they are known now."""
        counts = group.open, len(group.refs)
        tallies = {
            each.ref: self.tallies(each.ref, each.snapshot, group.requests.get(each.ref, ()))
            for each in group.objects
        }
        match card.ref.kind:
            case "task":
                root = self._policy.current.commands.root or "@bot"
                message = messages.task_groups.card(
                    context, group.objects, counts, group.requests, tallies, root
                )
            case "instance" | "playbook":
                message = messages.failure_groups.card(
                    context, group.objects, counts, group.requests, tallies
                )
            case kind:
                assert_never(kind)
        return messages.notifications.with_origin(
            context.catalogue,
            message,
            card.intended_channel,
            escalation=self._escalation(card),
            late_since=card.late_since,
        )

    def _escalation(self, card: Card, requests: Sequence[ApprovalRequest] = ()) -> str:
        """Say why a card was escalated to where it is; "" for one that was not."""
        if not card.escalated_from:
            return ""
        routes = self._policy.current.routes
        return messages.notifications.escalation_cause(self._catalogue, card, routes, requests)

    async def escalation_cause(self, card: Card, snapshot: Snapshot) -> str:
        """Say why a card was escalated to where it is, and how many approvals are missing."""
        state = await self._load(card.ref, snapshot)
        return self._escalation(card, state.counted_requests)

    def _escalates_to(self, state: CardState) -> str:
        """Return the first route that an object can still be escalated to; "" for none."""
        snapshot, routes = state.snapshot, self._policy.current.routes
        if snapshot is None or snapshot.status not in OPEN_STATUSES:
            return ""
        workspaces = self._workspaces.all_names(state.ref.workspace)
        passed = {card.escalated_from for card in state.cards}
        steps = (
            step
            for route in matching_routes(routes, snapshot, workspaces)
            for step in escalation_steps(route, routes)
        )
        return next((target.name for origin, target in steps if origin.name not in passed), "")

    def _context(self, state: CardState) -> RenderContext:
        """Return what a card needs to be drawn beyond the object itself, by the object's state."""
        return replace(
            self.render_context(state.ref),
            stale=state.stale,
            snoozed_until=state.snoozed_until,
            snoozed_by=state.snoozed_by,
            assignment=state.assignment,
            escalates_to=self._escalates_to(state),
            tallies=self.tallies(state.ref, state.snapshot, state.requests),
            names=state.names,
        )

    def names_runs(self, ref: Ref, kind: ObjectKind) -> bool:
        """Whether a card that all readers of tasks may see may name the run that waits."""
        names = self._workspaces.all_names(ref.workspace)
        context = PolicyContext(names, self._clock.now())
        return task_readers_read_runs(self._policy.current.rules, kind, context)

    def _render(self, card: Card, state: CardState, viewer: Viewer | None = None) -> Message:
        context = replace(
            self._context(state),
            mentions=card.mentions,
            viewer=viewer,
            decision=state.decision,
            links=self._links(card.channel, state),
        )
        if viewer is None and isinstance(state.snapshot, Task):
            kind = waiting_kind(state.snapshot)
            context = replace(context, names_runs=self.names_runs(card.ref, kind))
        if state.snapshot is None:
            message = messages.vanished_card(context, card.title)
        else:
            message = messages.card(
                context,
                state.snapshot,
                state.standing_operation,
                state.requests,
                state.request_news,
            )
        return messages.notifications.with_origin(
            context.catalogue,
            message,
            card.intended_channel,
            escalation=self._escalation(card, state.counted_requests),
            late_since=card.late_since,
        )

    def _links(self, channel: str, state: CardState) -> dict[str, str]:
        """Return the addresses of other objects' cards: of those in the channel, if there are."""
        linked = dict(state.linked_cards)
        if state.decision:
            linked[str(state.decision.operation.ref)] = state.decision.cards
        return {
            ref: self._slack.permalink(card.channel, card.ts)
            for ref, cards in linked.items()
            if (card := in_channel(cards, channel))
        }

    # Posting.

    async def find_or_post(
        self,
        ref: Ref,
        snapshot: Snapshot,
        channel: str,
        *,
        operation_id: str,
        posted_since: datetime | None,
    ) -> str:
        """Return the ts of the object's card in a channel, posting one where there is none.

        ``posted_since``: since when it may have been posted for this operation before a crash.
        """
        async with self.card_lock(ref, channel):  # two who ask at once get one card
            card = await asyncio.to_thread(self._store.cards.card_in, ref, channel)
            if card:
                return card.ts
            card = Card(ref=ref, channel=channel, ts="", title=snapshot.name)
            metadata = {"part": "card", "operation": operation_id, "ref": str(ref)}
            return await self._post(card, snapshot, metadata, posted_since=posted_since)

    async def private_message(
        self, ref: Ref, snapshot: Snapshot, viewer: Viewer | None = None
    ) -> Message:
        """Return an object's card for one person alone: no drawing follows it."""
        state = await asyncio.to_thread(self._save_and_load, ref, snapshot)
        return self._render(Card(ref=ref, channel="", ts="", title=snapshot.name), state, viewer)

    async def state_of(self, ref: Ref, snapshot: Snapshot) -> tuple[RenderContext, CardState]:
        """Return what rendering an object needs besides the snapshot, as it is now."""
        state = await self._load(ref, snapshot)
        return self._context(state), state

    async def post_new(self, ref: Ref, snapshot: Snapshot, channel: str) -> None:
        """Post another card; whoever looks for one meanwhile waits and finds it."""
        async with self.card_lock(ref, channel):
            card = Card(ref=ref, channel=channel, ts="", title=snapshot.name)
            await self._post(card, snapshot, {"part": "card", "operation": "", "ref": str(ref)})

    async def post_notified(self, card: Card, snapshot: Snapshot, metadata: dict[str, str]) -> str:
        """Post the card that a notification brings, unless it has a ts already; return its ts.

        The caller holds the object's ``card_lock`` for the channel.
        """
        return await self._post(card, snapshot, metadata)

    async def add_to_group(
        self,
        group: CardGroup,
        objects: Sequence[tuple[Ref, Snapshot]],
        since: datetime,
        *,
        most: int | None = None,
    ) -> bool:
        """Let the card that a group has since a time show these too; False if there is none.

        One that shows ``most`` objects takes in none.
        """
        if not group.key:
            return False
        now = self._clock.now()
        find = functools.partial(self._store.cards.group_card, group, since, most=most)
        group_card = await asyncio.to_thread(find)
        if group_card is None or not objects:
            return group_card is not None
        message, posted_at = group_card
        current = await asyncio.to_thread(self._store.evidence.attach, dict(objects))
        objects = list(current.items())
        cards, stored = [], []
        for ref, snapshot in objects:
            stored_snapshot = snapshots.stored(snapshot)
            update = {
                "ref": ref,
                "title": snapshot.name,
                "rendered_fingerprint": "",  # it does not show this one yet
                "decision_fingerprint": stored_snapshot.fingerprint,
            }
            cards.append(message.model_copy(update=update))
            stored.append(stored_snapshot)
        await asyncio.to_thread(
            self._store.cards.add_to_group, list(zip(cards, stored, strict=True)), posted_at, now
        )
        ref, snapshot = objects[-1]
        try:
            # Many may arrive at once: they share a drawing.
            drawing = functools.partial(self._draw_joined, cards[-1], snapshot)
            await self._renders.run(f"{message.channel} {message.ts}", drawing)
        except SlackFailed as error:
            if error.is_temporary:
                raise
            # What can't be drawn there must not be hidden there: it gets a card of its own.
            log.warning("group card not updated", extra={"ref": str(ref), "code": error.code})
            for card in cards:
                await asyncio.to_thread(self._store.cards.forget_card, card, only=card.ref)
            return False
        rendered = [
            card.model_copy(
                update={"rendered_fingerprint": snapshots.rendered_fingerprint(snapshot)}
            )
            for card, (_, snapshot) in zip(cards, objects, strict=True)
        ]
        await asyncio.to_thread(self._store.cards.mark_rendered, rendered)
        for card in cards:
            self.incomplete.put_nowait(IncompleteCards(card.ref))
        return True

    async def _draw_joined(self, card: Card, snapshot: Snapshot) -> None:
        """Draw the message that an object has joined."""
        await self._draw(card, await self._load(card.ref, snapshot))

    async def _post(
        self,
        card: Card,
        snapshot: Snapshot,
        metadata: dict[str, str],
        *,
        posted_since: datetime | None = None,
    ) -> str:
        """Post a card, unless it has a ts, and record it; return its ts."""
        state = await asyncio.to_thread(self._save_and_load, card.ref, snapshot)
        ts = card.ts
        if not ts:
            message = self._render(card, state)
            ts = await self._slack.post(card.channel, message, metadata, posted_since=posted_since)
        posted = card.model_copy(
            update={
                "ts": ts,
                "rendered_fingerprint": state.rendered_fingerprint,
                "decision_fingerprint": state.decision_fingerprint,
            }
        )
        await asyncio.to_thread(self._store.cards.add_card, posted, self._clock.now())
        self.incomplete.put_nowait(IncompleteCards(card.ref))
        return ts

    def _save_and_load(self, ref: Ref, snapshot: Snapshot) -> CardState:
        """Save what a card is about to show, and return what it is drawn from; blocks.

        In one go: each trip to a thread is a wait.
        """
        now = self._clock.now()
        state = self._store.card_states.load(ref, snapshot, now)
        if state.snapshot:
            self._store.snapshots.save(ref, snapshots.stored(state.snapshot), now)
        return state
