"""What an auditor reads: decisions as the store records them, told in the golden reports.

With ``GOLDEN=write`` in the environment the reports are written anew, to be looked at.
"""

import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.cli.audit_formats import Heading, write_html, write_report
from bot.domain.approvals import ApprovalIntent
from bot.domain.claims import Claim, Taken
from bot.domain.objects import Ref
from bot.domain.operations import Operation, OperationState, Outcome, PolicyRefusal, PolicyTerms
from bot.domain.reasons import RefusalReason
from bot.domain.run_results import RunResult, RunStatus
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import stored
from bot.domain.stages import one_stage
from bot.domain.tracking import ListedObject
from bot.operations.audit_stories import CHUNK, audited_records
from bot.secmaster import Task
from bot.store import Store, audit_log, close, connect
from tests.support.audit import write
from tests.support.databases import Databases, both_databases

GOLDEN = Path(__file__).parent / "golden"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALICE = Actor(id="U0ALICE", name="Alice Chen")
BOB = Actor(id="U0BOB", name="张伟")
CAROL = Actor(id="U0CAROL", name="Carol <!channel> *x*")
TWO = PolicyTerms(
    stages=one_stage(2), expires=1800, identity="alice@example.com", policy="97d7b2a97015"
)
HOSTILE = '=HYPERLINK("http://x") <script>alert(1)</script> [a](http://x) `b`'


