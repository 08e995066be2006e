"""Escalation at once: what the routes of an object would do later, because somebody asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.notifications import OutboxEntry
from bot.domain.tracking import TrackedObject
from bot.notifications import planner
from bot.notifications.card import CardNotification, escalation_key
from bot.policy.routes import Route, escalation_steps
from bot.services import Services


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """One step that a route may take: from ``origin`` to ``target``, by a dedupe key."""

    origin: Route
    target: Route
    dedupe_key: str


def possible_steps(services: Services, tracked: TrackedObject) -> list[list[EscalationStep]]:
    """Return the steps of each route of an object that escalates, in order."""
    routes = services.policy.current.routes
    chains = [
        [
            EscalationStep(origin, target, f"{escalation_key(tracked)}:{target.destination.id}")
            for origin, target in escalation_steps(route, routes)
        ]
        for route in planner.routes_of(services, tracked.ref, tracked.snapshot)
    ]
    return [chain for chain in chains if chain]


def next_steps(services: Services, tracked: TrackedObject) -> list[EscalationStep]:
    """Return the first step of each route that was not taken yet; blocks.

    One that only waits for the end of quiet hours was not.
    """
    outbox, now = services.store.outbox, services.clock.now()
    pending = [
        next(
            (
                step
                for step in chain
                if not outbox.contains(step.dedupe_key) or outbox.is_held_back(step.dedupe_key, now)
            ),
            None,
        )
        for chain in possible_steps(services, tracked)
    ]
    return list({step.dedupe_key: step for step in pending if step}.values())


def entries(
    tracked: TrackedObject,
    steps: Sequence[EscalationStep],
    actor_id: str,
    reason: str,
    now: datetime,
) -> list[OutboxEntry]:
    """Return the cards that the steps bring: each alone, and during quiet hours too.

    They have the keys of what time would bring, so that each comes once.
    """
    return [
        OutboxEntry(
            dedupe_key=step.dedupe_key,
            destination=step.target.destination,
            notification=CardNotification(
                ref=tracked.ref,
                mentions=step.target.mention,
                route=step.target.name,
                escalated_from=step.origin.name,
                escalated_by=actor_id,
                escalation_reason=reason,
            ),
            not_before=now,
        )
        for step in steps
    ]
