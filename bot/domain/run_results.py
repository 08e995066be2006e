"""What came of an operation afterwards: how the run went on that it retried or let continue."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from bot.domain.objects import ObjectKind, Ref, Value
from bot.domain.snapshots import Snapshot
from bot.secmaster import BusinessType, PolicyRecord, Task

BLOCK_CATEGORY = "BLOCK"  # the policy records that block; others let something through
BLOCK_SUCCEEDED = "SUCCESS"


def run_of(ref: Ref, task: Task) -> Ref | None:
    """Return the run that waits for a task; None where none does, as for a publication."""
    match task.business_type:
        case BusinessType.WORKFLOWNODEAPPROVE:
            kind = "instance"
        case BusinessType.PLAYBOOKNODEAPPROVE:
            kind = "playbook"
        case _:
            return None
    return Ref.parse(f"1:{kind}:{ref.workspace}:{task.action_instance_id}")


def waiting_kind(snapshot: Snapshot) -> ObjectKind:
    """Return of which kind the run is that waits for a task, where one does."""
    waits_in_playbook = (
        isinstance(snapshot, Task) and snapshot.business_type == BusinessType.PLAYBOOKNODEAPPROVE
    )
    return "playbook" if waits_in_playbook else "instance"


class RunStatus(StrEnum):
    """How far a followed run is, where there is something to say of it.

    NEXT_TASK: it waits for another task. STILL_RUNNING is no end: the run is followed on. GONE:
    SecMaster has it no more. NO_END: none was seen for as long as it was followed.
    """

    FINISHED = "finished"
    FAILED = "failed"
    TERMINATED = "terminated"
    NEXT_TASK = "next_task"
    STILL_RUNNING = "still_running"
    GONE = "gone"
    NO_END = "no_end"


class FailedBlock(Value):
    """A line of defense on which a block failed, and why as far as SecMaster says."""

    defense: str
    reason: str = ""


class BlockResult(Value):
    """What a run's block of one target came to, by the names of the lines of defense.

    All of these are empty where SecMaster names no line.
    """

    target: str
    done: tuple[str, ...] = ()
    failed: tuple[FailedBlock, ...] = ()
    pending: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether all its lines did it or failed."""
        return bool(self.done or self.failed) and not self.pending

    @classmethod
    def of(cls, record: PolicyRecord) -> Self:
        """Return what a policy record says."""
        done, failed, pending = [], [], []
        for policy in record.policies:
            reason = policy.defense_failure_description
            if reason or "FAIL" in policy.defense_block_status.upper():
                failed.append(FailedBlock(defense=policy.defense_type, reason=reason))
            elif policy.defense_block_status.upper() == BLOCK_SUCCEEDED:
                done.append(policy.defense_type)
            else:
                pending.append(policy.defense_type)
        return cls(
            target=record.block_target,
            done=tuple(done),
            failed=tuple(failed),
            pending=tuple(pending),
        )


class BlockCoverage(Value):
    """How much of what may tell of a run's blocks was read.

    ``runs`` are the runs of workflows, ``records`` SecMaster's count of the policy records of those
    that were read.
    """

    runs: int = 0
    runs_read: int = 0
    records: int = 0
    records_read: int = 0

    @property
    def is_complete(self) -> bool:
        return self.runs_read >= self.runs and self.records_read >= self.records


class RunResult(Value):
    """How a run went on after an operation, ``seconds`` after that was asked for.

    ``node`` and ``error`` name what failed in it; ``blocks`` are those that it set, as far as its
    ``block_coverage`` says. ``next_task`` is the task that it waits for now, and ``next_name`` the
    task's name. It is ``expected`` where the run was terminated with its task: that is on record,
    and no news.
    """

    status: RunStatus
    run: Ref
    name: str = ""
    node: str = ""
    error: str = ""
    seconds: int = 0
    at: datetime
    blocks: tuple[BlockResult, ...] = ()
    block_coverage: BlockCoverage = BlockCoverage()
    next_task: Ref | None = None
    next_name: str = ""
    expected: bool = False

    def without_details(self) -> Self:
        """Return how the run went on and no more, for those who may not read it."""
        details = {"name": "", "node": "", "error": "", "blocks": ()}
        return self.model_copy(update=details | {"block_coverage": BlockCoverage()})
