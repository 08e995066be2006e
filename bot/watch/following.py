"""Runs are followed that were retried from here, or that a decision from here let continue.

Each round of the watch reads a few, the one checked longest ago first, and each of them once. What
came of an operation is recorded once, told in its thread, and shown on the cards of its task.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, assert_never

from bot.domain.actions import BY_NAME
from bot.domain.failures import failure_of
from bot.domain.objects import Ref
from bot.domain.playbook_runs import runs_within
from bot.domain.run_results import (
    BLOCK_CATEGORY,
    BlockCoverage,
    BlockResult,
    RunResult,
    RunStatus,
)
from bot.domain.snapshots import Reading, Run, attempt
from bot.domain.tracking import FollowedOperation, TrackedObject
from bot.notifications.kinds import RunResultNotification
from bot.secmaster import (
    AnswerLost,
    Instance,
    InstanceStatus,
    NotFound,
    PlaybookInstance,
    SecMasterError,
    Task,
    Unavailable,
    Unreachable,
)
from bot.services import Services
from bot.slack.cards import IncompleteCards
from bot.slack.gateway import SlackFailed

log = logging.getLogger(__name__)

SECMASTER_DOWN = (AnswerLost, Unavailable, Unreachable)
MAX_FOLLOWED = 20  # runs a poll
FOLLOWED_FOR = timedelta(days=1)  # a run that does not end
STILL_RUNNING_AFTER = timedelta(minutes=30)  # is said once
SETTLED_AFTER = timedelta(minutes=1)  # a failure for so long after a retry is a new one
CLOCK_TOLERANCE = timedelta(minutes=1)  # by which SecMaster's clock may be behind ours
ENDED = (InstanceStatus.FINISHED, InstanceStatus.FAILED, InstanceStatus.TERMINATED)
MAX_RECORDS = 20  # policy records, of all runs of workflows within a run
MAX_RUNS = 3  # of a playbook's run, whose blocks are looked up


async def follow_runs(services: Services) -> int:
    """Look at a few followed runs; return how many cards were drawn. Raises SECMASTER_DOWN."""
    drawn = 0
    for followed in await asyncio.to_thread(
        services.store.followed_operations.under_way, MAX_FOLLOWED
    ):
        drawn += await follow(services, followed)
    return drawn


async def follow(services: Services, followed: FollowedOperation) -> int:
    """Look at a run, and record what came of its operation; return how many cards were drawn.

    Raises one of SECMASTER_DOWN.
    """
    operations, now = services.store.followed_operations, services.clock.now()
    # Recorded before it is read, or one that can't be read would stand before all others.
    await asyncio.to_thread(operations.mark_checked, followed, now)
    run, result, drawn = None, None, 0
    try:
        run, drawn = await _read(services, followed.run)
    except NotFound:  # or its workspace is not configured here any more
        is_gone = followed.run.workspace in services.workspaces
        status = RunStatus.GONE if is_gone else RunStatus.NO_END
        result = _unknown(followed, status, "", now)
    except SECMASTER_DOWN:
        raise
    except SecMasterError as error:  # it may be readable again
        log.warning("run not read", extra={"run": str(followed.run), "error": str(error)})
    else:
        result = await _result(services, followed, run, now)
    is_open = result is None or result.status is RunStatus.STILL_RUNNING
    if is_open and now - followed.operation.accepted_at > FOLLOWED_FOR:
        result = _unknown(followed, RunStatus.NO_END, run.name if run else "", now)
    if result is None:
        return drawn
    entry = RunResultNotification.entry(followed, result, now)
    if result.status is RunStatus.STILL_RUNNING:
        await asyncio.to_thread(operations.report, followed, [entry], now)
    else:
        entries = [] if result.expected else [entry]
        await asyncio.to_thread(operations.end, followed, result, entries, now)
    return drawn


def run_status(
    run: Run, followed: FollowedOperation, next_task: TrackedObject | None, now: datetime
) -> RunStatus | None:
    """Return how far a run is, where that is to be said; None where there is nothing to say."""
    age = now - followed.operation.accepted_at
    match run.status:
        case InstanceStatus.FINISHED:
            return RunStatus.FINISHED
        case InstanceStatus.TERMINATED:
            return RunStatus.TERMINATED
        case InstanceStatus.FAILED if _has_failed_since(run, followed, age):
            return RunStatus.FAILED
        case InstanceStatus.RUNNING if next_task:
            return RunStatus.NEXT_TASK
        case _:
            is_due = age > STILL_RUNNING_AFTER and not followed.is_reported
            return RunStatus.STILL_RUNNING if is_due else None


def _has_failed_since(run: Run, followed: FollowedOperation, age: timedelta) -> bool:
    """Return whether a failed run failed after the operation.

    A retry may count before the failure is gone, and SecMaster's clock may be behind ours. One that
    is still failed after so long does not run, whatever its times say.
    """
    operation = followed.operation
    if not BY_NAME[operation.action].is_retry:
        return True  # it waited for the decision, so it had not failed
    if run.end_time is not None and run.end_time > operation.accepted_at:
        return True
    is_other_attempt = attempt(run) > followed.attempt_before and age > SETTLED_AFTER
    return is_other_attempt or age > STILL_RUNNING_AFTER


def _next_task(followed: FollowedOperation, tasks: Sequence[TrackedObject]) -> TrackedObject | None:
    """Return the task that a run waits for since the operation; others waited at its side."""
    since = followed.operation.accepted_at - CLOCK_TOLERANCE
    for task in tasks:
        created_at = task.snapshot.create_time if isinstance(task.snapshot, Task) else None
        if task.ref != followed.operation.ref and (created_at is None or created_at >= since):
            return task
    return None


async def _read(services: Services, ref: Ref) -> tuple[Run, int]:
    """Read a run, draw those of its cards that are outdated, and return it and how many were.

    The topology of a playbook's run costs another request: it is read, and its cards are drawn,
    once the run has ended. Raises SecMasterError.
    """
    asked_at = services.clock.now()
    try:
        if ref.kind == "playbook":
            client = services.workspaces.client(ref.workspace)
            playbook_run = await client.show_playbook_instance(ref.id)
            if playbook_run.status not in ENDED:
                return playbook_run, 0
        run = await services.workspaces.read(ref)
    except NotFound:
        await _draw(services, ref, Reading(None, asked_at, services.clock.now()))
        raise
    if isinstance(run, Task):
        raise TypeError(f"{ref} is no run")
    return run, await _draw(services, ref, Reading(run, asked_at, services.clock.now()))


async def _draw(services: Services, ref: Ref, reading: Reading) -> int:
    """Draw the outdated cards of a run; what Slack does not take is drawn in another poll."""
    try:
        drawn = await services.cards.redraw_outdated_from(ref, reading)
    except SlackFailed as error:
        log.warning("card not refreshed", extra={"ref": str(ref), "error": str(error)})
        await asyncio.to_thread(services.store.tracked.mark_stale, ref, stale=True)
        return 1  # an update that Slack did not take was one as well
    if drawn:  # the run has changed: so may have what is around it
        services.cards.incomplete.put_nowait(IncompleteCards(ref))
    return drawn


async def _result(
    services: Services, followed: FollowedOperation, run: Run, now: datetime
) -> RunResult | None:
    """Return how a run went on, with what failed in it and the blocks that it set.

    None where there is nothing to say yet.
    """
    waiting_for = services.store.tracked.waiting_for
    next_task = _next_task(followed, await asyncio.to_thread(waiting_for, [followed.run]))
    status = run_status(run, followed, next_task, now)
    if status is None:
        return None
    if status is RunStatus.STILL_RUNNING and isinstance(run, PlaybookInstance):
        # Once: a run within may be what waits, and which these are costs a request more.
        next_task = _next_task(followed, await _tasks_within(services, followed.run))
        status = RunStatus.NEXT_TASK if next_task else status
    has_ended = status not in (RunStatus.NEXT_TASK, RunStatus.STILL_RUNNING)
    at = (run.end_time or now) if has_ended else now
    action = BY_NAME[followed.operation.action]
    ends_it = action.is_decision and not action.lets_continue
    result = RunResult(
        status=status,
        run=followed.run,
        name=run.name,
        seconds=max(0, int((at - followed.operation.accepted_at).total_seconds())),
        at=at,
        expected=ends_it and status is RunStatus.TERMINATED,
    )
    if status is RunStatus.NEXT_TASK and next_task:
        task = {"next_task": next_task.ref, "next_name": next_task.snapshot.name}
        return result.model_copy(update=task)
    if status not in (RunStatus.FINISHED, RunStatus.FAILED):
        return result
    failure = failure_of(run) if status is RunStatus.FAILED else None
    facts = {
        "node": (failure.name or failure.id) if failure else "",
        "error": failure.error if failure else "",
    }
    blocks = await _blocks(services, followed.run.workspace, _workflow_runs(run))
    return result.model_copy(update=facts | blocks)


async def _tasks_within(services: Services, ref: Ref) -> list[TrackedObject]:
    """Return the tasks that the runs within a playbook's run wait for; none where it is unread."""
    try:
        runs = runs_within(ref, await services.workspaces.read(ref))
    except SecMasterError:
        return []
    return await asyncio.to_thread(services.store.tracked.waiting_for, runs)


