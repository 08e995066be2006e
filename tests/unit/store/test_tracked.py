"""What is known of SecMaster's objects: when something was settled, and what is forgotten."""

from datetime import UTC, datetime, timedelta
from itertools import product

from bot.domain.cards import Card
from bot.domain.objects import Ref
from bot.domain.ordering import most_urgent_first
from bot.domain.tracking import ListedObject
from bot.secmaster import Evidence, Instance, Task, Unread
from bot.store import RequestedChange, RequestedChanges, Store
from tests.support.databases import both_databases

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=120)
REF = Ref(kind="instance", id="run-1")


def run(status: str, ended: datetime = LONG_AGO) -> Instance:
    return Instance(id=REF.id, name="Run", status=status, end_time=ended)


def settled(store: Store) -> list[datetime]:
    within = LONG_AGO - timedelta(days=1), NOW + timedelta(days=1)
    return [at for _tracked, at in store.tracked.settlements(*within)]


@both_databases
def test_a_run_that_failed_long_ago_and_is_terminated_today_was_settled_today(store: Store) -> None:
    store.tracked.add([ListedObject(REF, run("FAILED"), "d")], [], LONG_AGO + timedelta(minutes=1))
    store.tracked.update_read(REF, run("TERMINATED"), NOW)
    assert settled(store) == [NOW]


@both_databases
def test_a_run_was_settled_when_secmaster_says_it_ended(store: Store) -> None:
    store.tracked.add([ListedObject(REF, run("FAILED"), "d")], [], LONG_AGO)
    ended = NOW - timedelta(hours=2)
    store.tracked.update_read(REF, run("FINISHED", ended), NOW)
    store.tracked.update_read(REF, run("FINISHED", ended), NOW + timedelta(minutes=1))
    assert settled(store) == [ended]


@both_databases
def test_a_check_that_was_asked_for_meanwhile_is_still_due(store: Store) -> None:
    store.tracked.add([ListedObject(REF, run("FAILED"), "d", next_check_at=NOW)], [], NOW)
    [tracked] = store.tracked.check_due(NOW, 5)
    later = NOW + timedelta(seconds=1)
    record = {"at": later, "operation_id": "s", "outcome": "done", "target": str(REF)}
    change, until = RequestedChange(later, record), later + timedelta(hours=1)
    assert RequestedChanges(store.engine).snooze(REF, until, "U0CAROL", change)
    store.tracked.mark_checked(tracked, NOW + timedelta(hours=2), [], later)
    [snoozed] = store.tracked.check_due(later, 5)
    store.tracked.mark_checked(snoozed, NOW + timedelta(hours=2), [], later)
    assert store.tracked.check_due(later, 5) == []


@both_databases
def test_what_was_settled_long_ago_is_forgotten_once_it_is_drawn(store: Store) -> None:
    store.tracked.add([ListedObject(REF, run("FAILED"), "d")], [], LONG_AGO)
    store.tracked.update_read(REF, run("FINISHED", LONG_AGO + timedelta(hours=1)), NOW)
    store.tracked.mark_stale(REF, stale=True)
    store.tracked.purge(NOW - timedelta(days=90), 5)
    assert store.tracked.stale(5) == [REF]
    store.tracked.mark_stale(REF, stale=False)
    store.tracked.purge(NOW - timedelta(days=90), 5)
    assert not store.tracked.contains(REF)


@both_databases
def test_the_first_tasks_are_the_most_urgent_ones_wherever_one_cuts(store: Store) -> None:
    hour = timedelta(hours=1)
    tasks = [
        Task(
            id=f"t-{number}",
            status="waiting",
            due_date=None if due is None else NOW + due * hour,
            due_handle=handle,
            create_time=None if age is None else NOW - age * hour,
        )
        for number, (due, handle, age) in enumerate(
            product((1, None, -1), ("INTERRUPT", "CONTINUE"), (1, None, 2))
        )
    ]
    listed = [ListedObject(Ref(kind="task", id=task.id), task, "") for task in tasks]
    store.tracked.add(listed, [], NOW)
    expected = most_urgent_first(tasks)
    for limit in (1, 2, 3, 7, 10, 14, 18, 20):
        assert [each.snapshot for each in store.tracked.open_tasks(limit)] == expected[:limit]
        in_workspace = store.tracked.open_in("main", "task", limit)
        assert [each.snapshot for each in in_workspace] == expected[:limit]
    assert store.tracked.open_in("other", "task", 9) == []


@both_databases
def test_what_nobody_has_read_around_comes_first_and_of_that_what_is_due_soonest(
    store: Store,
) -> None:
    def add(name: str, *, due: float | None = None, age: float = 1, backlog: bool = True) -> Ref:
        ref = Ref(kind="task", id=name)
        due_date = NOW + timedelta(hours=due) if due is not None else None
        created = NOW - timedelta(hours=age)
        task = Task(id=name, name=name, status="waiting", due_date=due_date, create_time=created)
        store.tracked.add([ListedObject(ref, task, "f", backlog=backlog)], [], NOW)
        return ref

    overdue = add("overdue", due=-1, age=9)
    newest, oldest = add("newest", age=1), add("oldest", age=8)
    late, soon = add("late", due=9, age=2), add("soon", due=1, age=7)
    carded, whole, failed = add("carded"), add("whole"), add("failed")
    new = add("new", due=2, backlog=False)
    store.cards.add_card(Card(ref=carded, channel="C1", ts="1.1"), NOW)
    store.evidence.save(whole, Evidence(read_at=NOW), NOW)
    unread = Evidence(read_at=NOW, unread=(Unread(subject="alert", status=503),))
    store.evidence.save(failed, unread, NOW)

    def found(minutes: int, limit: int = 20) -> list[Ref]:
        at, before = NOW + timedelta(minutes=minutes), NOW + timedelta(minutes=minutes - 5)
        return [each.ref for each in store.tracked.without_evidence("main", at, before, limit)]

    assert found(1) == [soon, late, newest, oldest, overdue]
    assert found(1, 2) == [soon, late]
    # What may have got a card by now, and what may be tried again.
    assert found(6) == [soon, new, late, newest, oldest, overdue, failed]
    assert store.tracked.without_evidence("other", NOW, NOW, 20) == []
    store.tracked.update_read(soon, None, NOW)
    assert found(1) == [late, newest, oldest, overdue]
