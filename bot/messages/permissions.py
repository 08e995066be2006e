"""Say what the policy allows and why, who delegates to whom, and what a reload changed."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.actions import BY_NAME, Action
from bot.domain.approvals import ApprovalRequest
from bot.domain.audit import OPERATOR
from bot.domain.delegations import Delegation
from bot.domain.objects import ByKind, Ref
from bot.domain.operations import UNDER_WAY, Outcome, PolicyTerms, StandingOperation
from bot.domain.reasons import OutcomeReason, RefusalReason
from bot.domain.snapshots import Snapshot
from bot.messages.approvals import already_approved, counted_twice, tally
from bot.messages.blocks import Message, new_message, section, text_message
from bot.messages.catalogue import N_, Catalogue
from bot.messages.evidence import unread_sentence
from bot.messages.labels import labels
from bot.messages.operation_results import overlapping_text
from bot.messages.stages import not_your_turn, order_sentences, turn_sentences
from bot.messages.text import (
    code,
    code_block,
    date_token,
    inline,
    mention_group,
    mention_user,
    rule_number,
)
from bot.policy.config import Config
from bot.policy.decide import Allowed, Decision, Refused
from bot.policy.rules import Read, ReasonRule, Role
from bot.store import RecordedPolicy

MAX_MEMBERS = 5  # people and groups that are named for a role
MAX_DELEGATIONS = 20  # in one message
MAX_LETTERS = 5  # that are named of a name
# {rule} is the rule that refused, {who} are the roles that may, {letters} those that mislead.
REFUSAL_TEXTS = {
    RefusalReason.GUEST: N_("Guests can't read or change anything here."),
    RefusalReason.OUTSIDER: N_(
        "People from other organisations or workspaces can't read or change anything here."
    ),
    RefusalReason.UNKNOWN_PERSON: N_(
        "Can't reach Slack, so permissions can't be checked. Try again."
    ),
    RefusalReason.UNMAPPED: N_(
        "Whoever created the task can't decide it, and the policy does not say who this person is "
        "in SecMaster (rule {rule})."
    ),
    RefusalReason.UNREAD: N_("Can't reach SecMaster, so permissions can't be checked. Try again."),
    RefusalReason.EVIDENCE_UNREAD: N_(
        "The rule checks the alert or incident behind this, and not all of it could be read "
        "(rule {rule})."
    ),
    RefusalReason.UNSTATED: N_(
        "The rule needs data SecMaster did not return; decide in the console (rule {rule})."
    ),
    RefusalReason.LOOKALIKE: N_(
        "The rule asks for a name, and this one has letters that look like others: {letters}. "
        "Rename it, or decide in the console (rule {rule})."
    ),
    RefusalReason.GONE: N_("Nothing with that ID in this workspace."),
    RefusalReason.NO_RULE: N_("No rule allows this to anybody."),
    RefusalReason.DENIED: N_("The policy denies this, whatever other rules allow (rule {rule})."),
    RefusalReason.DENIED_UNREAD: N_(
        "The policy denies this for some objects, and whether this is one of them could not be "
        "read (rule {rule})."
    ),
    RefusalReason.RULE: N_("Only {who} can do this (rule {rule})."),
    RefusalReason.SELF: N_(
        "Whoever created the task can't decide it; another approver must: {who} (rule {rule})."
    ),
    RefusalReason.BREAK_GLASS: N_("Only {who} can use the emergency override (rule {rule})."),
    RefusalReason.NO_BREAK_GLASS: N_("There is no emergency override for this (rule {rule})."),
    RefusalReason.NEEDS_REASON: N_("A reason is required (rule {rule})."),
    RefusalReason.NEEDS_NAME: N_("The name must be typed to confirm (rule {rule})."),
}
# The same as they are said to the person whom they are about.
PERSONAL_REFUSALS = {
    RefusalReason.UNMAPPED: N_(
        "Whoever created the task can't decide it, and the policy does not say who you are in "
        "SecMaster (rule {rule})."
    ),
    RefusalReason.SELF: N_(
        "You created this task, so another approver must decide it: {who} (rule {rule})."
    ),
}
READ_PERMISSIONS = ByKind(
    task=N_("Read tasks"), instance=N_("Read runs"), playbook=N_("Read playbook runs")
)
NOBODY_READS = ByKind(
    task=N_(
        "No rule lets anybody read tasks: their lists, cards on request, Details and Home are "
        "refused to everybody."
    ),
    instance=N_(
        "No rule lets anybody read runs: their lists, cards on request, Details and Home are "
        "refused to everybody."
    ),
    playbook=N_(
        "No rule lets anybody read playbook runs: their lists, cards on request, Details and Home "
        "are refused to everybody."
    ),
)


def permission_name(catalogue: Catalogue, right: Action | Read) -> str:
    """Name a right as lists of somebody's rights do: "Approve tasks", "Read runs"."""
    if isinstance(right, Read):
        return catalogue.gettext(READ_PERMISSIONS[right.kind])
    return catalogue.gettext(labels(right).permission)


