"""Nobody takes a key alone that several people must ask for, whatever comes in which order."""

import random
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bot.domain.approvals import ApprovalIntent
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome, PolicyTerms
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import StoredSnapshot
from bot.store import ClaimResult, Store, connect, migrate

START = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
TASK = Ref(kind="task", id="t1")
RUN = Ref(kind="instance", id="i1")
KEY = f"{TASK}:decision:0"
EXPIRES, SPENT = 100, 60  # seconds
APPROVE, TERMINATE = "task.approve", "task.terminate"
PEOPLE = ("U0ALICE", "U0BOB", "U0CAROL", "U0DAVE")
people = st.sampled_from(PEOPLE)
lenders = st.sampled_from(("", "", *PEOPLE))
actions = st.sampled_from((APPROVE, APPROVE, TERMINATE))
Entry = dict[str, Any]


def asked(number: object, who: str, **more: Any) -> Operation:
    given = {
        "action": APPROVE,
        "ref": TASK,
        "accepted_at": START,
        "location": SlackLocation(channel="C0SOC"),
    }
    return Operation(**{"id": f"op-{number}", "actor": Actor(id=who)} | given | more)


def terms(approvals: int = 2, **more: Any) -> PolicyTerms:
    return PolicyTerms(approvals=approvals, expires=EXPIRES, **more)


def seen(sight: int = 0) -> StoredSnapshot:
    return StoredSnapshot(fingerprint=f"{sight:032x}", snapshot="{}")


def answer(claimed: ClaimResult) -> str:
    if claimed.holder:
        return "lost"
    if claimed.approval.reason:
        return claimed.approval.reason
    return "allowed" if claimed.approval.enough else "counted"


@dataclass
class Yes:
    """One person's yes, as whoever only reads the rules would keep it."""

    operation: Operation
    sight: str

    @property
    def right(self) -> str:
        return self.operation.terms.delegator or self.operation.actor.id


class Table:
    """What the rules say: people at a table who raise their hands, and one key."""

    def __init__(self) -> None:
        self.now = START
        self.sight = seen(0).fingerprint
        self.hands: list[Yes] = []
        self.until = START
        self.holder: Operation | None = None
        self.done_at: datetime | None = None

    def hand(self, who: str, action: str) -> Yes | None:
        self.sweep()
        mine = (y for y in self.hands if y.operation.actor.id == who)
        return next((yes for yes in mine if yes.operation.action == action), None)

    def sweep(self) -> None:
        if self.now >= self.until:
            self.hands = []

    def ask(self, operation: Operation) -> str:
        recently = self.done_at and self.now - self.done_at <= timedelta(seconds=SPENT)
        if self.holder or recently:
            return "lost"
        self.sweep()
        same = [y for y in self.hands if y.operation.action == operation.action]
        self.hands = [y for y in same if y.sight == self.sight]
        told = self._count(operation)
        if told == "allowed":
            self.holder, self.done_at = operation, None
        return told

    def _count(self, operation: Operation) -> str:
        if operation.terms.break_glass_channel or (
            operation.terms.approvals == 1 and not self.hands
        ):
            return "allowed"
        own = self.hand(operation.actor.id, operation.action)
        new = Yes(operation, self.sight)
        over = operation.accepted_at + timedelta(seconds=EXPIRES)
        if new.right in {yes.right for yes in self.hands if yes is not own}:
            return "same_right"
        if not own and self.now >= over:
            return "too_old"
        if not own:
            self.until = self.until if self.hands else self.now + timedelta(seconds=EXPIRES)
            self.hands.append(new)
        asked_for = [yes.operation.terms.approvals for yes in (*self.hands, new)]
        if len(self.hands) >= max(asked_for):
            return "allowed"
        return "voted" if own else "counted"

    def end(self, state: OperationState) -> None:
        self.holder, self.done_at = None, self.now if state is OperationState.DONE else None
        self.hands = []


