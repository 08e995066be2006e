"""Say who somebody is to the bot, and what they may do: a line for each right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from bot.domain.actions import TABLE, Action
from bot.domain.delegations import Delegation
from bot.domain.objects import OBJECT_KINDS, ByKind
from bot.domain.reasons import RefusalReason
from bot.messages.blocks import Message, new_message, section
from bot.messages.catalogue import N_, Catalogue
from bot.messages.evidence import SEVERITIES, VERIFICATIONS
from bot.messages.fields import BUSINESS_TYPES
from bot.messages.permissions import REFUSAL_TEXTS, permission_name, role_members
from bot.messages.stages import stage_roles
from bot.messages.text import bold, code, date_token, inline, mention_user
from bot.policy.config import Config
from bot.policy.decide import Principal
from bot.policy.evidence import AssetLevel
from bot.policy.rights import Answer, Case, cases
from bot.policy.rules import READS, Read, ReasonRule, RuleConditions

MAX_CASES = 6  # that are told of one right
MAX_TEXT = 60  # characters of a pattern
DRILLS = {True: N_("a drill"), False: N_("not a drill")}
ASSET_LEVELS: dict[str, str] = {
    AssetLevel.TEST: N_("test asset"),
    AssetLevel.GENERAL: N_("general asset"),
    AssetLevel.KEY: N_("key asset"),
}
GROUP_TITLES = ByKind(task=N_("Tasks"), instance=N_("Workflow runs"), playbook=N_("Playbook runs"))


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: as the policy sees them, by name, with the delegations that they received."""

    principal: Principal
    name: str
    received: Sequence[Delegation] = ()


def whoami(catalogue: Catalogue, person: Person, config: Config) -> Message:
    """Tell a person their name, id, roles and delegations, and for each right what holds."""
    principal = person.principal
    head = f"{bold(person.name, 60)} · {mention_user(principal.id)} · {code(principal.id)}"
    lines = [head, *_standing(catalogue, person)]
    groups: list[list[str]] = []
    if not (principal.guest or principal.outsider):
        reads = [_right(catalogue, read, person, config) for read in READS]
        groups.append([f"*{catalogue.gettext('Reading')}*", *reads])
        for kind in OBJECT_KINDS:
            rights = [
                _right(catalogue, action, person, config) for action in TABLE if action.kind == kind
            ]
            groups.append([f"*{catalogue.gettext(GROUP_TITLES[kind])}*", *rights])
        if commands := _commands(catalogue, principal, config):
            groups.append([commands])
    texts = ["\n".join(group) for group in ([*lines], *groups)]
    return new_message("\n".join(texts), *map(section, texts))


def _standing(catalogue: Catalogue, person: Person) -> list[str]:
    """Say which roles a person has, or why none would help, and whose rights they have."""
    principal = person.principal
    if principal.outsider:
        return [f"🚫 {catalogue.gettext(REFUSAL_TEXTS[RefusalReason.OUTSIDER])}"]
    if principal.guest:
        return [f"🚫 {catalogue.gettext(REFUSAL_TEXTS[RefusalReason.GUEST])}"]
    roles = [inline(role, 40) for role in sorted(principal.roles)]
    if roles:
        lines = [catalogue.gettext("Roles: *{roles}*", roles=", ".join(roles))]
    else:
        lines = [catalogue.gettext("You have no role of your own.")]
    lines += [
        "🤝 "
        + catalogue.gettext(
            "You have {person}'s permissions until {when}.",
            person=mention_user(delegation.delegator),
            when=date_token(delegation.until),
        )
        for delegation in person.received
    ]
    return lines


def _commands(catalogue: Catalogue, principal: Principal, config: Config) -> str:
    """Say which of the commands for some roles the person may use; "" for none."""
    rights = {name: getattr(config.rights, name) for name in type(config.rights).model_fields}
    names = [code(name) for name, roles in rights.items() if not principal.roles.isdisjoint(roles)]
    if not names:
        return ""
    return catalogue.gettext("You can also use {commands}.", commands=catalogue.all_of(names))


def _right(catalogue: Catalogue, action: Action | Read, person: Person, config: Config) -> str:
    """Say what holds for one right: in a line, with one below it for each case that differs."""
    title = f"*{permission_name(catalogue, action)}*"
    answers = cases(config.rules, person.principal, action)
    default = answers[-1] if answers and not answers[-1].rule.when else None
    special = answers if default is None else answers[:-1]
    allowed = [case for case in answers if case.answer is Answer.ALLOWED]
    if not allowed:
        return f"▫️ {title}: {_nobody_or_others(catalogue, answers, config)}"
    if default and default.answer is Answer.ALLOWED:
        first = f"✅ {title}: {_terms(catalogue, catalogue.gettext('yes'), default, person)}"
        rows = special
    else:
        first = f"☑️ {title}: {catalogue.gettext('only in some cases')}"
        rows = answers
    lines = [first, *(_case_line(catalogue, case, person, config) for case in rows[:MAX_CASES])]
    if (more := len(rows) - MAX_CASES) > 0:
        lines.append(f"      {catalogue.ngettext('{count} more', '{count} more', more)}")
    return "\n".join(lines)


