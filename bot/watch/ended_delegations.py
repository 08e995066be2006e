"""Take back the approvals that were given through a delegation which is over.

A press takes them back as well. Here it is done as soon as that is noticed, so that cards, threads,
Home and forms count what a press would count.
"""

import asyncio
import logging

from bot.domain.actions import BY_NAME
from bot.domain.approvals import OpenRequest, standing
from bot.domain.notifications import OutboxEntry
from bot.notifications.approval_calls import place_of
from bot.notifications.kinds import ApprovalsRevokedNotification
from bot.operations.authorization import no_longer_allowed, policy_context
from bot.services import Services
from bot.slack.directory import LookupFailed

log = logging.getLogger(__name__)


async def take_back_approvals(services: Services) -> None:
    """Take back the approvals through delegations that are over, and have their threads told.

    Whoever may approve without the delegation gives theirs anew. Whom Slack can't say anything
    about now is looked at again the next time.
    """
    now = services.clock.now()
    requests = await asyncio.to_thread(services.store.claims.open_requests, now)
    delegated = [
        origin
        for origin in requests
        if any(approval.delegator for approval in origin.request.approvals)
    ]
    if not delegated:
        return
    delegations = await asyncio.to_thread(services.store.delegations.all, now)
    in_force = {(delegation.delegator, delegation.delegate) for delegation in delegations}
    for origin in delegated:
        if all(
            not approval.delegator or (approval.delegator, approval.actor.id) in in_force
            for approval in origin.request.approvals
        ):
            continue
        try:
            await _take_back(services, origin)
        except LookupFailed as error:
            log.warning(
                "approvals not checked", extra={"ref": str(origin.ref), "error": str(error)}
            )


async def _take_back(services: Services, origin: OpenRequest) -> None:
    """Take back the approvals of a request that the policy would not allow any more.

    With them go those of later stages, which relied on them.
    It is asked about what was approved: of anything else no approval counts.
    """
    ref, request, now = origin.ref, origin.request, services.clock.now()
    fingerprint = request.approvals[-1].decision_fingerprint
    snapshot = await asyncio.to_thread(services.store.snapshots.get, ref, fingerprint)
    if snapshot is None:
        return
    config, context = services.policy.current, policy_context(services, ref, snapshot)
    revoked = await no_longer_allowed(
        services, config, BY_NAME[request.action], request.approvals, context
    )
    if not revoked:
        return
    destination, thread = await asyncio.to_thread(place_of, services, origin)
    others = [approval for approval in request.approvals if approval not in revoked]
    remaining = standing(request.stages, others)
    dropped = tuple(approval for approval in others if approval not in remaining)
    ids = ",".join(approval.operation_id for approval in revoked)
    entry = OutboxEntry(
        dedupe_key=f"approvals_revoked:{ids}",
        destination=destination,
        notification=ApprovalsRevokedNotification(
            ref=ref,
            thread_ts=thread,
            action=request.action,
            name=snapshot.name,
            revoked=revoked,
            dropped=dropped,
            count=len(remaining),
            needed=request.needed,
        ),
        not_before=now,
    )
    revoke = services.store.claims.revoke_approvals
    await asyncio.to_thread(revoke, ref, revoked, now, [entry], dropped=dropped)
    services.outbox_written.set()
