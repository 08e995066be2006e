"""What the brake counts, and which retries hold one another up."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.domain.audit import RecordedOutcome
from bot.domain.claims import Claim, HeldBy, Taken, WaitingFor
from bot.domain.endings import TaskEnding
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome, PolicyTerms
from bot.domain.reasons import OutcomeReason
from bot.domain.run_results import RunResult, RunStatus
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import StoredSnapshot
from bot.domain.stages import one_stage
from bot.store import Store
from bot.store.approvals import lock_object
from tests.support.databases import both_databases

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEEN = StoredSnapshot(fingerprint="d" * 32, snapshot="{}")
WITHIN = 3600
TERMS = PolicyTerms(failure_group="workflow", brake_retries=2, brake_within=WITHIN)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (OperationState.DONE, [False, False, True]),
        (OperationState.UNKNOWN, [False, False, True]),
        (OperationState.FAILED, [False, False, False]),
    ],
)
@both_databases
def test_what_was_sent_or_may_have_been_counts(
    store: Store, state: OperationState, expected: list[bool]
) -> None:
    brakes = []
    for number in range(3):
        at = NOW + timedelta(minutes=2 * number)
        retry = operation(number, at)
        brakes.append(is_braked(store, retry, at))
        store.claims.conclude(retry, Outcome(state=state), at)
    assert brakes == expected


@both_databases
def test_what_is_still_under_way_counts(store: Store) -> None:
    assert [is_braked(store, operation(number)) for number in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    "changes",
    [
        {"terms": TERMS.model_copy(update={"failure_group": "another"})},
        {"ref": Ref(kind="instance", id="run-elsewhere", workspace="elsewhere")},
        {"action": "instance.terminate"},
        {"accepted_at": NOW - timedelta(seconds=WITHIN)},
    ],
    ids=["another workflow", "another workspace", "another action", "long ago"],
)
@both_databases
def test_only_retries_of_one_workflow_of_late_count(store: Store, changes: dict[str, Any]) -> None:
    for number in range(2):
        other = operation(number).model_copy(update=changes)
        store.claims.claim(other, f"{other.ref}:{number}", other.accepted_at, SEEN)
    assert not is_braked(store, operation(2))


@both_databases
def test_an_operation_has_an_outcome_once_it_has_ended(store: Store) -> None:
    failed, counted, loser, pending = (operation(number) for number in range(4))
    store.claims.claim(failed, "", NOW, SEEN)
    failure = Outcome(
        state=OperationState.FAILED,
        reason_code=OutcomeReason.NOT_NOW,
        blocking_status="RUNNING",
        decided_by="Lin Yue",
        task_ending=TaskEnding.DECIDED,
    )
    store.claims.conclude(failed, failure, NOW)
    two_people = TERMS.model_copy(update={"stages": one_stage(2)})
    counted = counted.model_copy(update={"terms": two_people})
    claim = store.claims.claim(counted, "counted", NOW, SEEN)
    assert isinstance(claim, WaitingFor)
    store.claims.claim(pending, "key", NOW, SEEN)
    lost = store.claims.claim(loser.model_copy(update={"ref": pending.ref}), "key", NOW, SEEN)
    assert isinstance(lost, HeldBy)
    outcomes = store.audit.outcomes([each.id for each in (failed, counted, loser, pending)])
    assert outcomes == {
        failed.id: RecordedOutcome(failure),
        counted.id: RecordedOutcome(
            Outcome(state=OperationState.COUNTED, approval_request=claim.request)
        ),
        loser.id: RecordedOutcome(
            Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.LOST), lost.holder
        ),
    }
    store.claims.conclude(pending, Outcome(state=OperationState.DONE), NOW)
    store.claims.conclude(loser, Outcome(state=OperationState.UNKNOWN), NOW)
    outcomes = store.audit.outcomes([loser.id, pending.id])
    states = {id_: recorded.outcome.state for id_, recorded in outcomes.items()}
    assert states == {loser.id: OperationState.UNKNOWN, pending.id: OperationState.DONE}


# A retry of a playbook's run and of a workflow's run within it.


@both_databases
def test_while_a_playbooks_run_is_retried_the_runs_within_it_are_not(store: Store) -> None:
    whole, part, other = playbook_retry(1), operation(2), operation(3)
    assert isinstance(retried(store, whole, part.ref), Taken)
    held = retried(store, part)
    assert isinstance(held, HeldBy)
    assert held.holder.operation.id == whole.id
    assert isinstance(retried(store, other), Taken)
    assert isinstance(retried(store, whole, part.ref), Taken)  # again after a crash
    store.claims.conclude(whole, Outcome(state=OperationState.DONE, attempt_before=0), NOW)
    later = NOW + timedelta(minutes=30)  # and it is followed for as long as it goes on
    assert isinstance(retried(store, part.model_copy(update={"id": "later"}), at=later), HeldBy)
    [followed] = store.followed_operations.under_way(9)
    result = RunResult(status=RunStatus.FINISHED, run=whole.ref, at=later)
    store.followed_operations.end(followed, result, (), later)
    assert isinstance(retried(store, part.model_copy(update={"id": "last"}), at=later), Taken)


@both_databases
def test_while_a_run_within_is_retried_the_playbooks_run_is_not(store: Store) -> None:
    whole, part = playbook_retry(1), operation(2)
    assert isinstance(retried(store, part), Taken)
    held = retried(store, whole, part.ref)
    assert isinstance(held, HeldBy)
    assert held.holder.operation.ref == part.ref
    stop = whole.model_copy(update={"action": "playbook.terminate", "id": "stop"})
    assert isinstance(retried(store, stop, part.ref), Taken)  # what ends both waits for nothing
    store.claims.conclude(part, Outcome(state=OperationState.FAILED), NOW)
    again = whole.model_copy(update={"id": "again"})
    assert isinstance(retried(store, again, part.ref), Taken)


def test_a_retry_that_may_have_been_sent_holds_up_what_it_covers_until_it_would_show(
    store: Store,
) -> None:
    whole, part = playbook_retry(1), operation(2)
    retried(store, whole, part.ref)
    store.claims.conclude(whole, Outcome(state=OperationState.UNKNOWN), NOW)
    assert isinstance(retried(store, part, at=NOW + timedelta(seconds=30)), HeldBy)
    later = part.model_copy(update={"id": "later"})
    assert isinstance(retried(store, later, at=NOW + timedelta(seconds=61)), Taken)


def test_a_retry_that_nobody_follows_to_its_end_holds_nothing_up_for_ever(store: Store) -> None:
    whole, part = playbook_retry(1), operation(2)
    retried(store, whole, part.ref)
    store.claims.conclude(whole, Outcome(state=OperationState.DONE, attempt_before=0), NOW)
    assert isinstance(retried(store, part, at=NOW + timedelta(hours=2)), Taken)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("method", ["claim", "try_claim"])
def test_two_that_work_on_the_same_runs_never_wait_for_one_another(
    store: Store, method: str
) -> None:
    whole, part = playbook_retry(1), operation(2)
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with ThreadPoolExecutor() as pool, store.engine.begin() as connection:
        lock_object(connection, part.ref)
        connection.execute(sa.text("SET LOCAL lock_timeout = '300ms'"))
        claim = pool.submit(getattr(store.claims, method), whole, "key", NOW, SEEN, [part.ref])
        while not connection.execute(waiting).scalar_one():
            pass
        lock_object(connection, whole.ref)  # which the other one must not have yet
        connection.commit()
        assert isinstance(claim.result(), Taken)


def retried(store: Store, retry: Operation, *covers: Ref, at: datetime = NOW) -> Claim:
    """Claim a retry that works on these other objects too; no brake asks for a second person."""
    free = retry.model_copy(update={"terms": PolicyTerms()})
    return store.claims.claim(free, f"{free.ref}:{free.action}:0", at, SEEN, covers)


def playbook_retry(number: int) -> Operation:
    ref = Ref(kind="playbook", id=f"whole-{number}")
    return operation(number).model_copy(update={"action": "playbook.retry", "ref": ref})


def is_braked(store: Store, retry: Operation, at: datetime = NOW) -> bool:
    """Claim a retry, and return whether the brake asks for a second person."""
    claim = store.claims.claim(retry, f"{retry.ref}:retry:0", at, SEEN)
    return isinstance(claim, WaitingFor) and claim.request.brake_applied


def operation(number: int, at: datetime = NOW) -> Operation:
    return Operation(
        id=f"{number:032x}",
        action="instance.retry",
        ref=Ref(kind="instance", id=f"run-{number}"),
        actor=Actor(id="U0CAROL"),
        location=SlackLocation(channel="C0ONCALL", card="1"),
        terms=TERMS,
        accepted_at=at,
    )
