"""What is said of a run that was retried from here, by what SecMaster shows of it."""

from datetime import datetime, timedelta

import pytest

from bot.domain.run_results import RunStatus
from bot.domain.snapshots import attempt
from bot.domain.tracking import FollowedOperation
from bot.watch.following import STILL_RUNNING_AFTER, run_status
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
