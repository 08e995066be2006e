"""What is said of a run that was retried from here, by what SecMaster shows of it."""

from datetime import datetime, timedelta

import pytest

from bot.domain.objects import Ref
from bot.domain.operations import OperationState, Outcome
from bot.domain.run_results import BlockCoverage, RunResult, RunStatus
from bot.domain.snapshots import attempt
from bot.domain.tracking import FollowedOperation
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.secmaster.definitions import defense
from bot.services import Services
from bot.store.followed_operations import result_of
from bot.watch.following import STILL_RUNNING_AFTER, follow, run_status
from tests.support.samples import FAILED_PLAYBOOK, NOW, PLAYBOOK_RUN, operation

MOMENT = timedelta(seconds=1)


@pytest.mark.parametrize("end_time", [FAILED_PLAYBOOK.end_time, None], ids=["same", "unstated"])
def test_a_run_that_stays_failed_with_its_old_end_time_is_never_said_to_run(
    end_time: datetime | None,
) -> None:
    run = FAILED_PLAYBOOK.model_copy(update={"end_time": end_time})
    accepted_at = NOW + MOMENT
    followed = FollowedOperation(
        operation=operation("playbook.retry").model_copy(update={"accepted_at": accepted_at}),
        run=PLAYBOOK_RUN,
        attempt_before=attempt(run),
        at=accepted_at,
    )
    limit = accepted_at + STILL_RUNNING_AFTER
    statuses = [run_status(run, followed, None, at) for at in (limit, limit + MOMENT)]
    assert statuses == [None, RunStatus.FAILED]


async def followed_to_its_end(services: Services, run: Ref) -> RunResult:
    """Return what came of an approval that let a run continue which has ended."""
    approval = operation("task.approve").model_copy(update={"accepted_at": services.clock.now()})
    outcome = Outcome(state=OperationState.DONE, followed_run=str(run))
    services.store.claims.conclude(approval, outcome, services.clock.now())
    [followed] = services.store.followed_operations.under_way(9)
    await follow(services, followed)
    with services.store.engine.begin() as connection:
        result = result_of(connection, approval)
    assert result
    return result


async def test_blocks_beyond_those_that_are_read_are_counted(
    services: Services, secmaster: SecMasterSandbox
) -> None:
    for number in range(44):
        target = f"198.51.100.{number}"
        secmaster.world.blocks.plan(seed.INSTANCE_FINISHED, target, defense("WAF"))
    result = await followed_to_its_end(services, Ref(kind="instance", id=seed.INSTANCE_FINISHED))
    assert len(result.blocks) == 20
    assert result.block_coverage == BlockCoverage(runs=1, runs_read=1, records=45, records_read=20)


async def test_the_runs_of_a_playbook_whose_blocks_are_not_looked_up_are_counted(
    services: Services, secmaster: SecMasterSandbox
) -> None:
    world = secmaster.world
    runs = [seed.INSTANCE_FINISHED, *(id_ for id_ in world.instances if "FAIL" not in id_)][:5]
    world.playbooks.runs_of[seed.PLAYBOOK_INSTANCE_FAILED] = list(dict.fromkeys(runs))
    result = await followed_to_its_end(
        services, Ref(kind="playbook", id=seed.PLAYBOOK_INSTANCE_FAILED)
    )
    coverage = result.block_coverage
    assert (coverage.runs, coverage.runs_read) == (len(set(runs)), 3)
    assert [block.target for block in result.blocks] == ["198.51.100.23"]


async def test_a_run_of_a_workspace_that_is_served_no_more_is_not_said_to_be_gone(
    services: Services,
) -> None:
    elsewhere = Ref(kind="instance", id=seed.INSTANCE_FINISHED, workspace="elsewhere")
    assert (await followed_to_its_end(services, elsewhere)).status is RunStatus.NO_END