def explain_decision(catalogue: Catalogue, decision: Decision) -> str:
    """Say whether the policy allows something, by which rule and on what terms, in plain text."""
    if isinstance(decision, Refused):
        reason = catalogue.gettext(
            REFUSAL_TEXTS[decision.reason],
            rule=rule_number(decision.rule),
            who=catalogue.one_of(decision.roles) or catalogue.gettext("nobody"),
            letters=name_letters(catalogue, decision.letters),
        )
        parts = [catalogue.gettext("Refused."), unread_text(catalogue, decision), reason]
        return " ".join(filter(None, parts))
    allowed = catalogue.gettext("Allowed (rule {rule}).", rule=rule_number(decision.rule))
    terms = _allowed_terms(catalogue, decision, is_markup=False)
    if decision.break_glass:
        terms.append(catalogue.gettext("The emergency override is announced."))
    if decision.delegator:
        terms.append(catalogue.gettext("On behalf of {person}.", person=decision.delegator))
    return " ".join([allowed, *terms])


def unread_text(catalogue: Catalogue, refused: Refused) -> str:
    """Say what could not be read around an object, where that is why; else ""."""
    return unread_sentence(catalogue, refused.unread) if refused.unread else ""


def _allowed_terms(catalogue: Catalogue, allowed: Allowed, *, is_markup: bool = True) -> list[str]:
    """Say in sentences what is asked of whoever takes an allowed action."""
    sentences = []
    if allowed.approvals > 1:
        within = catalogue.duration(timedelta(seconds=allowed.expires))
        sentences.append(
            catalogue.ngettext(
                "Needs {count} approval within {duration}.",
                "Needs {count} approvals within {duration}.",
                allowed.approvals,
                duration=within,
            )
        )
    if len(allowed.stages) > 1:
        sentences += order_sentences(catalogue, allowed.stages, is_markup=is_markup)
    if allowed.reason is ReasonRule.REQUIRED:
        sentences.append(catalogue.gettext("A reason is required."))
    if allowed.confirm:
        sentences.append(catalogue.gettext("The name must be typed to confirm."))
    return sentences


def name_letters(catalogue: Catalogue, letters: str) -> str:
    """Say which letters these are: each with the name that Unicode gives it."""
    names = [
        catalogue.gettext(
            "{letter} is {name}",
            letter=letter,
            name=unicodedata.name(letter, "unnamed").capitalize(),
        )
        for letter in letters
    ]
    return catalogue.all_of(names, MAX_LETTERS)


@dataclass(frozen=True, slots=True)
class ActionForecast:
    """What would come of a press of an action's button now.

    ``decision`` is the policy's, ``terms`` are those that would be recorded, and ``outcome`` is how
    the press would end before anything is sent, None where the policy refuses it. ``holder`` is the
    operation that would come first.
    """

    action: Action
    decision: Decision
    accepted: bool
    terms: PolicyTerms
    outcome: Outcome | None = None
    holder: StandingOperation | None = None
    may_override: bool = False


@dataclass(frozen=True, slots=True)
class Explained:
    """The object that `why` is about, its open approval requests, and who asks."""

    ref: Ref
    snapshot: Snapshot
    requests: Sequence[ApprovalRequest]
    user: str


def why(
    catalogue: Catalogue,
    explained: Explained,
    read: Decision,
    forecasts: Sequence[ActionForecast],
    roles: Mapping[str, Role],
) -> Message:
    """Say for each action on an object whether the person can take it now, and who else can.

    ``roles`` are the policy's, by name.
    """
    title = catalogue.gettext(
        "What you can do with *{name}*", name=inline(explained.snapshot.name) or "—"
    )
    head = f"{title}\n{code(explained.ref.id)}"
    read_mark = "✅" if isinstance(read, Allowed) else "▫️"
    read_label = permission_name(catalogue, Read(explained.ref.kind))
    lines = [f"{read_mark} *{read_label}*\n{_decision_text(catalogue, read, roles)}"]
    for forecast in forecasts:
        mark = "✅" if forecast.accepted else "▫️"
        label = catalogue.gettext(labels(forecast.action).button)
        sentences = _forecast_sentences(catalogue, explained, forecast, roles)
        if forecast.may_override:
            sentences.append(
                catalogue.gettext("You can use the emergency override: you approve alone.")
            )
        lines.append(f"{mark} *{label}*\n{' '.join(sentences)}")
    return new_message("\n".join([head, *lines]), section(head), *map(section, lines))


