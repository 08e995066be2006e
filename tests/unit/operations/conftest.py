"""The stage of the operation steps."""

import pytest

from bot.sandbox.secmaster import SecMasterSandbox
from bot.services import Services
from tests.support.clock import FakeClock
from tests.support.operations import ALLOW_ALL, ROLES, OperationStage
from tests.support.slack_recorder import SlackRecorder


@pytest.fixture
def rules() -> str:
    """The policy that a test begins under."""
    return ROLES + ALLOW_ALL


@pytest.fixture
def stage(
    services: Services, slack: SlackRecorder, secmaster: SecMasterSandbox, clock: FakeClock
) -> OperationStage:
    return OperationStage(services, slack, secmaster, clock)
