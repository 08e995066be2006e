"""Check the people and user groups of the policy, and whether its approvals can be given."""

from collections.abc import Iterator, Mapping
from typing import assert_never

from bot.cli.doctor.results import Result, State, failed, note, ok
from bot.cli.doctor.slack_access import calls_of_slack
from bot.cli.doctor.subject import Subject
from bot.domain.actions import TABLE
from bot.domain.slack import DestinationKind
from bot.domain.stages import Stage, unfilled
from bot.policy.config import Config
from bot.policy.references import Reference, by_id, people_and_groups, places
from bot.policy.requirements import UNFILLED
from bot.policy.rules import Effect, Rule, covers, numbered
from bot.slack.roster import Group, Person, PersonState, Roster

RETRIES = tuple(action for action in TABLE if action.is_retry)


async def check_people(subject: Subject) -> list[Result]:
    """Look at each person and user group of the policy: that they are there, and may act."""
    config = await subject.policy.need()
    references = by_id(people_and_groups(config))
    results: list[Result] = []
    groups = await subject.groups.get() if any(map(_is_group, references)) else {}
    ids = [id_ for id_ in references if not _is_group(id_)]
    with calls_of_slack(subject.settings):
        people = await (await subject.people.get()).find(ids) if ids else []
    for id_, person in zip(ids, people, strict=True):
        is_there = person.state is not PersonState.UNKNOWN
        results += _judge(references[id_], person_problem(person), is_there=is_there)
    for id_ in filter(_is_group, references):
        group = groups.get(id_)
        is_there = group is not None and not group.is_disabled
        results += _judge(references[id_], group_problem(id_, group), is_there=is_there)
    people_named, groups_named = len(ids), len(references) - len(ids)
    count = (
        f"{people_named} {'person' if people_named == 1 else 'people'} and {groups_named} "
        f"{'user group' if groups_named == 1 else 'user groups'} named by the policy"
    )
    return (
        results if State.FAILED in {result.state for result in results} else [ok(count), *results]
    )


def _is_group(id_: str) -> bool:
    return Reference(id_, "").kind is DestinationKind.USERGROUP


def _judge(references: list[Reference], problem: str, *, is_there: bool) -> Iterator[Result]:
    """Yield what is wrong with whom these name; it is a note where it is enough that they exist."""
    if problem:
        is_note = is_there and all(reference.is_enough_to_exist for reference in references)
        result = note if is_note else failed
        yield result(f"{problem} ({places(references)})")


def person_problem(person: Person) -> str:
    """Return why somebody can't act, "" where they can."""
    match person.state:
        case PersonState.MEMBER:
            return ""
        case PersonState.UNKNOWN:
            return f"Slack knows nobody by the id {person.id}"
        case PersonState.DEACTIVATED:
            return f"{person} is deactivated in Slack"
        case PersonState.BOT:
            return f"{person} is a bot, and no person"
        case PersonState.GUEST:
            return f"{person} is a guest, whom nothing is allowed"
        case PersonState.OUTSIDER:
            return f"{person} is of another organisation or workspace, whom nothing is allowed"
        case _:
            assert_never(person.state)


def group_problem(id_: str, group: Group | None) -> str:
    """Return why a user group has nobody, "" where it has somebody."""
    if group is None:
        return f"Slack knows no user group by the id {id_}"
    if group.is_disabled:
        return f"the user group {group} is disabled"
    return "" if group.people else f"the user group {group} is empty"


async def check_approvals(subject: Subject) -> list[Result]:
    """Check that each role has somebody, and each rule as many as it asks for.

    What is lent adds nobody, and the emergency override is not counted: it is for emergencies.
    """
    config = await subject.policy.need()
    roster = await subject.people.need()
    names_group = any(role.usergroups for role in config.roles.values())
    groups = await subject.groups.need() if names_group else {}
    with calls_of_slack(subject.settings):
        members = {name: await _members(name, config, roster, groups) for name in config.roles}
    used = {name for roles in dict(config.rights).values() for name in roles}
    used |= {name for rule in config.rules if rule.effect is Effect.ALLOW for name in rule.roles}
    results = [
        failed(f"nobody has the role {name}, so nobody may do what is left to it")
        for name, people in members.items()
        if not people and name in used
    ]
    for title, rule in numbered("rule", config.rules):
        if rule.effect is Effect.ALLOW and any(members[role] for role in rule.roles):
            results += _reachability(title, rule, members, config)
    if any(result.state is State.FAILED for result in results):
        return results
    return [ok("each rule has as many people as it asks for"), *results]


async def _members(
    role: str, config: Config, roster: Roster, groups: dict[str, Group]
) -> list[Person]:
    """Return the people who have a role and may act, by themselves or by a user group."""
    ids = set(config.roles[role].users)
    for id_ in config.roles[role].usergroups:
        ids |= groups[id_].people if id_ in groups else frozenset()
    people = {person.id: person for person in await roster.find(sorted(ids))}
    return [person for person in people.values() if person.state is PersonState.MEMBER]


def _ids(stage: Stage, members: Mapping[str, list[Person]]) -> list[str]:
    """Return the ids of the people who have a role of a stage."""
    return sorted({person.id for role in stage.roles for person in members[role]})


def _reachability(
    title: str, rule: Rule, members: Mapping[str, list[Person]], config: Config
) -> Iterator[Result]:
    """Yield what keeps a rule's approvals from being given by the ``members`` of its roles."""
    people = {person.id: person for role in rule.roles for person in members[role]}.values()
    names = ", ".join(sorted(map(str, people)))
    if len(people) < rule.needed:
        yield failed(
            f"{title} asks for {rule.needed} approvals, and only {len(people)} may give one: "
            f"{names}"
        )
    elif stage := unfilled(rule.stages, [_ids(stage, members) for stage in rule.stages]):
        yield failed(f"{title}: {UNFILLED.format(count=stage.count, roles=', '.join(stage.roles))}")
    elif not rule.creator_allowed and len(people) == rule.needed:
        yield note(
            f"{title} refuses whoever created the task (self = false): of one that {names} "
            f"created, {rule.needed} approvals can't be given"
        )
    may_retry = any(covers(rule, action) for action in RETRIES)
    if config.brake and may_retry and len(people) == 1:
        yield note(f"{title}: [brake] asks for a second person, and only {names} may retry")
