"""What people change in the bot itself: delegations, subscriptions, snoozes, claims, preferences.

Only here are these written. A change is recorded together with its audit record and with what is
to be announced of it, so none of the three is lost without the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.approvals import CallPreference
from bot.domain.delegations import Delegation
from bot.domain.mutes import Mute
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import Ref
from bot.domain.tracking import Assignment
from bot.store import (
    audit_log,
    delegations,
    home_views,
    mutes,
    personal_snoozes,
    preferences,
    subscriptions,
    tracked,
)
from bot.store.audit import object_name
from bot.store.outbox import bring_forward, contains, enqueue
from bot.store.repository import Repository


@dataclass(frozen=True, slots=True)
class RequestedChange:
    """When somebody asked for a change, its audit record, and what is to be announced of it.

    The record's "operation_id" names the request: delivered again it has the same.
    """

    at: datetime
    record: Mapping[str, Any]
    announcements: Sequence[OutboxEntry] = ()


class RequestedChanges(Repository):
    """Makes each change once, however often its request is delivered.

    A method returns whether there was something to change; where there was not, nothing is
    recorded.
    """

    def create_delegation(self, delegation: Delegation, change: RequestedChange) -> bool:
        """Record a delegation, in the place of an earlier one between the same two people."""
        id_ = str(change.record["operation_id"])

        def create(connection: sa.Connection) -> bool:
            delegations.end(connection, delegation.delegator, delegation.delegate, change.at)
            delegations.create(connection, id_, delegation, change.at)
            return True

        return self._make(change, create)

    def revoke_delegation(self, delegator: str, delegate: str, change: RequestedChange) -> bool:
        """End what one person delegated to another."""
        return self._make(
            change,
            lambda connection: delegations.end(connection, delegator, delegate, change.at),
        )

    def subscribe(self, channel: str, actor_id: str, change: RequestedChange) -> bool:
        """Subscribe a channel to all that arrives."""

        def add(connection: sa.Connection) -> bool:
            return subscriptions.add(connection, self._insert, channel, actor_id, change.at)

        return self._make(change, add)

    def unsubscribe(self, channel: str, change: RequestedChange) -> bool:
        """End the subscription of a channel."""
        return self._make(change, lambda connection: subscriptions.remove(connection, channel))

    def snooze(self, ref: Ref, until: datetime | None, by: str, change: RequestedChange) -> bool:
        """Send no reminders of an open object until a time; None ends its snooze."""
        return self._make(
            change, lambda connection: tracked.snooze(connection, ref, until, by, change.at)
        )

    def snooze_for_me(self, ref: Ref, until: datetime, user: str, change: RequestedChange) -> bool:
        """Send a person no direct messages about an open object until a time."""

        def begin(connection: sa.Connection) -> bool:
            return personal_snoozes.begin(connection, self._insert, ref, user, until, change.at)

        return self._make(change, begin)

    def unsnooze(self, ref: Ref, user: str, change: RequestedChange) -> bool:
        """End the snooze of an object for everybody, and that of a person for themselves."""

        def end(connection: sa.Connection) -> bool:
            was_personal = personal_snoozes.end(connection, ref, user, change.at)
            snoozed = [row for row in tracked.get(connection, [ref]) if row.is_snoozed(change.at)]
            if snoozed:
                tracked.snooze(connection, ref, None, user, change.at)
            return was_personal or bool(snoozed)

        return self._make(change, end)

    def assign(
        self,
        ref: Ref,
        assignment: Assignment | None,
        assignee_before: str,
        change: RequestedChange,
    ) -> bool:
        """Record who claims an open object, None for nobody.

        Returns False as well where somebody else than ``assignee_before`` has it by now.
        """
        return self._make(
            change,
            lambda connection: tracked.assign(
                connection, ref, assignment, assignee_before, change.at
            ),
        )

    def escalate(self, cards: Sequence[OutboxEntry], change: RequestedChange) -> bool:
        """Enqueue the cards that escalate an object; False where all of them were before.

        One that quiet hours hold back is posted now. The audit's lock lets one process after the
        other come here.
        """

        def add(connection: sa.Connection) -> bool:
            new = [card for card in cards if not contains(connection, card.dedupe_key)]
            held = [card for card in cards if bring_forward(connection, card, change.at)]
            enqueue(connection, self._insert, new, change.at)
            return bool(new or held)

        return self._make(change, add)

    def mute(self, mute: Mute, change: RequestedChange) -> bool:
        """Mute a workflow, or change until when it is muted."""

        def begin(connection: sa.Connection) -> bool:
            mutes.begin(connection, self._insert, mute)
            return True

        return self._make(change, begin)

    def unmute(self, workspace: str, key: str, change: RequestedChange) -> bool:
        """End the mute of a workflow: what it held back comes now."""
        return self._make(
            change, lambda connection: mutes.end(connection, workspace, key, change.at)
        )

    def choose_home_options(self, user: str, options: dict[str, Any], at: datetime) -> None:
        """Record with which options a person's Home is to be drawn."""
        with self.engine.begin() as connection:
            home_views.save_options(connection, self._insert, user, options, at)

    def choose_calls(self, user: str, calls: CallPreference, change: RequestedChange) -> bool:
        """Call a person for approvals in this way."""

        def save(connection: sa.Connection) -> bool:
            preferences.save_calls(connection, self._insert, user, calls, change.at)
            return True

        return self._make(change, save)

    def _make(self, change: RequestedChange, make: Callable[[sa.Connection], bool]) -> bool:
        """Make a change with all that belongs to it, unless its request was carried out before.

        The record of one that is about an object has the name that this had then.
        """
        with self.engine.connect() as connection:
            record, ref = dict(change.record), Ref.parse(str(change.record["target"]))
            if ref and (name := object_name(connection, ref)):
                record["object_name"] = name
            if not audit_log.append(connection, record):
                return True
            if not make(connection):
                return False  # nothing is committed, the audit record neither
            enqueue(connection, self._insert, change.announcements, change.at)
            connection.commit()
        return True
