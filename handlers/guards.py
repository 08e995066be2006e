"""May they? Asked at the click and again at the submission; no answer means no."""

import asyncio
from dataclasses import dataclass

from bot.actions import Action, Snapshot
from bot.directory import LookupFailed
from bot.models import Actor, Operation, Ref, Terms
from bot.policy import Allowed, Decision, Matter, Member, Refused, decide, needs_facts
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


class NoRight(Exception):
    """A command that is not about a task or an instance is left to others, by their ``roles``."""

    def __init__(self, right: str, roles: tuple[str, ...]) -> None:
        super().__init__(right, roles)
        self.right = right
        self.roles = roles


@dataclass(frozen=True, slots=True)
class Permit:
    """The answer that allows it, and the terms that are recorded with it."""

    allowed: Allowed
    terms: Terms


async def permit(
    house: House, asker: Asker, action: Action, ref: Ref, *, glass: bool = False
) -> Permit:
    """Return what allows it, or raise NotAllowed and leave a record of the attempt."""
    member, answer = await ask(house, asker.actor, action, ref, glass=glass)
    terms = _terms(house, member, answer)
    if isinstance(answer, Allowed):
        return Permit(answer, terms)
    now = house.desk.clock()
    attempt = Operation(
        id=f"refused-{now.timestamp():.6f}-{asker.actor.id}"[:64],
        action=action.name,
        ref=ref,
        actor=asker.actor,
        place=asker.place,
        rule=answer.rule,
        terms=terms,
        accepted_at=now,
    )
    await asyncio.to_thread(house.desk.store.refuse, attempt, answer.why, now)
    raise NotAllowed(action, ref, answer)


async def ask(
    house: House, actor: Actor, action: Action, ref: Ref, *, glass: bool = False
) -> tuple[Member, Decision]:
    """Ask the policy, with what it has to know of the person and of the object."""
    rules = house.config.rules
    try:
        member = await house.directory.member(actor)
    except LookupFailed:
        return Member(actor.id), Refused("unknown")
    about: Snapshot | None = None
    if needs_facts(rules, action):
        try:
            about = await asyncio.wait_for(house.desk.look(ref), READ_WITHIN)
        except NotFound:
            return member, Refused("gone")
        except (SecMasterError, TimeoutError):
            return member, Refused("unread")
    return member, decide(rules, member, action, matter(house, ref, about), glass=glass)


def matter(house: House, ref: Ref, about: Snapshot | None) -> Matter:
    """What the policy must know of an object; a workspace goes by its alias and by its name."""
    names = frozenset({ref.workspace, house.desk.name(ref)})
    return Matter(names, house.desk.clock(), about)


def _terms(house: House, member: Member, answer: Decision) -> Terms:
    config = house.config
    terms = Terms(
        comment=config.attribution.comment,
        policy=config.digest,
        identity=str(member.identities[0]),
    )
    if isinstance(answer, Refused):
        return terms
    given = {
        "approvals": answer.approvals,
        "expires": answer.expires,
        "may_break": answer.may_break,
        "glass": config.break_glass.channel if answer.glass else "",
        "lender": answer.lender,
    }
    return terms.model_copy(update=given)


async def right(house: House, actor: Actor, name: str) -> Member:
    """Return who asks, if one of their roles has this right; raises NoRight or LookupFailed."""
    roles: tuple[str, ...] = getattr(house.config.rights, name)
    member = await house.directory.member(actor)
    if member.guest or member.outsider or member.roles.isdisjoint(roles):
        raise NoRight(name, roles)
    return member
