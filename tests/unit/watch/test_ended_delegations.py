"""What is taken back with a delegation that is over: its approval, and those of later stages."""

import pytest

from bot.domain.slack import Destination
from bot.messages.catalogue import Catalogue
from bot.notifications.kinds import ApprovalsRevokedNotification
from bot.sandbox.secmaster import SecMasterSandbox
from bot.services import Services
from bot.watch.ended_delegations import take_back_approvals
from tests.support.clock import FakeClock
from tests.support.operations import ROLES, TASK, OperationStage, rule
from tests.support.people import ALICE, BOB, CAROL, DAVE, SOC
from tests.support.slack_recorder import SlackRecorder

STAGES = 'approvals = [{ role = "approver", count = 2 }, { role = "oncall", count = 2 }]\n'


@pytest.fixture
def rules() -> str:
    return ROLES


@pytest.fixture
def stage(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox, clock: FakeClock
) -> OperationStage:
    return OperationStage(services, slack, secmaster, clock)


async def test_with_an_approval_go_those_of_the_later_stages_and_they_are_named(
    stage: OperationStage,
) -> None:
    stage.set_policy(rule("task.approve", roles=("approver", "oncall"), more=STAGES))
    store = stage.services.store
    stage.delegate(ALICE, DAVE)
    for user in (DAVE, BOB, CAROL):
        stage.clock.forward(seconds=1)
        await stage.preflight(await stage.pressed("task.approve", user))
    stage.revoke_delegation(ALICE, DAVE)
    await take_back_approvals(stage.services)
    [request] = store.claims.approval_requests(TASK, stage.clock.now())
    assert [(each.actor.id, each.stage) for each in request.approvals] == [(BOB, 0)]
    entry = store.outbox.next_entry(Destination.parse(SOC), stage.clock.now())
    assert entry is not None
    notification = ApprovalsRevokedNotification.model_validate(entry.notification.model_dump())
    text = notification.render(Catalogue.english()).text
    assert f"the approval by <@{DAVE}> (on behalf of <@{ALICE}>) no longer counts" in text
    assert f"The approval by <@{CAROL}> no longer counts: an earlier stage is open again." in text
    assert "Approvals to approve: 1 of 4." in text
