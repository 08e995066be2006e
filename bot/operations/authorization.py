"""May they? Asked at the click and again at the submission; no answer means no."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

from bot.domain.actions import Action, Snapshot
from bot.domain.models import Operation, Ref, Terms, Vote
from bot.policy.config import Config
from bot.policy.decide import Allowed, Decision, Matter, Member, Refused, decide, needs_facts
from bot.secmaster import NotFound, SecMasterError
from bot.slack.directory import LookupFailed
from bot.store import gathering
from handlers.context import Asker, House


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
    """The answer that allows it, the terms that are recorded with it, and on what it was given.

    ``about`` is the object as it was asked about, None where no rule asks for it.
    """

    allowed: Allowed
    terms: Terms
    about: Snapshot | None = None


async def permit(
    house: House, asker: Asker, action: Action, ref: Ref, *, glass: bool = False
) -> Permit:
    """Return what allows it, or raise NotAllowed and leave a record of the attempt."""
    config = house.config  # one policy from the question to the record, whatever is read anew
    member, about = Member(asker.actor.id), None
    answer: Decision = Refused("unknown")
    try:
        member = await house.directory.member(asker.actor)
        about = await _facts(house, config, action, ref)
        answer = decide(config.rules, member, action, matter(house, ref, about), glass=glass)
    except LookupFailed:
        pass
    except NotFound:
        answer = Refused("gone")
    except (SecMasterError, TimeoutError):
        answer = Refused("unread")
    terms = _terms(config, member, answer)
    if isinstance(answer, Allowed):
        return Permit(answer, _braked(config, action, about, terms), about)
    await _refused(house, asker, (action, ref), answer, terms)
    raise NotAllowed(action, ref, answer)


async def _facts(house: House, config: Config, action: Action, ref: Ref) -> Snapshot | None:
    """The object, if any rule asks what it is."""
    braked = config.brake is not None and action.retries
    if not (braked or needs_facts(config.rules, action)):
        return None
    async with asyncio.timeout(house.desk.patience.ask):
        return await house.desk.look(ref)


async def _refused(
    house: House, asker: Asker, what: tuple[Action, Ref], answer: Refused, terms: Terms
) -> None:
    now, (action, ref) = house.desk.clock(), what
    attempt = Operation(
        id=secrets.token_hex(16),
        action=action.name,
        ref=ref,
        actor=asker.actor,
        place=asker.place,
        rule=answer.rule,
        terms=terms,
        accepted_at=now,
    )
    await asyncio.to_thread(house.desk.store.refuse, attempt, answer.why, now)


async def without_right(
    house: House, action: Action, ref: Ref, about: Snapshot | None
) -> tuple[Vote, ...]:
    """Whoever has said yes to this and may not any more; raises LookupFailed."""
    ballots = await asyncio.to_thread(house.desk.store.ballots, ref, house.desk.clock())
    votes = [vote for each in ballots if each.action == action.name for vote in each.votes]
    members = await asyncio.gather(*(house.directory.member(vote.actor) for vote in votes))
    rules, asked = house.config.rules, matter(house, ref, about)
    return tuple(
        vote
        for vote, member in zip(votes, members, strict=True)
        if isinstance(decide(rules, member, action, asked), Refused)
    )


def matter(house: House, ref: Ref, about: Snapshot | None) -> Matter:
    """What the policy must know of an object; a workspace goes by its alias and by its name."""
    names = frozenset({ref.workspace, house.desk.name(ref)})
    return Matter(names, house.desk.clock(), about)


def _terms(config: Config, member: Member, answer: Decision) -> Terms:
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


def _braked(config: Config, action: Action, about: Snapshot | None, terms: Terms) -> Terms:
    """The terms of a retry, which ask for a second person where there were too many of late."""
    workflow = gathering(about) if about else ""
    if config.brake is None or not action.retries or not workflow:
        return terms
    within = config.brake.within.total_seconds()
    brake = {"gathers": workflow, "brake": config.brake.retries, "brake_within": within}
    return terms.model_copy(update=brake)


async def right(house: House, asker: Asker, name: str) -> Member:
    """Return who asks, if one of their roles has this right.

    Raises NoRight, and leaves a record of the attempt; or LookupFailed.
    """
    roles: tuple[str, ...] = getattr(house.config.rights, name)
    member = await house.directory.member(asker.actor)
    if member.guest or member.outsider or member.roles.isdisjoint(roles):
        refused = entry(house, asker, name, "refused", secrets.token_hex(16))
        await asyncio.to_thread(house.desk.store.note, refused)
        raise NoRight(name, roles)
    return member


def entry(house: House, asker: Asker, action: str, outcome: str, id_: str) -> dict[str, Any]:
    """What the audit keeps of what is about no task and no instance."""
    return {
        "at": house.desk.clock(),
        "operation_id": id_,
        "outcome": outcome,
        "action": action,
        "target": "policy",
        "actor": asker.actor.model_dump(),
        "place": asker.place.model_dump(exclude={"response_url"}),
        "terms": {"policy": house.config.digest},
    }
