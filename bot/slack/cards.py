"""The cards of an object: posted once where they belong, and drawn from what SecMaster says."""

import asyncio
import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot import messages
from bot.domain import snapshots
from bot.domain.actions import CHANGEABLE_STATUSES
from bot.domain.approvals import ApprovalRequest
from bot.domain.cards import Card
from bot.domain.objects import Ref
from bot.domain.operations import OperationState, StandingOperation
from bot.domain.snapshots import Snapshot, StoredSnapshot
from bot.domain.workspaces import Workspaces
from bot.messages import Message, RenderContext
from bot.policy.config import PolicyHolder
from bot.runtime.clock import Clock
from bot.runtime.coalesce import Coalescer
from bot.runtime.locks import KeyedLocks
from bot.runtime.timeouts import Timeouts
from bot.secmaster import NotFound
from bot.slack.gateway import SlackFailed, SlackGateway
from bot.store import Store

log = logging.getLogger(__name__)

VANISHED = "vanished"
# What a card tells of: what was done from here, or may have been.
STANDING_STATES = (OperationState.DONE, OperationState.UNKNOWN, OperationState.IN_DOUBT)
GROUP_ROWS = 200  # failures of one workflow whose rows are read to draw one card


@dataclass(frozen=True, slots=True)
class CardState:
    """What the cards of an object are drawn from; ``snapshot`` is None where it is gone.

    ``stale``: SecMaster can't be read, and the snapshot is the one that was read last.
    """

    ref: Ref
    snapshot: Snapshot | None
    standing: StandingOperation | None
    requests: tuple[ApprovalRequest, ...]
    snoozed_until: datetime | None = None
    snoozed_by: str = ""
    stale: bool = False

    @property
    def fingerprint(self) -> str:
        return snapshots.rendered_fingerprint(self.snapshot) if self.snapshot else VANISHED


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
        console_url: str = "",
    ) -> None:
        self._slack = slack
        self._store = store
        self._workspaces = workspaces
        self._policy = policy
        self._clock = clock
        self._optional_timeout = timeouts.optional
        self._console_url = console_url
        self._locks = KeyedLocks()
        self._renders = Coalescer(timeouts.render_interval)

    async def close(self) -> None:
        """Break off the drawings under way; the next start draws them."""
        await self._renders.close()

    def render_context(self, ref: Ref) -> RenderContext:
        """Return what a card of this object needs to be drawn beyond the object itself."""
        workspace = self._workspaces.name(ref.workspace)
        return RenderContext(ref, self._clock.now(), workspace, self._console_url)

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
        cards = await asyncio.to_thread(self._store.cards_at, channel, ts)
        if cards:
            return cards[0].ref if len(cards) == 1 else None
        try:
            async with asyncio.timeout(self._optional_timeout):
                metadata = await self._slack.own_metadata(channel, ts)
        except (SlackFailed, TimeoutError) as error:
            log.warning("thread not read", extra={"error": str(error)})
            return None
        return Ref.parse(metadata.get("ref", ""))

    # Drawing.

    async def redraw(self, ref: Ref) -> None:
        """Draw every card of an object from what SecMaster says now; raises SecMasterError.

        Those who ask while that is being done share the next drawing.
        """
        await self._renders.run(str(ref), lambda: self.redraw_now(ref))

    async def redraw_now(self, ref: Ref) -> None:
        """Draw every card of an object for this caller alone, who may break it off."""
        await self._draw_cards(ref, only_outdated=False)

    async def redraw_outdated(self, ref: Ref) -> int:
        """Draw those cards of an object that show something else than is so; return how many."""
        return await self._draw_cards(ref, only_outdated=True)

    async def redraw_from_stored(self, ref: Ref) -> None:
        """Draw the cards from the snapshot that was read last, while SecMaster can't be read."""
        async with self.render_lock(ref):
            cards = await asyncio.to_thread(self._store.cards_of, ref)
            fingerprints = [each.decision_fingerprint for each in cards]
            fingerprint = next(filter(None, fingerprints), "")
            stored = await asyncio.to_thread(self._store.snapshot_json, fingerprint)
            if snapshot := snapshots.parse(ref.kind, stored):
                state = await asyncio.to_thread(self._load_state, ref, snapshot)
                stale = replace(state, stale=True)
                await asyncio.gather(*(self._draw(card, stale) for card in cards))

    async def _draw_cards(self, ref: Ref, *, only_outdated: bool) -> int:
        async with self.render_lock(ref):
            cards = await asyncio.to_thread(self._store.cards_of, ref)
            if not cards and not await asyncio.to_thread(self._store.tracked.contains, ref):
                return 0
            try:
                snapshot = await self.read_and_track(ref)
            except NotFound:
                snapshot = None
            state = await asyncio.to_thread(self._load_state, ref, snapshot)
            outdated = [
                card
                for card in cards
                if not only_outdated or card.rendered_fingerprint != state.fingerprint
            ]
            stored = snapshots.stored(snapshot) if outdated and snapshot else StoredSnapshot()
            if stored.fingerprint:  # before a card shows it
                await asyncio.to_thread(self._store.save_snapshot, ref, stored, self._clock.now())
            updates = (self._update(card, state, stored.fingerprint) for card in outdated)
            # All end under the lock: one that came late would bring an older drawing back.
            results = await asyncio.gather(*updates, return_exceptions=True)
            for error in filter(None, results):
                raise error
            # SecMaster's gateway can lose a task for a moment: what vanished may come back.
            changeable = snapshot is None or snapshot.status in CHANGEABLE_STATUSES
            await asyncio.to_thread(self._store.mark_checked, cards, open_=changeable)
            return len(outdated)

    async def _update(self, card: Card, state: CardState, fingerprint: str) -> None:
        """Draw one card and record what it shows; raises only what may pass."""
        try:
            await self._draw(card, state)
        except SlackFailed as error:
            if error.is_temporary:
                raise
            log.warning("card not redrawn", extra={"ref": str(card.ref), "code": error.code})
            if error.code == "message_not_found":  # somebody deleted it
                await asyncio.to_thread(self._store.forget_card, card)
                return
        await asyncio.to_thread(self._store.mark_rendered, card, state.fingerprint, fingerprint)

    async def _draw(self, card: Card, state: CardState) -> None:
        """Draw one card; one that shows a group of failures is drawn from all of them."""
        group = await asyncio.to_thread(self._store.cards_at, card.channel, card.ts)
        if len(group) < 2:  # noqa: PLR2004 - one is no group
            await self._slack.update(card.channel, card.ts, self._render(card, state))
            return
        context = replace(self.render_context(card.ref), mentions=card.mentions)
        payload, message = None, await self._render_group(card, context)
        while message.payload != payload:  # another of them may have changed, and been drawn before
            await self._slack.update(card.channel, card.ts, message)
            payload, message = message.payload, await self._render_group(card, context)

    async def _render_group(self, card: Card, context: RenderContext) -> Message:
        """Render all failures that a card shows, as they are known now."""
        store = self._store
        cards = await asyncio.to_thread(store.cards_at, card.channel, card.ts)
        refs = [each.ref for each in cards]
        objects = await asyncio.to_thread(store.tracked.get, refs[:GROUP_ROWS])
        failed = await asyncio.to_thread(store.tracked.count_open, refs)
        requests = {
            row.ref: await asyncio.to_thread(store.approval_requests, row.ref, context.now)
            for row in messages.failure_groups.visible_rows(objects)
        }
        message = messages.failure_groups.card(context, objects, (failed, len(refs)), requests)
        return messages.notifications.with_origin(
            message, card.intended_channel, card.escalated_from
        )

    def _render(self, card: Card, state: CardState) -> Message:
        context = replace(
            self.render_context(card.ref),
            stale=state.stale,
            mentions=card.mentions,
            snoozed_until=state.snoozed_until,
            snoozed_by=state.snoozed_by,
        )
        if state.snapshot is None:
            message = messages.vanished_card(context, card.title)
        else:
            message = messages.card(context, state.snapshot, state.standing, state.requests)
        return messages.notifications.with_origin(
            message, card.intended_channel, card.escalated_from
        )

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
            card = await asyncio.to_thread(self._store.card_in, ref, channel)
            if card:
                return card.ts
            card = Card(ref=ref, channel=channel, ts="", title=snapshot.name)
            metadata = {"part": "card", "operation": operation_id, "ref": str(ref)}
            return await self._post(card, snapshot, metadata, posted_since=posted_since)

    async def post_new(self, ref: Ref, snapshot: Snapshot, channel: str) -> None:
        """Post another card; whoever looks for one meanwhile waits and finds it."""
        async with self.card_lock(ref, channel):
            card = Card(ref=ref, channel=channel, ts="", title=snapshot.name)
            await self._post(card, snapshot, {"part": "card", "operation": "", "ref": str(ref)})

    async def post_notified(self, card: Card, snapshot: Snapshot, metadata: dict[str, str]) -> str:
        """Post the card that a notification brings, unless it has a ts already; return its ts.

        The caller holds the object's ``card_lock`` for the channel.
        """
        # Its address is not asked for: Slack tells five a second, and of all that arrives only
        # few are decided on here.
        return await self._post(card, snapshot, metadata, wants_permalink=False)

    async def add_to_group(
        self,
        channel: str,
        group: str,
        runs: Sequence[tuple[Ref, Snapshot]],
        *,
        intended_channel: str,
    ) -> bool:
        """Let the card of a group of failures show these too; False if there is none."""
        if not group:
            return False
        since = self._clock.now() - self._policy.current.watch.gather
        group_card = await asyncio.to_thread(
            self._store.group_card, channel, group, intended_channel, since
        )
        if group_card is None or not runs:
            return group_card is not None
        message, posted_at = group_card
        joined: list[tuple[Card, CardState]] = []
        for ref, snapshot in runs:
            fingerprint, state = await asyncio.to_thread(self._save_and_load, ref, snapshot)
            card = message.model_copy(
                update={
                    "ref": ref,
                    "title": snapshot.name,
                    "rendered_fingerprint": "",  # it does not show this one yet
                    "decision_fingerprint": fingerprint,
                }
            )
            await asyncio.to_thread(self._store.add_card, card, posted_at)
            joined.append((card, state))
        card, state = joined[-1]
        try:
            # Many may arrive at once: they share a drawing.
            drawing = functools.partial(self._draw, card, state)
            await self._renders.run(f"{card.channel} {card.ts}", drawing)
        except SlackFailed as error:
            if error.is_temporary:
                raise
            # What can't be drawn there must not be hidden there: it gets a card of its own.
            log.warning("group card not updated", extra={"ref": str(card.ref), "code": error.code})
            for card, _ in joined:
                await asyncio.to_thread(self._store.forget_card, card, only=card.ref)
            return False
        for card, state in joined:
            await asyncio.to_thread(
                self._store.mark_rendered, card, state.fingerprint, card.decision_fingerprint
            )
        return True

    async def _post(
        self,
        card: Card,
        snapshot: Snapshot,
        metadata: dict[str, str],
        *,
        posted_since: datetime | None = None,
        wants_permalink: bool = True,
    ) -> str:
        """Post a card, unless it has a ts, and record it; return its ts."""
        fingerprint, state = await asyncio.to_thread(self._save_and_load, card.ref, snapshot)
        ts = card.ts
        if not ts:
            message = self._render(card, state)
            ts = await self._slack.post(card.channel, message, metadata, posted_since=posted_since)
        posted = card.model_copy(
            update={
                "ts": ts,
                "rendered_fingerprint": state.fingerprint,
                "decision_fingerprint": fingerprint,
            }
        )
        recording = asyncio.to_thread(self._store.add_card, posted, self._clock.now())
        # Its address is asked for now, so that no decision waits for it.
        permalink = [self._slack.permalink(card.channel, ts)] if wants_permalink else []
        await asyncio.gather(recording, *permalink)
        return ts

    # What a card is drawn from; these block, and are meant for a thread.

    def _save_and_load(self, ref: Ref, snapshot: Snapshot) -> tuple[str, CardState]:
        """Save what a card is about to show; return its fingerprint with what else is shown.

        In one go: each trip to a thread is a wait.
        """
        stored = snapshots.stored(snapshot)
        self._store.save_snapshot(ref, stored, self._clock.now())
        return stored.fingerprint, self._load_state(ref, snapshot)

    def _load_state(self, ref: Ref, snapshot: Snapshot | None) -> CardState:
        """Load what was done to an object from here, what waits for approvals, who snoozed it."""
        now = self._clock.now()
        state = CardState(
            ref,
            snapshot,
            standing=self._store.standing_operation(ref, *STANDING_STATES),
            requests=self._store.approval_requests(ref, now),
        )
        tracked = next(iter(self._store.tracked.get([ref])), None)
        if tracked is None or tracked.snoozed_until is None or tracked.snoozed_until <= now:
            return state
        return replace(state, snoozed_until=tracked.snoozed_until, snoozed_by=tracked.snoozed_by)
