"""Say what the policy allows and why, who delegates to whom, and what a reload changed."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.actions import Action
from bot.domain.audit import OPERATOR
from bot.domain.delegations import Delegation
from bot.domain.objects import Ref
from bot.domain.reasons import RefusalReason
from bot.messages.blocks import Message, new_message, section, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.text import (
    code,
    code_block,
    date_token,
    inline,
    mention_group,
    mention_user,
)
from bot.policy.config import Config
from bot.policy.decide import Allowed, Decision, Refused
from bot.policy.rules import Read, Role
from bot.store import RecordedPolicy

MAX_MEMBERS = 5  # people and groups that are named for a role
MAX_DELEGATIONS = 20  # in one message
MAX_LETTERS = 5  # that are named of a name
MAY_BREAK_GLASS = "; you may break the glass"
# {rule} is the rule that refused, {roles} are those that may, {letters} those that mislead.
REFUSAL_TEXTS = {
    RefusalReason.GUEST: "guests may not read or change anything",
    RefusalReason.OUTSIDER: (
        "people of other organisations or workspaces may not read or change anything"
    ),
    RefusalReason.UNKNOWN_PERSON: "Slack could not be asked who this is",
    RefusalReason.UNMAPPED: (
        "{rule} refuses the creator, and nobody told me who this is in SecMaster"
    ),
    RefusalReason.UNREAD: "SecMaster can't be read now, so this can't be checked",
    RefusalReason.UNSTATED: (
        "{rule} asks for what SecMaster does not say of it, so nobody can be allowed"
    ),
    RefusalReason.LOOKALIKE: (
        "{rule} asks for a name that has letters that look like others ({letters}): rename it, or "
        "decide in SecMaster"
    ),
    RefusalReason.GONE: "SecMaster does not know it",
    RefusalReason.NO_RULE: "no rule allows it to anybody",
    RefusalReason.DENIED: "{rule} denies it, whatever else allows it",
    RefusalReason.DENIED_UNREAD: (
        "{rule} denies it, as what that rule asks for could not be read, and then it holds"
    ),
    RefusalReason.RULE: "{rule} leaves it to {roles}",
    RefusalReason.SELF: "{rule} refuses whoever created the task",
    RefusalReason.BREAK_GLASS: "{rule} leaves breaking the glass to {roles}",
    RefusalReason.NO_BREAK_GLASS: "{rule} has no glass to break",
    RefusalReason.NEEDS_REASON: "{rule} asks for a reason",
    RefusalReason.NEEDS_NAME: "{rule} asks for its name to be typed",
}


def explain_decision(catalogue: Catalogue, decision: Decision) -> str:
    """Say which rule allows or refuses and on what terms, in a line of plain text."""
    if isinstance(decision, Refused):
        roles = " or ".join(decision.roles) or "nobody"
        return REFUSAL_TEXTS[decision.reason].format(
            rule=decision.rule, roles=roles, letters=name_letters(catalogue, decision.letters)
        )
    within = catalogue.duration(timedelta(seconds=decision.expires))
    parts = [
        f"{decision.approvals} people within {within}" if decision.approvals > 1 else "",
        "a reason" if decision.reason == "required" else "",
        "the name typed" if decision.confirm else "",
        "announced" if decision.break_glass else "",
        "by a lent right" if decision.delegator else "",
    ]
    terms = ", ".join(filter(None, parts))
    return f"{decision.rule}: {terms}" if terms else decision.rule


def name_letters(catalogue: Catalogue, letters: str) -> str:
    """Say which letters these are: each with the name that Unicode gives it."""
    names = [
        f"{letter} is {unicodedata.name(letter, 'unnamed').capitalize()}" for letter in letters
    ]
    rest = len(names) - MAX_LETTERS
    return ", ".join(names[:MAX_LETTERS]) + (f" and {rest} more" if rest > 0 else "")


def why(
    catalogue: Catalogue,
    ref: Ref,
    decisions: Sequence[tuple[Action | Read, Decision, bool]],
    roles: Mapping[str, Role],
) -> Message:
    """Say for each action on an object what the policy decides for a person, and who else may.

    The last item of each decision is whether the person may break the glass for the action;
    ``roles`` are the policy's, by name.
    """
    head = f"*What you may do with {ref.kind} {code(ref.id)}*"
    lines = []
    for action, decision, may_break_glass in decisions:
        mark = "✅" if isinstance(decision, Allowed) else "▫️"
        explanation = inline(explain_decision(catalogue, decision), 300)
        members = (
            f"; may: {role_members(catalogue, decision.roles, roles)}" if decision.roles else ""
        )
        break_glass = MAY_BREAK_GLASS if may_break_glass else ""
        lines.append(f"{mark} {code(action.name)} {explanation}{members}{break_glass}")
    return new_message("\n".join([head, *lines]), section(head), *map(section, lines))


def role_members(catalogue: Catalogue, names: Sequence[str], roles: Mapping[str, Role]) -> str:
    """Name roles with the people and groups that have them: "A (…) or B (…)"."""
    texts = []
    for name in names:
        role = roles.get(name, Role())
        members = [*map(mention_user, role.users), *map(mention_group, role.usergroups)]
        first = ", ".join(members[:MAX_MEMBERS]) or "nobody"
        rest = len(members) - MAX_MEMBERS
        texts.append(f"*{inline(name, 40)}* ({first}{f' and {rest} more' if rest > 0 else ''})")
    return " or ".join(texts[:MAX_MEMBERS]) or "nobody"


def no_right(
    catalogue: Catalogue, right: str, names: Sequence[str], roles: Mapping[str, Role]
) -> Message:
    """Say that a right such as "reload" is for other roles; ``names`` are theirs."""
    return text_message(
        f"🚫 {code(right)} is for {role_members(catalogue, names, roles)}. Nothing was done."
    )


def missing_read_rules(catalogue: Catalogue, config: Config) -> str:
    """Return the lines that a policy lacks for anybody to read tasks and instances; "" if none.

    They name every role that there is, and can stand at the end of the file.
    """
    if not config.unreadable_kinds:
        return ""
    roles = list(config.roles)
    new_role = [] if roles else ["[roles.reader]", 'users = ["U0…"]', ""]
    actions = [Read(kind).name for kind in config.unreadable_kinds]
    rule = ["[[rules]]", f"actions = {json.dumps(actions)}"]
    return "\n".join([*new_role, *rule, f"roles = {json.dumps(roles or ['reader'])}"])


def nobody_reads(catalogue: Catalogue, config: Config) -> str:
    """Say which kinds of objects nobody may read; "" where somebody may read each."""
    kinds = " and ".join(f"{kind}s" for kind in config.unreadable_kinds)
    sentence = f"no rule lets anybody read {kinds}: lists, cards on request, Details and Home"
    return f"{sentence} are refused to everybody" if kinds else ""


def reloaded(catalogue: Catalogue, before: Config, after: Config) -> Message:
    """Say that the policy was read again, and what only a restart puts into force."""
    old, new = code(before.fingerprint), code(after.fingerprint)
    unread = ""
    if problem := nobody_reads(catalogue, after):
        lines = code_block(missing_read_rules(catalogue, after), 2500)
        unread = f"\n⚠️ {problem[0].upper()}{problem[1:]}. Add this to the policy:\n{lines}"
    if before.fingerprint == after.fingerprint:
        return text_message(f"The policy is read again; it says what it said ({new}).{unread}")
    needs_restart = (before.commands, before.watch.every) != (after.commands, after.watch.every)
    restart = " What changed of [commands] or of [watch] every needs a restart."
    return text_message(
        f"♻️ The policy is read again: {len(after.roles)} roles and {len(after.rules)} rules, "
        f"{old} → {new}. It holds from now on.{restart if needs_restart else ''}{unread}"
    )


def policy_in_force(
    catalogue: Catalogue, fingerprint: str, recorded: RecordedPolicy | None, unused_file: str = ""
) -> str:
    """Say which policy is in force, by this replica's ``fingerprint``, and who put it there.

    ``unused_file`` is the fingerprint of this replica's file if that is not in force.
    """
    if recorded is None:
        return f"Policy: {code(fingerprint)}."
    source = recorded.source
    person = mention_user(source.actor_id) if source.actor_id != OPERATOR else "its operator"
    sentence = (
        f"Policy: {code(source.fingerprint)} for all replicas since {date_token(source.at)}, by "
        f"{person} on {inline(source.replica, 64)}."
    )
    if fingerprint == source.fingerprint and unused_file:
        return (
            f"{sentence} ⚠️ The policy file that this replica started with, {code(unused_file)}, is "
            "not in force: a reload here puts it in force."
        )
    if fingerprint == source.fingerprint:
        return sentence
    return f"{sentence} ⚠️ This replica still has {code(fingerprint)}: its log says why."


def not_reloaded(catalogue: Catalogue, problems: str) -> Message:
    """Say that the new policy can't be used, and why."""
    return text_message(
        "⚠️ The policy can't be used, so the one before stays in force.\n"
        f"{code_block(problems, 2500)}"
    )


