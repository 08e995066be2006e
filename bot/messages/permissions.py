"""What is said of rights: why somebody has one or not, who lends whom theirs, the policy anew."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from bot.domain.actions import Action
from bot.domain.delegations import Delegation
from bot.domain.objects import Ref
from bot.domain.reasons import RefusalReason
from bot.messages.blocks import Message, new_message, section
from bot.messages.text import (
    code,
    code_block,
    date_token,
    format_duration,
    inline,
    mention_group,
    mention_user,
)
from bot.policy.config import Config
from bot.policy.decide import Allowed, Decision, Refused
from bot.policy.rules import Role

SHOWN = 5
MOST = 20  # loans in one message
MAY_BREAK_GLASS = "; you may break the glass"
REFUSAL_TEXTS = {
    RefusalReason.GUEST: "guests may look, and change nothing",
    RefusalReason.OUTSIDER: "people of other organisations may look, and change nothing",
    RefusalReason.UNKNOWN_PERSON: "Slack could not be asked who this is",
    RefusalReason.UNMAPPED: "{rule} refuses the creator, and nobody told me who this is in SecMaster",
    RefusalReason.UNREAD: "SecMaster could not be asked what this is",
    RefusalReason.UNSTATED: "{rule} asks for what SecMaster does not say of it, so nobody can be allowed",
    RefusalReason.GONE: "SecMaster does not know it",
    RefusalReason.NO_RULE: "no rule allows it to anybody",
    RefusalReason.RULE: "{rule} leaves it to {may}",
    RefusalReason.SELF: "{rule} refuses whoever created the task",
    RefusalReason.BREAK_GLASS: "{rule} leaves breaking the glass to {may}",
    RefusalReason.NO_BREAK_GLASS: "{rule} has no glass to break",
}


def explain_decision(decision: Decision) -> str:
    """Which rule lets or stops somebody, in a line that a terminal shows as well."""
    if isinstance(decision, Refused):
        return REFUSAL_TEXTS[decision.reason].format(rule=decision.rule, may=roles(decision.roles))
    return f"{decision.rule}{_terms(decision)}"


def roles(names: Sequence[str]) -> str:
    return " or ".join(names) or "nobody"


def _terms(allowed: Allowed) -> str:
    """What the rule asks for besides."""
    within = format_duration(timedelta(seconds=allowed.expires))
    parts = [
        f"{allowed.approvals} people within {within}" if allowed.approvals > 1 else "",
        "a reason" if allowed.reason == "required" else "",
        "the name typed" if allowed.confirm else "",
        "announced" if allowed.break_glass else "",
        "by a lent right" if allowed.delegator else "",
    ]
    asked = ", ".join(filter(None, parts))
    return f": {asked}" if asked else ""


def why(
    ref: Ref, answers: Sequence[tuple[Action, Decision, bool]], known: Mapping[str, Role]
) -> Message:
    """For each action which rule lets or stops the person, and who may.

    The last of the three is whether the person may break the glass for it.
    """
    head = f"*What you may do with {ref.kind} {code(ref.id)}*"
    lines = [
        _answer(action, decision, known) + MAY_BREAK_GLASS * b for action, decision, b in answers
    ]
    return new_message("\n".join([head, *lines]), section(head), *map(section, lines))


def _answer(action: Action, decision: Decision, known: Mapping[str, Role]) -> str:
    mark = "✅" if isinstance(decision, Allowed) else "▫️"
    others = f"; may: {role_members(decision.roles, known)}" if decision.roles else ""
    return f"{mark} {code(action.name)} {inline(explain_decision(decision), 300)}{others}"


def role_members(names: Sequence[str], known: Mapping[str, Role]) -> str:
    """Roles with the people and groups that have them."""
    told = []
    for name in names:
        role = known.get(name, Role())
        people = [*map(mention_user, role.users), *map(mention_group, role.usergroups)]
        shown = ", ".join(people[:SHOWN]) or "nobody"
        more = f" and {len(people) - SHOWN} more" if len(people) > SHOWN else ""
        told.append(f"*{inline(name, 40)}* ({shown}{more})")
    return " or ".join(told[:SHOWN]) or "nobody"


def no_right(right: str, names: Sequence[str], known: Mapping[str, Role]) -> Message:
    """Say who may use what is not about a task or an instance."""
    return _said(f"🚫 {code(right)} is for {role_members(names, known)}. Nothing was done.")


def reloaded(before: Config, now: Config) -> Message:
    if before.fingerprint == now.fingerprint:
        return _said(f"The policy is read again; it says what it said ({code(now.fingerprint)}).")
    at_start = (before.commands, before.watch.every) != (now.commands, now.watch.every)
    names = " What changed of [commands] or of [watch] every needs a restart." * at_start
    counted = f"{len(now.roles)} roles and {len(now.rules)} rules"
    return _said(
        f"♻️ The policy is read again: {counted}, {code(before.fingerprint)} → {code(now.fingerprint)}. "
        f"It holds from now on.{names}"
    )


def not_reloaded(problems: str) -> Message:
    return _said(
        f"⚠️ The policy can't be used, so the one before stays in force.\n{code_block(problems, 2500)}"
    )


def delegation_created(loan: Delegation, names: Sequence[str]) -> Message:
    told = ", ".join(inline(name, 40) for name in names) or "none"
    return _said(
        f"🤝 {mention_user(loan.delegate)} may do until {date_token(loan.until)} what you may (roles: "
        f"{told}). It is on record; end it with `revoke` and their name."
    )


def delegation_received(loan: Delegation) -> Message:
    return _said(
        f"🤝 {mention_user(loan.delegator)} lends you their rights until {date_token(loan.until)}. What you do "
        "by them is recorded with both your names, and counts as one where several are asked for."
    )


def delegation_revoked(borrower: str) -> Message:
    return _said(f"↩️ {mention_user(borrower)} has your rights no longer.")


def delegation_withdrawn(lender: str) -> Message:
    return _said(f"↩️ {mention_user(lender)} has taken their rights back.")


def no_delegation(borrower: str) -> Message:
    return _said(f"You lend nothing to {mention_user(borrower)}. Nothing was changed.")


def cannot_delegate_to(borrower: str) -> Message:
    return _said(f"🚫 Rights can't be lent to {mention_user(borrower)}. Nothing was changed.")


def delegation_too_long(longest: timedelta) -> Message:
    return _said(
        f"🚫 Rights can be lent for {format_duration(longest)} at most. Nothing was changed."
    )


def delegations(by: Sequence[Delegation], to: Sequence[Delegation]) -> Message:
    """What somebody lent and was lent."""
    gave = [
        f"{mention_user(loan.delegate)} has your rights until {date_token(loan.until)}."
        for loan in by
    ]
    has = [
        f"You have {mention_user(loan.delegator)}'s rights until {date_token(loan.until)}."
        for loan in to
    ]
    lines = [f"🤝 {each}" for each in (*gave, *has)]
    if more := lines[MOST:]:
        lines = [*lines[:MOST], f"and {len(more)} more"]
    return _said("\n".join(lines) or "You lend nobody your rights, and nobody lends you theirs.")


def no_history(object_id: str) -> Message:
    return _said(f"The audit has nothing of {code(object_id)}.")


def _said(text: str) -> Message:
    return new_message(text, section(text))
