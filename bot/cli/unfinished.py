"""Find and free operations that have not ended, for an operator.

A process that lives takes up its own by itself. What is left are operations whose process is gone,
and those that an error of ours stopped before their outcome was on record, or told.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

import sqlalchemy as sa
from dbos import DBOSClient, WorkflowStatus

from bot import settings
from bot.domain.batches import Batch
from bot.domain.operations import Operation, OperationState, Outcome, Runner
from bot.domain.reasons import OutcomeReason
from bot.notifications.kinds import GivenUpNotification
from bot.operations.unfinished import FaultlessSerializer
from bot.secmaster.connection import PATIENCE, WHOLE
from bot.store import (
    AuditKey,
    Store,
    UnsupportedDatabase,
    close,
    connect,
    schema_versions,
    use_key,
    why_unusable,
)

# A step that runs when its workflow is cancelled goes on to its end: a read, and then a write.
STOPS_WITHIN = 2.0 * (PATIENCE + WHOLE)  # seconds
RUNNING = ["PENDING", "ENQUEUED", "DELAYED"]
STOPPED = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
BATCH = "decide_batch"


class CannotFree(Exception):
    """What was asked for can't be done; the text says why, and what to do now."""


@dataclass(frozen=True, slots=True)
class UnfinishedOperation:
    """An operation or a batch that has not ended; an ``outcome`` is on record, but was not told."""

    status: WorkflowStatus
    operation: Operation
    runner: Runner
    outcome: Outcome | None

    @property
    def is_batch(self) -> bool:
        return self.status.name == BATCH

    @property
    def state(self) -> str:
        """Who carries it out, in a few words."""
        match self.runner:
            case Runner.ALIVE:
                return f"carried out by {self.status.executor_id}"
            case Runner.ABSENT:
                return f"waits for {self.status.executor_id}, which does not run"
            case Runner.STOPPED:
                outcome = f"{self.outcome.state} and not told, " if self.outcome else ""
                return f"{outcome}stopped by an error"
            case _:
                assert_never(self.runner)

    def __str__(self) -> str:
        """Return its line of the list."""
        operation = self.operation
        since = operation.accepted_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        target = "several at once" if self.is_batch else str(operation.ref)
        person = f"{operation.actor.name or '-'} ({operation.actor.id})"
        fields = (operation.reference, operation.action, target, person, since, self.state)
        return "  ".join(fields)