def check(record: list[Entry]) -> None:
    """Read the audit as an auditor would: whoever took the key had enough others behind them."""
    said: dict[str, Entry] = {}
    holder = ""
    for entry in record:
        number, outcome = entry["operation_id"], entry["outcome"]
        if outcome in ("counted", "allowed"):
            said = {k: one for k, one in said.items() if one["action"] == entry["action"]}
        if outcome == "counted":
            holder = "" if holder == number else holder
            said[number] = entry
        elif outcome == "allowed":
            assert not holder, "two at once"
            _check_backing(entry, said)
            holder = number
            said[number] = entry
        elif outcome in ("withdraw", "refuse", "lapsed"):
            said = {k: one for k, one in said.items() if not _ends(entry, one)}
        elif number == holder and outcome in ("done", "failed", "unknown"):
            holder = ""
            said = {}


def _ends(entry: Entry, one: Entry) -> bool:
    if entry["outcome"] == "lapsed":
        return one["operation_id"] in {
            vote["operation_id"] for vote in entry["ended_request"]["approvals"]
        }
    own = entry["outcome"] == "refuse" or one["actor"]["id"] == entry["actor"]["id"]
    return own and one["action"] == entry["action"]


def _check_backing(entry: Entry, said: dict[str, Entry]) -> None:
    backing = [said[vote["operation_id"]] for vote in entry["co_approvers"]]
    for one in backing:
        assert (one["action"], one["preflight_fingerprint"]) == (
            entry["action"],
            entry["preflight_fingerprint"],
        )
        age = datetime.fromisoformat(entry["at"]) - datetime.fromisoformat(one["at"])
        assert age < timedelta(seconds=EXPIRES)
    everybody = [*backing, entry]
    if not entry["terms"]["break_glass_channel"]:
        needed = max(one["terms"]["approvals"] for one in everybody)
        assert len({one["actor"]["id"] for one in everybody}) >= needed
        assert len({_right(one) for one in everybody}) >= needed


def _right(one: Entry) -> str:
    return str(one["terms"]["delegator"] or one["actor"]["id"])


@cache
def _empty() -> Path:
    """A database of this version, made once and copied for each round."""
    file = Path(tempfile.mkdtemp()) / "empty.db"
    engine = connect(f"sqlite:///{file}")
    migrate(engine)
    engine.dispose()
    return file


