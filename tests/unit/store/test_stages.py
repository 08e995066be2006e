"""Approvals in stages, as they are counted in the database: in order, and each person in one."""

import itertools
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from bot.domain.approvals import Approval, ApprovalIntent, RequestEnded, RequestRemains
from bot.domain.audit import AuditOutcome
from bot.domain.claims import Claim, NotCounted, Taken, WaitingFor
from bot.domain.objects import Ref
from bot.domain.operations import Operation, PolicyTerms
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import StoredSnapshot
from bot.domain.stages import Stage, Stages, one_stage
from bot.store import Store, connect
from tests.support.databases import both_databases
from tests.support.examples import examples

pytestmark = both_databases
START = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
SNAPSHOT = StoredSnapshot(fingerprint="0" * 32, snapshot="{}")
APPROVER, MANAGER = Stage(roles=("approver",)), Stage(roles=("manager",))
TWO: Stages = (APPROVER, MANAGER)
# Who has which roles: whoever has both fills the stage whose turn it is, and no other.
ROLES = {
    "A1": ("approver",),
    "A2": ("approver",),
    "M1": ("manager",),
    "M2": ("manager",),
    "B1": ("approver", "manager"),
}


class People:
    """The people who approve one task after another, each time on a new task."""

    def __init__(self, store: Store, number: object = 0) -> None:
        self.store = store
        self.ref = Ref(kind="task", id=f"t{number}")
        self.ids = itertools.count()

    def operation(self, user: str, stages: Stages = TWO, **fields: Any) -> Operation:
        terms = {"stages": stages, "roles": ROLES[user], "expires": 3600}
        return Operation(
            id=f"{self.ref.id}-{next(self.ids)}-{user}",
            actor=Actor(id=user),
            action="task.approve",
            ref=self.ref,
            accepted_at=START,
            location=SlackLocation(channel="C0SOC"),
            terms=PolicyTerms(**terms | fields.pop("terms", {})),
            **fields,
        )

    def approve(self, user: str, stages: Stages = TWO, **fields: Any) -> Claim:
        return self.claim(self.operation(user, stages, **fields))

    def claim(self, operation: Operation) -> Claim:
        return self.store.claims.claim(operation, f"{self.ref}:decision:0", START, SNAPSHOT)

    @property
    def approved(self) -> list[tuple[str, int]]:
        requests = self.store.claims.approval_requests(self.ref, START)
        return [(each.actor.id, each.stage) for request in requests for each in request.approvals]


def reason_of(claim: Claim) -> str:
    return claim.reason if isinstance(claim, NotCounted) else type(claim).__name__


def test_in_every_order_of_three_people_nothing_is_sent_before_both_stages_are_full(
    store: Store,
) -> None:
    for number, users in enumerate(itertools.permutations(ROLES, 3)):
        people = People(store, number)
        filled: list[str] = []
        for user in users:
            claim = people.approve(user)
            stage = ("approver", "manager")[len(filled)]
            if stage in ROLES[user]:
                filled.append(user)
                if len(filled) == len(TWO):
                    assert isinstance(claim, Taken)
                    assert [each.actor.id for each in claim.operation.co_approvers] == filled[:1]
                    assert claim.operation.stage == 1
                    break
                assert isinstance(claim, WaitingFor)
            else:
                assert reason_of(claim) == "not_your_turn"
            assert people.approved == list(zip(filled, range(2), strict=False))


def test_one_person_fills_one_stage_and_a_right_counts_once(store: Store) -> None:
    people = People(store)
    assert isinstance(people.approve("B1"), WaitingFor)
    assert reason_of(people.approve("B1")) == "voted"
    delegator = {"delegator": "B1"}
    assert reason_of(people.approve("M1", terms=delegator)) == "same_right"
    assert people.approved == [("B1", 0)]


def test_a_withdrawn_approval_reopens_its_stage_and_drops_the_later_ones(store: Store) -> None:
    people, three = People(store), (APPROVER, Stage(count=2, roles=("manager",)))
    for user in ("A1", "M1"):
        people.approve(user, three)
    withdrawal = people.operation("A1", three, intent=ApprovalIntent.WITHDRAW)
    change = store.claims.withdraw(withdrawal, START)
    assert isinstance(change, RequestEnded)
    assert [each.actor.id for each in change.request.approvals] == ["A1", "M1"]
    assert people.approved == []
    assert reason_of(people.approve("M1", three)) == "not_your_turn"

    two_first = (Stage(count=2, roles=("approver",)), Stage(count=2, roles=("manager",)))
    people = People(store, "other")
    for user in ("A1", "A2", "M1"):
        people.approve(user, two_first)
    withdrawal = people.operation("A1", two_first, intent=ApprovalIntent.WITHDRAW)
    for _replayed in range(2):
        change = store.claims.withdraw(withdrawal, START)
        assert isinstance(change, RequestRemains)
        assert [each.actor.id for each in change.dropped_approvals] == ["M1"]
    assert people.approved == [("A2", 0)]
    # A stage that is open again has a turn of its own, in which its people are called.
    [request] = store.claims.approval_requests(people.ref, START)
    assert request.turn_key == f"{request.id}:0:1"
    people.approve("A1", two_first)
    [request] = store.claims.approval_requests(people.ref, START)
    assert request.turn_key == f"{request.id}:1:1"


