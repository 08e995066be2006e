"""Nobody claims a key alone that several people must approve, whatever happens in which order."""

import random
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, assert_never

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bot.domain.approvals import ApprovalIntent, NotChanged, RequestEnded
from bot.domain.claims import Claim, HeldBy, NotCounted, RequestOver, Taken, WaitingFor
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome, PolicyTerms
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import StoredSnapshot
from bot.domain.stages import one_stage
from bot.store import Store, connect, migrate
from tests.support.examples import examples

START = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
TASK = Ref(kind="task", id="t1")
RUN = Ref(kind="instance", id="i1")
KEY = f"{TASK}:decision:0"
EXPIRES, SETTLE_TIME = 100, 60  # seconds
APPROVE, TERMINATE = "task.approve", "task.terminate"
PEOPLE = ("U0ALICE", "U0BOB", "U0CAROL", "U0DAVE")
people = st.sampled_from(PEOPLE)
delegators = st.sampled_from(("", "", *PEOPLE))
actions = st.sampled_from((APPROVE, APPROVE, TERMINATE))
Entry = dict[str, Any]


def operation_of(number: object, user: str, **fields: Any) -> Operation:
    defaults = {
        "id": f"op-{number}",
        "actor": Actor(id=user),
        "action": APPROVE,
        "ref": TASK,
        "accepted_at": START,
        "location": SlackLocation(channel="C0SOC"),
    }
    return Operation(**defaults | fields)


def terms(approvals: int = 2, **fields: Any) -> PolicyTerms:
    return PolicyTerms(stages=one_stage(approvals), expires=EXPIRES, **fields)


def snapshot(version: int = 0) -> StoredSnapshot:
    return StoredSnapshot(fingerprint=f"{version:032x}", snapshot="{}")


def outcome_of(claim: Claim) -> str:
    match claim:
        case Taken():
            return "allowed"
        case HeldBy():
            return "lost"
        case WaitingFor():
            return "counted"
        case NotCounted(reason):
            return reason
        case RequestOver():
            return "over"
        case _:
            assert_never(claim)


@dataclass
class ModelApproval:
    """One person's approval, as the rules define it."""

    operation: Operation
    fingerprint: str

    @property
    def authority(self) -> str:
        return self.operation.terms.delegator or self.operation.actor.id


class Model:
    """The rules, written down a second time without a database: approvals, and one key."""

    def __init__(self) -> None:
        self.now = START
        self.fingerprint = snapshot(0).fingerprint
        self.approvals: list[ModelApproval] = []
        self.expires_at = START
        self.holder: Operation | None = None
        self.done_at: datetime | None = None

    def approval_of(self, user: str, action: str) -> ModelApproval | None:
        self.expire()
        by_user = (each for each in self.approvals if each.operation.actor.id == user)
        return next((each for each in by_user if each.operation.action == action), None)

    def expire(self) -> None:
        if self.now >= self.expires_at:
            self.approvals = []

    def claim(self, operation: Operation) -> str:
        settling = self.done_at and self.now - self.done_at <= timedelta(seconds=SETTLE_TIME)
        if self.holder or settling:
            return "lost"
        self.expire()
        same = [each for each in self.approvals if each.operation.action == operation.action]
        self.approvals = [each for each in same if each.fingerprint == self.fingerprint]
        outcome = self._count(operation)
        if outcome == "allowed":
            self.holder, self.done_at = operation, None
        return outcome

    def _count(self, operation: Operation) -> str:
        if operation.terms.break_glass_channel or (
            operation.terms.approvals == 1 and not self.approvals
        ):
            return "allowed"
        previous = self.approval_of(operation.actor.id, operation.action)
        approval = ModelApproval(operation, self.fingerprint)
        if approval.authority in {each.authority for each in self.approvals if each != previous}:
            return "same_right"
        if not previous and self.now >= operation.accepted_at + timedelta(seconds=EXPIRES):
            return "too_old"
        if not previous:
            if not self.approvals:
                self.expires_at = self.now + timedelta(seconds=EXPIRES)
            self.approvals.append(approval)
        needed = [each.operation.terms.approvals for each in (*self.approvals, approval)]
        if len(self.approvals) >= max(needed):
            return "allowed"
        return "voted" if previous else "counted"

    def conclude(self, state: OperationState) -> None:
        self.holder, self.done_at = None, self.now if state is OperationState.DONE else None
        self.approvals = []


