"""May they? Asked at the click and again at the submission; no answer means no."""

import asyncio

from bot.actions import Action, Snapshot
from bot.directory import LookupFailed
from bot.models import Actor, Operation, Ref
from bot.policy import Allowed, Refused, decide, needs_facts
from bot.secmaster import NotFound, SecMasterError
from handlers.house import Asker, House

# Slack waits three seconds for the acknowledgement, and recording needs some of them.
READ_WITHIN = 0.8


class NotAllowed(Exception):
    """The policy said no."""

    def __init__(self, action: Action, ref: Ref, refused: Refused) -> None:
        super().__init__(action.name, ref, refused)
        self.action = action
        self.ref = ref
        self.refused = refused


async def permit(house: House, asker: Asker, action: Action, ref: Ref) -> Allowed:
    """Return the rule that allows it, or raise NotAllowed and leave a record of the attempt."""
    answer = await _ask(house, asker.actor, action, ref)
    if isinstance(answer, Allowed):
        return answer
    now = house.desk.clock()
    attempt = Operation(
        id=f"refused-{now.timestamp():.6f}-{asker.actor.id}"[:64],
        action=action.name,
        ref=ref,
        actor=asker.actor,
        place=asker.place,
        rule=answer.rule,
        accepted_at=now,
    )
    await asyncio.to_thread(house.desk.store.refuse, attempt, answer.why, now)
    raise NotAllowed(action, ref, answer)


async def _ask(house: House, actor: Actor, action: Action, ref: Ref) -> Allowed | Refused:
    rules = house.config.rules
    try:
        member = await house.directory.member(actor)
    except LookupFailed:
        return Refused("unknown")
    facts: Snapshot | None = None
    if needs_facts(rules, action):
        try:
            facts = await asyncio.wait_for(house.desk.look(ref), READ_WITHIN)
        except NotFound:
            return Refused("gone")
        except (SecMasterError, TimeoutError):
            return Refused("unread")
    return decide(rules, member, action, facts)
