"""Rights themselves are asked about: why, by whom lent, what was decided, and the policy anew."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from bot.domain.actions import TABLE, Action, Snapshot
from bot.domain.models import Actor, Loan, Noun, Ref
from bot.messages import Message, audit_history
from bot.messages import permissions as said
from bot.operations import authorization
from bot.policy.config import ConfigError
from bot.policy.decide import Allowed, Matter, Member, decide
from bot.policy.rules import Rule
from bot.secmaster import NotFound
from bot.slack.gateway import SlackTrouble, chat_with, post
from handlers.context import Asker, House, id_of
from handlers.errors import Told
from handlers.requests import Audit, Lend, Loans, Request, TakeBack, Why
from handlers.time_parsing import moment

log = logging.getLogger(__name__)


async def answer(house: House, request: Request, asker: Asker, once: str) -> Message:
    """Do what is asked about rights, and say what came of it; it is on record by then.

    ``once`` names this very command: delivered again, it is the same.
    """
    match request:
        case Why():
            return await why(house, request, asker.actor)
        case Audit():
            return await audit(house, request, asker)
        case Loans():
            return await loans(house, asker.actor)
        case Lend():
            return await lend(house, request, asker, once)
        case TakeBack():
            return await take_back(house, request.borrower, asker, once)
        case _:
            return await reload(house, asker, once)


async def why(house: House, wanted: Why, actor: Actor) -> Message:
    """Which rule lets or stops the person for each action, and who could."""
    ref, about = await found(house, wanted.id, wanted.nouns)
    member = await house.directory.member(actor)
    rules, matter = house.config.rules, authorization.matter(house, ref, about)
    answers = [
        (action, decide(rules, member, action, matter), _may_break(rules, member, action, matter))
        for action in TABLE
        if action.noun == ref.noun
    ]
    return said.why(ref, answers, house.config.roles)


def _may_break(rules: Sequence[Rule], member: Member, action: Action, about: Matter) -> bool:
    return isinstance(decide(rules, member, action, about, glass=True), Allowed)


async def audit(house: House, wanted: Audit, asker: Asker) -> Message:
    """One object's story, for those who may read it."""
    await authorization.right(house, asker, "audit")
    store = house.desk.store
    for noun in wanted.nouns:
        ref = Ref(noun=noun, id=wanted.id, workspace=house.main)
        if entries := await asyncio.to_thread(store.audit_of, ref):
            return audit_history.story(ref, entries)
    return said.no_story(wanted.id)


async def found(house: House, object_id: str, nouns: tuple[Noun, ...]) -> tuple[Ref, Snapshot]:
    """The task or the instance of that id, whichever there is."""
    *others, last = (Ref(noun=noun, id=object_id, workspace=house.main) for noun in nouns)
    for ref in others:
        try:
            return ref, await house.desk.look(ref)
        except NotFound:
            continue
    return last, await house.desk.look(last)


async def reload(house: House, asker: Asker, once: str) -> Message:
    """Read the policy again; a file that can't be used leaves the one before in force."""
    await authorization.right(house, asker, "reload")
    try:
        before = house.policy.reload()
    except ConfigError as wrong:
        log.warning("policy not read again", extra={"problems": str(wrong)})
        return said.not_reloaded(str(wrong))
    done = authorization.entry(house, asker, "reload", "done", id_of(once)) | {
        "before": before.digest
    }
    await asyncio.to_thread(house.desk.store.note, done)
    await asyncio.to_thread(house.desk.store.known.rethink, house.desk.clock())
    return said.reloaded(before, house.config)


async def lend(house: House, wanted: Lend, asker: Asker, once: str) -> Message:
    """Lend one's own rights to somebody for a stated time."""
    lender = await authorization.right(house, asker, "delegate")
    now, lending = house.desk.clock(), house.desk.store.lending
    until = moment(wanted.until, now, await house.directory.zone(asker.actor.id))
    await _check_loan(house, asker.actor, wanted.borrower, until)
    loan = Loan(lender=lender.id, borrower=wanted.borrower, until=until)
    done = authorization.entry(house, asker, "delegate", "done", id_of(once))
    lent = {"target": wanted.borrower, "until": until.isoformat(), "roles": sorted(lender.roles)}
    await asyncio.to_thread(lending.lend, id_of(once), loan, now, done | lent)
    _tell(house, wanted.borrower, said.lent_to_you(loan))
    return said.lent(loan, sorted(lender.roles))


async def _check_loan(house: House, lender: Actor, borrower: str, until: datetime) -> None:
    """Refuse what would be beyond what may be lent, or to nobody who may act."""
    longest = house.config.delegation.longest
    if until - house.desk.clock() > longest:
        raise Told(said.too_long(longest))
    if borrower in (lender.id, house.desk.bot_user):
        raise Told(said.not_lendable_to(borrower))
    member = await house.directory.member(Actor(id=borrower))
    if member.guest or member.outsider:
        raise Told(said.not_lendable_to(borrower))


async def take_back(house: House, borrower: str, asker: Asker, once: str) -> Message:
    """End a loan; nobody needs a right for that."""
    now, lender = house.desk.clock(), asker.actor.id
    done = authorization.entry(house, asker, "revoke", "done", id_of(once)) | {"target": borrower}
    lending = house.desk.store.lending
    if not await asyncio.to_thread(lending.take_back, lender, borrower, now, done):
        return said.nothing_lent(borrower)
    _tell(house, borrower, said.taken_from_you(lender))
    return said.taken_back(borrower)


async def loans(house: House, actor: Actor) -> Message:
    """What somebody lent and was lent."""
    lending, now = house.desk.store.lending, house.desk.clock()
    by = await asyncio.to_thread(lending.by, actor.id, now)
    return said.loans(by, await asyncio.to_thread(lending.to, actor.id, now))


def _tell(house: House, user: str, message: Message) -> None:
    """Tell somebody in our chat with them, in their own time."""

    async def tell() -> None:
        await post((await chat_with(user), ""), message, {}, None)

    async def untold(error: Exception) -> None:
        if not isinstance(error, SlackTrouble):
            raise error
        log.warning("a loan could not be told", extra={"user": user, "code": error.code})

    house.errands.start(tell(), untold)