def check(entries: list[Entry]) -> None:
    """Read the audit as an auditor would: whoever claimed the key had enough co-approvers."""
    counted: dict[str, Entry] = {}
    holder = ""
    for entry in entries:
        operation_id, outcome = entry["operation_id"], entry["outcome"]
        if outcome in ("counted", "allowed"):
            counted = {k: each for k, each in counted.items() if each["action"] == entry["action"]}
        if outcome == "counted":
            holder = "" if holder == operation_id else holder
            counted[operation_id] = entry
        elif outcome == "allowed":
            assert not holder, "two at once"
            check_co_approvers(entry, counted)
            holder = operation_id
            counted[operation_id] = entry
        elif outcome in ("withdraw", "refuse", "lapsed"):
            counted = {k: each for k, each in counted.items() if not ends(entry, each)}
        elif operation_id == holder and outcome in ("done", "failed", "unknown"):
            holder = ""
            counted = {}


def ends(entry: Entry, approval: Entry) -> bool:
    """Whether an audit record ends an approval that was counted before."""
    if entry["outcome"] == "lapsed":
        lapsed = {each["operation_id"] for each in entry["ended_request"]["approvals"]}
        return approval["operation_id"] in lapsed
    same_person: bool = approval["actor"]["id"] == entry["actor"]["id"]
    affected = entry["outcome"] == "refuse" or same_person
    return affected and bool(approval["action"] == entry["action"])


def check_co_approvers(entry: Entry, counted: dict[str, Entry]) -> None:
    co_approvers = [counted[each["operation_id"]] for each in entry["co_approvers"]]
    for approval in co_approvers:
        assert (approval["action"], approval["preflight_fingerprint"]) == (
            entry["action"],
            entry["preflight_fingerprint"],
        )
        age = datetime.fromisoformat(entry["at"]) - datetime.fromisoformat(approval["at"])
        assert age < timedelta(seconds=EXPIRES)
    approvals = [*co_approvers, entry]
    if not entry["terms"]["break_glass_channel"]:
        needed = max(sum(s["count"] for s in approval["terms"]["stages"]) for approval in approvals)
        authorities = {
            approval["terms"]["delegator"] or approval["actor"]["id"] for approval in approvals
        }
        assert len({approval["actor"]["id"] for approval in approvals}) >= needed
        assert len(authorities) >= needed


@cache
def empty_database() -> Path:
    """A database of this version, made once and copied for each run of the state machine."""
    file = Path(tempfile.mkdtemp()) / "empty.db"
    engine = connect(f"sqlite:///{file}")
    migrate(engine)
    engine.dispose()
    return file