def delegation_created(
    catalogue: Catalogue, delegation: Delegation, roles: Sequence[str]
) -> Message:
    """Tell the delegator that their rights are delegated; ``roles`` are the names of theirs."""
    names = ", ".join(inline(role, 40) for role in roles) or "none"
    return text_message(
        f"🤝 {mention_user(delegation.delegate)} may do until {date_token(delegation.until)} what "
        f"you may (roles: {names}). It is on record; end it with `revoke` and their name."
    )


def delegation_received(catalogue: Catalogue, delegator: str, until: datetime) -> Message:
    """Tell the delegate that they have somebody's rights."""
    return text_message(
        f"🤝 {mention_user(delegator)} lends you their rights until "
        f"{date_token(until)}. What you do by them is recorded with both your names, "
        "and counts as one where several are asked for."
    )


def delegation_revoked(catalogue: Catalogue, delegate: str) -> Message:
    """Tell the delegator that a delegation has ended."""
    return text_message(f"↩️ {mention_user(delegate)} has your rights no longer.")


def delegation_withdrawn(catalogue: Catalogue, delegator: str) -> Message:
    """Tell the delegate that a delegation has ended."""
    return text_message(f"↩️ {mention_user(delegator)} has taken their rights back.")


def no_delegation(catalogue: Catalogue, delegate: str) -> Message:
    """Say that there is no delegation to this person that could be revoked."""
    return text_message(f"You lend nothing to {mention_user(delegate)}. Nothing was changed.")


