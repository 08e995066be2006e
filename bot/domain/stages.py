"""The stages of approvals: how many are needed, from which roles, in which order.

A rule that only names a number has one stage of all of its roles, so every count is one of stages.
"""

from collections.abc import Collection, Sequence

from pydantic import Field

from bot.domain.objects import Value


class Stage(Value):
    """So many approvals, each by somebody who has one of the roles.

    Without ``roles`` it is for whomever the rule allows the action.
    """

    count: int = Field(1, ge=1)
    roles: tuple[str, ...] = ()

    def is_for(self, roles: Collection[str]) -> bool:
        """Whether somebody with these roles may fill it."""
        return not self.roles or not set(self.roles).isdisjoint(roles)


Stages = tuple[Stage, ...]  # in their order; there is at least one


def one_stage(count: int, roles: Sequence[str] = ()) -> Stages:
    """Return the stages of a rule that asks for this number, of whichever of its roles."""
    return (Stage(count=count, roles=tuple(roles)),)


ONE: Stages = one_stage(1)  # by whomever the rule allows it


def total(stages: Stages) -> int:
    """Return how many approvals the stages need together."""
    return sum(stage.count for stage in stages)


def stage_at(stages: Stages, number: int) -> Stage:
    """Return the stage of this number, from 0; the last one where there are fewer."""
    return stages[min(number, len(stages) - 1)]


def strictest(stages: Stages, others: Sequence[Stages]) -> Stages:
    """Return the stages, each with as many approvals as any of the others asks for in it.

    Others with another number of stages are left out; the roles are those of the first.
    """
    plans = [stages, *(plan for plan in others if len(plan) == len(stages))]
    return tuple(
        stage.model_copy(update={"count": max(plan[number].count for plan in plans)})
        for number, stage in enumerate(stages)
    )


def with_at_least(stages: Stages, needed: int) -> Stages:
    """Return stages that need this many approvals: what is missing is added to the last one."""
    missing = max(0, needed - total(stages))
    last = stages[-1]
    return (*stages[:-1], last.model_copy(update={"count": last.count + missing}))


def unfilled(stages: Stages, members: Sequence[Collection[str]]) -> Stage | None:
    """Return a stage that people can't fill, each of them in one stage only; None for none.

    ``members`` are the people of each stage.
    """
    places = [number for number, stage in enumerate(stages) for _ in range(stage.count)]
    place_of: dict[str, int] = {}  # whom a place is given to, by person

    def is_filled(place: int, visited: set[str]) -> bool:
        """Whether somebody takes this place, others making room where they can."""
        for person in members[places[place]]:
            if person in visited:
                continue
            visited.add(person)
            if person not in place_of or is_filled(place_of[person], visited):
                place_of[person] = place
                return True
        return False

    for place, number in enumerate(places):
        if not is_filled(place, set()):
            return stages[number]
    return None