@pytest.fixture
def database_url(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> str:
    return databases.with_tables(getattr(request, "param", "sqlite"), tmp_path)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    engine = connect(database_url)
    yield Store(engine)
    close(engine)


class Desk:
    """Where people decide on tasks, a minute after one another."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._minutes = count()
        self.now = START

    def operation(
        self, task: Task, actor: Actor, action: str = "task.approve", **fields: Any
    ) -> Operation:
        self.now = START + timedelta(minutes=next(self._minutes))
        return Operation(
            id=f"{len(actor.id)}{self.now:%H%M}-{actor.id}",
            action=action,
            ref=Ref(kind="task", id=task.id),
            actor=actor,
            location=SlackLocation(channel="C0SOC", channel_name="soc"),
            rule="rule 1 (accounts)",
            terms=fields.pop("terms", TWO),
            decision_fingerprint=stored(task).fingerprint,
            accepted_at=self.now,
            **fields,
        )

    def claim(self, task: Task, operation: Operation) -> Claim:
        key = f"{operation.ref}:decision:0"
        return self.store.claims.claim(operation, key, self.now, stored(task))

    def send(self, task: Task, operation: Operation) -> None:
        claim = self.claim(task, operation)
        assert isinstance(claim, Taken)
        outcome = Outcome(
            state=OperationState.DONE,
            status=200,
            request_id="7f2c",
            status_before="waiting",
            status_after="finished",
            preflight_fingerprint=stored(task).fingerprint,
            duration=1.4,
        )
        self.store.claims.conclude(claim.operation, outcome, self.now)


def task(id_: str, name: str, **fields: Any) -> Task:
    due = START + timedelta(minutes=20)
    facts = {"status": "waiting", "creator_name": "system", "due_date": due} | fields
    return Task(id=id_, name=name, due_handle="CONTINUE", **facts)


def decide(store: Store) -> None:
    """Record two approvals, an override, a decline, a refused decline and an expiry."""
    desk = Desk(store)
    block = task("t-1", "封禁 203.0.113.77", description="来自 EDR 的告警")
    desk.claim(block, desk.operation(block, ALICE, reason="误报概率低\n第二行 *不是* <b>粗体</b>"))
    desk.send(block, desk.operation(block, BOB))
    hostile = task("t-2", HOSTILE, view_parameters='[{"name": "ip", "value": "<b>1</b>|2"}]')
    override = TWO.model_copy(update={"break_glass_channel": "C0GENERAL", "delegator": ""})
    alone = desk.operation(hostile, CAROL, "task.terminate", terms=override, reason="@all =1+1")
    desk.send(hostile, alone)
    disable = task("t-3", "Disable IAM user svc-backup")
    delegated = TWO.model_copy(update={"delegator": "U0ALICE"})
    desk.claim(disable, desk.operation(disable, BOB, terms=delegated))
    refused = desk.operation(disable, CAROL, intent=ApprovalIntent.DECLINE)
    refusal = PolicyRefusal(reason=RefusalReason.RULE, rule="rule 1", roles=("approver", "lead"))
    store.audit.record_refusal(refused, refusal, desk.now, stored(disable))
    decline = desk.operation(disable, ALICE, intent=ApprovalIntent.DECLINE, reason="wrong user")
    store.claims.withdraw(decline, desk.now)
    late = task("t-4", "Quarantine mailbox")
    opened = desk.operation(late, ALICE)
    desk.claim(late, opened)
    ref = Ref(kind="task", id=late.id)
    ended = late.model_copy(update={"status": "finished"})
    store.tracked.add([ListedObject(ref, ended, "f")], [], START)
    store.claims.lapse(opened, START + timedelta(minutes=20))


def report(store: Store, form: str) -> str:
    heading = Heading(
        [("Person", HOSTILE)], START + timedelta(hours=1), UTC, audit_log.head(store.engine)
    )
    file = io.StringIO()
    records = audited_records(store, audit_log.entries(store.engine))
    (write_html if form == "html" else write_report)(records, file, heading)
    return file.getvalue()


@both_databases
async def test_the_reports_are_the_golden_ones(store: Store) -> None:
    decide(store)
    for form, name in (("report", "audit.md"), ("html", "audit.html")):
        text, golden = report(store, form), GOLDEN / name
        if os.environ.get("GOLDEN") == "write":
            golden.parent.mkdir(exist_ok=True)
            golden.write_text(text, encoding="utf-8")
        assert text == golden.read_text(encoding="utf-8")
        assert "<script" not in text
        assert "http://x" in text  # as text, and no link
    assert "href" not in report(store, "html")
    assert audit_log.verify(store.engine).problems == ()


async def test_an_approval_tells_what_came_of_it(store: Store) -> None:
    decide(store)
    records = [*audited_records(store, audit_log.entries(store.engine))]
    came = {
        (str(each.record["object_name"])[:6], each.later["outcome"])
        for each in records
        if each.later is not None
    }
    assert came == {("封禁 203", "done"), ("Disabl", "refuse"), ("Quaran", "lapsed")}


async def test_whoever_came_first_and_whoever_delegated_are_named(store: Store) -> None:
    desk, block = Desk(store), task("t-1", "Block 203.0.113.77")
    first = desk.operation(block, ALICE, terms=PolicyTerms())
    desk.claim(block, first)
    desk.claim(block, desk.operation(block, BOB, "task.terminate", terms=PolicyTerms()))
    store.audit.record(
        {
            "at": desk.now,
            "operation_id": "delegated",
            "outcome": "done",
            "action": "delegate",
            "target": CAROL.id,
            "actor": BOB.model_dump(),
        }
    )
    other = task("t-2", "Isolate host")
    desk.send(other, desk.operation(other, CAROL, terms=PolicyTerms(delegator=BOB.id)))
    text = report(store, "report")
    assert "The termination was not sent. Alice Chen (U0ALICE) came first." in text
    assert "acted on behalf of 张伟 (U0BOB)." in text


async def test_a_page_costs_as_many_queries_however_many_records_it_has(store: Store) -> None:
    counts = []
    statements: list[str] = []
    sa.event.listen(
        store.engine, "before_cursor_execute", lambda *details: statements.append(details[2])
    )
    decide(store)
    records = [*audit_log.entries(store.engine)]
    for page in (records, records * 6):
        statements.clear()
        told = [*audited_records(store, page)]
        counts.append(len(statements))
        assert len(told) > len(page) / 2
    assert counts[0] == counts[1] < 7, counts


async def test_of_an_audit_larger_than_a_chunk_nothing_is_left_out(store: Store) -> None:
    write(store.engine, CHUNK * 2 + 1)
    records = audited_records(store, audit_log.entries(store.engine))
    assert [each.record["number"] for each in records] == [*range(1, CHUNK * 2 + 2)]


def test_what_came_of_a_decision_is_told_once_with_its_end(store: Store) -> None:
    desk = Desk(store)
    task = Task(id="t9", name="Isolate host", status="waiting")
    operation = desk.operation(task, ALICE, terms=PolicyTerms())
    desk.claim(task, operation)
    done = Outcome(state=OperationState.DONE, followed_run="1:instance:main:i-1")
    store.claims.conclude(operation, done, desk.now)
    [followed] = store.followed_operations.under_way(9)
    result = RunResult(status=RunStatus.FINISHED, run=followed.run, name="Contain", at=desk.now)
    store.followed_operations.end(followed, result, [], desk.now)
    records = store.audit.entries(operation.ref)
    assert [record["outcome"] for record in records] == ["allowed", "done", "result"]
    [audited] = audited_records(store, records)
    assert audited.record["outcome"] == "done"
    assert (audited.result or {})["run_result"] == records[-1]["run_result"]
    # Also where the report is of a time before it was known, and not of one after.
    [audited] = audited_records(store, records[:2])
    assert (audited.result or {})["run_result"] == records[-1]["run_result"]
    assert [*audited_records(store, records[2:])] == []