def cannot_delegate_to(catalogue: Catalogue, delegate: str) -> Message:
    """Say that this person can't be given rights."""
    return text_message(
        f"🚫 Rights can't be lent to {mention_user(delegate)}. Nothing was changed."
    )


def delegation_too_long(catalogue: Catalogue, limit: timedelta) -> Message:
    """Say for how long rights can be delegated."""
    return text_message(
        f"🚫 Rights can be lent for {catalogue.duration(limit)} at most. Nothing was changed."
    )


def delegations(
    catalogue: Catalogue, delegated: Sequence[Delegation], received: Sequence[Delegation]
) -> Message:
    """List the delegations that a person gave and received."""
    lines = [
        f"🤝 {mention_user(delegation.delegate)} has your rights until "
        f"{date_token(delegation.until)}."
        for delegation in delegated
    ]
    lines += [
        f"🤝 You have {mention_user(delegation.delegator)}'s rights until "
        f"{date_token(delegation.until)}."
        for delegation in received
    ]
    if more := lines[MAX_DELEGATIONS:]:
        lines = [*lines[:MAX_DELEGATIONS], f"and {len(more)} more"]
    return text_message(
        "\n".join(lines) or "You lend nobody your rights, and nobody lends you theirs."
    )


def no_history(catalogue: Catalogue, object_id: str) -> Message:
    """Say that the audit log has no entry about an object."""
    return text_message(f"The audit has nothing of {code(object_id)}.")
