"""What a mute holds back, since when it counts, and what has nothing to do with it any more."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.mutes import Mute, mute_key
from bot.domain.notifications import NotificationEnvelope, OutboxEntry
from bot.domain.objects import Ref
from bot.domain.slack import Destination
from bot.domain.tracking import ListedObject, TrackedObject
from bot.secmaster import Instance, Task, WorkflowRef
from bot.store import RequestedChange, RequestedChanges, Store
from tests.support.databases import both_databases

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAME = "Isolate host"
RUN, TASK = Ref(kind="instance", id="run-1"), Ref(kind="task", id="t1")
SOC = Destination.parse("C0SOC")

pytestmark = both_databases


def mute(store: Store, at: datetime, until: datetime) -> None:
    muted = Mute(
        workspace="main", key=mute_key(NAME), name=NAME, actor_id="U0ALICE", at=at, until=until
    )
    assert RequestedChanges(store.engine).mute(muted, change("mute", at))


def unmute(store: Store, at: datetime) -> None:
    changes = RequestedChanges(store.engine)
    assert changes.unmute("main", mute_key(NAME), change("unmute", at))


def change(name: str, at: datetime) -> RequestedChange:
    record = {"at": at, "operation_id": f"{name} {at}", "outcome": "done", "target": "workflow"}
    return RequestedChange(at, record)


def run(status: str, number: int = 1) -> ListedObject:
    snapshot = Instance(id=f"run-{number}", status=status, workflow=WorkflowRef(name=NAME))
    ref = Ref(kind="instance", id=snapshot.id)
    return ListedObject(ref, snapshot, status, next_check_at=NOW)


def task(due_handle: str, **fields: Any) -> ListedObject:
    snapshot = Task(
        id="t1",
        status="waiting",
        due_date=NOW + 9 * HOUR,
        due_handle=due_handle,
        business_type="WORKFLOWNODEAPPROVE",
        related_object=NAME,
    )
    return ListedObject(TASK, snapshot, due_handle, next_check_at=NOW, **fields)


def entry(key: str) -> OutboxEntry:
    notification = NotificationEnvelope(kind="card", ref=TASK)
    return OutboxEntry(
        dedupe_key=f"{key}:{TASK}:C0SOC", destination=SOC, notification=notification, not_before=NOW
    )


def tracked(store: Store, ref: Ref) -> TrackedObject:
    [tracked] = store.tracked.get([ref])
    return tracked


def posted_by(store: Store, at: datetime) -> list[str]:
    """Return what is to be posted by a time, by how its keys begin."""
    entries = store.outbox.ready_entries(SOC, at, 9)
    return [each.dedupe_key.partition(":")[0] for each in entries]


def test_to_mute_again_changes_the_end_and_not_since_when_arrivals_are_counted(
    store: Store,
) -> None:
    mute(store, NOW, NOW + 3 * HOUR)
    store.tracked.add([run("FAILED")], [], NOW + HOUR)
    mute(store, NOW + 2 * HOUR, NOW + 5 * HOUR)
    [extended] = store.mutes.ending_after(NOW + 2 * HOUR)
    assert (extended.at, extended.until, extended.held) == (NOW, NOW + 5 * HOUR, 1)
    # One that is over is no part of the next one.
    mute(store, NOW + 6 * HOUR, NOW + 7 * HOUR)
    [anew] = store.mutes.ending_after(NOW + 6 * HOUR)
    assert (anew.at, anew.held) == (NOW + 6 * HOUR, 0)


@pytest.mark.parametrize("by", ["list", "read"])
def test_a_run_that_is_retried_when_the_mute_begins_and_fails_again_is_muted(
    store: Store, by: str
) -> None:
    store.tracked.add([run("FAILED")], [], NOW)
    store.tracked.update_listed([run("RETRYING")], NOW)
    mute(store, NOW + HOUR, NOW + 4 * HOUR)
    assert tracked(store, RUN).muted_until is None
    update(store, run("FAILED"), NOW + 2 * HOUR, by)
    assert tracked(store, RUN).muted_until == NOW + 4 * HOUR
    [muted] = store.mutes.ending_after(NOW + 2 * HOUR)
    assert muted.held == 1
    unmute(store, NOW + 3 * HOUR)
    assert tracked(store, RUN).muted_until == NOW + 3 * HOUR


@pytest.mark.parametrize("by", ["list", "read"])
def test_a_run_that_fails_again_after_the_mute_was_ended_is_not_muted(
    store: Store, by: str
) -> None:
    mute(store, NOW, NOW + 4 * HOUR)
    store.tracked.add([run("FAILED")], [], NOW)
    store.tracked.update_listed([run("RETRYING")], NOW + HOUR)
    unmute(store, NOW + HOUR)
    update(store, run("FAILED"), NOW + 2 * HOUR, by)
    assert tracked(store, RUN).muted_until is None
    [muted] = store.mutes.ending_after(NOW)
    assert muted.held == 0


def update(store: Store, listed: ListedObject, at: datetime, by: str) -> None:
    """Record what an object is now, as a list says or as it was read."""
    if by == "list":
        store.tracked.update_listed([listed], at)
    else:
        store.tracked.update_read(listed.ref, listed.snapshot, at)


def test_a_card_that_is_routed_during_the_mute_comes_when_it_ends_and_nothing_else_waits(
    store: Store,
) -> None:
    mute(store, NOW, NOW + 4 * HOUR)
    store.tracked.add([task("INTERRUPT", routed=False)], [], NOW)
    [unrouted] = store.tracked.unrouted("main", 5)
    store.tracked.mark_checked(unrouted, None, [entry("card"), entry("reminder")], NOW + HOUR)
    assert posted_by(store, NOW + 4 * HOUR - HOUR / 60) == ["reminder"]
    assert posted_by(store, NOW + 4 * HOUR) == ["card", "reminder"]


def test_a_card_of_a_route_that_matches_only_later_comes_when_the_mute_ends(store: Store) -> None:
    store.tracked.add([task("INTERRUPT")], [], NOW)
    mute(store, NOW, NOW + 4 * HOUR)
    store.tracked.enqueue_cards(TASK, [entry("card")], NOW + HOUR)
    assert posted_by(store, NOW + HOUR) == []
    unmute(store, NOW + 2 * HOUR)
    assert posted_by(store, NOW + 2 * HOUR) == ["card"]
    store.tracked.enqueue_cards(TASK, [entry("card")], NOW + HOUR)
    assert posted_by(store, NOW + 2 * HOUR) == ["card"]


@pytest.mark.parametrize(("due_handle", "is_held"), [("INTERRUPT", True), ("CONTINUE", False)])
def test_a_task_that_silence_approves_from_now_on_is_muted_no_longer(
    store: Store, due_handle: str, *, is_held: bool
) -> None:
    mute(store, NOW, NOW + 4 * HOUR)
    store.tracked.add([task("INTERRUPT")], [entry("card")], NOW)
    assert posted_by(store, NOW + HOUR) == []
    store.tracked.update_listed([task(due_handle)], NOW + HOUR)
    store.tracked.update_read(TASK, task(due_handle).snapshot, NOW + HOUR)
    assert posted_by(store, NOW + HOUR) == ([] if is_held else ["card"])
    assert tracked(store, TASK).muted_until == NOW + (4 if is_held else 1) * HOUR


def test_its_card_comes_also_where_it_was_read_before_the_list_said_so(store: Store) -> None:
    mute(store, NOW, NOW + 4 * HOUR)
    store.tracked.add([task("INTERRUPT")], [entry("card")], NOW)
    store.tracked.update_read(TASK, task("CONTINUE").snapshot, NOW + HOUR)
    store.tracked.update_listed([task("CONTINUE")], NOW + HOUR)
    assert posted_by(store, NOW + HOUR) == ["card"]


def test_a_card_that_waits_for_something_else_goes_on_waiting(store: Store) -> None:
    later = entry("card").model_copy(update={"not_before": NOW + 2 * HOUR})
    store.tracked.add([task("INTERRUPT")], [later], NOW)
    store.tracked.update_listed([task("CONTINUE")], NOW + HOUR)
    assert posted_by(store, NOW + HOUR) == []
    assert posted_by(store, NOW + 2 * HOUR) == ["card"]
