"""Answer questions as the bot would, by the policy and a file of cases that people wrote.

Asks neither Slack nor SecMaster: what they would say stands in the file of cases.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from bot.domain.objects import visible
from bot.domain.stages import unfilled
from bot.messages.catalogue import Catalogue
from bot.messages.permissions import explain_decision, missing_read_rules, nobody_reads
from bot.policy import cases, config
from bot.policy.cases import ROWS, Cases, CasesError, Person, Question
from bot.policy.config import Config
from bot.policy.decide import Allowed, Decision, PolicyContext, Principal, decide, identify
from bot.policy.requirements import UNFILLED
from bot.policy.rules import Effect, Rule, covers, numbered, written

if TYPE_CHECKING:
    from bot.domain.snapshots import Snapshot

PASSED, FAILED = "[green]✓[/green] ", "[red]✗[/red] "


@dataclass(frozen=True, slots=True)
class PolicyCases:
    """A policy, and the people and objects that a file of cases describes."""

    policy: Config
    file: Cases

    @classmethod
    def load(cls, policy_file: Path, cases_file: Path | None) -> "PolicyCases":
        """Read both files; raises ConfigError or CasesError with everything that is wrong.

        A policy that is not there is an error here: the bot would take it for an empty one.
        """
        policy = config.load(policy_file, required=True)
        return cls(policy, cases.load(cases_file, policy) if cases_file else Cases())

    def answer(self, question: Question) -> Decision:
        """Decide a question as the bot would."""
        snapshot: Snapshot | None = None
        if question.task:
            snapshot = self.file.tasks[question.task].read()
        elif question.instance:
            snapshot = self.file.instances[question.instance].read()
        elif question.playbook:
            snapshot = self.file.playbooks[question.playbook].read()
        return decide(
            self.policy.rules,
            self.principal(question.user),
            question.row,
            PolicyContext(frozenset(question.workspace), self.file.now, snapshot),
            break_glass=question.break_glass,
        )

    def principal(self, user: str) -> Principal:
        """Return a person with their own roles, and with those who delegated theirs."""
        delegators = self.file.people.get(user, Person()).borrows
        return replace(
            self.principal_alone(user), delegators=tuple(map(self.principal_alone, delegators))
        )

    def principal_alone(self, user: str) -> Principal:
        """Return a person without what others delegated to them."""
        person = self.file.people.get(user, Person())
        usergroups = {name for name, users in self.file.usergroups.items() if user in users}
        roles = {
            name
            for name, role in self.policy.roles.items()
            if user in role.users or usergroups.intersection(role.usergroups)
        }
        return Principal(
            user,
            frozenset(roles),
            guest=person.guest,
            outsider=person.outsider,
            identities=(identify(self.policy.identities, user, person.email),),
        )

    def users_allowed(self, question: Question) -> list[str]:
        """Return everybody named in either file who would be allowed the same."""
        users = set(self.file.people)
        users.update(*(role.users for role in self.policy.roles.values()))
        users.update(*self.file.usergroups.values())
        return [
            user
            for user in sorted(users)
            if isinstance(self.answer(question.model_copy(update={"user": user})), Allowed)
        ]

    def notes(self) -> Iterator[str]:
        """Yield what is odd about the cases, and may be meant."""
        in_roles = {group for role in self.policy.roles.values() for group in role.usergroups}
        if empty := sorted(in_roles - self.file.usergroups.keys()):
            yield f"[usergroups] says nothing of {', '.join(empty)}: taken as empty"
        if unused := sorted(self.file.usergroups.keys() - in_roles):
            yield f"[usergroups] lists {', '.join(unused)}, which no role has"
        if unread := nobody_reads(Catalogue.english(), self.policy):
            yield f"{unread} Add these lines to the policy"


def check(cases_file: Path, policy_file: Path, console: Console | None = None) -> bool:
    """Print a line for each case, and return whether each is answered as it says."""
    console = console or Console()
    policy_cases = PolicyCases.load(policy_file, cases_file)
    if not policy_cases.file.cases:
        raise CasesError(f"{cases_file}: has no [[cases]], so nothing would be checked")
    is_reachable = True
    print_notes(console, policy_cases)
    for note in rule_notes(policy_cases.policy.rules):
        print_line(console, f"Note: {note}.")
    for problem in unreachable(policy_cases.policy):
        print_line(console, problem, mark=FAILED)
        is_reachable = False
    failures = 0
    for number, case in enumerate(policy_cases.file.cases, 1):
        decision = policy_cases.answer(case)
        line = f"{number}. {case}: {describe(decision)}"
        if case.is_met(decision):
            print_line(console, line, mark=PASSED)
        else:
            print_line(console, f"{line}; expected {case.expected}", mark=FAILED)
            failures += 1
    print_line(console, f"Cases: {len(policy_cases.file.cases)}, answered otherwise: {failures}.")
    return is_reachable and not failures


def unreachable(policy: Config) -> Iterator[str]:
    """Yield each rule that certainly has fewer people than it asks for.

    Who is in a user group is not known here, so a rule whose roles have one is left out.
    """
    for title, rule in numbered("rule", policy.rules):
        roles = [policy.roles[name] for name in rule.roles]
        people = {user for role in roles for user in role.users}
        if rule.effect is not Effect.ALLOW or any(role.usergroups for role in roles):
            continue
        stage_people = [
            sorted({user for name in stage.roles for user in policy.roles[name].users})
            for stage in rule.stages
        ]
        if len(people) < rule.needed:
            names = f": {', '.join(sorted(people))}" if people else ""
            yield (
                f"{title} asks for approvals = {written(rule.approvals)}, and its roles name "
                f"{len(people)}{names}"
            )
        elif stage := unfilled(rule.stages, stage_people):
            yield f"{title}: {UNFILLED.format(count=stage.count, roles=', '.join(stage.roles))}"


def rule_notes(rules: Sequence[Rule]) -> Iterator[str]:
    """Yield what a policy rests on that may fail, and what can't be meant by it."""
    titled = tuple(numbered("rule", rules))
    if by_name := [title for title, rule in titled if rule.when.object_keys == ("name",)]:
        yield (
            f"asked for by a name alone: {', '.join(by_name)}. Whoever writes the playbook chooses "
            "that name, so add business_type or related_object where you can"
        )
    denies = [(title, rule) for title, rule in titled if rule.effect is Effect.DENY]
    for title, rule in denies:
        if rule.when.needs_snapshot:
            yield (
                f"{title} denies unless its when certainly does not fit: also where SecMaster "
                "can't be read or does not state what it asks for"
            )
    for title, rule in titled:
        overruling = [other for other, deny in denies if overrules(deny, rule)]
        if rule.effect is Effect.ALLOW and overruling:
            yield f"{title} never allows anything: {', '.join(overruling)} denies all of it"
    allows = [(title, rule) for title, rule in titled if rule.effect is Effect.ALLOW]
    for title, rule in allows:
        staged = {role for stage in rule.stages for role in stage.roles}
        yield from (
            f"{title} names {role} in none of its stages: whoever has that role alone can decline "
            "a request, and not approve"
            for role in rule.roles
            if role not in staged
        )
    for position, (title, rule) in enumerate(allows):
        if before := preceding(rule, allows[:position]):
            yield f"{title} never decides anything: {', '.join(before)} decides all of it before"