def _nobody_or_others(catalogue: Catalogue, answers: Sequence[Case], config: Config) -> str:
    """Say why a right is missing in all cases: nobody has it, or who has."""
    roles = dict.fromkeys(
        role for case in answers if case.answer is Answer.OTHERS for role in case.rule.roles
    )
    if roles:
        members = role_members(catalogue, tuple(roles), config.roles)
        return catalogue.gettext("no, only {who}", who=members)
    if any(case.answer is Answer.DENIED for case in answers):
        return catalogue.gettext("no, the policy denies it")
    return catalogue.gettext("no, no rule allows it to anybody")


def _case_line(catalogue: Catalogue, case: Case, person: Person, config: Config) -> str:
    """Say where a case applies, and what holds then."""
    where = _conditions(catalogue, case.rule.when) or catalogue.gettext("otherwise")
    if case.rule.name:
        where = f"{inline(case.rule.name, 40)} ({where})"
    match case.answer:
        case Answer.ALLOWED:
            answer = _terms(catalogue, catalogue.gettext("yes"), case, person)
        case Answer.OTHERS:
            members = role_members(catalogue, case.rule.roles, config.roles)
            answer = catalogue.gettext("no, only {who}", who=members)
        case Answer.DENIED:
            answer = catalogue.gettext("no, the policy denies it")
        case _:
            assert_never(case.answer)
    return f"      • {where}: {answer}"


def _terms(catalogue: Catalogue, answer: str, case: Case, person: Person) -> str:
    """Return an answer with what is asked of the person in this case: "yes · 2 approvals"."""
    rule, parts = case.rule, [answer]
    if rule.needed > 1:
        parts.append(catalogue.ngettext("{count} approval", "{count} approvals", rule.needed))
    if len(rule.stages) > 1:
        parts += [
            catalogue.gettext(
                "stage {number}: {count} by {roles}",
                number=catalogue.number(number),
                count=catalogue.number(stage.count),
                roles=stage_roles(catalogue, stage),
            )
            for number, stage in enumerate(rule.stages, 1)
        ]
    if rule.reason is ReasonRule.REQUIRED:
        parts.append(catalogue.gettext("with a reason"))
    if rule.confirm:
        parts.append(catalogue.gettext("name typed to confirm"))
    if not rule.creator_allowed:
        parts.append(catalogue.gettext("not for tasks you created"))
    if not person.principal.roles.isdisjoint(rule.break_glass):
        parts.append(catalogue.gettext("emergency override"))
    if case.delegator:
        parts.append(
            catalogue.gettext("on behalf of {person}", person=mention_user(case.delegator))
        )
    return " · ".join(parts)


def _conditions(catalogue: Catalogue, conditions: RuleConditions) -> str:
    """Say what an object must be like; "" where that does not matter."""
    parts = []
    if conditions.business_type:
        types = [
            catalogue.gettext(BUSINESS_TYPES.get(each, each)) for each in conditions.business_type
        ]
        parts.append(catalogue.one_of(types))
    if conditions.name:
        pattern = code(conditions.name, MAX_TEXT)
        parts.append(catalogue.gettext("name {pattern}", pattern=pattern))
    if conditions.related_object:
        pattern = code(conditions.related_object, MAX_TEXT)
        parts.append(catalogue.gettext("workflow or playbook {pattern}", pattern=pattern))
    parts += _evidence_conditions(catalogue, conditions)
    if conditions.workspace:
        names = catalogue.one_of([inline(each, 40) for each in conditions.workspace])
        parts.append(catalogue.gettext("workspace {names}", names=names))
    if conditions.overdue is True:
        parts.append(catalogue.gettext("overdue"))
    if conditions.overdue is False:
        parts.append(catalogue.gettext("not overdue"))
    return " · ".join(parts)


# Conditions that are patterns about what stands around an object, in the order of the file's keys.
PATTERN_TEXTS: dict[str, str] = {
    "source": N_("source {pattern}"),
    "category": N_("category {pattern}"),
    "asset": N_("asset {pattern}"),
    "asset_type": N_("asset type {pattern}"),
    "enterprise_project": N_("enterprise project {pattern}"),
}


def _evidence_conditions(catalogue: Catalogue, conditions: RuleConditions) -> list[str]:
    """Say what the alert or incident behind an object, its assets and its workflow must be like."""
    parts = []
    if conditions.severity:
        names = catalogue.one_of([catalogue.gettext(SEVERITIES[s]) for s in conditions.severity])
        parts.append(catalogue.gettext("severity {names}", names=names))
    if conditions.verification:
        states = [catalogue.gettext(VERIFICATIONS[each]) for each in conditions.verification]
        parts.append(catalogue.gettext("verification {names}", names=catalogue.one_of(states)))
    if conditions.drill is not None:
        parts.append(catalogue.gettext(DRILLS[conditions.drill]))
    for key, sentence in PATTERN_TEXTS.items():
        if pattern := getattr(conditions, key):
            parts.append(catalogue.gettext(sentence, pattern=code(pattern, MAX_TEXT)))
    if conditions.asset_level:
        levels = [catalogue.gettext(ASSET_LEVELS[each]) for each in conditions.asset_level]
        parts.append(catalogue.one_of(levels))
    if conditions.workflow_kind:
        kinds = catalogue.one_of([code(each) for each in conditions.workflow_kind])
        parts.append(catalogue.gettext("workflow kind {kinds}", kinds=kinds))
    return parts