def _decision_text(catalogue: Catalogue, decision: Decision, roles: Mapping[str, Role]) -> str:
    """Say to a person what the policy decides, with who has the roles that may, as markup."""
    if isinstance(decision, Refused):
        reason = catalogue.gettext(
            PERSONAL_REFUSALS.get(decision.reason, REFUSAL_TEXTS[decision.reason]),
            rule=inline(rule_number(decision.rule), 60),
            who=role_members(catalogue, decision.roles, roles),
            letters=inline(name_letters(catalogue, decision.letters)),
        )
        return " ".join(filter(None, [unread_text(catalogue, decision), reason]))
    return catalogue.gettext(
        "Allowed by rule {rule}: {who}.",
        who=role_members(catalogue, decision.roles, roles),
        rule=inline(rule_number(decision.rule), 60),
    )


def _forecast_sentences(
    catalogue: Catalogue,
    explained: Explained,
    forecast: ActionForecast,
    roles: Mapping[str, Role],
) -> list[str]:
    """Say why a press would be accepted or not, and what it would be asked for."""
    decision, terms = forecast.decision, forecast.terms
    if isinstance(decision, Refused):
        return [_decision_text(catalogue, decision, roles)]
    if not forecast.accepted:
        return [_obstacle(catalogue, explained, forecast, roles)]
    sentences = [_decision_text(catalogue, decision, roles), *_allowed_terms(catalogue, decision)]
    if terms.delegator:
        person = mention_user(terms.delegator)
        sentences.append(catalogue.gettext("You act on behalf of {person}.", person=person))
    request = forecast.outcome.approval_request if forecast.outcome else None
    if request and request.brake_applied:
        sentences.append(
            catalogue.gettext("It was retried often recently, so a second approval is needed.")
        )
    if waiting := _request_about(explained, forecast.action):
        people = [mention_user(approval.actor.id) for approval in waiting.approvals]
        sentences.append(f"{tally(catalogue, waiting)} ({catalogue.all_of(people)}).")
        sentences += turn_sentences(catalogue, waiting)
    return sentences


def _obstacle(  # noqa: C901, PLR0911 - a sentence each
    catalogue: Catalogue,
    explained: Explained,
    forecast: ActionForecast,
    roles: Mapping[str, Role],
) -> str:
    """Say what stands in the way of a press that the policy allows."""
    outcome, holder = forecast.outcome, forecast.holder
    if holder is not None and holder.operation.ref != explained.ref:
        return overlapping_text(catalogue, explained.ref, holder)
    if holder is not None:
        sentences = labels(BY_NAME[holder.operation.action])
        actor = mention_user(holder.operation.actor.id)
        if holder.state in UNDER_WAY:
            return catalogue.gettext(sentences.under_way, actor=actor)
        return catalogue.gettext(sentences.done_before, actor=actor, when=date_token(holder.at))
    if outcome is None:
        return catalogue.gettext("This can't be checked now. Try again.")
    if outcome.refusal is not None:
        return _decision_text(catalogue, Refused(**dict(outcome.refusal)), roles)
    match outcome.reason_code:
        case OutcomeReason.SAME_AUTHORITY:
            request = _request_about(explained, forecast.action)
            return counted_twice(catalogue, explained.user, forecast.terms.delegator, request)
        case OutcomeReason.NOT_YOUR_TURN:
            pending = outcome.approval_request
            stage = pending.current_stage if pending else forecast.terms.stages[0]
            missing = pending.missing_now if pending else stage.count
            return not_your_turn(catalogue, role_members(catalogue, stage.roles, roles), missing)
        case OutcomeReason.ALREADY_APPROVED:
            return already_approved(catalogue, outcome.approval_request)
        case OutcomeReason.NOT_NOW:
            status = code(outcome.blocking_status)
            return catalogue.gettext("Not possible while its status is {status}.", status=status)
        case OutcomeReason.PERSON_UNKNOWN:
            return catalogue.gettext(REFUSAL_TEXTS[RefusalReason.UNKNOWN_PERSON])
        case _:
            return catalogue.gettext("This can't be checked now. Try again.")