def overrules(deny: Rule, rule: Rule) -> bool:
    """Whether a deny certainly refuses all that another rule could allow."""
    roles = {*rule.roles, *rule.break_glass}
    return (
        bool(rule.covered_actions)
        and set(rule.covered_actions) <= set(deny.covered_actions)
        and (not deny.when or deny.when == rule.when)
        and (not deny.roles or roles <= set(deny.roles))
    )


def preceding(rule: Rule, earlier: Sequence[tuple[str, Rule]]) -> list[str]:
    """Return the titles of earlier rules that certainly decide all that a rule could; [] if not."""
    titles: list[str] = []
    for action in (row for row in ROWS.values() if covers(rule, row)):
        title = next(
            (
                title
                for title, other in earlier
                if covers(other, action) and (not other.when or other.when == rule.when)
            ),
            "",
        )
        if not title:
            return []
        titles.append(title)
    return list(dict.fromkeys(titles))


def explain(
    values: dict[str, Any],
    cases_file: Path | None,
    policy_file: Path,
    console: Console | None = None,
) -> bool:
    """Print the answer to one question, why, and who could, and return whether it is yes.

    ``values`` are the fields of a Question.
    """
    console = console or Console()
    policy_cases = PolicyCases.load(policy_file, cases_file)
    values = values | {"user": member_id(policy_cases.file, values["user"])}
    question = cases.parse_question(values, policy_cases.file, policy_cases.policy)
    decision = policy_cases.answer(question)
    allowed = isinstance(decision, Allowed)
    print_notes(console, policy_cases)
    print_line(console, f"{question}: {describe(decision)}", mark=PASSED if allowed else FAILED)
    for label, text in reasons(policy_cases, question, decision):
        print_line(console, f"{label}: {text}", mark="  ")
    return allowed


def member_id(file: Cases, user: str) -> str:
    """Return the member id of whoever has this e-mail in the cases; any other text as it is."""
    address = user.casefold()
    ids = (id_ for id_, person in file.people.items() if person.email.casefold() == address)
    return next(ids, user) if user else user


def reasons(
    policy_cases: PolicyCases, question: Question, decision: Decision
) -> Iterator[tuple[str, str]]:
    """Yield the facts that a decision rests on, each with its label."""
    principal = policy_cases.principal(question.user)
    yield f"roles of {question.user}", ", ".join(sorted(principal.roles)) or "none"
    if policy_cases.policy.identities:
        yield "in SecMaster", str(principal.identities[0]) or "not known"
    for delegator in principal.delegators:
        yield f"delegated by {delegator.id}", ", ".join(sorted(delegator.roles)) or "nothing"
    if decision.roles:
        yield "allowed to", ", ".join(decision.roles)
    users = policy_cases.users_allowed(question)
    yield "could", ", ".join(users) or "nobody who is named here"


def describe(decision: Decision) -> str:
    return explain_decision(Catalogue.english(), decision)


def print_notes(console: Console, policy_cases: PolicyCases) -> None:
    for note in policy_cases.notes():
        print_line(console, f"Note: {note}.")
    for line in missing_read_rules(policy_cases.policy).splitlines():
        print_line(console, line, mark="    ")


def print_line(console: Console, text: str, *, mark: str = "") -> None:
    """Print text on one line, with everything in it visible and nothing taken for markup."""
    line = escape(" ".join(visible(text).split()))
    console.print(f"{mark}{line}", highlight=False, soft_wrap=True)
