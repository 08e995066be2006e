"""The stages of approvals: their order, what stands, and who can fill them."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals import Approval, standing, turn_of
from bot.domain.slack import Actor
from bot.domain.stages import (
    Stage,
    Stages,
    one_stage,
    stage_at,
    strictest,
    total,
    unfilled,
    with_at_least,
)
from tests.support.samples import NOW

TWO = (Stage(count=1, roles=("approver",)), Stage(count=1, roles=("manager",)))
PLANS = st.lists(st.builds(Stage, count=st.integers(1, 3)), min_size=1, max_size=4).map(tuple)
NUMBERS = st.lists(st.integers(0, 3), max_size=9)


def approvals(*numbers: int) -> tuple[Approval, ...]:
    return tuple(
        Approval(operation_id=str(index), actor=Actor(id=f"U{index}"), at=NOW, stage=number)
        for index, number in enumerate(numbers)
    )


@given(PLANS, NUMBERS)
def test_what_stands_has_no_approval_behind_a_stage_that_lacks_one(
    plan: Stages, numbers: list[int]
) -> None:
    given_approvals = approvals(*numbers)
    remaining = standing(plan, given_approvals)
    turn = turn_of(plan, given_approvals)
    counts = [sum(each.stage == number for each in remaining) for number in range(len(plan))]
    assert all(count >= stage.count for count, stage in zip(counts[:turn], plan, strict=False))
    assert turn == len(plan) or counts[turn] < plan[turn].count
    assert not any(counts[turn + 1 :])
    assert turn_of(plan, remaining) == turn
    assert standing(plan, remaining) == remaining


def test_a_later_approval_does_not_count_while_an_earlier_stage_is_open() -> None:
    assert turn_of(TWO, ()) == 0
    assert turn_of(TWO, approvals(0)) == 1
    assert turn_of(TWO, approvals(0, 1)) == 2
    assert turn_of(TWO, approvals(1)) == 0
    assert standing(TWO, approvals(1)) == ()


@given(PLANS, PLANS)
def test_the_strictest_of_two_plans_asks_for_no_less_than_either(
    first: Stages, second: Stages
) -> None:
    plan = strictest(first, [second])
    assert len(plan) == len(first)
    for number, stage in enumerate(plan):
        counts = [first[number].count]
        counts += [second[number].count] if len(second) == len(first) else []
        assert stage.count == max(counts)


def test_the_brake_asks_for_one_more_person_of_the_last_stage() -> None:
    assert with_at_least(TWO[:1], 2) == one_stage(2, ("approver",))
    assert with_at_least(TWO, 2) == TWO
    assert with_at_least(TWO, 3) == (TWO[0], Stage(count=2, roles=("manager",)))
    assert total(TWO) == 2
    assert stage_at(TWO, 9) == TWO[1]


def test_a_stage_is_for_its_roles_and_without_any_for_everybody_whom_the_rule_allows() -> None:
    assert TWO[0].is_for(["approver", "manager"])
    assert not TWO[0].is_for(["manager"])
    assert not TWO[0].is_for([])
    assert Stage().is_for([])


def test_each_person_can_fill_one_stage_only() -> None:
    assert unfilled(TWO, [["A"], ["A", "B"]]) is None
    assert unfilled(TWO, [["A", "B"], ["A"]]) is None  # A makes room
    assert unfilled(TWO, [["A"], ["A"]]) == TWO[1]
    assert unfilled(TWO, [[], ["A"]]) == TWO[0]
    assert unfilled(one_stage(2), [["A"]]) == one_stage(2)[0]