class ApprovalMachine(RuleBasedStateMachine):
    """The store and the model, given the same operations."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{shutil.copy(empty_database(), self.folder.name)}"
        self.store = Store(connect(self.url))
        self.model = Model()
        self.number = 0
        self.outcomes: dict[str, tuple[Operation, str]] = {}

    def teardown(self) -> None:
        entries = self.store.audit.entries(TASK)
        self.store.engine.dispose()
        self.folder.cleanup()
        check(entries)

    def claim_in_store(self, operation: Operation) -> Claim:
        version = int(self.model.fingerprint, 16)
        return self.store.claims.claim(operation, KEY, self.model.now, snapshot(version))

    def new_operation(self, user: str, **fields: Any) -> Operation:
        self.number += 1
        return operation_of(self.number, user, **{"accepted_at": self.model.now} | fields)

    def claim(self, operation: Operation) -> None:
        expected = self.model.claim(operation)
        result = self.claim_in_store(operation)
        assert outcome_of(result) == expected
        if expected in ("counted", "allowed"):
            self.outcomes[operation.id] = (operation, expected)
        if expected == "allowed":
            others = {each.operation.id for each in self.model.approvals} - {operation.id}
            previous = self.model.approval_of(operation.actor.id, operation.action)
            others -= {previous.operation.id} if previous else set()
            assert isinstance(result, Taken)
            assert {each.operation_id for each in result.operation.co_approvers} == others

    @rule(
        user=people,
        action=actions,
        delegator=delegators,
        needed=st.sampled_from((1, 2, 2, 3, 3)),
        late=st.sampled_from((0, 0, 0, 40, 150)),
    )
    def approve(self, user: str, action: str, delegator: str, needed: int, late: int) -> None:
        accepted_at = self.model.now - timedelta(seconds=late)
        policy_terms = terms(needed, delegator="" if delegator == user else delegator)
        self.claim(
            self.new_operation(user, action=action, terms=policy_terms, accepted_at=accepted_at)
        )

    @rule(user=people, action=actions)
    def break_the_glass(self, user: str, action: str) -> None:
        policy_terms = terms(1, break_glass_channel="C0ONCALL")
        self.claim(self.new_operation(user, action=action, terms=policy_terms))

    def pick_outcome(self, pick: random.Random) -> tuple[Operation, str]:
        return pick.choice(sorted(self.outcomes.values(), key=lambda outcome: outcome[0].id))

    @precondition(lambda self: self.outcomes)
    @rule(pick=st.randoms(use_true_random=False))
    def replay_a_step(self, pick: random.Random) -> None:
        operation, before = self.pick_outcome(pick)
        holder, approvals = self.model.holder, self.model.approvals
        if before == "allowed" and holder != operation:
            return  # its workflow has ended: none of its steps is replayed
        if before == "allowed" and any(
            each.fingerprint != self.model.fingerprint
            and each.operation.actor.id != operation.actor.id
            for each in approvals
        ):
            self.model.holder = None
            self.claim(operation)
            return
        stands = not holder and self.model.now < self.model.expires_at
        stands = stands and operation in [each.operation for each in approvals]
        over = () if stands or before == "allowed" else ("over",)
        assert outcome_of(self.claim_in_store(operation)) in (before, *over)

    @rule(user=people, action=actions, twice=st.booleans())
    def withdraw(self, user: str, action: str, twice: bool) -> None:
        approval = self.model.approval_of(user, action) if not self.model.holder else None
        operation = self.new_operation(user, action=action, intent=ApprovalIntent.WITHDRAW)
        result = self.store.claims.withdraw(operation, self.model.now)
        assert isinstance(result, NotChanged) is not bool(approval)
        if approval:
            self.model.approvals.remove(approval)
            self.replay_withdrawal(operation, twice=twice)

    @rule(user=people, action=actions, twice=st.booleans())
    def decline(self, user: str, action: str, twice: bool) -> None:
        if not self.model.holder:
            self.model.expire()
        waiting = [each for each in self.model.approvals if each.operation.action == action]
        operation = self.new_operation(user, action=action, intent=ApprovalIntent.DECLINE)
        result = self.store.claims.withdraw(operation, self.model.now)
        ended = bool(waiting and not self.model.holder)
        assert isinstance(result, NotChanged) is not ended
        if ended:
            self.model.approvals = []
            self.replay_withdrawal(operation, twice=twice)

    def replay_withdrawal(self, operation: Operation, *, twice: bool) -> None:
        """Replay a step that withdrew or declined, perhaps after the next approval."""
        if twice:
            action = operation.action
            self.claim(self.new_operation(operation.actor.id, action=action, terms=terms()))
            result = self.store.claims.withdraw(operation, self.model.now)
            assert not isinstance(result, NotChanged)

    @rule(version=st.integers(0, 2))
    def the_object_changes(self, version: int) -> None:
        self.model.fingerprint = snapshot(version).fingerprint

    @rule(seconds=st.sampled_from((1, 30, 61, 100, 200)))
    def time_passes(self, seconds: int) -> None:
        self.model.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.model.holder)
    @rule(
        state=st.sampled_from(
            (
                OperationState.DONE,
                OperationState.FAILED,
                OperationState.FAILED,
                OperationState.UNKNOWN,
            )
        )
    )
    def the_holder_ends(self, state: OperationState) -> None:
        holder = self.model.holder
        assert holder
        self.store.claims.conclude(holder, Outcome(state=state), self.model.now)
        self.model.conclude(state)

    @precondition(lambda self: self.outcomes)
    @rule(pick=st.randoms(use_true_random=False))
    def replay_a_conclusion(self, pick: random.Random) -> None:
        operation, before = self.pick_outcome(pick)
        if before == "counted":
            self.store.claims.conclude(
                operation, Outcome(state=OperationState.COUNTED), self.model.now
            )
        elif operation != self.model.holder:
            self.store.claims.conclude(
                operation, Outcome(state=OperationState.DONE), self.model.now
            )

    @precondition(lambda self: self.outcomes)
    @rule(pick=st.randoms(use_true_random=False))
    def a_request_lapses(self, pick: random.Random) -> None:
        operation, _before = self.pick_outcome(pick)
        lapsed = self.store.claims.lapse(operation, self.model.now)
        if lapsed:
            assert lapsed.expires_at <= self.model.now
            assert self.store.claims.lapse(operation, self.model.now) == lapsed

    @rule()
    def the_process_is_killed_and_starts_again(self) -> None:
        self.store.engine.dispose()
        self.store = Store(connect(self.url))

    @invariant()
    def open_requests_have_the_approvals_that_count(self) -> None:
        requests = self.store.claims.approval_requests(TASK, self.model.now)
        operation_ids = {each.operation_id for request in requests for each in request.approvals}
        valid = self.model.approvals if self.model.now < self.model.expires_at else []
        assert operation_ids == {each.operation.id for each in valid}


TestApprovals = ApprovalMachine.TestCase
TestApprovals.settings = examples(100, stateful_step_count=30)


def claim(store: Store, operation: Operation, at: datetime = START) -> Claim:
    return store.claims.claim(operation, KEY, at, snapshot())


def test_a_yes_that_comes_after_its_time_sends_nothing(store: Store) -> None:
    late = START + timedelta(seconds=EXPIRES)
    result = claim(store, operation_of(1, "U0ALICE", terms=terms()), late)
    assert outcome_of(result) == "too_old"
    assert store.claims.approval_requests(TASK, late) == ()


def test_a_yes_that_was_taken_back_is_not_counted_when_its_step_is_played_again(
    store: Store,
) -> None:
    approval = operation_of(1, "U0ALICE", terms=terms())
    claim(store, approval)
    store.claims.withdraw(operation_of(2, "U0ALICE", intent=ApprovalIntent.WITHDRAW), START)
    assert outcome_of(claim(store, approval)) == "over"
    assert outcome_of(claim(store, operation_of(3, "U0BOB", terms=terms()))) == "counted"


def test_the_key_stays_with_whom_it_was_given_in_time(store: Store) -> None:
    claim(store, operation_of(1, "U0ALICE", terms=terms()))
    last = operation_of(2, "U0BOB", terms=terms())
    first = claim(store, last)
    replayed = claim(store, last, START + timedelta(seconds=2 * EXPIRES))
    assert isinstance(first, Taken)
    assert replayed == first


def test_a_run_that_failed_once_more_needs_everybody_anew(store: Store) -> None:
    fields = {"action": "instance.retry", "ref": RUN, "terms": terms()}
    store.claims.claim(operation_of(1, "U0ALICE", **fields), f"{RUN}:retry:0", START, snapshot(0))
    bob = operation_of(2, "U0BOB", **fields)
    result = store.claims.claim(bob, f"{RUN}:retry:1", START, snapshot(1))
    assert isinstance(result, WaitingFor)
    assert [each.actor.id for each in result.outdated_approvals] == ["U0ALICE"]
    [request] = store.claims.approval_requests(RUN, START)
    assert [each.actor.id for each in request.approvals] == ["U0BOB"]


def test_what_is_sent_of_one_kind_keeps_nobody_from_taking_back_another(store: Store) -> None:
    fields = {"action": "instance.retry", "ref": RUN}
    retry = operation_of(1, "U0ALICE", **fields, terms=terms())
    store.claims.claim(retry, f"{RUN}:retry:0", START, snapshot())
    stop = operation_of(2, "U0BOB", action="instance.terminate", ref=RUN)
    store.claims.claim(stop, f"{RUN}:termination:0", START, snapshot())
    withdrawal = operation_of(3, "U0ALICE", **fields, intent=ApprovalIntent.WITHDRAW)
    result = store.claims.withdraw(withdrawal, START)
    assert isinstance(result, RequestEnded)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]
)
def test_on_many_connections_at_once_nobody_sends_alone(
    store: Store, database_url: str, seed: int
) -> None:
    replicas = 8
    stores = [Store(connect(database_url)) for _ in range(replicas)]
    with ThreadPoolExecutor(replicas) as pool:
        list(pool.map(act_as_replica, stores, range(seed * replicas, (seed + 1) * replicas)))
    for replica in stores:
        replica.engine.dispose()
    entries = store.audit.entries(TASK)
    check(entries)
    assert {"allowed", "counted", "withdraw"} <= {entry["outcome"] for entry in entries}


def act_as_replica(store: Store, seed: int) -> None:
    """Approve, withdraw and decline as a replica's people do, and conclude what is sent."""
    chance = random.Random(seed)
    for number in range(40):
        user, action = chance.choice(PEOPLE), chance.choice((APPROVE, APPROVE, APPROVE, TERMINATE))
        delegator = chance.choice(("", "", "", *PEOPLE))
        policy_terms = terms(
            chance.choice((2, 3)), delegator="" if delegator == user else delegator
        )
        operation = operation_of(f"{seed}-{number}", user, action=action, terms=policy_terms)
        now = START + timedelta(milliseconds=number)
        withdrawal = operation.model_copy(
            update={"id": f"{operation.id}-withdrawal", "intent": ApprovalIntent.WITHDRAW}
        )
        match chance.randrange(8):
            case 0:
                store.claims.withdraw(withdrawal, now)
            case 1 if chance.random() < 0.3:
                store.claims.withdraw(
                    operation.model_copy(update={"intent": ApprovalIntent.DECLINE}), now
                )
            case _:
                outcome = outcome_of(claim(store, operation, now))
                if outcome == "allowed":
                    state = chance.choice(
                        (OperationState.FAILED, OperationState.FAILED, OperationState.UNKNOWN)
                    )
                    store.claims.conclude(operation, Outcome(state=state), now)
                elif outcome == "counted" and chance.random() < 0.2:
                    store.claims.withdraw(withdrawal, now)