class UnfinishedOperations:
    """The operations of one database that have not ended."""

    def __init__(self, engine: sa.Engine) -> None:
        self._store = Store(engine)
        self._client = DBOSClient(
            system_database_engine=engine,
            serializer=FaultlessSerializer(),
            retry_connection_errors=False,
        )

    def all(self) -> list[UnfinishedOperation]:
        """Return them, oldest first.

        An approval that only waits for others has ended, and so has what was given up.
        """
        statuses = self._client.list_workflows(status=[*RUNNING, *STOPPED], load_output=False)
        outcomes = self._store.audit.outcomes([status.workflow_id for status in statuses])
        unfinished = []
        for status in statuses:
            recorded = outcomes.get(status.workflow_id)
            outcome = recorded.outcome if recorded else None
            ended = outcome and (
                status.status in RUNNING or outcome.reason_code is OutcomeReason.GIVEN_UP
            )
            if not ended:
                runner = self._store.workflows.runner(status.workflow_id)
                unfinished.append(UnfinishedOperation(status, _operation(status), runner, outcome))
        return unfinished

    def find(self, reference: str) -> UnfinishedOperation:
        """Return the one with this id, or whose id begins so; raises CannotFree."""
        matching = [item for item in self.all() if item.operation.id.startswith(reference)]
        if not matching:
            raise CannotFree(
                f"No operation {reference} waits here: it has ended, or is another database's. "
                "See `secmaster-bot operations list`."
            )
        if len(matching) > 1:
            raise CannotFree(f"{len(matching)} ids begin with {reference}. Give more of it.")
        return matching[0]

    def steps(self, item: UnfinishedOperation) -> list[tuple[str, str]]:
        """Return the name of each step that is on record, and how it ended."""
        steps = self._client.list_workflow_steps(item.operation.id)
        return [
            (step["function_name"], f"failed: {step['error']!r}" if step["error"] else "done")
            for step in steps
        ]

    def retry(self, item: UnfinishedOperation) -> None:
        """Have one carried on by whichever process runs, or starts next; raises CannotFree.

        What an error stopped begins again at the step that failed.
        """
        if item.runner is Runner.ALIVE:
            raise CannotFree(
                f"{item.operation.reference} is carried out by {item.status.executor_id}, which "
                "runs and takes it up by itself within a minute."
            )
        if item.status.status != "ERROR":
            self._client.resume_workflow(item.operation.id)
            return
        # An error before the last step was dealt with, and led to what came after it.
        steps = self._client.list_workflow_steps(item.operation.id)
        last = max(steps, key=lambda step: step["function_id"], default=None)
        number = last["function_id"] if last else 0
        start_step = number if last and last["error"] else number + 1
        self._client.rewind_workflow(item.operation.id, start_step=start_step)

    def seconds_to_stop(self, item: UnfinishedOperation, wait: float = STOPS_WITHIN) -> float:
        """Return for how long one that runs, or was cancelled lately, may still write."""
        if item.status.status == "CANCELLED" and item.status.updated_at:
            return max(0.0, wait - (time.time() - item.status.updated_at / 1000))
        return wait if item.runner is Runner.ALIVE else 0.0

    def give_up(
        self, item: UnfinishedOperation, by: str, *, force: bool = False, wait: float = STOPS_WITHIN
    ) -> None:
        """End one as unknown, free what it holds, and have its thread told; raises CannotFree.

        With ``force`` one that runs is cancelled, and freed after ``wait`` seconds, by when it can
        write no more.
        """
        operation = item.operation
        if item.is_batch:
            raise CannotFree("Several at once hold nothing themselves: give up each operation.")
        if item.outcome:
            raise CannotFree(
                f"{operation.reference} has ended ({item.outcome.state}) and holds nothing. "
                f"`secmaster-bot operations retry {operation.reference}` has its thread told."
            )
        if item.runner is Runner.ALIVE and not force:
            raise CannotFree(
                f"{operation.reference} is carried out by {item.status.executor_id}, which runs, "
                "so it may still write. End that process first, or give --force."
            )
        self._client.cancel_workflow(operation.id)
        time.sleep(self.seconds_to_stop(item, wait))
        [status] = self._client.list_workflows(workflow_ids=[operation.id], load_output=False)
        if status.status in RUNNING:
            raise CannotFree(f"{operation.reference} was taken up again meanwhile. Try again.")
        recorded = self._store.audit.outcomes([operation.id]).get(operation.id)
        if recorded and not recorded.holder:
            self._client.resume_workflow(operation.id)
            raise CannotFree(
                f"{operation.reference} has ended meanwhile ({recorded.outcome.state}). Its thread "
                "will be told."
            )
        now = datetime.now(UTC)
        outcome = Outcome(state=OperationState.UNKNOWN, reason_code=OutcomeReason.GIVEN_UP, code=by)
        self._store.outbox.add([GivenUpNotification.entry(operation, outcome, now)], now)
        self._store.claims.conclude(operation, outcome, now)


@contextmanager
def open_unfinished(database: str = "") -> Iterator[UnfinishedOperations]:
    """Open the operations of the database that is named, or of that of the settings.

    Raises CannotFree, also for what fails in the block.
    """
    try:
        database_settings = settings.load_database(database)
        engine = connect(database_settings.database_url)
        if database_settings.audit_key:
            use_key(engine, AuditKey(database_settings.audit_key.get_secret_value()))
        try:
            current, newest = schema_versions(engine)
            if current != newest:
                raise CannotFree("This database is not this version's. Start its bot on it once.")
            yield UnfinishedOperations(engine)
        finally:
            close(engine)
    except (settings.SettingsError, UnsupportedDatabase) as error:
        raise CannotFree(str(error)) from None
    except sa.exc.SQLAlchemyError as error:
        raise CannotFree(f"DATABASE_URL can't be used: {why_unusable(error)}.") from None


def _operation(status: WorkflowStatus) -> Operation:
    """Return what a workflow carries out; for a batch what stands for all of it."""
    [recorded] = status.input["args"] if status.input else [{}]
    if status.name == BATCH:
        return Batch.model_validate(recorded).operation
    return Operation.model_validate(recorded)