class Quorum(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{shutil.copy(_empty(), self.folder.name)}"
        self.store = Store(connect(self.url))
        self.table = Table()
        self.number = 0
        self.came_to: dict[str, tuple[Operation, str]] = {}

    def teardown(self) -> None:
        record = self.store.audit_entries(TASK)
        self.store.engine.dispose()
        self.folder.cleanup()
        check(record)

    def claim(self, operation: Operation) -> ClaimResult:
        now, sight = self.table.now, int(self.table.sight, 16)
        return self.store.claim(operation, KEY, now, seen(sight))

    def new(self, who: str, **more: Any) -> Operation:
        self.number += 1
        return asked(self.number, who, **{"accepted_at": self.table.now} | more)

    def ask(self, operation: Operation) -> None:
        expected = self.table.ask(operation)
        claimed = self.claim(operation)
        assert answer(claimed) == expected
        if expected in ("counted", "allowed"):
            self.came_to[operation.id] = (operation, expected)
        if expected == "allowed":
            others = {y.operation.id for y in self.table.hands} - {operation.id}
            mine = self.table.hand(operation.actor.id, operation.action)
            others -= {mine.operation.id} if mine else set()
            assert {vote.operation_id for vote in claimed.operation.co_approvers} == others

    @rule(
        who=people,
        action=actions,
        lender=lenders,
        needed=st.sampled_from((1, 2, 2, 3, 3)),
        late=st.sampled_from((0, 0, 0, 40, 150)),
    )
    def say_yes(self, who: str, action: str, lender: str, needed: int, late: int) -> None:
        lender = "" if lender == who else lender
        at = self.table.now - timedelta(seconds=late)
        own = terms(needed, delegator=lender)
        self.ask(self.new(who, action=action, terms=own, accepted_at=at))

    @rule(who=people, action=actions)
    def break_the_glass(self, who: str, action: str) -> None:
        self.ask(self.new(who, action=action, terms=terms(1, break_glass_channel="C0ONCALL")))

    @precondition(lambda self: self.came_to)
    @rule(pick=st.randoms(use_true_random=False))
    def play_a_step_again(self, pick: random.Random) -> None:
        operation, before = pick.choice(sorted(self.came_to.values(), key=lambda one: one[0].id))
        holder, hands = self.table.holder, self.table.hands
        if before == "allowed" and holder != operation:
            return  # its flow has gone on to the end: no step of its is played again
        if before == "allowed" and any(y.sight != self.table.sight for y in hands) and len(hands):
            others = [y for y in hands if y.operation.actor.id != operation.actor.id]
            if others:
                self.table.holder = None
                self.ask(operation)
                return
        stands = not holder and self.table.now < self.table.until
        stands = stands and operation in [yes.operation for yes in hands]
        over = () if stands or before == "allowed" else ("over",)
        assert answer(self.claim(operation)) in (before, *over)

    @rule(who=people, action=actions, twice=st.booleans())
    def withdraw(self, who: str, action: str, twice: bool) -> None:  # noqa: FBT001
        mine = self.table.hand(who, action) if not self.table.holder else None
        operation = self.new(who, action=action, intent=ApprovalIntent.WITHDRAW)
        poll = self.store.withdraw(operation, self.table.now)
        assert bool(poll and not poll.reason) is bool(mine)
        if mine:
            self.table.hands.remove(mine)
            self.again(operation, twice=twice)

    @rule(who=people, action=actions, twice=st.booleans())
    def refuse(self, who: str, action: str, twice: bool) -> None:  # noqa: FBT001
        self.table.sweep() if not self.table.holder else None
        waits = [y for y in self.table.hands if y.operation.action == action]
        operation = self.new(who, action=action, intent=ApprovalIntent.DECLINE)
        poll = self.store.withdraw(operation, self.table.now)
        ends = bool(waits and not self.table.holder)
        assert bool(poll and not poll.reason) is ends
        if ends:
            self.table.hands = []
            self.again(operation, twice=twice)

    def again(self, operation: Operation, *, twice: bool) -> None:
        """A step that took something back is played again, perhaps after the next yes."""
        if twice:
            self.ask(self.new(operation.actor.id, action=operation.action, terms=terms()))
            poll = self.store.withdraw(operation, self.table.now)
            assert poll
            assert not poll.reason

    @rule(sight=st.integers(0, 2))
    def the_object_changes(self, sight: int) -> None:
        self.table.sight = seen(sight).fingerprint

    @rule(seconds=st.sampled_from((1, 30, 61, 100, 200)))
    def time_passes(self, seconds: int) -> None:
        self.table.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.table.holder)
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
        holder = self.table.holder
        assert holder
        self.store.conclude(holder, Outcome(state=state), self.table.now)
        self.table.end(state)

    @precondition(lambda self: self.came_to)
    @rule(pick=st.randoms(use_true_random=False))
    def what_ended_is_written_down_again(self, pick: random.Random) -> None:
        operation, before = pick.choice(sorted(self.came_to.values(), key=lambda one: one[0].id))
        if before == "counted":
            self.store.conclude(operation, Outcome(state=OperationState.COUNTED), self.table.now)
        elif operation != self.table.holder:
            self.store.conclude(operation, Outcome(state=OperationState.DONE), self.table.now)

    @precondition(lambda self: self.came_to)
    @rule(pick=st.randoms(use_true_random=False))
    def a_ballot_lapses(self, pick: random.Random) -> None:
        operation, _ = pick.choice(sorted(self.came_to.values(), key=lambda one: one[0].id))
        lapsed = self.store.lapse(operation, self.table.now)
        if lapsed:
            assert lapsed.expires_at <= self.table.now
            assert self.store.lapse(operation, self.table.now) == lapsed

    @rule()
    def the_process_dies_and_starts_again(self) -> None:
        self.store.engine.dispose()
        self.store = Store(connect(self.url))

    @invariant()
    def the_card_shows_whose_yes_counts(self) -> None:
        ballots = self.store.approval_requests(TASK, self.table.now)
        shown = {vote.operation_id for ballot in ballots for vote in ballot.approvals}
        counts = self.table.hands if self.table.now < self.table.until else []
        assert shown == {yes.operation.id for yes in counts}


TestQuorum = Quorum.TestCase
TestQuorum.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


@pytest.fixture
def store(database_url: str) -> Any:
    engine = connect(database_url)
    migrate(engine)
    yield Store(engine)
    engine.dispose()


