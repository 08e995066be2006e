"""What would the bot answer? The policy, held against cases that people wrote down.

Asks neither Slack nor SecMaster: what they would say stands in the file of cases.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from bot.domain.objects import visible
from bot.domain.snapshots import Snapshot
from bot.messages.permissions import explain_decision
from bot.policy import cases, config
from bot.policy.cases import Case, Cases, CasesError, Person, Question
from bot.policy.config import Config
from bot.policy.decide import Allowed, Decision, PolicyContext, Principal, decide, identify


@dataclass(frozen=True, slots=True)
class World:
    """The policy, and the world that the cases describe."""

    policy: Config
    told: Cases

    def answer(self, asked: Question) -> Decision:
        matter = PolicyContext(frozenset(asked.workspace), self.told.now, self._object(asked))
        return decide(
            self.policy.rules,
            self.member(asked.user),
            asked.row,
            matter,
            break_glass=asked.break_glass,
        )

    def member(self, user: str) -> Principal:
        borrows = self.told.people.get(user, Person()).borrows
        return replace(self._alone(user), delegators=tuple(map(self._alone, borrows)))

    def could(self, asked: Question) -> list[str]:
        """Everybody who is named anywhere and would be allowed the same."""
        return [
            user
            for user in sorted(self._everybody())
            if isinstance(self.answer(asked.model_copy(update={"user": user})), Allowed)
        ]

    def notes(self) -> Iterator[str]:
        """What is odd about the cases, and may be meant."""
        named = {group for role in self.policy.roles.values() for group in role.usergroups}
        if empty := sorted(named - self.told.usergroups.keys()):
            yield f"[usergroups] says nothing of {', '.join(empty)}: taken as empty"
        if idle := sorted(self.told.usergroups.keys() - named):
            yield f"[usergroups] lists {', '.join(idle)}, which no role has"

    def _object(self, asked: Question) -> Snapshot | None:
        if not asked.about:
            return None
        if asked.task:
            return self.told.tasks[asked.task].read()
        return self.told.instances[asked.instance].read()

    def _alone(self, user: str) -> Principal:
        """Somebody without what others lent them."""
        person = self.told.people.get(user, Person())
        inside = {group for group, users in self.told.usergroups.items() if user in users}
        return Principal(
            user,
            frozenset(
                name
                for name, role in self.policy.roles.items()
                if user in role.users or inside.intersection(role.usergroups)
            ),
            guest=person.guest,
            outsider=person.outsider,
            identities=(identify(self.policy.identities, user, person.email),),
        )

    def _everybody(self) -> set[str]:
        found = set(self.told.people)
        for role in self.policy.roles.values():
            found.update(role.users)
        for users in self.told.usergroups.values():
            found.update(users)
        return found


def check(path: Path, policy: Path, console: Console | None = None) -> bool:
    """Print a line for each case; returns whether each is answered as it says."""
    console = console or Console()
    rules = _policy(policy)
    world = World(rules, cases.load(path, rules))
    if not world.told.cases:
        raise CasesError(f"{path}: has no [[cases]], so nothing would be checked")
    _print_notes(console, world)
    numbered = enumerate(world.told.cases, 1)
    met = [_print_case(console, world, number, each) for number, each in numbered]
    _print(console, f"Cases: {len(met)}, answered otherwise: {met.count(False)}.")
    return all(met)


def explain(
    asked: dict[str, Any], path: Path | None, policy: Path, console: Console | None = None
) -> bool:
    """Print the answer to one question, why, and who could; returns whether it is yes."""
    console = console or Console()
    rules = _policy(policy)
    known = cases.load(path, rules) if path else Cases()
    question = cases.parse_question(asked, known, rules)
    world = World(rules, known)
    answer = world.answer(question)
    _print_notes(console, world)
    _print(console, f"{question}: {_said(answer)}", mark=_mark(well=isinstance(answer, Allowed)))
    for label, text in _reasons(world, question, answer):
        _print(console, f"{label}: {text}", mark="  ")
    return isinstance(answer, Allowed)


def _reasons(world: World, asked: Question, answer: Decision) -> Iterator[tuple[str, str]]:
    member = world.member(asked.user)
    yield f"roles of {asked.user}", ", ".join(sorted(member.roles)) or "none"
    if world.policy.identities:
        yield "in SecMaster", str(member.identities[0]) or "not known"
    for lender in member.delegators:
        yield f"lent by {lender.id}", ", ".join(sorted(lender.roles)) or "nothing"
    if answer.roles:
        yield "left to", ", ".join(answer.roles)
    yield "could", ", ".join(world.could(asked)) or "nobody who is named here"


def _print_case(console: Console, world: World, number: int, case: Case) -> bool:
    answer = world.answer(case)
    met = case.is_met(answer)
    wanted = "" if met else f"; expected {case.expected}"
    _print(console, f"{number}. {case}: {_said(answer)}{wanted}", mark=_mark(well=met))
    return met


def _said(answer: Decision) -> str:
    return f"{'allowed' if isinstance(answer, Allowed) else 'refused'}, {explain_decision(answer)}"


def _mark(*, well: bool) -> str:
    return "[green]✓[/green] " if well else "[red]✗[/red] "


def _print_notes(console: Console, world: World) -> None:
    for note in world.notes():
        _print(console, f"Note: {note}.")


def _print(console: Console, said: str, *, mark: str = "") -> None:
    shown = escape(" ".join(visible(said).split()))
    console.print(f"{mark}{shown}", highlight=False, soft_wrap=True)


def _policy(path: Path) -> Config:
    """Read the policy; here one that is not there is a mistake."""
    if not path.exists():
        raise CasesError(f"{path}: not there; name the policy with --config")
    return config.load(path)
