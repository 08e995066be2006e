"""What is over goes at its age and not before, batch by batch; what is still needed stays."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dbos import DBOSClient

from bot.domain.approvals import ApprovalIntent
from bot.domain.audit import AuditOutcome
from bot.domain.cards import Card
from bot.domain.delegations import Delegation
from bot.domain.notifications import OutboxEntry
from bot.domain.objects import Ref
from bot.domain.operations import (
    Operation,
    OperationState,
    Outcome,
    PolicyRefusal,
    PolicyTerms,
)
from bot.domain.reasons import RefusalReason
from bot.domain.slack import Actor, Destination, SlackLocation
from bot.domain.snapshots import StoredSnapshot
from bot.domain.stages import one_stage
from bot.domain.tracking import ListedObject
from bot.domain.workspaces import Workspaces
from bot.notifications.kinds import BacklogNotification
from bot.operations.unfinished import FaultlessSerializer
from bot.policy.config import PolicyHolder, parse
from bot.runtime.timeouts import Timeouts
from bot.sandbox.secmaster import seed
from bot.secmaster import Task
from bot.services import Services
from bot.store import Store, close, connect, delegations
from bot.store.tables import metadata
from bot.watch.retention import BATCH, Retention
from tests.support.clock import FakeClock
from tests.support.databases import Databases, both_databases
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE
from tests.support.samples import ENGLISH

DAYS = 90
DONE = Outcome(state=OperationState.DONE)
NO_RULE = PolicyRefusal(reason=RefusalReason.NO_RULE)
ISOLATE = Ref(kind="task", id=seed.TASK_ISOLATE)
BRAKE = "[brake]\nretries = 2\nwithin = '20d'\n"


@pytest.fixture
def database_url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    return databases.with_tables(getattr(request, "param", "sqlite"), tmp_path)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    engine = connect(database_url)
    yield Store(engine)
    close(engine)


def retention(store: Store, clock: FakeClock, *, days: int = DAYS, rules: str = "") -> Retention:
    nothing: Any = None  # in the place of what retention never calls
    services = Services(
        catalogue=ENGLISH,
        workspaces=Workspaces({}, {}),
        evidence=nothing,
        slack=nothing,
        cards=nothing,
        directory=nothing,
        store=store,
        policy=PolicyHolder(parse(rules), Path("none.toml")),
        clock=clock,
        timeouts=Timeouts(),
        process_id="p",
    )
    return Retention(services, days)


def task(number: int) -> Ref:
    return Ref(kind="task", id=f"t{number}")


def snapshot(number: int) -> StoredSnapshot:
    return StoredSnapshot(fingerprint=f"{number:032x}", snapshot="{}")


def operation(number: int, at: datetime, **fields: Any) -> Operation:
    return Operation(
        id=f"operation-{number}",
        action="task.approve",
        ref=task(number),
        actor=Actor(id=ALICE),
        location=SlackLocation(channel="C0SOC"),
        accepted_at=at,
        **fields,
    )


def claim(store: Store, claiming: Operation, at: datetime, outcome: Outcome | None = None) -> None:
    number = int(claiming.ref.id[1:])
    store.claims.claim(claiming, f"task:{number}", at, snapshot(number))
    if outcome:
        store.claims.conclude(claiming, outcome, at)


def add_card(store: Store, number: int, at: datetime, *, ts: str = "", open_: bool = False) -> None:
    card = Card(
        ref=task(number),
        channel="C0SOC",
        ts=ts or f"{number}.0",
        decision_fingerprint=snapshot(number).fingerprint,
    )
    store.cards.add_card(card, at)
    store.cards.mark_rendered([card], open_=open_)


def add_of_each_kind(store: Store, at: datetime) -> None:
    """Record one of everything that goes by its age."""
    claim(store, operation(1, at), at, DONE)
    add_card(store, 2, at)
    store.home_views.mark_opened(ALICE, at)
    store.snapshots.save(task(3), snapshot(3), at)
    with store.engine.begin() as connection:
        granted = Delegation(delegator=ALICE, delegate="U0BOB", until=at)
        delegations.create(connection, "d1", granted, at - timedelta(days=7))


def row_counts(store: Store) -> dict[str, int]:
    with store.engine.connect() as connection:
        return {
            table.name: int(
                connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            )
            for table in metadata.sorted_tables
        }


async def until(condition: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - a database tells nobody
        await asyncio.sleep(0.02)


@both_databases
async def test_each_kind_goes_at_its_age_and_not_before(store: Store, clock: FakeClock) -> None:
    add_of_each_kind(store, clock.now())
    before, purging = row_counts(store), retention(store, clock)
    clock.forward(days=DAYS - 1)
    assert not any((await purging.purge()).values())
    assert row_counts(store) == before
    clock.forward(days=2)
    counts = await purging.purge()
    names = ("claims", "cards", "homes", "delegations", "snapshots")
    assert {name: counts[name] for name in names} == dict.fromkeys(names, 1)
    after = row_counts(store)
    assert after["snapshots"] == 1  # the one that the audit names
    emptied = ("claims", "cards", "home_views", "delegations")
    assert [after[name] for name in emptied] == [0, 0, 0, 0]
    assert after["audit"] == before["audit"] == 2
    assert not any((await purging.purge()).values())


async def test_with_0_days_all_stays_but_what_was_heard_posted_and_settled(
    store: Store, clock: FakeClock
) -> None:
    add_of_each_kind(store, clock.now())
    before = row_counts(store)
    clock.forward(days=36_500)
    store.deliveries.take("m", "p", clock.now() - timedelta(hours=25))
    assert await retention(store, clock, days=0).purge() == {
        "deliveries": 1,
        "outbox": 0,
        "tracked": 0,
        "followed": 0,
    }
    assert row_counts(store) == before


@both_databases
async def test_what_was_posted_goes_after_30_days_and_what_was_not_never(
    store: Store, clock: FakeClock
) -> None:
    now = clock.now()
    entries = [
        OutboxEntry(
            dedupe_key=f"backlog:{number}",
            destination=Destination.parse("C0SOC"),
            notification=BacklogNotification(),
            not_before=now,
        )
        for number in range(2)
    ]
    store.outbox.add(entries, now)
    posted = store.outbox.next_entry(entries[0].destination, now)
    assert posted
    store.outbox.mark_done([posted.number], now)
    clock.forward(days=29)
    purging = retention(store, clock, days=0)
    assert (await purging.purge())["outbox"] == 0
    clock.forward(days=400)
    assert (await purging.purge())["outbox"] == 1
    assert store.outbox.count() == 1


@pytest.mark.parametrize("doubtful", [False, True], ids=["pending", "in doubt"])
@both_databases
async def test_a_claim_under_way_stays_with_its_snapshot(
    store: Store, clock: FakeClock, *, doubtful: bool
) -> None:
    pending = operation(1, clock.now())
    claim(store, pending, clock.now())
    store.snapshots.save(task(1), snapshot(9), clock.now())
    if doubtful:
        store.claims.mark_in_doubt(pending)
    clock.forward(days=400)
    counts = await retention(store, clock).purge()
    assert not any(counts.values())


async def test_claims_are_kept_for_as_long_as_the_brake_counts_them(
    store: Store, clock: FakeClock
) -> None:
    claim(store, operation(1, clock.now()), clock.now(), DONE)
    purging = retention(store, clock, days=7, rules=BRAKE)
    clock.forward(days=19)
    assert (await purging.purge())["claims"] == 0
    clock.forward(days=2)
    assert (await purging.purge())["claims"] == 1


@both_databases
async def test_a_card_stays_while_its_object_may_change_or_was_read_lately(
    store: Store, clock: FakeClock
) -> None:
    add_card(store, 1, clock.now(), open_=True)
    add_card(store, 2, clock.now(), ts="group")
    add_card(store, 3, clock.now(), ts="group", open_=True)
    clock.forward(days=400)
    add_card(store, 4, clock.now())
    for number in (1, 2, 3):
        store.snapshots.save(task(number), snapshot(number), clock.now() - timedelta(days=400))
    purging = retention(store, clock)
    counts = await purging.purge()
    assert (counts["cards"], counts["snapshots"]) == (0, 0)
    store.cards.mark_rendered(store.cards.cards_of(task(3)), open_=False)
    assert (await purging.purge())["cards"] == 2


@both_databases
async def test_a_snapshot_stays_that_the_audit_names_in_whatever_place(
    store: Store, clock: FakeClock
) -> None:
    now = clock.now()
    for number in range(1, 5):
        store.snapshots.save(task(1), snapshot(number), now)
    shown = operation(1, now, decision_fingerprint=snapshot(1).fingerprint)
    store.audit.record_refusal(shown, NO_RULE, now, StoredSnapshot())
    two = operation(1, now, terms=PolicyTerms(stages=one_stage(2)))
    store.claims.claim(two.model_copy(update={"id": "second"}), "key", now, snapshot(2))
    withdrawal = two.model_copy(update={"id": "third", "intent": ApprovalIntent.WITHDRAW})
    store.claims.withdraw(withdrawal, now)
    outcome = Outcome(state=OperationState.FAILED, preflight_fingerprint=snapshot(3).fingerprint)
    store.claims.conclude(operation(1, now).model_copy(update={"id": "fourth"}), outcome, now)
    # Another object's record that happens to contain the text names nothing of this one.
    other = operation(2, now, decision_fingerprint=snapshot(4).fingerprint)
    store.audit.record_refusal(
        other.model_copy(update={"id": "fifth"}), NO_RULE, now, StoredSnapshot()
    )
    clock.forward(days=DAYS + 1)
    assert (await retention(store, clock).purge())["snapshots"] == 1
    remaining = [n for n in range(1, 5) if store.snapshots.as_json(snapshot(n).fingerprint)]
    assert remaining == [1, 2, 3]


@both_databases
async def test_a_snapshot_stays_while_its_object_waits_or_is_being_approved(
    store: Store, clock: FakeClock
) -> None:
    now = clock.now()
    waiting = Task(id="t1", name="Isolate", status="waiting")
    store.tracked.add([ListedObject(task(1), waiting, "f")], [], now)
    store.snapshots.save(task(1), snapshot(1), now)
    two = operation(2, now, terms=PolicyTerms(stages=one_stage(2)))
    store.claims.claim(two, "key", now, snapshot(2))
    store.snapshots.save(task(2), snapshot(3), now)
    clock.forward(days=DAYS + 1)
    assert (await retention(store, clock).purge())["snapshots"] == 0


@both_databases
async def test_more_than_a_batch_goes_in_one_round(store: Store, clock: FakeClock) -> None:
    count = 2 * BATCH + 1
    for number in range(count):
        store.snapshots.save(task(number), snapshot(number), clock.now())
    clock.forward(days=DAYS + 1)
    assert (await retention(store, clock).purge())["snapshots"] == count


async def test_a_failure_is_told_in_a_line_and_tried_again_while_the_rest_goes(
    store: Store, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    add_of_each_kind(store, clock.now())
    clock.forward(days=DAYS + 1)
    purging = retention(store, clock)
    with store.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE cards RENAME TO hidden"))
    counts = await purging.purge()
    assert (counts["cards"], counts["homes"]) == (0, 1)
    lines = [record for record in caplog.records if record.getMessage() == "not deleted yet"]
    # Neither evidence nor snapshots are deleted: whether a card names one can't be told.
    assert [vars(line)["rows"] for line in lines] == ["cards", "evidence", "snapshots"]
    assert not any(line.exc_info for line in lines)
    with store.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE hidden RENAME TO cards"))
    assert (await purging.purge())["cards"] == 1


@both_databases
async def test_workflows_go_with_their_steps_and_what_has_not_ended_stays(
    environment: BotEnvironment,
) -> None:
    app, slack = environment.app, environment.slack
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await slack.press(ALICE, "C0SOC", ts, "task.approve")
    await environment.replies(ts)
    client = DBOSClient(system_database_engine=app.engine, serializer=FaultlessSerializer())
    client.enqueue({"workflow_name": "other", "queue_name": "none", "workflow_id": "waits"})
    for id_ in ("cancelled", "operation-1"):
        client.enqueue({"workflow_name": "other", "queue_name": "none", "workflow_id": id_})
        client.cancel_workflow(id_)
    # What an error stopped while it holds a claim an operator may have carried on.
    claim(app.services.store, operation(1, environment.clock.now()), environment.clock.now())
    await until(lambda: len(client.list_workflows(status="SUCCESS")) == 1)
    [done] = [status.workflow_id for status in client.list_workflows(status="SUCCESS")]
    assert client.list_workflow_steps(done)
    purging = Retention(app.services, DAYS)
    assert (await purging.purge())["workflows"] == 0
    environment.clock.forward(days=DAYS + 1)
    await until(lambda: client.list_workflows(workflow_ids=[done, "cancelled"]) == [])
    remaining = {status.workflow_id for status in client.list_workflows()}
    assert remaining == {"waits", "operation-1"}
    assert client.list_workflow_steps(done) == []
    await purging.purge()
    assert app.services.store.claims.standing_operation(ISOLATE, OperationState.DONE) is None
    outcomes = [entry["outcome"] for entry in app.services.store.audit.entries(ISOLATE)]
    assert outcomes == [AuditOutcome.ALLOWED, AuditOutcome.DONE]
