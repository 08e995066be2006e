"""Tell what would come of a press of a button, by asking whatever decides about the press."""

from bot.domain.actions import Action
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState
from bot.domain.slack import Requester
from bot.domain.snapshots import Snapshot, decision_fingerprint
from bot.messages.permissions import ActionForecast
from bot.operations import preflight
from bot.operations.authorization import ask_policy
from bot.operations.step_results import ResultKind
from bot.policy.decide import Allowed
from bot.services import Services

# Who presses is asked for a reason and the name, and gives them.
GIVEN = "given when asked for"


async def forecast(  # noqa: PLR0913 - who presses what, on which object
    services: Services,
    requester: Requester,
    action: Action,
    ref: Ref,
    snapshot: Snapshot,
    *,
    break_glass: bool = False,
) -> ActionForecast:
    """Return how a press on a card that shows an object like this would end now.

    It is accepted where it would be sent, or count as an approval. Nothing is changed or recorded.
    """
    config = services.policy.current

    async def read() -> Snapshot:
        return snapshot

    answer = await ask_policy(
        services, config, requester.actor, action, ref, read=read, break_glass=break_glass
    )
    if not isinstance(answer.decision, Allowed):
        return ActionForecast(action, answer.decision, accepted=False, terms=answer.terms)
    operation = Operation(
        id=f"why:{action.name}:{requester.actor.id}",
        action=action.name,
        ref=ref,
        actor=requester.actor,
        location=requester.location,
        reason=GIVEN,
        rule=answer.decision.rule,
        terms=answer.terms,
        break_glass=break_glass,
        confirmed=True,
        decision_fingerprint=decision_fingerprint(snapshot),
        accepted_at=services.clock.now(),
        process_id=services.process_id,
    )
    result = await preflight.forecast(services, config, operation, snapshot)
    counted = result.outcome.state is OperationState.COUNTED
    return ActionForecast(
        action,
        answer.decision,
        accepted=result.kind is ResultKind.DONE or counted,
        terms=result.operation.terms if result.operation else answer.terms,
        outcome=result.outcome,
        holder=result.holder,
    )