def test_a_yes_that_comes_after_its_time_sends_nothing(store: Store):
    late = START + timedelta(seconds=EXPIRES)
    assert answer(store.claim(asked(1, "U0ALICE", terms=terms()), KEY, late, seen())) == "too_old"
    assert store.approval_requests(TASK, late) == ()


def test_a_yes_that_was_taken_back_is_not_counted_when_its_step_is_played_again(store: Store):
    yes = asked(1, "U0ALICE", terms=terms())
    store.claim(yes, KEY, START, seen())
    store.withdraw(asked(2, "U0ALICE", intent=ApprovalIntent.WITHDRAW), START)
    assert answer(store.claim(yes, KEY, START, seen())) == "over"
    assert answer(store.claim(asked(3, "U0BOB", terms=terms()), KEY, START, seen())) == "counted"


def test_the_key_stays_with_whom_it_was_given_in_time(store: Store):
    store.claim(asked(1, "U0ALICE", terms=terms()), KEY, START, seen())
    last = asked(2, "U0BOB", terms=terms())
    first = store.claim(last, KEY, START, seen())
    again = store.claim(last, KEY, START + timedelta(seconds=2 * EXPIRES), seen())
    assert (answer(again), again.operation) == ("allowed", first.operation)


def test_a_run_that_failed_once_more_needs_everybody_anew(store: Store):
    more = {"action": "instance.retry", "ref": RUN, "terms": terms()}
    store.claim(asked(1, "U0ALICE", **more), f"{RUN}:retry:0", START, seen(0))
    now = store.claim(asked(2, "U0BOB", **more), f"{RUN}:retry:1", START, seen(1))
    assert [vote.actor.id for vote in now.approval.outdated_approvals] == ["U0ALICE"]
    [ballot] = store.approval_requests(RUN, START)
    assert [vote.actor.id for vote in ballot.approvals] == ["U0BOB"]


def test_what_is_sent_of_one_kind_keeps_nobody_from_taking_back_another(store: Store):
    retry = {"action": "instance.retry", "ref": RUN}
    store.claim(asked(1, "U0ALICE", **retry, terms=terms()), f"{RUN}:retry:0", START, seen())
    stop = asked(2, "U0BOB", action="instance.terminate", ref=RUN)
    store.claim(stop, f"{RUN}:termination:0", START, seen())
    poll = store.withdraw(asked(3, "U0ALICE", **retry, intent=ApprovalIntent.WITHDRAW), START)
    assert poll
    assert not poll.reason


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("seed", range(6))
def test_on_many_connections_at_once_nobody_sends_alone(store: Store, database_url: str, seed: int):
    crowd = 8
    stores = [Store(connect(database_url)) for _ in range(crowd)]
    with ThreadPoolExecutor(crowd) as pool:
        list(pool.map(_meddle, stores, range(seed * crowd, (seed + 1) * crowd)))
    for one in stores:
        one.engine.dispose()
    record = store.audit_entries(TASK)
    check(record)
    assert {"allowed", "counted", "withdraw"} <= {entry["outcome"] for entry in record}


def _meddle(store: Store, seed: int) -> None:
    """One replica's part: its people say yes, take it back and refuse, and what is sent ends."""
    chance = random.Random(seed)
    for number in range(40):
        who, action = chance.choice(PEOPLE), chance.choice((APPROVE, APPROVE, APPROVE, TERMINATE))
        lender = chance.choice(("", "", "", *PEOPLE))
        own = terms(chance.choice((2, 3)), delegator="" if lender == who else lender)
        operation = asked(f"{seed}-{number}", who, action=action, terms=own)
        now = START + timedelta(milliseconds=number)
        match chance.randrange(8):
            case 0:
                store.withdraw(
                    operation.model_copy(update={"intent": ApprovalIntent.WITHDRAW}), now
                )
            case 1 if chance.random() < 0.3:
                store.withdraw(operation.model_copy(update={"intent": ApprovalIntent.DECLINE}), now)
            case _:
                if answer(store.claim(operation, KEY, now, seen())) == "allowed":
                    state = chance.choice(
                        (OperationState.FAILED, OperationState.FAILED, OperationState.UNKNOWN)
                    )
                    store.conclude(operation, Outcome(state=state), now)