def _unknown(followed: FollowedOperation, status: RunStatus, name: str, now: datetime) -> RunResult:
    """Return that the run is no longer followed, though nobody knows how it ended."""
    return RunResult(
        status=status,
        run=followed.run,
        name=name,
        seconds=max(0, int((now - followed.operation.accepted_at).total_seconds())),
        at=now,
    )


def _workflow_runs(run: Run) -> list[str]:
    """Return the ids of the runs of workflows whose blocks a run's are."""
    match run:
        case Instance():
            return [run.id]
        case PlaybookInstance():
            ids = (action.instance_id for action in run.actions or () if action.instance_id)
            return list(dict.fromkeys(ids))
        case _:
            assert_never(run)


async def _blocks(services: Services, workspace: str, run_ids: Sequence[str]) -> dict[str, Any]:
    """Return the blocks that runs of workflows set, and how much of what tells of them was read."""
    client, results = services.workspaces.client(workspace), list[BlockResult]()
    runs_read = records = records_read = 0
    for run_id in run_ids[:MAX_RUNS]:
        if records_read >= MAX_RECORDS:
            break
        try:
            page = await client.search_policy_records(
                {"workflow_instance_id": run_id}, limit=MAX_RECORDS - records_read
            )
        except SecMasterError as error:  # not every region has these records
            log.info("blocks not read", extra={"run": run_id, "error": str(error)})
            break
        runs_read, records = runs_read + 1, records + page.total
        records_read += len(page.records)
        # By which fields SecMaster filters is unstated.
        results += [
            BlockResult.of(record)
            for record in page.records
            if record.workflow_instance_id == run_id
            and record.policy_category.upper() in ("", BLOCK_CATEGORY)
        ]
    coverage = BlockCoverage(
        runs=len(run_ids), runs_read=runs_read, records=records, records_read=records_read
    )
    return {"blocks": tuple(results), "block_coverage": coverage}
