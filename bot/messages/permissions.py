"""What is said of rights: why somebody has one or not, who lends whom theirs, the policy anew."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from bot.domain.actions import Action
from bot.domain.models import Loan, Ref
from bot.messages.blocks import Message, say, section
from bot.messages.text import block, code, group, line, moment, person, span
from bot.policy.config import Config
from bot.policy.decide import Allowed, Decision, Refused
from bot.policy.rules import Role

SHOWN = 5
MOST = 20  # loans in one message
BREAKS = "; you may break the glass"
WHY = {
    "guest": "guests may look, and change nothing",
    "outsider": "people of other organisations may look, and change nothing",
    "unknown": "Slack could not be asked who this is",
    "unmapped": "{rule} refuses the creator, and nobody told me who this is in SecMaster",
    "unread": "SecMaster could not be asked what this is",
    "unstated": "{rule} asks for what SecMaster does not say of it, so nobody can be allowed",
    "gone": "SecMaster does not know it",
    "no-rule": "no rule allows it to anybody",
    "rule": "{rule} leaves it to {may}",
    "self": "{rule} refuses whoever created the task",
    "glass": "{rule} leaves breaking the glass to {may}",
    "no-glass": "{rule} has no glass to break",
}


def because(decision: Decision) -> str:
    """Which rule lets or stops somebody, in a line that a terminal shows as well."""
    if isinstance(decision, Refused):
        return WHY[decision.why].format(rule=decision.rule, may=roles(decision.may))
    return f"{decision.rule}{_terms(decision)}"


def roles(names: Sequence[str]) -> str:
    return " or ".join(names) or "nobody"


def _terms(allowed: Allowed) -> str:
    """What the rule asks for besides."""
    within = span(timedelta(seconds=allowed.expires))
    parts = [
        f"{allowed.approvals} people within {within}" if allowed.approvals > 1 else "",
        "a reason" if allowed.reason == "required" else "",
        "the name typed" if allowed.confirm else "",
        "announced" if allowed.glass else "",
        "by a lent right" if allowed.lender else "",
    ]
    asked = ", ".join(filter(None, parts))
    return f": {asked}" if asked else ""


def why(
    ref: Ref, answers: Sequence[tuple[Action, Decision, bool]], known: Mapping[str, Role]
) -> Message:
    """For each action which rule lets or stops the person, and who may.

    The last of the three is whether the person may break the glass for it.
    """
    head = f"*What you may do with {ref.noun} {code(ref.id)}*"
    lines = [_answer(action, decision, known) + BREAKS * b for action, decision, b in answers]
    return say("\n".join([head, *lines]), section(head), *map(section, lines))


def _answer(action: Action, decision: Decision, known: Mapping[str, Role]) -> str:
    mark = "✅" if isinstance(decision, Allowed) else "▫️"
    others = f"; may: {who(decision.may, known)}" if decision.may else ""
    return f"{mark} {code(action.name)} {line(because(decision), 300)}{others}"


def who(names: Sequence[str], known: Mapping[str, Role]) -> str:
    """Roles with the people and groups that have them."""
    told = []
    for name in names:
        role = known.get(name, Role())
        people = [*map(person, role.users), *map(group, role.usergroups)]
        shown = ", ".join(people[:SHOWN]) or "nobody"
        more = f" and {len(people) - SHOWN} more" if len(people) > SHOWN else ""
        told.append(f"*{line(name, 40)}* ({shown}{more})")
    return " or ".join(told[:SHOWN]) or "nobody"


def no_right(right: str, names: Sequence[str], known: Mapping[str, Role]) -> Message:
    """Say who may use what is not about a task or an instance."""
    return _said(f"🚫 {code(right)} is for {who(names, known)}. Nothing was done.")


def reloaded(before: Config, now: Config) -> Message:
    if before.digest == now.digest:
        return _said(f"The policy is read again; it says what it said ({code(now.digest)}).")
    at_start = (before.commands, before.watch.every) != (now.commands, now.watch.every)
    names = " What changed of [commands] or of [watch] every needs a restart." * at_start
    counted = f"{len(now.roles)} roles and {len(now.rules)} rules"
    return _said(
        f"♻️ The policy is read again: {counted}, {code(before.digest)} → {code(now.digest)}. "
        f"It holds from now on.{names}"
    )


def not_reloaded(problems: str) -> Message:
    return _said(
        f"⚠️ The policy can't be used, so the one before stays in force.\n{block(problems, 2500)}"
    )


def lent(loan: Loan, names: Sequence[str]) -> Message:
    told = ", ".join(line(name, 40) for name in names) or "none"
    return _said(
        f"🤝 {person(loan.borrower)} may do until {moment(loan.until)} what you may (roles: "
        f"{told}). It is on record; end it with `revoke` and their name."
    )


def lent_to_you(loan: Loan) -> Message:
    return _said(
        f"🤝 {person(loan.lender)} lends you their rights until {moment(loan.until)}. What you do "
        "by them is recorded with both your names, and counts as one where several are asked for."
    )


def taken_back(borrower: str) -> Message:
    return _said(f"↩️ {person(borrower)} has your rights no longer.")


def taken_from_you(lender: str) -> Message:
    return _said(f"↩️ {person(lender)} has taken their rights back.")


def nothing_lent(borrower: str) -> Message:
    return _said(f"You lend nothing to {person(borrower)}. Nothing was changed.")


def not_lendable_to(borrower: str) -> Message:
    return _said(f"🚫 Rights can't be lent to {person(borrower)}. Nothing was changed.")


def too_long(longest: timedelta) -> Message:
    return _said(f"🚫 Rights can be lent for {span(longest)} at most. Nothing was changed.")


def loans(by: Sequence[Loan], to: Sequence[Loan]) -> Message:
    """What somebody lent and was lent."""
    gave = [f"{person(loan.borrower)} has your rights until {moment(loan.until)}." for loan in by]
    has = [f"You have {person(loan.lender)}'s rights until {moment(loan.until)}." for loan in to]
    lines = [f"🤝 {each}" for each in (*gave, *has)]
    if more := lines[MOST:]:
        lines = [*lines[:MOST], f"and {len(more)} more"]
    return _said("\n".join(lines) or "You lend nobody your rights, and nobody lends you theirs.")


def no_story(object_id: str) -> Message:
    return _said(f"The audit has nothing of {code(object_id)}.")


def _said(text: str) -> Message:
    return say(text, section(text))