def _request_about(explained: Explained, action: Action) -> ApprovalRequest | None:
    """Return an action's request with the approvals that count; None where none does."""
    requests = (request.counted_for(explained.snapshot) for request in explained.requests)
    candidates = (request for request in requests if request.action == action.name)
    return next((request for request in candidates if request.approvals), None)


def role_members(catalogue: Catalogue, names: Sequence[str], roles: Mapping[str, Role]) -> str:
    """Name roles with the people and groups that have them: "A (…) or B (…)"."""
    texts = []
    for name in names[:MAX_MEMBERS]:
        role = roles.get(name, Role())
        members = [*map(mention_user, role.users), *map(mention_group, role.usergroups)]
        people = catalogue.all_of(members, MAX_MEMBERS) or catalogue.gettext("nobody")
        texts.append(f"*{inline(name, 40)}* ({people})")
    return catalogue.one_of(texts) or catalogue.gettext("nobody")


RIGHT_SENTENCES = {
    "audit": N_("Only {who} can read the audit."),
    "reload": N_("Only {who} can reload the policy. Nothing was reloaded."),
    "delegate": N_("Only {who} can delegate their permissions. Nothing was changed."),
    "watch": N_("Only {who} can subscribe channels. Nothing was changed."),
    "mute": N_("Only {who} can mute workflows. Nothing was changed."),
}


def no_right(
    catalogue: Catalogue, right: str, names: Sequence[str], roles: Mapping[str, Role]
) -> Message:
    """Say that a right such as "reload" is for other roles; ``names`` are theirs."""
    members = role_members(catalogue, names, roles)
    return text_message(f"🚫 {catalogue.gettext(RIGHT_SENTENCES[right], who=members)}")


def missing_read_rules(config: Config) -> str:
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
    kinds = config.unreadable_kinds
    if {"task", "instance"} <= set(kinds):
        return catalogue.gettext(
            "No rule lets anybody read tasks or runs: lists, cards on request, Details and Home "
            "are refused to everybody."
        )
    return " ".join(catalogue.gettext(NOBODY_READS[kind]) for kind in kinds)


def reloaded(catalogue: Catalogue, before: Config, after: Config) -> Message:
    """Say that the policy was read again, and what only a restart puts into force."""
    old, new = code(before.fingerprint), code(after.fingerprint)
    unread = ""
    if problem := nobody_reads(catalogue, after):
        lines = code_block(missing_read_rules(after), 2500)
        hint = catalogue.gettext("Add this to the policy:")
        unread = f"\n⚠️ {problem} {hint}\n{lines}"
    if before.fingerprint == after.fingerprint:
        return text_message(f"✅ {catalogue.gettext('Policy reloaded, no changes.')} {new}{unread}")
    roles = catalogue.ngettext("{count} role", "{count} roles", len(after.roles))
    rules = catalogue.ngettext("{count} rule", "{count} rules", len(after.rules))
    sentences = [catalogue.gettext("Policy reloaded, in force for all replicas.")]
    if (before.commands, before.watch.every) != (after.commands, after.watch.every):
        sentences.append(
            catalogue.gettext(
                "Restart the bot for what changed in {commands} or in {every}.",
                commands=code("[commands]"),
                every=code("[watch] every"),
            )
        )
    receipt = f"{roles} · {rules} · {old} → {new}"
    return text_message(f"✅ {' '.join(sentences)}\n{receipt}{unread}")


def policy_in_force(
    catalogue: Catalogue, fingerprint: str, recorded: RecordedPolicy | None, unused_file: str = ""
) -> str:
    """Say which policy is in force, by this replica's ``fingerprint``, and who put it there.

    ``unused_file`` is the fingerprint of this replica's file if that is not in force.
    """
    if recorded is None:
        return catalogue.gettext("Policy: {policy}.", policy=code(fingerprint))
    source = recorded.source
    facts = {
        "policy": code(source.fingerprint),
        "when": date_token(source.at),
        "replica": inline(source.replica, 64),
    }
    if source.actor_id == OPERATOR:
        sentence = catalogue.gettext(
            "Policy: {policy}, in force for all replicas since {when}, loaded by the operator "
            "on {replica}.",
            **facts,
        )
    else:
        sentence = catalogue.gettext(
            "Policy: {policy}, in force for all replicas since {when}, reloaded by {person} on "
            "{replica}.",
            person=mention_user(source.actor_id),
            **facts,
        )
    warning = ""
    if fingerprint != source.fingerprint:
        warning = catalogue.gettext(
            "This replica still has {policy}: its log says why.", policy=code(fingerprint)
        )
    elif unused_file:
        warning = catalogue.gettext(
            "The policy file that this replica started with, {policy}, is not in force. Reload "
            "the policy here to use it.",
            policy=code(unused_file),
        )
    return f"{sentence} ⚠️ {warning}" if warning else sentence