def test_a_revoked_approval_reopens_its_stage_and_drops_the_later_ones(store: Store) -> None:
    people, three = People(store), (APPROVER, Stage(count=2, roles=("manager",)))
    for user in ("A1", "M1"):
        people.approve(user, three)
    [request] = store.claims.approval_requests(people.ref, START)
    store.claims.revoke_approvals(people.ref, request.approvals[:1], START)
    claim = people.approve("M2", three)
    assert reason_of(claim) == "not_your_turn"
    assert isinstance(claim, NotCounted)
    assert [each.actor.id for each in claim.dropped_approvals] == ["M1"]
    assert people.approved == []


def test_what_is_revoked_with_the_later_stages_is_on_record_and_its_stage_has_another_turn(
    store: Store,
) -> None:
    stages = (Stage(count=2, roles=("approver",)), Stage(count=2, roles=("manager",)))
    people = People(store)
    for user in ("A1", "A2", "M1"):
        people.approve(user, stages)
    [request] = store.claims.approval_requests(people.ref, START)
    assert request.turn_key == f"{request.id}:1:0"
    first, _second, third = request.approvals
    store.claims.revoke_approvals(people.ref, [first], START, dropped=[third])
    [request] = store.claims.approval_requests(people.ref, START)
    assert (people.approved, request.turn_key) == ([("A2", 0)], f"{request.id}:0:1")
    [revoked] = [
        entry
        for entry in store.audit.entries(people.ref)
        if entry["outcome"] == AuditOutcome.REVOKED
    ]
    assert revoked["actor"]["id"] == "A1"
    assert [each["actor"]["id"] for each in revoked["dropped_approvals"]] == ["M1"]


def test_a_rule_with_another_number_of_stages_asks_everybody_anew(store: Store) -> None:
    people = People(store)
    people.approve("A1", one_stage(2, ("approver", "manager")))
    claim = people.approve("A2")
    assert isinstance(claim, WaitingFor)
    assert [each.actor.id for each in claim.outdated_approvals] == ["A1"]
    assert people.approved == [("A2", 0)]


def test_a_single_stage_of_one_role_is_for_that_role_alone(store: Store) -> None:
    people = People(store)
    assert reason_of(people.approve("M1", (APPROVER,))) == "not_your_turn"
    assert isinstance(people.approve("A1", (APPROVER,)), Taken)


def test_the_emergency_override_passes_all_stages(store: Store) -> None:
    people = People(store)
    people.approve("A1")
    alone = {"break_glass_channel": "C0SOC", "stages": one_stage(1, ("manager",))}
    claim = people.approve("M2", terms=alone)
    assert isinstance(claim, Taken)
    assert [each.actor.id for each in claim.operation.co_approvers] == ["A1"]


def test_the_audit_says_for_which_stage_each_approval_counted(store: Store) -> None:
    people = People(store)
    for user in ("A1", "M1"):
        people.approve(user)
    counted, allowed = store.audit.entries(people.ref)
    assert (counted["outcome"], counted["stage"]) == ("counted", 0)
    assert (allowed["outcome"], allowed["stage"]) == ("allowed", 1)
    assert [Approval.model_validate(each).stage for each in allowed["co_approvers"]] == [0]
    assert [each["roles"] for each in allowed["terms"]["stages"]] == [["approver"], ["manager"]]


def test_of_two_at_once_on_two_replicas_one_fills_the_stage(
    store: Store, database_url: str
) -> None:
    replica = Store(connect(database_url))
    for number in range(5):
        people = People(store, number)
        others = People(replica, number)
        operations = [(people, people.operation("A1")), (others, others.operation("A2"))]
        with ThreadPoolExecutor(2) as pool:
            claims = list(pool.map(lambda pair: pair[0].claim(pair[1]), operations))
        assert sorted(map(reason_of, claims)) == ["WaitingFor", "not_your_turn"]
        assert len(people.approved) == 1
    replica.engine.dispose()


def test_an_approval_that_comes_too_late_opens_no_stage(store: Store) -> None:
    people = People(store)
    late = people.operation("A1").model_copy(update={"accepted_at": START - timedelta(hours=2)})
    assert reason_of(people.claim(late)) == "too_old"


PLANS: tuple[Stages, ...] = (TWO, (Stage(count=2, roles=("approver",)), MANAGER))
STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(ROLES)), st.sampled_from(("", "", "B1")), st.booleans()),
    max_size=12,
)


@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.sampled_from(PLANS), steps=STEPS)
def test_whatever_the_order_each_person_and_right_is_in_one_stage_and_all_are_full_at_the_end(
    store: Store, plan: Stages, steps: list[tuple[str, str, bool]]
) -> None:
    people = People(store, uuid.uuid4().hex)
    for user, delegator, withdraws in steps:
        acting = delegator if delegator != user else ""
        roles = ROLES[acting or user]
        if withdraws:
            operation = people.operation(user, plan, intent=ApprovalIntent.WITHDRAW)
            store.claims.withdraw(operation, START)
            continue
        claim = people.approve(user, plan, terms={"delegator": acting, "roles": roles})
        requests = store.claims.approval_requests(people.ref, START)
        approvals = [each for request in requests for each in request.approvals]
        stages = [each.stage for each in approvals]
        assert len({each.actor.id for each in approvals}) == len(approvals)
        assert len({each.authority for each in approvals}) == len(approvals)
        assert all(
            not set(plan[each.stage].roles).isdisjoint(ROLES[each.authority]) for each in approvals
        )
        full = [stages.count(number) >= stage.count for number, stage in enumerate(plan)]
        assert full == sorted(full, reverse=True)
        assert all(full) is isinstance(claim, Taken)
        if isinstance(claim, Taken):
            return