def not_reloaded(catalogue: Catalogue, problems: str) -> Message:
    """Say that the new policy can't be used, and why."""
    sentence = catalogue.gettext("The policy file has errors. The previous policy stays in force.")
    return text_message(f"❌ {sentence}\n{code_block(problems, 2500)}")


def delegation_created(
    catalogue: Catalogue, delegation: Delegation, roles: Sequence[str], root: str
) -> Message:
    """Tell the delegator that their rights are delegated; ``roles`` are the names of theirs.

    ``root`` is the command that people type first.
    """
    person = mention_user(delegation.delegate)
    lines = [
        catalogue.gettext(
            "{person} has your permissions until {when}. Undo: {command} {person}",
            person=person,
            when=date_token(delegation.until),
            command=code(f"{root} revoke"),
        ),
        catalogue.gettext(
            "Actions are logged under both names; together you count as one approver."
        ),
    ]
    if roles:
        names = catalogue.all_of([inline(role, 40) for role in roles])
        lines.append(catalogue.gettext("Your roles: {roles}", roles=names))
    else:
        lines.append(catalogue.gettext("You have no role, so this delegates nothing."))
    return text_message("🤝 " + "\n".join(lines))


def delegation_received(catalogue: Catalogue, delegator: str, until: datetime) -> Message:
    """Tell the delegate that they have somebody's rights."""
    sentence = catalogue.gettext(
        "You have {person}'s permissions until {when}.",
        person=mention_user(delegator),
        when=date_token(until),
    )
    both = catalogue.gettext(
        "Actions are logged under both names; together you count as one approver."
    )
    return text_message(f"🤝 {sentence}\n{both}")


def delegation_revoked(catalogue: Catalogue, delegate: str) -> Message:
    """Tell the delegator that a delegation has ended."""
    sentence = catalogue.gettext(
        "{person} no longer has your permissions.", person=mention_user(delegate)
    )
    return text_message(f"↩️ {sentence}")


def delegation_withdrawn(catalogue: Catalogue, delegator: str) -> Message:
    """Tell the delegate that a delegation has ended."""
    sentence = catalogue.gettext(
        "You no longer have {person}'s permissions.", person=mention_user(delegator)
    )
    return text_message(f"↩️ {sentence}")


def no_delegation(catalogue: Catalogue, delegate: str) -> Message:
    """Say that there is no delegation to this person that could be revoked."""
    return text_message(
        catalogue.gettext(
            "{person} does not have your permissions. Nothing was changed.",
            person=mention_user(delegate),
        )
    )


def cannot_delegate_to(catalogue: Catalogue, delegate: str) -> Message:
    """Say that this person can't be given rights."""
    sentence = catalogue.gettext(
        "You can't delegate to {person}: only to other members of this workspace. Nothing was "
        "changed.",
        person=mention_user(delegate),
    )
    return text_message(f"🚫 {sentence}")


def delegation_too_long(catalogue: Catalogue, limit: timedelta) -> Message:
    """Say for how long rights can be delegated."""
    sentence = catalogue.gettext(
        "You can delegate for {duration} at most. Nothing was changed.",
        duration=catalogue.duration(limit),
    )
    return text_message(f"🚫 {sentence}")


def delegations(
    catalogue: Catalogue, delegated: Sequence[Delegation], received: Sequence[Delegation]
) -> Message:
    """List the delegations that a person gave and received."""
    sentences = [
        catalogue.gettext(
            "{person} has your permissions until {when}.",
            person=mention_user(delegation.delegate),
            when=date_token(delegation.until),
        )
        for delegation in delegated
    ]
    sentences += [
        catalogue.gettext(
            "You have {person}'s permissions until {when}.",
            person=mention_user(delegation.delegator),
            when=date_token(delegation.until),
        )
        for delegation in received
    ]
    if not sentences:
        return text_message(
            catalogue.gettext(
                "No delegations: nobody has your permissions, and you have nobody else's."
            )
        )
    lines = [f"🤝 {sentence}" for sentence in sentences[:MAX_DELEGATIONS]]
    if (more := len(sentences) - MAX_DELEGATIONS) > 0:
        lines.append(catalogue.ngettext("{count} more", "{count} more", more))
    return text_message("\n".join(lines))


def no_history(catalogue: Catalogue, object_id: str) -> Message:
    """Say that the audit log has no entry about an object."""
    return text_message(catalogue.gettext("No audit records of {id}.", id=code(object_id)))
